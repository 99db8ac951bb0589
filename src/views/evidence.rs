//! `/evidence/<customer>/<flow>/<doctype>-<seq>/v<N>/<file name>`: what a person's live grants cover at this moment.
//!
//! It must never decide who may read: what is covered and what may be opened is the reading room's to say, at each call.
//!
//! Invariants: a path that no live grant covers is "no such file", whether there is such a record or not, and the try is on
//! record; content leaves through a reading, which ends with the file.

use super::{
    denied, no_such_file,
    tree::{Node, Tree},
    unavailable,
};
use crate::{
    access::{
        ReadingRoom,
        authorizer::Who,
        ended::Ended,
        live::{Fate, Reading},
        policy::Action,
        reading::{Channel, Wanted, What},
        refusal::{AccessError, Refusal},
    },
    catalog::{
        covered::{self, Identity},
        search::{self, Evidence},
    },
    domain::{access::Purpose, pattern::is_safe_component},
    ingest::text::harmless_name,
    sftp::space::{Attributes, ReadFile, Result, SpaceError, SpaceErrorKind},
};
use std::sync::Arc;

/// The evidence that one login sees.
pub struct EvidenceTree {
    room: Arc<ReadingRoom>,
    who: Who,
    /// The connection: what it reads ends with it.
    holder: String,
}

/// Where a path leads, if it is one of ours.
enum Place<'a> {
    Customers,
    Flows(&'a str),
    Documents(&'a str, &'a str),
    Versions(Identity<'a>),
    Version(Identity<'a>, u32),
    File(Identity<'a>, u32, &'a str),
}

impl EvidenceTree {
    /// What this person's grants cover, read over the connection `holder`.
    pub fn new(room: Arc<ReadingRoom>, who: Who, holder: String) -> Self {
        EvidenceTree { room, who, holder }
    }

    /// The versions of a covered piece of evidence.
    fn versions(&self, of: &Identity<'_>) -> Result<Vec<Evidence>> {
        let found = self.room.covered(&self.who, |connection, person, now_ms| {
            covered::versions(connection, person, now_ms, of)
        });
        let found = found.map_err(failed)?;
        if found.is_empty() {
            return Err(self.not_covered(Some(of)));
        }
        Ok(found)
    }

    fn version(&self, of: &Identity<'_>, version: u32) -> Result<Evidence> {
        self.versions(of)?
            .into_iter()
            .find(|row| row.version == i64::from(version))
            .ok_or_else(no_such_file)
    }

    fn row(&self, path: &[&str]) -> Result<Evidence> {
        match place(path) {
            Some(Place::File(of, version, name)) => {
                let row = self.version(&of, version)?;
                if harmless_name(&row.file_name) == name {
                    Ok(row)
                } else {
                    Err(no_such_file())
                }
            }
            Some(_) => self
                .find(path)
                .and(Err(SpaceError::new(SpaceErrorKind::Failure, "that is a folder"))),
            None => Err(no_such_file()),
        }
    }

    fn find(&self, path: &[&str]) -> Result<Node> {
        match place(path).ok_or_else(no_such_file)? {
            Place::Customers => {}
            Place::Flows(customer) => {
                self.flows(customer)?;
            }
            Place::Documents(customer, flow) => {
                self.documents(customer, flow)?;
            }
            Place::Versions(of) => {
                self.versions(&of)?;
            }
            Place::Version(of, version) => {
                self.version(&of, version)?;
            }
            Place::File(..) => return Ok(node(&self.row(path)?)),
        }
        Ok(Node::Folder)
    }

    fn flows(&self, customer: &str) -> Result<Vec<String>> {
        let found = self.room.covered(&self.who, |connection, person, now_ms| {
            covered::flows(connection, person, now_ms, customer)
        });
        let found = found.map_err(failed)?;
        if found.is_empty() {
            return Err(self.not_covered(None));
        }
        Ok(found)
    }

    fn documents(&self, customer: &str, flow: &str) -> Result<Vec<(String, String)>> {
        let found = self.room.covered(&self.who, |connection, person, now_ms| {
            covered::documents(connection, person, now_ms, (customer, flow))
        });
        let found = found.map_err(failed)?;
        if found.is_empty() {
            return Err(self.not_covered(None));
        }
        Ok(found)
    }

    /// Not there, for this person; the record says what they tried, where there is such a thing.
    fn not_covered(&self, of: Option<&Identity<'_>>) -> SpaceError {
        let named = of.and_then(|of| {
            let Identity {
                customer,
                flow,
                doctype,
                seq,
            } = *of;
            let found = self
                .room
                .catalogue
                .read(|connection| search::by_identity(connection, customer, flow, doctype, seq));
            found.ok()?.pop()
        });
        let evidence = named.as_ref().map(|row| row.id.as_str());
        self.room
            .refused(&self.who, Action::ReadContent.id(), evidence, Refusal::NoGrant);
        no_such_file()
    }
}

impl Tree for EvidenceTree {
    fn find(&mut self, path: &[&str]) -> Result<Node> {
        EvidenceTree::find(self, path)
    }

    fn list(&mut self, path: &[&str]) -> Result<Vec<(String, Node)>> {
        let folders = |names: Vec<String>| names.into_iter().map(|name| (name, Node::Folder)).collect();
        Ok(match place(path).ok_or_else(no_such_file)? {
            Place::Customers => {
                let found = self.room.covered(&self.who, covered::customers);
                folders(found.map_err(failed)?)
            }
            Place::Flows(customer) => folders(self.flows(customer)?),
            Place::Documents(customer, flow) => {
                let found = self.documents(customer, flow)?.into_iter();
                folders(found.map(|(doctype, seq)| format!("{doctype}-{seq}")).collect())
            }
            Place::Versions(of) => {
                let found = self.versions(&of)?.into_iter();
                folders(found.map(|row| format!("v{}", row.version)).collect())
            }
            Place::Version(of, version) => {
                let row = self.version(&of, version)?;
                vec![(harmless_name(&row.file_name), node(&row))]
            }
            Place::File(..) => return Err(no_such_file()),
        })
    }

    fn open(&mut self, path: &[&str]) -> Result<Box<dyn ReadFile>> {
        let row = self.row(path)?;
        let wanted = Wanted {
            version: u32::try_from(row.version).map_err(unavailable)?,
            what: What::Original,
            purpose: Purpose::Export,
            channel: Channel::Sftp,
            holder: self.holder.clone(),
            evidence: row.id.clone(),
        };
        let reading = self.room.open(&self.who, &wanted).map_err(failed)?;
        Ok(Box::new(OpenEvidence {
            room: self.room.clone(),
            who: self.who.clone(),
            node: node(&row),
            refused: false,
            reading,
        }))
    }

    fn known_sha256(&mut self, path: &[&str]) -> Result<Option<String>> {
        self.row(path).map(|row| Some(row.sha256))
    }
}

/// One file that is being read. Dropping it, at CLOSE or with its connection, ends the reading.
struct OpenEvidence {
    room: Arc<ReadingRoom>,
    who: Who,
    reading: Arc<Reading>,
    node: Node,
    /// A refusal of this file is on record: clients ask for many ranges in advance.
    refused: bool,
}

impl OpenEvidence {
    /// What to say of a range that isn't given. Wanting more under a grant that ended is a refusal like any other.
    fn refuse(&mut self, error: AccessError) -> SpaceError {
        if let AccessError::Refused(refusal) = &error
            && !std::mem::replace(&mut self.refused, true)
        {
            let evidence = Some(self.reading.opened().evidence.as_str());
            self.room
                .refused(&self.who, Action::ReadContent.id(), evidence, *refusal);
        }
        match self.reading.fate() {
            Fate::Open => failed(error),
            Fate::Ended(why) => over(&why),
        }
    }
}

impl ReadFile for OpenEvidence {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let read = self.reading.read_at(offset, buffer);
        read.map_err(|error| self.refuse(error))
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(self.node.attributes())
    }
}

impl Drop for OpenEvidence {
    fn drop(&mut self) {
        self.room.reads.end(&self.reading.opened().id);
    }
}

fn node(row: &Evidence) -> Node {
    Node::File {
        size_bytes: row.size_bytes.unsigned_abs(),
        time_ms: row.sealed_ms,
    }
}

/// What a path means. Numbers are taken in their only spelling, or one folder would have several names.
fn place<'a>(path: &[&'a str]) -> Option<Place<'a>> {
    if !path.iter().take(4).all(|name| is_safe_component(name)) {
        return None;
    }
    let version = |text: &str| {
        let number: u32 = text.strip_prefix('v')?.parse().ok()?;
        (format!("v{number}") == text).then_some(number)
    };
    let identity = |customer, flow, document: &'a str| {
        let (doctype, seq) = document.rsplit_once('-')?;
        Some(Identity {
            customer,
            flow,
            doctype,
            seq,
        })
    };
    match *path {
        [] => Some(Place::Customers),
        [customer] => Some(Place::Flows(customer)),
        [customer, flow] => Some(Place::Documents(customer, flow)),
        [customer, flow, document] => Some(Place::Versions(identity(customer, flow, document)?)),
        [customer, flow, document, number] => Some(Place::Version(
            identity(customer, flow, document)?,
            version(number)?,
        )),
        [customer, flow, document, number, name] => Some(Place::File(
            identity(customer, flow, document)?,
            version(number)?,
            name,
        )),
        _ => None,
    }
}

