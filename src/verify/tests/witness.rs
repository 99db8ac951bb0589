//! A witness cosigns only what it was shown to have grown from what it cosigned before.

use super::fixture::{Fixture, key, sealed};
use crate::{
    tlog::{
        note::{Algorithm, Note},
        store::LogDir,
    },
    verify::{
        Report, Verdict,
        witness::{Request, witness},
    },
};

const NOW: u64 = 1_790_000_500;

fn ask(
    log: &Fixture,
    new: &str,
    previous: Option<&str>,
    dir: Option<&LogDir>,
    first: bool,
) -> (Report, Option<Note>) {
    let request = Request {
        checkpoint: new.as_bytes(),
        log: log.log.verifier(),
        previous: previous.map(str::as_bytes),
        dir,
        first,
        time: NOW,
    };
    witness(&request, &log.witness)
}

#[test]
fn a_log_that_grew_is_cosigned() {
    let log = Fixture::story();
    let folder = tempfile::tempdir().unwrap();
    let dir = log.write_log(folder.path());
    let (report, note) = ask(&log, &log.checkpoint(4).to_string(), None, None, true);
    let first = note.unwrap_or_else(|| panic!("{report}")).to_string();
    let (report, note) = ask(
        &log,
        &log.checkpoint(9).to_string(),
        Some(&first),
        Some(&dir),
        false,
    );
    let note = note.unwrap_or_else(|| panic!("{report}"));
    let opened =
        crate::tlog::checkpoint::open_note(&note, log.log.verifier(), &[log.witness.verifier().clone()])
            .unwrap();
    assert_eq!(opened.cosignatures[0].time, Some(NOW));
    let again = note.to_string();
    assert!(
        ask(&log, &log.checkpoint(9).to_string(), Some(&again), None, false)
            .1
            .is_some()
    );
}

#[test]
fn everything_else_is_refused() {
    let (log, other) = (Fixture::story(), Fixture::story());
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir, fork) = (log.write_log(folder.path()), other.write_log(elsewhere.path()));
    let (new, old) = (log.checkpoint(9).to_string(), log.cosigned(4).to_string());
    let mut wrong_key = Fixture::story();
    wrong_key.log = key(super::fixture::ORIGIN, Algorithm::Ed25519, 8);
    let mut stranger = Fixture::story();
    stranger.leaves = log.leaves.clone();
    stranger.witness = key("else.example", Algorithm::CosignatureV1, 3);
    let mut late = Fixture::story();
    late.leaves = log.leaves.clone();
    late.push(sealed(9, 9, 1, b"x"));
    let refused = [
        (
            "no previous, not the first",
            Verdict::Unknown,
            ask(&log, &new, None, Some(&dir), false),
        ),
        (
            "no copy of the log",
            Verdict::Unknown,
            ask(&log, &new, Some(&old), None, false),
        ),
        (
            "a fork",
            Verdict::Finding,
            ask(
                &log,
                &other.checkpoint(9).to_string(),
                Some(&old),
                Some(&fork),
                false,
            ),
        ),
        (
            "a fork of one size",
            Verdict::Finding,
            ask(&log, &other.checkpoint(4).to_string(), Some(&old), None, false),
        ),
        (
            "rolled back",
            Verdict::Finding,
            ask(
                &log,
                &log.checkpoint(3).to_string(),
                Some(&old),
                Some(&dir),
                false,
            ),
        ),
        (
            "a previous one it didn't cosign",
            Verdict::Finding,
            ask(
                &log,
                &new,
                Some(&log.checkpoint(4).to_string()),
                Some(&dir),
                false,
            ),
        ),
        (
            "another's cosignature",
            Verdict::Finding,
            ask(
                &log,
                &new,
                Some(&stranger.cosigned(4).to_string()),
                Some(&dir),
                false,
            ),
        ),
        (
            "another log's signature",
            Verdict::Finding,
            ask(&log, &wrong_key.checkpoint(9).to_string(), None, None, true),
        ),
        (
            "the copy is behind",
            Verdict::Unknown,
            ask(
                &log,
                &late.checkpoint(10).to_string(),
                Some(&old),
                Some(&dir),
                false,
            ),
        ),
        ("not a note", Verdict::Finding, ask(&log, "x", None, None, true)),
    ];
    for (why, verdict, (report, note)) in refused {
        assert!(note.is_none(), "{why}: {report}");
        assert_eq!(report.verdict(), verdict, "{why}: {report}");
    }
    let request = Request {
        checkpoint: new.as_bytes(),
        log: log.log.verifier(),
        previous: Some(old.as_bytes()),
        dir: Some(&dir),
        first: false,
        time: 1_000,
    };
    assert!(witness(&request, &log.witness).1.is_none(), "the clock is behind");
}
