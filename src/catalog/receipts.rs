//! Receipts: rows to render from.

use super::{Result, project::signed};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A receipt as the catalogue keeps it.
#[derive(Clone, Debug)]
pub struct ReceiptRow {
    /// Its number: the position of its leaf.
    pub leaf_index: u64,
    /// Branch it was given to.
    pub branch: String,
    /// yyyymmdd.
    pub date: i64,
    /// File name without the outcome's suffix.
    pub name: String,
    /// `ACCEPTED`, `REJECTED`, `DUPLICATE` or `WAITING`.
    pub outcome: String,
    /// Leaves covered by the checkpoint it is proved against.
    pub commit_size: u64,
    /// JSON of the openings.
    pub openings: String,
    /// JSON of the private facts.
    pub private: String,
}

const RECEIPT: &str =
    "SELECT leaf_index, branch, date, name, outcome, commit_size, openings, private FROM receipt";

fn receipt(row: &Row<'_>) -> rusqlite::Result<ReceiptRow> {
    Ok(ReceiptRow {
        leaf_index: row.get::<_, i64>(0)?.unsigned_abs(),
        branch: row.get(1)?,
        date: row.get(2)?,
        name: row.get(3)?,
        outcome: row.get(4)?,
        commit_size: row.get::<_, i64>(5)?.unsigned_abs(),
        openings: row.get(6)?,
        private: row.get(7)?,
    })
}

/// Days of a branch that have receipts, newest first. Each is one step in the index, however many receipts it has.
///
/// # Errors
/// When SQLite refuses.
pub fn dates(connection: &Connection, branch: &str) -> Result<Vec<i64>> {
    let mut query = connection.prepare_cached(
        "WITH RECURSIVE day (date) AS (SELECT MAX(date) FROM receipt WHERE branch = ?1 UNION ALL \
         SELECT (SELECT MAX(date) FROM receipt WHERE branch = ?1 AND date < day.date) FROM day WHERE date IS NOT NULL) \
         SELECT date FROM day WHERE date IS NOT NULL",
    )?;
    let rows = query.query_map([branch], |row| row.get(0))?;
    rows.map(|row| Ok(row?)).collect()
}

/// A branch's receipts of one day, in log order; waiting ones only while they are the latest word.
///
/// # Errors
/// When SQLite refuses.
pub fn of_day(connection: &Connection, branch: &str, date: i64) -> Result<Vec<ReceiptRow>> {
    let mut query = connection.prepare_cached(&format!(
        "{RECEIPT} WHERE branch = ?1 AND date = ?2 AND superseded IS NULL ORDER BY leaf_index"
    ))?;
    let rows = query.query_map(params![branch, date], receipt)?;
    rows.map(|row| Ok(row?)).collect()
}

/// One receipt by its place in the listing.
///
/// # Errors
/// When SQLite refuses.
pub fn by_name(
    connection: &Connection,
    branch: &str,
    date: i64,
    name: &str,
    outcome: &str,
) -> Result<Option<ReceiptRow>> {
    Ok(connection
        .prepare_cached(&format!(
            "{RECEIPT} WHERE branch = ?1 AND date = ?2 AND name = ?3 AND outcome = ?4 AND superseded IS NULL"
        ))?
        .query_row(params![branch, date, name, outcome], receipt)
        .optional()?)
}

/// One receipt by number.
///
/// # Errors
/// When SQLite refuses.
pub fn by_number(connection: &Connection, number: u64) -> Result<Option<ReceiptRow>> {
    Ok(connection
        .prepare_cached(&format!("{RECEIPT} WHERE leaf_index = ?1"))?
        .query_row([signed(number)], receipt)
        .optional()?)
}

/// The receipts that an upload has had, oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn of_accession(connection: &Connection, accession: &str) -> Result<Vec<ReceiptRow>> {
    let mut query =
        connection.prepare_cached(&format!("{RECEIPT} WHERE accession = ?1 ORDER BY leaf_index"))?;
    let rows = query.query_map([accession], receipt)?;
    rows.map(|row| Ok(row?)).collect()
}

/// Whether a branch has receipts of a day.
///
/// # Errors
/// When SQLite refuses.
pub fn has_day(connection: &Connection, branch: &str, date: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM receipt WHERE branch = ?1 AND date = ?2 LIMIT 1")?
        .query_row(params![branch, date], |_| Ok(()))
        .optional()?
        .is_some())
}
