//! The API (`/api/v1`): the console's use cases for a broker's own systems, as JSON, with a token in place of a session.
//!
//! It must never decide who may: each handler hands the token's person and roles to the reading room. There is no route that
//! approves, declines or revokes; a token couldn't do it anyway. Invariant: what a route takes and gives is the types that
//! `docs/openapi.json` is generated from, and an unknown field is refused.

pub(super) mod document;
mod evidence;
mod grants;
mod me;
pub(super) mod problem;
mod readings;
mod requests;
mod taken;

use super::{fault::Fault, routes::Route};
use crate::domain::time::Zone;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Rows of one page where the query doesn't say otherwise.
const PAGE_ROWS: usize = 20;
/// Rows of one page at the most.
const MAX_PAGE_ROWS: usize = 100;

/// The rows of the table of routes.
pub(super) fn routes() -> Vec<Route> {
    [
        document::routes(),
        evidence::routes(),
        grants::routes(),
        me::routes(),
        readings::routes(),
        requests::routes(),
    ]
    .concat()
}

/// A moment, as RFC 3339 writes it, with the vault's offset.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = DateTime, examples("2026-07-28T15:42:07.000+08:00"))]
struct Time(String);

impl Time {
    fn new(zone: Zone, time_ms: i64) -> Self {
        Time(zone.rfc3339(time_ms))
    }
}

/// An answer.
fn json(status: StatusCode, answer: &impl Serialize) -> Result<Response, Fault> {
    let body = serde_json::to_vec(answer).map_err(Fault::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The answer after something new came to be, at an address of its own.
fn created(address: &str, answer: &impl Serialize) -> Result<Response, Fault> {
    let mut response = json(StatusCode::CREATED, answer)?;
    let address = address
        .parse()
        .map_err(|error| Fault::internal(format!("{address}: {error}")))?;
    response.headers_mut().insert(header::LOCATION, address);
    Ok(response)
}
