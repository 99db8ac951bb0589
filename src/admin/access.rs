//! Reading of content: on what basis, and the events that stand in the log before the first byte (D31, D32).

use super::OPERATOR;
use crate::{
    access::people::{PeopleError, plain_text},
    catalog::search,
    custody::sequencer::CommitError,
    domain::{
        access::Basis,
        event::{Draft, Kind},
    },
};
use rusqlite::Connection;

/// Who asks to read what, and why.
pub(super) struct Reading {
    pub(super) evidence: String,
    pub(super) version: i64,
    pub(super) basis: String,
    pub(super) reason: String,
    pub(super) requester: String,
}

/// The event that permits a reading.
///
/// # Errors
/// A refusal, which [`refusal`] then puts into the log.
pub(super) fn read(connection: &Connection, event: &str, reading: &Reading) -> Result<Draft, CommitError> {
    let basis: Basis = reading.basis.parse().map_err(CommitError::Refused)?;
    let reason = plain_text(&reading.reason, "the reason (--reason)").map_err(blank)?;
    let requester = plain_text(&reading.requester, "the requester").map_err(blank)?;
    let versions = search::versions(connection, &reading.evidence)
        .map_err(|error| CommitError::Storage(error.to_string()))?;
    if !versions.iter().any(|row| row.version == reading.version) {
        return Err(CommitError::Refused(format!(
            "there is no version {} of evidence {}",
            reading.version, reading.evidence
        )));
    }
    Ok(Draft::new(Kind::AccessRead, event, OPERATOR)
        .fact("evidence", reading.evidence.as_str())
        .fact("version", reading.version)
        .fact("purpose", "export")
        .fact("basis", basis.id())
        .commit("reason", reason)
        .commit("requester", requester))
}

fn blank(error: PeopleError) -> CommitError {
    CommitError::Refused(error.to_string())
}

/// The event of a refusal. What was asked for may be nonsense, so only an existing evidence id becomes public.
pub(super) fn refusal(
    connection: &Connection,
    event: &str,
    what: &str,
    evidence: Option<&str>,
    reason: &str,
    requester: &str,
) -> Result<Draft, CommitError> {
    let known = match evidence {
        Some(id) => !search::versions(connection, id)
            .map_err(|error| CommitError::Storage(error.to_string()))?
            .is_empty(),
        None => false,
    };
    if what.is_empty()
        || what.len() > 32
        || !what.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    {
        return Err(CommitError::Refused(format!(
            "'{what}' names nothing that can be refused"
        )));
    }
    let draft = Draft::new(Kind::AccessRefused, event, OPERATOR)
        .fact("what", what)
        .commit("reason", reason)
        .commit("requester", requester);
    Ok(match evidence {
        Some(id) if known => draft.fact("evidence", id),
        _ => draft,
    })
}
