//! The document of the API (OpenAPI 3.1), generated from the handlers and types that answer. It is kept as
//! `docs/openapi.json` too, which a test holds to this.

use super::{evidence, grants, json, me, problem, readings, requests, taken};
use crate::console::{
    Console,
    fault::Fault,
    routes::{Need, Route, get},
    visit::Visit,
};
use axum::{http::StatusCode, response::Response};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        self, Content, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

/// What tokens are called in the document.
const TOKEN: &str = "token";

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/openapi.json", Need::SignedIn, show_document)]
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muniment",
        version = "1",
        description = "Find evidence, ask for access, and fetch what was approved. Every request takes a token, which stands for \
                       some roles of one person and is issued by them under My account of the console, or by the operator \
                       (`muniment token issue`). Tokens decide nothing: requests are approved by people, at the console. \
                       Times are RFC 3339 with the vault's offset, sizes are bytes, digests lower-case hex. Fields may be \
                       added to answers; unknown fields in a request are refused. What isn't in a token's reach isn't there: 404. \
                       Problems are told in Chinese or, by `Accept-Language`, in English.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "evidence", description = "Finding it, and what is known of it. No content"),
        (name = "access", description = "Requests and grants"),
        (name = "readings", description = "Content, under an export grant. Each reading is on record before its first byte"),
        (name = "token", description = "What the token is worth, and this document")
    ),
    paths(
        evidence::search_evidence,
        evidence::show_evidence,
        evidence::fetch_receipt,
        evidence::verify_version,
        requests::file_request,
        requests::list_requests,
        requests::show_request,
        requests::withdraw_request,
        grants::list_grants,
        readings::open_reading,
        readings::fetch_content,
        readings::end_reading,
        me::me,
        show_document,
    ),
    components(schemas(problem::Problem, evidence::ReceiptForm)),
    modifiers(&Everywhere)
)]
struct Document;

/// What every operation has: a token, and a problem for an answer where there is none.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(TOKEN, scheme);
        document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, [])]);
        let problem = Ref::from_schema_name(problem::Problem::name());
        let problem = ResponseBuilder::new()
            .description("Why not: `code` says it in one word")
            .content(problem::MEDIA_TYPE, Content::new(Some(RefOr::Ref(problem))))
            .build();
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), RefOr::T(problem.clone()));
        }
    }
}

/// The operations of an address.
fn operations(item: &mut openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete]
        .into_iter()
        .flatten()
}

/// The whole document.
pub(in crate::console) fn document() -> openapi::OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "token",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(super) fn show_document(_: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    json(StatusCode::OK, &document())
}
