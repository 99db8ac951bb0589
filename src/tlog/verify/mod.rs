//! The whole log, checked from its files and public keys alone.
//!
//! For an auditor with a copy, years later. It believes the signed checkpoint and nothing else: every tile is judged by
//! the hash that the tile above it holds, from the signed root down to the entries.
//! Invariant: it goes on after a finding, names each file that is wrong, and calls proven only what it recomputed.
//! Memory does not grow with the log: one tile a level and one bundle, and findings up to [`MAX_FINDINGS`].

mod descend;
mod files;
mod rows;

use super::checkpoint::{Checkpoint, CheckpointError, Opened, open};
use super::merkle::{Hash, consistency_proof, root_at, verify_consistency};
use super::note::{Verified, VerifierKey};
use super::store::{CHECKPOINT, LogDir, StoreError};

/// Most findings, and most notices, that a report keeps; further ones are counted.
pub const MAX_FINDINGS: usize = 10_000;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A file that the tree needs is not there.
    Missing,
    /// A file holds something other than what was logged.
    Damaged,
    /// A file that is no part of a log.
    Extra,
    /// The operating system would not let a file be read.
    Unreadable,
    /// A signature or a signed text is not right.
    BadSignature,
    /// A checkpoint seen before is not the beginning of this log: its history was rewritten.
    Forked,
    /// A checkpoint seen before is larger than this log: its end was cut off, or an old copy was put back.
    RolledBack,
    /// Something could not be checked, for a reason that stands in the detail.
    Unproven,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, below the log's root; for an older checkpoint, the name it was given.
    pub path: String,
    /// What kind of thing is wrong.
    pub kind: FindingKind,
    /// What is wrong, for people.
    pub detail: String,
}

/// A checkpoint that was kept elsewhere, to compare the log with.
#[derive(Debug, Clone, Copy)]
pub struct OlderCheckpoint<'a> {
    /// What to call it in the report, such as its file name.
    pub name: &'a str,
    /// The signed note.
    pub note: &'a [u8],
}

/// What the check of a log has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogReport {
    /// The signed checkpoint that everything was judged by; `None` when there was none to believe.
    pub checkpoint: Option<Checkpoint>,
    /// Known witnesses who cosigned it.
    pub cosignatures: Vec<Verified>,
    /// Leaves whose entry was recomputed up to the signed root.
    pub leaves_proven: u64,
    /// Tile and bundle files whose bytes were compared.
    pub files_checked: u64,
    /// Names of the older checkpoints that this log was proven to extend.
    pub extends: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Findings beyond [`MAX_FINDINGS`], not kept.
    pub findings_omitted: u64,
    /// What is not wrong but not covered either: files beyond the checkpoint, an unfinished write.
    pub notices: Vec<Finding>,
    /// Notices beyond [`MAX_FINDINGS`], not kept.
    pub notices_omitted: u64,
}

impl LogReport {
    /// Whether every leaf that the checkpoint counts was proven, every older checkpoint is extended, and nothing is wrong.
    pub fn is_sound(&self) -> bool {
        let all = self
            .checkpoint
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.size == self.leaves_proven);
        all && self.findings.is_empty() && self.findings_omitted == 0
    }

    fn find(&mut self, path: impl Into<String>, kind: FindingKind, detail: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                path: path.into(),
                kind,
                detail: detail.into(),
            });
        } else {
            self.findings_omitted += 1;
        }
    }

    fn notice(&mut self, path: impl Into<String>, detail: impl Into<String>) {
        if self.notices.len() < MAX_FINDINGS {
            let (path, detail) = (path.into(), detail.into());
            self.notices.push(Finding {
                path,
                kind: FindingKind::Unproven,
                detail,
            });
        } else {
            self.notices_omitted += 1;
        }
    }

    fn find_store_error(&mut self, error: &StoreError) {
        let (path, kind) = match error {
            StoreError::Missing { path } => (path.as_str(), FindingKind::Missing),
            StoreError::Io { path, .. } => (path.as_str(), FindingKind::Unreadable),
            StoreError::NotAFile { path }
            | StoreError::TooLarge { path, .. }
            | StoreError::Tile { path, .. }
            | StoreError::Conflict { path } => (path.as_str(), FindingKind::Damaged),
            StoreError::OutOfRange => (CHECKPOINT, FindingKind::Unproven),
        };
        self.find(path, kind, error.to_string());
    }
}

/// Is told what the check meets, leaf by leaf in order.
pub trait Observer {
    /// An entry as it lies on disk. `proven` says that it is the one that was logged at this index; a leaf
    /// whose bundle cannot be read is not reported at all.
    fn leaf(&mut self, _index: u64, _entry: &[u8], _proven: bool) {}

    /// So many of the leaves are behind.
    fn progress(&mut self, _leaves: u64, _of: u64) {}
}

impl Observer for () {}

