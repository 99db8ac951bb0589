//! What inspections came to, which are still to come, and the copies that were made on the way.

use super::{Result, project::signed, rows};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// A version whose deep inspection is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// Receipt number of the version.
    pub receipt: u64,
    /// The event that made it due: that receipt, or the request that came later.
    pub since: u64,
    /// Evidence id.
    pub evidence: String,
    /// Version, from 1.
    pub version: i64,
    /// The accession it was, which names the sidecar that opens it.
    pub accession: String,
}

/// What an inspection came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectionRow {
    /// Position of its event.
    pub leaf: u64,
    /// `gate` or `deep`.
    pub tier: String,
    /// `accepted`, `needs_review` or `rejected`.
    pub verdict: String,
    /// Version of the document types that judged it.
    pub types_version: i64,
    /// JSON list of codes, the gravest first.
    pub findings: String,
    /// JSON: report and findings.
    pub whole: String,
}

/// A copy made from a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Derived {
    /// Position of its event.
    pub leaf: u64,
    /// That event's id, the file's name.
    pub id: String,
    /// Evidence id.
    pub evidence: String,
    /// Version, from 1.
    pub version: i64,
    /// `contact_sheet` or `playback`.
    pub form: String,
    /// Such as `image/jpeg`.
    pub media_type: String,
    /// Size in bytes.
    pub size_bytes: i64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Size of the encrypted body in bytes.
    pub stored_size_bytes: i64,
    /// BLAKE3 of the encrypted body, lower-case hex.
    pub stored_blake3: String,
}

const DUE: &str = "SELECT receipt, since, evidence, version, accession FROM inspection_due";

fn due(row: &Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        receipt: row.get::<_, i64>(0)?.unsigned_abs(),
        since: row.get::<_, i64>(1)?.unsigned_abs(),
        evidence: row.get(2)?,
        version: row.get(3)?,
        accession: row.get(4)?,
    })
}

const DERIVED: &str = "SELECT leaf_index, id, evidence, version, form, media_type, size_bytes, lower(hex(sha256)), \
                       stored_size_bytes, lower(hex(stored_blake3)) FROM derived";

fn derived(row: &Row<'_>) -> rusqlite::Result<Derived> {
    Ok(Derived {
        leaf: row.get::<_, i64>(0)?.unsigned_abs(),
        id: row.get(1)?,
        evidence: row.get(2)?,
        version: row.get(3)?,
        form: row.get(4)?,
        media_type: row.get(5)?,
        size_bytes: row.get(6)?,
        sha256: row.get(7)?,
        stored_size_bytes: row.get(8)?,
        stored_blake3: row.get(9)?,
    })
}

fn inspection(row: &Row<'_>) -> rusqlite::Result<InspectionRow> {
    Ok(InspectionRow {
        leaf: row.get::<_, i64>(0)?.unsigned_abs(),
        tier: row.get(1)?,
        verdict: row.get(2)?,
        types_version: row.get(3)?,
        findings: row.get(4)?,
        whole: row.get(5)?,
    })
}

/// Accessions whose sealed bodies still wait for their deep inspection.
///
/// # Errors
/// When SQLite refuses.
pub fn due_accessions(connection: &Connection) -> Result<Vec<String>> {
    let mut query = connection.prepare_cached("SELECT accession FROM inspection_due ORDER BY since")?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.map(|row| Ok(row?)).collect()
}

/// The version that has been due longest, of those that became due after the event `after`.
///
/// # Errors
/// When SQLite refuses.
pub fn next_due(connection: &Connection, after: Option<u64>) -> Result<Option<Due>> {
    Ok(connection
        .prepare_cached(&format!("{DUE} WHERE since > ?1 ORDER BY since LIMIT 1"))?
        .query_row([after.map_or(-1, signed)], due)
        .optional()?)
}

/// Whether the version that a receipt sealed is due.
///
/// # Errors
/// When SQLite refuses.
pub fn due_of(connection: &Connection, receipt: u64) -> Result<Option<Due>> {
    Ok(connection
        .prepare_cached(&format!("{DUE} WHERE receipt = ?1"))?
        .query_row([signed(receipt)], due)
        .optional()?)
}

/// How many are due.
///
/// # Errors
/// When SQLite refuses.
pub fn due_count(connection: &Connection) -> Result<u64> {
    Ok(
        connection.query_row("SELECT COUNT(*) FROM inspection_due", [], |row| {
            Ok(row.get::<_, i64>(0)?.unsigned_abs())
        })?,
    )
}

/// What the inspections of a version (or, with version 0, of a rejected accession) came to, oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn of(connection: &Connection, subject: &str, version: i64) -> Result<Vec<InspectionRow>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, tier, verdict, types_version, findings, whole FROM inspection \
         WHERE subject = ?1 AND version = ?2 ORDER BY leaf_index",
    )?;
    let rows = query.query_map(params![subject, version], inspection)?;
    rows.map(|row| Ok(row?)).collect()
}

/// What the inspection in one event came to.
///
/// # Errors
/// When SQLite refuses.
pub fn by_leaf(connection: &Connection, leaf_index: u64) -> Result<Option<InspectionRow>> {
    Ok(connection
        .prepare_cached(
            "SELECT leaf_index, tier, verdict, types_version, findings, whole FROM inspection WHERE leaf_index = ?1",
        )?
        .query_row([signed(leaf_index)], inspection)
        .optional()?)
}

/// Copies of a version, oldest first. The newest of a form is the one to use.
///
/// # Errors
/// When SQLite refuses.
pub fn derived_of(connection: &Connection, evidence: &str, version: i64) -> Result<Vec<Derived>> {
    let mut query = connection.prepare_cached(&format!(
        "{DERIVED} WHERE evidence = ?1 AND version = ?2 ORDER BY leaf_index LIMIT ?3"
    ))?;
    let found = query.query_map(params![evidence, version, rows(1_000)], derived)?;
    found.map(|row| Ok(row?)).collect()
}

/// One copy by its id.
///
/// # Errors
/// When SQLite refuses.
pub fn derived_by_id(connection: &Connection, id: &str) -> Result<Option<Derived>> {
    Ok(connection
        .prepare_cached(&format!("{DERIVED} WHERE id = ?1"))?
        .query_row([id], derived)
        .optional()?)
}
