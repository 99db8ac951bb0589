//! Tables of document types as head office published them.

use super::{Result, rows};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

/// A published version.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Published {
    /// Its version, from 1.
    pub version: u32,
    /// Position of its event in the log.
    pub leaf: i64,
    /// When it was published, milliseconds since 1970.
    pub time_ms: i64,
    /// Who published it: `operator`, or `system` for the table that ships.
    pub actor: String,
    /// SHA-256 of the text, lower-case hex.
    pub sha256: String,
    /// The text, TOML; nothing where its record was lost.
    #[serde(skip)]
    pub text: Option<String>,
}

const PUBLISHED: &str = "SELECT document_types.version, document_types.leaf_index, event.time_ms, event.actor, \
                         lower(hex(document_types.sha256)), document_types.text FROM document_types \
                         JOIN event ON event.leaf_index = document_types.leaf_index";

fn published(row: &rusqlite::Row<'_>) -> rusqlite::Result<Published> {
    Ok(Published {
        version: row.get(0)?,
        leaf: row.get(1)?,
        time_ms: row.get(2)?,
        actor: row.get(3)?,
        sha256: row.get(4)?,
        text: row.get(5)?,
    })
}

/// The newest version whose text is known: the one that judges.
///
/// # Errors
/// When SQLite refuses.
pub fn newest(connection: &Connection) -> Result<Option<Published>> {
    Ok(connection
        .prepare_cached(&format!(
            "{PUBLISHED} WHERE document_types.text IS NOT NULL ORDER BY document_types.version DESC LIMIT 1"
        ))?
        .query_row([], published)
        .optional()?)
}

/// The highest version that was ever published, 0 for none.
///
/// # Errors
/// When SQLite refuses.
pub fn last_version(connection: &Connection) -> Result<u32> {
    Ok(connection
        .prepare_cached("SELECT COALESCE(MAX(version), 0) FROM document_types")?
        .query_row([], |row| row.get(0))?)
}

/// One version.
///
/// # Errors
/// When SQLite refuses.
pub fn by_version(connection: &Connection, version: u32) -> Result<Option<Published>> {
    Ok(connection
        .prepare_cached(&format!("{PUBLISHED} WHERE document_types.version = ?1"))?
        .query_row([version], published)
        .optional()?)
}

/// All versions, the newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn history(connection: &Connection, limit: usize) -> Result<Vec<Published>> {
    let mut query = connection.prepare_cached(&format!(
        "{PUBLISHED} ORDER BY document_types.version DESC LIMIT ?1"
    ))?;
    let found = query.query_map(params![rows(limit)], published)?;
    found.map(|row| Ok(row?)).collect()
}
