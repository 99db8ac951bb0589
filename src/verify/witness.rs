//! Acting as a witness: cosigning a checkpoint of a log that is proven to extend the one cosigned before.
//!
//! A cosignature says "this log only grew since I last looked". Invariant: a note comes out only when that was recomputed
//! from a copy of the log, or when the caller says that this witness never looked before.

use super::Report;
use crate::tlog::{
    checkpoint::{Checkpoint, CheckpointError, cosign, open_note},
    merkle::{consistency_proof, verify_consistency},
    note::{Note, SignerKey, VerifierKey},
    store::LogDir,
};

/// What a witness is asked to cosign, and what it knows.
pub struct Request<'a> {
    /// The log's checkpoint, signed by the log.
    pub checkpoint: &'a [u8],
    /// The log's key.
    pub log: &'a VerifierKey,
    /// What this witness cosigned last; `None` only if it never did.
    pub previous: Option<&'a [u8]>,
    /// A copy of the log.
    pub dir: Option<&'a LogDir>,
    /// The caller says that this witness never cosigned this log.
    pub first: bool,
    /// Now, in seconds since 1970.
    pub time: u64,
}

/// Checks what has to be checked, and cosigns if all of it is right.
pub fn witness(request: &Request<'_>, key: &SignerKey) -> (Report, Option<Note>) {
    let mut report = Report::new("cosignature");
    let checkpoint = match open(request.checkpoint, request.log, key, false) {
        Ok((checkpoint, _)) => checkpoint,
        Err(error) => {
            report.failed("checkpoint", error);
            return (report, None);
        }
    };
    report.passed(
        "checkpoint",
        format!("{} signed {} leaves", checkpoint.origin, checkpoint.size),
    );
    match request.previous {
        Some(previous) => match open(previous, request.log, key, true) {
            Ok((previous, seen)) => {
                if seen > request.time {
                    report.failed("time", "this host's clock is behind the previous cosignature");
                }
                consistent(&previous, &checkpoint, request.dir, &mut report);
            }
            Err(error) => report.failed("previous checkpoint", error),
        },
        None if request.first => {
            report.limit("previous checkpoint", "none: this witness vouches for nothing before this checkpoint")
        }
        None => report.unknown(
            "previous checkpoint",
            "not given (--previous): a witness that forgets what it cosigned lets a fork through; --first if it never did",
        ),
    }
    if report.verdict() != super::Verdict::Sound {
        return (report, None);
    }
    match cosign(request.checkpoint, request.log, key, request.time) {
        Ok(note) => (report, Some(note)),
        Err(error) => {
            report.failed("cosignature", error.to_string());
            (report, None)
        }
    }
}

/// A checkpoint of the log; if `cosigned`, one that this witness cosigned, with the time at which it did.
fn open(
    bytes: &[u8],
    log: &VerifierKey,
    key: &SignerKey,
    cosigned: bool,
) -> Result<(Checkpoint, u64), String> {
    let words = |error: CheckpointError| error.to_string();
    let note = Note::parse(bytes).map_err(|error| error.to_string())?;
    let witnesses: &[VerifierKey] = if cosigned {
        std::slice::from_ref(key.verifier())
    } else {
        &[]
    };
    let opened = open_note(&note, log, witnesses).map_err(words)?;
    let seen = opened.cosignatures.first().and_then(|line| line.time);
    if cosigned && seen.is_none() {
        return Err(format!("{} did not cosign it", key.verifier().name()));
    }
    Ok((opened.checkpoint, seen.unwrap_or_default()))
}

fn consistent(old: &Checkpoint, new: &Checkpoint, dir: Option<&LogDir>, report: &mut Report) {
    let what = "consistency";
    if old.size > new.size {
        let detail = format!(
            "the log had {} leaves when it was cosigned last, and now {}",
            old.size, new.size
        );
        return report.failed(what, detail);
    }
    let proof = if old.size == new.size || old.size == 0 {
        Vec::new()
    } else {
        let Some(dir) = dir else {
            return report.unknown(
                what,
                "no copy of the log was given (--log), so it can't be proven",
            );
        };
        match consistency_proof(old.size, new.size, &mut dir.reader(new.size)) {
            Ok(proof) => proof,
            Err(error) => {
                return report.unknown(what, format!("the copy of the log doesn't prove it: {error}"));
            }
        }
    };
    let passed = format!(
        "the {} leaves cosigned before are the first of these {}",
        old.size, new.size
    );
    report.result(
        what,
        passed,
        verify_consistency(old.size, &old.root, new.size, &new.root, &proof),
    );
}
