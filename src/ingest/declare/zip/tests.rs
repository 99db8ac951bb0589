use std::collections::HashSet;
use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        match name.strip_suffix('/') {
            Some(folder) => writer.add_directory(folder, options()).unwrap(),
            None => {
                writer.start_file(*name, options()).unwrap();
                writer.write_all(content).unwrap();
            }
        }
    }
    writer.finish().unwrap().into_inner()
}

fn run(bytes: &[u8]) -> Result<ZipReport, ZipFault> {
    check(Cursor::new(bytes), bytes.len() as u64, &ZipLimits::default())
}

fn code(bytes: &[u8]) -> &'static str {
    match run(bytes).unwrap_err() {
        ZipFault::Incomplete(reason) | ZipFault::Refused(reason) => reason.code,
        ZipFault::Io(fault) => panic!("{fault}"),
    }
}

/// Replaces a name of the same length in local header and directory.
fn renamed(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|&at| bytes[at..].starts_with(from))
        .collect();
    assert!(places.len() >= 2);
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn a_bundle_is_read_whole() {
    let inner = packed(&[("x", b"y")]);
    let report = run(&packed(&[
        ("页/", b""),
        ("页/1.jpg", b"one"),
        ("2.jpg", &[7; 5000]),
        ("in.zip", &inner),
    ]))
    .unwrap();
    assert_eq!(
        report.members.keys().collect::<Vec<_>>(),
        ["2.jpg", "in.zip", "页/1.jpg"]
    );
    assert_eq!(report.nested, ["in.zip"]);
    let digest = ring::digest::digest(&SHA256, b"one");
    assert_eq!(report.members["页/1.jpg"].sha256, digest.as_ref());
    assert_eq!(report.bag, None);
}

#[test]
fn gbk_names_are_decoded() {
    let bytes = renamed(
        packed(&[("AAAA.jpg", b"1")]),
        b"AAAA.jpg",
        b"\xbf\xaa\xbb\xa7.jpg",
    );
    assert!(run(&bytes).unwrap().members.contains_key("开户.jpg"));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (from, to) in [
        ("abcdefg", "../evil"),
        ("abcdefg", "/abs/ab"),
        ("abcdefg", "C:/evil"),
        ("abcdefg", "a/../bc"),
    ] {
        assert_eq!(
            code(&renamed(packed(&[(from, b"x")]), from.as_bytes(), to.as_bytes())),
            "path_unsafe",
            "{to}"
        );
    }
    assert_eq!(
        code(&renamed(packed(&[("abc", b"x")]), b"abc", b"a\nc")),
        "name_characters"
    );
}

#[test]
fn names_that_some_systems_take_for_one_are_refused() {
    let two = packed(&[("aaaa.jpg", b"1"), ("bbbb.jpg", b"2")]);
    assert_ne!(code(&renamed(two.clone(), b"bbbb.jpg", b"aaaa.jpg")), "");
    assert_eq!(code(&renamed(two, b"bbbb.jpg", b"AAAA.jpg")), "zip_duplicate");
    assert_eq!(
        code(&packed(&[("e\u{301}.jpg", b"1"), ("é.jpg", b"2")])),
        "zip_duplicate"
    );
    assert_eq!(code(&packed(&[("a", b"1"), ("A/b", b"2")])), "zip_duplicate");
}

#[test]
fn links_encryption_and_foreign_methods_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("link", "/etc/passwd", options()).unwrap();
    assert_eq!(code(&writer.finish().unwrap().into_inner()), "zip_link");
    // Bit 0 of the flags, in the local header (offset 6) and in the directory (offset 8).
    let set = |flag_offset: usize, value: u8| {
        let mut bytes = packed(&[("a.jpg", b"1")]);
        let directory = (0..bytes.len())
            .find(|&at| bytes[at..].starts_with(b"PK\x01\x02"))
            .unwrap();
        bytes[flag_offset] |= value;
        bytes[directory + flag_offset + 2] |= value;
        code(&bytes)
    };
    assert_eq!(set(6, 1), "zip_encrypted");
    assert_eq!(set(8, 12), "zip_method");
}

