//! Files with a real structure and reproducible content: small ones by value, large ones streamed.

use std::{
    fs::File,
    io::{BufWriter, Cursor, Write},
    path::Path,
};

/// A small generator with a seed (SplitMix64): the same seed, the same bytes, on every machine.
pub struct Noise(u64);

impl Noise {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Noise(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
    }

    /// Some bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }
}

/// Bytes without any structure.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    Noise::new(seed).bytes(length)
}

// --- MP4 (ISO/IEC 14496-12) --------------------------------------------------------------------------------------

/// An MP4 whose one sample is `payload` bytes of noise.
pub fn mp4(payload: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_mp4(&mut bytes, payload as u64, seed);
    bytes
}

/// The same streamed to a file, for sizes that don't belong in memory.
pub fn mp4_file(path: &Path, payload: u64, seed: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    write_mp4(&mut file, payload, seed);
    file.flush().unwrap();
}

/// An MP4 as cameras write it: media first, index last.
pub fn mp4_index_last(payload: usize, seed: u64) -> Vec<u8> {
    let head = file_type();
    let data = bx(b"mdat", &[&noise(payload, seed)]);
    let index = movie(payload as u64, head.len() as u64 + 8);
    [head, data, index].concat()
}

fn write_mp4(out: &mut impl Write, payload: u64, seed: u64) {
    let head = file_type();
    // `mdat` with a 64-bit size, so that the header's length doesn't depend on the payload.
    let offset = head.len() as u64 + movie(payload, 0).len() as u64 + 16;
    out.write_all(&head).unwrap();
    out.write_all(&movie(payload, offset)).unwrap();
    out.write_all(&[&[0, 0, 0, 1], b"mdat".as_slice(), &(payload + 16).to_be_bytes()].concat())
        .unwrap();
    let mut noise = Noise::new(seed);
    let mut block = vec![0; 1 << 20];
    let mut left = payload;
    while left > 0 {
        let length = left.min(block.len() as u64) as usize;
        noise.fill(&mut block[..length]);
        out.write_all(&block[..length]).unwrap();
        left -= length as u64;
    }
}

fn file_type() -> Vec<u8> {
    bx(b"ftyp", &[b"isom", &[0, 0, 2, 0], b"isomiso2avc1mp41"])
}

/// `moov` with one video track of one sample at `offset`.
fn movie(payload: u64, offset: u64) -> Vec<u8> {
    let size = u32::try_from(payload)
        .expect("one sample is under 4 GiB")
        .to_be_bytes();
    let matrix: Vec<u8> = [0x10000u32, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let zero = |n: usize| vec![0u8; n];
    let word = u32::to_be_bytes;
    let mvhd = bx(
        b"mvhd",
        &[
            &zero(12),
            &word(1000),
            &word(40),
            &word(0x10000),
            &[1, 0],
            &zero(10),
            &matrix,
            &zero(24),
            &word(2),
        ],
    );
    let tkhd = bx(
        b"tkhd",
        &[
            &word(7),
            &zero(8),
            &word(1),
            &zero(4),
            &word(40),
            &zero(16),
            &matrix,
            &word(16 << 16),
            &word(16 << 16),
        ],
    );
    let mdhd = bx(b"mdhd", &[&zero(12), &word(1000), &word(40), &[0x55, 0xc4, 0, 0]]);
    let hdlr = bx(b"hdlr", &[&zero(8), b"vide", &zero(12), b"v\0"]);
    let vmhd = bx(b"vmhd", &[&word(1), &zero(8)]);
    let dinf = bx(
        b"dinf",
        &[&bx(b"dref", &[&zero(4), &word(1), &bx(b"url ", &[&word(1)])])],
    );
    let avc1 = bx(
        b"avc1",
        &[
            &zero(6),
            &[0, 1],
            &zero(16),
            &[0, 16, 0, 16],
            &word(0x48_0000),
            &word(0x48_0000),
            &zero(4),
            &[0, 1],
            &zero(32),
            &[0, 24, 0xff, 0xff],
        ],
    );
    let stbl = bx(
        b"stbl",
        &[
            &bx(b"stsd", &[&zero(4), &word(1), &avc1]),
            &bx(b"stts", &[&zero(4), &word(1), &word(1), &word(40)]),
            &bx(b"stsc", &[&zero(4), &word(1), &word(1), &word(1), &word(1)]),
            &bx(b"stsz", &[&zero(4), &size, &word(1)]),
            &bx(b"co64", &[&zero(4), &word(1), &offset.to_be_bytes()]),
        ],
    );
    let minf = bx(b"minf", &[&vmhd, &dinf, &stbl]);
    let trak = bx(b"trak", &[&tkhd, &bx(b"mdia", &[&mdhd, &hdlr, &minf])]);
    bx(b"moov", &[&mvhd, &trak])
}

fn bx(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).expect("a small box").to_be_bytes();
    [&size, kind.as_slice(), &body].concat()
}

