use std::io::{Cursor, Seek, SeekFrom};

use proptest::prelude::*;

use super::*;

/// Every sample whose end its own structure tells, with the extension it goes by.
fn bounded() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("mp4, index last", "mp4", samples::mp4_index_last()),
        ("mov, index first", "mov", samples::mp4_index_first()),
        ("mp4, open media", "mp4", samples::mp4_open_media()),
        ("mp4, fragments with index", "mp4", samples::mp4_fragmented(true)),
        ("mkv", "mkv", samples::mkv()),
        ("avi", "avi", samples::avi(false)),
        ("avi, OpenDML", "avi", samples::avi(true)),
        ("wav", "wav", samples::wav()),
        ("wav, miscounted", "wav", samples::wav_miscounted()),
        ("asf", "wmv", samples::asf()),
        ("jpeg", "jpg", samples::jpeg()),
        ("tiff, little-endian", "tif", samples::tiff(true, false, false)),
        (
            "tiff, big-endian, directories last",
            "tiff",
            samples::tiff(false, false, true),
        ),
        ("BigTIFF", "tif", samples::tiff(true, true, false)),
        (
            "BigTIFF, big-endian, directories last",
            "tif",
            samples::tiff(false, true, true),
        ),
        ("png", "png", samples::png()),
        ("pdf", "pdf", samples::pdf()),
        ("zip", "zip", samples::zip()),
    ]
}

/// Samples that may end anywhere between two parts, and say so.
fn open_ended() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("mpeg", "mpg", samples::mpeg_program()),
        ("mkv, live with cues", "mkv", samples::mkv_live(true)),
    ]
}

fn judge(bytes: &[u8], ext: &str) -> Structure {
    ContainerWalk::default().check(&mut Cursor::new(bytes), bytes.len() as u64, ext)
}

fn code(bytes: &[u8], ext: &str) -> &'static str {
    match judge(bytes, ext) {
        Structure::Whole { container, .. } => container.code(),
        Structure::Incomplete { reason } | Structure::Damaged { reason } | Structure::Unknown { reason } => {
            reason.code
        }
    }
}

#[test]
fn an_index_that_is_compressed_is_no_damage() {
    assert_eq!(code(&samples::mov_compressed_index(), "mov"), "too_complex");
}

#[test]
fn whole_files_are_whole() {
    for (name, ext, bytes) in bounded().into_iter().chain(open_ended()) {
        let container = Container::expected(ext).unwrap();
        assert_eq!(
            judge(&bytes, ext),
            Structure::Whole {
                container,
                bag: false
            },
            "{name}"
        );
    }
}

#[test]
fn every_truncation_is_noticed() {
    for (name, ext, bytes) in bounded() {
        for end in 0..bytes.len() {
            let found = judge(&bytes[..end], ext);
            assert!(
                matches!(found, Structure::Incomplete { .. } | Structure::Damaged { .. }),
                "{name} {end}: {found:?}"
            );
        }
    }
    for (name, ext, bytes) in open_ended() {
        for end in 0..bytes.len() {
            assert!(
                !matches!(judge(&bytes[..end], ext), Structure::Whole { .. }),
                "{name} {end}"
            );
        }
    }
}

#[test]
fn an_upload_that_can_resume_is_incomplete_not_damaged() {
    for (name, ext, bytes) in bounded() {
        for end in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            let found = judge(&bytes[..end], ext);
            assert!(
                matches!(found, Structure::Incomplete { .. }),
                "{name} {end}: {found:?}"
            );
        }
    }
    assert_eq!(code(&[], "mp4"), "empty");
    assert_eq!(code(&[0; 5000], "mp4"), "truncated");
}

#[test]
fn the_wrong_extension_is_damage() {
    for (name, ext, bytes) in bounded() {
        let other = if ext == "pdf" { "png" } else { "pdf" };
        assert_eq!(code(&bytes, other), "wrong_extension", "{name}");
        assert_eq!(code(b"hello, this is no container", ext), "wrong_extension");
    }
    assert_eq!(code(b"hello", "txt"), "no_structure_check");
}

#[test]
fn formats_without_an_end_say_so() {
    assert_eq!(code(&samples::mp4_fragmented(false), "mp4"), "cannot_tell");
    assert_eq!(code(&samples::mkv_live(false), "mkv"), "cannot_tell");
    let program = samples::mpeg_program();
    assert_eq!(code(&program[..program.len() - 4], "vob"), "cannot_tell");
    assert_eq!(code(&program[..program.len() - 5], "vob"), "truncated");
    let transport: Vec<u8> = [&[0x47][..], &[0; 187]].concat().repeat(3);
    assert_eq!(code(&transport, "mpg"), "cannot_tell");
}

