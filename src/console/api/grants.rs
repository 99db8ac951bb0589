//! Grants, as a broker's own systems see them. None is given or ended here.

use super::{
    Time, json,
    requests::{Basis, Purpose, position},
    taken::Query,
};
use crate::{
    access::policy::Action,
    catalog::access::{self, Which},
    console::{
        Console,
        fault::Fault,
        routes::{Need, Route, get},
        visit::Visit,
    },
};
use axum::{http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/grants", Need::May(Action::SeeGrants), list_grants)]
}

/// Which grants to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichGrants {
    /// Only those that give leave now.
    #[param(required = false, default = false)]
    live: bool,
    /// Only those of the token's person.
    #[param(required = false, default = false)]
    mine: bool,
    /// Rows of the page.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: usize,
    /// `next` of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,15}$")]
    cursor: Option<u64>,
}

/// A page of grants, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantPage {
    items: Vec<Grant>,
    /// The cursor of the next page; `null` on the last one.
    next: Option<String>,
}

/// Leave to read: of a person, for records, for a purpose, until a time.
#[derive(Serialize, ToSchema)]
pub(super) struct Grant {
    id: String,
    /// The request that it answers.
    request: String,
    /// Whose it is, by id.
    person: String,
    /// The branch of all records of the request; `null` where they are of several.
    branch: Option<String>,
    /// Who gave it, by id.
    approver: String,
    /// The other approver of an emergency, by id.
    endorser: Option<String>,
    #[schema(value_type = Purpose)]
    purpose: String,
    #[schema(value_type = Basis)]
    basis: String,
    emergency: bool,
    /// Why access was asked for.
    reason: String,
    granted_at: Time,
    expires_at: Time,
    /// `null` unless it was revoked.
    revoked_at: Option<Time>,
    /// Who revoked it, by id.
    revoked_by: Option<String>,
    revoked_reason: Option<String>,
    /// Whether it gives leave now.
    live: bool,
    /// The records that it covers, with all their versions, by evidence id.
    evidence: Vec<String>,
    log_position: u64,
}

impl Grant {
    /// Grants with the records that each covers.
    pub(super) fn all(console: &Console, rows: Vec<access::Grant>) -> Result<Vec<Self>, Fault> {
        let (zone, now_ms) = (console.zone, console.clock.now_ms());
        let with_items = console.catalogue.read(|connection| {
            rows.into_iter()
                .map(|row| Ok((access::grant_items(connection, &row.id)?, row)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let grants = with_items.into_iter().map(|(evidence, row)| Grant {
            live: row.is_live(now_ms),
            granted_at: Time::new(zone, row.granted_ms),
            expires_at: Time::new(zone, row.expires_ms),
            revoked_at: row.revoked_ms.map(|ms| Time::new(zone, ms)),
            evidence,
            id: row.id,
            request: row.request,
            person: row.person,
            branch: row.branch,
            approver: row.approver,
            endorser: row.endorser,
            purpose: row.purpose,
            basis: row.basis,
            emergency: row.emergency,
            reason: row.reason,
            revoked_by: row.revoked_by,
            revoked_reason: row.revoked_reason,
            log_position: row.leaf,
        });
        Ok(grants.collect())
    }
}

/// Grants that the token's roles let one see: one's own, those of a branch, or all.
#[utoipa::path(
    get,
    path = "/api/v1/grants",
    tag = "access",
    params(WhichGrants),
    responses((status = 200, description = "A page of them", body = GrantPage))
)]
pub(super) fn list_grants(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let query = Query::of::<WhichGrants>(visit)?;
    let wanted = WhichGrants {
        live: query.is_set("live")?,
        mine: query.is_set("mine")?,
        limit: query.limit()?,
        cursor: position(&query)?,
    };
    let who = visit.who()?;
    let which = Which {
        person: wanted.mine.then(|| who.person.clone()),
        open: wanted.live,
        before: wanted.cursor,
        ..Which::default()
    };
    let found = console.room.grants(&who, &which, wanted.limit)?;
    let rows = found.rows.into_iter().map(|row| row.grant).collect();
    let page = GrantPage {
        items: Grant::all(console, rows)?,
        next: found.next.map(|position| position.to_string()),
    };
    json(StatusCode::OK, &page)
}