/// Checks the log in `dir` against its public key, the witnesses' keys and checkpoints kept elsewhere.
pub fn verify_log(
    dir: &LogDir,
    log: &VerifierKey,
    witnesses: &[VerifierKey],
    older: &[OlderCheckpoint<'_>],
    observer: &mut dyn Observer,
) -> LogReport {
    let mut report = LogReport::default();
    let older: Vec<(&str, Opened)> = older
        .iter()
        .filter_map(
            |older| match open_leniently(older.name, older.note, log, witnesses, &mut report) {
                Ok(opened) => Some((older.name, opened)),
                Err(error) => {
                    report.find(older.name, kind_of(&error), error.to_string());
                    None
                }
            },
        )
        .collect();
    let own = match dir.checkpoint() {
        Ok(Some(note)) => match open_leniently(CHECKPOINT, &note, log, witnesses, &mut report) {
            Ok(opened) => Some(opened),
            Err(error) => {
                report.find(CHECKPOINT, kind_of(&error), error.to_string());
                None
            }
        },
        Ok(None) => {
            report.find(CHECKPOINT, FindingKind::Missing, "the log has no checkpoint");
            None
        }
        Err(error) => {
            report.find_store_error(&error);
            None
        }
    };
    // Without a checkpoint of its own the log can still be judged by the newest one that was kept elsewhere.
    let judge = own.or_else(|| {
        older
            .iter()
            .map(|(_, opened)| opened)
            .max_by_key(|o| o.checkpoint.size)
            .cloned()
    });
    let Some(Opened {
        checkpoint,
        cosignatures,
    }) = judge
    else {
        report.find(
            CHECKPOINT,
            FindingKind::Unproven,
            "no checkpoint to believe, so no file could be judged",
        );
        return report;
    };
    descend::check_tree(dir, checkpoint.size, &checkpoint.root, &mut report, observer);
    files::check_names(dir, checkpoint.size, &mut report);
    for (name, older) in &older {
        match extends(dir, &older.checkpoint, &checkpoint) {
            Ok(()) => report.extends.push((*name).to_owned()),
            Err((kind, detail)) => report.find(*name, kind, detail),
        }
    }
    // The order in which a directory lists its files is no order.
    report
        .findings
        .sort_by(|a, b| (&a.path, a.kind).cmp(&(&b.path, b.kind)));
    report.notices.sort_by(|a, b| a.path.cmp(&b.path));
    report.checkpoint = Some(checkpoint);
    report.cosignatures = cosignatures;
    report
}

/// Opens a checkpoint; a wrong cosignature becomes a finding and leaves the log's own signature standing.
fn open_leniently(
    name: &str,
    note: &[u8],
    log: &VerifierKey,
    witnesses: &[VerifierKey],
    report: &mut LogReport,
) -> Result<Opened, CheckpointError> {
    open(note, log, witnesses).or_else(|error| {
        let opened = open(note, log, &[])?;
        report.find(name, kind_of(&error), error.to_string());
        Ok(opened)
    })
}

fn kind_of(error: &CheckpointError) -> FindingKind {
    match error {
        // The caller's keys are at fault, not the log.
        CheckpointError::KeyKind(_) => FindingKind::Unproven,
        _ => FindingKind::BadSignature,
    }
}

/// Whether `new` extends `old`. The hashes come from files that nobody vouches for, so they are put together into a
/// proof, and the proof is checked against the signed roots.
fn extends(dir: &LogDir, old: &Checkpoint, new: &Checkpoint) -> Result<(), (FindingKind, String)> {
    let (old_size, size) = (old.size, new.size);
    if old_size > size {
        let detail = format!("it counts {old_size} leaves, and the log only {size}");
        return Err((FindingKind::RolledBack, detail));
    }
    let forked = || {
        let detail = format!(
            "its {old_size} leaves are not the first {old_size} of this log: one of them was signed for another history"
        );
        (FindingKind::Forked, detail)
    };
    if old_size == size || old_size == 0 {
        return verify_consistency(old_size, &old.root, size, &new.root, &[]).map_err(|_| forked());
    }
    let unproven = |error: &dyn std::fmt::Display| {
        (
            FindingKind::Unproven,
            format!("whether the log extends it could not be checked: {error}"),
        )
    };
    let mut reader = dir.reader(size);
    let proof = consistency_proof(old_size, size, &mut reader).map_err(|error| unproven(&error))?;
    let consistent = |root: &Hash| verify_consistency(old_size, root, size, &new.root, &proof);
    if consistent(&old.root).is_ok() {
        return Ok(());
    }
    // If the files' own root at that size fits the signed one of today, it is the true one, and this one is not.
    let own = root_at(old_size, &mut reader).map_err(|error| unproven(&error))?;
    consistent(&own).map_err(|error| unproven(&error))?;
    Err(forked())
}