/// Why a file that was open gives no further byte.
fn over(why: &Ended) -> SpaceError {
    let kind = match why {
        Ended::Revoked | Ended::Expired | Ended::Withdrawn => SpaceErrorKind::PermissionDenied,
        _ => SpaceErrorKind::Failure,
    };
    let detail = why.detail().map(|what| format!("{what}. ")).unwrap_or_default();
    SpaceError::new(kind, format!("{detail}{} {}", why.en(), why.zh()))
}

/// What the reading room said, in SFTP's few words, with its own behind them.
fn failed(error: AccessError) -> SpaceError {
    let both = |refusal: Refusal| format!("{} {}", refusal.en(), refusal.zh());
    match error {
        AccessError::Refused(Refusal::NotFound) => no_such_file(),
        // Not the person's doing, and over when somebody has seen to it.
        AccessError::Refused(refusal @ (Refusal::Locked | Refusal::IngestOnly | Refusal::TooMany)) => {
            SpaceError::new(SpaceErrorKind::Failure, both(refusal))
        }
        AccessError::Refused(refusal) => denied(both(refusal)),
        AccessError::Damaged { what } => SpaceError::new(
            SpaceErrorKind::Failure,
            format!("{what}. {}", both(Refusal::Damaged)),
        ),
        AccessError::Unavailable(detail) => unavailable(detail),
    }
}
