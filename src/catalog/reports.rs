//! Counts and lists over the whole catalogue, for auditors and for people's task lists.
//!
//! Lists cost what they show. What is sealed in all is counted by the fold (`sealed_total`), never here.

use super::{
    Result,
    access::{GRANT, Grant, READ_COLUMNS, REQUEST, Read, Request, grant_row, read_row, request_row},
    project::signed,
    rows,
    timeline::Entry,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

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

/// How many uploads wait.
///
/// # Errors
/// When SQLite refuses.
pub fn waiting_count(connection: &Connection) -> Result<u64> {
    Ok(connection
        .prepare_cached(
            "SELECT COUNT(*) FROM accession INDEXED BY accession_waiting WHERE state = 'received'",
        )?
        .query_row([], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?)
}

/// How much there is in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pieces of evidence.
    pub evidence: u64,
    /// Their versions.
    pub versions: u64,
    /// Bytes of the originals.
    pub size_bytes: u64,
    /// Bytes of their encrypted bodies.
    pub stored_bytes: u64,
    /// Bytes of the encrypted bodies of copies made from them.
    pub derived_bytes: u64,
}

/// Counts and sizes of everything.
///
/// # Errors
/// When SQLite refuses.
pub fn totals(connection: &Connection) -> Result<Totals> {
    let totals = connection
        .prepare_cached(
            "SELECT pieces, versions, size_bytes, stored_bytes, derived_bytes FROM sealed_total WHERE branch = ''",
        )?
        .query_row([], |row| {
            let number = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.unsigned_abs());
            Ok(Totals {
                evidence: number(0)?,
                versions: number(1)?,
                size_bytes: number(2)?,
                stored_bytes: number(3)?,
                derived_bytes: number(4)?,
            })
        })
        .optional()?;
    Ok(totals.unwrap_or_default())
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
        "SELECT b.code, b.name, COALESCE(t.pieces, 0), COALESCE(t.versions, 0), COALESCE(t.size_bytes, 0), \
         COALESCE(t.declared, 0), t.first_ms, t.last_ms \
         FROM branch b LEFT JOIN sealed_total t ON t.branch = b.code ORDER BY b.code",
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

/// Branches whose totals aren't what their rows come to; the empty code stands for all together. Reads everything that is sealed.
///
/// # Errors
/// When SQLite refuses.
pub fn wrong_totals(connection: &Connection) -> Result<Vec<String>> {
    let mut query = connection.prepare_cached(
        "SELECT COALESCE(t.branch, e.branch) FROM (SELECT branch, COUNT(*) AS versions, SUM(size_bytes) AS size_bytes, \
         SUM(stored_size_bytes) AS stored_bytes, SUM(grade = 'declared') AS declared FROM evidence GROUP BY branch) AS e \
         FULL JOIN (SELECT * FROM sealed_total WHERE branch <> '') AS t ON t.branch = e.branch \
         WHERE (t.versions, t.size_bytes, t.stored_bytes, t.declared) IS NOT \
         (e.versions, e.size_bytes, e.stored_bytes, e.declared) \
         UNION ALL SELECT '' WHERE (SELECT COUNT(*) FROM sealed_total) > 0 AND \
         (SELECT (SUM(versions), SUM(size_bytes), SUM(stored_bytes), SUM(declared), SUM(derived_bytes)) IS NOT \
         (SELECT versions, size_bytes, stored_bytes, declared, derived_bytes FROM sealed_total WHERE branch = '') \
         FROM sealed_total WHERE branch <> '')",
    )?;
    let branches = query.query_map([], |row| row.get(0))?;
    branches.map(|branch| Ok(branch?)).collect()
}

/// Which events or rows to list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when, milliseconds since 1970.
    pub from_ms: i64,
    /// Before when.
    pub to_ms: i64,
    /// Of this person only, by id.
    pub person: Option<String>,
    /// Under this grant only.
    pub grant: Option<String>,
    /// What an emergency is about only.
    pub emergency: bool,
    /// Positions below this one: the last row of the page before.
    pub before: Option<u64>,
    /// Rows at the most.
    pub limit: usize,
}

impl Default for Span {
    fn default() -> Self {
        Span {
            from_ms: i64::MIN,
            to_ms: i64::MAX,
            person: None,
            grant: None,
            emergency: false,
            before: None,
            limit: usize::MAX,
        }
    }
}

