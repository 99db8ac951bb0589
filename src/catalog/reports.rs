//! Counts and lists over the whole catalogue, for auditors and for people's task lists.
//!
//! These read what they count, so they cost what they say; callers keep an answer for a while.

use super::Result;
use rusqlite::{Connection, Row, params};

/// An upload that waits to be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its accession id.
    pub id: String,
    /// Branch code.
    pub branch: String,
    /// Log-in name of the uploader.
    pub name: String,
    /// Inbox path.
    pub path: String,
    /// Bytes that are here.
    pub size_bytes: i64,
    /// When they came, milliseconds since 1970.
    pub time_ms: i64,
    /// Until when it can be completed.
    pub expires_ms: Option<i64>,
    /// The event that says so.
    pub leaf_index: u64,
    /// JSON of the receipt's private facts, with the reason in words; a temporary name has no receipt.
    pub private: Option<String>,
}

const WAITING: &str = "SELECT a.id, a.branch, COALESCE(p.name, a.person), a.path, a.size_bytes, a.time_ms, a.expires_ms, \
     a.leaf_index, r.private FROM accession a LEFT JOIN person p ON p.id = a.person \
     LEFT JOIN receipt r ON r.leaf_index = a.leaf_index WHERE a.state = 'received'";

fn waiting_row(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        id: row.get(0)?,
        branch: row.get(1)?,
        name: row.get(2)?,
        path: row.get(3)?,
        size_bytes: row.get(4)?,
        time_ms: row.get(5)?,
        expires_ms: row.get(6)?,
        leaf_index: row.get::<_, i64>(7)?.unsigned_abs(),
        private: row.get(8)?,
    })
}

/// One person's waiting uploads, the most urgent first.
///
/// # Errors
/// When SQLite refuses.
pub fn waiting_of(connection: &Connection, person: &str) -> Result<Vec<Waiting>> {
    let mut query = connection.prepare_cached(&format!(
        "{WAITING} AND a.person = ?1 ORDER BY a.expires_ms, a.id"
    ))?;
    let rows = query.query_map([person], waiting_row)?;
    rows.map(|row| Ok(row?)).collect()
}

/// Everybody's waiting uploads by branch, the most urgent first.
///
/// # Errors
/// When SQLite refuses.
pub fn waiting(connection: &Connection) -> Result<Vec<Waiting>> {
    let mut query = connection.prepare_cached(&format!("{WAITING} ORDER BY a.branch, a.expires_ms, a.id"))?;
    let rows = query.query_map([], waiting_row)?;
    rows.map(|row| Ok(row?)).collect()
}

/// What a branch has sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchTotals {
    /// Branch code.
    pub branch: String,
    /// Its name.
    pub name: String,
    /// Pieces of evidence.
    pub evidence: i64,
    /// Their versions.
    pub versions: i64,
    /// Bytes of the originals.
    pub size_bytes: i64,
    /// Versions that agree with a declaration.
    pub declared: i64,
    /// When the first and the last version were sealed, milliseconds since 1970.
    pub sealed_ms: Option<(i64, i64)>,
}

/// What each branch has sealed, branches without anything included.
///
/// # Errors
/// When SQLite refuses.
pub fn evidence_by_branch(connection: &Connection) -> Result<Vec<BranchTotals>> {
    let mut query = connection.prepare_cached(
        "SELECT b.code, b.name, COUNT(DISTINCT e.id), COUNT(e.id), COALESCE(SUM(e.size_bytes), 0), \
         COALESCE(SUM(e.grade = 'declared'), 0), MIN(e.sealed_ms), MAX(e.sealed_ms) \
         FROM branch b LEFT JOIN evidence e ON e.branch = b.code GROUP BY b.code ORDER BY b.code",
    )?;
    let rows = query.query_map([], |row| {
        let (first, last): (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
        Ok(BranchTotals {
            branch: row.get(0)?,
            name: row.get(1)?,
            evidence: row.get(2)?,
            versions: row.get(3)?,
            size_bytes: row.get(4)?,
            declared: row.get(5)?,
            sealed_ms: first.zip(last),
        })
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// The newest events of a kind, newest first, as (position, actor, time in ms).
///
/// # Errors
/// When SQLite refuses.
pub fn events_of_kind(connection: &Connection, kind: &str, limit: u32) -> Result<Vec<(u64, String, i64)>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, actor, time_ms FROM event WHERE kind = ?1 ORDER BY leaf_index DESC LIMIT ?2",
    )?;
    let rows = query.query_map(params![kind, limit], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?))
    })?;
    rows.map(|row| Ok(row?)).collect()
}
