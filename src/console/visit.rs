//! One request as a handler sees it: read, bounded, and known to come from somebody who may ask.

use super::{cookies, fault::Fault, fields::Fields, secret::Secret, session::Session, words::Lang};
use crate::{
    access::{
        authorizer::Who,
        credentials::{Peer, token::Bearer},
    },
    catalog::people::Person,
};
use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
};

/// The person behind a request, as the catalogue has them now.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Active at this moment, with their roles.
    pub person: Person,
    /// Their session.
    pub session: Session,
}

/// One request. Handlers run on a blocking thread.
pub struct Visit {
    /// The language to answer in.
    pub lang: Lang,
    /// GET, HEAD or what the route says.
    pub method: Method,
    /// The path as it was sent.
    pub path: String,
    /// What stands behind the question mark.
    pub query: Fields,
    /// The form, where the body is one.
    pub form: Fields,
    /// The whole body.
    pub body: Bytes,
    /// The request's head.
    pub headers: HeaderMap,
    /// Who is connected.
    pub address: IpAddr,
    /// Who is signed in. On pages there is always somebody unless the route is public.
    pub signed: Option<Signed>,
    /// Whose token a program showed. On the API's routes there is always one; on pages there never is.
    pub bearer: Option<Bearer>,
    /// Of the session, else of the guest.
    pub(super) secret: Secret,
    pub(super) params: Vec<(String, String)>,
    pub(super) token_given: AtomicBool,
    /// Where the language switch leads: this page, or the start page where this one can't be asked for.
    pub(super) here: String,
}

impl Visit {
    /// A part of the path, by its name in the route.
    ///
    /// # Errors
    /// When the route has no such part, which is a page that isn't there.
    pub fn param(&self, name: &str) -> Result<&str, Fault> {
        let found = self.params.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).ok_or(Fault::NotFound)
    }

    /// Who asks.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub fn person(&self) -> Result<&Person, Fault> {
        match &self.bearer {
            Some(bearer) => Ok(&bearer.person),
            None => Ok(&self.signed()?.person),
        }
    }

    /// Who asks, as the use cases take them: by a token with no more than the token's roles.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub fn who(&self) -> Result<Who, Fault> {
        match &self.bearer {
            Some(bearer) => Ok(bearer.who()),
            None => Ok(Who::person(self.signed()?.person.id.as_str())),
        }
    }

    /// What holds the readings that this request opens, and ends them when it ends: the session's or the token's id.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub fn holder(&self) -> Result<&str, Fault> {
        match &self.bearer {
            Some(bearer) => Ok(&bearer.token),
            None => Ok(&self.signed()?.session.id),
        }
    }

    /// Who asks, with their session.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub fn signed(&self) -> Result<&Signed, Fault> {
        self.signed.as_ref().ok_or(Fault::SignedOut)
    }

    /// The token for a form on the page that is being made; `page::form` puts it in. For a guest this also sets the cookie
    /// that it belongs to.
    pub fn token(&self) -> String {
        self.token_given.store(true, Ordering::Relaxed);
        self.secret.token()
    }

    /// What distinguishes one guest from another before they sign in (SHA-256 of their cookie). It identifies nobody.
    pub fn guest(&self) -> [u8; 32] {
        self.secret.digest()
    }

    /// Where this comes from, as signing in has to know it.
    pub fn from(&self) -> Peer<'_> {
        Peer {
            address: self.address,
            agent: self.agent(),
            device: cookies::value(&self.headers, cookies::DEVICE).unwrap_or_default(),
        }
    }

    /// What the browser says of itself.
    pub fn agent(&self) -> &str {
        let agent = self.headers.get(axum::http::header::USER_AGENT);
        agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default()
    }
}
