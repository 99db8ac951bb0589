//! Requests, grants and readings, as they stand.
//!
//! Whether a grant is live is a question of time, so every such query takes the time.

use super::{Result, project::signed, rows};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use serde::Serialize;

/// A request for access.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// Position of the event that filed it.
    pub leaf: u64,
    /// Who asks, by id.
    pub person: String,
    /// The branch of all its records; `None` when they are of several.
    pub branch: Option<String>,
    /// `view` or `export`.
    pub purpose: String,
    /// Id of the basis.
    pub basis: String,
    /// Why, in the requester's words.
    pub reason: String,
    /// How long access is wanted for, in seconds.
    pub duration_s: i64,
    /// Beyond the requester's scope: needs two approvers.
    pub emergency: bool,
    /// File name of the scan of the signed form, if one was attached.
    pub form_name: Option<String>,
    /// Its size in bytes.
    pub form_size_bytes: Option<i64>,
    /// When it was filed, milliseconds since 1970.
    pub requested_ms: i64,
    /// `pending`, `approved`, `declined` or `withdrawn`.
    pub state: String,
    /// The first of two approvers of an emergency, by id.
    pub endorser: Option<String>,
    /// Who decided it, by id.
    pub decided_by: Option<String>,
    /// When, milliseconds since 1970.
    pub decided_ms: Option<i64>,
    /// Why it was declined.
    pub decided_reason: Option<String>,
    /// Position of the event that decided it.
    pub decided_leaf: Option<u64>,
    /// The grant that came of it.
    pub grant: Option<String>,
    /// How many records it names.
    pub items: i64,
}

pub(super) const REQUEST: &str = "SELECT r.id, r.leaf_index, r.person, r.branch, r.purpose, r.basis, r.reason, r.duration_s, r.emergency, \
     r.form_name, r.requested_ms, r.state, r.endorser, r.decided_by, r.decided_ms, r.decided_reason, \
     (SELECT id FROM access_grant g WHERE g.request = r.id), \
     (SELECT COUNT(*) FROM access_request_item i WHERE i.request = r.id), r.form_size_bytes, r.decided_index \
     FROM access_request r";

pub(super) fn request_row(row: &Row<'_>) -> rusqlite::Result<Request> {
    Ok(Request {
        id: row.get(0)?,
        leaf: row.get::<_, i64>(1)?.unsigned_abs(),
        person: row.get(2)?,
        branch: row.get(3)?,
        purpose: row.get(4)?,
        basis: row.get(5)?,
        reason: row.get(6)?,
        duration_s: row.get(7)?,
        emergency: row.get(8)?,
        form_name: row.get(9)?,
        requested_ms: row.get(10)?,
        state: row.get(11)?,
        endorser: row.get(12)?,
        decided_by: row.get(13)?,
        decided_ms: row.get(14)?,
        decided_reason: row.get(15)?,
        grant: row.get(16)?,
        items: row.get(17)?,
        form_size_bytes: row.get(18)?,
        decided_leaf: row.get::<_, Option<i64>>(19)?.map(i64::unsigned_abs),
    })
}

/// What somebody who doesn't see everything sees: what is theirs, and maybe their branch's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Theirs, by id.
    pub person: String,
    /// And what is about records that are all of this branch.
    pub branch: Option<String>,
    /// And every emergency.
    pub emergencies: bool,
}

/// Which requests or grants to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Of this person only.
    pub person: Option<String>,
    /// Whose records are all of this branch.
    pub branch: Option<String>,
    /// In this reach only; `None` for everything.
    pub reach: Option<Reach>,
    /// Requests in this state only.
    pub state: Option<String>,
    /// Undecided requests, or live grants, only.
    pub open: bool,
    /// Decided requests, or grants that have ended, only.
    pub over: bool,
    /// Positions below this one: the last row of the page before.
    pub before: Option<u64>,
}

/// A request by its id.
///
/// # Errors
/// When SQLite refuses.
pub fn request(connection: &Connection, id: &str) -> Result<Option<Request>> {
    Ok(connection
        .prepare_cached(&format!("{REQUEST} WHERE r.id = ?1"))?
        .query_row([id], request_row)
        .optional()?)
}

/// Requests, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn requests(connection: &Connection, which: &Which, limit: usize) -> Result<Vec<Request>> {
    let (statement, values) = requests_page(which, limit);
    let mut query = connection.prepare_cached(&statement)?;
    let found = query.query_map(params_from_iter(values), request_row)?;
    found.map(|row| Ok(row?)).collect()
}

