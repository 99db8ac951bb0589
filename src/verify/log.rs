//! A whole log, from a copy of its folder: the tree (by `tlog::verify`), then what its leaves say.
//!
//! Invariant: the report is sound only when every leaf was recomputed up to the signed root, read and understood.

use super::{
    Keys, Report, Verdict,
    history::{DEFAULT_EVIDENCE_LIMIT, History},
    input::{self, InputError},
    receipt::{self, Files},
    report::utc,
};
use crate::{
    domain::event::Leaf,
    tlog::{
        checkpoint::open,
        note::MAX_NOTE_BYTES,
        proof::TlogProof,
        store::LogDir,
        verify::{FindingKind, LogReport, Observer, OlderCheckpoint, verify_log},
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

/// Most folders below each other that are searched for receipts.
const MAX_DEPTH: usize = 8;

/// A checkpoint that was kept elsewhere, by the name it gets in the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Its name.
    pub name: String,
    /// The signed note.
    pub note: Vec<u8>,
}

/// What else a check of a log looks at, and whom it tells.
pub struct Options<'a> {
    /// Checkpoints kept elsewhere, which the log has to extend.
    pub older: &'a [Older],
    /// Pieces of evidence whose versions are followed.
    pub evidence_limit: usize,
    /// Is given every proven leaf that can be read, in order.
    pub each: &'a mut dyn FnMut(u64, &Leaf),
    /// Is told how many leaves of how many are behind.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

/// The newest checkpoint that a witness cosigned, as `/log` shows it to auditors; a copy of `/log` holds it.
const WITNESSED: &str = "checkpoint.witnessed";
/// Keys that `/log` shows to auditors. A key that comes with what it should prove proves nothing.
const SHOWN_KEYS: [&str; 2] = ["log.pub", "witnesses"];

/// Checks the log in `dir`.
pub fn check(dir: &LogDir, keys: &Keys, options: Options<'_>) -> Report {
    let mut report = Report::new("log");
    let Some(key) = &keys.log else {
        report.unknown(
            "log signature",
            "no key of the log was given (--key), so there is nothing to judge it by",
        );
        return report;
    };
    let limit = if options.evidence_limit == 0 {
        DEFAULT_EVIDENCE_LIMIT
    } else {
        options.evidence_limit
    };
    let mut kept = options.older.to_vec();
    match input::read_if_there(&dir.root().join(WITNESSED), MAX_NOTE_BYTES) {
        Ok(note) => kept.extend(note.map(|note| Older {
            name: WITNESSED.to_owned(),
            note,
        })),
        Err(error) => report.failed(WITNESSED, error.to_string()),
    }
    let older: Vec<OlderCheckpoint<'_>> = kept
        .iter()
        .map(|older| OlderCheckpoint {
            name: &older.name,
            note: &older.note,
        })
        .collect();
    let mut follow = Follow {
        history: History::new(dir, limit),
        each: options.each,
        progress: options.progress,
    };
    let mut found = verify_log(dir, key, &keys.witnesses, &older, &mut follow);
    shown_beside(&mut found, &mut report);
    tree(&found, &mut report);
    witnesses(&found, keys, &kept, &mut report);
    for name in &found.extends {
        report.passed(format!("older checkpoint {name}"), "this log extends it");
    }
    if options.older.is_empty() {
        let why = "none was given: that this log was not rolled back or rewritten since is not shown";
        report.limit("older checkpoints", why);
    }
    report.absorb(follow.history.finish());
    if !found.is_sound() && report.verdict() == Verdict::Sound {
        report.unknown("log", "not every leaf could be proven");
    }
    if let Some(checkpoint) = &found.checkpoint {
        let size = checkpoint.size;
        report.meaning = Some(super::Meaning {
            en: format!("all {size} leaves are under the signed checkpoint, and say what they must"),
            zh: format!("全部 {size} 条日志均在已签名的检查点之下，内容符合格式"),
        });
    }
    report
}

struct Follow<'a> {
    history: History<'a>,
    each: &'a mut dyn FnMut(u64, &Leaf),
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Observer for Follow<'_> {
    fn leaf(&mut self, index: u64, entry: &[u8], proven: bool) {
        // What wasn't proven is a finding already, and says nothing.
        if proven && let Some(leaf) = self.history.take(index, entry) {
            (self.each)(index, &leaf);
        }
    }

    fn progress(&mut self, leaves: u64, of: u64) {
        (self.progress)(leaves, of);
    }
}

fn tree(found: &LogReport, report: &mut Report) {
    if let Some(checkpoint) = &found.checkpoint {
        report.passed(
            "checkpoint",
            format!(
                "{} signed {} leaves with root {}",
                checkpoint.origin, checkpoint.size, checkpoint.root
            ),
        );
        let (proven, of) = (found.leaves_proven, checkpoint.size);
        if proven == of {
            report.passed(
                "tree",
                format!(
                    "all {of} leaves and {} files lead to that root",
                    found.files_checked
                ),
            );
        } else {
            report.failed("tree", format!("only {proven} of {of} leaves could be proven"));
        }
    }
    for finding in &found.findings {
        if finding.kind == FindingKind::Unproven {
            report.unknown(&finding.path, &finding.detail);
        } else {
            report.failed(
                &finding.path,
                format!("{}: {}", word(finding.kind), finding.detail),
            );
        }
    }
    report.omit_failed(found.findings_omitted);
    for notice in &found.notices {
        report.limit(&notice.path, &notice.detail);
    }
    report.omit_others(found.notices_omitted);
}

