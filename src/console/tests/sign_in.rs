//! Signing in, joining and the account as a browser walks through them.

use super::*;
use crate::{
    access::credentials::{Code, invitation, passkey::testing::Authenticator, testing::app_code},
    custody::sequencer::Proposed,
    domain::event::Kind,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::atomic::Ordering};

const PASSWORD: &str = "a lighthouse keeper's tea";
pub(super) const STEP_MS: i64 = 30_000;

/// A browser: cookies, and the page it shows.
struct Browser<'a> {
    fixture: &'a Fixture,
    cookies: BTreeMap<String, String>,
    page: String,
}

impl<'a> Browser<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        Browser {
            fixture,
            cookies: BTreeMap::new(),
            page: String::new(),
        }
    }

    fn take(&mut self, answer: Answer) -> Answer {
        for cookie in answer.cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        self.page.clone_from(&answer.body);
        answer
    }

    fn jar(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn get(&mut self, path: &str) -> Answer {
        let answer = self.fixture.get(path, &[(header::COOKIE, &self.jar())]);
        self.take(answer)
    }

    /// Sends a form of the page that is shown, with its token.
    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &self.hidden("csrf"));
        form.extend_pairs(fields);
        let jar = self.jar();
        let head = [
            (header::COOKIE, jar.as_str()),
            (header::ORIGIN, ORIGIN),
            (header::USER_AGENT, "Firefox"),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
        ];
        let answer = self
            .fixture
            .send(request(Method::POST, path, &head, &form.finish()));
        self.take(answer)
    }

    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let at = self
            .page
            .find(&mark)
            .unwrap_or_else(|| panic!("no {name} in {}", self.page));
        self.page[at + mark.len()..].split('"').next().unwrap().to_owned()
    }

    fn json(&mut self, path: &str) -> Value {
        let shown = self.page.clone();
        let answer = self.get(path);
        self.page = shown;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// Says which text of a secret stands on a page.
fn secret_on(page: &str) -> String {
    let at = page.find("<p class=\"once\"><code>").unwrap() + "<p class=\"once\"><code>".len();
    page[at..].split('<').next().unwrap().to_owned()
}

impl Fixture {
    pub(super) fn invite(&self, name: &'static str) -> String {
        let code = Code::invitation(&SystemRandom::new()).unwrap();
        let shown = code.grouped().to_string();
        let committed = self.vault.custody.commit(move |turn| {
            let draft = invitation::invite(
                turn.connection,
                &format!("i-{}", turn.index),
                "operator",
                name,
                &code,
                turn.time_ms,
            );
            Ok(Proposed {
                draft: draft.unwrap(),
                place: None,
            })
        });
        committed.unwrap();
        shown
    }

    pub(super) fn wait(&self, ms: i64) {
        self.vault.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    /// Joins with an app and gives back its secret's text.
    pub(super) fn joined(&self, name: &'static str) -> String {
        let code = self.invite(name);
        let mut browser = Browser::new(self);
        browser.get("/join");
        browser.post("/join", &[("code", &code)]);
        let secret = secret_on(&browser.page);
        let totp = self.code(&secret);
        let enrolment = browser.hidden("enrolment");
        let fields = [
            ("code", code.as_str()),
            ("enrolment", &enrolment),
            ("password", PASSWORD),
            ("again", PASSWORD),
            ("totp", &totp),
        ];
        assert_eq!(
            browser.post("/join/finish", &fields).status,
            StatusCode::OK,
            "{}",
            browser.page
        );
        self.wait(STEP_MS);
        secret
    }

    pub(super) fn code(&self, secret: &str) -> String {
        app_code(secret, self.vault.clock.0.load(Ordering::Relaxed))
    }

    fn kinds(&self, kind: Kind) -> usize {
        self.vault
            .leaves()
            .iter()
            .filter(|leaf| leaf.kind == kind)
            .count()
    }

    /// A browser in which somebody signed in by password and code.
    fn signed_in(&self, name: &str, secret: &str) -> Browser<'_> {
        let mut browser = Browser::new(self);
        browser.get("/sign-in?next=%2Faccount");
        let next = browser.hidden("next");
        let code = self.code(secret);
        let fields = [
            ("name", name),
            ("password", PASSWORD),
            ("code", &code),
            ("next", &next),
        ];
        let answer = browser.post("/sign-in", &fields);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.location(), "/account");
        browser
    }
}

