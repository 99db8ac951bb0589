//! How the leaves of a log follow each other: each canonical and complete, versions 1, 2, 3… with the right `previous`,
//! and whatever points back points at what it says.
//!
//! It must never judge bytes that weren't proven; those are the tree's findings. Memory: one entry for each piece of
//! evidence, up to a limit that the caller sets; beyond it only the links are checked, and the report says so.

use super::{Report, facts};
use crate::{
    domain::event::{Kind, Leaf},
    tlog::{
        store::LogDir,
        tile::{Content, WIDTH, decode_bundle},
    },
};
use std::collections::HashMap;

/// Pieces of evidence whose versions are followed unless the caller says otherwise: about 1.5 GB when all are used.
pub const DEFAULT_EVIDENCE_LIMIT: usize = 16_000_000;

/// Follows the leaves of one log in order.
pub struct History<'a> {
    dir: &'a LogDir,
    limit: usize,
    /// The last version of each piece of evidence, and its leaf.
    last: HashMap<[u8; 26], (u64, u64)>,
    untracked: u64,
    /// The last published version of the document types.
    types_version: u64,
    bundle: Option<(u64, Vec<Vec<u8>>)>,
    leaves: u64,
    sealed: u64,
    last_ms: i64,
    backwards: Option<(u64, u64)>,
    report: Report,
}

impl<'a> History<'a> {
    /// Begins. Leaves that others point at are read from `dir`; its tree must be checked in the same run.
    pub fn new(dir: &'a LogDir, limit: usize) -> Self {
        History {
            dir,
            limit,
            last: HashMap::new(),
            untracked: 0,
            types_version: 0,
            bundle: None,
            leaves: 0,
            sealed: 0,
            last_ms: i64::MIN,
            backwards: None,
            report: Report::new("history"),
        }
    }

    /// Takes the next proven leaf; gives it back parsed, if it is one.
    pub fn take(&mut self, index: u64, entry: &[u8]) -> Option<Leaf> {
        self.leaves += 1;
        let leaf = match facts::read(entry) {
            Ok(leaf) => leaf,
            Err(error @ facts::LeafFault::Later(_)) => {
                self.report.unknown(format!("leaf {index}"), error.to_string());
                return None;
            }
            Err(error) => {
                self.fault(index, error.to_string());
                return None;
            }
        };
        for fault in facts::faults(&leaf) {
            self.fault(index, fault);
        }
        if (leaf.kind == Kind::VaultCreated) != (index == 0) {
            self.fault(
                index,
                "a log begins with vault.created, and nothing else does".to_owned(),
            );
        }
        if leaf.time_ms < self.last_ms {
            let (first, count) = self.backwards.unwrap_or((index, 0));
            self.backwards = Some((first, count + 1));
        }
        self.last_ms = leaf.time_ms;
        match leaf.kind {
            Kind::EvidenceSealed => self.sealed(index, &leaf),
            Kind::AccessionDuplicate | Kind::EvidenceDeclared | Kind::EvidenceInspected => {
                self.points_back(index, &leaf, "sha256", &["size_bytes"])
            }
            Kind::DerivedMade => self.points_back(index, &leaf, "original_sha256", &[]),
            Kind::InspectionRequested => self.points_back(index, &leaf, "", &[]),
            Kind::DocumentTypesPublished => self.published(index, &leaf),
            Kind::AccessRead => self.read(index, &leaf),
            _ => {}
        }
        Some(leaf)
    }

    /// What was found.
    pub fn finish(mut self) -> Report {
        if let Some((first, count)) = self.backwards {
            let detail = format!("the clock ran backwards before {count} leaves, first before leaf {first}");
            self.report.limit("times", detail);
        }
        if self.untracked > 0 {
            let detail = format!(
                "{} leaves seal evidence beyond the first {} pieces: that their versions are unique was not checked \
                 (--evidence-limit)",
                self.untracked, self.limit
            );
            self.report.unknown("versions", detail);
        }
        if self
            .report
            .checks
            .iter()
            .all(|check| check.outcome != super::Outcome::Failed)
        {
            let (leaves, evidence) = (self.leaves, self.last.len());
            let detail = format!(
                "{leaves} leaves are canonical and complete; {} versions of {evidence} pieces of evidence run 1, 2, 3…",
                self.sealed
            );
            self.report.passed("leaves", detail);
        }
        self.report
    }

    fn fault(&mut self, index: u64, detail: String) {
        self.report.failed(format!("leaf {index}"), detail);
    }

