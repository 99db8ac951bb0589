//! Finding evidence. Every filter has an index that ends in (date, leaf_index), which is also the order of the answer,
//! so a page costs what it shows, whatever the size of the catalogue (`docs/BENCHMARKS.md`).

use super::{Result, project::signed, rows};
use crate::domain::digest_prefix::DigestPrefix;
use rusqlite::{Connection, OptionalExtension, Row, types::Value};
use serde::Serialize;

/// Rows in one page at the most.
pub const PAGE_LIMIT: usize = 1_000;

/// What to look for; an empty filter finds everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Customer number.
    pub customer: Option<String>,
    /// Flow number.
    pub flow: Option<String>,
    /// Branch code.
    pub branch: Option<String>,
    /// Document type code.
    pub doctype: Option<String>,
    /// First business date, yyyymmdd.
    pub date_from: Option<i64>,
    /// Last business date, yyyymmdd.
    pub date_to: Option<i64>,
    /// State.
    pub state: Option<String>,
    /// How the SHA-256 of the original begins.
    pub sha256: Option<DigestPrefix>,
    /// Continue after this (date, receipt number): the last row of the page before.
    pub after: Option<(i64, u64)>,
}

/// One sealed version.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Evidence {
    /// Receipt number: the position of its leaf.
    pub receipt: u64,
    /// Evidence id, the same for every version.
    pub id: String,
    /// Version, from 1.
    pub version: i64,
    /// Customer number.
    pub customer: String,
    /// Flow number.
    pub flow: String,
    /// Document type code.
    pub doctype: String,
    /// Sequence within flow and type.
    pub seq: String,
    /// Category id.
    pub category: String,
    /// Branch code.
    pub branch: String,
    /// Uploader's id.
    pub person: String,
    /// Fingerprint of the key they logged in with.
    pub key_fingerprint: String,
    /// Accession id.
    pub accession: String,
    /// Business date, yyyymmdd.
    pub date: i64,
    /// When it was sealed, milliseconds since 1970.
    pub sealed_ms: i64,
    /// When the upload began, milliseconds since 1970.
    pub started_ms: i64,
    /// Size of the original in bytes.
    pub size_bytes: i64,
    /// SHA-256 of the original, lower-case hex.
    pub sha256: String,
    /// RFC 6962 root over 1 MiB chunks, lower-case hex, for 64 MiB and more.
    pub chunk_root: Option<String>,
    /// Size of the encrypted body in bytes.
    pub stored_size_bytes: i64,
    /// BLAKE3 of the encrypted body, lower-case hex.
    pub stored_blake3: String,
    /// `declared` or `server_only`.
    pub grade: String,
    /// `sealed` until another stage says more.
    pub state: String,
    /// As uploaded.
    pub file_name: String,
}

const EVIDENCE: &str = "SELECT leaf_index, id, version, customer, flow, doctype, seq, category, branch, person, \
     key_fingerprint, accession, date, sealed_ms, started_ms, size_bytes, lower(hex(sha256)), lower(hex(chunk_root)), \
     stored_size_bytes, lower(hex(stored_blake3)), grade, state, file_name, chunk_root IS NULL FROM evidence";

fn evidence(row: &Row<'_>) -> rusqlite::Result<Evidence> {
    let no_chunk_root: bool = row.get(23)?;
    Ok(Evidence {
        receipt: row.get::<_, i64>(0)?.unsigned_abs(),
        id: row.get(1)?,
        version: row.get(2)?,
        customer: row.get(3)?,
        flow: row.get(4)?,
        doctype: row.get(5)?,
        seq: row.get(6)?,
        category: row.get(7)?,
        branch: row.get(8)?,
        person: row.get(9)?,
        key_fingerprint: row.get(10)?,
        accession: row.get(11)?,
        date: row.get(12)?,
        sealed_ms: row.get(13)?,
        started_ms: row.get(14)?,
        size_bytes: row.get(15)?,
        sha256: row.get(16)?,
        chunk_root: if no_chunk_root { None } else { row.get(17)? },
        stored_size_bytes: row.get(18)?,
        stored_blake3: row.get(19)?,
        grade: row.get(20)?,
        state: row.get(21)?,
        file_name: row.get(22)?,
    })
}

