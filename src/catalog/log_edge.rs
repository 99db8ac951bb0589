//! The custody log's right edge: what isn't yet durable in full tiles, and the signed checkpoints.
//!
//! Written in the same transaction as the events themselves, which makes that transaction the commit point.

use super::{Result, project::signed};
use crate::tlog::merkle::Hash;
use rusqlite::{Connection, OptionalExtension, params};

/// Keeps one leaf's bytes.
///
/// # Errors
/// When SQLite refuses.
pub fn insert_leaf(connection: &Connection, index: u64, bytes: &[u8]) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO log_leaf (leaf_index, bytes) VALUES (?1, ?2)")?
        .execute(params![signed(index), bytes])?;
    Ok(())
}

/// Keeps one tile-level hash.
///
/// # Errors
/// When SQLite refuses.
pub fn insert_hash(connection: &Connection, level: u8, position: u64, hash: &Hash) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO log_hash (level, position, hash) VALUES (?1, ?2, ?3)")?
        .execute(params![level, signed(position), &hash.0[..]])?;
    Ok(())
}

/// Keeps a signed checkpoint.
///
/// # Errors
/// When SQLite refuses.
pub fn insert_checkpoint(connection: &Connection, size: u64, note: &str) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO log_checkpoint (size, note) VALUES (?1, ?2)")?
        .execute(params![signed(size), note])?;
    Ok(())
}

/// The newest checkpoint: leaves covered and the signed note; `None` before the first event.
///
/// # Errors
/// When SQLite refuses.
pub fn latest_checkpoint(connection: &Connection) -> Result<Option<(u64, String)>> {
    Ok(connection
        .prepare_cached("SELECT size, note FROM log_checkpoint ORDER BY size DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
        .optional()?)
}

/// The checkpoint of exactly `size` leaves.
///
/// # Errors
/// When SQLite refuses.
pub fn checkpoint(connection: &Connection, size: u64) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT note FROM log_checkpoint WHERE size = ?1")?
        .query_row([signed(size)], |row| row.get(0))
        .optional()?)
}

/// Full tiles below this many leaves are durable on disk.
///
/// # Errors
/// When SQLite refuses.
pub fn published_size(connection: &Connection) -> Result<u64> {
    Ok(connection
        .prepare_cached("SELECT size FROM log_published")?
        .query_row([], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?)
}

/// Hashes `[from, to)` of a level that the edge still holds, in order.
///
/// # Errors
/// When SQLite refuses.
pub fn hashes(connection: &Connection, level: u8, from: u64, to: u64) -> Result<Vec<Hash>> {
    let mut query = connection.prepare_cached(
        "SELECT hash FROM log_hash WHERE level = ?1 AND position >= ?2 AND position < ?3 ORDER BY position",
    )?;
    let rows = query.query_map(params![level, signed(from), signed(to)], |row| {
        row.get::<_, [u8; 32]>(0)
    })?;
    rows.map(|hash| Ok(Hash(hash?))).collect()
}

/// Bytes of the leaves `[from, to)` that the edge still holds, in order.
///
/// # Errors
/// When SQLite refuses.
pub fn leaves(connection: &Connection, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
    let mut query = connection.prepare_cached(
        "SELECT bytes FROM log_leaf WHERE leaf_index >= ?1 AND leaf_index < ?2 ORDER BY leaf_index",
    )?;
    let rows = query.query_map(params![signed(from), signed(to)], |row| row.get(0))?;
    rows.map(|bytes| Ok(bytes?)).collect()
}

/// Records that full tiles below `size` are durable, and drops what only they need.
///
/// # Errors
/// When SQLite refuses.
pub fn prune(connection: &Connection, size: u64) -> Result<()> {
    let full = size / 256 * 256;
    connection.execute("DELETE FROM log_leaf WHERE leaf_index < ?1", [signed(full)])?;
    let mut level_size = full;
    for level in 0u8..8 {
        let keep_from = level_size / 256 * 256;
        connection.execute(
            "DELETE FROM log_hash WHERE level = ?1 AND position < ?2",
            params![level, signed(keep_from)],
        )?;
        level_size /= 256;
    }
    connection.execute("UPDATE log_published SET size = ?1", [signed(full)])?;
    Ok(())
}

/// Witness cosignatures of the checkpoint of `size` leaves, as (key name, base64 signature).
///
/// # Errors
/// When SQLite refuses.
pub fn cosignatures(connection: &Connection, size: u64) -> Result<Vec<(String, String)>> {
    let mut query = connection
        .prepare_cached("SELECT witness, cosignature FROM anchor WHERE size = ?1 ORDER BY leaf_index")?;
    let rows = query.query_map([signed(size)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| Ok(row?)).collect()
}

/// The largest tree any witness has seen.
///
/// # Errors
/// When SQLite refuses.
pub fn largest_anchor(connection: &Connection) -> Result<u64> {
    Ok(
        connection.query_row("SELECT COALESCE(MAX(size), 0) FROM anchor", [], |row| {
            Ok(row.get::<_, i64>(0)?.unsigned_abs())
        })?,
    )
}
