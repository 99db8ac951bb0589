//! Finding evidence and seeing what it is: metadata, in the reach of who asks, and never content.
//!
//! Invariant: what isn't in somebody's reach, or under one of their live grants, isn't there for them.

use super::{
    authorizer::{self, Who},
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    room::ReadingRoom,
};
use crate::{
    catalog::{
        CatalogueError,
        access::{self, Grant, Read, WhichReads},
        inspections::{self, Derived, InspectionRow},
        people::{self, Person},
        receipts::{self, ReceiptRow},
        search::{self, Evidence, Filter},
        timeline,
    },
    custody::receipt::Receipt,
    domain::event::Leaf,
};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Readings shown with a record, the newest.
const READS_SHOWN: usize = 100;
/// Custody events shown with a record, the newest.
const EVENTS_SHOWN: usize = 500;

/// A page of a search.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Found {
    /// Newest business date first.
    pub rows: Vec<Evidence>,
    /// Evidence ids among them that the person may look at now.
    pub viewable: BTreeSet<String>,
    /// Receipt numbers of the versions among those of which there is a contact sheet.
    pub sheets: BTreeSet<u64>,
    /// The newest version of each piece of evidence among them.
    pub newest: BTreeMap<String, i64>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<(i64, u64)>,
}

/// Everything about one piece of evidence but its content.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceFile {
    /// Its versions, oldest first.
    pub versions: Vec<Evidence>,
    /// What a manifest said of it besides its identity, by version: witnesses, disc number and so on, as written.
    pub declared: BTreeMap<i64, BTreeMap<String, String>>,
    /// Receipts that its uploads had, by version: number and outcome.
    pub receipts: BTreeMap<i64, Vec<(u64, String)>>,
    /// What inspections came to, by version.
    pub inspections: BTreeMap<i64, Vec<InspectionRow>>,
    /// Copies made from it, by version.
    pub derived: BTreeMap<i64, Vec<Derived>>,
    /// Its custody events in the order of the log; requests, grants, readings and refusals aren't among them.
    pub timeline: Vec<timeline::Entry>,
    /// The public facts of those events by position, as far as the log could be read.
    pub facts: BTreeMap<u64, Map<String, Value>>,
    /// Who read it, newest first; for those who may see grants in this reach.
    pub reads: Vec<Read>,
    /// The asker's own live grants for it.
    pub grants: Vec<Grant>,
    /// Log-in names of the people in it, by id.
    pub people: BTreeMap<String, String>,
}

impl ReadingRoom {
    /// A page of what the filter finds in the person's reach.
    ///
    /// # Errors
    /// A refusal, which is on record, or that the catalogue can't be read.
    pub fn search(&self, who: &Who, filter: &Filter, limit: usize) -> Result<Found, AccessError> {
        let scope = self.scope(who, Action::SearchMetadata)?;
        let mut filter = filter.clone();
        if let Some(own) = scope.branch() {
            if filter.branch.as_deref().is_some_and(|wanted| wanted != own) {
                let refused = Err(AccessError::Refused(Refusal::OutOfScope));
                return self.on_record(who, Action::SearchMetadata, None, refused);
            }
            filter.branch = Some(own.to_owned());
        }
        let now_ms = self.clock.now_ms();
        let limit = limit.clamp(1, search::PAGE_LIMIT - 1);
        Ok(self.catalogue.read(|connection| {
            // One more than is shown tells whether there is another page.
            let mut rows = search::search(connection, &filter, limit + 1)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let (mut viewable, mut sheets, mut newest) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
            for row in &rows {
                newest.insert(row.id.clone(), search::newest_version(connection, &row.id)?);
                if access::live_grants_for(connection, &who.person, &row.id, now_ms)?.is_empty() {
                    continue;
                }
                viewable.insert(row.id.clone());
                let copies = inspections::derived_of(connection, &row.id, row.version)?;
                if copies.iter().any(|copy| copy.form == "contact_sheet") {
                    sheets.insert(row.receipt);
                }
            }
            let next = rows.last().filter(|_| more).map(|row| (row.date, row.receipt));
            Ok(Found {
                rows,
                viewable,
                sheets,
                newest,
                next,
            })
        })?)
    }

    /// One piece of evidence.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] also when it is out of reach; or that the catalogue can't be read.
    pub fn evidence(&self, who: &Who, id: &str) -> Result<EvidenceFile, AccessError> {
        let mut file = self.in_reach(who, id, evidence_file)?;
        for entry in &file.timeline {
            let leaf = self.log.leaf(entry.leaf).ok();
            let leaf = leaf.and_then(|bytes| serde_json::from_slice::<Leaf>(&bytes).ok());
            if let Some(leaf) = leaf {
                file.facts.insert(entry.leaf, leaf.data);
            }
        }
        Ok(file)
    }

    /// What `read` makes of a record that is in the person's reach: of its versions, oldest first, and their own live grants.
    fn in_reach<T>(
        &self,
        who: &Who,
        id: &str,
        read: impl FnOnce(&Connection, &Person, Vec<Evidence>, Vec<Grant>) -> Result<T, CatalogueError>,
    ) -> Result<T, AccessError> {
        let now_ms = self.clock.now_ms();
        let found = self.catalogue.read(|connection| {
            let Some(person) = who.active(connection)? else {
                return Ok(Err(Refusal::NotActive));
            };
            let versions = search::versions(connection, id)?;
            let grants = access::live_grants_for(connection, &who.person, id, now_ms)?;
            if !reaches(&person, &versions, &grants) {
                return Ok(Err(Refusal::NotFound));
            }
            read(connection, &person, versions, grants).map(Ok)
        })?;
        let found = found.map_err(AccessError::from);
        self.on_record(who, Action::SearchMetadata, None, found)
    }

