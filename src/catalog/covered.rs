//! What a person's live grants cover, by customer, flow and document: the tree of `/evidence`.
//!
//! Each question enters by the narrowest index it has: the person's grants where nothing else is named, the records
//! themselves below that.

use super::{
    Result, access,
    search::{self, Evidence},
};
use rusqlite::{Connection, Params, params};

/// The live grants of `?1` at `?2`, from records on. The order of the joins is pinned: there are no statistics here.
const GRANTED: &str = "CROSS JOIN access_grant_item i ON i.evidence = evidence.id CROSS JOIN access_grant g ON g.id = i.grant_id \
     WHERE g.person = ?1 AND g.revoked_index IS NULL AND g.expires_ms > ?2";

/// The same, from the person's grants on.
const OF_PERSON: &str = "SELECT DISTINCT evidence.customer FROM access_grant g INDEXED BY access_grant_person \
     CROSS JOIN access_grant_item i ON i.grant_id = g.id CROSS JOIN evidence ON evidence.id = i.evidence \
     WHERE g.person = ?1 AND g.revoked_index IS NULL AND g.expires_ms > ?2 ORDER BY evidence.customer";

/// A piece of evidence by what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Customer number.
    pub customer: &'a str,
    /// Flow number.
    pub flow: &'a str,
    /// Document type code.
    pub doctype: &'a str,
    /// Sequence within flow and type.
    pub seq: &'a str,
}

/// Customers of whom something is covered, in order.
///
/// # Errors
/// When SQLite refuses.
pub fn customers(connection: &Connection, person: &str, now_ms: i64) -> Result<Vec<String>> {
    texts(connection, OF_PERSON, params![person, now_ms])
}

/// Flows of a customer of which something is covered, in order.
///
/// # Errors
/// When SQLite refuses.
pub fn flows(connection: &Connection, person: &str, now_ms: i64, customer: &str) -> Result<Vec<String>> {
    texts(connection, &flows_statement(), params![person, now_ms, customer])
}

fn flows_statement() -> String {
    format!(
        "SELECT DISTINCT evidence.flow FROM evidence {GRANTED} AND evidence.customer = ?3 ORDER BY evidence.flow"
    )
}

/// Document type and sequence of what is covered of a flow, in order.
///
/// # Errors
/// When SQLite refuses.
pub fn documents(
    connection: &Connection,
    person: &str,
    now_ms: i64,
    (customer, flow): (&str, &str),
) -> Result<Vec<(String, String)>> {
    let mut query = connection.prepare_cached(&documents_statement())?;
    let found = query.query_map(params![person, now_ms, customer, flow], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    found.map(|row| Ok(row?)).collect()
}

fn documents_statement() -> String {
    format!(
        "SELECT DISTINCT evidence.doctype, evidence.seq FROM evidence {GRANTED} AND evidence.customer = ?3 \
         AND evidence.flow = ?4 ORDER BY evidence.doctype, evidence.seq"
    )
}

/// Every version of a covered piece of evidence, oldest first; none when it isn't covered.
///
/// # Errors
/// When SQLite refuses.
pub fn versions(
    connection: &Connection,
    person: &str,
    now_ms: i64,
    of: &Identity<'_>,
) -> Result<Vec<Evidence>> {
    let mut found = search::by_identity(connection, of.customer, of.flow, of.doctype, of.seq)?;
    if let Some(first) = found.first()
        && access::live_grants_for(connection, person, &first.id, now_ms)?.is_empty()
    {
        found.clear();
    }
    Ok(found)
}

fn texts(connection: &Connection, statement: &str, of: impl Params) -> Result<Vec<String>> {
    let mut query = connection.prepare_cached(statement)?;
    let found = query.query_map(of, |row| row.get(0))?;
    found.map(|row| Ok(row?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Writer;

    /// However many grants and records there are, a listing looks only at those of its own folder.
    #[test]
    fn every_listing_enters_by_its_own_index() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(&folder.path().join("catalog.db"), "example.org/test").unwrap();
        let plan = |statement: &str, given: usize| -> Vec<String> {
            let values = vec!["x"; given];
            writer
                .connection
                .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
                .unwrap()
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap()
        };
        let identity = "sqlite_autoindex_evidence_2 (customer=? AND flow=?";
        for (statement, given, first) in [
            (
                OF_PERSON.to_owned(),
                2,
                "SEARCH g USING INDEX access_grant_person (person=? AND expires_ms>?)",
            ),
            (flows_statement(), 3, "(customer=?)"),
            (documents_statement(), 4, identity),
        ] {
            let plan = plan(&statement, given);
            assert!(plan[0].contains(first), "{statement}: {plan:?}");
            assert!(
                plan.iter().all(|step| !step.starts_with("SCAN")),
                "{statement}: {plan:?}"
            );
        }
    }
}
