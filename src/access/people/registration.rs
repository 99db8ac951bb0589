//! Branches, people and their keys: what may be registered, and the events that do it.
//!
//! Each function is called inside the transaction that commits its event, so that two requests at one time can't both
//! find a name free.

use super::{
    PeopleError,
    key::{self, KeyFile, PersonKey},
    storage,
};
use crate::{
    catalog::people::{self, Person},
    domain::{
        event::{Draft, Kind},
        role::{Role, RoleSet},
    },
};
use rusqlite::Connection;
use serde_json::{Map, Value};

/// Characters of a branch's name or of a reference at the most.
pub const MAX_TEXT: usize = 200;

/// Keys of a person at the most: a few machines, and a security key for each.
pub const MAX_KEYS: usize = 16;

type Result<T> = std::result::Result<T, PeopleError>;

/// A text for people: not blank, one line, no longer than a line can be.
///
/// # Errors
/// What is wrong with `what`.
pub fn plain_text<'t>(text: &'t str, what: &'static str) -> Result<&'t str> {
    let text = text.trim();
    if text.is_empty() {
        return Err(PeopleError::Blank(what));
    }
    if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(PeopleError::Long(what));
    }
    Ok(text)
}

/// The event that adds a branch.
pub(super) fn branch_add(
    connection: &Connection,
    event: &str,
    actor: &str,
    code: &str,
    name: &str,
) -> Result<Draft> {
    if !(2..=12).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(PeopleError::BranchCode(code.to_owned()));
    }
    let name = plain_text(name, "the branch's name (--name)")?;
    if people::has_branch(connection, code).map_err(storage)? {
        return Err(PeopleError::BranchTaken(code.to_owned()));
    }
    Ok(Draft::new(Kind::BranchAdded, event, actor)
        .fact("branch", code)
        .commit("name", name))
}

/// What is asked about a new person.
#[derive(Clone, Debug, Default)]
pub struct NewPerson {
    /// Log-in name.
    pub name: String,
    /// Role ids.
    pub roles: Vec<String>,
    /// Branch code, for branch roles.
    pub branch: Option<String>,
    /// Texts of public key files.
    pub keys: Vec<KeyFile>,
    /// Confidentiality agreement reference (D33).
    pub nda: String,
}

/// The event that adds a person, and the fingerprints of their keys.
pub(super) fn user_add(
    connection: &Connection,
    event: &str,
    actor: &str,
    id: &str,
    person: &NewPerson,
) -> Result<Draft> {
    let name = person.name.as_str();
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !first || name.len() > 32 || !name.bytes().all(allowed) {
        return Err(PeopleError::LoginName(name.to_owned()));
    }
    let nda = plain_text(
        &person.nda,
        "the confidentiality agreement's reference (--nda), without which nobody gets access,",
    )?;
    let roles: Vec<Role> = person
        .roles
        .iter()
        .map(|role| role.parse())
        .collect::<std::result::Result<_, _>>()?;
    let roles = RoleSet::new(roles, person.branch.is_some())?;
    let keys = distinct_keys(&person.keys)?;
    if keys.len() > MAX_KEYS {
        return Err(PeopleError::KeyLimit(name.to_owned()));
    }
    // Everybody else works at the console, where a key is no way in.
    if keys.is_empty() && roles.has(Role::Uploader) {
        return Err(PeopleError::NoKey);
    }

    if let Some(known) = people::by_name(connection, name).map_err(storage)? {
        let name = name.to_owned();
        return Err(match known.disabled_ms {
            None => PeopleError::NameTaken(name),
            Some(_) => PeopleError::NameOfHistory(name),
        });
    }
    if let Some(branch) = &person.branch
        && !people::has_branch(connection, branch).map_err(storage)?
    {
        return Err(PeopleError::UnknownBranch(branch.clone()));
    }
    for key in &keys {
        not_in_use(connection, key, name)?;
    }

    let lines: Map<String, Value> = keys
        .iter()
        .map(|key| (key.fingerprint.clone(), Value::from(key.line.as_str())))
        .collect();
    let fingerprints: Vec<String> = keys.into_iter().map(|key| key.fingerprint).collect();
    let role_ids: Vec<&str> = roles.iter().map(Role::id).collect();
    let draft = Draft::new(Kind::UserAdded, event, actor)
        .fact("person", id)
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

fn distinct_keys(files: &[KeyFile]) -> Result<Vec<PersonKey>> {
    let mut keys: Vec<PersonKey> = Vec::new();
    for file in files {
        for key in key::parse(file)? {
            if keys.contains(&key) {
                return Err(PeopleError::KeyTwice(key.fingerprint));
            }
            keys.push(key);
        }
    }
    Ok(keys)
}

/// A key names one person, also one who is disabled.
fn not_in_use(connection: &Connection, key: &PersonKey, name: &str) -> Result<()> {
    let Some(owner) = people::key_owner(connection, &key.fingerprint).map_err(storage)? else {
        return Ok(());
    };
    let owner = people::by_id(connection, &owner)
        .map_err(storage)?
        .map_or(owner, |owner| owner.name);
    let (fingerprint, name) = (key.fingerprint.clone(), name.to_owned());
    Err(if owner == name {
        PeopleError::KeyTheirs { fingerprint, name }
    } else {
        PeopleError::KeyTaken {
            fingerprint,
            owner,
            name,
        }
    })
}

fn active(connection: &Connection, name: &str) -> Result<Person> {
    people::by_name(connection, name)
        .map_err(storage)?
        .filter(|person| person.disabled_ms.is_none())
        .ok_or_else(|| PeopleError::NobodyActive(name.to_owned()))
}

/// The event that gives a person one more key.
pub(super) fn key_add(
    connection: &Connection,
    event: &str,
    actor: &str,
    name: &str,
    file: &KeyFile,
) -> Result<Draft> {
    let mut keys = key::parse(file)?;
    let (Some(key), true) = (keys.pop(), keys.is_empty()) else {
        return Err(PeopleError::KeySeveral);
    };
    let person = active(connection, name)?;
    not_in_use(connection, &key, name)?;
    if person.keys.len() >= MAX_KEYS {
        return Err(PeopleError::KeyLimit(person.name));
    }
    Ok(Draft::new(Kind::UserKeyAdded, event, actor)
        .fact("person", person.id)
        .fact("key", key.fingerprint)
        .private("line", key.line))
}

/// The event after which a key of a person lets nobody in.
pub(super) fn key_revoke(
    connection: &Connection,
    event: &str,
    actor: &str,
    name: &str,
    fingerprint: &str,
) -> Result<Draft> {
    let person = active(connection, name)?;
    if !person.keys.iter().any(|key| key == fingerprint) {
        return Err(PeopleError::NoSuchKey {
            fingerprint: fingerprint.to_owned(),
            name: person.name,
        });
    }
    Ok(Draft::new(Kind::UserKeyRevoked, event, actor)
        .fact("person", person.id)
        .fact("key", fingerprint))
}

/// The event that disables a person.
pub(super) fn user_disable(
    connection: &Connection,
    event: &str,
    actor: &str,
    name: &str,
    reason: Option<&str>,
) -> Result<Draft> {
    let Some(person) = people::by_name(connection, name).map_err(storage)? else {
        return Err(PeopleError::Nobody(name.to_owned()));
    };
    if person.disabled_ms.is_some() {
        return Err(PeopleError::DisabledAlready(name.to_owned()));
    }
    let draft = Draft::new(Kind::UserDisabled, event, actor).fact("person", person.id);
    Ok(match reason {
        Some(reason) => draft.commit("reason", plain_text(reason, "the reason (--reason)")?),
        None => draft,
    })
}
