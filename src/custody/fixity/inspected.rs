//! Fixity of what inspections left: their rows, the queue, and the copies made from originals.

use super::{Check, sha256_of_original};
use crate::{
    catalog::{CatalogueError, accessions, inspections, search},
    crypto::header,
    domain::event::{Kind, Leaf},
};
use std::fs;

impl Check<'_> {
    /// The row of an inspection against the leaf that has one.
    pub(super) fn inspection_row(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let row = self
            .subject
            .catalogue
            .read(|connection| inspections::by_leaf(connection, index))?;
        let name = format!("catalog.db inspection {index}");
        match (leaf.text("verdict"), row) {
            (None, None) => {}
            (None, Some(_)) => self.find(name, "the log says nothing of an inspection there"),
            (Some(_), None) => self.find(name, "the row is missing"),
            (Some(verdict), Some(row)) => {
                let findings = leaf.data.get("findings").map(ToString::to_string);
                let tier = leaf.text("tier").unwrap_or("gate");
                if row.verdict != verdict
                    || row.tier != tier
                    || findings.as_deref() != Some(&row.findings)
                    || leaf.integer("types_version") != Some(row.types_version)
                {
                    self.find(name, "it isn't what the log says");
                }
            }
        }
        Ok(())
    }

    /// Whether the log says that a later inspection of this version asked for a person's look.
    pub(super) fn review_asked_later(&self, evidence: &str, version: i64) -> Result<bool, CatalogueError> {
        self.inspected(evidence, |leaf| {
            leaf.integer("version") == Some(version) && leaf.text("verdict") == Some("needs_review")
        })
    }

    /// A version that became due at `since` is inspected later in the log, or still in the queue.
    pub(super) fn still_due(&mut self, receipt: u64, since: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let due = self
            .subject
            .catalogue
            .read(|connection| inspections::due_of(connection, receipt))?;
        if due.is_some_and(|due| due.since >= since) {
            return Ok(());
        }
        let answers = |later: &Leaf| {
            let number = |name: &str| later.integer(name).map(i64::unsigned_abs);
            number("of") == Some(receipt) && number("due").is_some_and(|due| due >= since)
        };
        if !self.inspected(leaf.text("evidence").unwrap_or_default(), answers)? {
            self.find(
                format!("catalog.db inspection_due {receipt}"),
                "the row is missing: the version still waits for its background inspection",
            );
        }
        Ok(())
    }

    /// Whether the log holds such an `evidence.inspected`.
    fn inspected(&self, evidence: &str, is_it: impl Fn(&Leaf) -> bool) -> Result<bool, CatalogueError> {
        let events = self
            .subject
            .catalogue
            .read(|connection| accessions::events_of(connection, evidence))?;
        for (index, kind, _) in events {
            if kind != "evidence.inspected" {
                continue;
            }
            let entry = self.subject.log_dir.leaves(index..index + 1, self.size).next();
            let Some(Ok((_, bytes))) = entry else { continue };
            let found = serde_json::from_slice::<Leaf>(&bytes).is_ok_and(|leaf| {
                leaf.kind == Kind::EvidenceInspected
                    && leaf.text("evidence") == Some(evidence)
                    && is_it(&leaf)
            });
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A copy made from an original: its row, its stored bytes, and with the identity what they decrypt to.
    pub(super) fn derived(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let evidence = leaf.text("evidence").unwrap_or_default();
        let version = leaf.integer("version").unwrap_or_default();
        let (row, versions) = self.subject.catalogue.read(|connection| {
            Ok((
                inspections::derived_by_id(connection, &leaf.id)?,
                search::versions(connection, evidence)?,
            ))
        })?;
        let name = format!("catalog.db derived {index}");
        match row {
            None => self.find(name, "the row is missing"),
            Some(row) => {
                let texts = [
                    ("evidence", &row.evidence),
                    ("form", &row.form),
                    ("media_type", &row.media_type),
                    ("sha256", &row.sha256),
                    ("stored_blake3", &row.stored_blake3),
                ];
                let numbers = [
                    ("version", row.version),
                    ("size_bytes", row.size_bytes),
                    ("stored_size_bytes", row.stored_size_bytes),
                ];
                let same = row.leaf == index
                    && texts.iter().all(|(fact, value)| leaf.text(fact) == Some(value))
                    && numbers
                        .iter()
                        .all(|(fact, value)| leaf.integer(fact) == Some(*value));
                if !same {
                    self.find(name, "it isn't what the log says");
                }
            }
        }
        // Where its evidence is missing, that is a finding of its own.
        let Some(sealed) = versions.iter().find(|row| row.version == version) else {
            return Ok(());
        };
        let layout = self.subject.layout;
        let number = u32::try_from(version).unwrap_or(0);
        let path = match layout.derived(&sealed.customer, evidence, number, &leaf.id) {
            Ok(path) => path,
            Err(error) => {
                self.find(format!("log event {index}"), error.to_string());
                return Ok(());
            }
        };
        self.body(&path, leaf)?;
        let name = self.below(&path);
        let (Some(identities), Ok(header)) = (self.subject.identities, layout.header(evidence, number))
        else {
            return Ok(());
        };
        // A header that is gone or doesn't open is a finding where the version's record is opened.
        let Some(file_key) = fs::read(header)
            .ok()
            .and_then(|header| header::unwrap(&header, identities).ok())
        else {
            return Ok(());
        };
        if self.is_on_its_way(&name)? || !path.exists() {
            return Ok(());
        }
        match sha256_of_original(&path, &file_key) {
            Ok(sha256) if leaf.text("sha256") == Some(sha256.as_str()) => {}
            Ok(_) => self.find(name, "the copy it holds isn't the one that was made"),
            Err(error) => self.find(name, format!("it doesn't decrypt: {error}")),
        }
        Ok(())
    }
}