#[test]
fn a_person_joins_signs_in_and_signs_out() {
    let fixture = Fixture::new();
    let secret = fixture.joined("audit");
    let mut browser = fixture.signed_in("audit", &secret);
    let id = fixture.console.sessions.list("p-audit")[0].id.clone();
    let leaf = fixture
        .vault
        .leaves()
        .into_iter()
        .find(|leaf| leaf.kind == Kind::UserSignedIn)
        .unwrap();
    assert_eq!(
        leaf.text("session"),
        Some(id.as_str()),
        "the log and the list call it the same"
    );
    assert!(!browser.cookies.contains_key("__Host-muniment-guest"));
    assert!(browser.cookies.contains_key("__Host-muniment-device"));
    assert_eq!(browser.get("/account").status, StatusCode::OK);
    assert!(
        browser.page.contains("127.0.0.1") && browser.page.contains("Firefox"),
        "{}",
        browser.page
    );
    browser.post("/sign-out", &[]);
    assert_eq!(browser.get("/account").status, StatusCode::SEE_OTHER);
    let leaf = fixture
        .vault
        .leaves()
        .into_iter()
        .find(|leaf| leaf.kind == Kind::UserSignedOut)
        .unwrap();
    assert_eq!(
        (leaf.text("session"), leaf.text("how")),
        (Some(id.as_str()), Some("person"))
    );
    // The same code doesn't open a second session.
    let code = fixture.code(&secret);
    browser.get("/sign-in");
    let answer = browser.post(
        "/sign-in",
        &[("name", "audit"), ("password", PASSWORD), ("code", &code)],
    );
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[test]
fn no_secret_stands_in_an_address_or_comes_back_in_a_page() {
    let fixture = Fixture::new();
    let code = fixture.invite("audit");
    let mut browser = Browser::new(&fixture);
    browser.get("/join");
    browser.post("/join", &[("code", &code)]);
    assert!(browser.page.contains("action=\"/join/finish\"") && !browser.page.contains("?code"));
    let enrolment = browser.hidden("enrolment");
    let secret = secret_on(&browser.page);
    let wrong = [
        ("code", code.as_str()),
        ("enrolment", &enrolment),
        ("password", PASSWORD),
        ("again", PASSWORD),
        ("totp", "000000"),
    ];
    let answer = browser.post("/join/finish", &wrong);
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!answer.body.contains("lighthouse"), "a password isn't sent back");
    assert_eq!(secret_on(&answer.body), secret, "the app needn't scan again");
    let differing = [
        ("code", code.as_str()),
        ("enrolment", &enrolment),
        ("password", PASSWORD),
        ("again", "x"),
    ];
    assert!(browser.post("/join/finish", &differing).body.contains("不一致"));
    browser.get("/sign-in");
    let answer = browser.post(
        "/sign-in",
        &[
            ("name", "audit\"><script>"),
            ("password", "hunter2hunter2"),
            ("code", "1"),
        ],
    );
    assert!(
        !answer.body.contains("hunter2") && !answer.body.contains("<script>"),
        "{}",
        answer.body
    );
    let wrong = browser.post("/join", &[("code", "0000")]);
    assert_eq!(
        (wrong.status, wrong.body.contains("邀请码无效")),
        (StatusCode::UNPROCESSABLE_ENTITY, true)
    );
}

#[test]
fn too_many_tries_are_told_how_long_to_wait() {
    let fixture = Fixture::new();
    fixture.joined("audit");
    let mut browser = Browser::new(&fixture);
    browser.get("/sign-in");
    let fields = [
        ("name", "audit"),
        ("password", "not this one"),
        ("code", "000000"),
    ];
    for _ in 0..5 {
        assert_eq!(browser.post("/sign-in", &fields).status, StatusCode::FORBIDDEN);
    }
    let answer = browser.post("/sign-in", &fields);
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers[header::RETRY_AFTER], "120");
}

