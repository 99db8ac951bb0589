//! Rebuild: the catalogue made again from the log, the store and the identity, by the same fold that a commit uses.
//!
//! The log says what happened and in which order; the records, once opened, say what the log only committed to. What is
//! missing, extra or altered is named; what can be brought back is.

use super::{
    fixity::{Finding, digest_file},
    record::{self, RecordPlace},
};
use crate::{
    blob::Layout,
    catalog::{
        CatalogueError, Writer, inspections, log_edge,
        placements::{self, StoredFile},
        project, search,
    },
    crypto::Identity,
    domain::{
        event::{Kind, Leaf, Record},
        hex,
        time::Zone,
    },
    tlog::{
        note::VerifierKey,
        store::{LogDir, StoreError},
        tile::{LEVELS, level_count, partial_width},
        tree::TreeTail,
        verify::verify_log,
    },
};
use rusqlite::{OptionalExtension, params};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Events applied in one transaction.
const BATCH: u64 = 2_000;

/// What a rebuild needs.
pub struct Source<'a> {
    /// The vault's files.
    pub layout: &'a Layout,
    /// The log's origin line.
    pub origin: &'a str,
    /// The vault's zone.
    pub zone: Zone,
    /// The log.
    pub log_dir: &'a LogDir,
    /// The log's public key.
    pub verifier: &'a VerifierKey,
    /// Opens the records.
    pub identities: &'a [Identity],
}

/// What was made.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Rebuilt {
    /// Events in the log.
    pub leaves: u64,
    /// Sealed versions brought back.
    pub evidence: u64,
    /// What is missing, extra or altered.
    pub findings: Vec<Finding>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is a catalogue.
    #[error("{0} exists: a rebuild overwrites nothing. Move it away first if it is damaged")]
    Exists(PathBuf),
    /// The log itself is damaged.
    #[error("the log can't be trusted, so nothing is rebuilt from it: {0}. Restore log/ from a copy first")]
    Log(String),
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The new catalogue can't be written.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The store can't be walked.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl From<rusqlite::Error> for RebuildError {
    fn from(error: rusqlite::Error) -> Self {
        RebuildError::Catalogue(error.into())
    }
}

/// Makes `catalog.db` again. The caller holds the vault's lock. A crash leaves `catalog.db.rebuild`, which the next try
/// removes.
///
/// # Errors
/// When there is a catalogue already, or the log isn't whole.
pub fn rebuild(source: &Source<'_>, progress: &dyn Fn(u64, u64)) -> Result<Rebuilt, RebuildError> {
    let target = source.layout.catalog();
    if target.exists() {
        return Err(RebuildError::Exists(target));
    }
    let log = verify_log(source.log_dir, source.verifier, &[], &[], &mut ());
    let Some(checkpoint) = log.checkpoint.clone().filter(|_| log.is_sound()) else {
        let first = log.findings.first().map_or_else(
            || "there is no signed checkpoint".to_owned(),
            |finding| format!("{}: {}", finding.path, finding.detail),
        );
        return Err(RebuildError::Log(first));
    };
    let note = source.log_dir.checkpoint()?.unwrap_or_default();

    let draft = target.with_extension("db.rebuild");
    remove_with(&draft, &["", "-wal", "-shm"])?;
    let writer = Writer::create(&draft, source.origin)?;
    let mut work = Work {
        source,
        writer,
        report: Rebuilt {
            leaves: checkpoint.size,
            ..Rebuilt::default()
        },
    };
    work.collect_records()?;
    work.replay(checkpoint.size, progress)?;
    work.edge(checkpoint.size, &String::from_utf8_lossy(&note))?;
    work.records_without_events()?;
    work.extra_files()?;
    let Work { writer, report, .. } = work;
    writer
        .connection
        .execute_batch("DROP TABLE found_record; PRAGMA wal_checkpoint(TRUNCATE);")?;
    drop(writer);
    // SQLite would read what the lost catalogue left beside it into the new one.
    remove_with(&target, &["-wal", "-shm"])?;
    fs::rename(&draft, &target)
        .and_then(|()| fs::File::open(source.layout.root())?.sync_all())
        .map_err(|error| RebuildError::Io { path: target, error })?;
    Ok(report)
}

/// Removes what is there of a database file and the files beside it.
fn remove_with(database: &Path, suffixes: &[&str]) -> Result<(), RebuildError> {
    for suffix in suffixes {
        let path = PathBuf::from(format!("{}{suffix}", database.display()));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(RebuildError::Io { path, error });
            }
            _ => {}
        }
    }
    Ok(())
}

struct Work<'a> {
    source: &'a Source<'a>,
    writer: Writer,
    report: Rebuilt,
}