impl Span {
    fn before(&self) -> i64 {
        self.before.map_or(i64::MAX, signed)
    }
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

/// The newest events at positions below `before`, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn events(connection: &Connection, before: Option<u64>, limit: usize) -> Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, kind, subject, actor, time_ms FROM event WHERE leaf_index < ?1 \
         ORDER BY leaf_index DESC LIMIT ?2",
    )?;
    let found = query.query_map(params![before.map_or(i64::MAX, signed), rows(limit)], entry)?;
    found.map(|row| Ok(row?)).collect()
}

/// Kinds of events that reports list, each with an index of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Fixity checks, of the whole store or of one version.
    Fixity,
    /// Refusals.
    Refused,
    /// Content that an operator read on the host, without a grant.
    HostRead,
}

impl Listed {
    /// As the index says it: a partial index serves only the same words.
    fn condition(self) -> &'static str {
        match self {
            Listed::Fixity => "kind = 'fixity.checked'",
            Listed::Refused => "kind = 'access.refused'",
            Listed::HostRead => "kind = 'access.read' AND actor = 'operator'",
        }
    }
}

/// Events of one of those kinds in a span, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn listed(connection: &Connection, which: Listed, span: &Span) -> Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT leaf_index, kind, subject, actor, time_ms FROM event WHERE {} AND leaf_index < ?1 \
         AND time_ms >= ?2 AND time_ms < ?3 AND (?4 IS NULL OR actor = ?4) ORDER BY leaf_index DESC LIMIT ?5",
        which.condition()
    ))?;
    let found = query.query_map(
        params![
            span.before(),
            span.from_ms,
            span.to_ms,
            span.person,
            rows(span.limit)
        ],
        entry,
    )?;
    found.map(|row| Ok(row?)).collect()
}

/// Fixity checks of one piece of evidence, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn checks_of(connection: &Connection, evidence: &str, limit: usize) -> Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, kind, subject, actor, time_ms FROM event \
         WHERE subject = ?1 AND +kind = 'fixity.checked' ORDER BY leaf_index DESC LIMIT ?2",
    )?;
    let found = query.query_map(params![evidence, rows(limit)], entry)?;
    found.map(|row| Ok(row?)).collect()
}

/// An inspection that asks for a person's look, or refused an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questioned {
    /// Position of its event.
    pub leaf: u64,
    /// When.
    pub time_ms: i64,
    /// Evidence id, or accession id of a refused upload.
    pub subject: String,
    /// Version, 0 for a refused upload.
    pub version: i64,
    /// `gate` or `deep`.
    pub tier: String,
    /// `needs_review` or `rejected`.
    pub verdict: String,
    /// JSON list of codes, the gravest first.
    pub findings: String,
    /// JSON: report and findings.
    pub whole: String,
    /// State of the version now; `None` for a refused upload.
    pub state: Option<String>,
    /// Whose upload it was, by branch code.
    pub branch: Option<String>,
}

/// Inspections that weren't simply passed, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn questioned(connection: &Connection, span: &Span) -> Result<Vec<Questioned>> {
    let mut query = connection.prepare_cached(
        "SELECT i.leaf_index, e.time_ms, i.subject, i.version, i.tier, i.verdict, i.findings, i.whole, v.state, \
         COALESCE(v.branch, a.branch) \
         FROM inspection i JOIN event e ON e.leaf_index = i.leaf_index \
         LEFT JOIN evidence v ON v.id = i.subject AND v.version = i.version \
         LEFT JOIN accession a ON a.id = i.subject AND i.version = 0 \
         WHERE i.verdict <> 'accepted' AND i.leaf_index < ?1 AND e.time_ms >= ?2 AND e.time_ms < ?3 \
         ORDER BY i.leaf_index DESC LIMIT ?4",
    )?;
    let found = query.query_map(
        params![span.before(), span.from_ms, span.to_ms, rows(span.limit)],
        |row| {
            Ok(Questioned {
                leaf: row.get::<_, i64>(0)?.unsigned_abs(),
                time_ms: row.get(1)?,
                subject: row.get(2)?,
                version: row.get(3)?,
                tier: row.get(4)?,
                verdict: row.get(5)?,
                findings: row.get(6)?,
                whole: row.get(7)?,
                state: row.get(8)?,
                branch: row.get(9)?,
            })
        },
    )?;
    found.map(|row| Ok(row?)).collect()
}