fn requests_page(which: &Which, limit: usize) -> (String, Vec<Value>) {
    let mut wanted = Wanted::of(which, "r");
    if which.open {
        wanted.and("r.state = 'pending'", []);
    }
    if which.over {
        wanted.and("r.state <> 'pending'", []);
    }
    if let Some(state) = &which.state {
        wanted.and("r.state = ?", [Value::from(state.clone())]);
    }
    wanted.page(REQUEST, "r.leaf_index DESC", limit)
}

/// Undecided requests in a reach: emergencies first, then the oldest.
///
/// # Errors
/// When SQLite refuses.
pub fn pending(connection: &Connection, reach: Option<Reach>, limit: usize) -> Result<Vec<Request>> {
    let (statement, values) = pending_page(reach, limit);
    let mut query = connection.prepare_cached(&statement)?;
    let found = query.query_map(params_from_iter(values), request_row)?;
    found.map(|row| Ok(row?)).collect()
}

fn pending_page(reach: Option<Reach>, limit: usize) -> (String, Vec<Value>) {
    let which = Which {
        reach,
        ..Which::default()
    };
    let mut wanted = Wanted::of(&which, "r");
    wanted.and("r.state = 'pending'", []);
    wanted.page(REQUEST, "r.emergency DESC, r.leaf_index", limit)
}

/// Conditions of a list and what is bound to them.
#[derive(Default)]
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wanted {
    /// What requests and grants have in common. Only what is asked for is a condition, so that an index can serve it.
    fn of(which: &Which, table: &str) -> Self {
        let mut wanted = Wanted::default();
        if let Some(person) = &which.person {
            wanted.and(format!("{table}.person = ?"), [Value::from(person.clone())]);
        }
        if let Some(branch) = &which.branch {
            wanted.and(format!("{table}.branch = ?"), [Value::from(branch.clone())]);
        }
        if let Some(reach) = &which.reach {
            let mut ways = format!("{table}.person = ?");
            let mut values = vec![Value::from(reach.person.clone())];
            if let Some(branch) = &reach.branch {
                ways.push_str(&format!(" OR {table}.branch = ?"));
                values.push(Value::from(branch.clone()));
            }
            if reach.emergencies {
                ways.push_str(&format!(" OR {table}.emergency = 1"));
            }
            wanted.and(format!("({ways})"), values);
        }
        if let Some(before) = which.before {
            wanted.and(format!("{table}.leaf_index < ?"), [Value::from(signed(before))]);
        }
        wanted
    }

    fn and(&mut self, condition: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition.into());
        self.values.extend(values);
    }

    /// The statement of one page and its parameters.
    fn page(self, select: &str, order: &str, limit: usize) -> (String, Vec<Value>) {
        let conditions = match self.conditions.as_slice() {
            [] => String::new(),
            conditions => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let limit = rows(limit);
        (
            format!("{select}{conditions} ORDER BY {order} LIMIT {limit}"),
            self.values,
        )
    }
}

/// Whether somebody, by id and log-in name, uploaded a record that a request names, and whether a declaration named them
/// as a witness of one.
///
/// # Errors
/// When SQLite refuses.
pub fn involvement(connection: &Connection, request: &str, person: &str, name: &str) -> Result<(bool, bool)> {
    let mut query = connection.prepare_cached(
        "SELECT COALESCE(MAX(e.person = ?2), 0), COALESCE(MAX( \
         COALESCE(json_extract(p.private, '$.fields.witness1') IN (?2, ?3), 0) OR \
         COALESCE(json_extract(p.private, '$.fields.witness2') IN (?2, ?3), 0)), 0) \
         FROM access_request_item i JOIN evidence e ON e.id = i.evidence \
         LEFT JOIN receipt p ON p.leaf_index = e.leaf_index WHERE i.request = ?1",
    )?;
    Ok(query.query_row(params![request, person, name], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?)
}

/// The records that a request names, by evidence id.
///
/// # Errors
/// When SQLite refuses.
pub fn request_items(connection: &Connection, request: &str) -> Result<Vec<String>> {
    texts(
        connection,
        "SELECT evidence FROM access_request_item WHERE request = ?1 ORDER BY evidence",
        request,
    )
}

fn texts(connection: &Connection, statement: &str, of: &str) -> Result<Vec<String>> {
    let mut query = connection.prepare_cached(statement)?;
    let found = query.query_map([of], |row| row.get(0))?;
    found.map(|row| Ok(row?)).collect()
}

/// Leave to read, bound to a person, records and a purpose.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Position of the event that made it.
    pub leaf: u64,
    /// The request it answers.
    pub request: String,
    /// Whose it is, by id.
    pub person: String,
    /// The branch of all records of the request; `None` when they are of several.
    pub branch: Option<String>,
    /// Who gave it, by id.
    pub approver: String,
    /// The other approver of an emergency, by id.
    pub endorser: Option<String>,
    /// `view` or `export`.
    pub purpose: String,
    /// Id of the basis.
    pub basis: String,
    /// Given in an emergency.
    pub emergency: bool,
    /// From when, milliseconds since 1970.
    pub granted_ms: i64,
    /// Until when, milliseconds since 1970.
    pub expires_ms: i64,
    /// When it was revoked, milliseconds since 1970.
    pub revoked_ms: Option<i64>,
    /// Who revoked it, by id.
    pub revoked_by: Option<String>,
    /// Why.
    pub revoked_reason: Option<String>,
    /// Position of the event that revoked it.
    pub revoked_leaf: Option<u64>,
    /// Why access was asked for.
    pub reason: String,
    /// How many records it covers.
    pub items: i64,
}