impl Work<'_> {
    fn find(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.report.findings.push(Finding {
            path: path.into(),
            what: what.into(),
        });
    }

    /// Opens every record once to learn which event it belongs to. The table goes again; memory doesn't grow.
    fn collect_records(&mut self) -> Result<(), RebuildError> {
        self.writer.connection.execute_batch(
            "CREATE TABLE found_record (leaf_index INTEGER PRIMARY KEY, target TEXT NOT NULL, used INTEGER NOT NULL) STRICT; \
             BEGIN IMMEDIATE;",
        )?;
        let layout = self.source.layout;
        for folder in [layout.registry(), layout.kept(), layout.objects()] {
            for path in files_below(&folder)? {
                let name = self.below(&path);
                let Some(place) = RecordPlace::of(layout, &name) else {
                    continue;
                };
                match record::open(&place, self.source.identities) {
                    Err(error) => self.find(name, error.to_string()),
                    Ok((record, _)) => {
                        let added = self.writer.connection.execute(
                            "INSERT OR IGNORE INTO found_record (leaf_index, target, used) VALUES (?1, ?2, 0)",
                            params![project::signed(record.leaf_index), name],
                        )?;
                        if added == 0 {
                            self.find(
                                name,
                                format!(
                                    "another record says it belongs to event {} too",
                                    record.leaf_index
                                ),
                            );
                        }
                    }
                }
            }
        }
        self.writer.connection.execute_batch("COMMIT")?;
        Ok(())
    }

    fn replay(&mut self, size: u64, progress: &dyn Fn(u64, u64)) -> Result<(), RebuildError> {
        self.writer.connection.execute_batch("BEGIN IMMEDIATE")?;
        for entry in self.source.log_dir.leaves(0..size, size) {
            let (index, bytes) = entry?;
            match serde_json::from_slice::<Leaf>(&bytes) {
                Ok(leaf) => self.apply(index, &bytes, &leaf)?,
                Err(error) => self.find(format!("log event {index}"), format!("not an event: {error}")),
            }
            if index % BATCH == BATCH - 1 {
                self.writer.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
                progress(index + 1, size);
            }
        }
        project::close_batch(&self.writer.connection, 0, size)?;
        self.writer.connection.execute_batch("COMMIT")?;
        progress(size, size);
        Ok(())
    }

    fn apply(&mut self, index: u64, bytes: &[u8], leaf: &Leaf) -> Result<(), RebuildError> {
        let subject = ["evidence", "person", "branch"]
            .into_iter()
            .find_map(|name| leaf.text(name))
            .unwrap_or(&leaf.id);
        let name = format!("event {index} ({} {subject})", leaf.kind);
        let record = self.record(index, bytes, leaf)?;
        if record.is_none() && needs_record(leaf) {
            self.find(
                name.as_str(),
                "its record is missing or doesn't open, so what it did can't be brought back",
            );
            if !acts_without_record(leaf.kind) {
                return Ok(());
            }
        }
        self.writer.connection.execute_batch("SAVEPOINT event")?;
        match project::apply(
            &self.writer.connection,
            self.source.zone,
            index,
            leaf,
            record.as_ref(),
        ) {
            Ok(()) => self.writer.connection.execute_batch("RELEASE event")?,
            Err(error) => {
                self.writer
                    .connection
                    .execute_batch("ROLLBACK TO event; RELEASE event")?;
                self.find(name, error.to_string());
                return Ok(());
            }
        }
        match leaf.kind {
            Kind::EvidenceSealed => self.report.evidence += 1,
            Kind::DerivedMade => self.derived(leaf)?,
            _ => {}
        }
        Ok(())
    }

    /// The record of an event, checked against it, with its files remembered and its body looked for.
    fn record(&mut self, index: u64, bytes: &[u8], leaf: &Leaf) -> Result<Option<Record>, RebuildError> {
        let target: Option<String> = self
            .writer
            .connection
            .prepare_cached("SELECT target FROM found_record WHERE leaf_index = ?1")?
            .query_row([project::signed(index)], |row| row.get(0))
            .optional()?;
        let Some(target) = target else { return Ok(None) };
        let Some(place) = RecordPlace::of(self.source.layout, &target) else {
            return Ok(None);
        };
        let record = match record::open(&place, self.source.identities) {
            Ok((record, _)) => record,
            Err(error) => {
                self.find(target, error.to_string());
                return Ok(None);
            }
        };
        let wrong = record::mismatches(&record, index, bytes, leaf);
        if !wrong.is_empty() {
            self.find(target, wrong.join("; "));
            return Ok(None);
        }
        self.writer.connection.execute(
            "UPDATE found_record SET used = 1 WHERE leaf_index = ?1",
            [project::signed(index)],
        )?;
        for path in [&place.record, &place.header] {
            let stored = fs::read(path).map_err(|error| RebuildError::Io {
                path: path.clone(),
                error,
            })?;
            let file = StoredFile {
                target: self.below(path),
                leaf_index: index,
                size_bytes: stored.len() as u64,
                blake3: *blake3::hash(&stored).as_bytes(),
            };
            placements::insert_stored(&self.writer.connection, &file)?;
        }
        if let Some(content) = &place.content {
            self.body(content, leaf);
        }
        Ok(Some(record))
    }

    /// Whether a copy that was made from an original is there as it was made.
    fn derived(&mut self, leaf: &Leaf) -> Result<(), RebuildError> {
        let evidence = leaf.text("evidence").unwrap_or_default();
        let version = leaf.integer("version").unwrap_or_default();
        let versions = search::versions(&self.writer.connection, evidence)?;
        let number = u32::try_from(version).unwrap_or(0);
        let place = versions
            .iter()
            .find(|row| row.version == version)
            .and_then(|row| {
                let layout = self.source.layout;
                layout.derived(&row.customer, evidence, number, &leaf.id).ok()
            });
        if let Some(path) = place {
            self.body(&path, leaf);
        }
        Ok(())
    }

    /// An encrypted body against the size and digest in its leaf.
    fn body(&mut self, path: &Path, leaf: &Leaf) {
        let name = self.below(path);
        match digest_file(path) {
            Ok((size, blake3)) => {
                let wanted = (leaf.integer("stored_size_bytes"), leaf.text("stored_blake3"));
                if i64::try_from(size).ok() != wanted.0 || Some(hex::encode(blake3).as_str()) != wanted.1 {
                    self.find(name, "its bytes aren't the ones that were sealed");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.find(name, "missing"),
            Err(error) => self.find(name, error.to_string()),
        }
    }

    /// The log's right edge, from its tiles.
    fn edge(&mut self, size: u64, note: &str) -> Result<(), RebuildError> {
        let connection = &self.writer.connection;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let full = size / 256 * 256;
        for entry in self.source.log_dir.leaves(full..size, size) {
            let (index, bytes) = entry?;
            log_edge::insert_leaf(connection, index, &bytes)?;
        }
        let tail = TreeTail::read(size, &mut self.source.log_dir.reader(size))?;
        for level in 0..LEVELS as u8 {
            let first = level_count(size, level) - partial_width(size, level) as u64;
            for (at, hash) in tail
                .tails()
                .get(usize::from(level))
                .into_iter()
                .flatten()
                .enumerate()
            {
                log_edge::insert_hash(connection, level, first + at as u64, hash)?;
            }
        }
        log_edge::insert_checkpoint(connection, size, note)?;
        log_edge::prune(connection, size)?;
        connection.execute_batch("COMMIT")?;
        Ok(())
    }

    fn records_without_events(&mut self) -> Result<(), RebuildError> {
        let unused: Vec<(i64, String)> = {
            let mut query = self
                .writer
                .connection
                .prepare("SELECT leaf_index, target FROM found_record WHERE used = 0 ORDER BY leaf_index")?;
            query
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?
        };
        for (index, target) in unused {
            self.find(
                target,
                format!("extra: it says it belongs to event {index}, which the log doesn't confirm"),
            );
        }
        Ok(())
    }

    /// Bodies and headers whose record no event stands for.
    fn extra_files(&mut self) -> Result<(), RebuildError> {
        let layout = self.source.layout;
        for folder in [layout.objects(), layout.kept(), layout.headers()] {
            for path in files_below(&folder)? {
                let name = self.below(&path);
                let proof = match name.strip_suffix("/content") {
                    Some(folder) => format!("{folder}/record"),
                    None => name.clone(),
                };
                let is_record = name.ends_with("/record");
                if self.is_derived(&name)? {
                    continue;
                }
                if !is_record && !placements::is_stored(&self.writer.connection, &proof)? {
                    self.find(name, "extra: nothing in the log stands for it");
                }
            }
        }
        Ok(())
    }

    /// Whether a copy that the log speaks of belongs at this path.
    fn is_derived(&self, name: &str) -> Result<bool, RebuildError> {
        let parts: Vec<&str> = name.split('/').collect();
        let ["objects", customer, evidence, version, "derived", id] = parts.as_slice() else {
            return Ok(false);
        };
        let connection = &self.writer.connection;
        let Some(row) = inspections::derived_by_id(connection, id)? else {
            return Ok(false);
        };
        let belongs = row.evidence == *evidence && format!("v{}", row.version) == *version;
        let versions = search::versions(connection, evidence)?;
        Ok(belongs
            && versions
                .iter()
                .any(|sealed| sealed.version == row.version && sealed.customer == *customer))
    }

    fn below(&self, path: &Path) -> String {
        path.strip_prefix(self.source.layout.root())
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }
}

/// Whether an event changes rows with what only its record knows.
fn needs_record(leaf: &Leaf) -> bool {
    !leaf.commit.is_empty() || matches!(leaf.kind, Kind::DocumentTypesPublished | Kind::UserKeyAdded)
}

/// Whether an event still does something when its record is lost. Of a table of document types the number remains, which
/// must never be given again; a lost password, app secret or invitation still replaces the one before it; and a code or
/// counter that was used stays used.
fn acts_without_record(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DocumentTypesPublished
            | Kind::UserKeyAdded
            | Kind::UserInvited
            | Kind::UserPasswordSet
            | Kind::UserTotpEnrolled
            | Kind::UserPasskeyAdded
            | Kind::UserSignedIn
            | Kind::TokenIssued
    )
}

/// Every file below a folder, in a stable order.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, RebuildError> {
    let failed = |error| RebuildError::Io {
        path: folder.to_owned(),
        error,
    };
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
