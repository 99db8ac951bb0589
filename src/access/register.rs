//! The register of requests and grants: what somebody may see of it, what waits for them, what they may do about it.
//!
//! Invariants: what isn't in somebody's reach isn't there for them; a record that is out of their reach is shown by its id
//! alone, unless they are to decide about it. What may be done is asked of the same policy that is asked again when it is done.

use super::{
    authorizer::{self, Who},
    content::ContentError,
    find::{names, reaches},
    grants,
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    requests::{deciding, form_media_type, relation},
    room::ReadingRoom,
};
use crate::{
    catalog::{
        CatalogueError,
        access::{self, Grant, Reach, Request, Which},
        people::Person,
        search::{self, Evidence},
        timeline::{self, Entry},
    },
    domain::{
        event::{Kind, Leaf},
        hex,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;

/// Rows of one page at the most.
pub const MAX_ROWS: usize = 200;
/// Undecided requests that an inbox holds at the most; the rest come up as these are decided.
pub const MAX_WAITING: usize = 200;
/// Records that a list shows of each of its rows.
const RECORDS_SHOWN: usize = 3;

/// A record as a request or a grant names it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Named {
    /// Evidence id.
    pub id: String,
    /// Its newest version, where it may be shown.
    pub row: Option<Evidence>,
    /// Whether its page is there for who looks.
    pub is_in_reach: bool,
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Listed<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// Log-in names of the people in it, by id.
    pub people: BTreeMap<String, String>,
    /// Where the next part begins; `None` on the last one.
    pub next: Option<u64>,
}

/// A request in a list.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct RequestRow {
    /// The request.
    pub request: Request,
    /// The first of its records.
    pub records: Vec<Named>,
}

/// A grant in a list.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct GrantRow {
    /// The grant.
    pub grant: Grant,
    /// The first of the records that it covers.
    pub records: Vec<Named>,
    /// Whether who looks may end it now.
    pub may_revoke: bool,
}

/// A request with everything about it.
#[derive(Clone, Debug)]
pub struct RequestFile {
    /// The request.
    pub request: Request,
    /// Its records, in the order of their ids.
    pub records: Vec<Named>,
    /// The grant that came of it, and the records that it covers.
    pub grant: Option<(Grant, Vec<String>)>,
    /// Its events in the order of the log.
    pub history: Vec<Entry>,
    /// Whether who looks may decide it, and if not, why.
    pub decides: Result<(), Refusal>,
    /// Whether who looks may take it back.
    pub may_withdraw: bool,
    /// Log-in names of the people in it, by id.
    pub people: BTreeMap<String, String>,
}

/// A request in an inbox.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The request.
    pub request: Request,
    /// The first of its records.
    pub records: Vec<Named>,
    /// Whether it waits for who looks, or why it waits for somebody else.
    pub decides: Result<(), Refusal>,
}