#[test]
fn a_passkey_is_made_at_joining_and_signs_in() {
    let fixture = Fixture::new();
    let code = fixture.invite("audit");
    let mut browser = Browser::new(&fixture);
    browser.get("/join");
    browser.post("/join", &[("code", &code)]);
    let at = browser.page.find("data-options=\"").unwrap() + "data-options=\"".len();
    let options = browser.page[at..]
        .split('"')
        .next()
        .unwrap()
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    let mut device = Authenticator::new(ORIGIN);
    let answer = device.create(&serde_json::from_str(&options).unwrap());
    let answer = serde_json::to_string(&answer).unwrap();
    let fields = [
        ("code", code.as_str()),
        ("password", PASSWORD),
        ("again", PASSWORD),
        ("answer", &answer),
        ("label", "手机"),
    ];
    assert_eq!(
        browser.post("/join/finish", &fields).status,
        StatusCode::OK,
        "{}",
        browser.page
    );

    browser.get("/sign-in");
    let options = browser.json("/sign-in/passkey");
    let answer = serde_json::to_string(&device.get(&options)).unwrap();
    // Another browser can't use it: the challenge belongs to this one.
    let mut other = Browser::new(&fixture);
    other.get("/sign-in");
    let stolen = other.post("/sign-in/passkey", &[("answer", &answer)]);
    assert_eq!(stolen.status, StatusCode::FORBIDDEN);
    let answer = browser.post("/sign-in/passkey", &[("answer", &answer)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(browser.get("/account").status, StatusCode::OK);
    assert!(browser.page.contains("手机"));
    let garbage = browser.post(
        "/account/passkeys/add",
        &[("answer", "{}"), ("label", "x"), ("proof", "[]")],
    );
    assert_eq!(garbage.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn changing_a_factor_needs_it_anew_ends_other_sessions_and_renews_this_one() {
    let fixture = Fixture::new();
    let secret = fixture.joined("audit");
    let mut other = fixture.signed_in("audit", &secret);
    fixture.wait(STEP_MS);
    let mut browser = fixture.signed_in("audit", &secret);
    let before = browser.cookies["__Host-muniment"].clone();
    browser.get("/account/password");
    let new = "another lighthouse, further north";
    let used = fixture.code(&secret);
    let fields = |code| [("password", new), ("again", new), ("code", code)];
    let refused = browser.post("/account/password", &fields(used.as_str()));
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the code of the sign-in is used up"
    );
    assert!(!refused.body.contains("further north"));
    fixture.wait(STEP_MS);
    let code = fixture.code(&secret);
    let changed = browser.post("/account/password", &fields(code.as_str()));
    assert_eq!(
        (changed.status, changed.location()),
        (StatusCode::SEE_OTHER, "/account")
    );
    assert_ne!(
        browser.cookies["__Host-muniment"], before,
        "a stolen cookie opens nothing any more"
    );
    assert!(browser.get("/account").body.contains("密码已更改"));
    assert_eq!(other.get("/account").status, StatusCode::SEE_OTHER);
    assert_eq!(fixture.kinds(Kind::UserSignedOut), 1);
}

#[test]
fn sessions_end_one_by_one_and_everywhere() {
    let fixture = Fixture::new();
    let secret = fixture.joined("audit");
    let mut one = fixture.signed_in("audit", &secret);
    fixture.wait(STEP_MS);
    let mut two = fixture.signed_in("audit", &secret);
    let (foreign, _) = fixture.sign_in("zhang.san");
    two.get("/account");
    let id = two.hidden("session");
    assert_eq!(
        two.post("/account/sessions/end", &[("session", &foreign.id)])
            .status,
        StatusCode::NOT_FOUND
    );
    assert!(fixture.console.sessions.is_open(&foreign.id));
    two.get("/account");
    assert_eq!(
        two.post("/account/sessions/end", &[("session", &id)]).status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(one.get("/account").status, StatusCode::SEE_OTHER);
    fixture.wait(STEP_MS);
    let mut three = fixture.signed_in("audit", &secret);
    two.get("/account");
    two.post("/account/sessions/end", &[("session", "all")]);
    assert_eq!(two.get("/account").status, StatusCode::SEE_OTHER);
    assert_eq!(three.get("/account").status, StatusCode::SEE_OTHER);
    assert_eq!(fixture.kinds(Kind::UserSignedOut), 3);
}

#[test]
fn a_token_is_shown_once_and_revoked() {
    let fixture = Fixture::new();
    let secret = fixture.joined("audit");
    let mut browser = fixture.signed_in("audit", &secret);
    fixture.wait(STEP_MS);
    browser.get("/account/tokens/issue");
    let code = fixture.code(&secret);
    let fields = [
        ("label", "archive <b>system</b>"),
        ("days", "30"),
        ("role", "auditor"),
        ("code", &code),
    ];
    let issued = browser.post("/account/tokens/issue", &fields);
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.body);
    let token = secret_on(&issued.body);
    let bearer = fixture.console.credentials.bearer(&token, PEER).unwrap();
    browser.get("/account");
    assert!(
        !browser.page.contains(&token) && !browser.page.contains("<b>system"),
        "{}",
        browser.page
    );
    let (_, stranger) = fixture.sign_in("zhang.san");
    let path = format!("/account/tokens/{}/revoke", bearer.token);
    let theirs = fixture.post(&path, &stranger, &format!("csrf={}", stranger.token()));
    assert_eq!(theirs.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&path, &[]).status, StatusCode::SEE_OTHER);
    assert!(fixture.console.credentials.bearer(&token, PEER).is_err());
}

#[test]
fn a_recovery_ends_every_session_of_before() {
    let fixture = Fixture::new();
    let secret = fixture.joined("audit");
    let mut thief = fixture.signed_in("audit", &secret);
    fixture.joined("audit");
    assert_eq!(thief.get("/account").status, StatusCode::SEE_OTHER);
    let leaf = fixture
        .vault
        .leaves()
        .into_iter()
        .find(|leaf| leaf.kind == Kind::UserSignedOut)
        .unwrap();
    assert_eq!(leaf.text("how"), Some("credentials"));
}

#[test]
fn every_page_is_there_in_both_languages() {
    let fixture = Fixture::new();
    let secret = fixture.joined("audit");
    let mut guest = Browser::new(&fixture);
    let mut person = fixture.signed_in("audit", &secret);
    for (zh, en) in [("zh-CN", "登录"), ("en", "Sign in")] {
        guest.get(&format!("/sign-in?lang={zh}"));
        for path in ["/sign-in", "/join"] {
            let answer = guest.get(path);
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.body.contains(&format!("<html lang=\"{zh}\">")), "{path}");
        }
        assert!(guest.get("/sign-in").body.contains(en));
        person.get(&format!("/account?lang={zh}"));
        for path in [
            "/account",
            "/account/password",
            "/account/app",
            "/account/passkeys/add",
            "/account/tokens/issue",
        ] {
            let answer = person.get(path);
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            for inline in ["<script>", "<style", "style=", "onclick="] {
                assert!(!answer.body.contains(inline), "{path} {inline}");
            }
        }
    }
}
