//! What stands before every handler. In order: is there a session, does the request come from a page of ours, does its body keep
//! to the limits, is the person active, does the form carry the session's token, does the policy allow it. The first no is the answer.
//!
//! Addresses for programs take a token ([`super::bearer`]) in place of a session, and pages never do: what a browser adds to a
//! request by itself opens nothing there, so the questions about forms don't arise.

use super::{
    Console,
    allows::Refusal,
    bearer, cookies,
    fault::Fault,
    fields::Fields,
    layout::{Frame, bounce},
    limits::{BODY_BYTES, BODY_TIME, CALL_WAIT},
    multipart,
    next::{self, HOME},
    routes::{Need, Peer, Route, is_api},
    same_site,
    secret::Secret,
    session::Session,
    visit::{Signed, Visit},
    words::{Lang, Words},
};
use crate::{
    access::{
        self,
        credentials::{Ending, token::Bearer},
    },
    catalog::people,
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, atomic::Ordering},
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use zeroize::Zeroizing;

/// Hidden field of every form.
pub(super) const TOKEN_FIELD: &str = "csrf";
/// The same for scripts.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// Field of a query that chooses the language.
pub(super) const LANG_FIELD: &str = "lang";
/// What a form's body is.
const FORM: &str = "application/x-www-form-urlencoded";

/// What somebody shows to say who they are.
enum Shown {
    /// The cookie of a session that is open.
    Session(Session, Secret),
    /// A text that may be a token.
    Token(Zeroizing<String>),
}

/// Who was found to ask.
#[derive(Default)]
struct Asker {
    signed: Option<Signed>,
    bearer: Option<Bearer>,
    /// Of the session.
    secret: Option<Secret>,
}

impl Asker {
    fn is_known(&self) -> bool {
        self.signed.is_some() || self.bearer.is_some()
    }
}

/// Answers a request for a route.
pub(super) async fn answer(console: Arc<Console>, route: Arc<Route>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let asks_api = route.is_api() || is_api(parts.uri.path());
    let lang = language(&parts.headers, asks_api);
    let refused = {
        let (console, route) = (Arc::clone(&console), Arc::clone(&route));
        move |fault: Fault| fault.answer(&console, &Frame::bare(lang), route.path, asks_api)
    };
    let shown = if asks_api {
        // What is for everybody, or isn't there, is so whatever is shown.
        let sent = bearer::sent(&parts.headers).filter(|_| route.need != Need::Public);
        sent.map(Shown::Token)
    } else {
        open(&console, &route, &parts.headers).map(|(session, secret)| Shown::Session(session, secret))
    };
    if shown.is_none() && route.need != Need::Public {
        return turn_away(&parts, asks_api).unwrap_or_else(refused);
    }
    if !asks_api && !parts.method.is_safe() && !same_site::is_ours(&parts.headers, &console.origin) {
        return refused(Fault::Forged);
    }
    if let (Some(Shown::Token(token)), true) = (&shown, takes_more(&route)) {
        // A session was found already; of a token it isn't known yet whether it is one, and a stranger's bytes aren't kept.
        let (console, token, peer) = (Arc::clone(&console), token.clone(), peer(&parts.extensions));
        let known = blocking(Arc::clone(&console), move || {
            bearer::identify(&console, &token, peer)
        });
        if let Err(fault) = known.await.and_then(|known| known.map(|_| ())) {
            return refused(fault);
        }
    }
    // Held until the answer is made: so many large bodies are in memory and no more.
    let _room = match room_for_body(&console, route.body_limit).await {
        Ok(room) => room,
        Err(fault) => return refused(fault),
    };
    let body = match collect(body, &parts.headers, route.body_limit).await {
        Ok(body) => body,
        Err(fault) => return refused(fault),
    };
    let Ok(params) = RawPathParams::from_request_parts(&mut parts, &()).await else {
        return refused(Fault::NotFound);
    };
    let params = params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let arrival = Arrival {
        parts,
        params,
        body,
        shown,
        lang,
        asks_api,
    };
    let called = blocking(Arc::clone(&console), move || call(&console, &route, arrival));
    called.await.unwrap_or_else(refused)
}

/// Whether a program with a token may send the route more than a stranger should.
fn takes_more(route: &Route) -> bool {
    route.need != Need::Public && route.body_limit > 0
}

/// Does something that blocks on a thread for that, once one of the places is free.
async fn blocking<T: Send + 'static>(
    console: Arc<Console>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let Ok(Ok(permit)) = timeout(CALL_WAIT, Arc::clone(&console.calls).acquire_owned()).await else {
        return Err(Fault::Busy);
    };
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(Fault::internal)
}