/// The scan of a signed form as it was filed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptForm {
    /// Its file name.
    pub name: String,
    /// By its first bytes.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl ReadingRoom {
    /// Requests in the person's reach, newest first.
    ///
    /// # Errors
    /// A refusal, which is on record, or that the catalogue can't be read.
    pub fn requests(
        &self,
        who: &Who,
        which: &Which,
        limit: usize,
    ) -> Result<Listed<RequestRow>, AccessError> {
        let (person, which) = self.within(who, Action::SeeRequests, which)?;
        let limit = limit.clamp(1, MAX_ROWS);
        let now_ms = self.clock.now_ms();
        Ok(self.catalogue.read(|connection| {
            let found = access::requests(connection, &which, limit + 1)?;
            let next = found
                .get(limit)
                .and_then(|_| found.get(limit - 1))
                .map(|row| row.leaf);
            let mut rows = Vec::new();
            for request in found.into_iter().take(limit) {
                let mut ids = access::request_items(connection, &request.id)?;
                ids.truncate(RECORDS_SHOWN);
                let shows_all = decides_about(&person, &request);
                let records = named(connection, &person, &ids, shows_all, now_ms)?;
                rows.push(RequestRow { request, records });
            }
            let people = names(connection, rows.iter().flat_map(|row| people_of(&row.request)))?;
            Ok(Listed { rows, people, next })
        })?)
    }

    /// One request.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] also when it is out of reach; or that the catalogue can't be read.
    pub fn request(&self, who: &Who, id: &str) -> Result<RequestFile, AccessError> {
        let now_ms = self.clock.now_ms();
        let found = self.catalogue.read(|connection| {
            let Some(person) = who.active(connection)? else {
                return Ok(Err(Refusal::NotActive));
            };
            match access::request(connection, id)? {
                Some(request) if sees_request(&person, &request) => {
                    request_file(connection, &person, request, now_ms).map(Ok)
                }
                _ => Ok(Err(Refusal::NotFound)),
            }
        })?;
        self.on_record(who, Action::SeeRequests, None, found.map_err(AccessError::from))
    }

    /// What waits to be decided, as the person sees it: emergencies first, then the oldest. What waits for somebody else
    /// because the person asked for it, is involved, or agreed already, is in it and says so.
    ///
    /// # Errors
    /// A refusal, which is on record, or that the catalogue can't be read.
    pub fn inbox(&self, who: &Who) -> Result<(Vec<Waiting>, BTreeMap<String, String>), AccessError> {
        let permit = self.permit(who, Action::DecideRequest)?;
        let person = permit.person();
        let now_ms = self.clock.now_ms();
        Ok(self.catalogue.read(|connection| {
            let mut waiting = Vec::new();
            for (request, decides) in undecided(connection, person)? {
                let mut ids = access::request_items(connection, &request.id)?;
                ids.truncate(RECORDS_SHOWN);
                let records = named(connection, person, &ids, true, now_ms)?;
                waiting.push(Waiting {
                    request,
                    records,
                    decides,
                });
            }
            let people = names(connection, waiting.iter().flat_map(|row| people_of(&row.request)))?;
            Ok((waiting, people))
        })?)
    }

    /// How many requests wait for this person to decide; none for somebody who decides nothing. [`MAX_WAITING`] at the most.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn waiting(&self, person: &Person) -> Result<usize, AccessError> {
        if !authorizer::may(person, Action::DecideRequest, SOMEBODY_ELSES) {
            return Ok(0);
        }
        let found = self.catalogue.read(|connection| undecided(connection, person))?;
        Ok(found.iter().filter(|(_, decides)| decides.is_ok()).count())
    }

    /// Grants in the person's reach, newest first.
    ///
    /// # Errors
    /// A refusal, which is on record, or that the catalogue can't be read.
    pub fn grants(&self, who: &Who, which: &Which, limit: usize) -> Result<Listed<GrantRow>, AccessError> {
        let (person, which) = self.within(who, Action::SeeGrants, which)?;
        let limit = limit.clamp(1, MAX_ROWS);
        let now_ms = self.clock.now_ms();
        Ok(self.catalogue.read(|connection| {
            let found = access::grants(connection, &which, now_ms, limit + 1)?;
            let next = found
                .get(limit)
                .and_then(|_| found.get(limit - 1))
                .map(|row| row.leaf);
            let mut rows = Vec::new();
            for grant in found.into_iter().take(limit) {
                let mut ids = access::grant_items(connection, &grant.id)?;
                ids.truncate(RECORDS_SHOWN);
                let shows_all = authorizer::may(&person, Action::RevokeGrant, SOMEBODY_ELSES);
                let records = named(connection, &person, &ids, shows_all, now_ms)?;
                let may_revoke = grant.is_live(now_ms)
                    && authorizer::may(&person, Action::RevokeGrant, grants::relation(&person, &grant));
                rows.push(GrantRow {
                    grant,
                    records,
                    may_revoke,
                });
            }
            let ids = rows.iter().flat_map(|row| {
                let grant = &row.grant;
                let others = grant.endorser.iter().chain(&grant.revoked_by);
                [&grant.person, &grant.approver].into_iter().chain(others)
            });
            let people = names(connection, ids)?;
            Ok(Listed { rows, people, next })
        })?)
    }

    /// Records that somebody is about to name in a request, in the order given and each once. One that isn't there looks like
    /// one that is out of reach.
    ///
    /// # Errors
    /// A refusal, which is on record, or that the catalogue can't be read.
    pub fn named(&self, who: &Who, ids: &[String]) -> Result<Vec<Named>, AccessError> {
        let permit = self.permit(who, Action::RequestAccess)?;
        let now_ms = self.clock.now_ms();
        let mut once: Vec<String> = Vec::new();
        for id in ids {
            if !once.contains(id) {
                once.push(id.clone());
            }
        }
        let found = self
            .catalogue
            .read(|connection| named(connection, permit.person(), &once, false, now_ms))?;
        if found.iter().any(|record| !record.is_in_reach) {
            self.refused(who, Action::SearchMetadata.id(), None, Refusal::NotFound);
        }
        Ok(found)
    }

    /// The scan that was filed with a request, held against the digest in the log.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Locked`], damage, or that the store can't be read.
    pub fn request_form(&self, who: &Who, id: &str) -> Result<KeptForm, AccessError> {
        let request = self.request(who, id)?.request;
        let form = self.kept_form(&request);
        self.on_record(who, Action::SeeRequests, None, form)
    }

    fn kept_form(&self, request: &access::Request) -> Result<KeptForm, AccessError> {
        if request.form_name.is_none() {
            return Err(Refusal::NotFound.into());
        }
        let record = self.contents.record(&request.id).map_err(|error| match error {
            ContentError::Closed(_) => AccessError::Refused(Refusal::Locked),
            ContentError::NotPlaced | ContentError::Catalogue(_) | ContentError::Io { .. } => {
                AccessError::Unavailable(error.to_string())
            }
            error => AccessError::Damaged {
                what: error.to_string(),
            },
        })?;
        let damaged = |what: &str| AccessError::Damaged {
            what: what.to_owned(),
        };
        let text = |name: &str| record.private.get("form")?.get(name)?.as_str();
        let bytes = text("base64").and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.ok_or_else(|| damaged("the record holds no form"))?;
        let leaf = self.log.leaf(request.leaf).map_err(unavailable)?;
        let leaf: Leaf = serde_json::from_slice(&leaf).map_err(unavailable)?;
        let sha256 = hex::encode(ring::digest::digest(&ring::digest::SHA256, &bytes));
        if leaf.text("form_sha256") != Some(&sha256) {
            return Err(damaged("the form isn't the one that the log names"));
        }
        Ok(KeptForm {
            name: text("name").unwrap_or_default().to_owned(),
            media_type: form_media_type(&bytes).ok_or_else(|| damaged("the form is of no known kind"))?,
            bytes,
        })
    }

    /// Who asks, and what they ask to see, kept to their reach; a refusal is on record when this returns.
    fn within(&self, who: &Who, action: Action, which: &Which) -> Result<(Person, Which), AccessError> {
        let found = self.person(who).and_then(|person| {
            let reach = reach(&person, action)?;
            Ok((person, reach))
        });
        let (person, reach) = self.on_record(who, action, None, found)?;
        let which = Which {
            reach,
            ..which.clone()
        };
        Ok((person, which))
    }
}

