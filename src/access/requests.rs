//! Requests for access: filed, taken back, approved, narrowed, declined (D29–D31).
//!
//! ```text
//! pending ── approve ──▶ approved (a grant)          emergency: the first approver endorses, another one approves
//!    ├────── decline ──▶ declined
//!    └────── withdraw ─▶ withdrawn                    by who filed it
//! ```
//!
//! Invariants: nobody decides their own request, nor about records they uploaded or witnessed; an approval never gives
//! more than was asked for; what is decided stays decided.

use super::{
    authorizer::{self, Who},
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    register,
    room::{ReadingRoom, storage},
};
use crate::{
    catalog::{
        CatalogueError,
        access::{self, Request},
        people::Person,
        search::{self, Evidence},
    },
    custody::sequencer::{CommitError, Turn},
    domain::{
        access::{Basis, Purpose},
        event::Kind,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Records that one request may name.
pub const MAX_RECORDS: usize = 500;
/// Characters of a reason.
pub const MAX_REASON: usize = 200;
/// Shortest and longest access, in seconds.
pub const DURATION_S: std::ops::RangeInclusive<i64> = 5 * 60..=30 * 24 * 3_600;
/// Longest access in an emergency, in seconds.
pub const MAX_EMERGENCY_S: i64 = 24 * 3_600;
/// Bytes of a scanned form.
pub const MAX_FORM_BYTES: usize = 2 * 1024 * 1024;

/// The scan of a signed form.
#[derive(Clone, PartialEq, Eq)]
pub struct Form {
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is asked for.
#[derive(Clone)]
pub struct NewRequest {
    /// Evidence ids.
    pub evidence: Vec<String>,
    /// To look, or to take away.
    pub purpose: Purpose,
    /// What permits it.
    pub basis: Option<Basis>,
    /// Why, in the requester's words.
    pub reason: String,
    /// For how long, in seconds from the approval.
    pub duration_s: i64,
    /// Beyond the requester's scope, with two approvers.
    pub emergency: bool,
    /// The scan of the signed form.
    pub form: Option<Form>,
}

/// What is approved: at the most what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// These records only.
    pub evidence: Option<Vec<String>>,
    /// For this purpose only.
    pub purpose: Option<Purpose>,
    /// For this long only, in seconds.
    pub duration_s: Option<i64>,
}

/// What became of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approved {
    /// Access is granted; the grant's id.
    Granted(String),
    /// An emergency has its first approver and needs another.
    Endorsed,
}

impl ReadingRoom {
    /// Files a request and gives its id.
    ///
    /// # Errors
    /// A refusal, which is on record, or that it couldn't be committed.
    pub fn file_request(&self, who: &Who, request: NewRequest) -> Result<String, AccessError> {
        let checked = check(&request).map_err(AccessError::from);
        let (basis, reason, form) = self.on_record(who, Action::RequestAccess, None, checked)?;
        let asking = who.clone();
        let committed = self.commit(who, Action::RequestAccess, None, move |turn, event| {
            let wanted: BTreeSet<String> = request.evidence.into_iter().collect();
            let records = records(turn.connection, &wanted)?;
            let person = asking.active(turn.connection).map_err(storage)?;
            let in_scope = person.as_ref().is_some_and(|person| {
                let scope = authorizer::scope(person, Action::RequestAccess);
                scope.is_some_and(|scope| {
                    request.emergency || records.iter().all(|row| scope.covers(&row.branch))
                })
            });
            let relation = Relation {
                own: true,
                in_scope,
                ..Relation::default()
            };
            let permit = authorizer::permit(person, Action::RequestAccess, relation)?;
            let branches: BTreeSet<&str> = records.iter().map(|row| row.branch.as_str()).collect();
            let mut draft = permit
                .event(Kind::AccessRequested, event)
                .fact("person", permit.person().id.as_str())
                .fact("purpose", request.purpose.id())
                .fact("basis", basis.id())
                .fact("duration_s", request.duration_s)
                .fact("evidence_items", wanted.len())
                .fact("emergency", u8::from(request.emergency))
                .commit("reason", reason)
                .private("evidence", wanted.iter().map(String::as_str).collect::<Vec<_>>());
            if let (1, Some(branch)) = (branches.len(), branches.first()) {
                draft = draft.fact("branch", *branch);
            }
            if let Some((form, sha256)) = form {
                draft = draft.fact("form_sha256", sha256).private("form", form);
            }
            Ok(draft)
        })?;
        Ok(committed.leaf.id)
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// A refusal, which is on record, or that it couldn't be committed.
    pub fn withdraw_request(&self, who: &Who, id: &str) -> Result<(), AccessError> {
        let (asking, id) = (who.clone(), id.to_owned());
        self.commit(who, Action::WithdrawRequest, None, move |turn, event| {
            let (person, request) = asked(turn, &asking, &id)?;
            let own = request.person == asking.person;
            // Whose it isn't doesn't hear that it is there.
            if !own {
                return Err(Refusal::NotFound.into());
            }
            let permit = authorizer::permit(person, Action::WithdrawRequest, Relation::OWN)?;
            pending(&request)?;
            Ok(permit
                .event(Kind::AccessWithdrawn, event)
                .fact("request", request.id))
        })?;
        Ok(())
    }

    /// Approves a request, or less of it. In an emergency the first approval is an endorsement.
    ///
    /// # Errors
    /// A refusal, which is on record, or that it couldn't be committed.
    pub fn approve_request(
        &self,
        who: &Who,
        id: &str,
        narrowing: Narrowing,
    ) -> Result<Approved, AccessError> {
        let (asking, id) = (who.clone(), id.to_owned());
        let committed = self.commit(who, Action::DecideRequest, None, move |turn, event| {
            let (person, request) = asked(turn, &asking, &id)?;
            let permit = decider(turn.connection, person, &request)?;
            pending(&request)?;
            let approver = permit.person().id.clone();
            if request.emergency {
                match &request.endorser {
                    None => {
                        return Ok(permit
                            .event(Kind::AccessEndorsed, event)
                            .fact("request", request.id)
                            .fact("approver", approver));
                    }
                    Some(endorser) if *endorser == approver => return Err(Refusal::AlreadyEndorsed.into()),
                    Some(_) => {}
                }
            }
            let asked_for = access::request_items(turn.connection, &request.id).map_err(storage)?;
            let granted = narrowed(&request, asked_for, narrowing)?;
            let mut draft = permit
                .event(Kind::AccessApproved, event)
                .fact("request", request.id)
                .fact("person", request.person)
                .fact("approver", approver)
                .fact("purpose", granted.purpose.id())
                .fact("basis", request.basis)
                .fact(
                    "expires_ms",
                    turn.time_ms.saturating_add(granted.duration_s * 1_000),
                )
                .fact("evidence_items", granted.evidence.len())
                .fact("emergency", u8::from(request.emergency))
                .private("evidence", granted.evidence);
            if let Some(endorser) = request.endorser {
                draft = draft.fact("endorser", endorser);
            }
            Ok(draft)
        })?;
        Ok(match committed.leaf.kind {
            Kind::AccessEndorsed => Approved::Endorsed,
            _ => Approved::Granted(committed.leaf.id),
        })
    }

    /// Declines a request.
    ///
    /// # Errors
    /// A refusal, which is on record, or that it couldn't be committed.
    pub fn decline_request(&self, who: &Who, id: &str, reason: &str) -> Result<(), AccessError> {
        let checked = one_line(reason).map_err(AccessError::from);
        let reason = self.on_record(who, Action::DecideRequest, None, checked)?;
        let (asking, id) = (who.clone(), id.to_owned());
        self.commit(who, Action::DecideRequest, None, move |turn, event| {
            let (person, request) = asked(turn, &asking, &id)?;
            let permit = decider(turn.connection, person, &request)?;
            pending(&request)?;
            let approver = permit.person().id.clone();
            Ok(permit
                .event(Kind::AccessDeclined, event)
                .fact("request", request.id)
                .fact("approver", approver)
                .commit("reason", reason))
        })?;
        Ok(())
    }
}

type Checked = (Basis, String, Option<(Value, String)>);

/// What can be said of a request without the catalogue.
fn check(request: &NewRequest) -> Result<Checked, Refusal> {
    let basis = request.basis.ok_or(Refusal::NoBasis)?;
    let reason = one_line(&request.reason)?;
    if request.evidence.is_empty() {
        return Err(Refusal::NoRecords);
    }
    if request.evidence.len() > MAX_RECORDS {
        return Err(Refusal::TooManyRecords);
    }
    let longest = if request.emergency {
        MAX_EMERGENCY_S
    } else {
        *DURATION_S.end()
    };
    if !(*DURATION_S.start()..=longest).contains(&request.duration_s) {
        return Err(Refusal::BadDuration);
    }
    let form = request.form.as_ref().map(form).transpose()?;
    Ok((basis, reason, form))
}

/// A reason as it is kept: one line, not blank.
pub(super) fn one_line(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= MAX_REASON && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or(Refusal::NoReason)
}

/// The form as the record keeps it, and its digest.
fn form(form: &Form) -> Result<(Value, String), Refusal> {
    let media_type = form_media_type(&form.bytes).ok_or(Refusal::BadForm)?;
    let name = form.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|c| !c.is_control() && !turns_text(*c))
        .take(MAX_REASON)
        .collect();
    if form.bytes.len() > MAX_FORM_BYTES || name.is_empty() {
        return Err(Refusal::BadForm);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &form.bytes);
    let kept = json!({
        "name": name,
        "media_type": media_type,
        "size_bytes": form.bytes.len(),
        "base64": STANDARD.encode(&form.bytes),
    });
    Ok((kept, crate::domain::hex::encode(digest)))
}

/// Characters that show what follows in another direction, so that a name reads as another one.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The media type of a form, by its first bytes.
pub(super) fn form_media_type(bytes: &[u8]) -> Option<&'static str> {
    [
        (&b"%PDF-"[..], "application/pdf"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
    ]
    .into_iter()
    .find_map(|(magic, media_type)| bytes.starts_with(magic).then_some(media_type))
}

/// Every version of the records, all of which must be there.
fn records(connection: &Connection, evidence: &BTreeSet<String>) -> Result<Vec<Evidence>, CommitError> {
    let mut found = Vec::new();
    for id in evidence {
        let versions = search::versions(connection, id).map_err(storage)?;
        if versions.is_empty() {
            return Err(Refusal::NotFound.into());
        }
        found.extend(versions);
    }
    Ok(found)
}

/// Who asks, and the request that they mean.
fn asked(turn: &Turn<'_>, who: &Who, id: &str) -> Result<(Option<Person>, Request), CommitError> {
    let person = who.active(turn.connection).map_err(storage)?;
    let request = access::request(turn.connection, id).map_err(storage)?;
    Ok((person, request.ok_or(Refusal::NotFound)?))
}

fn pending(request: &Request) -> Result<(), Refusal> {
    (request.state == "pending")
        .then_some(())
        .ok_or(Refusal::AlreadyDecided)
}

/// Leave to decide a request, from how the person stands to it and to its records.
fn decider(
    connection: &Connection,
    person: Option<Person>,
    request: &Request,
) -> Result<authorizer::Permit, CommitError> {
    let person = person.ok_or(Refusal::NotActive)?;
    // Whose it isn't to see doesn't hear that it is there.
    if !register::sees_request(&person, request) {
        return Err(Refusal::NotFound.into());
    }
    let relation = relation(connection, &person, request).map_err(storage)?;
    Ok(authorizer::permit(Some(person), deciding(request), relation)?)
}

/// What deciding this request is called in the policy.
pub(super) fn deciding(request: &Request) -> Action {
    if request.emergency {
        Action::DecideEmergency
    } else {
        Action::DecideRequest
    }
}

/// How a person stands to a request and to its records.
pub(super) fn relation(
    connection: &Connection,
    person: &Person,
    request: &Request,
) -> Result<Relation, CatalogueError> {
    let (uploaded, witnessed) = access::involvement(connection, &request.id, &person.id, &person.name)?;
    Ok(Relation {
        own: request.person == person.id,
        in_scope: person.branch.is_none() || person.branch == request.branch,
        uploaded,
        witnessed,
    })
}

struct Granted {
    evidence: Vec<String>,
    purpose: Purpose,
    duration_s: i64,
}

/// What is granted of what was asked for.
fn narrowed(request: &Request, asked_for: Vec<String>, narrowing: Narrowing) -> Result<Granted, CommitError> {
    let asked_purpose: Purpose = request.purpose.parse().map_err(storage)?;
    let evidence = match narrowing.evidence {
        None => asked_for,
        Some(chosen) => {
            let chosen: BTreeSet<String> = chosen.into_iter().collect();
            if chosen.is_empty() {
                return Err(Refusal::NoRecords.into());
            }
            if !chosen.iter().all(|id| asked_for.contains(id)) {
                return Err(Refusal::Wider.into());
            }
            chosen.into_iter().collect()
        }
    };
    let purpose = narrowing.purpose.unwrap_or(asked_purpose);
    let duration_s = narrowing.duration_s.unwrap_or(request.duration_s);
    if !asked_purpose.serves(purpose) || duration_s > request.duration_s {
        return Err(Refusal::Wider.into());
    }
    if duration_s < *DURATION_S.start() {
        return Err(Refusal::BadDuration.into());
    }
    Ok(Granted {
        evidence,
        purpose,
        duration_s,
    })
}