    /// What `read` finds under the person's live grants, given their id and the time; nothing for somebody who may read no
    /// content.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn covered<T: Default>(
        &self,
        who: &Who,
        read: impl FnOnce(&Connection, &str, i64) -> Result<T, CatalogueError>,
    ) -> Result<T, AccessError> {
        let now_ms = self.clock.now_ms();
        Ok(self.catalogue.read(|connection| match who.active(connection)? {
            Some(person) if authorizer::may(&person, Action::ReadContent, Relation::OWN) => {
                read(connection, &person.id, now_ms)
            }
            _ => Ok(T::default()),
        })?)
    }

    /// The receipt with this number, when its evidence is in the person's reach and the checkpoint that proves it published.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or that it can't be rendered.
    pub fn receipt(&self, who: &Who, evidence: &str, number: u64) -> Result<Receipt, AccessError> {
        let versions = self.in_reach(who, evidence, |_, _, versions, _| Ok(versions))?;
        let unavailable = |error: &dyn std::fmt::Display| AccessError::Unavailable(error.to_string());
        let published = self.log.published_size().map_err(|error| unavailable(&error))?;
        let row = self.catalogue.read(|connection| {
            let mut rows: Vec<ReceiptRow> = Vec::new();
            for version in &versions {
                rows.extend(receipts::of_accession(connection, &version.accession)?);
            }
            let is_it = |row: &ReceiptRow| row.leaf_index == number && row.commit_size <= published;
            Ok(rows.into_iter().find(is_it))
        })?;
        let Some(row) = row else {
            return self.on_record(
                who,
                Action::SearchMetadata,
                Some(evidence),
                Err(Refusal::NotFound.into()),
            );
        };
        Receipt::load(&self.log, row).map_err(|error| unavailable(&error))
    }
}

/// Whether a record is in somebody's reach: by its branch, or because they hold a live grant for it.
pub(super) fn reaches(person: &Person, versions: &[Evidence], grants: &[Grant]) -> bool {
    let Some(first) = versions.first() else {
        return false;
    };
    let by_branch = authorizer::scope(person, Action::SearchMetadata)
        .is_some_and(|scope| versions.iter().all(|row| scope.covers(&row.branch)));
    let by_grant = authorizer::may(person, Action::ReadContent, Relation::OWN) && !grants.is_empty();
    !first.id.is_empty() && (by_branch || by_grant)
}

fn evidence_file(
    connection: &Connection,
    person: &Person,
    versions: Vec<Evidence>,
    grants: Vec<Grant>,
) -> Result<EvidenceFile, CatalogueError> {
    let subjects: Vec<&str> = versions
        .iter()
        .take(1)
        .map(|row| row.id.as_str())
        .chain(versions.iter().map(|row| row.accession.as_str()))
        .collect();
    let timeline = timeline::custody_of(connection, &subjects, EVENTS_SHOWN)?;
    let evidence = subjects.first().copied().unwrap_or_default();
    let sees_reads = authorizer::scope(person, Action::SeeGrants)
        .is_some_and(|scope| scope.owner().is_none() && versions.iter().all(|row| scope.covers(&row.branch)));
    let which = WhichReads {
        evidence: Some(evidence.to_owned()),
        person: (!sees_reads).then(|| person.id.clone()),
        ..WhichReads::default()
    };
    let reads = access::reads(connection, &which, READS_SHOWN)?;
    let (mut given, mut declared) = (BTreeMap::new(), BTreeMap::new());
    let (mut inspected, mut derived) = (BTreeMap::new(), BTreeMap::new());
    for row in &versions {
        let of_version = receipts::of_accession(connection, &row.accession)?;
        let sealing = of_version
            .iter()
            .find(|receipt| receipt.leaf_index == row.receipt);
        declared.insert(row.version, sealing.map(said_besides).unwrap_or_default());
        let of_version = of_version.into_iter().map(|row| (row.leaf_index, row.outcome));
        given.insert(row.version, of_version.collect());
        inspected.insert(row.version, inspections::of(connection, &row.id, row.version)?);
        derived.insert(
            row.version,
            inspections::derived_of(connection, &row.id, row.version)?,
        );
    }
    let ids: BTreeSet<&String> = timeline
        .iter()
        .map(|entry| &entry.actor)
        .chain(versions.iter().map(|row| &row.person))
        .chain(reads.iter().map(|read| &read.person))
        .chain(grants.iter().map(|grant| &grant.approver))
        .collect();
    let people = names(connection, ids)?;
    Ok(EvidenceFile {
        declared,
        receipts: given,
        inspections: inspected,
        derived,
        timeline,
        facts: BTreeMap::new(),
        reads,
        grants,
        people,
        versions,
    })
}

/// What a receipt's private half has of a manifest's columns; nothing where there was no manifest.
fn said_besides(receipt: &ReceiptRow) -> BTreeMap<String, String> {
    let private: Option<Value> = serde_json::from_str(&receipt.private).ok();
    let fields = private
        .as_ref()
        .and_then(|private| private.get("fields")?.as_object());
    let fields = fields.into_iter().flatten();
    fields
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Log-in names by id; ids of nobody, such as `operator`, are left out.
///
/// # Errors
/// When the catalogue can't be read.
pub fn names<'i>(
    connection: &Connection,
    ids: impl IntoIterator<Item = &'i String>,
) -> Result<BTreeMap<String, String>, CatalogueError> {
    let mut names = BTreeMap::new();
    for id in ids {
        if let Some(person) = people::by_id(connection, id)? {
            names.insert(person.id, person.name);
        }
    }
    Ok(names)
}
