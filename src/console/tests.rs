//! The console without its listener: the real table, guard and sessions over a real catalogue, met by requests as a browser
//! or somebody worse sends them.

use super::{
    Console, Parts,
    allows::{Action, Allows, Refusal},
    cookies,
    fault::Fault,
    layout::{Frame, page},
    limits::BODY_BYTES,
    page as parts,
    routes::{Need, Route, Site, get, post, routes},
    secret::Secret,
    session::{Flash, FlashKind, Session},
    visit::Visit,
    words::{Lang, Words},
};
use crate::{
    access::{ReadingRoom, credentials::testing},
    catalog::people::{self, Person},
    custody::testing::TestVault,
    domain::{
        event::{Kind, Leaf},
        time::Zone,
    },
    server::{console::ByPolicy, live::Live},
    ssh,
};
use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use maud::{Render, html};
use ring::rand::SystemRandom;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

mod api;
mod desk;
mod evidence;
mod requests;
mod search;
mod sign_in;
mod viewer;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ORIGIN: &str = "https://localhost:8443";

/// The policy as the server asks it; refusals are remembered besides.
struct Policy(Mutex<Vec<(String, Action, &'static str)>>, ByPolicy);

impl Allows for Policy {
    fn may(&self, person: &Person, action: Action) -> Result<(), Words> {
        self.1.may(person, action)
    }

    fn refused(&self, refusal: Refusal<'_>) {
        let told = (refusal.person.id.clone(), refusal.action, refusal.route);
        self.0.lock().unwrap().push(told);
        self.1.refused(refusal);
    }
}

struct Fixture {
    vault: TestVault,
    console: Arc<Console>,
    policy: Arc<Policy>,
    site: Site,
    runtime: tokio::runtime::Runtime,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    fn cookies(&self) -> Vec<&str> {
        let all = self.headers.get_all(header::SET_COOKIE).iter();
        all.map(|value| value.to_str().unwrap()).collect()
    }
}

impl Fixture {
    fn new() -> Self {
        Self::with(routes())
    }

    /// The real table and some routes more.
    fn with(table: Vec<Route>) -> Self {
        let vault = TestVault::new();
        let room = vault.room();
        Self::reading_in(vault, room, table)
    }

    /// The real table, and what is sealed can be read where the room's key opens it.
    fn reading_in(vault: TestVault, room: Arc<ReadingRoom>, table: Vec<Route>) -> Self {
        let policy = Arc::new(Policy(Mutex::default(), ByPolicy(room.clone())));
        let config = toml::from_str("listen = \"127.0.0.1:8443\"").unwrap();
        let live = Arc::new(Live::new(ssh::Sessions::default(), room.clone()));
        let parts = Parts {
            logins: live.clone(),
            reserve_bytes: 1_000_000,
            catalogue: vault.catalogue.clone(),
            allows: policy.clone(),
            clock: vault.clock.clone(),
            random: Arc::new(SystemRandom::new()),
            zone: Zone::default(),
            keys: vault.layout.keys(),
            credentials: Arc::new(testing::credentials(&vault, Arc::default())),
            room,
            witnesses: [desk::witness().verifier().clone()].into(),
        };
        let console = Arc::new(Console::new(&config, ORIGIN.parse().unwrap(), parts, &table));
        live.join(&console);
        let site = Site::new(&console, table);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(1)
            .build();
        Fixture {
            vault,
            console,
            policy,
            site,
            runtime: runtime.unwrap(),
        }
    }

    fn sign_in(&self, name: &str) -> (Session, Secret) {
        let person = self
            .vault
            .catalogue
            .read(|c| people::by_name(c, name))
            .unwrap()
            .unwrap();
        self.console
            .sessions
            .begin(&person, PEER, "a test", None)
            .unwrap()
    }

    fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let (parts, body) = self.site.answer(request, PEER).await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            }
        })
    }

    /// A page as somebody who is signed in gets it.
    fn page(&self, path: &str, secret: &Secret, lang: Lang) -> Answer {
        let cookie = format!("{}; {}={}", session_cookie(secret), cookies::LANG, lang.code());
        self.get(path, &[(header::COOKIE, &cookie)])
    }

    /// Every leaf of a kind so far.
    fn leaves_of(&self, kind: Kind) -> Vec<Leaf> {
        self.vault.catch_up();
        let leaves = self.vault.leaves().into_iter();
        leaves.filter(|leaf| leaf.kind == kind).collect()
    }

    /// What was refused to whom, and why, as the log has it.
    fn refusals(&self) -> Vec<(String, String, String)> {
        let text = |leaf: &Leaf, name: &str| leaf.text(name).unwrap_or_default().to_owned();
        let refused = self.leaves_of(Kind::AccessRefused).into_iter();
        refused
            .map(|leaf| (text(&leaf, "person"), text(&leaf, "what"), text(&leaf, "why")))
            .collect()
    }

    fn was_refused(&self, name: &str, what: &str, why: &str) -> bool {
        let wanted = (format!("p-{name}"), what.to_owned(), why.to_owned());
        self.refusals().contains(&wanted)
    }

    fn get(&self, path: &str, fields: &[(header::HeaderName, &str)]) -> Answer {
        self.send(request(Method::GET, path, fields, ""))
    }

    /// A form as a page of ours sends it.
    fn post(&self, path: &str, secret: &Secret, form: &str) -> Answer {
        let cookie = session_cookie(secret);
        let fields = [
            (header::COOKIE, cookie.as_str()),
            (header::ORIGIN, ORIGIN),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
        ];
        self.send(request(Method::POST, path, &fields, form))
    }
}

