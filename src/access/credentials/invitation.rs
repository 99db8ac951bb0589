//! Invitations: the one way to a first password, and back in for whoever lost a factor.
//!
//! It is a code that an administrator hands over by another way than the network; no address ever holds it. With it a person
//! says how they will prove who they are; when they do, everything they had before counts no longer.

use super::{Code, CredentialError, Result};
use crate::{
    catalog::{
        credentials::{self, InvitationRow},
        people,
    },
    domain::{
        event::{Draft, Kind},
        hex,
    },
};
use rusqlite::Connection;

/// How long an invitation counts, in milliseconds.
pub const VALID_MS: i64 = 24 * 3_600_000;

/// The event that invites a person, by log-in name. An earlier invitation counts no longer.
///
/// # Errors
/// When there is no such person, or they are disabled.
pub fn invite(
    connection: &Connection,
    event: &str,
    actor: &str,
    name: &str,
    code: &Code,
    now_ms: i64,
) -> Result<Draft> {
    let person = people::by_name(connection, name)?.filter(|person| person.disabled_ms.is_none());
    let person = person.ok_or(CredentialError::Unknown)?;
    Ok(Draft::new(Kind::UserInvited, event, actor)
        .fact("person", person.id)
        .fact("expires_ms", now_ms + VALID_MS)
        .commit("code_sha256", hex::encode(code.sha256())))
}

/// The invitation with this code, if it counts now.
///
/// # Errors
/// [`CredentialError::Invitation`] when it doesn't, for whatever reason.
pub(super) fn counting(connection: &Connection, code: &Code, now_ms: i64) -> Result<InvitationRow> {
    credentials::invitation(connection, &code.sha256())?
        .filter(|row| row.closed_index.is_none() && now_ms < row.expires_ms)
        .ok_or(CredentialError::Invitation)
}
