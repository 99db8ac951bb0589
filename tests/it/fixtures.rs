//! The builders of test files against programs that others made: a fixture that isn't what it claims proves nothing.

use crate::support::{command::run, media};
use std::process::Command;

#[test]
fn media_are_what_they_claim() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let made = [
        ("a.mp4", media::mp4(5_000, 1), "ISO Media"),
        ("b.mp4", media::mp4_index_last(5_000, 2), "ISO Media"),
        ("c.jpg", media::jpeg(100_000, 3), "JPEG image data"),
        ("d.png", media::png(5_000, 4), "PNG image data, 1 x 1"),
        ("e.tif", media::tiff(5_001, 5), "TIFF image data, little-endian"),
        ("f.pdf", media::pdf(5_000, 6), "PDF document, version 1.4"),
        ("g.zip", media::zip(&[("x/y.txt", b"hello")]), "Zip archive data"),
        ("h.avi", media::avi(5_001, 7), "RIFF (little-endian) data, AVI"),
        ("i.mkv", media::mkv(5_000, 8), "Matroska data"),
    ];
    for (name, bytes, kind) in made {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        run(Command::new("file").arg("-b").arg(&path)).ok().says(kind);
    }
}

#[test]
fn noise_is_the_same_everywhere() {
    // SplitMix64 with seed 1234567, the vector its author gives.
    let mut noise = media::Noise::new(1_234_567);
    assert_eq!(
        [noise.next(), noise.next()],
        [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
    );
}
