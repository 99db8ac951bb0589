//! The web console: the edge for people with a browser, and for programs.
//!
//! It knows HTTP, sessions and pages. It must never decide who may do what: that is the policy's, asked through
//! [`allows::Allows`]; nor open anything sealed by itself.
//!
//! Invariant: every route stands in [`routes::routes`], with what it needs; the guard runs before each handler and fails closed.

pub mod allows;
mod api;
mod assets;
mod bearer;
mod cookies;
pub mod download;
pub mod fault;
pub mod fields;
mod file_name;
mod guard;
mod headers;
pub mod kinds;
pub mod layout;
mod limits;
mod listener;
mod multipart;
pub mod next;
pub mod page;
mod pages;
mod patient;
mod range;
pub mod routes;
mod same_site;
pub mod secret;
pub mod session;
pub mod stream;
#[cfg(test)]
mod tests;
mod tls;
pub mod visit;
pub mod words;

pub use listener::{ConsoleError, ConsoleServer};

use crate::{
    access::{
        ReadingRoom,
        credentials::{CredentialError, Credentials, Ending, SignedIn},
        logins::LiveSessions,
    },
    catalog::Catalogue,
    config::console::{ConsoleConfig, WebOrigin},
    domain::time::{Clock, Zone},
    tlog::key::VerifierKey,
};
use allows::Allows;
use axum::{
    http::{Method, header},
    response::Response,
};
use fault::Fault;
use limits::{MAX_CALLS, MAX_LARGE_BODIES};
use next::HOME;
use ring::rand::SecureRandom;
use routes::Route;
use session::{Begun, Session, Sessions};
use std::{path::PathBuf, sync::Arc};
use stream::Streams;
use tokio::sync::Semaphore;
use visit::Visit;

/// What the console gets from whoever composes the server.
pub struct Parts {
    /// Reads.
    pub catalogue: Catalogue,
    /// The policy.
    pub allows: Arc<dyn Allows>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// The zone that times are shown in.
    pub zone: Zone,
    /// How people prove who they are.
    pub credentials: Arc<Credentials>,
    /// The vault's folder of keys, for the certificate that it makes itself.
    pub keys: PathBuf,
    /// Where evidence is found, asked for and read.
    pub room: Arc<ReadingRoom>,
    /// Witnesses whose cosignatures count.
    pub witnesses: Arc<[VerifierKey]>,
    /// Sessions of every edge, to be seen and ended.
    pub logins: Arc<dyn LiveSessions>,
    /// Bytes of the store that uploads leave free.
    pub reserve_bytes: u64,
}

/// What handlers work with.
pub struct Console {
    /// Reads.
    pub catalogue: Catalogue,
    /// The policy.
    pub allows: Arc<dyn Allows>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// The zone that times are shown in.
    pub zone: Zone,
    /// How people prove who they are.
    pub credentials: Arc<Credentials>,
    /// Who is signed in.
    pub sessions: Sessions,
    /// Where evidence is found, asked for and read.
    pub room: Arc<ReadingRoom>,
    /// Content on its way out.
    pub streams: Streams,
    /// Witnesses whose cosignatures count.
    pub witnesses: Arc<[VerifierKey]>,
    /// Sessions of every edge, to be seen and ended.
    pub logins: Arc<dyn LiveSessions>,
    /// Bytes of the store that uploads leave free.
    pub reserve_bytes: u64,
    /// What browsers call the console; passkeys belong to its host.
    pub origin: WebOrigin,
    /// Routes that stand in the menu, in the table's order.
    menu: Vec<Route>,
    /// Paths that can be asked for by GET.
    pages: Vec<&'static str>,
    calls: Arc<Semaphore>,
    large_bodies: Arc<Semaphore>,
}

impl Console {
    fn new(config: &ConsoleConfig, origin: WebOrigin, parts: Parts, table: &[Route]) -> Self {
        let pages = table.iter().filter(|route| route.method == Method::GET);
        parts.credentials.served_at(&origin.to_string());
        Console {
            sessions: Sessions::new(config, parts.clock.clone(), parts.random.clone()),
            credentials: parts.credentials,
            catalogue: parts.catalogue,
            allows: parts.allows,
            clock: parts.clock,
            random: parts.random,
            zone: parts.zone,
            room: parts.room,
            streams: Streams::default(),
            witnesses: parts.witnesses,
            logins: parts.logins,
            reserve_bytes: parts.reserve_bytes,
            origin,
            menu: table
                .iter()
                .filter(|route| route.menu.is_some())
                .cloned()
                .collect(),
            pages: pages.map(|route| route.path).collect(),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            large_bodies: Arc::new(Semaphore::new(MAX_LARGE_BODIES)),
        }
    }

