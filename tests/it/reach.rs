//! Who reaches what: every route of the router's own table, every folder of SFTP, every role. A route that is added later is
//! covered without anybody thinking of it; one with a new kind of address makes the test ask for a value.

use crate::support::{
    AUDITOR, BRANCH, CLERK, PASSPHRASE, TestVault, media,
    visitor::{Answer, Visitor},
};
use muniment::{
    access::policy::{self, Action, Rule},
    console::routes::{Need, Route, routes},
    domain::role::Role,
};
use std::collections::BTreeMap;

const RETRIEVER: &str = "chen.jing";
const APPROVER: &str = "wang.fang";
/// One person for each role.
const PEOPLE: [(&str, Role); 8] = [
    (CLERK, Role::Uploader),
    ("liu.yang", Role::Archivist),
    ("zhao.lei", Role::Reviewer),
    (RETRIEVER, Role::Retriever),
    (APPROVER, Role::Approver),
    (AUDITOR, Role::Auditor),
    ("li.qiang", Role::Sysadmin),
    ("sun.li", Role::KeyCustodian),
];
/// What would end the walk.
const ENDS_SESSIONS: [&str; 2] = ["/sign-out", "/account/sessions/end"];
/// What isn't a page, a picture of ours or data of the API.
const MEDIA: [&str; 5] = [
    "image/",
    "video/",
    "audio/",
    "application/pdf",
    "application/octet-stream",
];

/// A vault with an unlocked key, a console, somebody of each role, and a page that is sealed.
struct Office {
    vault: TestVault,
    visitors: BTreeMap<&'static str, Visitor>,
    /// What a program of each sends in the field Authorization.
    tokens: BTreeMap<&'static str, String>,
    original: Vec<u8>,
    evidence: String,
    receipt: String,
}

impl Office {
    fn open() -> Self {
        let mut vault = TestVault::retrieving();
        for (name, role) in PEOPLE {
            let works_for = matches!(role, Role::Archivist | Role::Reviewer).then_some(BRANCH);
            if name != CLERK && name != AUDITOR {
                vault.add_user(name, &[role.id()], works_for);
            }
        }
        vault.serve_unlocked(&format!("{PASSPHRASE}\n"));
        let original = media::jpeg(120_000, 7);
        vault
            .upload(CLERK, "000100012345_20260728_A0098877_IDF_01.jpg", &original)
            .ok();
        let row = &vault.evidence()[0];
        let (evidence, receipt) = (row["id"].as_str().unwrap().to_owned(), row["receipt"].to_string());
        let visitors = PEOPLE.map(|(name, _)| (name, Visitor::signed_in(&vault, name)));
        let tokens = PEOPLE.map(|(name, role)| {
            let words = [
                "token",
                "issue",
                name,
                "--role",
                role.id(),
                "--days",
                "1",
                "--label",
                "reach",
            ];
            let issued = vault.muniment_json(&words);
            let token = issued["token"].as_str().unwrap();
            (name, format!("Authorization: Bearer {token}"))
        });
        Office {
            visitors: visitors.into(),
            tokens: tokens.into(),
            vault,
            original,
            evidence,
            receipt,
        }
    }

    /// An address of a route: something real in each place.
    fn address(&self, route: &Route, ids: &Ids) -> String {
        let first = route
            .path
            .trim_start_matches("/api/v1")
            .split('/')
            .nth(1)
            .unwrap_or_default();
        let mut address = String::new();
        for part in route.path.split('/').skip(1) {
            address.push('/');
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            address.push_str(match (first, name) {
                (_, None) => part,
                ("evidence", Some("id")) => &self.evidence,
                (_, Some("version")) => "1",
                (_, Some("number")) => &self.receipt,
                (_, Some("form")) => "txt",
                ("assets", Some(_)) => "console.css",
                ("requests", Some("id")) => &ids.request,
                ("grants", Some("id")) => &ids.grant,
                (_, Some("reading")) => &ids.reading,
                (_, Some("id" | "name" | "token" | "index" | "session" | "person" | "key")) => "1",
                (_, Some(other)) => panic!("{}: say in this test what a real {other} is", route.path),
            });
        }
        address
    }

