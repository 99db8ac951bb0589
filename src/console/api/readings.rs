//! Readings under an export grant: opened, which puts them on record, and ended. A reading belongs to the token that opened it.

use super::{Time, created, requests::Purpose, taken};
use crate::{
    access::{
        live::{Fate, Reading},
        policy::Action,
        reading::{Channel, Wanted, What},
        refusal::Refusal,
    },
    console::{
        Console,
        fault::Fault,
        limits::BODY_BYTES,
        routes::{Need, Route, get, post},
        stream::{self, Served},
        visit::Visit,
    },
    domain::access as domain,
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

pub(super) fn routes() -> Vec<Route> {
    let may_read = Need::May(Action::ReadContent);
    vec![
        post("/api/v1/readings", may_read, open_reading).body_limit(BODY_BYTES),
        get("/api/v1/readings/{reading}/content", may_read, fetch_content),
        post("/api/v1/readings/{reading}/end", may_read, end_reading).body_limit(0),
    ]
}

/// Which content of a version.
#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// The original, byte for byte.
    #[default]
    Original,
    /// The newest contact sheet made from it.
    ContactSheet,
    /// The newest copy that browsers play.
    Playback,
}

/// What is to be read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Opening {
    /// Evidence id.
    evidence: String,
    #[schema(minimum = 1)]
    version: u32,
    /// The original, unless it says otherwise.
    #[serde(default)]
    what: Part,
}

/// A reading that is open. Its first byte can be fetched once this is answered, and then it is on record.
#[derive(Serialize, ToSchema)]
pub(super) struct OpenReading {
    id: String,
    evidence: String,
    version: u32,
    what: Part,
    #[schema(value_type = Purpose)]
    purpose: &'static str,
    /// The grant that it goes by.
    grant: String,
    /// When the grant or the token ends.
    expires_at: Time,
    /// Of the whole content.
    size_bytes: u64,
    /// Of the whole content, lower-case hex.
    sha256: String,
    /// Where it is known.
    media_type: Option<String>,
    /// Of the original.
    file_name: String,
    /// Position of the event that says so.
    log_position: u64,
}

/// Open a reading of content, under an export grant of the token's person.
///
/// It is on record from here on, and ends with the grant, with the token, or after ten minutes in which nothing was read.
#[utoipa::path(
    post,
    path = "/api/v1/readings",
    tag = "readings",
    request_body = Opening,
    responses((
        status = 201,
        description = "It is open",
        body = OpenReading,
        headers(("location" = String, description = "Where its content is"))
    ))
)]
pub(super) fn open_reading(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let opening: Opening = taken::body(visit)?;
    let wanted = Wanted {
        evidence: opening.evidence,
        version: opening.version,
        what: match opening.what {
            Part::Original => What::Original,
            Part::ContactSheet => What::ContactSheet,
            Part::Playback => What::Playback,
        },
        purpose: domain::Purpose::Export,
        channel: Channel::Api,
        holder: visit.holder()?.to_owned(),
    };
    let reading = console.room.open(&visit.who()?, &wanted)?;
    let opened = reading.opened().clone();
    let answer = OpenReading {
        what: opening.what,
        purpose: opened.purpose.id(),
        expires_at: Time::new(console.zone, opened.expires_ms),
        size_bytes: reading.size_bytes(),
        evidence: opened.evidence,
        version: opened.version,
        grant: opened.grant,
        sha256: opened.sha256,
        media_type: opened.media_type,
        file_name: opened.file_name,
        log_position: opened.leaf,
        id: opened.id,
    };
    created(&format!("/api/v1/readings/{}/content", answer.id), &answer)
}

/// End a reading.
///
/// What was read of it goes on record.
#[utoipa::path(
    post,
    path = "/api/v1/readings/{reading}/end",
    tag = "readings",
    params(("reading" = String, Path, description = "Id of the reading")),
    responses((status = 204, description = "It has ended"))
)]
pub(super) fn end_reading(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let reading = found(console, visit)?;
    console.room.reads.end(&reading.opened().id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Which part of the content.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "the document's name for what `console::range` reads")]
pub(super) struct Range {
    /// One range of bytes (RFC 9110, clause 14.2).
    #[param(example = "bytes=0-1048575")]
    range: Option<String>,
}

/// Bytes, as the document has to call them.
pub(super) struct Content;

impl PartialSchema for Content {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .content_media_type("application/octet-stream")
            .into()
    }
}

impl ToSchema for Content {}

/// Fetch the content of a reading, whole or one range of it.
///
/// An answer that stops before its length was cut, because the reading ended or the stored object is damaged; nothing wrong is
/// in it.
#[utoipa::path(
    get,
    path = "/api/v1/readings/{reading}/content",
    tag = "readings",
    params(
        ("reading" = String, Path, description = "Id of the reading"),
        Range
    ),
    responses(
        (status = 200, description = "All of it", body = Content, content_type = "application/octet-stream"),
        (
            status = 206,
            description = "The range",
            body = Content,
            content_type = "application/octet-stream",
            headers(("content-range" = String, description = "Which it is"))
        ),
        (status = 416, description = "There is no such range; `content-range` says how long it is")
    )
)]
pub(super) fn fetch_content(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let reading = found(console, visit)?;
    let served = Served::attachment(&reading.opened().file_name);
    stream::content(&console.streams, visit, &reading, served)
}

/// The reading of the address, where the token holds it and it goes on; another one's isn't there.
fn found(console: &Console, visit: &Visit) -> Result<Arc<Reading>, Fault> {
    let (id, holder) = (visit.param("reading")?, visit.holder()?);
    let reads = &console.room.reads;
    match reads.fate(id, holder) {
        Some(Fate::Open) => reads.find(id, holder).ok_or(Fault::NotFound),
        Some(Fate::Ended(why)) => Err(why.into()),
        None => {
            let (what, refusal) = (Action::ReadContent.id(), Refusal::NotFound);
            console.room.refused(&visit.who()?, what, None, refusal);
            Err(Fault::NotFound)
        }
    }
}