/// How an approver stands to what is about others.
const SOMEBODY_ELSES: Relation = Relation {
    own: false,
    in_scope: true,
    uploaded: false,
    witnessed: false,
};

/// What a list of this action is limited to. Whoever may decide emergencies sees the requests of every branch that are.
fn reach(person: &Person, action: Action) -> Result<Option<Reach>, Refusal> {
    let scope = authorizer::scope(person, action).ok_or(Refusal::NotYourRole)?;
    let is_limited = scope.owner().is_some() || scope.branch().is_some();
    Ok(is_limited.then(|| Reach {
        person: person.id.clone(),
        branch: scope.branch().map(str::to_owned),
        emergencies: action == Action::SeeRequests && decides_emergencies(person),
    }))
}

fn decides_emergencies(person: &Person) -> bool {
    authorizer::may(person, Action::DecideEmergency, SOMEBODY_ELSES)
}

/// Whether a request is there for somebody.
pub(super) fn sees_request(person: &Person, request: &Request) -> bool {
    let in_scope = authorizer::scope(person, Action::SeeRequests)
        .is_some_and(|scope| scope.covers_item(&request.person, request.branch.as_deref()));
    in_scope || (request.emergency && decides_emergencies(person))
}

/// Whether a grant is there for somebody.
pub(super) fn sees_grant(person: &Person, grant: &Grant) -> bool {
    authorizer::scope(person, Action::SeeGrants)
        .is_some_and(|scope| scope.covers_item(&grant.person, grant.branch.as_deref()))
}

/// Whether somebody is there to decide about such requests, and so has to know what they name.
fn decides_about(person: &Person, request: &Request) -> bool {
    let relation = Relation {
        in_scope: person.branch.is_none() || person.branch == request.branch,
        ..Relation::default()
    };
    request.person != person.id && authorizer::may(person, deciding(request), relation)
}

