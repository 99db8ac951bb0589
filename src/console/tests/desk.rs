//! The auditor's and the administrator's pages, with the real policy and one person of every role.

use super::*;
use crate::{
    access::{
        ReadingRoom,
        policy::{self, Rule},
    },
    custody::testing::{fingerprint, signer},
    domain::{
        event::{Kind, Leaf},
        role::Role,
    },
    tlog::key::{Algorithm, SignerKey},
};

mod keys;
mod log;
mod office;
mod people;
mod reports;

/// The console with its real policy. Everybody's log-in name is their role's id, and their id that after `p-`.
struct Office {
    fixture: Fixture,
    room: Arc<ReadingRoom>,
}

pub(super) fn witness() -> SignerKey {
    signer("witness.example/w1", Algorithm::CosignatureV1, 9)
}

impl Office {
    fn new() -> Self {
        let vault = TestVault::new();
        for role in Role::ALL {
            vault.user(role.id(), &[role.id()], role.needs_branch().then_some("0101"));
        }
        let room = vault.room();
        let fixture = Fixture::reading_in(vault, room.clone(), routes());
        let office = Office { fixture, room };
        office.settle();
        office
    }

    /// Replies come before the log's files are written: waits until they are.
    fn settle(&self) {
        let newest = || {
            let read = self
                .fixture
                .vault
                .catalogue
                .read(crate::catalog::log_edge::latest_checkpoint);
            read.unwrap().map_or(0, |(size, _)| size)
        };
        while self.fixture.vault.log.published_size().unwrap() < newest() {
            std::thread::yield_now();
        }
    }

    fn visit(&self, name: &str) -> Desk<'_> {
        let (_, secret) = self.fixture.sign_in(name);
        Desk { office: self, secret }
    }

    fn leaves(&self, kind: Kind) -> Vec<Leaf> {
        self.settle();
        let all = self.fixture.vault.leaves();
        all.into_iter().filter(|leaf| leaf.kind == kind).collect()
    }
}

/// Somebody who is signed in.
struct Desk<'a> {
    office: &'a Office,
    secret: Secret,
}

impl Desk<'_> {
    fn get(&self, path: &str) -> Answer {
        self.in_language(path, Lang::Zh)
    }

    fn in_language(&self, path: &str, lang: Lang) -> Answer {
        let cookie = format!(
            "{}; {}={}",
            session_cookie(&self.secret),
            cookies::LANG,
            lang.code()
        );
        self.office.fixture.get(path, &[(header::COOKIE, &cookie)])
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &self.secret.token());
        form.extend_pairs(fields);
        self.office.fixture.post(path, &self.secret, &form.finish())
    }
}

/// With `MUNIMENT_GALLERY=DIR` pages are written there, to be looked at in a browser.
fn keep(name: &str, lang: Lang, page: &str) {
    if let Ok(folder) = std::env::var("MUNIMENT_GALLERY") {
        let page = page.replace("/assets/", "assets/");
        std::fs::write(format!("{folder}/desk{name}-{}.html", lang.code()), page).unwrap();
    }
}

/// The routes of these pages, by what they need.
fn desk_routes() -> Vec<(Route, Action)> {
    let ours = [
        Action::SeeLog,
        Action::SeeReports,
        Action::AdministerPeople,
        Action::AdministerSessions,
        Action::SeeCapacity,
    ];
    let needs = |route: Route| match route.need {
        Need::May(action) if ours.contains(&action) => Some((route, action)),
        _ => None,
    };
    routes().into_iter().filter_map(needs).collect()
}

/// A path that leads somewhere on these pages.
fn real(route: &Route) -> String {
    let path = route.path.replace("{index}", "0").replace("{name}", "fixity");
    let path = path.replace("{id}", "p-auditor").replace("{token}", "none");
    // The question about a key names one.
    if route.method == Method::GET && path.ends_with("/keys/revoke") {
        let query = crate::console::fields::Fields::default().with("key", Some(&fingerprint("auditor")));
        return format!("{path}?{query}");
    }
    path
}

#[test]
fn each_role_gets_its_pages_and_every_refusal_is_on_record() {
    let office = Office::new();
    assert!(desk_routes().len() >= 28);
    for role in Role::ALL {
        let desk = office.visit(role.id());
        for (route, action) in desk_routes() {
            let what = format!("{role} {} {}", route.method, route.path);
            let before = office.leaves(Kind::AccessRefused).len();
            let answer = match route.method {
                Method::GET => desk.get(&real(&route)),
                _ => desk.post(&real(&route), &[]),
            };
            if policy::rule(role, action) == Rule::Never {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
                assert!(answer.body.contains("您无权进行此操作"), "{what}");
            } else {
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.body);
                assert_eq!(office.leaves(Kind::AccessRefused).len(), before, "{what}");
            }
        }
        let refused = office.leaves(Kind::AccessRefused);
        for (_, action) in desk_routes() {
            let recorded = refused.iter().any(|leaf| {
                leaf.actor == format!("p-{}", role.id()) && leaf.text("what") == Some(action.id())
            });
            assert_eq!(
                recorded,
                policy::rule(role, action) == Rule::Never,
                "{role} {action:?}"
            );
        }
    }
}

#[test]
fn forms_of_these_pages_need_our_origin_and_the_sessions_token() {
    let office = Office::new();
    for (route, action) in desk_routes() {
        if route.method == Method::GET {
            continue;
        }
        let role = Role::ALL
            .into_iter()
            .find(|role| policy::rule(*role, action) != Rule::Never)
            .unwrap();
        let desk = office.visit(role.id());
        let answer = office.fixture.post(&real(&route), &desk.secret, "csrf=00");
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", route.path);
        assert!(answer.body.contains("没有执行"), "{}", answer.body);
    }
}

#[test]
fn pages_are_clean_in_both_languages() {
    let office = Office::new();
    for (route, action) in desk_routes() {
        if route.method != Method::GET {
            continue;
        }
        let role = Role::ALL
            .into_iter()
            .find(|role| policy::rule(*role, action) != Rule::Never)
            .unwrap();
        let desk = office.visit(role.id());
        for lang in Lang::ALL {
            let answer = desk.in_language(&real(&route), lang);
            let is_page = answer.headers[header::CONTENT_TYPE] == "text/html; charset=utf-8";
            if !is_page || answer.status != StatusCode::OK {
                continue;
            }
            let page = &answer.body;
            assert!(
                !page.contains(" style=") && !page.contains("<script>"),
                "{}",
                route.path
            );
            assert!(
                page.contains(&format!("<html lang=\"{}\">", lang.code())),
                "{}",
                route.path
            );
            keep(&route.path.replace(['/', '{', '}'], "-"), lang, page);
        }
    }
}
