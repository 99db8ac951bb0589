//! A checkpoint that somebody kept elsewhere, held against this log: is it a state that this log went through?
//!
//! It carries the log's own signature, so it is either our past or proof that the log was rewritten or put back.
//! It must never know who asks, nor what happens then.
//!
//! Invariant: a fork is said only when the tree on disk is proven to be the one under today's signed root; files that are
//! missing or damaged make it "can't tell", never a fork and never a yes.

use super::log_view::{LogView, LogViewError};
use crate::{
    catalog::log_edge,
    tlog::{
        checkpoint::{self, Checkpoint},
        merkle::{Hash, consistency_proof, root_at, verify_consistency},
        proof::TlogProof,
        store::StoreError,
    },
};

/// How a kept checkpoint, whose signature is right, stands to this log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// This log grew out of that state: the proof was checked against both signed roots.
    Extends {
        /// Today's checkpoint.
        head: Checkpoint,
        /// The consistency proof (RFC 6962, 2.1.2) from the kept state to today's.
        proof: Vec<Hash>,
    },
    /// The log signed another tree of that size than the one it holds: its history was exchanged.
    Forked {
        /// The root that this log's own tree has at that size.
        ours: Hash,
    },
    /// The log signed more than it holds: its end was cut off, or an old copy was put back.
    RolledBack {
        /// Leaves that it holds.
        held: u64,
    },
}

/// Why it can't be told.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogViewError),
    /// The log's files don't lead to the root that was signed last, or don't reach that far yet.
    #[error("the log's files don't prove it: {0}")]
    Unproven(String),
}

/// Holds a checkpoint that this log's key signed against the log as it is now.
///
/// # Errors
/// When it can't be told: files are missing, damaged or not written yet.
pub fn hold(log: &LogView, kept: &Checkpoint) -> Result<Held, HoldError> {
    let committed = log
        .catalogue()
        .read(log_edge::latest_checkpoint)
        .map_err(LogViewError::from)?
        .map_or(0, |(size, _)| size);
    if kept.size > committed {
        return Ok(Held::RolledBack { held: committed });
    }
    let head = log
        .head()?
        .ok_or_else(|| HoldError::Unproven("there is no checkpoint yet".to_owned()))?;
    let head = checkpoint::open_note(&head, log.verifier(), &[]).map_err(LogViewError::from)?;
    let head = head.checkpoint;
    if kept.size > head.size {
        return Err(HoldError::Unproven(
            "the newest events aren't written out yet; try again".to_owned(),
        ));
    }
    let consistent = |root: &Hash, proof: &[Hash]| {
        verify_consistency(kept.size, root, head.size, &head.root, proof).is_ok()
    };
    let proof = consistency(log, kept.size, head.size)?;
    if consistent(&kept.root, &proof) {
        return Ok(Held::Extends { head, proof });
    }
    // If the files' own root at that size fits the signed one of today, it is the true one, and the kept one is not.
    let ours = root(log, kept.size)?;
    if consistent(&ours, &proof) {
        Ok(Held::Forked { ours })
    } else {
        Err(HoldError::Unproven(format!(
            "what lies on disk isn't the tree of {} leaves that was signed",
            head.size
        )))
    }
}

/// The hashes that prove that the tree of `old` leaves is the beginning of the published one of `new`.
///
/// # Errors
/// When a tile is missing or damaged.
pub fn consistency(log: &LogView, old: u64, new: u64) -> Result<Vec<Hash>, HoldError> {
    let prove = || consistency_proof(old, new, &mut log.dir().reader(new));
    twice(prove)
}

/// The root of the first `size` leaves as the files have them.
///
/// # Errors
/// When a tile is missing or damaged.
pub fn root(log: &LogView, size: u64) -> Result<Hash, HoldError> {
    twice(|| root_at(size, &mut log.dir().reader(size)))
}

