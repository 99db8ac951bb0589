//! Unlocking and locking the decryption identities of a running server, and the events that say so.
//!
//! It must never know where identities come from or how a passphrase was asked for.
//!
//! Order, so that a crash or a log that can't commit leaves the safe side: unlocking commits first and takes the
//! identities in afterwards; locking wipes first and commits afterwards.

use super::{AdminError, IdentityText, OPERATOR, Response};
use crate::{
    access::keyring::Closed,
    crypto::Identity,
    custody::sequencer::CommitError,
    domain::event::{Draft, Kind},
    server::Vault,
};
use serde::{Deserialize, Serialize};

/// Identities at one time at the most: the vault's own, and those of before a rotation.
pub const MAX_IDENTITIES: usize = 16;

/// Whether what is sealed can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Never here: the configuration names no identity.
    IngestOnly,
    /// Not now.
    Locked,
    /// Yes.
    Unlocked,
}

/// How identities came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// With a passphrase that the server was started with.
    Start,
    /// By `muniment key unlock`.
    Command,
}

/// How they went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// By `muniment key lock`.
    Command,
    /// The server stopped.
    Stop,
}

/// The identities in a request.
///
/// # Errors
/// When there are none, too many, or one of them is none.
pub(super) fn parsed(texts: &[IdentityText]) -> Result<Vec<Identity>, AdminError> {
    if texts.is_empty() || texts.len() > MAX_IDENTITIES {
        return Err(AdminError::Refused(format!(
            "between 1 and {MAX_IDENTITIES} identities unlock a server"
        )));
    }
    let identities: Option<Vec<Identity>> = texts.iter().map(IdentityText::identity).collect();
    identities.ok_or_else(|| AdminError::Refused("what was brought is no identity".to_owned()))
}

/// Commits `key.unlocked` and takes the identities in.
///
/// # Errors
/// When this server never reads, is unlocked already, or the event can't be committed: nothing is unlocked then.
pub fn unlock(vault: &Vault, identities: Vec<Identity>, how: Unlocked) -> Result<Response, AdminError> {
    match vault.keyring.closed() {
        Some(Closed::Locked) => {}
        Some(Closed::IngestOnly) => return Err(AdminError::Refused(Closed::IngestOnly.to_string())),
        None => {
            return Err(AdminError::Refused(
                "it is unlocked already: `muniment key lock` first, to bring other identities".to_owned(),
            ));
        }
    }
    let (how, actor) = match how {
        Unlocked::Start => ("start", "system"),
        Unlocked::Command => ("command", OPERATOR),
    };
    let recipients: Vec<String> = identities
        .iter()
        .map(|identity| identity.recipient().to_string())
        .collect();
    let draft = Draft::new(Kind::KeyUnlocked, vault.new_id()?, actor)
        .fact("how", how)
        .fact("recipients", recipients);
    let committed = vault.commit(draft)?;
    vault
        .keyring
        .unlock(identities)
        .map_err(|closed| AdminError::Refused(closed.to_string()))?;
    tracing::info!(leaf = committed.index, "the decryption key is unlocked");
    Ok(status(vault, Some(committed.index)))
}

/// Wipes the identities, ends every open reading, and commits `key.locked`. Locking what is locked does nothing.
///
/// # Errors
/// When the event can't be committed: the identities are wiped all the same.
pub fn lock(vault: &Vault, how: Locked) -> Result<Response, AdminError> {
    let was_unlocked = vault.keyring.lock();
    vault.room.reads.end_all();
    if !was_unlocked {
        return Ok(status(vault, None));
    }
    let (how, actor) = match how {
        Locked::Command => ("command", OPERATOR),
        Locked::Stop => ("stop", "system"),
    };
    let draft = Draft::new(Kind::KeyLocked, vault.new_id()?, actor).fact("how", how);
    let committed = vault.commit(draft).map_err(|error| {
        let words = format!("the key is locked, but the event that says so isn't in the log: {error}");
        AdminError::Commit(CommitError::Storage(words))
    })?;
    tracing::info!(leaf = committed.index, "the decryption key is locked");
    Ok(status(vault, Some(committed.index)))
}

/// What is at hand now. `leaf` is the event's that the request made.
pub(super) fn status(vault: &Vault, leaf: Option<u64>) -> Response {
    Response::Keyring {
        state: match vault.keyring.closed() {
            None => KeyState::Unlocked,
            Some(Closed::Locked) => KeyState::Locked,
            Some(Closed::IngestOnly) => KeyState::IngestOnly,
        },
        recipients: vault
            .keyring
            .recipients()
            .iter()
            .map(ToString::to_string)
            .collect(),
        leaf,
    }
}
