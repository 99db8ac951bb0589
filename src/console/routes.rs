//! The one table of routes: method, path, what a person needs, who answers. The router is made from it and from nothing else, and
//! the guard stands before each handler, so a route can't exist without a need.

use super::{
    Console, allows::Action, api, assets, fault::Fault, guard, headers, limits::BODY_BYTES, pages,
    visit::Visit, words::Words,
};
use crate::catalog::people::Person;
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::Method,
    response::Response,
    routing::{MethodFilter, on},
};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::{error::Error, net::IpAddr, sync::Arc};

/// What a person needs before the handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody on the network may ask.
    Public,
    /// A session of a person who is active now.
    SignedIn,
    /// The same, and that the policy lets the person do this.
    May(Action),
}

/// Answers a request. Called on a blocking thread, so it may read the catalogue, commit and decrypt.
pub type Handler = fn(&Console, &Visit) -> Result<Response, Fault>;

/// How much waits behind an entry of the menu for whoever sees it; asked for every page, so it must be cheap.
pub type Count = fn(&Console, &Person) -> usize;

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Route {
    /// GET (which answers HEAD too) or POST, PUT, DELETE.
    pub method: Method,
    /// Path as axum writes it: `/evidence/{id}`.
    pub path: &'static str,
    /// What a person needs.
    pub need: Need,
    /// Bytes of the largest body.
    pub body_limit: usize,
    /// Who answers.
    pub handler: Handler,
    /// A page asks for it by itself, so that asking keeps no session alive.
    pub is_unnoticed: bool,
    /// Its entry in the menu, which shows it to whom it is open.
    pub menu: Option<Words>,
    /// How much waits behind that entry, which says so.
    pub count: Option<Count>,
}

impl Route {
    /// Takes a larger body than others.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Asking for it keeps no session alive.
    pub fn unnoticed(mut self) -> Self {
        self.is_unnoticed = true;
        self
    }

    /// Stands in the menu under this name.
    pub fn menu(mut self, zh: &str, en: &str) -> Self {
        self.menu = Some(Words::new(zh, en));
        self
    }

    /// Its entry in the menu says how much waits there.
    pub fn counted(mut self, count: Count) -> Self {
        self.count = Some(count);
        self
    }

    /// Whether it is for programs, and so answers in JSON.
    pub fn is_api(&self) -> bool {
        is_api(self.path)
    }
}

/// Whether an address is for programs.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// A page.
pub fn get(path: &'static str, need: Need, handler: Handler) -> Route {
    Route {
        method: Method::GET,
        path,
        need,
        body_limit: 0,
        handler,
        is_unnoticed: false,
        menu: None,
        count: None,
    }
}

/// A form's target: it changes something, so the guard wants the session's token.
pub fn post(path: &'static str, need: Need, handler: Handler) -> Route {
    Route {
        method: Method::POST,
        body_limit: BODY_BYTES,
        ..get(path, need, handler)
    }
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    [
        assets::routes(),
        pages::home::routes(),
        pages::search::routes(),
        pages::evidence::routes(),
        pages::doctypes::routes(),
        pages::requests::routes(),
        pages::sign_in::routes(),
        pages::join::routes(),
        pages::log::routes(),
        pages::reports::routes(),
        pages::people::routes(),
        pages::branches::routes(),
        pages::sessions::routes(),
        pages::capacity::routes(),
        pages::account::routes(),
        pages::view::routes(),
        pages::readings::routes(),
        api::routes(),
    ]
    .concat()
}

/// What answers where no route does: a page that says so, in the frame of whoever asks.
fn nothing_here(_: &Console, _: &Visit) -> Result<Response, Fault> {
    Err(Fault::NotFound)
}

/// The same where there is a route, but not for this method.
fn not_this_way(_: &Console, _: &Visit) -> Result<Response, Fault> {
    Err(Fault::Method)
}

/// Who is connected, as the listener tells the guard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// All of the console behind its listener.
#[derive(Clone)]
pub(super) struct Site(TowerToHyperService<Router>);

impl Site {
    /// The site of a table.
    pub(super) fn new(console: &Arc<Console>, table: Vec<Route>) -> Self {
        // Whatever is sent there is taken and thrown away, so that the answer is about the address.
        let stray = |handler| guarded(console, get("", Need::Public, handler).body_limit(BODY_BYTES));
        let mut router = Router::new().fallback(stray(nothing_here));
        for route in table {
            // A method that the filter doesn't know answers to nothing: the table's test names it.
            let Ok(filter) = MethodFilter::try_from(route.method.clone()) else {
                continue;
            };
            router = router.route(route.path, on(filter, guarded(console, route)));
        }
        // It reaches the routes that are there already, so it comes last.
        let router = router.method_not_allowed_fallback(stray(not_this_way));
        Site(TowerToHyperService::new(router))
    }

    /// Answers one request, whatever happens, with the fields that every answer carries.
    pub(super) async fn answer<B>(&self, mut request: hyper::Request<B>, peer: IpAddr) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        request.extensions_mut().insert(Peer(peer));
        let mut response = match self.0.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        headers::apply(&mut response);
        response
    }
}

/// A handler as axum takes it, behind the guard.
fn guarded(
    console: &Arc<Console>,
    route: Route,
) -> impl Fn(Request) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync + 'static
{
    let (console, route) = (Arc::clone(console), Arc::new(route));
    move |request| Box::pin(guard::answer(Arc::clone(&console), Arc::clone(&route), request))
}