impl Filter {
    /// The index that leaves the fewest rows to look at, rarest column first. Pinned, because the planner has no
    /// statistics here and takes a document type (half a million rows) to be as rare as a customer (fifteen).
    fn index(&self) -> &'static str {
        let by = |given: &Option<String>| given.is_some();
        if self.sha256.is_some() {
            "evidence_sha256"
        } else if by(&self.flow) {
            "evidence_flow"
        } else if by(&self.customer) {
            "evidence_customer"
        } else if self.by_rare_state() {
            "evidence_state"
        } else if by(&self.branch) && by(&self.doctype) {
            "evidence_branch_doctype"
        } else if by(&self.branch) {
            "evidence_branch"
        } else if by(&self.doctype) {
            "evidence_doctype"
        } else {
            "evidence_date"
        }
    }

    /// Whether the partial index of states serves: nearly everything is `sealed`, which it leaves out.
    fn by_rare_state(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state != "sealed")
    }
}

/// One page of what the filter finds, newest business date first.
///
/// # Errors
/// When SQLite refuses.
pub fn search(connection: &Connection, filter: &Filter, limit: usize) -> Result<Vec<Evidence>> {
    let (statement, values) = page(filter, limit);
    let mut query = connection.prepare_cached(&statement)?;
    let rows = query.query_map(rusqlite::params_from_iter(values), evidence)?;
    rows.map(|row| Ok(row?)).collect()
}

/// The statement of one page and its parameters.
fn page(filter: &Filter, limit: usize) -> (String, Vec<Value>) {
    let mut conditions: Vec<&str> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let texts = [
        ("customer = ?", &filter.customer),
        ("flow = ?", &filter.flow),
        ("branch = ?", &filter.branch),
        ("doctype = ?", &filter.doctype),
        ("state = ?", &filter.state),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(Value::Text(value.clone()));
        }
    }
    if filter.by_rare_state() {
        // The condition of the partial index, word for word: a bound parameter doesn't show that it holds.
        conditions.push("state <> 'sealed'");
    }
    for (condition, value) in [("date >= ?", filter.date_from), ("date <= ?", filter.date_to)] {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(Value::Integer(value));
        }
    }
    if let Some(sha256) = filter.sha256 {
        conditions.push("sha256 BETWEEN ? AND ?");
        values.extend([sha256.first(), sha256.last()].map(|bound| Value::Blob(bound.to_vec())));
    }
    if let Some((date, receipt)) = filter.after {
        conditions.push("(date, leaf_index) < (?, ?)");
        values.extend([Value::Integer(date), Value::Integer(signed(receipt))]);
    }
    let wanted = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let (index, limit) = (filter.index(), limit.min(PAGE_LIMIT));
    let order = "ORDER BY date DESC, leaf_index DESC";
    (
        format!("{EVIDENCE} INDEXED BY {index}{wanted} {order} LIMIT {limit}"),
        values,
    )
}

/// Every version of one piece of evidence, oldest first; empty when there is none.
///
/// # Errors
/// When SQLite refuses.
pub fn versions(connection: &Connection, id: &str) -> Result<Vec<Evidence>> {
    let mut query = connection.prepare_cached(&format!("{EVIDENCE} WHERE id = ?1 ORDER BY version"))?;
    let rows = query.query_map([id], evidence)?;
    rows.map(|row| Ok(row?)).collect()
}

/// The newest version of a piece of evidence, 0 when there is none.
///
/// # Errors
/// When SQLite refuses.
pub fn newest_version(connection: &Connection, id: &str) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT COALESCE(MAX(version), 0) FROM evidence WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?)
}

/// One version of one piece of evidence.
///
/// # Errors
/// When SQLite refuses.
pub fn version(connection: &Connection, id: &str, version: u32) -> Result<Option<Evidence>> {
    Ok(connection
        .prepare_cached(&format!("{EVIDENCE} WHERE id = ?1 AND version = ?2"))?
        .query_row(rusqlite::params![id, version], evidence)
        .optional()?)
}

