//! Branches, people, their roles and keys.

use super::Result;
use crate::domain::role::Role;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use std::collections::HashMap;

/// A branch of the house.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Branch {
    /// Its code, for instance `0101`.
    pub code: String,
    /// Its name.
    pub name: String,
    /// People who may work for it now.
    pub people: i64,
}

/// A person with access.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Person {
    /// What the log calls them.
    pub id: String,
    /// Log-in name.
    pub name: String,
    /// Branch code, for branch roles.
    pub branch: Option<String>,
    /// Confidentiality agreement reference.
    pub nda: String,
    /// When they were added, milliseconds since 1970.
    pub added_ms: i64,
    /// When they were disabled, or `None` while active.
    pub disabled_ms: Option<i64>,
    /// Role ids in order.
    pub roles: Vec<String>,
    /// Key fingerprints in order.
    pub keys: Vec<String>,
}

impl Person {
    /// Whether the person holds a role and may use it.
    pub fn holds(&self, role: Role) -> bool {
        self.disabled_ms.is_none() && self.roles.iter().any(|held| held == role.id())
    }
}

/// All branches by code.
///
/// # Errors
/// When SQLite refuses.
pub fn branches(connection: &Connection) -> Result<Vec<Branch>> {
    let mut query = connection.prepare_cached(
        "SELECT code, name, (SELECT COUNT(*) FROM person WHERE person.branch = branch.code AND disabled_index IS NULL) \
         FROM branch ORDER BY code",
    )?;
    let rows = query.query_map([], |row| {
        Ok(Branch {
            code: row.get(0)?,
            name: row.get(1)?,
            people: row.get(2)?,
        })
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// Whether a branch is known.
///
/// # Errors
/// When SQLite refuses.
pub fn has_branch(connection: &Connection, code: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM branch WHERE code = ?1")?
        .query_row([code], |_| Ok(()))
        .optional()?
        .is_some())
}

const PERSON: &str = "SELECT id, name, branch, nda, added_ms, disabled_ms FROM person";

fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    Ok(Person {
        id: row.get(0)?,
        name: row.get(1)?,
        branch: row.get(2)?,
        nda: row.get(3)?,
        added_ms: row.get(4)?,
        disabled_ms: row.get(5)?,
        roles: Vec::new(),
        keys: Vec::new(),
    })
}

fn complete(connection: &Connection, mut person: Person) -> Result<Person> {
    let mut roles =
        connection.prepare_cached("SELECT role FROM person_role WHERE person = ?1 ORDER BY role")?;
    person.roles = roles
        .query_map([&person.id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut keys = connection
        .prepare_cached("SELECT fingerprint FROM person_key WHERE person = ?1 ORDER BY fingerprint")?;
    person.keys = keys
        .query_map([&person.id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(person)
}

/// Everybody, by name.
///
/// # Errors
/// When SQLite refuses.
pub fn people(connection: &Connection) -> Result<Vec<Person>> {
    let mut query = connection.prepare_cached(&format!("{PERSON} ORDER BY name"))?;
    let rows: Vec<Person> = query.query_map([], person)?.collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(|row| complete(connection, row)).collect()
}

/// Log-in names by the ids that the log uses, of everybody who ever was.
///
/// # Errors
/// When SQLite refuses.
pub fn names(connection: &Connection) -> Result<HashMap<String, String>> {
    let mut query = connection.prepare_cached("SELECT id, name FROM person ORDER BY id")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| Ok(row?)).collect()
}

/// When a person last signed in to the console, milliseconds since 1970.
///
/// # Errors
/// When SQLite refuses.
pub fn last_sign_in(connection: &Connection, person: &str) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached(
            "SELECT time_ms FROM event WHERE subject = ?1 AND kind = 'user.signed_in' ORDER BY leaf_index DESC LIMIT 1",
        )?
        .query_row([person], |row| row.get(0))
        .optional()?)
}

/// A person by log-in name, active or not.
///
/// # Errors
/// When SQLite refuses.
pub fn by_name(connection: &Connection, name: &str) -> Result<Option<Person>> {
    let found = connection
        .prepare_cached(&format!("{PERSON} WHERE name = ?1"))?
        .query_row([name], person)
        .optional()?;
    found.map(|row| complete(connection, row)).transpose()
}

/// A person by the id that the log uses, active or not.
///
/// # Errors
/// When SQLite refuses.
pub fn by_id(connection: &Connection, id: &str) -> Result<Option<Person>> {
    let found = connection
        .prepare_cached(&format!("{PERSON} WHERE id = ?1"))?
        .query_row([id], person)
        .optional()?;
    found.map(|row| complete(connection, row)).transpose()
}

/// Whose key a fingerprint is.
///
/// # Errors
/// When SQLite refuses.
pub fn key_owner(connection: &Connection, fingerprint: &str) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT person FROM person_key WHERE fingerprint = ?1")?
        .query_row([fingerprint], |row| row.get(0))
        .optional()?)
}
