//! Readings that are open: their bytes, what became of them, how long was watched, and their end.
//!
//! Invariant: a reading is found for the session it was opened for and nobody else; which version and which part of it is the
//! reading's own, never the request's.

use crate::{
    access::{
        live::{Fate, Reading},
        reading::What,
        shown::{self, Shown},
    },
    catalog::inspections,
    console::{
        Console,
        allows::Action,
        fault::Fault,
        routes::{Need, Route, get, post},
        stream::{self, Served},
        visit::Visit,
        words::Lang,
    },
    domain::access::Purpose,
};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::sync::Arc;

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::ReadContent);
    vec![
        get("/readings/{reading}/content", need, content),
        get("/readings/{reading}/state", need, state).unnoticed(),
        post("/readings/{reading}/watched", need, watched),
        post("/readings/{reading}/end", need, end),
    ]
}

fn content(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let reading = open(console, visit)?;
    let opened = reading.opened();
    let served = match opened.purpose {
        Purpose::Export => Served::attachment(&opened.file_name),
        Purpose::View => match of_reading(console, &reading)? {
            Some(shown) => Served::inline(&opened.file_name, shown.media_type),
            None => return Err(Fault::NotFound),
        },
    };
    stream::content(&console.streams, visit, &reading, served)
}

/// As what a reading that was opened to look is shown.
fn of_reading(console: &Console, reading: &Reading) -> Result<Option<Shown>, Fault> {
    let opened = reading.opened();
    let (evidence, version) = (opened.evidence.as_str(), i64::from(opened.version));
    let found = console.catalogue.read(|connection| {
        let seen = inspections::of(connection, evidence, version)?;
        let copies = match opened.what {
            What::Original => Vec::new(),
            What::Playback | What::ContactSheet => inspections::derived_of(connection, evidence, version)?,
        };
        Ok(shown::shown(&seen, &copies))
    })?;
    Ok(found.filter(|shown| shown.what == opened.what))
}

/// The reading that an address names, if it is this session's and goes on; else why not.
fn open(console: &Console, visit: &Visit) -> Result<Arc<Reading>, Fault> {
    let (id, holder) = (visit.param("reading")?, visit.signed()?.session.id.as_str());
    match console.room.reads.fate(id, holder) {
        Some(Fate::Open) => console.room.reads.find(id, holder).ok_or(Fault::NotFound),
        Some(Fate::Ended(why)) => Err(why.into()),
        None => Err(Fault::NotFound),
    }
}

/// Asked by the page that shows it, again and again: whether it goes on, else why not, in words.
fn state(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let (id, holder) = (visit.param("reading")?, visit.signed()?.session.id.as_str());
    let fate = console.room.reads.fate(id, holder).ok_or(Fault::NotFound)?;
    Ok(answer(visit.lang, &fate))
}

fn answer(lang: Lang, fate: &Fate) -> Response {
    let said = match fate {
        Fate::Open => json!({ "open": true }),
        Fate::Ended(why) => json!({
            "open": false,
            "why": why.id(),
            "words": lang.of(why.zh(), why.en()),
            "detail": why.detail().map_or(Value::Null, Value::from),
        }),
    };
    ([(header::CONTENT_TYPE, "application/json")], said.to_string()).into_response()
}

/// The player's word for how many seconds it played so far.
fn watched(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let reading = open(console, visit)?;
    take_seconds(visit, &reading);
    Ok(answer(visit.lang, &reading.fate()))
}

/// The page is left.
fn end(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let reading = open(console, visit)?;
    take_seconds(visit, &reading);
    console.room.reads.end(&reading.opened().id);
    Ok(answer(visit.lang, &reading.fate()))
}

fn take_seconds(visit: &Visit, reading: &Reading) {
    if let Some(seconds) = visit.form.get("seconds").and_then(|seconds| seconds.parse().ok()) {
        reading.watched(seconds);
    }
}