#[test]
fn data_outside_the_members_is_refused() {
    let bytes = packed(&[("a.jpg", b"1")]);
    assert_eq!(code(&[bytes.as_slice(), b"x"].concat()), "zip_extra_data");
    assert_eq!(code(&[b"MZ".as_slice(), &bytes].concat()), "zip_extra_data");
    assert_eq!(code(&[bytes.clone(), bytes].concat()), "zip_extra_data");
    assert_eq!(
        code(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        "zip_empty"
    );
}

#[test]
fn data_between_members_is_refused() {
    let mut bytes = packed(&[("a", b"1"), ("b", b"2")]);
    let nth = |bytes: &[u8], magic: &[u8], nth: usize| {
        (0..bytes.len())
            .filter(|&at| bytes[at..].starts_with(magic))
            .nth(nth)
            .unwrap()
    };
    let second = nth(&bytes, b"PK\x03\x04", 1);
    bytes.splice(second..second, [0x55; 5]);
    // What lies behind the gap has moved: the second entry's offset, and the directory's in the end record.
    let entry = nth(&bytes, b"PK\x01\x02", 1);
    bytes[entry + 42] += 5;
    let end = nth(&bytes, b"PK\x05\x06", 0);
    bytes[end + 16] += 5;
    assert_eq!(code(&bytes), "zip_extra_data");
}

#[test]
fn bombs_are_refused() {
    assert_eq!(code(&packed(&[("zeros", &vec![0; 2 << 20])])), "zip_bomb");
    let few = ZipLimits {
        max_entries: 2,
        max_total_bytes: 10,
        ..ZipLimits::default()
    };
    let run =
        |bytes: &[u8]| check(Cursor::new(bytes), bytes.len() as u64, &few).map_err(|fault| fault.to_string());
    assert!(run(&packed(&[("a", b"12345"), ("b", b"12345")])).is_ok());
    assert!(
        run(&packed(&[("a", b"12345"), ("b", b"123456")]))
            .unwrap_err()
            .contains("zip_bomb")
    );
    assert!(
        run(&packed(&[("a", b""), ("b", b""), ("c", b"")]))
            .unwrap_err()
            .contains("zip_bomb")
    );
}

#[test]
fn every_truncation_and_every_damaged_content_byte_is_noticed() {
    let bytes = packed(&[
        ("d/a.txt", b"some text that deflates, some text that deflates"),
        ("b.bin", &[1, 2, 3]),
    ]);
    assert!(run(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(
            matches!(run(&bytes[..end]), Err(ZipFault::Incomplete(_))),
            "{end}"
        );
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            // Header fields that nobody needs (times, versions) may change; content may not.
            if let Ok(report) = run(&damaged) {
                let contents = |report: &ZipReport| report.members.values().copied().collect::<HashSet<_>>();
                assert_eq!(
                    contents(&report),
                    contents(&run(&bytes).unwrap()),
                    "byte {at} bit {bit}"
                );
            }
        }
    }
}

fn bag_files(prefix: &str, content: &[u8], declared: &[u8]) -> Vec<u8> {
    let hex: String = ring::digest::digest(&SHA256, declared)
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let manifest = format!("{hex}  data/a.mp4\n");
    packed(&[
        (
            &format!("{prefix}bagit.txt"),
            b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        ),
        (&format!("{prefix}manifest-sha256.txt"), manifest.as_bytes()),
        (&format!("{prefix}data/a.mp4"), content),
    ])
}

#[test]
fn a_bag_inside_is_verified() {
    for prefix in ["", "bag-7/"] {
        let summary = run(&bag_files(prefix, b"video", b"video")).unwrap().bag.unwrap();
        assert_eq!((summary.payload.bytes, summary.payload.files), (5, 1));
        assert_eq!(code(&bag_files(prefix, b"vide0", b"video")), "bag_mismatch");
    }
}

#[test]
fn a_failing_store_is_not_a_damaged_zip() {
    struct Failing(Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.position() {
                0..20 => Err(io::Error::other("disk")),
                _ => self.0.read(buffer),
            }
        }
    }
    impl Seek for Failing {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let bytes = packed(&[("a", &[9; 100_000])]);
    let size_bytes = bytes.len() as u64;
    assert!(matches!(
        check(Failing(Cursor::new(bytes)), size_bytes, &ZipLimits::default()),
        Err(ZipFault::Io(_))
    ));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = run(&bytes);
    }

    #[test]
    fn no_mutation_panics(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = bag_files("b/", b"video", b"video");
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let _ = run(&bytes);
    }
}
