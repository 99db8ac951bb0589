//! Branches and people: what may be registered, and the events that do it.
//!
//! Each function is called inside the transaction that commits its event, so that two requests at one time can't both
//! find a name free.

use super::{
    KeyFile, OPERATOR,
    key::{self, PersonKey},
};
use crate::{
    catalog::people,
    custody::sequencer::CommitError,
    domain::{
        event::{Draft, Kind},
        role::{Role, RoleSet},
    },
};
use rusqlite::Connection;
use serde_json::{Map, Value};

/// Characters of a branch's name or of a reference at the most.
const MAX_TEXT: usize = 200;

fn refused<T>(words: impl Into<String>) -> Result<T, CommitError> {
    Err(CommitError::Refused(words.into()))
}

fn storage(error: impl std::fmt::Display) -> CommitError {
    CommitError::Storage(error.to_string())
}

/// A text for people: not blank, one line, no longer than a line can be.
pub(super) fn plain_text<'t>(text: &'t str, what: &str) -> Result<&'t str, CommitError> {
    let text = text.trim();
    if text.is_empty() {
        return refused(format!("{what} is blank"));
    }
    if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        return refused(format!(
            "{what} must be one line of at most {MAX_TEXT} characters"
        ));
    }
    Ok(text)
}

/// The event that adds a branch.
pub(super) fn branch_add(
    connection: &Connection,
    event: &str,
    code: &str,
    name: &str,
) -> Result<Draft, CommitError> {
    if !(2..=12).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return refused(format!(
            "'{code}' can't be a branch code: 2 to 12 letters (A-Z, a-z) and digits"
        ));
    }
    let name = plain_text(name, "the branch's name (--name)")?;
    if people::has_branch(connection, code).map_err(storage)? {
        return refused(format!(
            "branch {code} exists already; `muniment branch list` shows it"
        ));
    }
    Ok(Draft::new(Kind::BranchAdded, event, OPERATOR)
        .fact("branch", code)
        .commit("name", name))
}

/// What is asked about a new person.
pub(super) struct NewPerson {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) roles: Vec<String>,
    pub(super) branch: Option<String>,
    pub(super) keys: Vec<KeyFile>,
    pub(super) nda: String,
}

/// The event that adds a person, and the fingerprints of their keys.
pub(super) fn user_add(
    connection: &Connection,
    event: &str,
    person: &NewPerson,
) -> Result<Draft, CommitError> {
    let name = person.name.as_str();
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !first || name.len() > 32 || !name.bytes().all(allowed) {
        return refused(format!(
            "'{name}' can't be a log-in name: up to 32 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit"
        ));
    }
    let nda = plain_text(
        &person.nda,
        "the confidentiality agreement's reference (--nda), without which nobody gets access,",
    )?;
    let roles: Vec<Role> = person
        .roles
        .iter()
        .map(|role| role.parse())
        .collect::<Result<_, _>>()
        .map_err(words)?;
    let roles = RoleSet::new(roles, person.branch.is_some()).map_err(words)?;
    let keys = distinct_keys(&person.keys)?;
    // Everybody else works at the console, where a key is no way in.
    if keys.is_empty() && roles.has(Role::Uploader) {
        return refused("an uploader needs at least one public key (--key FILE.pub)");
    }

    if let Some(known) = people::by_name(connection, name).map_err(storage)? {
        return refused(match known.disabled_ms {
            None => format!("{name} exists already; `muniment user list` shows what they may do"),
            Some(_) => format!(
                "{name} was somebody who is disabled, and their history stays under that name: choose another"
            ),
        });
    }
    if let Some(branch) = &person.branch
        && !people::has_branch(connection, branch).map_err(storage)?
    {
        return refused(format!(
            "branch {branch} is unknown: `muniment branch add {branch} --name NAME` first"
        ));
    }
    for key in &keys {
        if let Some(owner) = people::key_owner(connection, &key.fingerprint).map_err(storage)? {
            let owner = people::by_id(connection, &owner)
                .map_err(storage)?
                .map_or(owner, |owner| owner.name);
            return refused(format!(
                "key {} belongs to {owner} already: a key names one person, so {name} needs a key of their own",
                key.fingerprint
            ));
        }
    }

    let lines: Map<String, Value> = keys
        .iter()
        .map(|key| (key.fingerprint.clone(), Value::from(key.line.as_str())))
        .collect();
    let fingerprints: Vec<String> = keys.into_iter().map(|key| key.fingerprint).collect();
    let role_ids: Vec<&str> = roles.iter().map(Role::id).collect();
    let draft = Draft::new(Kind::UserAdded, event, OPERATOR)
        .fact("person", person.id.as_str())
        .fact("roles", role_ids)
        .fact("keys", fingerprints)
        .commit("name", name)
        .commit("nda", nda)
        .private("keys", lines);
    Ok(match &person.branch {
        Some(branch) => draft.fact("branch", branch.as_str()),
        None => draft,
    })
}

fn words(error: impl std::fmt::Display) -> CommitError {
    CommitError::Refused(error.to_string())
}

fn distinct_keys(files: &[KeyFile]) -> Result<Vec<PersonKey>, CommitError> {
    let mut keys: Vec<PersonKey> = Vec::new();
    for file in files {
        for key in key::parse(file).map_err(words)? {
            if keys.contains(&key) {
                return refused(format!("key {} is given twice", key.fingerprint));
            }
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The event that disables a person.
pub(super) fn user_disable(
    connection: &Connection,
    event: &str,
    name: &str,
    reason: Option<&str>,
) -> Result<Draft, CommitError> {
    let Some(person) = people::by_name(connection, name).map_err(storage)? else {
        return refused(format!(
            "nobody is called '{name}'; `muniment user list` shows everybody"
        ));
    };
    if person.disabled_ms.is_some() {
        return refused(format!("{name} is disabled already"));
    }
    let draft = Draft::new(Kind::UserDisabled, event, OPERATOR).fact("person", person.id);
    Ok(match reason {
        Some(reason) => draft.commit("reason", plain_text(reason, "the reason (--reason)")?),
        None => draft,
    })
}