// --- images ------------------------------------------------------------------------------------------------------

/// A JPEG (8 × 8 grey) with `length` bytes of noise in comments.
pub fn jpeg(length: usize, seed: u64) -> Vec<u8> {
    let segment = |marker: u8, body: &[u8]| {
        let size = u16::try_from(body.len() + 2)
            .expect("a short segment")
            .to_be_bytes();
        [&[0xff, marker], size.as_slice(), body].concat()
    };
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend(segment(0xe0, b"JFIF\0\x01\x01\x01\x01\x2c\x01\x2c\0\0"));
    noise(length, seed)
        .chunks(60_000)
        .for_each(|comment| bytes.extend(segment(0xfe, comment)));
    bytes.extend(segment(0xdb, &[&[0], [1u8; 64].as_slice()].concat()));
    bytes.extend(segment(0xc0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]));
    // One code each, of one bit: difference 0, end of block.
    bytes.extend(segment(0xc4, &[&[0x00, 1], [0u8; 15].as_slice(), &[0]].concat()));
    bytes.extend(segment(0xc4, &[&[0x10, 1], [0u8; 15].as_slice(), &[0]].concat()));
    bytes.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
    bytes.extend([0b0011_1111, 0xff, 0xd9]);
    bytes
}

/// A PNG (1 × 1 grey) with `length` bytes of noise in a private chunk.
pub fn png(length: usize, seed: u64) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| {
        let size = u32::try_from(body.len()).expect("a small chunk").to_be_bytes();
        let sum = crc32(&[kind.as_slice(), body].concat()).to_be_bytes();
        [&size, kind.as_slice(), body, &sum].concat()
    };
    let pixels = [0u8, 0x80];
    let stored = [
        &[0x78, 0x01, 1, 2, 0, 0xfd, 0xff],
        pixels.as_slice(),
        &adler32(&pixels).to_be_bytes(),
    ]
    .concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
        chunk(b"muNi", &noise(length, seed)),
        chunk(b"IDAT", &stored),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

/// A TIFF (one strip of grey) with `length` pixels of noise.
pub fn tiff(length: usize, seed: u64) -> Vec<u8> {
    let length = u32::try_from(length.max(1)).expect("a small picture");
    let fields: [(u16, u16, u32); 11] = [
        (256, 4, length),
        (257, 4, 1),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, 1),
        (279, 4, length),
        (284, 3, 1),
        (296, 3, 1),
    ];
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((8 + length).next_multiple_of(2).to_le_bytes());
    bytes.extend(noise(length as usize, seed));
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes.extend((fields.len() as u16).to_le_bytes());
    for (tag, kind, value) in fields {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// A one-page PDF with `length` bytes of noise in a stream.
pub fn pdf(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    let mut object = |bytes: &mut Vec<u8>, body: &[u8]| {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", offsets.len()).into_bytes());
        bytes.extend_from_slice(body);
        bytes.extend(b"\nendobj\n");
    };
    object(&mut bytes, b"<< /Type /Catalog /Pages 2 0 R >>");
    object(&mut bytes, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    object(
        &mut bytes,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    );
    let stream = [
        format!("<< /Length {length} >>\nstream\n").as_bytes(),
        &noise(length, seed),
        b"\nendstream",
    ]
    .concat();
    object(&mut bytes, &stream);
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).into_bytes());
    offsets
        .iter()
        .for_each(|offset| bytes.extend(format!("{offset:010} 00000 n \n").into_bytes()));
    bytes.extend(
        format!(
            "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
            offsets.len() + 1
        )
        .into_bytes(),
    );
    bytes
}

