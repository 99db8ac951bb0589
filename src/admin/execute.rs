//! The one function that does what an operator asks, whether the server runs it or a command that holds the vault.

use super::{
    AdminError, LiveSessions, OPERATOR, Request, Response, SecretText,
    access::{self, Reading},
    credentials, doctypes, inspect, keyring,
};
use crate::{
    access::{
        credentials::token::NewToken,
        people::{By, NewPerson},
    },
    custody::sequencer::{CommitError, Committed, Proposed},
    domain::{
        doctype::DocumentTypes,
        event::{Draft, Kind},
        id::new_id,
    },
    server::Vault,
};
use rusqlite::Connection;

/// Does what is asked; when it returns, the event is committed.
///
/// # Errors
/// A refusal, or that the vault couldn't take it; nothing was changed then. A refused reading of content is in the log.
pub fn execute(vault: &Vault, sessions: &dyn LiveSessions, request: Request) -> Result<Response, AdminError> {
    match request {
        Request::BranchAdd { code, name } => {
            let leaf = vault.room.add_branch(By::Operator, &code, &name)?;
            Ok(Response::BranchAdded { code, leaf })
        }
        Request::UserAdd {
            name,
            roles,
            branch,
            keys,
            nda,
        } => {
            let person = NewPerson {
                name: name.clone(),
                roles,
                branch,
                keys,
                nda,
            };
            let added = vault.room.add_person(By::Operator, person)?;
            Ok(Response::UserAdded {
                id: added.id,
                name,
                keys: added.keys,
                leaf: added.leaf,
            })
        }
        Request::UserDisable { name, reason } => {
            let (leaf, sessions_ended) =
                vault
                    .room
                    .disable(By::Operator, sessions, &name, reason.as_deref())?;
            Ok(Response::UserDisabled {
                name,
                sessions_ended,
                leaf,
            })
        }
        Request::UserKeyAdd { name, key } => {
            let added = vault.room.add_key(By::Operator, &name, key)?;
            Ok(Response::UserKeyAdded {
                name,
                key: added.fingerprint,
                leaf: added.leaf,
            })
        }
        Request::UserKeyRevoke { name, key } => {
            let (leaf, sessions_ended) = vault.room.revoke_key(By::Operator, sessions, &name, &key)?;
            Ok(Response::UserKeyRevoked {
                name,
                key,
                sessions_ended,
                leaf,
            })
        }
        Request::UserInvite { name } => {
            let invitation = vault.room.invite(By::Operator, &name)?;
            Ok(Response::UserInvited {
                name,
                code: SecretText::from(invitation.code.as_str()),
                expires_ms: invitation.expires_ms,
                leaf: invitation.leaf,
            })
        }
        Request::TokenIssue {
            name,
            roles,
            days,
            label,
        } => credentials::issue_token(vault, name, NewToken { roles, days, label }),
        Request::TokenRevoke { token } => Ok(Response::Logged {
            leaf: vault.room.revoke_any_token(By::Operator, &token)?,
        }),
        Request::AccessRead {
            evidence,
            version,
            basis,
            reason,
            requester,
        } => {
            let (asked, by) = (evidence.clone(), requester.clone());
            let reading = Reading {
                evidence,
                version,
                basis,
                reason,
                requester,
            };
            match commit(vault, move |catalogue, event| {
                access::read(catalogue, event, &reading)
            }) {
                Err(AdminError::Refused(words)) => {
                    refuse(vault, "export", Some(asked), words.clone(), by)?;
                    Err(AdminError::Refused(words))
                }
                other => Ok(Response::Logged { leaf: other?.index }),
            }
        }
        Request::AccessRefused {
            what,
            evidence,
            reason,
            requester,
        } => refuse(vault, &what, evidence, reason, requester),
        Request::FixityChecked {
            objects,
            bytes,
            findings,
            with_identity,
            complete,
        } => {
            let done = commit(vault, move |_, event| {
                Ok(Draft::new(Kind::FixityChecked, event, OPERATOR)
                    .fact("objects", objects)
                    .fact("bytes", bytes)
                    .fact("findings", findings)
                    .fact("with_identity", u64::from(with_identity))
                    .fact("complete", u64::from(complete)))
            })?;
            Ok(Response::Logged { leaf: done.index })
        }
        Request::Recovered {
            leaves,
            evidence,
            findings,
        } => {
            let done = commit(vault, move |_, event| {
                Ok(Draft::new(Kind::Recover, event, OPERATOR)
                    .fact("leaves", leaves)
                    .fact("evidence", evidence)
                    .fact("findings", findings))
            })?;
            Ok(Response::Logged { leaf: done.index })
        }
        Request::DocumentTypesPublish { text, base } => publish(vault, &text, base),
        Request::InspectAgain {
            evidence,
            version,
            file_key,
        } => inspect::again(vault, &evidence, version, file_key.as_ref()),
        Request::KeyUnlock { identities } => {
            let identities = keyring::parsed(&identities)?;
            keyring::unlock(vault, identities, keyring::Unlocked::Command)
        }
        Request::KeyLock => keyring::lock(vault, keyring::Locked::Command),
        Request::KeyStatus => Ok(keyring::status(vault, None)),
        Request::SessionEnd { session } => {
            if sessions.end(&session, OPERATOR) {
                Ok(Response::SessionEnded { session })
            } else {
                Err(AdminError::Refused(format!(
                    "there is no session '{session}'; `muniment session list` shows those that are open"
                )))
            }
        }
        Request::Sessions => Ok(Response::Sessions {
            sessions: sessions.list(),
        }),
    }
}

fn publish(vault: &Vault, text: &str, base: u32) -> Result<Response, AdminError> {
    let types = DocumentTypes::from_toml(text).map_err(|error| AdminError::Refused(error.to_string()))?;
    let shared = &vault.ingest.rules.types;
    let current = shared.current();
    if current.version() > 0 && types.says_the_same(&current) {
        return Ok(Response::DocumentTypesUnchanged {
            version: current.version(),
        });
    }
    let published = types.clone();
    let done = commit(vault, move |catalogue, event| {
        doctypes::publish(catalogue, event, OPERATOR, &published, base)
    })?;
    let version = base + 1;
    shared.advance(types.published_as(version));
    Ok(Response::DocumentTypesPublished {
        version,
        leaf: done.index,
    })
}

fn refuse(
    vault: &Vault,
    what: &str,
    evidence: Option<String>,
    reason: String,
    requester: String,
) -> Result<Response, AdminError> {
    let what = what.to_owned();
    let done = commit(vault, move |catalogue, event| {
        access::refusal(catalogue, event, &what, evidence.as_deref(), &reason, &requester)
    })?;
    Ok(Response::Logged { leaf: done.index })
}

fn event_id(vault: &Vault) -> Result<String, AdminError> {
    new_id(vault.random.as_ref(), vault.clock.now_ms()).map_err(|_| AdminError::Random)
}

/// Commits the event that `decide` makes from its id and the catalogue as it is inside the transaction.
pub(super) fn commit(
    vault: &Vault,
    decide: impl FnOnce(&Connection, &str) -> Result<Draft, CommitError> + Send + 'static,
) -> Result<Committed, AdminError> {
    let event = event_id(vault)?;
    let place = vault.sealer.registry(event.clone());
    Ok(vault.custody.commit(move |turn| {
        let draft = decide(turn.connection, &event)?;
        let place = draft.has_record().then_some(place);
        Ok(Proposed { draft, place })
    })?)
}