/// The witnesses that a declaration named for a sealed version, as it wrote them.
///
/// # Errors
/// When SQLite refuses.
pub fn witnesses(connection: &Connection, receipt: u64) -> Result<Vec<String>> {
    let named = connection
        .prepare_cached(
            "SELECT json_extract(private, '$.fields.witness1'), json_extract(private, '$.fields.witness2') \
             FROM receipt WHERE leaf_index = ?1",
        )?
        .query_row([signed(receipt)], |row| {
            Ok([row.get::<_, Option<String>>(0)?, row.get(1)?])
        })
        .optional()?;
    Ok(named.into_iter().flatten().flatten().collect())
}

/// Every version under one identity, oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn by_identity(
    connection: &Connection,
    customer: &str,
    flow: &str,
    doctype: &str,
    seq: &str,
) -> Result<Vec<Evidence>> {
    let mut query = connection.prepare_cached(&format!(
        "{EVIDENCE} WHERE customer = ?1 AND flow = ?2 AND doctype = ?3 AND seq = ?4 ORDER BY version"
    ))?;
    let rows = query.query_map([customer, flow, doctype, seq], evidence)?;
    rows.map(|row| Ok(row?)).collect()
}

/// The version that an accession became.
///
/// # Errors
/// When SQLite refuses.
pub fn by_receipt(connection: &Connection, receipt: u64) -> Result<Option<Evidence>> {
    Ok(connection
        .prepare_cached(&format!("{EVIDENCE} WHERE leaf_index = ?1"))?
        .query_row([signed(receipt)], evidence)
        .optional()?)
}

/// Sealed versions after a receipt number, in log order: for walks over everything.
///
/// # Errors
/// When SQLite refuses.
pub fn after_receipt(connection: &Connection, after: Option<u64>, limit: usize) -> Result<Vec<Evidence>> {
    let mut query = connection.prepare_cached(&format!(
        "{EVIDENCE} WHERE leaf_index > ?1 ORDER BY leaf_index LIMIT ?2"
    ))?;
    let after = after.map_or(-1, signed);
    let rows = query.query_map(rusqlite::params![after, rows(limit)], evidence)?;
    rows.map(|row| Ok(row?)).collect()
}

/// How many sealed versions there are.
///
/// # Errors
/// When SQLite refuses.
pub fn count(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("SELECT COUNT(*) FROM evidence", [], |row| {
        Ok(row.get::<_, i64>(0)?.unsigned_abs())
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Writer;

    /// Every combination of filters has a plan: one index, entered by its first column, and a sort only of the few
    /// rows that share a digest or its beginning.
    #[test]
    fn every_filter_is_answered_from_an_index_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(&folder.path().join("catalog.db"), "example.org/test").unwrap();
        for chosen in 0..512u32 {
            let has = |bit: u32| chosen >> bit & 1 == 1;
            let text = |bit: u32| has(bit).then(|| "x".to_owned());
            let filter = Filter {
                customer: text(0),
                flow: text(1),
                branch: text(2),
                doctype: text(3),
                date_from: has(4).then_some(20_260_101),
                date_to: has(5).then_some(20_261_231),
                state: has(6).then(|| if has(7) { "sealed" } else { "returned" }.to_owned()),
                sha256: has(8).then(|| [7; 32].into()),
                after: has(7).then_some((20_260_101, 5)),
            };
            let (statement, values) = page(&filter, 10);
            let plan: Vec<String> = writer
                .connection
                .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
                .unwrap()
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            let dated = filter.date_from.is_some() || filter.date_to.is_some() || filter.after.is_some();
            let way = if filter.index() == "evidence_date" && !dated {
                "SCAN"
            } else {
                "SEARCH"
            };
            assert!(
                plan[0].starts_with(way) && plan[0].contains(filter.index()),
                "{filter:?}: {plan:?}"
            );
            assert!(
                plan.len() == 1 || filter.sha256.is_some(),
                "{filter:?} sorts: {plan:?}"
            );
        }
    }
}
