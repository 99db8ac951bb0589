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
        ("d.png", media::png(5_000, 4), "PNG image data, 1240 x 1754"),
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
fn media_have_the_size_that_is_asked_for_and_differ_by_seed() {
    type Make = fn(usize, u64) -> Vec<u8>;
    let makers: [(&str, Make); 8] = [
        ("mp4", media::mp4),
        ("mov", media::mp4_index_last),
        ("mkv", media::mkv),
        ("avi", media::avi),
        ("jpg", media::jpeg),
        ("png", media::png),
        ("tif", media::tiff),
        ("pdf", media::pdf),
    ];
    for (ext, make) in makers {
        let (one, two, small) = (make(2_000_000, 1), make(2_000_000, 2), make(0, 1));
        assert!(one.len().abs_diff(2_000_000) < 40, "{ext}: {}", one.len());
        assert!(small.len() < 1_000_000, "{ext}: {}", small.len());
        assert_ne!(one, two, "{ext}");
        assert_eq!(one, make(2_000_000, 1), "{ext}");
    }
}

#[test]
fn ffmpeg_plays_recordings_to_their_end_and_finds_nothing() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let made = [
        ("a.mp4", media::mp4(1_500_000, 1)),
        ("b.mov", media::mp4_index_last(1_500_000, 2)),
        ("c.mkv", media::mkv(1_500_000, 3)),
        ("d.avi", media::avi(1_500_000, 4)),
    ];
    for (name, bytes) in made {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let ran = run(Command::new("ffmpeg")
            .args(["-nostdin", "-v", "info", "-stats", "-i"])
            .arg(&path)
            .args([
                "-vf",
                "freezedetect=n=0.001:d=2,blackdetect=d=1",
                "-f",
                "null",
                "-",
            ]))
        .ok();
        assert!(ran.said("frame=  750"), "{name}: {ran}");
        for fault in ["freeze_start", "black_start", "error"] {
            assert!(!ran.said(fault), "{name}: {ran}");
        }
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
