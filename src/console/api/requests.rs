//! Requests for access: filed, listed, taken back. Deciding them takes a person at the console.

use super::{
    Time, created, json,
    taken::{self, Query, wrong},
};
use crate::{
    access::{
        policy::Action,
        requests::{self, MAX_FORM_BYTES, NewRequest},
    },
    catalog::access::{self, Which},
    console::{
        Console,
        fault::Fault,
        routes::{Need, Route, get, post},
        visit::Visit,
    },
    domain::{access as domain, time::Zone},
};
use axum::{http::StatusCode, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Bytes of a request with the scan of a form, which base64 makes longer by a third.
const REQUEST_BYTES: usize = MAX_FORM_BYTES / 3 * 4 + 64 * 1024;

pub(super) fn routes() -> Vec<Route> {
    let may_ask = Need::May(Action::RequestAccess);
    let may_see = Need::May(Action::SeeRequests);
    vec![
        get("/api/v1/requests", may_see, list_requests),
        post("/api/v1/requests", may_ask, file_request).body_limit(REQUEST_BYTES),
        get("/api/v1/requests/{id}", may_see, show_request),
        post(
            "/api/v1/requests/{id}/withdraw",
            Need::May(Action::WithdrawRequest),
            withdraw_request,
        )
        .body_limit(0),
    ]
}

/// What content is asked for: to look at it in the console, or to take it away.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    View,
    Export,
}

/// What permits it: law 法律, regulator 监管, customer consent 客户同意, due diligence 尽职调查.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Basis {
    Law,
    Regulator,
    CustomerConsent,
    DueDiligence,
}

/// A request for access, to be filed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filing {
    /// Evidence ids.
    #[schema(min_items = 1, max_items = 500)]
    evidence: Vec<String>,
    purpose: Purpose,
    #[serde(default)]
    #[schema(value_type = Basis, required = true)]
    basis: Option<Basis>,
    /// Why, in one line.
    #[serde(default)]
    #[schema(required = true, min_length = 1, max_length = 200)]
    reason: String,
    /// For how long, in seconds from the approval: 5 minutes to 30 days.
    #[schema(minimum = 300, maximum = 2_592_000)]
    duration_s: i64,
    /// Beyond one's own branch: two approvers, 24 hours at the most, and it stands in the reports.
    #[serde(default)]
    emergency: bool,
    #[serde(default)]
    form: Option<SignedForm>,
}

/// The scan of a signed form: PDF, JPEG or PNG of at most 2 MB.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignedForm {
    /// Its file name.
    #[schema(min_length = 1)]
    name: String,
    /// Its bytes.
    #[schema(
        content_encoding = "base64",
        pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
    )]
    base64: String,
}

impl Filing {
    fn request(self) -> Result<NewRequest, Fault> {
        let form = self.form.map(|form| {
            let bytes = STANDARD.decode(&form.base64);
            let bytes = bytes.map_err(|error| wrong("form.base64", &error))?;
            Ok::<_, Fault>(requests::Form {
                name: form.name,
                bytes,
            })
        });
        Ok(NewRequest {
            evidence: self.evidence,
            purpose: match self.purpose {
                Purpose::View => domain::Purpose::View,
                Purpose::Export => domain::Purpose::Export,
            },
            // A request without one is refused by the reading room, which puts that on record.
            basis: self.basis.map(|basis| match basis {
                Basis::Law => domain::Basis::Law,
                Basis::Regulator => domain::Basis::Regulator,
                Basis::CustomerConsent => domain::Basis::CustomerConsent,
                Basis::DueDiligence => domain::Basis::DueDiligence,
            }),
            reason: self.reason,
            duration_s: self.duration_s,
            emergency: self.emergency,
            form: form.transpose()?,
        })
    }
}

/// A request for access, as it stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Request {
    id: String,
    /// Who asks, by id.
    person: String,
    /// The branch of all its records; `null` where they are of several.
    branch: Option<String>,
    #[schema(value_type = Purpose)]
    purpose: String,
    #[schema(value_type = Basis)]
    basis: String,
    reason: String,
    duration_s: i64,
    emergency: bool,
    /// File name of the scan of the signed form.
    form_name: Option<String>,
    requested_at: Time,
    /// `pending`, `approved`, `declined` or `withdrawn`.
    state: String,
    /// The first of two approvers of an emergency, by id.
    endorser: Option<String>,
    /// Who decided it, by id.
    decided_by: Option<String>,
    decided_at: Option<Time>,
    /// Why it was declined.
    decided_reason: Option<String>,
    /// The grant that came of it.
    grant: Option<String>,
    /// How many records it names.
    records: i64,
    log_position: u64,
}