    /// Versions of the document types are 1, 2, 3…, so that the number which judged a file names one table.
    fn published(&mut self, index: u64, leaf: &Leaf) {
        let Some(version) = facts::count(leaf, "version") else {
            return;
        };
        let expected = self.types_version + 1;
        if version != expected {
            self.fault(
                index,
                format!(
                    "version {version} of the document types follows version {}",
                    self.types_version
                ),
            );
        }
        self.types_version = version;
    }

    fn sealed(&mut self, index: u64, leaf: &Leaf) {
        self.sealed += 1;
        let (Some(evidence), Some(version)) =
            (leaf.text("evidence").and_then(key), facts::count(leaf, "version"))
        else {
            return;
        };
        let previous = facts::count(leaf, "previous");
        let known = self.last.get(&evidence).copied();
        if known.is_none() && self.last.len() >= self.limit {
            self.untracked += 1;
            if let Some(previous) = previous {
                let is_before = |before: &Leaf| {
                    before.kind == Kind::EvidenceSealed
                        && before.text("evidence") == leaf.text("evidence")
                        && facts::count(before, "version").and_then(|before| before.checked_add(1))
                            == Some(version)
                };
                self.held_against(index, previous, "previous", is_before);
            }
            return;
        }
        let (last, at) = known.map_or((0, None), |(version, at)| (version, Some(at)));
        if version != last + 1 {
            self.fault(
                index,
                format!("seals version {version} of evidence whose last version was {last}"),
            );
        } else if previous != at {
            let shown = |at: Option<u64>| at.map_or_else(|| "none".to_owned(), |at| at.to_string());
            self.fault(
                index,
                format!(
                    "names as previous version leaf {}, but it is {}",
                    shown(previous),
                    shown(at)
                ),
            );
        }
        if version > last {
            self.last.insert(evidence, (version, index));
        }
    }

    /// `of` is the leaf that sealed the same version, with the digest that `digest` names (if any) and equal facts.
    fn points_back(&mut self, index: u64, leaf: &Leaf, digest: &str, also: &[&str]) {
        let Some(of) = facts::count(leaf, "of") else {
            return;
        };
        let same = |sealed: &Leaf| {
            sealed.kind == Kind::EvidenceSealed
                && (digest.is_empty() || sealed.data.get("sha256") == leaf.data.get(digest))
                && ["evidence", "version"]
                    .iter()
                    .chain(also)
                    .all(|name| sealed.data.get(*name) == leaf.data.get(*name))
        };
        self.held_against(index, of, "of", same);
    }

    fn read(&mut self, index: u64, leaf: &Leaf) {
        let (Some(evidence), Some(version)) =
            (leaf.text("evidence").and_then(key), facts::count(leaf, "version"))
        else {
            return;
        };
        match self.last.get(&evidence) {
            Some((last, _)) if version <= *last => {}
            None if self.untracked > 0 => {}
            _ => self.fault(index, "reads a version that was not sealed before".to_owned()),
        }
    }

    fn held_against(&mut self, index: u64, earlier: u64, fact: &str, fits: impl Fn(&Leaf) -> bool) {
        if earlier >= index {
            return self.fault(
                index,
                format!("'{fact}' points at leaf {earlier}, which comes later"),
            );
        }
        match self.leaf_at(earlier) {
            Ok(leaf) if fits(&leaf) => {}
            Ok(_) => self.fault(
                index,
                format!("'{fact}' points at leaf {earlier}, which is not what it should be"),
            ),
            Err(error) => {
                let detail = format!("'{fact}' points at leaf {earlier}, which can't be read: {error}");
                self.report.unknown(format!("leaf {index}"), detail);
            }
        }
    }

    /// An earlier leaf, from its bundle; the last bundle that was used is kept.
    fn leaf_at(&mut self, index: u64) -> Result<Leaf, String> {
        let (number, at) = (index / WIDTH as u64, (index % WIDTH as u64) as usize);
        let held = self
            .bundle
            .as_ref()
            .is_some_and(|(held, entries)| *held == number && at < entries.len());
        if !held {
            let (tile, bytes) = self
                .dir
                .find_tile(Content::Entries, number, index + 1)
                .map_err(|error| error.to_string())?;
            let entries = decode_bundle(&bytes, tile.width).map_err(|error| error.to_string())?;
            self.bundle = Some((number, entries.into_iter().map(<[u8]>::to_vec).collect()));
        }
        let entry = self
            .bundle
            .as_ref()
            .and_then(|(_, entries)| entries.get(at))
            .ok_or("it isn't there")?;
        facts::read(entry).map_err(|error| error.to_string())
    }
}

fn key(evidence: &str) -> Option<[u8; 26]> {
    evidence.as_bytes().try_into().ok()
}
