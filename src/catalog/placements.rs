//! The placement queue: files that a commit promised under their final names. Rows go when the files are durable there.

use super::{Result, project::signed, rows};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Where the bytes of a placement come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The staged body of this accession is moved.
    Staged {
        /// Its id.
        accession: String,
        /// Size of the encrypted body in bytes.
        size_bytes: u64,
    },
    /// These bytes are written.
    Bytes(Vec<u8>),
}

/// One file to put in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Path below the vault's root.
    pub target: String,
    /// What goes there.
    pub source: Source,
}

/// Queues a placement, in the transaction of the event that promises it.
///
/// # Errors
/// When SQLite refuses.
pub fn enqueue(connection: &Connection, leaf_index: u64, placement: &Placement) -> Result<()> {
    let (staged, size_bytes, bytes) = match &placement.source {
        Source::Staged {
            accession,
            size_bytes,
        } => (Some(accession), Some(signed(*size_bytes)), None),
        Source::Bytes(bytes) => (None, None, Some(bytes)),
    };
    connection
        .prepare_cached("INSERT INTO placement (leaf_index, target, staged, size_bytes, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![signed(leaf_index), placement.target, staged, size_bytes, bytes])?;
    Ok(())
}

/// A record or header as it was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Path below the vault.
    pub target: String,
    /// The event it belongs to.
    pub leaf_index: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its digest.
    pub blake3: [u8; 32],
}

/// Remembers a record's or header's size and digest.
///
/// # Errors
/// When SQLite refuses.
pub fn insert_stored(connection: &Connection, file: &StoredFile) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO stored_file (target, leaf_index, size_bytes, blake3) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            file.target,
            signed(file.leaf_index),
            signed(file.size_bytes),
            &file.blake3[..]
        ])?;
    Ok(())
}

/// Records and headers after a path, in order of their paths.
///
/// # Errors
/// When SQLite refuses.
pub fn stored_after(connection: &Connection, after: &str, limit: usize) -> Result<Vec<StoredFile>> {
    let mut query = connection.prepare_cached(
        "SELECT target, leaf_index, size_bytes, blake3 FROM stored_file WHERE target > ?1 ORDER BY target LIMIT ?2",
    )?;
    let found = query.query_map(params![after, rows(limit)], stored_row)?;
    found.map(|row| Ok(row?)).collect()
}

/// A record or header as it was placed at this path.
///
/// # Errors
/// When SQLite refuses.
pub fn stored(connection: &Connection, target: &str) -> Result<Option<StoredFile>> {
    Ok(connection
        .prepare_cached("SELECT target, leaf_index, size_bytes, blake3 FROM stored_file WHERE target = ?1")?
        .query_row([target], stored_row)
        .optional()?)
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<StoredFile> {
    Ok(StoredFile {
        target: row.get(0)?,
        leaf_index: row.get::<_, i64>(1)?.unsigned_abs(),
        size_bytes: row.get::<_, i64>(2)?.unsigned_abs(),
        blake3: row.get(3)?,
    })
}

/// Whether a record or header belongs at this path.
///
/// # Errors
/// When SQLite refuses.
pub fn is_stored(connection: &Connection, target: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM stored_file WHERE target = ?1)")?
        .query_row([target], |row| row.get(0))?)
}

/// The oldest placements still to do, with their row ids.
///
/// # Errors
/// When SQLite refuses.
pub fn pending(connection: &Connection, after: i64, limit: usize) -> Result<Vec<(i64, Placement)>> {
    let mut query = connection.prepare_cached(
        "SELECT id, target, staged, size_bytes, bytes FROM placement WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = query.query_map(params![after, rows(limit)], |row| {
        let staged: Option<String> = row.get(2)?;
        let source = match staged {
            Some(accession) => Source::Staged {
                accession,
                size_bytes: row.get::<_, i64>(3)?.unsigned_abs(),
            },
            None => Source::Bytes(row.get(4)?),
        };
        Ok((
            row.get(0)?,
            Placement {
                target: row.get(1)?,
                source,
            },
        ))
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// How many placements are still to do.
///
/// # Errors
/// When SQLite refuses.
pub fn pending_count(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("SELECT COUNT(*) FROM placement", [], |row| {
        Ok(row.get::<_, i64>(0)?.unsigned_abs())
    })?)
}

/// Accessions whose staged bodies are still to be moved.
///
/// # Errors
/// When SQLite refuses.
pub fn staged(connection: &Connection) -> Result<Vec<String>> {
    let mut query =
        connection.prepare_cached("SELECT staged FROM placement WHERE staged IS NOT NULL ORDER BY staged")?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.map(|row| Ok(row?)).collect()
}

/// Whether a placement to this target is still to do.
///
/// # Errors
/// When SQLite refuses.
pub fn is_pending(connection: &Connection, target: &str) -> Result<bool> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM placement WHERE target = ?1)",
        [target],
        |row| row.get(0),
    )?)
}

/// Forgets placements whose files are durable in their places.
///
/// # Errors
/// When SQLite refuses.
pub fn finish(connection: &Connection, ids: &[i64]) -> Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM placement WHERE id = ?1")?;
    for id in ids {
        delete.execute([id])?;
    }
    Ok(())
}
