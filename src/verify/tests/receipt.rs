//! Receipts: sound ones, and everything that must keep one from being so.

use super::fixture::{Fixture, ORIGINAL};
use crate::crypto::{Digests, digest::OriginalDigests};
use crate::verify::{
    Keys, Outcome, Report, Verdict,
    input::digest_original,
    receipt::{Files, Receipt, check, stem},
};
use std::{fs, path::Path};

const NAME: &str = "page.jpg.ACCEPTED";
const SEALED: u64 = 3;

fn original(bytes: &[u8]) -> OriginalDigests {
    let mut digests = Digests::new();
    digests.update(bytes);
    digests.finish()
}

/// The three files of the sealed leaf's receipt, cosigned.
fn files(log: &Fixture) -> [Vec<u8>; 3] {
    let proof = log.proof(SEALED, log.cosigned(log.leaves.len() as u64));
    [
        log.leaves[SEALED as usize].clone(),
        proof.into_bytes(),
        log.text(SEALED).into_bytes(),
    ]
}

fn verdict(files: &[Vec<u8>; 3], keys: &Keys, bytes: Option<&[u8]>) -> Report {
    let [leaf, proof, text] = files;
    let receipt = Receipt {
        name: NAME,
        leaf: Some(leaf),
        proof: Some(proof),
        text: Some(text),
    };
    check(&receipt, keys, bytes.map(original).as_ref()).report
}

fn outcome_of(report: &Report, what: &str) -> Option<Outcome> {
    report
        .checks
        .iter()
        .find(|check| check.what == what)
        .map(|check| check.outcome)
}

#[test]
fn a_right_receipt_is_sound_and_says_what_was_not_asked() {
    let log = Fixture::story();
    let report = verdict(&files(&log), &log.keys_with_witness(), Some(ORIGINAL));
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    let shown = report.to_string();
    assert!(
        shown.contains("commitment customer: opens to 000100012345"),
        "{shown}"
    );
    assert!(shown.contains("验证通过：回执 3 已在日志中"), "{shown}");
    for what in [
        "leaf",
        "place in the log",
        "log signature",
        "witness witness.example/audit",
        "original",
    ] {
        assert_eq!(
            outcome_of(&report, what),
            Some(Outcome::Passed),
            "{what}: {shown}"
        );
    }
    assert_eq!(outcome_of(&report, "text"), Some(Outcome::NotChecked), "{shown}");

    let report = verdict(&files(&log), &log.keys(), None);
    assert_eq!(report.verdict(), Verdict::Sound);
    assert_eq!(outcome_of(&report, "witnesses"), Some(Outcome::NotChecked));
    assert_eq!(outcome_of(&report, "original"), Some(Outcome::NotChecked));
}

#[test]
fn every_receipt_of_the_story_is_sound_and_says_its_outcome() {
    let log = Fixture::story();
    let said = [
        "created",
        "added",
        "added",
        "sealed",
        "same bytes",
        "version 2",
        "agrees",
        "REJECTED",
        "WAITING",
    ];
    for (index, said) in said.into_iter().enumerate() {
        let proof = log.proof(index as u64, log.checkpoint(log.leaves.len() as u64));
        let receipt = Receipt {
            name: "any",
            leaf: Some(&log.leaves[index]),
            proof: Some(proof.as_bytes()),
            text: None,
        };
        let report = check(&receipt, &log.keys(), None).report;
        assert_eq!(report.verdict(), Verdict::Sound, "{report}");
        assert!(report.to_string().contains(said), "{said}: {report}");
    }
}