/// A partial tile may give way to its full one between the two looks that a reader takes; the second try sees it.
fn twice<T>(
    read: impl Fn() -> Result<T, crate::tlog::merkle::ProveError<StoreError>>,
) -> Result<T, HoldError> {
    read()
        .or_else(|_| read())
        .map_err(|error| HoldError::Unproven(error.to_string()))
}

/// The note in what somebody pasted: line ends as browsers send them, white space around it, and the rest of a receipt's
/// proof, whose checkpoint it is then. None of it is covered by the signature, so none of it is lost.
pub fn pasted(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.trim_start_matches('\u{feff}').trim();
    let text = format!("{text}\n");
    match TlogProof::parse(text.as_bytes()) {
        Ok(proof) => proof.checkpoint.to_string(),
        Err(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        custody::testing::{ORIGIN, TestVault, signer},
        domain::event::{Draft, Kind},
        tlog::key::Algorithm,
    };

    fn grown(by: usize) -> TestVault {
        let vault = TestVault::new();
        for at in 0..by {
            vault.commit(Draft::new(Kind::FixityChecked, format!("f{at}"), "operator").fact("objects", 1));
        }
        vault
    }

    fn at(vault: &TestVault, size: u64) -> Checkpoint {
        let note = vault.log.checkpoint(size).unwrap();
        Checkpoint::parse(note.text()).unwrap()
    }

    #[test]
    fn every_state_that_the_log_went_through_is_its_own() {
        let mut vault = grown(300);
        let kept: Vec<Checkpoint> = [1, 5, 255, 256, 257, 305].map(|size| at(&vault, size)).into();
        vault.settle_log();
        for kept in kept {
            let Held::Extends { head, proof } = hold(&vault.log, &kept).unwrap() else {
                unreachable!("size {}", kept.size);
            };
            assert_eq!(head.size, 305);
            verify_consistency(kept.size, &kept.root, head.size, &head.root, &proof).unwrap();
        }
    }

    #[test]
    fn another_history_and_a_larger_one_are_told_apart_from_damage() {
        let mut vault = grown(300);
        let true_one = at(&vault, 100);
        vault.settle_log();
        let other = Checkpoint {
            root: Hash([1; 32]),
            ..true_one.clone()
        };
        assert_eq!(
            hold(&vault.log, &other).unwrap(),
            Held::Forked { ours: true_one.root }
        );
        let larger = Checkpoint {
            size: 1_000,
            ..other.clone()
        };
        assert_eq!(hold(&vault.log, &larger).unwrap(), Held::RolledBack { held: 305 });

        // A tile that isn't what it was: neither a yes nor a fork.
        let tile = vault.layout.log().join("tile/0/000");
        let mut bytes = std::fs::read(&tile).unwrap();
        bytes[40] ^= 1;
        let mut permissions = std::fs::metadata(&tile).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false)]
        permissions.set_readonly(false);
        std::fs::set_permissions(&tile, permissions).unwrap();
        std::fs::write(&tile, bytes).unwrap();
        for kept in [&true_one, &other] {
            assert!(matches!(hold(&vault.log, kept), Err(HoldError::Unproven(_))));
        }
    }

    #[test]
    fn what_was_pasted_is_read_whatever_the_browser_did_to_its_lines() {
        let vault = grown(3);
        let note = vault.log.checkpoint(5).unwrap();
        let mangled = format!(
            "\u{feff}\r\n  {}",
            note.to_string().trim_end().replace('\n', "\r\n")
        );
        assert_eq!(pasted(&mangled), note.to_string());
        let proof = TlogProof {
            extra: Vec::new(),
            index: 0,
            hashes: vec![Hash([2; 32])],
            checkpoint: note.clone(),
        };
        assert_eq!(pasted(&proof.to_string()), note.to_string());
        assert_eq!(pasted("hello"), "hello\n");
        let key = signer(ORIGIN, Algorithm::Ed25519, 7);
        checkpoint::open(pasted(&mangled).as_bytes(), key.verifier(), &[]).unwrap();
    }
}
