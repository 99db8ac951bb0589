//! What uploaders sent, and what they declared about it.

use super::{Result, rows};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// An accession in its latest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accession {
    /// Its id.
    pub id: String,
    /// Who sent it.
    pub person: String,
    /// For which branch.
    pub branch: String,
    /// Inbox path, NFC, components joined by `/`.
    pub path: String,
    /// As the client sent it.
    pub path_raw: Vec<u8>,
    /// `received`, `sealed`, `rejected`, `duplicate`, `withdrawn`, `declaration` or `replaced`.
    pub state: String,
    /// Size of the original in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the original.
    pub sha256: [u8; 32],
    /// Modification time the client claimed, seconds since 1970.
    pub mtime_s: Option<i64>,
    /// The event that put it in this state: the number of its latest receipt.
    pub leaf_index: u64,
    /// When that was, milliseconds since 1970.
    pub time_ms: i64,
    /// Why it waits, or was refused: a stable code.
    pub reason: Option<String>,
}

const ACCESSION: &str = "SELECT id, person, branch, path, path_raw, state, size_bytes, sha256, mtime_s, leaf_index, time_ms, \
                         reason \
                         FROM accession";

fn accession(row: &Row<'_>) -> rusqlite::Result<Accession> {
    Ok(Accession {
        id: row.get(0)?,
        person: row.get(1)?,
        branch: row.get(2)?,
        path: row.get(3)?,
        path_raw: row.get(4)?,
        state: row.get(5)?,
        size_bytes: row.get::<_, i64>(6)?.unsigned_abs(),
        sha256: row.get(7)?,
        mtime_s: row.get(8)?,
        leaf_index: row.get::<_, i64>(9)?.unsigned_abs(),
        time_ms: row.get(10)?,
        reason: row.get(11)?,
    })
}

/// What is in sight of its uploader for good: the condition of the index `accession_inbox`, word for word.
const SHOWN: &str = "hidden = 0 AND state NOT IN ('withdrawn', 'replaced')";

/// What a person's inbox shows, by path and in log order: everything unsettled, and what was settled since `settled_since_ms`.
///
/// # Errors
/// When SQLite refuses.
pub fn inbox(connection: &Connection, person: &str, settled_since_ms: i64) -> Result<Vec<Accession>> {
    // Two questions, each with its index: one with an OR would walk everything that this person ever sent.
    let mut query = connection.prepare_cached(&format!(
        "{ACCESSION} INDEXED BY accession_waiting_person WHERE person = ?1 AND state = 'received' AND {SHOWN} UNION ALL \
         {ACCESSION} INDEXED BY accession_recent WHERE person = ?1 AND time_ms >= ?2 AND state <> 'received' AND {SHOWN} \
         ORDER BY path, leaf_index"
    ))?;
    let rows = query.query_map(params![person, settled_since_ms], accession)?;
    rows.map(|row| Ok(row?)).collect()
}

/// The latest accession at an inbox path that is still in view.
///
/// # Errors
/// When SQLite refuses.
pub fn at_path(
    connection: &Connection,
    person: &str,
    path: &str,
    settled_since_ms: i64,
) -> Result<Option<Accession>> {
    let newest = |index: &str, state: &str| -> Result<Option<Accession>> {
        Ok(connection
            .prepare_cached(&format!(
                "{ACCESSION} INDEXED BY {index} WHERE person = ?1 AND path = ?2 AND {state} {SHOWN} \
                 ORDER BY leaf_index DESC LIMIT 1"
            ))?
            .query_row([person, path], accession)
            .optional()?)
    };
    match newest("accession_inbox", "")? {
        // What was settled before is older still. What waits is in view however old it is.
        Some(row) if row.state != "received" && row.time_ms < settled_since_ms => {
            newest("accession_waiting_person", "state = 'received' AND")
        }
        found => Ok(found),
    }
}

/// Rows below a folder that are looked at before the whole inbox is asked instead.
const BELOW: usize = 64;

/// Whether anything in view lies below an inbox folder. The path is the prefix's range in the index, not a pattern.
///
/// # Errors
/// When SQLite refuses.
pub fn any_below(connection: &Connection, person: &str, folder: &str, settled_since_ms: i64) -> Result<bool> {
    const RANGE: &str = "person = ?1 AND path > ?2 || '/' AND path < ?2 || '0'";
    let mut query = connection.prepare_cached(&format!(
        "SELECT state = 'received' OR time_ms >= ?3 FROM accession INDEXED BY accession_inbox WHERE {RANGE} AND {SHOWN} LIMIT ?4"
    ))?;
    let below = query.query_map(params![person, folder, settled_since_ms, rows(BELOW)], |row| {
        row.get(0)
    })?;
    let below: Vec<bool> = below.collect::<rusqlite::Result<_>>()?;
    if below.len() < BELOW || below.contains(&true) {
        return Ok(below.contains(&true));
    }
    // A folder that was used for years: what waits and what came lately is less than what lies below it.
    let waits = format!(
        "SELECT 1 FROM accession INDEXED BY accession_waiting_person WHERE {RANGE} AND state = 'received' AND {SHOWN}"
    );
    let came = format!(
        "SELECT 1 FROM accession INDEXED BY accession_recent WHERE {RANGE} AND time_ms >= ?3 AND {SHOWN}"
    );
    Ok(connection.prepare_cached(&waits)?.exists([person, folder])?
        || connection
            .prepare_cached(&came)?
            .exists(params![person, folder, settled_since_ms])?)
}

