//! Fixity: everything stored, held against what the log says, file by file and row by row.
//!
//! Without an identity the encrypted files are compared with the digests that the log (bodies) and the catalogue (records,
//! headers) hold. With the identity everything is decrypted too, and compared with what was committed to.
//!
//! Invariant: it changes nothing, goes on after a finding, and calls a check complete only when it looked at everything.

mod doctypes;
mod inspected;

use super::{
    fence,
    record::{self, RecordPlace},
};
use crate::{
    blob::Layout,
    catalog::{
        Catalogue, CatalogueError, accessions, inspections, people,
        placements::{self, StoredFile},
        receipts, reports, search,
    },
    crypto::{BodyReader, Identity, StoredDigest},
    domain::{
        event::{Kind, Leaf, Openings},
        hex,
    },
    tlog::{
        checkpoint::Checkpoint,
        note::{Note, VerifierKey},
        store::LogDir,
        verify::{Observer, verify_log},
    },
};
use ring::digest;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

const READ_BYTES: usize = 256 * 1024;
const BATCH: usize = 256;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The file below the vault, or `catalog.db` with table and row.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// What a check saw.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    /// Files looked at.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Whether everything was looked at.
    pub complete: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What is checked.
pub struct Subject<'a> {
    /// The vault's files.
    pub layout: &'a Layout,
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The log.
    pub log_dir: &'a LogDir,
    /// The log's public key.
    pub verifier: &'a VerifierKey,
    /// Opens records and bodies, if given.
    pub identities: Option<&'a [Identity]>,
}

/// Checks everything. `progress` is told events done and events in all.
pub fn check(subject: &Subject<'_>, progress: &dyn Fn(u64, u64)) -> Report {
    let mut check = Check {
        subject,
        report: Report {
            complete: true,
            ..Report::default()
        },
        progress,
        size: published_size(subject.log_dir),
        keys: BTreeMap::new(),
    };
    let log = verify_log(subject.log_dir, subject.verifier, &[], &[], &mut check);
    for finding in &log.findings {
        check.find(format!("log/{}", finding.path), finding.detail.clone());
    }
    if !log.is_sound() {
        // What couldn't be proved wasn't compared with anything.
        check.report.complete = false;
    }
    let size = log.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    let rest = [
        check.edge_of_log(),
        check.stored_files(size),
        check.keys_of_people(log.is_sound()),
        check.rows_without_events(),
        check.totals(),
        check.structure_of_catalogue(),
        check.extra_files(),
    ];
    for result in rest {
        if let Err(error) = result {
            check.report.complete = false;
            check.find("catalog.db", error.to_string());
        }
    }
    check.report
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    report: Report,
    progress: &'a dyn Fn(u64, u64),
    /// Events that the published log has.
    size: u64,
    /// Fingerprints by person, as the log has them so far.
    keys: BTreeMap<String, BTreeSet<String>>,
}

impl Observer for Check<'_> {
    fn leaf(&mut self, index: u64, entry: &[u8], proven: bool) {
        if !proven {
            return;
        }
        let leaf: Leaf = match serde_json::from_slice(entry) {
            Ok(leaf) => leaf,
            Err(error) => return self.find(format!("log event {index}"), format!("not an event: {error}")),
        };
        if let Err(error) = self.event(index, &leaf) {
            self.report.complete = false;
            self.find(format!("catalog.db event {index}"), error.to_string());
        }
    }

    fn progress(&mut self, done: u64, total: u64) {
        (self.progress)(done, total);
    }
}