#[test]
fn padding_is_forgiven_and_other_data_is_not_judged() {
    for (name, ext, bytes) in bounded()
        .into_iter()
        .filter(|(_, ext, _)| matches!(*ext, "jpg" | "png" | "avi" | "wav"))
    {
        assert!(
            matches!(
                judge(&[&bytes[..], &[0; 64]].concat(), ext),
                Structure::Whole { .. }
            ),
            "{name}"
        );
        assert_eq!(
            code(&[&bytes[..], b"more data than that"].concat(), ext),
            "trailing_data",
            "{name}"
        );
    }
    assert_eq!(code(&samples::jpeg().repeat(2), "jpg"), "jpeg");
    assert_eq!(
        code(&[samples::zip(), b"x".to_vec()].concat(), "zip"),
        "zip_extra_data"
    );
}

#[test]
fn a_linearised_pdf_knows_its_length() {
    let whole =
        String::from_utf8(samples::pdf())
            .unwrap()
            .replacen("<</Type", "<</Linearized 1/L 9000/Type", 1);
    assert_eq!(code(whole.as_bytes(), "pdf"), "truncated");
}

#[test]
fn a_png_bit_flip_fails_its_crc() {
    let mut bytes = samples::png();
    bytes[45] ^= 1;
    assert_eq!(code(&bytes, "png"), "damaged_structure");
}

#[test]
fn no_byte_of_a_header_can_make_it_panic() {
    for (_, ext, bytes) in bounded().into_iter().chain(open_ended()) {
        for at in 0..bytes.len() {
            for value in [
                0,
                1,
                0x7F,
                0x80,
                0xFE,
                0xFF,
                bytes[at] ^ 1,
                bytes[at].wrapping_add(1),
            ] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = judge(&changed, ext);
            }
        }
    }
}

/// Gigabytes of zeros behind a header, counting what is read of them.
struct Sparse {
    pieces: Vec<(u64, Vec<u8>)>,
    at: u64,
    read: u64,
}

impl Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(0);
        for (start, piece) in &self.pieces {
            for (slot, at) in buffer.iter_mut().zip(self.at..) {
                if let Some(byte) = at.checked_sub(*start).and_then(|index| piece.get(index as usize)) {
                    *slot = *byte;
                }
            }
        }
        self.at += buffer.len() as u64;
        self.read += buffer.len() as u64;
        Ok(buffer.len())
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match to {
            SeekFrom::Start(at) => self.at = at,
            _ => return Err(std::io::Error::other("walks seek from the start")),
        }
        Ok(self.at)
    }
}

#[test]
fn gigabytes_of_video_cost_kilobytes() {
    let whole = samples::mp4_index_last();
    let moov_at = (0..whole.len())
        .find(|&at| whole[at + 4..].starts_with(b"moov"))
        .unwrap();
    let media: u64 = 5 << 30;
    let mdat = [&1u32.to_be_bytes()[..], b"mdat", &(media + 16).to_be_bytes()].concat();
    let ftyp = whole[..20].to_vec();
    let moov = whole[moov_at..].to_vec();
    let size_bytes = 20 + 16 + media + moov.len() as u64;
    let mut content = Sparse {
        pieces: vec![(0, ftyp), (20, mdat), (20 + 16 + media, moov)],
        at: 0,
        read: 0,
    };
    let found = ContainerWalk::default().check(&mut content, size_bytes, "mp4");
    assert_eq!(
        found,
        Structure::Whole {
            container: Container::Iso,
            bag: false,
        }
    );
    assert!(content.read < 4096, "{}", content.read);
    assert!(matches!(
        ContainerWalk::default().check(&mut content, size_bytes - 1, "mp4"),
        Structure::Incomplete { .. }
    ));
}

#[test]
fn a_store_that_fails_says_nothing_about_the_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk"))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let Structure::Unknown { reason } = ContainerWalk::default().check(&mut Broken, 100, "mp4") else {
        panic!()
    };
    assert_eq!(reason.code, "unreadable");
}

proptest! {
    #[test]
    fn no_mutation_panics(
        sample in 0usize..19,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let all: Vec<_> = bounded().into_iter().chain(open_ended()).collect();
        let (_, ext, mut bytes) = all[sample % all.len()].clone();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let _ = judge(&bytes, ext);
    }
}
