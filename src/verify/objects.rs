//! A copy of a vault's `objects`, held against the log without any key that opens it: every sealed version is there, with
//! the size and the BLAKE3 that its leaf says, and nothing else is.
//!
//! The customer's number is no part of a leaf, so the folders are indexed by evidence id first; memory grows with them.

use super::{
    Keys, Report, facts,
    input::{self, InputError},
    log::{self, Options},
};
use crate::{
    domain::{
        event::{Kind, Leaf},
        hex,
    },
    tlog::store::LogDir,
};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::{Path, PathBuf},
};

/// The folder of a piece of evidence, and how many versions the log seals.
struct Folder {
    path: PathBuf,
    versions: u64,
    /// Ids of the copies made from it.
    derived: BTreeSet<String>,
}

/// Checks the bodies under `objects` against the log in `dir`. `progress` is told of every piece of bytes read.
///
/// # Errors
/// When `objects` can't be read at all.
pub fn check(
    objects: &Path,
    dir: &LogDir,
    keys: &Keys,
    evidence_limit: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, InputError> {
    let mut report = Report::new(objects.display().to_string());
    let mut store = Store {
        root: objects,
        folders: BTreeMap::new(),
        bodies: 0,
        bytes: 0,
        report: Report::new("objects"),
    };
    store.index()?;
    let mut each = |index: u64, leaf: &Leaf| {
        if leaf.kind == Kind::EvidenceSealed {
            store.body(index, leaf, progress);
        } else if leaf.kind == Kind::DerivedMade {
            store.derived(index, leaf, progress);
        }
    };
    let options = Options {
        older: &[],
        evidence_limit,
        each: &mut each,
        progress: &mut |_, _| {},
    };
    report.absorb(log::check(dir, keys, options));
    if keys.log.is_some() {
        store.extra();
        let (bodies, bytes) = (store.bodies, store.bytes);
        store.report.passed(
            "bodies",
            format!("{bodies} bodies, {bytes} bytes, are what their leaves say"),
        );
        report.meaning = Some(super::Meaning {
            en: format!("all {bodies} sealed bodies are there, unchanged since they were sealed"),
            zh: format!("全部 {bodies} 份已封存的密文均在，且自封存以来未改变"),
        });
    }
    store.report.limit(
        "records",
        "their digests are not in the log; who holds the identity can open them",
    );
    report.absorb(store.report);
    Ok(report)
}

struct Store<'a> {
    root: &'a Path,
    folders: BTreeMap<String, Folder>,
    bodies: u64,
    bytes: u64,
    report: Report,
}

