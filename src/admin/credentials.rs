//! Tokens, as the operator on the host gives them out.

use super::{AdminError, OPERATOR, Response, SecretText, execute::commit};
use crate::{
    access::credentials::{
        Code, CredentialError,
        token::{self, NewToken},
    },
    catalog::people,
    custody::sequencer::{CommitError, Committed},
    server::Vault,
};

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

fn expires_ms(done: &Committed) -> i64 {
    done.leaf.integer("expires_ms").unwrap_or_default()
}

fn refused(error: CredentialError) -> CommitError {
    match error {
        CredentialError::Failed(words) => CommitError::Storage(words),
        other => CommitError::Refused(other.to_string()),
    }
}