/// A request, and whether the person in question decides it.
type Undecided = (Request, Result<(), Refusal>);

/// Undecided requests that a person decides, or would if somebody else had to less.
fn undecided(connection: &Connection, person: &Person) -> Result<Vec<Undecided>, CatalogueError> {
    let Ok(reach) = reach(person, Action::SeeRequests) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for request in access::pending(connection, reach, MAX_WAITING)? {
        let decides = standing(connection, person, &request)?;
        let is_shown = matches!(
            decides,
            Ok(()) | Err(Refusal::OwnRequest | Refusal::Involved | Refusal::AlreadyEndorsed)
        );
        if is_shown {
            found.push((request, decides));
        }
    }
    Ok(found)
}

/// Whether a person may decide a request as it stands, and if not, why.
fn standing(
    connection: &Connection,
    person: &Person,
    request: &Request,
) -> Result<Result<(), Refusal>, CatalogueError> {
    if request.state != "pending" {
        return Ok(Err(Refusal::AlreadyDecided));
    }
    let relation = relation(connection, person, request)?;
    let permit = authorizer::permit(Some(person.clone()), deciding(request), relation);
    Ok(permit.and_then(|permit| {
        let agreed = request.endorser.as_ref() == Some(&permit.person().id);
        (!agreed).then_some(()).ok_or(Refusal::AlreadyEndorsed)
    }))
}

fn request_file(
    connection: &Connection,
    person: &Person,
    request: Request,
    now_ms: i64,
) -> Result<RequestFile, CatalogueError> {
    let ids = access::request_items(connection, &request.id)?;
    let shows_all = decides_about(person, &request);
    let records = named(connection, person, &ids, shows_all, now_ms)?;
    let decides = standing(connection, person, &request)?;
    let grant = match &request.grant {
        Some(id) => access::grant(connection, id)?,
        None => None,
    };
    let covered = match &grant {
        Some(grant) => access::grant_items(connection, &grant.id)?,
        None => Vec::new(),
    };
    let is_own = request.person == person.id;
    let may_withdraw = is_own
        && request.state == "pending"
        && authorizer::may(person, Action::WithdrawRequest, Relation::OWN);
    let history = history(connection, &request, grant.as_ref())?;
    let ids = history.iter().map(|entry| &entry.actor);
    let people = names(connection, ids.chain(people_of(&request)))?;
    Ok(RequestFile {
        grant: grant.map(|grant| (grant, covered)),
        request,
        records,
        history,
        decides,
        may_withdraw,
        people,
    })
}

/// From filing to revocation. Filing and approval are kept as events about the person, the others about request and grant.
fn history(
    connection: &Connection,
    request: &Request,
    grant: Option<&Grant>,
) -> Result<Vec<Entry>, CatalogueError> {
    let mut subjects = vec![request.id.as_str()];
    subjects.extend(grant.map(|grant| grant.id.as_str()));
    let mut entries = timeline::of(connection, &subjects)?;
    entries.push(Entry {
        leaf: request.leaf,
        kind: Kind::AccessRequested.to_string(),
        subject: request.id.clone(),
        actor: request.person.clone(),
        time_ms: request.requested_ms,
    });
    entries.extend(grant.map(|grant| Entry {
        leaf: grant.leaf,
        kind: Kind::AccessApproved.to_string(),
        subject: request.id.clone(),
        actor: grant.approver.clone(),
        time_ms: grant.granted_ms,
    }));
    entries.sort_by_key(|entry| entry.leaf);
    Ok(entries)
}

fn people_of(request: &Request) -> impl Iterator<Item = &String> {
    [&request.person]
        .into_iter()
        .chain(&request.endorser)
        .chain(&request.decided_by)
}

fn named(
    connection: &Connection,
    person: &Person,
    ids: &[String],
    shows_all: bool,
    now_ms: i64,
) -> Result<Vec<Named>, CatalogueError> {
    let mut found = Vec::new();
    for id in ids {
        let versions = search::versions(connection, id)?;
        let grants = access::live_grants_for(connection, &person.id, id, now_ms)?;
        let is_in_reach = reaches(person, &versions, &grants);
        let row = versions
            .into_iter()
            .next_back()
            .filter(|_| is_in_reach || shows_all);
        found.push(Named {
            id: id.clone(),
            row,
            is_in_reach,
        });
    }
    Ok(found)
}

fn unavailable(error: impl std::fmt::Display) -> AccessError {
    AccessError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
