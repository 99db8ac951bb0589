//! Events by what they are about, in the order of the log.

use super::{Result, rows};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

/// One event as the catalogue keeps it; the leaf itself is in the log.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Entry {
    /// Position of its leaf.
    pub leaf: u64,
    /// What happened, such as `evidence.sealed`.
    pub kind: String,
    /// Id of what it is about.
    pub subject: String,
    /// Who caused it: a person's id, `operator` or `system`.
    pub actor: String,
    /// When it was committed, milliseconds since 1970.
    pub time_ms: i64,
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        leaf: row.get::<_, i64>(0)?.unsigned_abs(),
        kind: row.get(1)?,
        subject: row.get(2)?,
        actor: row.get(3)?,
        time_ms: row.get(4)?,
    })
}

/// Every event about one of the subjects, oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn of(connection: &Connection, subjects: &[&str]) -> Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, kind, subject, actor, time_ms FROM event WHERE subject = ?1 ORDER BY leaf_index",
    )?;
    let mut entries = Vec::new();
    for subject in subjects {
        for row in query.query_map([subject], entry)? {
            entries.push(row?);
        }
    }
    entries.sort_by_key(|entry: &Entry| entry.leaf);
    Ok(entries)
}

/// The newest events about the subjects, oldest first, without requests, grants, readings and refusals: those have lists of
/// their own, and rules about who sees them.
///
/// # Errors
/// When SQLite refuses.
pub fn custody_of(connection: &Connection, subjects: &[&str], limit: usize) -> Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, kind, subject, actor, time_ms FROM event \
         WHERE subject = ?1 AND kind NOT LIKE 'access.%' ORDER BY leaf_index DESC LIMIT ?2",
    )?;
    let mut entries = Vec::new();
    for subject in subjects {
        for row in query.query_map(params![subject, rows(limit)], entry)? {
            entries.push(row?);
        }
    }
    entries.sort_by_key(|entry: &Entry| entry.leaf);
    let older = entries.len().saturating_sub(limit);
    Ok(entries.split_off(older))
}