fn request(method: Method, path: &str, fields: &[(header::HeaderName, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn session_cookie(secret: &Secret) -> String {
    format!("{}={}", cookies::SESSION, *secret.text())
}

/// A body that doesn't say how long it is.
struct Unannounced(Body);

impl axum::body::HttpBody for Unannounced {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(context)
    }
}

/// A path that fits a route.
fn example(route: &Route) -> String {
    let parts = route
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "0" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn echo(_: &Console, visit: &Visit) -> Result<Response, Fault> {
    let said = visit.form.get("said").unwrap_or("nothing").to_owned();
    Ok(said.into_response())
}

fn fails(_: &Console, _: &Visit) -> Result<Response, Fault> {
    Err(Fault::internal("the disk said: /srv/secret is gone"))
}

#[allow(clippy::panic)]
fn panics(_: &Console, _: &Visit) -> Result<Response, Fault> {
    panic!("a handler's own fault")
}

fn guest_form(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let body = parts::form(visit, "/guest", &html! {});
    Ok(page(&Frame::of(console, visit), "guest", &body))
}

/// Routes that exist to try the guard.
fn trials() -> Vec<Route> {
    let mut table = routes();
    table.extend([
        get("/audit", Need::May(Action::SeeLog), echo).menu("审计", "Audit"),
        get("/approve", Need::May(Action::DecideRequest), echo).menu("审批", "Approve"),
        post("/approve", Need::May(Action::DecideRequest), echo),
        post("/echo", Need::SignedIn, echo),
        post("/large", Need::SignedIn, echo).body_limit(4 * BODY_BYTES),
        get("/fails", Need::SignedIn, fails),
        get("/panics", Need::SignedIn, panics),
        get("/api/v1/thing", Need::SignedIn, echo),
        get("/guest", Need::Public, guest_form),
        post("/guest", Need::Public, echo),
    ]);
    table
}

#[test]
fn without_a_session_nothing_answers_but_what_is_public() {
    let fixture = Fixture::with(trials());
    let planted = format!("{}={}", cookies::SESSION, "ab".repeat(32));
    for route in trials() {
        for cookie in [None, Some(planted.as_str()), Some("__Host-muniment=")] {
            let mut fields = vec![(header::ORIGIN, ORIGIN)];
            fields.extend(cookie.map(|cookie| (header::COOKIE, cookie)));
            let answer = fixture.send(request(route.method.clone(), &example(&route), &fields, ""));
            let what = format!("{} {} {cookie:?}", route.method, route.path);
            if route.need == Need::Public {
                assert_ne!(answer.status, StatusCode::SEE_OTHER, "{what}");
            } else if route.is_api() {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                assert!(
                    answer.body.contains(r#""code":"no_token""#),
                    "{what}: {}",
                    answer.body
                );
            } else {
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
                assert!(answer.location().starts_with("/sign-in"), "{what}");
            }
        }
    }
    let answer = fixture.get("/audit?branch=0101&x=%2F", &[]);
    assert_eq!(
        answer.location(),
        "/sign-in?next=%2Faudit%3Fbranch%3D0101%26x%3D%252F"
    );
}

#[test]
fn only_these_routes_are_public() {
    let public: Vec<_> = routes()
        .into_iter()
        .filter(|route| route.need == Need::Public)
        .map(|route| (route.method, route.path))
        .collect();
    assert_eq!(
        public,
        [
            (Method::GET, "/assets/{file}"),
            (Method::GET, "/healthz"),
            (Method::GET, "/sign-in"),
            (Method::POST, "/sign-in"),
            (Method::GET, "/sign-in/passkey"),
            (Method::POST, "/sign-in/passkey"),
            (Method::GET, "/join"),
            (Method::POST, "/join"),
            (Method::POST, "/join/finish"),
        ]
    );
    for route in routes() {
        assert!(
            axum::routing::MethodFilter::try_from(route.method.clone()).is_ok(),
            "{route:?}"
        );
        assert!(route.method != Method::GET || route.body_limit == 0, "{route:?}");
    }
}

#[test]
fn the_policy_decides_and_refusals_are_told_once() {
    let fixture = Fixture::with(trials());
    let (_, auditor) = fixture.sign_in("audit");
    let cookie = session_cookie(&auditor);
    let fields = [(header::COOKIE, cookie.as_str())];
    assert_eq!(fixture.get("/audit", &fields).status, StatusCode::OK);
    let start = fixture.get("/", &fields).body;
    assert!(
        start.contains("href=\"/audit\"") && !start.contains("href=\"/approve\""),
        "{start}"
    );
    assert!(
        fixture.policy.0.lock().unwrap().is_empty(),
        "a menu tells nothing"
    );

    let refused = fixture.get("/approve", &fields);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let why = crate::access::refusal::Refusal::NotYourRole.zh();
    assert!(refused.body.contains(why), "the reason stands on the page");
    let token = format!("csrf={}", auditor.token());
    assert_eq!(
        fixture.post("/approve", &auditor, &token).status,
        StatusCode::FORBIDDEN
    );
    let told = ("p-audit".to_owned(), Action::DecideRequest, "/approve");
    assert_eq!(*fixture.policy.0.lock().unwrap(), [told.clone(), told]);
    assert_eq!(
        fixture.post("/approve", &auditor, "csrf=00").status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        fixture.policy.0.lock().unwrap().len(),
        2,
        "a forged request is nobody's try"
    );
}

#[test]
fn a_form_needs_our_origin_and_the_sessions_token() {
    let fixture = Fixture::with(trials());
    let (_, mine) = fixture.sign_in("zhang.san");
    let (_, other) = fixture.sign_in("li.na");
    let good = format!("said=yes&csrf={}", mine.token());
    assert_eq!(fixture.post("/echo", &mine, &good).body, "yes");
    for wrong in [
        "said=yes",
        "said=yes&csrf=",
        &format!("said=yes&csrf={}", other.token()),
    ] {
        let answer = fixture.post("/echo", &mine, wrong);
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{wrong}");
        assert!(answer.body.contains("没有执行"), "{}", answer.body);
    }
    let cookie = session_cookie(&mine);
    let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let as_sent = |origin: Option<&str>| {
        let mut fields = vec![(header::COOKIE, cookie.as_str()), form.clone()];
        fields.extend(origin.map(|origin| (header::ORIGIN, origin)));
        fixture
            .send(request(Method::POST, "/echo", &fields, &good))
            .status
    };
    assert_eq!(as_sent(Some("https://evil.example")), StatusCode::FORBIDDEN);
    assert_eq!(as_sent(None), StatusCode::FORBIDDEN);
    let by_script = [
        (header::COOKIE, cookie.as_str()),
        (header::ORIGIN, ORIGIN),
        (header::HeaderName::from_static("x-csrf-token"), &mine.token()),
    ];
    assert_eq!(
        fixture.send(request(Method::POST, "/echo", &by_script, "")).body,
        "nothing"
    );
    let read = fixture.get("/echo", &by_script);
    assert_eq!(read.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(read.body.contains("没有执行任何操作"), "{}", read.body);
}

#[test]
fn a_guests_form_is_bound_to_the_guests_browser() {
    let fixture = Fixture::with(trials());
    let answer = fixture.get("/guest", &[]);
    let cookie = answer.cookies()[0].split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-muniment-guest="), "{cookie}");
    let (_, rest) = answer.body.split_once("name=\"csrf\" value=\"").unwrap();
    let form = format!("said=hello&csrf={}", &rest[..64]);
    let send = |cookie: &str| {
        let fields = [
            (header::COOKIE, cookie),
            (header::ORIGIN, ORIGIN),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
        ];
        fixture.send(request(Method::POST, "/guest", &fields, &form))
    };
    assert_eq!(send(&cookie).body, "hello");
    for other in ["", &format!("{}={}", cookies::GUEST, "00".repeat(32))] {
        assert_eq!(send(other).status, StatusCode::FORBIDDEN);
    }
    let again = fixture.get("/guest", &[(header::COOKIE, &cookie)]);
    assert!(
        again.cookies()[0].starts_with(&cookie),
        "two pages of one guest work side by side"
    );
}

#[test]
fn bodies_and_forms_are_bounded_where_the_route_says() {
    let fixture = Fixture::with(trials());
    let (_, secret) = fixture.sign_in("zhang.san");
    let form = |bytes: usize| {
        let begin = format!("csrf={}&said=", secret.token());
        format!("{begin}{}", "x".repeat(bytes - begin.len()))
    };
    assert_eq!(
        fixture.post("/echo", &secret, &form(BODY_BYTES)).status,
        StatusCode::OK
    );
    let refused = fixture.post("/echo", &secret, &form(BODY_BYTES + 1));
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.body.contains("64 KB"), "{}", refused.body);
    assert_eq!(
        fixture.post("/large", &secret, &form(4 * BODY_BYTES)).status,
        StatusCode::OK
    );

    // The same without a length to go by.
    let cookie = session_cookie(&secret);
    let unannounced = Body::new(Unannounced(Body::from(form(BODY_BYTES + 1))));
    let request = Request::post("/echo")
        .header(header::COOKIE, &cookie)
        .header(header::ORIGIN, ORIGIN)
        .body(unannounced);
    assert_eq!(
        fixture.send(request.unwrap()).status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let many = format!("csrf={}{}", secret.token(), "&a=".repeat(600));
    assert_eq!(
        fixture.post("/echo", &secret, &many).status,
        StatusCode::BAD_REQUEST
    );
    let body_on_get = [(header::COOKIE, cookie.as_str()), (header::CONTENT_LENGTH, "5")];
    let answer = fixture.send(self::request(Method::GET, "/", &body_on_get, "hello"));
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn who_is_disabled_is_out_at_the_next_request_everywhere() {
    let fixture = Fixture::new();
    let (_, here) = fixture.sign_in("zhang.san");
    let (elsewhere, _) = fixture.sign_in("zhang.san");
    let cookie = session_cookie(&here);
    let fields = [(header::COOKIE, cookie.as_str())];
    let page = fixture.get("/", &fields);
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("zhang.san") && page.body.contains("经办"));
    fixture.vault.disable("zhang.san");
    let answer = fixture.get("/", &fields);
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/sign-in")
    );
    assert_eq!(
        answer.cookies(),
        [cookies::gone(cookies::SESSION).to_str().unwrap()]
    );
    assert!(!fixture.console.sessions.is_open(&elsewhere.id));
}

#[test]
fn signing_out_ends_the_session_and_takes_the_cookie_back() {
    let fixture = Fixture::new();
    let (session, secret) = fixture.sign_in("audit");
    let answer = fixture.post("/sign-out", &secret, &format!("csrf={}", secret.token()));
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/sign-in")
    );
    assert_eq!(
        answer.cookies(),
        [cookies::gone(cookies::SESSION).to_str().unwrap()]
    );
    assert!(!fixture.console.sessions.is_open(&session.id));
    let cookie = session_cookie(&secret);
    let stolen = fixture.get("/", &[(header::COOKIE, &cookie)]);
    assert_eq!(
        stolen.status,
        StatusCode::SEE_OTHER,
        "what was stolen before opens nothing after"
    );
}

#[test]
fn the_language_is_chinese_until_it_is_switched_and_the_page_stays() {
    let fixture = Fixture::new();
    let (_, secret) = fixture.sign_in("audit");
    let cookie = session_cookie(&secret);
    let chinese = fixture.get("/?a=1", &[(header::COOKIE, &cookie)]);
    assert!(chinese.body.contains("<html lang=\"zh-CN\">"));
    assert!(
        chinese.body.contains("href=\"/?a=1&amp;lang=en\""),
        "{}",
        chinese.body
    );
    let switched = fixture.get("/?a=1&lang=en", &[(header::COOKIE, &cookie)]);
    assert_eq!(
        (switched.status, switched.location()),
        (StatusCode::SEE_OTHER, "/?a=1")
    );
    assert!(
        switched.cookies()[0]
            .starts_with("muniment-lang=en; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=")
    );
    let both = format!("{cookie}; muniment-lang=en");
    let english = fixture.get("/?a=1", &[(header::COOKIE, &both)]);
    assert!(english.body.contains("<html lang=\"en\">") && english.body.contains("Auditor"));
    let nonsense = fixture.get(
        "/",
        &[(header::COOKIE, &format!("{cookie}; muniment-lang=\"><script>"))],
    );
    assert!(nonsense.body.contains("<html lang=\"zh-CN\">"));
    let garbled = fixture.get("/?lang=fr&lang=en", &[(header::COOKIE, &cookie)]);
    assert_eq!((garbled.status, garbled.location()), (StatusCode::SEE_OTHER, "/"));
    let elsewhere = fixture.get("//evil.example/?lang=en", &[]);
    assert_eq!(elsewhere.location(), "/", "a switch leads to no other site");
}

#[test]
fn a_link_from_another_site_asks_once_more_from_here() {
    let fixture = Fixture::new();
    let site = header::HeaderName::from_static("sec-fetch-site");
    let mode = header::HeaderName::from_static("sec-fetch-mode");
    let followed = fixture.get(
        "/?a=1",
        &[(site.clone(), "cross-site"), (mode.clone(), "navigate")],
    );
    assert_eq!(followed.status, StatusCode::OK);
    assert!(
        followed.body.contains("content=\"0; url=/?a=1\""),
        "{}",
        followed.body
    );
    let again = fixture.get("/?a=1", &[(site, "same-origin"), (mode, "navigate")]);
    assert_eq!(again.status, StatusCode::SEE_OTHER);
}

#[test]
fn what_is_not_there_says_so_in_the_frame_of_who_asks() {
    let fixture = Fixture::with(trials());
    let stranger = fixture.get("/no/such/%3Cscript%3Epage", &[]);
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert!(!stranger.body.contains("<script>") && !stranger.body.contains("/sign-out"));
    let (_, secret) = fixture.sign_in("audit");
    let cookie = format!("{}; muniment-lang=en", session_cookie(&secret));
    let known = fixture.get("/no/such/page", &[(header::COOKIE, &cookie)]);
    assert!(known.body.contains("There is nothing here") && known.body.contains("/sign-out"));
    let program = fixture.get("/api/no/such/call", &[]);
    assert_eq!(program.status, StatusCode::NOT_FOUND);
    assert_eq!(program.headers[header::CONTENT_TYPE], "application/problem+json");
    assert!(program.body.contains(r#""code":"not_found""#), "{}", program.body);
}

#[test]
fn a_failure_of_ours_has_a_number_and_says_nothing_of_the_inside() {
    let fixture = Fixture::with(trials());
    let (_, secret) = fixture.sign_in("audit");
    let cookie = session_cookie(&secret);
    for path in ["/fails", "/panics"] {
        let answer = fixture.get(path, &[(header::COOKIE, &cookie)]);
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let (_, rest) = answer.body.split_once("事件编号：<code>").unwrap();
        assert!(crate::domain::id::is_id(&rest[..26]), "{rest}");
        for inside in ["secret", "disk", "own fault"] {
            assert!(!answer.body.contains(inside), "{}", answer.body);
        }
    }
}

#[test]
fn every_answer_carries_the_fields_that_guard_it() {
    let fixture = Fixture::with(trials());
    let (_, secret) = fixture.sign_in("audit");
    let cookie = session_cookie(&secret);
    for path in [
        "/",
        "/healthz",
        "/fails",
        "/no/such/page",
        "/sign-out",
        "/api/v1/thing",
    ] {
        for fields in [vec![], vec![(header::COOKIE, cookie.as_str())]] {
            let answer = fixture.get(path, &fields);
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
            assert!(
                answer.headers.contains_key(header::CONTENT_SECURITY_POLICY),
                "{path}"
            );
            assert_eq!(
                answer.headers[header::X_CONTENT_TYPE_OPTIONS],
                "nosniff",
                "{path}"
            );
        }
    }
    let page = fixture.get("/", &[(header::COOKIE, &cookie)]).body;
    let (_, rest) = page.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let (style, _) = rest.split_once('"').unwrap();
    let asset = fixture.get(style, &[]);
    assert_eq!(asset.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
    assert!(
        asset.headers[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(
        fixture.get("/assets/console.css", &[]).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(fixture.get("/healthz", &[]).body, "ok\n");
}

#[test]
fn messages_are_shown_on_the_next_page_and_only_there() {
    let fixture = Fixture::new();
    let (session, secret) = fixture.sign_in("audit");
    let words = Words::new("<b>已撤销</b>", "revoked");
    fixture.console.sessions.flash(
        &session.id,
        Flash {
            kind: FlashKind::Done,
            words,
        },
    );
    let cookie = session_cookie(&secret);
    let first = fixture.get("/", &[(header::COOKIE, &cookie)]).body;
    assert!(first.contains("&lt;b&gt;已撤销"), "shown, and as text: {first}");
    assert!(
        !fixture
            .get("/", &[(header::COOKIE, &cookie)])
            .body
            .contains("已撤销")
    );
}

/// Every part once, in both languages: nothing inline, nothing unescaped. With `MUNIMENT_GALLERY=DIR` the pages are
/// written there, to be looked at in a browser.
#[test]
fn the_gallery_of_parts_is_clean() {
    let hostile = "<script>alert('1')</script>\" onmouseover=\"x";
    let fixture = Fixture::with(trials());
    let (session, secret) = fixture.sign_in("audit");
    for lang in Lang::ALL {
        let words = Words::new("已提交申请。", "Your request was filed.");
        fixture.console.sessions.flash(
            &session.id,
            Flash {
                kind: FlashKind::Done,
                words,
            },
        );
        let cookie = format!("{}; {}={}", session_cookie(&secret), cookies::LANG, lang.code());
        let shown = [
            ("start", fixture.get("/", &[(header::COOKIE, &cookie)]).body),
            (
                "missing",
                fixture.get("/nothing", &[(header::COOKIE, &cookie)]).body,
            ),
            ("failed", fixture.get("/fails", &[(header::COOKIE, &cookie)]).body),
            (
                "denied",
                fixture.get("/approve", &[(header::COOKIE, &cookie)]).body,
            ),
            ("parts", gallery(&fixture, lang, hostile)),
        ];
        for (name, document) in shown {
            assert!(
                !document.contains("<script>") && !document.contains(" style="),
                "{name}: {document}"
            );
            assert!(!document.contains("\" onmouseover"), "{name}");
            hang(&fixture, name, lang, &document);
        }
    }
}

/// With `MUNIMENT_GALLERY=DIR`: writes a page there, to be looked at in a browser.
fn hang(fixture: &Fixture, name: &str, lang: Lang, document: &str) {
    let Ok(folder) = std::env::var("MUNIMENT_GALLERY") else {
        return;
    };
    std::fs::create_dir_all(format!("{folder}/assets")).unwrap();
    for address in document.split('"').filter(|part| part.starts_with("/assets/")) {
        std::fs::write(format!("{folder}{address}"), fixture.get(address, &[]).body).unwrap();
    }
    let document = document.replace("\"/assets/", "\"assets/");
    std::fs::write(format!("{folder}/{name}-{}.html", lang.code()), document).unwrap();
}

fn gallery(fixture: &Fixture, lang: Lang, hostile: &str) -> String {
    let visit = Visit {
        lang,
        method: Method::GET,
        path: "/audit".to_owned(),
        query: super::fields::Fields::default(),
        form: super::fields::Fields::default(),
        body: axum::body::Bytes::new(),
        headers: HeaderMap::new(),
        address: PEER,
        signed: None,
        bearer: None,
        secret: Secret::new(&SystemRandom::new()).unwrap(),
        params: Vec::new(),
        token_given: false.into(),
        here: "/audit".to_owned(),
    };
    let mut table = parts::Table::new(lang.of("申请", "Requests"))
        .column(lang.of("客户号", "Customer"))
        .column(lang.of("依据", "Basis"))
        .column(lang.of("状态", "State"))
        .column(lang.of("摘要", "Digest"))
        .right(lang.of("大小", "Size"));
    let states = [
        (parts::Tone::Good, lang.of("已批准", "Approved")),
        (parts::Tone::Watch, lang.of("待审批", "Waiting")),
        (parts::Tone::Bad, lang.of("已拒绝", "Refused")),
        (parts::Tone::Plain, lang.of("已到期", "Expired")),
    ];
    for (tone, state) in states {
        table.row([
            html! { a href="/audit" { "000100012345" } },
            html! { (lang.of("监管检查", "Regulator")) },
            parts::badge(tone, state),
            parts::digest(lang, &"9f86d081884c7d65".repeat(4)),
            html! { "209.7 MB" },
        ]);
    }
    let reason = parts::Field {
        name: "reason",
        label: lang.of("查阅理由", "Reason"),
        value: hostile,
        hint: Some(lang.of("审批人会看到。", "The approver reads this.")),
        error: Some(lang.of("请填写理由。", "Please give a reason.")),
        required: true,
        ..parts::Field::default()
    };
    let customer = parts::Field {
        name: "customer",
        label: lang.of("客户号", "Customer number"),
        inputmode: Some("numeric"),
        ..parts::Field::default()
    };
    let purpose = parts::Field {
        name: "purpose",
        label: lang.of("用途", "Purpose"),
        value: "export",
        ..parts::Field::default()
    };
    let purposes = [
        ("view", lang.of("查看", "View")),
        ("export", lang.of("导出", "Export")),
    ];
    let fields = html! {
        (customer.input()) (purpose.select(&purposes)) (reason.textarea(3))
        (parts::checkbox("agree", "yes", lang.of("我已核对身份", "I have checked who asks"), true))
        div.actions {
            (parts::button(parts::Weight::Primary, lang.of("提交申请", "File the request")))
            (parts::choice_button(parts::Weight::Plain, "draft", "yes", lang.of("存为草稿", "Keep as a draft")))
        }
    };
    let body = html! {
        (parts::title(lang.of("部件", "Parts"), Some(hostile)))
        (parts::query_form("/audit", &html! { (customer.input()) (purpose.select(&purposes))
            (parts::button(parts::Weight::Plain, lang.of("检索", "Search"))) }))
        (table.render())
        (parts::pager(lang, Some("/audit?page=1"), Some("/audit?page=3"), "2 / 3"))
        (parts::panel(lang.of("申请查阅", "Ask for access"), &parts::form(&visit, "/audit", &fields)))
        (parts::panel(lang.of("证据", "Evidence"), &parts::definitions(&[
            (lang.of("客户号", "Customer"), html! { "000100012345" }),
            ("SHA-256", parts::digest(lang, &"9f86d081884c7d65".repeat(4))),
        ])))
        (parts::confirm(&visit, "/audit", lang.of("撤销后，正在播放的内容会立即停止。", "Revoking stops at once what is being played."),
            parts::Weight::Danger, lang.of("撤销授权", "Revoke the grant"), "/audit"))
        (parts::empty(lang.of("还没有申请", "No requests yet"), lang.of("需要查阅证据时，从检索开始。", "When you need evidence, begin with a search."),
            Some(&parts::link_button(parts::Weight::Primary, "/audit", lang.of("去检索", "Search")))))
    };
    let response = page(
        &Frame::of(&fixture.console, &visit),
        lang.of("部件", "Parts"),
        &body,
    );
    let bytes = fixture
        .runtime
        .block_on(async { response.into_body().collect().await.unwrap().to_bytes() });
    String::from_utf8(bytes.to_vec()).unwrap()
}
