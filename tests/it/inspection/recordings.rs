//! The matrix of made recordings: every container, every kind of damage.

use super::{Case, run_matrix};
use crate::support::media::recording::{Container, Picture, Sound, good, recording, top_box};
use std::fs;

/// The extension of another family.
fn foreign(container: Container) -> &'static str {
    match container {
        Container::Mp4 => "avi",
        Container::Mov => "mkv",
        Container::Mkv => "mp4",
        Container::Avi => "wmv",
        Container::Wmv => "mpg",
        Container::Mpg => "flv",
        Container::Flv => "mov",
    }
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .rposition(|window| window == what)
        .unwrap_or_else(|| panic!("no {what:?} in the recording"))
}

/// The recording without its index, where the container has one.
fn without_index(container: Container) -> Option<Vec<u8>> {
    let mut bytes = good(container);
    let (at, other): (usize, &[u8]) = match container {
        Container::Mp4 | Container::Mov => (top_box(&bytes, b"moov").0 + 4, b"free"),
        Container::Avi => (find(&bytes, b"idx1"), b"JUNK"),
        // Cues are the last element: the segment ends before them.
        Container::Mkv => {
            let at = find(&bytes, &[0x1c, 0x53, 0xbb, 0x6b]);
            bytes.truncate(at);
            let segment = bytes
                .windows(4)
                .position(|window| window == [0x18, 0x53, 0x80, 0x67])
                .unwrap();
            let length = (bytes.len() - segment - 12) as u64 | 1 << 56;
            bytes[segment + 4..segment + 12].copy_from_slice(&length.to_be_bytes());
            return Some(bytes);
        }
        Container::Wmv | Container::Mpg | Container::Flv => return None,
    };
    bytes[at..at + 4].copy_from_slice(other);
    Some(bytes)
}

fn cases(container: Container) -> Vec<Case> {
    let whole = good(container);
    let made = |picture, sound| fs::read(recording(container, picture, sound)).unwrap();
    let case = |what: &str, bytes: Vec<u8>, deep, verdict, codes| Case {
        what: format!("{container:?} {what}"),
        name: format!("a.{}", container.ext()),
        bytes,
        doctype: "WVID",
        deep,
        verdict,
        codes,
    };
    let mut cases = vec![
        case("good", whole.clone(), false, "accepted", &[]),
        case("good, deep", whole.clone(), true, "accepted", &[]),
    ];
    for permille in [100, 500, 900, 999] {
        let mut length = whole.len() * permille / 1_000;
        // A program stream that ends with a pack is a whole one.
        length += usize::from(length.is_multiple_of(2_048));
        cases.push(case(
            &format!("cut at {permille} permille"),
            whole[..length].to_vec(),
            false,
            "rejected",
            &["truncated", "index_missing", "data_missing"],
        ));
    }
    let mut headless = whole.clone();
    headless[..4_096].fill(0);
    cases.push(case(
        "header lost",
        headless,
        false,
        "rejected",
        &["unreadable", "wrong_extension", "index_missing", "data_missing"],
    ));
    if let Some(bytes) = without_index(container) {
        cases.push(case("index lost", bytes, false, "rejected", &["index_missing"]));
    }
    let mut holed = whole.clone();
    let middle = holed.len() / 2;
    holed[middle..middle + 65_536].fill(0);
    cases.push(case(
        "hole of 64 KiB",
        holed,
        false,
        "!accepted",
        &["data_missing", "decode_error", "timeline_gap", "undecodable"],
    ));
    cases.push(case(
        "audio missing",
        made(Picture::Moving, Sound::Missing),
        false,
        "rejected",
        &["no_audio"],
    ));
    cases.push(case(
        "video missing",
        made(Picture::Missing, Sound::Tone),
        false,
        "rejected",
        &["no_video"],
    ));
    cases.push(case(
        "black",
        made(Picture::Black, Sound::Tone),
        true,
        "!accepted",
        &["black"],
    ));
    cases.push(case(
        "frozen for a third",
        made(Picture::FrozenThird, Sound::Tone),
        true,
        "needs_review",
        &["frozen"],
    ));
    cases.push(case(
        "silent",
        made(Picture::Moving, Sound::Silent),
        true,
        "!accepted",
        &["silent"],
    ));
    cases.push(case("empty", Vec::new(), false, "rejected", &["empty"]));
    let mut misnamed = case("named wrongly", whole, false, "rejected", &["wrong_extension"]);
    misnamed.name = format!("a.{}", foreign(container));
    cases.push(misnamed);
    cases
}

#[test]
fn every_container_and_every_damage_gets_its_code() {
    let cases: Vec<Case> = Container::ALL.into_iter().flat_map(cases).collect();
    run_matrix(&cases);
}