impl Grant {
    /// Whether it gives leave at a time.
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && now_ms < self.expires_ms
    }
}

macro_rules! grant_columns {
    () => {
        "SELECT g.id, g.leaf_index, g.request, g.person, g.branch, g.approver, g.endorser, g.purpose, g.basis, \
         g.emergency, g.granted_ms, g.expires_ms, g.revoked_ms, g.revoked_by, g.revoked_reason, r.reason, \
         (SELECT COUNT(*) FROM access_grant_item i WHERE i.grant_id = g.id), g.revoked_index "
    };
}

/// Joined in this order: whichever table is filtered, a request is looked up for a grant and not the other way round.
pub(super) const GRANT: &str = concat!(
    grant_columns!(),
    "FROM access_grant g CROSS JOIN access_request r ON r.id = g.request"
);
/// From the record's few grants on, not from a person's many.
const LIVE_FOR: &str = concat!(
    grant_columns!(),
    "FROM access_grant_item i INDEXED BY access_grant_item_evidence \
     CROSS JOIN access_grant g ON g.id = i.grant_id CROSS JOIN access_request r ON r.id = g.request \
     WHERE i.evidence = ?2 AND g.person = ?1 AND g.revoked_index IS NULL AND g.expires_ms > ?3 \
     ORDER BY g.expires_ms DESC, g.id"
);
const LIVE_OF: &str = "SELECT DISTINCT i.evidence FROM access_grant g INDEXED BY access_grant_person \
     CROSS JOIN access_grant_item i ON i.grant_id = g.id \
     WHERE g.person = ?1 AND g.revoked_index IS NULL AND g.expires_ms > ?2 ORDER BY i.evidence";

pub(super) fn grant_row(row: &Row<'_>) -> rusqlite::Result<Grant> {
    Ok(Grant {
        id: row.get(0)?,
        leaf: row.get::<_, i64>(1)?.unsigned_abs(),
        request: row.get(2)?,
        person: row.get(3)?,
        branch: row.get(4)?,
        approver: row.get(5)?,
        endorser: row.get(6)?,
        purpose: row.get(7)?,
        basis: row.get(8)?,
        emergency: row.get(9)?,
        granted_ms: row.get(10)?,
        expires_ms: row.get(11)?,
        revoked_ms: row.get(12)?,
        revoked_by: row.get(13)?,
        revoked_reason: row.get(14)?,
        reason: row.get(15)?,
        items: row.get(16)?,
        revoked_leaf: row.get::<_, Option<i64>>(17)?.map(i64::unsigned_abs),
    })
}

/// A grant by its id, live or not.
///
/// # Errors
/// When SQLite refuses.
pub fn grant(connection: &Connection, id: &str) -> Result<Option<Grant>> {
    Ok(connection
        .prepare_cached(&format!("{GRANT} WHERE g.id = ?1"))?
        .query_row([id], grant_row)
        .optional()?)
}

/// Grants, newest first; with `open` those that are live at `now_ms`, with `over` those that aren't.
///
/// # Errors
/// When SQLite refuses.
pub fn grants(connection: &Connection, which: &Which, now_ms: i64, limit: usize) -> Result<Vec<Grant>> {
    let (statement, values) = grants_page(which, now_ms, limit);
    let mut query = connection.prepare_cached(&statement)?;
    let found = query.query_map(params_from_iter(values), grant_row)?;
    found.map(|row| Ok(row?)).collect()
}

fn grants_page(which: &Which, now_ms: i64, limit: usize) -> (String, Vec<Value>) {
    let mut wanted = Wanted::of(which, "g");
    if which.open {
        wanted.and("g.revoked_index IS NULL", []);
        wanted.and("g.expires_ms > ?", [Value::from(now_ms)]);
    }
    if which.over {
        wanted.and(
            "(g.revoked_index IS NOT NULL OR g.expires_ms <= ?)",
            [Value::from(now_ms)],
        );
    }
    wanted.page(GRANT, "g.leaf_index DESC", limit)
}

