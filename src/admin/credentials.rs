//! Invitations and tokens, as the operator on the host gives them out.

use super::{AdminError, OPERATOR, Response, SecretText, execute::commit};
use crate::{
    access::credentials::{
        Code, CredentialError, invitation,
        token::{self, NewToken},
    },
    catalog::people,
    custody::sequencer::{CommitError, Committed},
    server::Vault,
};

/// Invites a person. The code is nowhere but in the answer.
pub(super) fn invite(vault: &Vault, name: String) -> Result<Response, AdminError> {
    let code = Code::invitation(vault.random.as_ref()).map_err(|_| AdminError::Random)?;
    let shown = SecretText::from(code.grouped().as_str());
    let (invited, now_ms) = (name.clone(), vault.clock.now_ms());
    let done = commit(vault, move |catalogue, event| {
        invitation::invite(catalogue, event, OPERATOR, &invited, &code, now_ms).map_err(|error| match error {
            CredentialError::Unknown => CommitError::Refused(format!(
                "nobody is called '{invited}', or they are disabled; `muniment user list` shows everybody"
            )),
            other => refused(other),
        })
    })?;
    Ok(Response::UserInvited {
        name,
        code: shown,
        expires_ms: expires_ms(&done),
        leaf: done.index,
    })
}

/// Issues a token. It is nowhere but in the answer.
pub(super) fn issue_token(vault: &Vault, name: String, new: NewToken) -> Result<Response, AdminError> {
    let secret = Code::token(vault.random.as_ref()).map_err(|_| AdminError::Random)?;
    let kept = Code::sent(secret.plain()).ok_or(AdminError::Random)?;
    let (owner, now_ms) = (name.clone(), vault.clock.now_ms());
    let done =
        commit(vault, move |catalogue, event| {
            let person = people::by_name(catalogue, &owner)
                .map_err(|error| CommitError::Storage(error.to_string()))?;
            let person = person.filter(|person| person.disabled_ms.is_none()).ok_or_else(|| {
            CommitError::Refused(format!(
                "nobody is called '{owner}', or they are disabled; `muniment user list` shows everybody"
            ))
        })?;
            token::issue(catalogue, event, OPERATOR, &person, &new, &kept, now_ms).map_err(refused)
        })?;
    Ok(Response::TokenIssued {
        token: SecretText::from(token::text(&done.leaf.id, &secret).as_str()),
        id: done.leaf.id.clone(),
        name,
        expires_ms: expires_ms(&done),
        leaf: done.index,
    })
}

/// Revokes a token, by its id or by the whole of it.
pub(super) fn revoke_token(vault: &Vault, given: String) -> Result<Response, AdminError> {
    let id = token::id_in(&given).to_owned();
    let done = commit(vault, move |catalogue, event| {
        token::revoke(catalogue, event, OPERATOR, &id, None).map_err(|error| match error {
            CredentialError::Unknown => CommitError::Refused(
                "there is no such token, or it is revoked; `muniment token list` shows them".to_owned(),
            ),
            other => refused(other),
        })
    })?;
    if let Some(token) = done.leaf.text("token") {
        vault.room.reads.end_holder(token);
    }
    Ok(Response::Logged { leaf: done.index })
}

fn expires_ms(done: &Committed) -> i64 {
    done.leaf.integer("expires_ms").unwrap_or_default()
}

fn refused(error: CredentialError) -> CommitError {
    match error {
        CredentialError::Failed(words) => CommitError::Storage(words),
        other => CommitError::Refused(other.to_string()),
    }
}