    /// Gives a person who has shown both factors a new session; on to `next` or the start page. Ends the session that the
    /// browser came with, if any.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn sign_in(
        &self,
        visit: &Visit,
        signed_in: &SignedIn,
        next: Option<&str>,
    ) -> Result<Response, Fault> {
        let SignedIn { person, session, .. } = signed_in;
        let before = visit.signed.as_ref().map(|_| &visit.secret);
        let Begun {
            session,
            secret,
            displaced,
        } = self
            .sessions
            .begin_as(session.clone(), person, visit.address, visit.agent(), before)?;
        for over in displaced {
            self.ended(&over.person, &over.id, Ending::Displaced);
        }
        if let Some(before) = &visit.signed {
            self.ended(&before.person.id, &before.session.id, Ending::Person);
        }
        tracing::info!(
            session = session.id,
            person = session.person,
            "signed in at the console"
        );
        let mut response = guard::see_other(next.and_then(next::local).unwrap_or(HOME));
        let headers = response.headers_mut();
        headers.append(
            header::SET_COOKIE,
            cookies::private(cookies::SESSION, &secret.text()),
        );
        headers.append(header::SET_COOKIE, cookies::gone(cookies::GUEST));
        headers.append(header::SET_COOKIE, cookies::device(&signed_in.device));
        Ok(response)
    }

    /// What follows the end of a session: its readings end with it, and it goes on record. It is over whether that works or not.
    pub fn ended(&self, person: &str, session: &str, how: Ending) {
        let told = |credentials: &Credentials| credentials.signed_out(person, session, how);
        self.follow_up(person, session, told);
    }

    fn follow_up(
        &self,
        person: &str,
        session: &str,
        record: impl FnOnce(&Credentials) -> Result<(), CredentialError>,
    ) {
        self.room.reads.end_holder(session);
        if let Err(error) = record(&self.credentials) {
            tracing::error!(%error, session, person, "the end of a session couldn't be put on record");
        }
    }

    /// Now and then: sessions that ran out go on record.
    pub fn sweep(&self) {
        for session in self.sessions.sweep() {
            self.ended(&session.person, &session.id, Ending::Expired);
        }
    }

    /// Ends a session, whoever's, on an administrator's word; says whether there was one.
    pub fn end_session(&self, id: &str, by: &str) -> bool {
        let found = self.sessions.all().into_iter().find(|session| session.id == id);
        let ended = found.filter(|session| self.sessions.end(&session.id));
        ended.inspect(|session| self.ended_by(by, session)).is_some()
    }

    /// Ends every session of a person on an administrator's word, and says how many those were.
    pub fn end_person_by(&self, person: &str, by: &str) -> usize {
        let ended = self.sessions.end_person(person).into_iter();
        ended.inspect(|session| self.ended_by(by, session)).count()
    }

    fn ended_by(&self, by: &str, session: &Session) {
        let Session { id, person, .. } = session;
        let told = |credentials: &Credentials| credentials.signed_out_by(by, person, id, Ending::Operator);
        self.follow_up(person, id, told);
    }

    /// Ends every session of a person, and says how many those were.
    pub fn end_person(&self, person: &str, how: Ending) -> usize {
        let ended = self.sessions.end_person(person).into_iter();
        ended
            .inspect(|session| self.ended(&session.person, &session.id, how))
            .count()
    }

    /// Ends every session of a person but the one named, and says how many those were.
    pub fn end_others(&self, person: &str, kept: &str, how: Ending) -> usize {
        let others = self
            .sessions
            .list(person)
            .into_iter()
            .filter(|session| session.id != kept);
        let ended = others.filter(|session| self.sessions.end(&session.id));
        ended
            .inspect(|session| self.ended(person, &session.id, how))
            .count()
    }

    /// Puts another secret into the browser after the person gained or lost a right or a factor. The old one opens nothing any more.
    ///
    /// # Errors
    /// When nobody is signed in any more, or there is no randomness.
    pub fn renew(&self, visit: &Visit, response: &mut Response) -> Result<(), Fault> {
        let fresh = self.sessions.renew(&visit.secret)?.ok_or(Fault::SignedOut)?;
        let cookie = cookies::private(cookies::SESSION, &fresh.text());
        response.headers_mut().append(header::SET_COOKIE, cookie);
        Ok(())
    }

    /// Ends the session that a request belongs to; on to the sign-in page.
    pub fn sign_out(&self, visit: &Visit) -> Response {
        if let Some(signed) = &visit.signed {
            self.sessions.end(&signed.session.id);
            self.ended(&signed.person.id, &signed.session.id, Ending::Person);
            tracing::info!(
                session = signed.session.id,
                person = signed.person.id,
                "signed out at the console"
            );
        }
        let mut response = guard::see_other(&next::sign_in(None));
        response
            .headers_mut()
            .append(header::SET_COOKIE, cookies::gone(cookies::SESSION));
        response
    }
}

/// Goes on to another page of ours, by GET: the answer to a form that was taken.
pub fn see_other(path: &str) -> Response {
    guard::see_other(path)
}