/// The records that a grant covers, by evidence id.
///
/// # Errors
/// When SQLite refuses.
pub fn grant_items(connection: &Connection, grant: &str) -> Result<Vec<String>> {
    texts(
        connection,
        "SELECT evidence FROM access_grant_item WHERE grant_id = ?1 ORDER BY evidence",
        grant,
    )
}

/// A person's live grants that cover a record, the one that lasts longest first.
///
/// # Errors
/// When SQLite refuses.
pub fn live_grants_for(
    connection: &Connection,
    person: &str,
    evidence: &str,
    now_ms: i64,
) -> Result<Vec<Grant>> {
    let mut query = connection.prepare_cached(LIVE_FOR)?;
    let found = query.query_map(params![person, evidence, now_ms], grant_row)?;
    found.map(|row| Ok(row?)).collect()
}

/// Evidence ids that a person's live grants cover, in order.
///
/// # Errors
/// When SQLite refuses.
pub fn live_evidence_of(connection: &Connection, person: &str, now_ms: i64) -> Result<Vec<String>> {
    let mut query = connection.prepare_cached(LIVE_OF)?;
    let found = query.query_map(params![person, now_ms], |row| row.get(0))?;
    found.map(|row| Ok(row?)).collect()
}

/// A reading of content under a grant.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Read {
    /// Its id.
    pub id: String,
    /// Position of the event that stood before the first byte.
    pub leaf: u64,
    /// Under which grant.
    pub grant: String,
    /// Who, by id.
    pub person: String,
    /// Evidence id.
    pub evidence: String,
    /// Version.
    pub version: i64,
    /// `original`, `contact_sheet` or `playback`.
    pub part: String,
    /// `view` or `export`.
    pub purpose: String,
    /// `sftp`, `console` or `api`.
    pub channel: String,
    /// When it began, milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended; `None` while it goes on, or when the server ended first.
    pub ended_ms: Option<i64>,
    /// Plaintext bytes that left.
    pub bytes: Option<i64>,
    /// Separate stretches that they make.
    pub ranges: Option<i64>,
    /// Seconds that the player said it played.
    pub watched_s: Option<i64>,
}

/// Which readings to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhichReads {
    /// Of this record only.
    pub evidence: Option<String>,
    /// By this person only.
    pub person: Option<String>,
    /// Under this grant only.
    pub grant: Option<String>,
    /// Positions below this one: the last row of the page before.
    pub before: Option<u64>,
}

/// Readings, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn reads(connection: &Connection, which: &WhichReads, limit: usize) -> Result<Vec<Read>> {
    let (statement, values) = reads_page(which, limit);
    let mut query = connection.prepare_cached(&statement)?;
    let found = query.query_map(params_from_iter(values), read_row)?;
    found.map(|row| Ok(row?)).collect()
}

/// The rarest condition decides by which index: a record has few readings, a grant some, a person many.
fn reads_page(which: &WhichReads, limit: usize) -> (String, Vec<Value>) {
    let ways = [
        ("a.evidence = ?", &which.evidence, "access_read_evidence"),
        ("a.grant_id = ?", &which.grant, "access_read_grant"),
        ("a.person = ?", &which.person, "access_read_person"),
    ];
    let (mut wanted, mut index) = (Wanted::default(), None);
    for (condition, value, by) in ways {
        if let Some(value) = value {
            wanted.and(condition, [Value::from(value.clone())]);
            index.get_or_insert(by);
        }
    }
    if let Some(before) = which.before {
        wanted.and("a.leaf_index < ?", [Value::from(signed(before))]);
    }
    let by = index
        .map(|index| format!(" INDEXED BY {index}"))
        .unwrap_or_default();
    let select = format!("SELECT {READ_COLUMNS} FROM access_read a{by}");
    wanted.page(&select, "a.leaf_index DESC", limit)
}

pub(super) const READ_COLUMNS: &str = "a.id, a.leaf_index, a.grant_id, a.person, a.evidence, a.version, a.part, a.purpose, a.channel, \
     a.started_ms, a.ended_ms, a.bytes, a.ranges, a.watched_s";

pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<Read> {
    Ok(Read {
        id: row.get(0)?,
        leaf: row.get::<_, i64>(1)?.unsigned_abs(),
        grant: row.get(2)?,
        person: row.get(3)?,
        evidence: row.get(4)?,
        version: row.get(5)?,
        part: row.get(6)?,
        purpose: row.get(7)?,
        channel: row.get(8)?,
        started_ms: row.get(9)?,
        ended_ms: row.get(10)?,
        bytes: row.get(11)?,
        ranges: row.get(12)?,
        watched_s: row.get(13)?,
    })
}

#[cfg(test)]
mod tests;