/// How many of a person's uploads wait.
///
/// # Errors
/// When SQLite refuses.
pub fn waiting_count(connection: &Connection, person: &str) -> Result<u64> {
    Ok(connection
        .prepare_cached("SELECT COUNT(*) FROM accession WHERE person = ?1 AND state = 'received'")?
        .query_row([person], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?)
}

/// One accession by id.
///
/// # Errors
/// When SQLite refuses.
pub fn by_id(connection: &Connection, id: &str) -> Result<Option<Accession>> {
    Ok(connection
        .prepare_cached(&format!("{ACCESSION} WHERE id = ?1"))?
        .query_row([id], accession)
        .optional()?)
}

/// Received accessions whose time to be completed is over.
///
/// # Errors
/// When SQLite refuses.
pub fn expired(connection: &Connection, now_ms: i64, limit: usize) -> Result<Vec<Accession>> {
    let mut query = connection.prepare_cached(&format!(
        "{ACCESSION} WHERE state = 'received' AND expires_ms <= ?1 ORDER BY expires_ms, id LIMIT ?2"
    ))?;
    let rows = query.query_map(params![now_ms, rows(limit)], accession)?;
    rows.map(|row| Ok(row?)).collect()
}

/// Received accessions that a declaration spoke of after they were last judged.
///
/// # Errors
/// When SQLite refuses.
pub fn declared_since(connection: &Connection, limit: usize) -> Result<Vec<Accession>> {
    let mut query = connection.prepare_cached(&format!(
        "{ACCESSION} AS waiting INDEXED BY accession_waiting WHERE state = 'received' AND EXISTS (SELECT 1 FROM declared WHERE \
         declared.person = waiting.person AND declared.path = waiting.path AND declared.leaf_index > waiting.leaf_index) \
         ORDER BY id LIMIT ?1"
    ))?;
    let rows = query.query_map([rows(limit)], accession)?;
    rows.map(|row| Ok(row?)).collect()
}

/// Received accessions that wait for one of these reasons, oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn waiting_for(connection: &Connection, reasons: &[&str], limit: usize) -> Result<Vec<Accession>> {
    let list = serde_json::Value::from(reasons).to_string();
    let mut query = connection.prepare_cached(&format!(
        "{ACCESSION} WHERE state = 'received' AND reason IN (SELECT value FROM json_each(?1)) ORDER BY leaf_index LIMIT ?2"
    ))?;
    let rows = query.query_map(params![list, rows(limit)], accession)?;
    rows.map(|row| Ok(row?)).collect()
}

/// Ids of all received accessions: what must stand in staging.
///
/// # Errors
/// When SQLite refuses.
pub fn received_ids(connection: &Connection) -> Result<Vec<String>> {
    let mut query = connection.prepare_cached(
        "SELECT id FROM accession INDEXED BY accession_waiting WHERE state = 'received' ORDER BY id",
    )?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.map(|row| Ok(row?)).collect()
}

/// What was declared about one inbox path, latest first in force.
#[derive(Clone, Debug)]
pub struct DeclaredRow {
    /// Accession id of the declaration.
    pub declaration: String,
    /// Inbox path it speaks of.
    pub path: String,
    /// Declared size in bytes.
    pub size_bytes: Option<u64>,
    /// Declared SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// JSON object of customer, flow, doctype, seq and the rest.
    pub fields: String,
}

/// The latest declaration about a path by the same person.
///
/// # Errors
/// When SQLite refuses.
pub fn declared(connection: &Connection, person: &str, path: &str) -> Result<Option<DeclaredRow>> {
    Ok(connection
        .prepare_cached(
            "SELECT declaration, path, size_bytes, sha256, fields FROM declared WHERE person = ?1 AND path = ?2 \
             ORDER BY leaf_index DESC LIMIT 1",
        )?
        .query_row(params![person, path], |row| {
            Ok(DeclaredRow {
                declaration: row.get(0)?,
                path: row.get(1)?,
                size_bytes: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
                sha256: row.get(3)?,
                fields: row.get(4)?,
            })
        })
        .optional()?)
}

/// A change of what an uploader's inbox shows of a settled upload. It says nothing about evidence, so no event stands
/// for it, and a rebuild forgets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// It is out of sight.
    Hide {
        /// Which accession.
        accession: String,
    },
    /// Its modification time as the client claims it, seconds since 1970.
    Time {
        /// Which accession.
        accession: String,
        /// The claim.
        mtime_s: i64,
    },
}

/// Applies a change of view.
///
/// # Errors
/// When SQLite refuses.
pub fn view(connection: &Connection, change: &View) -> Result<()> {
    match change {
        View::Hide { accession } => connection
            .prepare_cached("UPDATE accession SET hidden = 1 WHERE id = ?1 AND state <> 'received'")?
            .execute([accession])?,
        View::Time { accession, mtime_s } => connection
            .prepare_cached("UPDATE accession SET mtime_s = ?2 WHERE id = ?1")?
            .execute(params![accession, mtime_s])?,
    };
    Ok(())
}

/// The events about one thing as (position, kind, time in ms), oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn events_of(connection: &Connection, subject: &str) -> Result<Vec<(u64, String, i64)>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, kind, time_ms FROM event WHERE subject = ?1 ORDER BY leaf_index",
    )?;
    let rows = query.query_map([subject], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?))
    })?;
    rows.map(|row| Ok(row?)).collect()
}
