//! The smallest well-formed file of each container, built by hand so that every byte is known.

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [
        &(content.len() as u32 + 8).to_be_bytes(),
        kind.as_slice(),
        content,
    ]
    .concat()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// A movie with two chunks: three samples of 10, 20, 30 bytes, then one of 40, at `media`.
fn moov(media: u32, extra: &[u8]) -> Vec<u8> {
    let stsz = boxed(b"stsz", &words(&[0, 0, 4, 10, 20, 30, 40]));
    let stsc = boxed(b"stsc", &words(&[0, 2, 1, 3, 1, 2, 1, 1]));
    let stco = boxed(b"stco", &words(&[0, 2, media, media + 60]));
    let stbl = boxed(b"stbl", &[stsz, stsc, stco].concat());
    let trak = boxed(b"trak", &boxed(b"mdia", &boxed(b"minf", &stbl)));
    boxed(
        b"moov",
        &[boxed(b"mvhd", &[0; 100]), trak, extra.to_vec()].concat(),
    )
}

pub(crate) fn mp4_index_last() -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"isom\0\0\0\0isom");
    let media = ftyp.len() as u32 + 8;
    [ftyp, boxed(b"mdat", &[0x55; 100]), moov(media, &[])].concat()
}

pub(super) fn mp4_index_first() -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"qt  \0\0\0\0qt  ");
    let media = (ftyp.len() + moov(0, &[]).len()) as u32 + 16;
    let wide = [&words(&[1])[..], b"mdat", &116u64.to_be_bytes(), &[0x55; 100]].concat();
    [ftyp, moov(media, &[]), wide].concat()
}

/// The media box runs to the end of the file, so only the sample table tells how long it must be.
pub(super) fn mp4_open_media() -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"isom\0\0\0\0isom");
    let media = (ftyp.len() + moov(0, &[]).len()) as u32 + 8;
    [
        ftyp,
        moov(media, &[]),
        words(&[0]),
        b"mdat".to_vec(),
        vec![0x55; 100],
    ]
    .concat()
}

pub(super) fn mp4_fragmented(with_index: bool) -> Vec<u8> {
    let fragment = [boxed(b"moof", &[0; 16]), boxed(b"mdat", &[0x55; 40])].concat();
    let trak = {
        let empty = |kind| boxed(kind, &words(&[0, 0]));
        let stbl = [boxed(b"stsz", &words(&[0, 0, 0])), empty(b"stsc"), empty(b"stco")].concat();
        boxed(b"trak", &boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &stbl))))
    };
    let moov = boxed(b"moov", &[trak, boxed(b"mvex", &[])].concat());
    let length = fragment.len() as u32;
    let reference = [length, 1000, 0];
    let sidx = words(&[&[0, 1, 1000, 0, 0, 2][..], &reference, &reference].concat());
    let sidx = if with_index {
        boxed(b"sidx", &sidx)
    } else {
        Vec::new()
    };
    [
        boxed(b"ftyp", b"isom\0\0\0\0"),
        moov,
        sidx,
        fragment.clone(),
        fragment,
    ]
    .concat()
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &(content.len() as u64 | 1 << 56).to_be_bytes(), content].concat()
}

const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];

fn ebml() -> Vec<u8> {
    element(&[0x1A, 0x45, 0xDF, 0xA3], b"\x42\x82\x84webm")
}

fn tracks() -> Vec<u8> {
    element(&[0x16, 0x54, 0xAE, 0x6B], &[0xAE, 0x80])
}

fn block() -> Vec<u8> {
    element(&[0xA3], &[0x81, 0, 0, 0, 1, 2, 3])
}

fn cues() -> Vec<u8> {
    element(&[0x1C, 0x53, 0xBB, 0x6B], &[0xBB, 0x80])
}

pub(super) fn mkv() -> Vec<u8> {
    let cluster = element(&CLUSTER, &block());
    [
        ebml(),
        element(&SEGMENT, &[tracks(), cluster.clone(), cluster, cues()].concat()),
    ]
    .concat()
}

