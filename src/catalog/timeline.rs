//! Events by what they are about, in the order of the log.

use super::Result;
use rusqlite::Connection;
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
        let rows = query.query_map([subject], |row| {
            Ok(Entry {
                leaf: row.get::<_, i64>(0)?.unsigned_abs(),
                kind: row.get(1)?,
                subject: row.get(2)?,
                actor: row.get(3)?,
                time_ms: row.get(4)?,
            })
        })?;
        for row in rows {
            entries.push(row?);
        }
    }
    entries.sort_by_key(|entry: &Entry| entry.leaf);
    Ok(entries)
}