/// A request with the records that it names.
#[derive(Serialize, ToSchema)]
pub(super) struct RequestDetail {
    #[serde(flatten)]
    request: Request,
    /// By evidence id.
    evidence: Vec<String>,
}

impl Request {
    fn of(row: access::Request, zone: Zone) -> Self {
        Request {
            requested_at: Time::new(zone, row.requested_ms),
            decided_at: row.decided_ms.map(|ms| Time::new(zone, ms)),
            id: row.id,
            person: row.person,
            branch: row.branch,
            purpose: row.purpose,
            basis: row.basis,
            reason: row.reason,
            duration_s: row.duration_s,
            emergency: row.emergency,
            form_name: row.form_name,
            state: row.state,
            endorser: row.endorser,
            decided_by: row.decided_by,
            decided_reason: row.decided_reason,
            grant: row.grant,
            records: row.items,
            log_position: row.leaf,
        }
    }
}

/// Which requests to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichRequests {
    /// Only those that nobody decided yet.
    #[param(required = false, default = false)]
    open: bool,
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

/// A page of requests, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct RequestPage {
    items: Vec<Request>,
    /// The cursor of the next page; `null` on the last one.
    next: Option<String>,
}

/// The position that a cursor stands for.
///
/// # Errors
/// When it isn't a page's `next`.
pub(super) fn position(query: &Query<'_>) -> Result<Option<u64>, Fault> {
    query.value("cursor", "it is no page's next")
}

/// File a request for access.
///
/// Somebody else decides it, at the console.
#[utoipa::path(
    post,
    path = "/api/v1/requests",
    tag = "access",
    request_body = Filing,
    responses((
        status = 201,
        description = "It is filed",
        body = RequestDetail,
        headers(("location" = String, description = "Where it stands"))
    ))
)]
pub(super) fn file_request(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let filing: Filing = taken::body(visit)?;
    let id = console.room.file_request(&visit.who()?, filing.request()?)?;
    created(&format!("/api/v1/requests/{id}"), &detail(console, visit, &id)?)
}

/// Requests that the token's roles let one see: one's own, those of a branch, or all.
#[utoipa::path(
    get,
    path = "/api/v1/requests",
    tag = "access",
    params(WhichRequests),
    responses((status = 200, description = "A page of them", body = RequestPage))
)]
pub(super) fn list_requests(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let query = Query::of::<WhichRequests>(visit)?;
    let wanted = WhichRequests {
        open: query.is_set("open")?,
        mine: query.is_set("mine")?,
        limit: query.limit()?,
        cursor: position(&query)?,
    };
    let who = visit.who()?;
    let which = Which {
        person: wanted.mine.then(|| who.person.clone()),
        open: wanted.open,
        before: wanted.cursor,
        ..Which::default()
    };
    let found = console.room.requests(&who, &which, wanted.limit)?;
    let rows = found.rows.into_iter();
    let page = RequestPage {
        items: rows.map(|row| Request::of(row.request, console.zone)).collect(),
        next: found.next.map(|position| position.to_string()),
    };
    json(StatusCode::OK, &page)
}

/// A request, with the records that it names and what became of it.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}",
    tag = "access",
    params(("id" = String, Path, description = "Id of the request")),
    responses((status = 200, description = "As it stands", body = RequestDetail))
)]
pub(super) fn show_request(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    json(StatusCode::OK, &detail(console, visit, visit.param("id")?)?)
}

/// Take a request back that nobody decided yet.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/withdraw",
    tag = "access",
    params(("id" = String, Path, description = "Id of the request")),
    responses((status = 200, description = "It is withdrawn", body = RequestDetail))
)]
pub(super) fn withdraw_request(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let id = visit.param("id")?;
    console.room.withdraw_request(&visit.who()?, id)?;
    json(StatusCode::OK, &detail(console, visit, id)?)
}

/// A request that the token's roles let one see; another one isn't there.
fn detail(console: &Console, visit: &Visit, id: &str) -> Result<RequestDetail, Fault> {
    let file = console.room.request(&visit.who()?, id)?;
    Ok(RequestDetail {
        request: Request::of(file.request, console.zone),
        evidence: file.records.into_iter().map(|record| record.id).collect(),
    })
}