impl Check<'_> {
    fn find(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.report.findings.push(Finding {
            path: path.into(),
            what: what.into(),
        });
    }

    /// The catalogue's own copy of the log's right edge.
    fn edge_of_log(&mut self) -> Result<(), CatalogueError> {
        let subject = self.subject;
        for what in fence::edge_findings(subject.catalogue, subject.log_dir, subject.verifier)? {
            self.find("catalog.db log edge", what);
        }
        Ok(())
    }

    /// Whether the log says that a late declaration agreed with this version.
    fn declared_later(&self, evidence: &str, version: i64) -> Result<bool, CatalogueError> {
        let events = self
            .subject
            .catalogue
            .read(|connection| accessions::events_of(connection, evidence))?;
        let declared = events
            .into_iter()
            .filter(|(_, kind, _)| kind == "evidence.declared");
        for (index, _, _) in declared {
            let entry = self.subject.log_dir.leaves(index..index + 1, self.size).next();
            let Some(Ok((_, bytes))) = entry else { continue };
            let Ok(leaf) = serde_json::from_slice::<Leaf>(&bytes) else {
                continue;
            };
            let same = leaf.kind == Kind::EvidenceDeclared
                && leaf.text("evidence") == Some(evidence)
                && leaf.integer("version") == Some(version)
                && leaf.text("result") == Some("match");
            if same {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn event(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        match leaf.kind {
            Kind::EvidenceSealed => {
                self.accession_row(index, leaf)?;
                self.receipt_row(index, leaf)?;
                self.inspection_row(index, leaf)?;
                if leaf.text("deep") == Some("due") {
                    self.still_due(index, index, leaf)?;
                }
                self.evidence(index, leaf)
            }
            Kind::AccessionRejected | Kind::AccessionWithdrawn | Kind::DeclarationReceived => {
                self.accession_row(index, leaf)?;
                if leaf.kind != Kind::AccessionWithdrawn {
                    self.receipt_row(index, leaf)?;
                }
                self.inspection_row(index, leaf)?;
                if let Ok(path) = self.subject.layout.kept_content(&leaf.id) {
                    self.body(&path, leaf)?;
                }
                Ok(())
            }
            Kind::AccessionReceived => {
                self.accession_row(index, leaf)?;
                self.waiting(index, leaf)
            }
            Kind::AccessionDuplicate => {
                self.accession_row(index, leaf)?;
                self.receipt_row(index, leaf)
            }
            Kind::EvidenceDeclared => self.receipt_row(index, leaf),
            Kind::EvidenceInspected => {
                self.inspection_row(index, leaf)?;
                match leaf.text("verdict") {
                    Some("accepted") => Ok(()),
                    _ => self.receipt_row(index, leaf),
                }
            }
            Kind::DerivedMade => self.derived(index, leaf),
            Kind::InspectionRequested => match leaf.integer("of") {
                Some(of) => self.still_due(of.unsigned_abs(), index, leaf),
                None => Ok(()),
            },
            Kind::UserAdded | Kind::UserDisabled => self.person(leaf),
            Kind::UserKeyAdded | Kind::UserKeyRevoked => {
                self.key(leaf);
                Ok(())
            }
            Kind::BranchAdded => self.branch(leaf),
            Kind::DocumentTypesPublished => self.document_types(index, leaf),
            _ => Ok(()),
        }
    }

    /// The evidence row against the leaf and the receipt's openings, then the body it names.
    fn evidence(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let row_name = format!("catalog.db evidence, receipt {index}");
        let (row, receipt) = self.subject.catalogue.read(|connection| {
            Ok((
                search::by_receipt(connection, index)?,
                receipts::by_number(connection, index)?,
            ))
        })?;
        let Some(row) = row else {
            self.find(row_name, "the row is missing");
            return Ok(());
        };
        let raised =
            leaf.text("grade") == Some("server_only") && self.declared_later(&row.id, row.version)?;
        let grade = if raised {
            Some("declared")
        } else {
            leaf.text("grade")
        };
        if grade != Some(&row.grade) {
            self.find(&row_name, "its grade isn't what the log says");
        }
        let asked = leaf.text("verdict") == Some("needs_review");
        let state = if asked || self.review_asked_later(&row.id, row.version)? {
            "needs_review"
        } else {
            "sealed"
        };
        if row.state != state {
            self.find(
                &row_name,
                format!("its state is '{}', which no event of the log says", row.state),
            );
        }
        let texts = [
            ("evidence", row.id.as_str()),
            ("doctype", &row.doctype),
            ("category", &row.category),
            ("branch", &row.branch),
            ("person", &row.person),
            ("key", &row.key_fingerprint),
            ("sha256", &row.sha256),
            ("stored_blake3", &row.stored_blake3),
        ];
        for (name, value) in texts {
            if leaf.text(name) != Some(value) {
                self.find(&row_name, format!("its {name} isn't what the log says"));
            }
        }
        let numbers = [
            ("version", Some(row.version)),
            ("size_bytes", Some(row.size_bytes)),
            ("stored_size_bytes", Some(row.stored_size_bytes)),
            ("started_ms", Some(row.started_ms)),
            ("date", leaf.integer("date").and(Some(row.date))),
        ];
        for (name, value) in numbers {
            if leaf.integer(name) != value {
                self.find(&row_name, format!("its {name} isn't what the log says"));
            }
        }
        if row.sealed_ms != leaf.time_ms
            || row.accession != leaf.id
            || leaf.text("chunk_root") != row.chunk_root.as_deref()
        {
            self.find(
                &row_name,
                "its time, accession or chunk root isn't what the log says",
            );
        }
        let openings: Openings = receipt
            .and_then(|receipt| serde_json::from_str(&receipt.openings).ok())
            .unwrap_or_default();
        let opened = |name: &str| openings.get(name).map(|opening| opening.value.as_str());
        for (name, value) in [
            ("customer", &row.customer),
            ("flow", &row.flow),
            ("seq", &row.seq),
        ] {
            if opened(name) != Some(value) {
                self.find(&row_name, format!("its {name} isn't what the log committed to"));
            }
        }
        if opened("path").map(crate::catalog::project::file_name) != Some(&row.file_name) {
            self.find(&row_name, "its file name isn't what the log committed to");
        }
        // The folder is the committed customer's, whatever the row says.
        let customer = opened("customer").unwrap_or(&row.customer).to_owned();
        let version = leaf
            .integer("version")
            .and_then(|version| u32::try_from(version).ok())
            .unwrap_or(0);
        let evidence = leaf.text("evidence").unwrap_or_default();
        match self.subject.layout.content(&customer, evidence, version) {
            Ok(path) => self.body(&path, leaf),
            Err(error) => {
                self.find(row_name, error.to_string());
                Ok(())
            }
        }
    }

    fn receipt_row(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let name = format!("catalog.db receipt {index}");
        let Some(row) = self
            .subject
            .catalogue
            .read(|connection| receipts::by_number(connection, index))?
        else {
            self.find(name, "the row is missing");
            return Ok(());
        };
        let openings: Openings = serde_json::from_str(&row.openings).unwrap_or_default();
        for (field, commitment) in &leaf.commit {
            if !openings
                .get(field)
                .is_some_and(|opening| opening.verify(field, commitment))
            {
                self.find(
                    &name,
                    format!("its opening of '{field}' isn't what the log committed to"),
                );
            }
        }
        if leaf.text("branch") != Some(&row.branch) {
            self.find(name, "its branch isn't what the log says");
        }
        Ok(())
    }

    fn accession_row(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let name = format!("catalog.db accession {}", leaf.id);
        let Some(row) = self
            .subject
            .catalogue
            .read(|connection| accessions::by_id(connection, &leaf.id))?
        else {
            self.find(name, "the row is missing");
            return Ok(());
        };
        let same = leaf.text("sha256") == Some(&hex::encode(row.sha256))
            && leaf.integer("size_bytes") == i64::try_from(row.size_bytes).ok()
            && leaf.text("person") == Some(&row.person)
            && leaf.text("branch") == Some(&row.branch);
        if !same {
            self.find(&name, "it isn't what the log says");
        }
        if row.leaf_index == index && !state_fits(leaf.kind, &row.state) {
            self.find(
                name,
                format!("its state is '{}', the log says {}", row.state, leaf.kind),
            );
        }
        Ok(())
    }

    /// A waiting upload's body and sidecar must be in staging as long as nothing came after.
    fn waiting(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let row = self
            .subject
            .catalogue
            .read(|connection| accessions::by_id(connection, &leaf.id))?;
        if row.is_none_or(|row| row.state != "received" || row.leaf_index != index) {
            return Ok(());
        }
        let layout = self.subject.layout;
        if let (Ok(body), Ok(sidecar)) = (layout.staged(&leaf.id), layout.sidecar(&leaf.id)) {
            self.body(&body, leaf)?;
            if !sidecar.exists() {
                self.find(self.below(&sidecar), "missing: the upload can't be resumed");
            }
        }
        Ok(())
    }

    fn person(&mut self, leaf: &Leaf) -> Result<(), CatalogueError> {
        let id = leaf.text("person").unwrap_or_default().to_owned();
        let name = format!("catalog.db person {id}");
        let Some(row) = self
            .subject
            .catalogue
            .read(|connection| people::by_id(connection, &id))?
        else {
            self.find(name, "the row is missing");
            return Ok(());
        };
        if leaf.kind == Kind::UserDisabled {
            if row.disabled_ms.is_none() {
                self.find(name, "the log says disabled, the row says active");
            }
            return Ok(());
        }
        let listed = |fact: &str| -> Vec<String> {
            let mut values: Vec<String> = leaf
                .data
                .get(fact)
                .and_then(serde_json::Value::as_array)
                .map(|list| {
                    list.iter()
                        .filter_map(|value| value.as_str().map(str::to_owned))
                        .collect()
                })
                .unwrap_or_default();
            values.sort();
            values
        };
        if listed("roles") != row.roles || leaf.text("branch") != row.branch.as_deref() {
            self.find(name, "its roles or branch aren't what the log says");
        }
        self.keys.insert(id, listed("keys").into_iter().collect());
        Ok(())
    }

    fn key(&mut self, leaf: &Leaf) {
        let (Some(person), Some(key)) = (leaf.text("person"), leaf.text("key")) else {
            return;
        };
        let keys = self.keys.entry(person.to_owned()).or_default();
        if leaf.kind == Kind::UserKeyAdded {
            keys.insert(key.to_owned());
        } else {
            keys.remove(key);
        }
    }

    /// Everybody's keys against what the whole log comes to; of a log with gaps nothing can be said. Where a key was added
    /// or revoked since the check began, the next check compares.
    fn keys_of_people(&mut self, is_sound: bool) -> Result<(), CatalogueError> {
        if !is_sound {
            return Ok(());
        }
        for (id, keys) in std::mem::take(&mut self.keys) {
            let (row, events) = self.subject.catalogue.read(|connection| {
                let row = people::by_id(connection, &id)?;
                Ok((row, accessions::events_of(connection, &id)?))
            })?;
            let changed_since = events.iter().any(|(index, kind, _)| {
                *index >= self.size && matches!(kind.as_str(), "user.key_added" | "user.key_revoked")
            });
            let differ = row.is_some_and(|row| !keys.iter().eq(&row.keys));
            if differ && !changed_since {
                self.find(
                    format!("catalog.db person {id}"),
                    "its keys aren't what the log says",
                );
            }
        }
        Ok(())
    }

    fn branch(&mut self, leaf: &Leaf) -> Result<(), CatalogueError> {
        let code = leaf.text("branch").unwrap_or_default().to_owned();
        if !self
            .subject
            .catalogue
            .read(|connection| people::has_branch(connection, &code))?
        {
            self.find(format!("catalog.db branch {code}"), "the row is missing");
        }
        Ok(())
    }

    /// An encrypted body against the size and digest in its leaf.
    fn body(&mut self, path: &Path, leaf: &Leaf) -> Result<(), CatalogueError> {
        let name = self.below(path);
        if self.is_on_its_way(&name)? {
            return Ok(());
        }
        let wanted = (leaf.integer("stored_size_bytes"), leaf.text("stored_blake3"));
        match digest_file(path) {
            Err(error) => self.unreadable(name, &error),
            Ok((size, blake3)) => {
                self.report.objects += 1;
                self.report.bytes += size;
                if i64::try_from(size).ok() != wanted.0 {
                    self.find(
                        name,
                        format!("it has {size} bytes, the log says {}", wanted.0.unwrap_or(0)),
                    );
                } else if Some(hex::encode(blake3).as_str()) != wanted.1 {
                    self.find(name, "its bytes aren't the ones that were sealed");
                }
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, name: String, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            self.find(name, "missing");
        } else {
            self.report.complete = false;
            self.find(name, format!("can't be read: {error}"));
        }
    }

    /// Records and headers against the catalogue; with the identity, against the log and the original.
    fn stored_files(&mut self, size: u64) -> Result<(), CatalogueError> {
        let mut after = String::new();
        loop {
            let batch = self
                .subject
                .catalogue
                .read(|connection| placements::stored_after(connection, &after, BATCH))?;
            let Some(last) = batch.last() else { return Ok(()) };
            after.clone_from(&last.target);
            for file in &batch {
                self.stored_file(file, size)?;
            }
        }
    }

    fn stored_file(&mut self, file: &StoredFile, size: u64) -> Result<(), CatalogueError> {
        if self.is_on_its_way(&file.target)? {
            return Ok(());
        }
        match digest_file(&self.subject.layout.root().join(&file.target)) {
            Err(error) => {
                self.unreadable(file.target.clone(), &error);
                return Ok(());
            }
            Ok((found, blake3)) => {
                self.report.objects += 1;
                self.report.bytes += found;
                if found != file.size_bytes || blake3 != file.blake3 {
                    self.find(file.target.clone(), "its bytes aren't the ones that were placed");
                }
            }
        }
        let place = RecordPlace::of(self.subject.layout, &file.target);
        if let (Some(identities), Some(place)) = (self.subject.identities, place) {
            self.opened(file, &place, identities, size)?;
        }
        Ok(())
    }

    fn opened(
        &mut self,
        file: &StoredFile,
        place: &RecordPlace,
        identities: &[Identity],
        size: u64,
    ) -> Result<(), CatalogueError> {
        let (record, file_key) = match record::open(place, identities) {
            Ok(opened) => opened,
            Err(error) => {
                self.find(file.target.clone(), error.to_string());
                return Ok(());
            }
        };
        let entry = self
            .subject
            .log_dir
            .leaves(file.leaf_index..file.leaf_index.saturating_add(1), size)
            .next();
        let Some(Ok((_, bytes))) = entry else {
            self.find(
                file.target.clone(),
                "the event it belongs to can't be read from the log",
            );
            return Ok(());
        };
        let Ok(leaf) = serde_json::from_slice::<Leaf>(&bytes) else {
            return Ok(());
        };
        for what in record::mismatches(&record, file.leaf_index, &bytes, &leaf) {
            self.find(file.target.clone(), what);
        }
        self.names(&leaf, &record)?;
        let Some(content) = &place.content else {
            return Ok(());
        };
        let name = self.below(content);
        if self.is_on_its_way(&name)? {
            return Ok(());
        }
        match sha256_of_original(content, &file_key) {
            Ok(sha256) if leaf.text("sha256") == Some(sha256.as_str()) => {}
            Ok(_) => self.find(name, "the original it holds isn't the one that was received"),
            Err(error) => self.find(name, format!("it doesn't decrypt: {error}")),
        }
        Ok(())
    }

    /// Names of people and branches, which only their records can prove.
    fn names(&mut self, leaf: &Leaf, record: &crate::domain::event::Record) -> Result<(), CatalogueError> {
        match leaf.kind {
            Kind::UserAdded => {
                let id = leaf.text("person").unwrap_or_default();
                let row = self
                    .subject
                    .catalogue
                    .read(|connection| people::by_id(connection, id))?;
                let same = row.is_some_and(|row| {
                    record.opened("name") == Some(&row.name) && record.opened("nda") == Some(&row.nda)
                });
                if !same {
                    self.find(
                        format!("catalog.db person {id}"),
                        "its name or agreement isn't what the log committed to",
                    );
                }
            }
            Kind::BranchAdded => {
                let code = leaf.text("branch").unwrap_or_default();
                let branches = self.subject.catalogue.read(people::branches)?;
                let same = branches
                    .iter()
                    .any(|branch| branch.code == code && record.opened("name") == Some(&branch.name));
                if !same {
                    self.find(
                        format!("catalog.db branch {code}"),
                        "its name isn't what the log committed to",
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Rows that no event stands for.
    fn rows_without_events(&mut self) -> Result<(), CatalogueError> {
        let tables = [
            (
                "evidence",
                "SELECT leaf_index FROM evidence WHERE NOT EXISTS (SELECT 1 FROM event WHERE \
             event.leaf_index = evidence.leaf_index AND event.kind = 'evidence.sealed')",
            ),
            (
                "receipt",
                "SELECT leaf_index FROM receipt WHERE NOT EXISTS (SELECT 1 FROM event WHERE \
             event.leaf_index = receipt.leaf_index)",
            ),
            (
                "document_types",
                "SELECT leaf_index FROM document_types WHERE NOT EXISTS (SELECT 1 FROM event WHERE \
             event.leaf_index = document_types.leaf_index AND event.kind = 'document_types.published')",
            ),
            (
                "inspection",
                "SELECT leaf_index FROM inspection WHERE NOT EXISTS (SELECT 1 FROM event WHERE \
             event.leaf_index = inspection.leaf_index AND event.kind IN \
             ('evidence.sealed', 'accession.rejected', 'evidence.inspected'))",
            ),
            (
                "inspection_due",
                "SELECT receipt FROM inspection_due WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.leaf_index = \
             inspection_due.since AND event.kind IN ('evidence.sealed', 'inspection.requested'))",
            ),
            (
                "derived",
                "SELECT leaf_index FROM derived WHERE NOT EXISTS (SELECT 1 FROM event WHERE \
             event.leaf_index = derived.leaf_index AND event.kind = 'derived.made')",
            ),
            (
                "person",
                "SELECT added_index FROM person WHERE NOT EXISTS (SELECT 1 FROM event WHERE \
             event.leaf_index = person.added_index AND event.kind = 'user.added' AND event.subject = person.id)",
            ),
            (
                "person (disabled)",
                "SELECT disabled_index FROM person WHERE disabled_index IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM event WHERE event.leaf_index = person.disabled_index AND event.kind = 'user.disabled')",
            ),
        ];
        for (table, sql) in tables {
            let rows: Vec<i64> = self.subject.catalogue.read(|connection| {
                let mut query = connection.prepare(sql)?;
                let rows = query
                    .query_map([], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })?;
            for row in rows {
                self.find(
                    format!("catalog.db {table} {row}"),
                    "no event of the log stands for this row",
                );
            }
        }
        Ok(())
    }

    /// What is counted against what there is.
    fn totals(&mut self) -> Result<(), CatalogueError> {
        for branch in self.subject.catalogue.read(reports::wrong_totals)? {
            self.find(
                format!("catalog.db sealed_total '{branch}'"),
                "it isn't what the rows of evidence come to",
            );
        }
        Ok(())
    }

    /// SQLite's own check of the file.
    fn structure_of_catalogue(&mut self) -> Result<(), CatalogueError> {
        let lines: Vec<String> = self.subject.catalogue.read(|connection| {
            let mut query = connection.prepare("PRAGMA integrity_check")?;
            let lines = query
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(lines)
        })?;
        for line in lines.into_iter().filter(|line| line != "ok") {
            self.find("catalog.db", line);
        }
        Ok(())
    }

    /// Files that nothing promised.
    fn extra_files(&mut self) -> Result<(), CatalogueError> {
        let layout = self.subject.layout;
        for folder in [
            layout.objects(),
            layout.headers(),
            layout.kept(),
            layout.registry(),
        ] {
            let mut folders = vec![folder];
            while let Some(folder) = folders.pop() {
                let entries = match fs::read_dir(&folder) {
                    Ok(entries) => entries,
                    Err(error) => {
                        self.unreadable(self.below(&folder), &error);
                        continue;
                    }
                };
                for entry in entries.flatten() {
                    let path = entry.path();
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() => folders.push(path),
                        Ok(kind) if kind.is_file() => self.extra_file(&path)?,
                        _ => self.find(self.below(&path), "neither a file nor a folder"),
                    }
                }
            }
        }
        Ok(())
    }

    fn extra_file(&mut self, path: &Path) -> Result<(), CatalogueError> {
        let name = self.below(path);
        let parts: Vec<&str> = name.split('/').collect();
        let known = match parts.as_slice() {
            ["objects", customer, evidence, version, "content"] => {
                let versions = self
                    .subject
                    .catalogue
                    .read(|connection| search::versions(connection, evidence))?;
                versions
                    .iter()
                    .any(|row| row.customer == *customer && format!("v{}", row.version) == *version)
            }
            ["objects", customer, evidence, version, "derived", id] => {
                let (row, versions) = self.subject.catalogue.read(|connection| {
                    Ok((
                        inspections::derived_by_id(connection, id)?,
                        search::versions(connection, evidence)?,
                    ))
                })?;
                row.is_some_and(|row| {
                    row.evidence == *evidence
                        && format!("v{}", row.version) == *version
                        && versions
                            .iter()
                            .any(|sealed| sealed.version == row.version && sealed.customer == *customer)
                })
            }
            ["kept", accession, "content"] => {
                let row = self
                    .subject
                    .catalogue
                    .read(|connection| accessions::by_id(connection, accession))?;
                row.is_some_and(|row| matches!(row.state.as_str(), "rejected" | "withdrawn" | "declaration"))
            }
            _ => self
                .subject
                .catalogue
                .read(|connection| placements::is_stored(connection, &name))?,
        };
        // A file that is being placed right now may still have its temporary beside it.
        let temporary = path.extension().is_some_and(|extension| extension == "tmp");
        if !known && !temporary {
            self.find(name, "extra: nothing in the log stands for it");
        }
        Ok(())
    }

    fn is_on_its_way(&self, target: &str) -> Result<bool, CatalogueError> {
        self.subject
            .catalogue
            .read(|connection| placements::is_pending(connection, target))
    }

    fn below(&self, path: &Path) -> String {
        let below: PathBuf = path
            .strip_prefix(self.subject.layout.root())
            .map_or_else(|_| path.to_owned(), Path::to_owned);
        below.to_string_lossy().into_owned()
    }
}

/// The size that the published checkpoint names; what it is worth, the check of the log says.
fn published_size(dir: &LogDir) -> u64 {
    let note = dir
        .checkpoint()
        .ok()
        .flatten()
        .and_then(|bytes| Note::parse(&bytes).ok());
    note.and_then(|note| Checkpoint::parse(note.text()).ok())
        .map_or(0, |checkpoint| checkpoint.size)
}

fn state_fits(kind: Kind, state: &str) -> bool {
    match kind {
        Kind::EvidenceSealed => state == "sealed",
        Kind::AccessionReceived => matches!(state, "received" | "replaced"),
        Kind::AccessionRejected => state == "rejected",
        Kind::AccessionDuplicate => state == "duplicate",
        Kind::AccessionWithdrawn => state == "withdrawn",
        Kind::DeclarationReceived => state == "declaration",
        _ => false,
    }
}

/// Size in bytes and BLAKE3 of a file.
///
/// # Errors
/// When it can't be read.
pub fn digest_file(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut digest = StoredDigest::new();
    let mut buffer = vec![0u8; READ_BYTES];
    let mut size = 0u64;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, digest.finish()));
        }
        digest.update(&buffer[..read]);
        size += read as u64;
    }
}

fn sha256_of_original(path: &Path, file_key: &crate::crypto::FileKey) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut stream = BodyReader::open(file_key, file)
        .map_err(|error| error.to_string())?
        .into_stream();
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0u8; READ_BYTES];
    loop {
        let read = stream.read(&mut buffer).map_err(|error| error.to_string())?;
        if read == 0 {
            return Ok(hex::encode(context.finish()));
        }
        context.update(&buffer[..read]);
    }
}