/// Versions sealed after the event `since`, newest first: what a check that ended there can't have looked at.
///
/// # Errors
/// When SQLite refuses.
pub fn sealed_since(connection: &Connection, since: Option<u64>, span: &Span) -> Result<Vec<SealedVersion>> {
    let mut query = connection.prepare_cached(
        "SELECT leaf_index, id, version, branch, doctype, sealed_ms, size_bytes FROM evidence \
         WHERE leaf_index > ?1 AND leaf_index < ?2 AND sealed_ms >= ?3 AND sealed_ms < ?4 \
         ORDER BY leaf_index DESC LIMIT ?5",
    )?;
    let found = query.query_map(
        params![
            since.map_or(-1, signed),
            span.before(),
            span.from_ms,
            span.to_ms,
            rows(span.limit)
        ],
        |row| {
            Ok(SealedVersion {
                leaf: row.get::<_, i64>(0)?.unsigned_abs(),
                id: row.get(1)?,
                version: row.get(2)?,
                branch: row.get(3)?,
                doctype: row.get(4)?,
                sealed_ms: row.get(5)?,
                size_bytes: row.get(6)?,
            })
        },
    )?;
    found.map(|row| Ok(row?)).collect()
}

/// A sealed version, as far as reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedVersion {
    /// Position of its leaf.
    pub leaf: u64,
    /// Evidence id.
    pub id: String,
    /// Version, from 1.
    pub version: i64,
    /// Branch code.
    pub branch: String,
    /// Document type code.
    pub doctype: String,
    /// When it was sealed, milliseconds since 1970.
    pub sealed_ms: i64,
    /// Size of the original in bytes.
    pub size_bytes: i64,
}

/// How many versions were sealed after the event `since`.
///
/// # Errors
/// When SQLite refuses.
pub fn count_since(connection: &Connection, since: Option<u64>) -> Result<u64> {
    Ok(connection
        .prepare_cached("SELECT COUNT(*) FROM evidence WHERE leaf_index > ?1")?
        .query_row([since.map_or(-1, signed)], |row| {
            Ok(row.get::<_, i64>(0)?.unsigned_abs())
        })?)
}

/// Requests filed in a span, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn requests(connection: &Connection, span: &Span) -> Result<Vec<Request>> {
    let mut query = connection.prepare_cached(&format!(
        "{REQUEST} WHERE r.leaf_index < ?1 AND r.requested_ms >= ?2 AND r.requested_ms < ?3 \
         AND (?4 IS NULL OR r.person = ?4) AND (r.emergency OR NOT ?5) \
         AND (?6 IS NULL OR r.id = (SELECT request FROM access_grant WHERE id = ?6)) \
         ORDER BY r.leaf_index DESC LIMIT ?7"
    ))?;
    let found = query.query_map(
        params![
            span.before(),
            span.from_ms,
            span.to_ms,
            span.person,
            span.emergency,
            span.grant,
            rows(span.limit)
        ],
        request_row,
    )?;
    found.map(|row| Ok(row?)).collect()
}

/// Grants given in a span, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn grants(connection: &Connection, span: &Span) -> Result<Vec<Grant>> {
    let mut query = connection.prepare_cached(&format!(
        "{GRANT} WHERE g.leaf_index < ?1 AND g.granted_ms >= ?2 AND g.granted_ms < ?3 \
         AND (?4 IS NULL OR g.person = ?4) AND (g.emergency OR NOT ?5) AND (?6 IS NULL OR g.id = ?6) \
         ORDER BY g.leaf_index DESC LIMIT ?7"
    ))?;
    let found = query.query_map(
        params![
            span.before(),
            span.from_ms,
            span.to_ms,
            span.person,
            span.emergency,
            span.grant,
            rows(span.limit)
        ],
        grant_row,
    )?;
    found.map(|row| Ok(row?)).collect()
}

/// Readings begun in a span, newest first, each with whether its grant was given in an emergency.
///
/// # Errors
/// When SQLite refuses.
pub fn readings(connection: &Connection, span: &Span) -> Result<Vec<(Read, bool)>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {READ_COLUMNS}, g.emergency FROM access_read a JOIN access_grant g ON g.id = a.grant_id \
         WHERE a.leaf_index < ?1 AND a.started_ms >= ?2 AND a.started_ms < ?3 AND (?4 IS NULL OR a.person = ?4) \
         AND (g.emergency OR NOT ?5) AND (?6 IS NULL OR a.grant_id = ?6) ORDER BY a.leaf_index DESC LIMIT ?7"
    ))?;
    let found = query.query_map(
        params![
            span.before(),
            span.from_ms,
            span.to_ms,
            span.person,
            span.emergency,
            span.grant,
            rows(span.limit)
        ],
        |row| Ok((read_row(row)?, row.get(14)?)),
    )?;
    found.map(|row| Ok(row?)).collect()
}