// --- containers --------------------------------------------------------------------------------------------------

/// A zip of these members, deflated.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An AVI with one frame of noise and its index.
pub fn avi(length: usize, seed: u64) -> Vec<u8> {
    let frame = noise(length.next_multiple_of(2), seed);
    let word = u32::to_le_bytes;
    let size = word(frame.len() as u32);
    let chunk = |kind: &[u8], body: &[u8]| [kind, &word(body.len() as u32), body].concat();
    let list = |kind: &[u8], body: &[u8]| chunk(b"LIST", &[kind, body].concat());
    let main: Vec<u8> = [40_000u32, 0, 0, 0x10, 1, 0, 1, 0, 16, 16, 0, 0, 0, 0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let stream = [
        b"vidsMJPG".as_slice(),
        &[0; 12],
        &word(1),
        &word(25),
        &word(0),
        &word(1),
        &size,
        &[0xff; 4],
        &[0; 12],
    ]
    .concat();
    let format = [
        &word(40),
        &word(16),
        &word(16),
        [1, 0, 24, 0].as_slice(),
        b"MJPG",
        &size,
        &[0; 16],
    ]
    .concat();
    let streams = list(
        b"strl",
        &[chunk(b"strh", &stream), chunk(b"strf", &format)].concat(),
    );
    let header = list(b"hdrl", &[chunk(b"avih", &main), streams].concat());
    let frames = list(b"movi", &chunk(b"00dc", &frame));
    let index = chunk(
        b"idx1",
        &[b"00dc".as_slice(), &word(0x10), &word(4), &size].concat(),
    );
    chunk(b"RIFF", &[b"AVI ".as_slice(), &header, &frames, &index].concat())
}

/// A Matroska file with one cluster of noise, every size known.
pub fn mkv(length: usize, seed: u64) -> Vec<u8> {
    let element = |id: &[u8], body: &[u8]| {
        let long = (body.len() as u64 | 1 << 56).to_be_bytes();
        let short = [body.len() as u8 | 0x80];
        [id, if body.len() < 127 { &short } else { &long }, body].concat()
    };
    let head = element(
        &[0x1a, 0x45, 0xdf, 0xa3],
        &[
            element(&[0x42, 0x86], &[1]),
            element(&[0x42, 0xf7], &[1]),
            element(&[0x42, 0xf2], &[4]),
            element(&[0x42, 0xf3], &[8]),
            element(&[0x42, 0x82], b"matroska"),
            element(&[0x42, 0x87], &[4]),
            element(&[0x42, 0x85], &[2]),
        ]
        .concat(),
    );
    let info = element(
        &[0x15, 0x49, 0xa9, 0x66],
        &[
            element(&[0x2a, 0xd7, 0xb1], &[0x0f, 0x42, 0x40]),
            element(&[0x44, 0x89], &40f32.to_be_bytes()),
            element(&[0x4d, 0x80], b"muniment"),
            element(&[0x57, 0x41], b"muniment"),
        ]
        .concat(),
    );
    let video = element(
        &[0xe0],
        &[element(&[0xb0], &[16]), element(&[0xba], &[16])].concat(),
    );
    let track = [
        element(&[0xd7], &[1]),
        element(&[0x73, 0xc5], &[1]),
        element(&[0x83], &[1]),
        element(&[0x86], b"V_MJPEG"),
        video,
    ]
    .concat();
    let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &track));
    let block = [&[0x81, 0, 0, 0x80], noise(length, seed).as_slice()].concat();
    let cluster = element(
        &[0x1f, 0x43, 0xb6, 0x75],
        &[element(&[0xe7], &[0]), element(&[0xa3], &block)].concat(),
    );
    [
        head,
        element(&[0x18, 0x53, 0x80, 0x67], &[info, tracks, cluster].concat()),
    ]
    .concat()
}

// --- sums --------------------------------------------------------------------------------------------------------

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}