    /// What a program asks with: a token, and a body that would do if it were permitted.
    fn by_program(&self, route: &Route, name: &str) -> Vec<String> {
        let mut words = vec!["-H".to_owned(), self.tokens[name].clone()];
        if route.method != "GET" {
            words.extend(["-X".to_owned(), route.method.to_string()]);
        }
        let evidence = &self.evidence;
        let body = match route.path {
            "/api/v1/requests" if route.method != "GET" => Some(format!(
                "{{\"evidence\": [\"{evidence}\"], \"purpose\": \"export\", \"basis\": \"law\", \
                 \"reason\": \"一次尝试\", \"duration_s\": 3600}}"
            )),
            "/api/v1/readings" => Some(format!("{{\"evidence\": \"{evidence}\", \"version\": 1}}")),
            _ => None,
        };
        if let Some(body) = body {
            let json = "Content-Type: application/json".to_owned();
            words.extend(["-H".to_owned(), json, "--data-binary".to_owned(), body]);
        }
        words
    }

    /// Whether an answer has anything of the original in it, or of a copy made from it.
    fn is_content(&self, route: &Route, answer: &Answer) -> bool {
        let quarters = (1..4).map(|quarter| self.original.len() * quarter / 4);
        let shows = quarters
            .map(|at| &self.original[at..at + 48])
            .any(|piece| answer.body.windows(piece.len()).any(|window| window == piece));
        let media_type = answer.field("content-type").unwrap_or_default();
        shows
            || (!route.path.starts_with("/assets/") && MEDIA.iter().any(|kind| media_type.starts_with(kind)))
    }
}

/// What addresses need besides the evidence.
#[derive(Default)]
struct Ids {
    request: String,
    grant: String,
    reading: String,
}

fn may_at_all(role: Role, action: Action) -> bool {
    policy::rule(role, action) != Rule::Never
}

#[test]
fn nobody_reads_without_a_live_grant_whatever_they_ask() {
    let office = Office::open();
    let nobody = Visitor::nobody(&office.vault);
    let ids = Ids {
        request: office.evidence.clone(),
        grant: office.evidence.clone(),
        reading: office.evidence.clone(),
    };
    for route in routes() {
        let address = office.address(&route, &ids);
        let asked = |who: &Visitor| match route.method.as_str() {
            "GET" => who.get(&address),
            _ => who.post(
                &address,
                &[("reason", "一次尝试"), ("purpose", "export"), ("basis", "law")],
            ),
        };
        if ENDS_SESSIONS.contains(&route.path) {
            continue;
        }
        let answer = asked(&nobody);
        assert!(
            answer.status < 500 && !office.is_content(&route, &answer),
            "{} {address}",
            route.method
        );
        if route.need != Need::Public {
            assert!(
                matches!(answer.status, 303 | 401 | 403),
                "{address}: {}",
                answer.status
            );
        }
        for (name, role) in PEOPLE {
            let visitor = &office.visitors[name];
            let answer = if route.is_api() {
                let by_session = asked(visitor);
                assert_eq!(by_session.status, 401, "{address}: a session is no token");
                let words = office.by_program(&route, name);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                visitor.ask(&address, &words)
            } else {
                asked(visitor)
            };
            let said = format!("{} {address} by {role:?}: {}", route.method, answer.status);
            assert!(answer.status < 500, "{said}: {}", answer.text());
            assert!(!office.is_content(&route, &answer), "{said}: content");
            if let Need::May(action) = route.need {
                assert!(may_at_all(role, action) || answer.status == 403, "{said}");
            }
        }
    }
    let file = "000100012345_20260728_A0098877_IDF_01.jpg";
    let object = office.vault.object(&office.vault.evidence()[0]);
    let guesses = [
        format!("/evidence/000100012345/A0098877/IDF-01/v1/{file}"),
        format!("/inbox/{file}"),
        format!("/inbox/../evidence/000100012345/A0098877/IDF-01/v1/{file}"),
        object.to_str().unwrap().to_owned(),
        format!("/../../../..{}", object.to_str().unwrap()),
    ];
    let here = office.vault.home.join("taken");
    for (name, role) in PEOPLE {
        for guess in &guesses {
            let get = format!("get \"{guess}\" {}", here.display());
            let taken = office.vault.sftp(name, &get);
            assert!(taken.code != Some(0) && !here.exists(), "{role:?}: {taken}");
        }
    }
    let refused = office.vault.leaves("access.refused");
    assert!(!refused.is_empty());
    assert!(office.vault.leaves("access.read").is_empty(), "nothing was read");
}