/// A request that may go to the blocking side.
struct Arrival {
    parts: Parts,
    params: Vec<(String, String)>,
    body: Bytes,
    shown: Option<Shown>,
    lang: Lang,
    asks_api: bool,
}

/// The blocking side: the catalogue is asked, the handler called, its answer or its fault made a response.
fn call(console: &Console, route: &Route, arrival: Arrival) -> Response {
    let Arrival {
        parts,
        params,
        body,
        shown,
        lang,
        asks_api,
    } = arrival;
    let refused = |fault: Fault| fault.answer(console, &Frame::bare(lang), route.path, asks_api);
    let asker = match identify(console, shown, peer(&parts.extensions)) {
        Ok(found) => found,
        Err(fault) => return refused(fault),
    };
    if !asker.is_known() && route.need != Need::Public {
        return turn_away(&parts, asks_api).unwrap_or_else(refused);
    }
    let secret = match asker.secret {
        Some(secret) => Ok(secret),
        None => guest(console, &parts.headers),
    };
    let secret = match secret {
        Ok(secret) => secret,
        Err(fault) => return refused(fault),
    };
    let (query, form) = match fields(&parts, &body) {
        Ok(fields) => fields,
        Err(fault) => return refused(fault),
    };
    let here = here(console, &parts, route);
    let path = parts.uri.path().to_owned();
    if let Some(switched) = switch(&parts, &query).filter(|_| !asks_api) {
        return switched;
    }
    let visit = Visit {
        lang,
        method: parts.method,
        path,
        query,
        form,
        body,
        address: peer(&parts.extensions),
        headers: parts.headers,
        signed: asker.signed,
        bearer: asker.bearer,
        secret,
        params,
        token_given: false.into(),
        here,
    };
    let answered = permit(console, route, &visit, asks_api).and_then(|()| (route.handler)(console, &visit));
    let mut response = match answered {
        Ok(response) => response,
        Err(fault) => fault.answer(console, &Frame::of(console, &visit), route.path, asks_api),
    };
    if visit.signed.is_none() && visit.token_given.load(Ordering::Relaxed) {
        let cookie = cookies::private(cookies::GUEST, &visit.secret.text());
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The session that the request's cookie opens.
fn open(console: &Console, route: &Route, headers: &HeaderMap) -> Option<(Session, Secret)> {
    let secret = cookies::value(headers, cookies::SESSION).and_then(Secret::parse)?;
    let session = if route.is_unnoticed {
        console.sessions.peek(&secret)?
    } else {
        console.sessions.find(&secret)?
    };
    Some((session, secret))
}

/// The secret of a guest: the one of their cookie, else a new one.
fn guest(console: &Console, headers: &HeaderMap) -> Result<Secret, Fault> {
    match cookies::value(headers, cookies::GUEST).and_then(Secret::parse) {
        Some(secret) => Ok(secret),
        None => Ok(Secret::new(console.random.as_ref())?),
    }
}

/// Who that is now. Somebody who was disabled, or is no longer known, loses every session at once.
fn identify(console: &Console, shown: Option<Shown>, peer: IpAddr) -> Result<Asker, Fault> {
    let (session, secret) = match shown {
        None => return Ok(Asker::default()),
        Some(Shown::Token(token)) => {
            return Ok(Asker {
                bearer: Some(bearer::identify(console, &token, peer)?),
                ..Asker::default()
            });
        }
        Some(Shown::Session(session, secret)) => (session, secret),
    };
    let person = console
        .catalogue
        .read(|connection| people::by_id(connection, &session.person))?;
    match person.filter(|person| person.disabled_ms.is_none()) {
        Some(person) => Ok(Asker {
            signed: Some(Signed { person, session }),
            secret: Some(secret),
            ..Asker::default()
        }),
        None => {
            let ended = console.end_person(&session.person, Ending::Operator);
            tracing::info!(
                person = session.person,
                ended,
                "console sessions of somebody without access ended"
            );
            Ok(Asker::default())
        }
    }
}

/// The last two questions: the form's token, and the policy.
fn permit(console: &Console, route: &Route, visit: &Visit, asks_api: bool) -> Result<(), Fault> {
    if !visit.method.is_safe() && !asks_api {
        let sent = visit
            .headers
            .get(TOKEN_HEADER)
            .and_then(|token| token.to_str().ok());
        let token = sent.or(visit.form.get(TOKEN_FIELD)).ok_or(Fault::Forged)?;
        if !visit.secret.fits(token) {
            return Err(Fault::Forged);
        }
    }
    let Need::May(action) = route.need else {
        return Ok(());
    };
    let person = visit.person()?;
    let allowed = match visit.who()?.present_for(action) {
        Ok(()) => {
            let allowed = console.allows.may(person, action);
            allowed.map_err(|reason| (access::refusal::Refusal::NotYourRole, reason))
        }
        Err(refusal) => Err((refusal, Words::new(refusal.zh(), refusal.en()))),
    };
    let Err((refusal, reason)) = allowed else {
        return Ok(());
    };
    console.allows.refused(Refusal {
        person,
        session: visit.holder()?,
        address: visit.address,
        action,
        route: route.path,
    });
    // Programs go by the word, people by the reason.
    Err(match visit.bearer {
        Some(_) => Fault::Refused(refusal),
        None => Fault::Denied(reason),
    })
}

/// What who isn't signed in gets instead of a page: the way to sign in. Programs get the fault.
fn turn_away(parts: &Parts, asks_api: bool) -> Result<Response, Fault> {
    if asks_api {
        return Err(Fault::Token { sent: false });
    }
    let path = parts.uri.path_and_query().map_or(HOME, |path| path.as_str());
    if !parts.method.is_safe() {
        return Ok(see_other(&next::sign_in(None)));
    }
    let held_back = cookies::value(&parts.headers, cookies::SESSION).is_none();
    if held_back && same_site::is_link_from_elsewhere(&parts.headers) && next::local(path).is_some() {
        return Ok(bounce(language(&parts.headers, false), path));
    }
    let mut response = see_other(&next::sign_in(Some(path)));
    if !held_back {
        let gone = cookies::gone(cookies::SESSION);
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    Ok(response)
}

/// The address without its language field, with the cookie set, where a link of the switch was followed.
fn switch(parts: &Parts, query: &Fields) -> Option<Response> {
    if !parts.method.is_safe() {
        return None;
    }
    let lang = query.all(LANG_FIELD).find_map(Lang::from_code)?;
    let rest = query.with(LANG_FIELD, None);
    let path = next::local(parts.uri.path()).unwrap_or(HOME);
    let mut response = match rest.as_str() {
        "" => see_other(path),
        rest => see_other(&format!("{path}?{rest}")),
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookies::language(lang));
    Some(response)
}

/// Where the page that is being made can be asked for again.
fn here(console: &Console, parts: &Parts, route: &Route) -> String {
    let is_page = parts.method.is_safe() || console.pages.contains(&route.path);
    let path = parts.uri.path_and_query().map_or(HOME, |path| path.as_str());
    next::local(path).filter(|_| is_page).unwrap_or(HOME).to_owned()
}

fn language(headers: &HeaderMap, asks_api: bool) -> Lang {
    if asks_api {
        let accepted = headers.get(header::ACCEPT_LANGUAGE);
        return Lang::preferred(accepted.and_then(|value| value.to_str().ok()).unwrap_or_default());
    }
    cookies::value(headers, cookies::LANG)
        .and_then(Lang::from_code)
        .unwrap_or_default()
}

/// The peer's address; an address that nobody has where the listener told none.
fn peer(extensions: &axum::http::Extensions) -> IpAddr {
    extensions
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| *address)
}

fn fields(parts: &Parts, body: &Bytes) -> Result<(Fields, Fields), Fault> {
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let form = if kind.eq_ignore_ascii_case(FORM) {
        Fields::parse(body)?
    } else if let Some(boundary) = multipart::boundary(content_type) {
        Fields::parse_with_files(body, boundary)?
    } else {
        Fields::default()
    };
    Ok((query, form))
}

/// A place for the body of a route that takes large ones; the others need none.
async fn room_for_body(console: &Console, limit: usize) -> Result<Option<OwnedSemaphorePermit>, Fault> {
    if limit <= BODY_BYTES {
        return Ok(None);
    }
    let room = timeout(CALL_WAIT, Arc::clone(&console.large_bodies).acquire_owned());
    match room.await {
        Ok(Ok(room)) => Ok(Some(room)),
        _ => Err(Fault::Busy),
    }
}

/// The whole body, within the route's limit and in time.
async fn collect(body: Body, headers: &HeaderMap, limit: usize) -> Result<Bytes, Fault> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| length > limit)
    {
        return Err(Fault::TooLarge(limit));
    }
    match timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Err(_) => Err(Fault::TooSlow),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge(limit)),
        Ok(Err(_)) => Err(Fault::BadRequest(Words::new(
            "提交的内容不完整。",
            "What was sent isn't complete.",
        ))),
    }
}

/// Goes on to another page of ours, by GET.
pub(super) fn see_other(path: &str) -> Response {
    // Paths are visible ASCII wherever they come from; the start page stands for one that isn't.
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static(HOME));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}
