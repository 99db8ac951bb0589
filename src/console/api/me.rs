//! What a token is worth.

use super::{Time, json, taken};
use crate::{
    console::{
        Console,
        fault::Fault,
        routes::{Need, Route, get},
        visit::Visit,
    },
    domain::role::Role,
};
use axum::{http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/me", Need::SignedIn, me)]
}

/// Whose token it is, and what it counts for.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    person: Person,
    token: Token,
}

/// The person that a token belongs to.
#[derive(Serialize, ToSchema)]
struct Person {
    id: String,
    /// Log-in name.
    name: String,
    /// Branch code; `null` for head office.
    branch: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
struct Token {
    /// What the log calls it.
    id: String,
    /// What it is for.
    label: String,
    /// The roles that it stands for: some of its person's.
    roles: Vec<String>,
    expires_at: Time,
}

/// Whose token this is, its roles and its end.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "token",
    responses((status = 200, description = "The token that was sent", body = Me))
)]
pub(super) fn me(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let bearer = visit.bearer.as_ref().ok_or(Fault::Token { sent: false })?;
    let person = Person {
        id: bearer.person.id.clone(),
        name: bearer.person.name.clone(),
        branch: bearer.person.branch.clone(),
    };
    let token = Token {
        id: bearer.token.clone(),
        label: bearer.label.clone(),
        roles: bearer.roles.iter().map(Role::id).map(str::to_owned).collect(),
        expires_at: Time::new(console.zone, bearer.expires_ms),
    };
    json(StatusCode::OK, &Me { person, token })
}