#[test]
fn no_changed_byte_is_passed_over() {
    let log = Fixture::story();
    let (right, keys) = (files(&log), log.keys_with_witness());
    for (which, length) in [(0, right[0].len()), (1, right[1].len())] {
        for at in 0..length {
            for flip in [0x01, 0x20, 0x80] {
                let mut files = right.clone();
                files[which][at] ^= flip;
                let report = verdict(&files, &keys, Some(ORIGINAL));
                assert_ne!(
                    report.verdict(),
                    Verdict::Sound,
                    "file {which}, byte {at}, {flip:#x}:\n{report}"
                );
            }
            let mut files = right.clone();
            files[which].remove(at);
            assert_ne!(
                verdict(&files, &keys, Some(ORIGINAL)).verdict(),
                Verdict::Sound,
                "file {which} without {at}"
            );
        }
        let mut files = right.clone();
        files[which].push(b'\n');
        assert_ne!(
            verdict(&files, &keys, Some(ORIGINAL)).verdict(),
            Verdict::Sound,
            "file {which} made longer"
        );
    }
    for at in 0..ORIGINAL.len() {
        let mut bytes = ORIGINAL.to_vec();
        bytes[at] ^= 1;
        assert_eq!(
            verdict(&right, &keys, Some(&bytes)).verdict(),
            Verdict::Finding,
            "original, byte {at}"
        );
    }
    // The text isn't proof; what is compared in it must be noticed all the same.
    for (at, byte) in right[2]
        .iter()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_hexdigit())
    {
        let mut files = right.clone();
        files[2][at] = if *byte == b'7' { b'8' } else { b'7' };
        let text = String::from_utf8_lossy(&files[2]).into_owned();
        if text.contains("回执编号 Receipt no.")
            && text.contains("SHA-256")
            && text.contains("MUNIMENT  回执 RECEIPT")
        {
            assert_eq!(
                verdict(&files, &keys, None).verdict(),
                Verdict::Finding,
                "text, byte {at}: {text}"
            );
        }
    }
}

#[test]
fn what_is_missing_keeps_it_from_being_sound() {
    let log = Fixture::story();
    let [leaf, proof, text] = files(&log);
    let all = Receipt {
        name: NAME,
        leaf: Some(&leaf),
        proof: Some(&proof),
        text: Some(&text),
    };
    let unknown = [
        (Receipt { leaf: None, ..all }, log.keys()),
        (Receipt { proof: None, ..all }, log.keys()),
        (all, Keys::default()),
        (
            all,
            Keys {
                log: Some(log.witness.verifier().clone()),
                witnesses: Vec::new(),
            },
        ),
        (
            all,
            Keys {
                witnesses: vec![log.log.verifier().clone()],
                ..log.keys()
            },
        ),
    ];
    for (receipt, keys) in unknown {
        let report = check(&receipt, &keys, None).report;
        assert_eq!(report.verdict(), Verdict::Unknown, "{report}");
    }
    let uncosigned = log.proof(SEALED, log.checkpoint(5));
    let receipt = Receipt {
        proof: Some(uncosigned.as_bytes()),
        ..all
    };
    assert_eq!(
        check(&receipt, &log.keys_with_witness(), None).report.verdict(),
        Verdict::Unknown
    );
    let closed: String = uncosigned
        .lines()
        .filter(|line| !line.starts_with("extra "))
        .map(|line| format!("{line}\n"))
        .collect();
    let receipt = Receipt {
        proof: Some(closed.as_bytes()),
        ..all
    };
    assert_eq!(
        check(&receipt, &log.keys(), None).report.verdict(),
        Verdict::Unknown
    );
}

#[test]
fn anothers_leaf_key_openings_or_name_is_a_finding() {
    let (log, other) = (Fixture::story(), Fixture::story());
    let [leaf, proof, text] = files(&log);
    let all = Receipt {
        name: NAME,
        leaf: Some(&leaf),
        proof: Some(&proof),
        text: Some(&text),
    };
    let finding = |receipt: Receipt<'_>, keys: &Keys| {
        let report = check(&receipt, keys, None).report;
        assert_eq!(report.verdict(), Verdict::Finding, "{report}");
    };
    finding(
        Receipt {
            leaf: Some(&log.leaves[5]),
            text: None,
            ..all
        },
        &log.keys(),
    );
    finding(
        Receipt {
            leaf: Some(&other.leaves[3]),
            ..all
        },
        &log.keys(),
    );
    finding(
        Receipt {
            name: "page.jpg.REJECTED",
            ..all
        },
        &log.keys(),
    );
    let forger = super::fixture::key(super::fixture::ORIGIN, crate::tlog::note::Algorithm::Ed25519, 9);
    finding(
        all,
        &Keys {
            log: Some(forger.verifier().clone()),
            witnesses: Vec::new(),
        },
    );
    let mut swapped = Fixture::story();
    swapped.leaves = log.leaves.clone();
    let foreign = swapped.proof(SEALED, log.checkpoint(9));
    finding(
        Receipt {
            proof: Some(foreign.as_bytes()),
            ..all
        },
        &log.keys(),
    );
}

