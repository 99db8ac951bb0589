//! Whole logs: each file damaged, each rule of the history broken, each checkpoint kept elsewhere.

use super::fixture::{Fixture, ORIGINAL, accession, declared, id, sealed};
use crate::{
    domain::event::{Draft, Kind},
    tlog::store::LogDir,
    verify::{
        Keys, Report, Verdict,
        log::{Older, Options, check, check_receipts},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn run(dir: &LogDir, keys: &Keys, older: &[Older]) -> Report {
    check(
        dir,
        keys,
        Options {
            older,
            evidence_limit: 1000,
            each: &mut |_, _| {},
            progress: &mut |_, _| {},
        },
    )
}

fn report(log: &Fixture) -> Report {
    let folder = tempfile::tempdir().unwrap();
    run(&log.write_log(folder.path()), &log.keys(), &[])
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

/// The story, and enough sealed evidence after it for a full bundle.
fn long() -> Fixture {
    let mut log = Fixture::story();
    for number in 9..300 {
        log.push(sealed(number, number, 1, b"page"));
    }
    // Points back over the bundle's end.
    log.push(
        accession(Kind::AccessionDuplicate, 300, ORIGINAL)
            .fact("of", 3)
            .fact("evidence", id("E", 1))
            .fact("version", 1),
    );
    log
}

#[test]
fn a_right_log_is_sound_and_says_what_was_not_asked() {
    for log in [Fixture::story(), long()] {
        let report = report(&log);
        assert_eq!(report.verdict(), Verdict::Sound, "{report}");
        let shown = report.to_string();
        assert!(
            shown.contains("– witnesses") && shown.contains("– older checkpoints"),
            "{shown}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let log = Fixture::story();
    let dir = log.write_log(folder.path());
    assert_eq!(run(&dir, &Keys::default(), &[]).verdict(), Verdict::Unknown);
    assert_eq!(
        run(&dir, &log.keys_with_witness(), &[]).verdict(),
        Verdict::Unknown
    );
    fs::write(folder.path().join("checkpoint"), log.cosigned(9).to_string()).unwrap();
    assert_eq!(run(&dir, &log.keys_with_witness(), &[]).verdict(), Verdict::Sound);
}

#[test]
fn no_changed_byte_and_no_lost_file_is_passed_over() {
    let log = long();
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(folder.path());
    let all = files(folder.path());
    assert!(all.len() >= 5, "{all:?}");
    for path in &all {
        let name = path.strip_prefix(folder.path()).unwrap().display().to_string();
        let right = fs::read(path).unwrap();
        let judge = |change: &str| {
            let report = run(&dir, &log.keys(), &[]);
            assert_ne!(report.verdict(), Verdict::Sound, "{name}, {change}: {report}");
            // Which of the right edge's parts is at fault can't always be told; a full tile is named.
            assert!(
                name.contains(".p/") || report.to_string().contains(&name),
                "{name}, {change}: {report}"
            );
        };
        let step = (right.len() / 40).max(1);
        for at in (0..right.len()).step_by(step).chain([right.len() - 1]) {
            let mut bytes = right.clone();
            bytes[at] ^= 1;
            fs::remove_file(path).unwrap();
            fs::write(path, &bytes).unwrap();
            judge(&format!("byte {at}"));
        }
        fs::remove_file(path).unwrap();
        judge("removed");
        fs::write(path, &right[..right.len() - 1]).unwrap();
        judge("shorter");
        fs::write(path, [right.as_slice(), b"\n"].concat()).unwrap();
        judge("longer");
        fs::write(path, &right).unwrap();
    }
    fs::write(folder.path().join("tile/notes.txt"), "x").unwrap();
    let report = run(&dir, &log.keys(), &[]);
    assert!(
        report.verdict() == Verdict::Finding && report.to_string().contains("tile/notes.txt: extra"),
        "{report}"
    );
}

#[test]
fn a_signed_history_that_makes_no_sense_is_a_finding() {
    let wrong: Vec<(&str, Draft)> = vec![
        (
            "version 3 of evidence whose last version was 1",
            sealed(9, 7, 3, b"x").fact("previous", 9),
        ),
        (
            "version 1 of evidence whose last version was 2",
            sealed(9, 1, 1, b"x"),
        ),
        ("but it is 5", sealed(9, 1, 3, b"x").fact("previous", 3)),
        ("'previous' goes with", sealed(9, 1, 3, b"x")),
        (
            "version 2 of the document types follows version 0",
            Draft::new(Kind::DocumentTypesPublished, id("D", 1), "operator")
                .fact("version", 2)
                .fact("sha256", "ab".repeat(32))
                .fact("types", 22)
                .private("text", "x"),
        ),
        (
            "'of' points at leaf 3",
            accession(Kind::AccessionDuplicate, 9, b"x")
                .fact("of", 3)
                .fact("evidence", id("E", 1))
                .fact("version", 1),
        ),
        (
            "which comes later",
            accession(Kind::AccessionDuplicate, 9, b"x")
                .fact("of", 99)
                .fact("evidence", id("E", 1))
                .fact("version", 1),
        ),
        ("'of' points at leaf 4", declared(9, 4, 1, 1, ORIGINAL)),
        (
            "contradicts the two digests",
            declared(9, 3, 1, 1, ORIGINAL).fact("result", "mismatch"),
        ),
        ("another size", sealed(9, 8, 1, b"x").fact("stored_size_bytes", 7)),
        (
            "'chunk_root' goes with",
            sealed(9, 8, 1, b"x").fact("chunk_root", super::fixture::sha256(b"x")),
        ),
        (
            "'category' is not",
            sealed(9, 8, 1, b"x").fact("category", "misc"),
        ),
        ("has no 'reason'", accession(Kind::AccessionRejected, 9, b"x")),
        (
            "no commitment to 'name'",
            Draft::new(Kind::BranchAdded, id("EV", 9), "operator").fact("branch", "B2"),
        ),
        (
            "nobody who can act",
            Draft::new(Kind::UserDisabled, id("EV", 9), "root").fact("person", id("A", 1)),
        ),
        (
            "begins with vault.created",
            Draft::new(Kind::VaultCreated, id("EV", 9), "operator"),
        ),
        (
            "reads a version that was not sealed",
            Draft::new(Kind::AccessRead, id("EV", 9), "operator")
                .fact("evidence", id("E", 1))
                .fact("version", 3)
                .fact("purpose", "export")
                .fact("basis", "law")
                .commit("reason", "r")
                .commit("requester", "q"),
        ),
    ];
    for (said, draft) in wrong {
        let mut log = Fixture::story();
        if said.starts_with("version 3") {
            log.push(sealed(8, 7, 1, b"w"));
        }
        log.push(draft);
        let report = report(&log);
        assert_eq!(report.verdict(), Verdict::Finding, "{said}: {report}");
        assert!(report.to_string().contains(said), "{said}: {report}");
    }
    let mut log = Fixture::story();
    log.leaves.push(b"{\"a\": 1}".to_vec());
    assert_eq!(report(&log).verdict(), Verdict::Finding);
    let mut log = Fixture::story();
    log.leaves.push(
        String::from_utf8(log.leaves[3].clone())
            .unwrap()
            .replace("evidence.sealed", "evidence.melted")
            .into_bytes(),
    );
    assert_eq!(report(&log).verdict(), Verdict::Unknown);
}

#[test]
fn beyond_the_limit_it_says_what_it_did_not_check() {
    let mut log = Fixture::story();
    log.push(sealed(9, 2, 1, b"x"));
    log.push(sealed(10, 2, 2, b"y").fact("previous", 9));
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(folder.path());
    let limited = |dir: &LogDir| {
        let options = Options {
            older: &[],
            evidence_limit: 1,
            each: &mut |_, _| {},
            progress: &mut |_, _| {},
        };
        check(dir, &log.keys(), options)
    };
    let report = limited(&dir);
    assert_eq!(report.verdict(), Verdict::Unknown, "{report}");
    assert!(
        report
            .to_string()
            .contains("2 leaves seal evidence beyond the first 1"),
        "{report}"
    );
    log.push(sealed(11, 2, 4, b"z").fact("previous", 10));
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(folder.path());
    let options = Options {
        older: &[],
        evidence_limit: 1,
        each: &mut |_, _| {},
        progress: &mut |_, _| {},
    };
    assert_eq!(check(&dir, &log.keys(), options).verdict(), Verdict::Finding);
}

#[test]
fn checkpoints_kept_elsewhere_expose_a_rewritten_or_shortened_log() {
    let (log, other) = (Fixture::story(), Fixture::story());
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(folder.path());
    let older = |from: &Fixture, size| Older {
        name: format!("kept-{size}"),
        note: from.checkpoint(size).to_string().into_bytes(),
    };
    assert_eq!(
        run(&dir, &log.keys(), &[older(&log, 4), older(&log, 9)]).verdict(),
        Verdict::Sound
    );
    let report = run(&dir, &log.keys(), &[older(&other, 4)]);
    assert!(
        report.verdict() == Verdict::Finding && report.to_string().contains("kept-4: forked"),
        "{report}"
    );
    let mut longer = Fixture::story();
    longer.leaves = log.leaves.clone();
    longer.push(sealed(9, 9, 1, b"x"));
    let report = run(&dir, &log.keys(), &[older(&longer, 10)]);
    assert!(
        report.verdict() == Verdict::Finding && report.to_string().contains("kept-10: rolled back"),
        "{report}"
    );
}

#[test]
fn receipts_are_checked_and_their_checkpoints_kept_against_the_log() {
    let (log, other) = (Fixture::story(), Fixture::story());
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(&folder.path().join("log"));
    let receipts = folder.path().join("receipts");
    fs::create_dir_all(receipts.join("2026-07-28")).unwrap();
    log.write_receipt(
        &receipts.join("2026-07-28"),
        "a.jpg.ACCEPTED",
        3,
        log.checkpoint(4),
    );
    log.write_receipt(&receipts, "b.jpg.REJECTED", 7, log.checkpoint(9));
    fs::write(receipts.join("_summary.csv"), "x").unwrap();
    let (report, older) = check_receipts(&receipts, &log.keys()).unwrap();
    assert_eq!((report.verdict(), older.len()), (Verdict::Sound, 2), "{report}");
    assert_eq!(run(&dir, &log.keys(), &older).verdict(), Verdict::Sound);
    other.write_receipt(&receipts, "c.jpg.ACCEPTED", 3, other.checkpoint(5));
    let (report, older) = check_receipts(&receipts, &log.keys()).unwrap();
    assert_eq!(
        report.verdict(),
        Verdict::Sound,
        "by itself a fork's receipt is right: {report}"
    );
    assert_eq!(run(&dir, &log.keys(), &older).verdict(), Verdict::Finding);
    fs::remove_file(receipts.join("b.jpg.REJECTED.json")).unwrap();
    assert_eq!(
        check_receipts(&receipts, &log.keys()).unwrap().0.verdict(),
        Verdict::Unknown
    );
    fs::create_dir(folder.path().join("none")).unwrap();
    assert_eq!(
        check_receipts(&folder.path().join("none"), &log.keys())
            .unwrap()
            .0
            .verdict(),
        Verdict::Unknown
    );
}

#[test]
fn a_copy_of_what_auditors_see_is_sound_and_its_witnesses_count() {
    let log = long();
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(folder.path());
    let beside = |name: &str, bytes: String| fs::write(folder.path().join(name), bytes).unwrap();
    beside("log.pub", format!("{}\n", log.log.verifier()));
    beside("witnesses", format!("{}\n", log.witness.verifier()));
    assert_eq!(
        run(&dir, &log.keys_with_witness(), &[]).verdict(),
        Verdict::Unknown
    );
    beside("checkpoint.witnessed", log.cosigned(200).to_string());
    let report = run(&dir, &log.keys_with_witness(), &[]);
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    let shown = report.to_string();
    assert!(
        shown.contains("saw the first 200 leaves") && shown.contains("the 101 leaves since"),
        "{shown}"
    );
    assert!(
        shown.contains("– older checkpoints"),
        "what lies in the copy wasn't kept elsewhere: {shown}"
    );
    beside("checkpoint.witnessed", Fixture::story().cosigned(9).to_string());
    assert_eq!(run(&dir, &log.keys(), &[]).verdict(), Verdict::Finding);
    beside(
        "checkpoint.witnessed",
        log.cosigned(200)
            .to_string()
            .replace("witness.example", "witness.exbmple"),
    );
    assert_eq!(
        run(&dir, &log.keys_with_witness(), &[]).verdict(),
        Verdict::Unknown
    );
}
