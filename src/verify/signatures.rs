//! Who signed a checkpoint: the log, and the witnesses that are asked for. Lines of other keys are named, not judged.

use super::{Keys, Report, report::utc};
use crate::tlog::{
    checkpoint::{CheckpointError, open_note},
    note::{Algorithm, Note, VerifierKey},
};

/// Checks the log's signature on a checkpoint, and the cosignature of each witness that is asked for.
pub fn check(note: &Note, keys: &Keys, report: &mut Report) {
    match &keys.log {
        None => report.unknown(
            "log signature",
            "no key of the log was given (--key): anybody could have signed this checkpoint",
        ),
        Some(log) => match open_note(note, log, &[]) {
            Ok(opened) => report.passed(
                "log signature",
                format!(
                    "{} signed the checkpoint of {} leaves",
                    log.name(),
                    opened.checkpoint.size
                ),
            ),
            Err(CheckpointError::KeyKind(_)) => {
                report.unknown("log signature", "the key given is a witness's, not a log's")
            }
            Err(error) => report.failed("log signature", error.to_string()),
        },
    }
    for witness in &keys.witnesses {
        check_cosignature(note, witness, report);
    }
    if keys.witnesses.is_empty() {
        report.limit(
            "witnesses",
            "no witness's key was given: a log that its operator forked would not be noticed",
        );
    }
    let known = |name: &str| {
        keys.log
            .iter()
            .chain(&keys.witnesses)
            .any(|key| key.name() == name)
    };
    for line in note.signatures().iter().filter(|line| !known(&line.name)) {
        report.limit("signature", format!("by {}, whose key was not given", line.name));
    }
}

fn check_cosignature(note: &Note, witness: &VerifierKey, report: &mut Report) {
    let what = format!("witness {}", witness.name());
    if witness.algorithm() != Algorithm::CosignatureV1 {
        return report.unknown(what, "the key given is not a witness's");
    }
    match note.verify(std::iter::once(witness)) {
        Ok(verified) => match verified.first().and_then(|line| line.time) {
            Some(time) => report.passed(
                what,
                format!("saw this checkpoint at {}", utc(time.saturating_mul(1000))),
            ),
            None => report.unknown(what, "has not cosigned this checkpoint"),
        },
        Err(error) => report.failed(what, error.to_string()),
    }
}