/// As a live writer leaves it: segment and clusters of unknown size.
pub(super) fn mkv_live(with_cues: bool) -> Vec<u8> {
    let cluster = [CLUSTER.as_slice(), &[0xFF], &block(), &block()].concat();
    let end = if with_cues { cues() } else { Vec::new() };
    [
        ebml(),
        SEGMENT.to_vec(),
        vec![0x01, 255, 255, 255, 255, 255, 255, 255],
        tracks(),
        cluster.clone(),
        cluster,
        end,
    ]
    .concat()
}

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let padding = vec![0; content.len() % 2];
    [
        id.as_slice(),
        &(content.len() as u32).to_le_bytes(),
        content,
        &padding,
    ]
    .concat()
}

fn list(id: &[u8; 4], kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    chunk(id, &[kind.as_slice(), content].concat())
}

/// AVI with a promised index; with `later`, a second RIFF segment that only the OpenDML index announces.
pub(crate) fn avi(later: bool) -> Vec<u8> {
    let le = |values: &[u32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let second = list(
        b"RIFF",
        b"AVIX",
        &list(b"LIST", b"movi", &chunk(b"00dc", &[7; 30])),
    );
    let first = |later_at: u32| {
        let avih = chunk(b"avih", &le(&[0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        let entry = le(&[later_at, 0, second.len() as u32, 1]);
        let indx = if later {
            chunk(
                b"indx",
                &[le(&[4, 1]), b"00dc".to_vec(), le(&[0, 0, 0]), entry].concat(),
            )
        } else {
            Vec::new()
        };
        let strl = list(b"LIST", b"strl", &[chunk(b"strh", &[0; 56]), indx].concat());
        let hdrl = list(b"LIST", b"hdrl", &[avih, strl].concat());
        let movi = list(
            b"LIST",
            b"movi",
            &[chunk(b"00dc", &[5; 20]), chunk(b"00dc", &[6; 33])].concat(),
        );
        let index = [
            b"00dc".to_vec(),
            le(&[16, 4, 20]),
            b"00dc".to_vec(),
            le(&[0, 32, 33]),
        ]
        .concat();
        list(b"RIFF", b"AVI ", &[hdrl, movi, chunk(b"idx1", &index)].concat())
    };
    let length = first(0).len() as u32;
    if later {
        [first(length), second].concat()
    } else {
        first(0)
    }
}

pub(super) fn wav() -> Vec<u8> {
    list(
        b"RIFF",
        b"WAVE",
        &[chunk(b"fmt ", &[1; 16]), chunk(b"data", &[2; 40])].concat(),
    )
}

/// The same by a writer that forgot the two bytes of an extended `fmt ` when it counted.
pub(super) fn wav_miscounted() -> Vec<u8> {
    let mut bytes = list(
        b"RIFF",
        b"WAVE",
        &[chunk(b"fmt ", &[1; 18]), chunk(b"data", &[2; 40])].concat(),
    );
    bytes[4] -= 2;
    bytes
}

/// A QuickTime movie whose index is compressed.
pub(super) fn mov_compressed_index() -> Vec<u8> {
    let compressed = boxed(
        b"cmov",
        &[boxed(b"dcom", b"zlib"), boxed(b"cmvd", &[0; 40])].concat(),
    );
    [boxed(b"moov", &compressed), boxed(b"mdat", &[0x55; 100])].concat()
}

pub(super) fn asf() -> Vec<u8> {
    let object = |id: &[u8; 16], content: &[u8]| {
        [id.as_slice(), &(content.len() as u64 + 24).to_le_bytes(), content].concat()
    };
    let properties = |file_size: u64| {
        let mut content = vec![0; 80];
        content[16..24].copy_from_slice(&file_size.to_le_bytes());
        content[32..40].copy_from_slice(&3u64.to_le_bytes());
        content[68..72].copy_from_slice(&100u32.to_le_bytes());
        content[72..76].copy_from_slice(&100u32.to_le_bytes());
        content
    };
    let guid = |first: u8| {
        let mut id = super::asf::HEADER;
        id[0] = first;
        id
    };
    let whole = |file_size| {
        let file = object(
            &[
                0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11, 0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53,
                0x65,
            ],
            &properties(file_size),
        );
        let header = object(&super::asf::HEADER, &[&[1, 0, 0, 0, 1, 2][..], &file].concat());
        let data = object(&guid(0x36), &[0; 26 + 300]);
        [header, data, object(&guid(0x33), &[0; 20])].concat()
    };
    whole(whole(0).len() as u64)
}

pub(super) fn mpeg_program() -> Vec<u8> {
    let pack = [0, 0, 1, 0xBA, 0x44, 0, 4, 0, 4, 1, 0, 0, 3, 0xF8];
    let packet = [&[0, 0, 1, 0xE0, 0, 20][..], &[0x55; 20]].concat();
    [&pack[..], &packet, &pack, &packet, &packet, &[0, 0, 1, 0xB9]].concat()
}

pub(super) fn jpeg() -> Vec<u8> {
    let segment = |marker: u8, content: &[u8]| {
        [
            &[0xFF, marker][..],
            &(content.len() as u16 + 2).to_be_bytes(),
            content,
        ]
        .concat()
    };
    [
        vec![0xFF, 0xD8],
        segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        segment(0xC0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]),
        segment(0xDA, &[1, 1, 0, 0, 63, 0]),
        vec![1, 2, 0xFF, 0, 3, 0xFF, 0xD0, 4, 5],
        vec![0xFF, 0xD9],
    ]
    .concat()
}

/// Two pages of two strips each; directories before or behind the picture data.
pub(super) fn tiff(little: bool, big: bool, directories_last: bool) -> Vec<u8> {
    let number = |value: u64, width: usize| {
        if little {
            value.to_le_bytes()[..width].to_vec()
        } else {
            value.to_be_bytes()[8 - width..].to_vec()
        }
    };
    let wide = if big { 8 } else { 4 };
    let header = if big { 16 } else { 8 };
    // Count, two entries, next; then the two arrays of two values each.
    let page = if big { 8 + 40 + 8 + 32 } else { 2 + 24 + 4 + 16 };
    let data = 2 * 20;
    let (pages_at, data_at) = if directories_last {
        (header + data, header)
    } else {
        (header, header + 2 * page)
    };
    let directory = |index: u64| {
        let at = pages_at + index * page;
        let arrays = at + page - 4 * wide as u64;
        let entry = |tag: u64, at: u64| {
            [
                number(tag, 2),
                number(if big { 16 } else { 4 }, 2),
                number(2, wide),
                number(at, wide),
            ]
            .concat()
        };
        let strip = data_at + index * 20;
        [
            number(2, if big { 8 } else { 2 }),
            entry(273, arrays),
            entry(279, arrays + 2 * wide as u64),
            number(if index == 0 { at + page } else { 0 }, wide),
            number(strip, wide),
            number(strip + 10, wide),
            number(10, wide),
            number(10, wide),
        ]
        .concat()
    };
    let order = if little { *b"II" } else { *b"MM" };
    let head = if big {
        [
            order.to_vec(),
            number(43, 2),
            number(8, 2),
            number(0, 2),
            number(pages_at, 8),
        ]
        .concat()
    } else {
        [order.to_vec(), number(42, 2), number(pages_at, 4)].concat()
    };
    let (pages, data) = ([directory(0), directory(1)].concat(), vec![9; 40]);
    if directories_last {
        [head, data, pages].concat()
    } else {
        [head, pages, data].concat()
    }
}

pub(super) fn png() -> Vec<u8> {
    // Bit by bit, to check the table.
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
            })
        })
    };
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let body = [kind.as_slice(), content].concat();
        [
            &(content.len() as u32).to_be_bytes()[..],
            &body,
            &crc(&body).to_be_bytes(),
        ]
        .concat()
    };
    let picture = [
        chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
        chunk(b"IDAT", &[3; 40]),
        chunk(b"IEND", &[]),
    ];
    [super::png::SIGNATURE.to_vec(), picture.concat()].concat()
}

pub(super) fn pdf() -> Vec<u8> {
    let body = "%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n";
    format!(
        "{body}xref\n0 1\n0000000000 65535 f \ntrailer\n<</Root 1 0 R>>\nstartxref\n{}\n%%EOF",
        body.len()
    )
    .into_bytes()
}

pub(super) fn zip() -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer
        .start_file("a.txt", zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(b"words and words and words").unwrap();
    writer.finish().unwrap().into_inner()
}