fn word(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Missing => "missing",
        FindingKind::Damaged => "damaged",
        FindingKind::Extra => "extra",
        FindingKind::Unreadable => "unreadable",
        FindingKind::BadSignature => "bad signature",
        FindingKind::Forked => "forked",
        FindingKind::RolledBack => "rolled back",
        FindingKind::Unproven => "unproven",
    }
}

/// A copy of `/log` holds more than the log; what that is isn't part of the tree, and no finding.
fn shown_beside(found: &mut LogReport, report: &mut Report) {
    found.findings.retain(|finding| {
        let shown = SHOWN_KEYS.contains(&finding.path.as_str());
        if finding.kind == FindingKind::Extra && shown {
            let why = "shown beside the log; a key that comes with what it should prove proves nothing";
            report.limit(&finding.path, why);
        }
        finding.kind != FindingKind::Extra || !(shown || finding.path == WITNESSED)
    });
}

/// Each witness asked for has seen this log: its newest checkpoint, or an earlier one that it was proven to extend.
/// Taking a cosignature in is a leaf of its own, so the earlier one is the usual case.
fn witnesses(found: &LogReport, keys: &Keys, kept: &[Older], report: &mut Report) {
    for witness in &keys.witnesses {
        let what = format!("witness {}", witness.name());
        let mut seen: Vec<(u64, u64)> = kept
            .iter()
            .filter(|older| found.extends.contains(&older.name))
            .filter_map(|older| {
                let opened = open(&older.note, keys.log.as_ref()?, std::slice::from_ref(witness)).ok()?;
                Some((opened.checkpoint.size, opened.cosignatures.first()?.time?))
            })
            .collect();
        let mut lines = found.cosignatures.iter();
        let own = lines.find(|line| line.name == witness.name() && line.id == witness.id());
        let size = found.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        seen.extend(own.and_then(|line| Some((size, line.time?))));
        match seen.iter().max() {
            Some((leaves, time)) => {
                let time = utc(time.saturating_mul(1000));
                report.passed(&what, format!("saw the first {leaves} leaves at {time}"));
                if *leaves < size {
                    let why = format!("has not vouched for the {} leaves since", size - leaves);
                    report.limit(what, why);
                }
            }
            None => report.unknown(what, "has cosigned no checkpoint at hand that this log extends"),
        }
    }
    if keys.witnesses.is_empty() {
        let why = "no witness's key was given: a log that its operator forked would not be noticed";
        report.limit("witnesses", why);
    }
}

/// Checks every receipt below a folder, and gives the checkpoints in them, each once, for [`Options::older`].
///
/// A receipt that is sound, and whose checkpoint the log extends, is in the log.
///
/// # Errors
/// When the folder or a file in it can't be read.
pub fn check_receipts(folder: &Path, keys: &Keys) -> Result<(Report, Vec<Older>), InputError> {
    let mut stems = BTreeSet::new();
    find_receipts(folder, 0, &mut stems)?;
    let mut report = Report::new("receipts");
    let mut older: HashMap<Vec<u8>, String> = HashMap::new();
    let mut sound = 0_u64;
    // Witnesses cosign some checkpoints, not each receipt's.
    let keys = Keys {
        log: keys.log.clone(),
        witnesses: Vec::new(),
    };
    for stem in &stems {
        let files = Files::read(stem, None)?;
        let checked = receipt::check(&files.as_receipt(), &keys, None);
        if let Some(TlogProof { checkpoint, .. }) = checked.proof {
            let name = || checked.report.subject.clone();
            older
                .entry(checkpoint.to_string().into_bytes())
                .or_insert_with(name);
        }
        if checked.report.verdict() == Verdict::Sound {
            sound += 1;
        } else {
            report.absorb(checked.report);
        }
    }
    if stems.is_empty() {
        report.unknown("receipts", format!("there are none below {}", folder.display()));
    } else {
        report.passed("all", format!("{sound} of {} verify by themselves", stems.len()));
    }
    let mut older: Vec<Older> = older
        .into_iter()
        .map(|(note, name)| Older { name, note })
        .collect();
    older.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((report, older))
}

/// Stems of the proofs and leaves below a folder; links aren't followed.
fn find_receipts(folder: &Path, depth: usize, stems: &mut BTreeSet<PathBuf>) -> Result<(), InputError> {
    for (path, kind) in input::list(folder)? {
        if kind.is_dir() && depth < MAX_DEPTH {
            find_receipts(&path, depth + 1, stems)?;
        } else if kind.is_file() {
            let stem = receipt::stem(&path);
            let is_machine_form = path
                .extension()
                .is_some_and(|ending| ending == "tlog-proof" || ending == "json");
            if is_machine_form && stem != path {
                stems.insert(stem);
            }
        }
    }
    Ok(())
}

/// Reads checkpoints kept elsewhere.
///
/// # Errors
/// When one can't be read.
pub fn read_older(paths: &[PathBuf]) -> Result<Vec<Older>, InputError> {
    paths
        .iter()
        .map(|path| {
            let note = input::read(path, MAX_NOTE_BYTES)?;
            Ok(Older {
                name: path.display().to_string(),
                note,
            })
        })
        .collect()
}