impl Store<'_> {
    /// `objects/<customer>/<evidence>`: which folder is whose.
    fn index(&mut self) -> Result<(), InputError> {
        for (customer, kind) in input::list(self.root)? {
            if !kind.is_dir() {
                self.fault(&customer, "extra: no folder of a customer");
                continue;
            }
            for (path, kind) in self.listed(&customer) {
                if !kind.is_dir() {
                    self.fault(&path, "extra: no folder of a piece of evidence");
                    continue;
                }
                match self.folders.entry(name(&path)) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(Folder {
                            path,
                            versions: 0,
                            derived: BTreeSet::new(),
                        });
                    }
                    Entry::Occupied(_) => self.fault(&path, "extra: another customer has the same evidence"),
                }
            }
        }
        Ok(())
    }

    /// One sealed version.
    fn body(&mut self, index: u64, leaf: &Leaf, progress: &mut dyn FnMut(u64)) {
        let (Some(evidence), Some(version), Some(size_bytes), Some(digest)) = (
            leaf.text("evidence"),
            facts::count(leaf, "version"),
            facts::count(leaf, "stored_size_bytes"),
            leaf.text("stored_blake3"),
        ) else {
            return;
        };
        let Some(folder) = self.folders.get_mut(evidence) else {
            let detail = format!("missing: leaf {index} sealed version {version}");
            return self.report.failed(format!("…/{evidence}"), detail);
        };
        folder.versions = folder.versions.max(version);
        let version_folder = folder.path.join(format!("v{version}"));
        let content = version_folder.join("content");
        self.held_against(&content, index, (size_bytes, digest), progress);
        match std::fs::symlink_metadata(version_folder.join("record")) {
            Ok(metadata) if metadata.is_file() => {}
            _ => self.fault(
                &version_folder.join("record"),
                format!("missing: leaf {index} promised it"),
            ),
        }
    }

    /// One copy made from a sealed version.
    fn derived(&mut self, index: u64, leaf: &Leaf, progress: &mut dyn FnMut(u64)) {
        let (Some(evidence), Some(version), Some(size_bytes), Some(digest)) = (
            leaf.text("evidence"),
            facts::count(leaf, "version"),
            facts::count(leaf, "stored_size_bytes"),
            leaf.text("stored_blake3"),
        ) else {
            return;
        };
        let Some(folder) = self.folders.get_mut(evidence) else {
            // That its evidence is missing is said where that was sealed.
            return;
        };
        folder.derived.insert(leaf.id.clone());
        let path = folder.path.join(format!("v{version}/derived")).join(&leaf.id);
        self.held_against(&path, index, (size_bytes, digest), progress);
    }

    fn held_against(
        &mut self,
        path: &Path,
        index: u64,
        (size_bytes, digest): (u64, &str),
        progress: &mut dyn FnMut(u64),
    ) {
        match input::digest_stored(path, progress) {
            Ok((size, found)) if size == size_bytes && hex::encode(found) == digest => {
                self.bodies += 1;
                self.bytes = self.bytes.saturating_add(size);
            }
            Ok((size, found)) => {
                let found = hex::encode(found);
                let detail = format!(
                    "damaged: it has {size} bytes with BLAKE3 {found}; leaf {index} says {size_bytes} with {digest}"
                );
                self.fault(path, detail);
            }
            Err(InputError::Missing(_)) => self.fault(path, format!("missing: sealed by leaf {index}")),
            Err(error) => self.fault(path, format!("unreadable: {error}")),
        }
    }

    /// What no leaf speaks of.
    fn extra(&mut self) {
        let folders = std::mem::take(&mut self.folders);
        for Folder {
            path,
            versions,
            derived,
        } in folders.into_values()
        {
            if versions == 0 {
                self.fault(&path, "extra: no leaf seals it");
                continue;
            }
            for (version, kind) in self.listed(&path) {
                let number = name(&version)
                    .strip_prefix('v')
                    .and_then(|number| number.parse::<u64>().ok());
                let expected = number.is_some_and(|number| (1..=versions).contains(&number));
                if !kind.is_dir() || !expected || name(&version) != format!("v{}", number.unwrap_or_default())
                {
                    self.fault(&version, "extra: no leaf seals it");
                    continue;
                }
                for (file, kind) in self.listed(&version) {
                    if name(&file) == "derived" && kind.is_dir() {
                        for (copy, _) in self.listed(&file) {
                            if !derived.contains(&name(&copy)) {
                                self.fault(&copy, "extra: no leaf speaks of such a copy");
                            }
                        }
                    } else if !["content", "record"].contains(&name(&file).as_str()) {
                        self.fault(&file, "extra: no part of a version");
                    }
                }
            }
        }
    }

    /// A folder's entries; one that can't be read is a finding.
    fn listed(&mut self, folder: &Path) -> Vec<(PathBuf, std::fs::FileType)> {
        input::list(folder).unwrap_or_else(|error| {
            self.fault(folder, format!("unreadable: {error}"));
            Vec::new()
        })
    }

    fn fault(&mut self, path: &Path, detail: impl AsRef<str>) {
        let below = path.strip_prefix(self.root).unwrap_or(path);
        self.report.failed(below.display().to_string(), detail);
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