#[test]
fn later_formats_are_left_to_later_verifiers() {
    let log = Fixture::story();
    let [leaf, proof, _] = files(&log);
    for (from, to) in [(r#""v":1"#, r#""v":2"#), ("evidence.sealed", "evidence.melted")] {
        let leaf = String::from_utf8(leaf.clone()).unwrap().replace(from, to);
        let receipt = Receipt {
            name: NAME,
            leaf: Some(leaf.as_bytes()),
            proof: None,
            text: None,
        };
        assert_eq!(
            check(&receipt, &log.keys(), None).report.verdict(),
            Verdict::Unknown,
            "{to}"
        );
    }
    let receipt = Receipt {
        name: NAME,
        leaf: Some(b"{}"),
        proof: Some(&proof),
        text: None,
    };
    assert_eq!(
        check(&receipt, &log.keys(), None).report.verdict(),
        Verdict::Finding
    );
}

#[test]
fn files_of_one_receipt_have_one_stem() {
    for ending in ["tlog-proof", "json", "txt"] {
        assert_eq!(
            stem(Path::new(&format!("r/页.v2.jpg.ACCEPTED.{ending}"))),
            Path::new("r/页.v2.jpg.ACCEPTED")
        );
    }
    assert_eq!(stem(Path::new("r/_summary.csv")), Path::new("r/_summary.csv"));
    let log = Fixture::story();
    let folder = tempfile::tempdir().unwrap();
    let stem = log.write_receipt(folder.path(), NAME, SEALED, log.checkpoint(7));
    let files = Files::read(&stem, None).unwrap();
    assert_eq!(
        check(&files.as_receipt(), &log.keys(), None).report.verdict(),
        Verdict::Sound
    );
    let mut longer = log.leaves[3].clone();
    longer.resize(70_000, b' ');
    fs::write(format!("{}.json", stem.display()), longer).unwrap();
    assert!(Files::read(&stem, None).is_err());
}

#[test]
fn what_a_file_says_cannot_reach_the_terminal_as_commands() {
    let mut report = Report::new("a\u{1b}[2Jb");
    report.passed("x\u{202e}y", "z\n✔ forged");
    let shown = report.to_string();
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 4, "{shown}");
}

#[test]
fn a_large_original_is_held_against_its_chunk_root_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let mut bytes = vec![0x61; 64 * 1024 * 1024 + 7];
    fs::write(&path, &bytes).unwrap();
    let mut digests = Digests::with_chunk_root();
    digests.update(&bytes);
    let root = digests.finish().chunk_root.unwrap();
    let mut log = Fixture::new();
    let index = log
        .push(super::fixture::sealed(0, 1, 1, &bytes).fact("chunk_root", crate::domain::hex::encode(root)));
    let without = log.push(super::fixture::sealed(1, 2, 1, &bytes));
    let stem = log.write_receipt(folder.path(), NAME, index, log.checkpoint(2));
    let read = Files::read(&stem, None).unwrap();
    let found = digest_original(&path, &mut |_| {}).unwrap();
    let report = check(&read.as_receipt(), &log.keys(), Some(&found)).report;
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert_eq!(outcome_of(&report, "chunk root"), Some(Outcome::Passed));

    let stem = log.write_receipt(folder.path(), "other.ACCEPTED", without, log.checkpoint(2));
    let report = check(&Files::read(&stem, None).unwrap().as_receipt(), &log.keys(), None).report;
    assert_eq!(
        outcome_of(&report, "chunk root"),
        None,
        "as it is written today: {report}"
    );
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");

    bytes[40_000_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = digest_original(&path, &mut |_| {}).unwrap();
    let report = check(&read.as_receipt(), &log.keys(), Some(&found)).report;
    assert_eq!(
        outcome_of(&report, "chunk root"),
        Some(Outcome::Failed),
        "{report}"
    );
    assert_eq!(report.verdict(), Verdict::Finding);
}
