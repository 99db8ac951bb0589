//! Searching as people and as somebody worse do it.

use super::*;
use crate::{
    access::authorizer::Who,
    custody::testing::Original,
    domain::{
        doctype::{DEFAULT_TABLE, DocumentTypes},
        event::Draft,
    },
};

pub(super) const HOSTILE: &str = "<script>alert('1')</script>\" onmouseover=\"x";

impl Fixture {
    /// People of every role that finds evidence, and some of the others.
    pub(super) fn staffed() -> Self {
        let fixture = Fixture::new();
        for (name, roles, branch) in [
            ("wen", vec!["retriever"], None),
            ("chen", vec!["retriever"], Some("0101")),
            ("fang", vec!["archivist"], Some("0101")),
            ("gu", vec!["reviewer"], Some("0101")),
            ("he", vec!["approver"], None),
            ("ops", vec!["sysadmin"], None),
            ("key", vec!["key_custodian"], None),
        ] {
            fixture.vault.user(name, &roles, branch);
        }
        fixture
    }

    /// Publishes the table of document types that ships.
    pub(super) fn publish_types(&self) {
        let text = DocumentTypes::from_toml(DEFAULT_TABLE).unwrap().to_toml();
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let published = Draft::new(Kind::DocumentTypesPublished, "t1", "system")
            .fact("version", 1)
            .fact("sha256", crate::domain::hex::encode(digest))
            .private("text", text);
        self.vault.commit(published);
    }
}

/// Flow numbers that a page lists as found, in order.
fn flows(page: &str, known: &[&str]) -> Vec<String> {
    let cells = page.split("data-label=\"流水号\">").skip(1);
    let found: Vec<String> = cells
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert!(
        found.iter().all(|flow| known.contains(&flow.as_str())),
        "{found:?}"
    );
    found
}

#[test]
fn each_field_finds_its_own_and_stays_in_the_address() {
    let fixture = Fixture::staffed();
    fixture.publish_types();
    let one = fixture.vault.seal_original(Original::default());
    let look = r#"{"report":{"container":"jpg"},"findings":[]}"#;
    fixture.vault.seal_original(Original {
        by: "li.na",
        path: "000200099999_20260729_B0012345_IDF_01.jpg",
        customer: "000200099999",
        flow: "B0012345",
        doctype: "IDF",
        date: 20_260_729,
        bytes: b"a page",
        inspection: Some(("needs_review", look)),
        ..Original::default()
    });
    let known = ["A0098877", "B0012345"];
    let (_, secret) = fixture.sign_in("wen");
    let found = |query: &str| {
        let answer = fixture.page(&format!("/search{query}"), &secret, Lang::Zh);
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
        flows(&answer.body, &known)
    };
    assert_eq!(found(""), ["B0012345", "A0098877"], "newest business date first");
    let digest = one.sha256.to_uppercase();
    for (query, expected) in [
        ("?customer=000100012345", "A0098877"),
        ("?flow=B0012345", "B0012345"),
        ("?branch=0202", "B0012345"),
        ("?doctype=WVID", "A0098877"),
        ("?doctype=idf", "B0012345"),
        ("?to=2026-07-28", "A0098877"),
        ("?from=20260729", "B0012345"),
        ("?state=needs_review", "B0012345"),
        ("?state=sealed", "A0098877"),
        (&format!("?sha256={digest}"), "A0098877"),
        (&format!("?sha256=+{}+", &digest[..9]), "A0098877"),
        (
            "?customer=+000100012345+&flow=A0098877&branch=0101&doctype=WVID&from=2026-07-28&to=2026-07-28",
            "A0098877",
        ),
    ] {
        assert_eq!(found(query), [expected], "{query}");
    }
    for query in [
        "?customer=00010001234",
        "?flow=a0098877",
        "?customer=000100012345&branch=0202",
        "?sha256=00000000",
    ] {
        assert!(found(query).is_empty(), "{query}");
    }
    // What was asked for stands in the form again, and names come from the published table.
    let query = "customer=000100012345&doctype=WVID&from=2026-07-28&state=sealed";
    let page = fixture.page(&format!("/search?{query}"), &secret, Lang::Zh).body;
    for kept in [
        "name=\"customer\" type=\"text\" value=\"000100012345\"",
        "<option value=\"WVID\" selected>WVID 双人见证视频",
        "name=\"from\" type=\"date\" value=\"2026-07-28\"",
        "<option value=\"sealed\" selected>",
        &format!("href=\"/search?{}&amp;lang=en\"", query.replace('&', "&amp;")),
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    assert!(page.contains("/evidence/") && page.contains(&format!("/evidence/{}?v=1", one.id)));
    // Fields left empty don't make the address longer.
    let blank = fixture.page(
        "/search?customer=+&flow=A0098877&branch=&sha256=",
        &secret,
        Lang::Zh,
    );
    assert_eq!(
        (blank.status, blank.location()),
        (StatusCode::SEE_OTHER, "/search?flow=A0098877")
    );
    let nothing = fixture.page("/search?flow=Z000", &secret, Lang::En).body;
    assert!(
        nothing.contains("Nothing fits") && nothing.contains("Clear the search"),
        "{nothing}"
    );
    assert_eq!(fixture.refusals(), []);
}

#[test]
fn a_field_that_makes_no_sense_says_so_and_keeps_what_was_typed() {
    let fixture = Fixture::staffed();
    fixture.vault.seal_original(Original::default());
    let (_, secret) = fixture.sign_in("wen");
    let rows = || {
        let count = |c: &rusqlite::Connection| crate::catalog::search::count(c);
        fixture.vault.catalogue.read(count).unwrap()
    };
    let hostile = [
        HOSTILE,
        "' OR 1=1 --",
        "'; DROP TABLE evidence; --",
        "\" OR \"\"=\"",
        "x' UNION SELECT id, name FROM person --",
        "%",
        "*",
        "0001000123\u{0}45",
        "１２３４５６",
        "../../etc/passwd",
    ];
    for name in [
        "customer", "flow", "branch", "doctype", "from", "to", "state", "sha256", "after",
    ] {
        for value in hostile {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair(name, value);
            let answer = fixture.page(&format!("/search?{}", query.finish()), &secret, Lang::Zh);
            let what = format!("{name}={value}: {}", answer.body);
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
            assert!(!answer.body.contains("检索结果"), "{what}");
            assert!(
                !answer.body.contains("<script>alert") && !answer.body.contains("\" onmouseover"),
                "{what}"
            );
            if name != "after" {
                assert!(
                    answer.body.contains("aria-invalid=\"true\"")
                        && answer.body.contains(&format!("id=\"{name}-error\"")),
                    "{what}"
                );
                let typed = maud::html! { (value.trim()) }.0;
                assert!(answer.body.contains(&typed), "kept: {what}");
            }
        }
    }
    // Wildcards of SQL that a number may hold are letters like any other.
    for query in ["customer=____________", "flow=________", "doctype=____"] {
        let answer = fixture.page(&format!("/search?{query}"), &secret, Lang::Zh);
        assert!(
            answer.status == StatusCode::OK && answer.body.contains("没有找到"),
            "{query}"
        );
    }
    for (query, said) in [
        ("from=2026-07-28&to=2026-07-01", "结束日期早于开始日期"),
        ("from=28.07.2026", "日期请写成"),
        ("sha256=9f86d08", "至少前 8 位"),
        ("branch=9999", "没有这个营业部"),
    ] {
        let answer = fixture.page(&format!("/search?{query}"), &secret, Lang::Zh);
        assert!(
            answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.body.contains(said),
            "{query}"
        );
    }
    assert_eq!(rows(), 1);
}

#[test]
fn people_of_a_branch_see_and_choose_their_own_only() {
    let fixture = Fixture::staffed();
    let own = fixture.vault.seal_original(Original::default());
    let other = fixture.vault.seal_original(Original {
        by: "li.na",
        flow: "B0012345",
        ..Original::default()
    });
    for name in ["chen", "fang", "gu"] {
        let (_, secret) = fixture.sign_in(name);
        let page = fixture.page("/search", &secret, Lang::Zh).body;
        assert_eq!(flows(&page, &["A0098877", "B0012345"]), ["A0098877"], "{name}");
        assert!(
            page.contains("<option value=\"0101\"") && !page.contains("0202"),
            "{name}: {page}"
        );
        // Whoever asks for everything of this customer hears of their branch's alone.
        let all = fixture
            .page("/search?customer=000100012345", &secret, Lang::Zh)
            .body;
        assert!(all.contains(&own.id) && !all.contains(&other.id), "{name}");
        let beyond = fixture.page("/search?branch=0202", &secret, Lang::Zh);
        assert_eq!(beyond.status, StatusCode::FORBIDDEN, "{name}");
        assert!(
            fixture.was_refused(name, "search_metadata", "out_of_scope"),
            "{name}"
        );
    }
}

#[test]
fn several_are_ticked_into_one_request_by_those_who_may_ask() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    let newer = fixture.vault.seal_original(Original {
        of: Some(&row.id),
        bytes: b"the same again, longer",
        ..Original::default()
    });
    assert_eq!(newer.version, 2);
    for (name, may) in [
        ("wen", true),
        ("chen", true),
        ("audit", true),
        ("he", false),
        ("fang", false),
        ("gu", false),
    ] {
        let (_, secret) = fixture.sign_in(name);
        let page = fixture.page("/search", &secret, Lang::En).body;
        let form = "<form class=\"picks\" method=\"get\" action=\"/requests/new\">";
        assert_eq!(page.contains(form), may, "{name}");
        let tick = format!("type=\"checkbox\" name=\"evidence\" value=\"{}\"", row.id);
        assert_eq!(page.matches(&tick).count(), if may { 2 } else { 0 }, "{name}");
        assert!(
            page.contains("v1<span class=\"hint\"> (newest: v2)"),
            "{name}: {page}"
        );
    }
}

#[test]
fn pictures_show_under_a_live_grant_only() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    let bare = fixture.vault.seal_original(Original {
        flow: "B0012345",
        ..Original::default()
    });
    fixture.contact_sheet(&row.id);
    let (_, wen) = fixture.sign_in("wen");
    let sheet = format!("src=\"/evidence/{}/1/sheet\"", row.id);
    let page = || fixture.page("/search", &wen, Lang::Zh).body;
    assert!(!page().contains("<img class=\"thumb\""));
    let room = &fixture.console.room;
    let ids = [row.id.as_str(), bare.id.as_str()];
    let grant = fixture
        .vault
        .grant(room, "wen", "he", &ids, crate::domain::access::Purpose::View);
    let shown = page();
    assert!(
        shown.contains(&sheet) && shown.contains("loading=\"lazy\""),
        "{shown}"
    );
    assert_eq!(shown.matches("<img class=\"thumb\"").count(), 1, "{shown}");
    // Somebody else's grant shows nothing, nor does one that ended.
    let (_, audit) = fixture.sign_in("audit");
    assert!(!fixture.page("/search", &audit, Lang::Zh).body.contains("/sheet"));
    room.revoke_grant(&Who::person("p-he"), &grant, "over").unwrap();
    assert!(!page().contains("/sheet"));
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let fixture = Fixture::staffed();
    let numbers: Vec<String> = (0..120).map(|at| format!("F{at:05}")).collect();
    for flow in &numbers {
        fixture.vault.seal("zhang.san", &format!("{flow}.mp4"), flow);
    }
    let known: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let (_, secret) = fixture.sign_in("audit");
    let (mut seen, mut path) = (Vec::new(), "/search?doctype=WVID".to_owned());
    loop {
        let answer = fixture.page(&path, &secret, Lang::Zh);
        assert_eq!(answer.status, StatusCode::OK);
        seen.push(flows(&answer.body, &known));
        let Some((_, rest)) = answer.body.split_once("rel=\"next\" href=\"") else {
            break;
        };
        path = rest.split('"').next().unwrap().replace("&amp;", "&");
        assert!(path.starts_with("/search?doctype=WVID&after=20260728-"), "{path}");
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    let newest_first: Vec<String> = numbers.iter().rev().cloned().collect();
    assert_eq!(seen.concat(), newest_first);
    let beyond = fixture.page("/search?after=20260101-0", &secret, Lang::Zh).body;
    assert!(
        beyond.contains("没有更多资料") && beyond.contains("href=\"/search\""),
        "{beyond}"
    );
}

#[test]
fn the_published_types_are_a_table_for_whoever_may_search() {
    let fixture = Fixture::staffed();
    let (_, wen) = fixture.sign_in("wen");
    assert!(
        fixture
            .page("/doctypes", &wen, Lang::En)
            .body
            .contains("hasn't published")
    );
    fixture.publish_types();
    let page = fixture.page("/doctypes", &wen, Lang::En).body;
    let types = DocumentTypes::from_toml(DEFAULT_TABLE).unwrap();
    for one in types.iter() {
        assert!(
            page.contains(&format!("<code class=\"whole\">{}</code>", one.code)),
            "{}",
            one.code
        );
    }
    assert!(
        page.contains("length in seconds, at least: reject 10, review 60"),
        "{page}"
    );
    for name in ["zhang.san", "ops", "key"] {
        let (_, secret) = fixture.sign_in(name);
        assert_eq!(
            fixture.page("/doctypes", &secret, Lang::En).status,
            StatusCode::FORBIDDEN,
            "{name}"
        );
    }
}

impl Fixture {
    /// Says in the log that there is a contact sheet of version 1.
    pub(super) fn contact_sheet(&self, evidence: &str) {
        let made = Draft::new(Kind::DerivedMade, format!("01J{evidence:.23}"), "system")
            .fact("evidence", evidence)
            .fact("version", 1)
            .fact("form", "contact_sheet")
            .fact("media_type", "image/jpeg")
            .fact("size_bytes", 20_000)
            .fact("sha256", crate::custody::testing::SHA)
            .fact("stored_size_bytes", 20_032)
            .fact("stored_blake3", crate::custody::testing::OTHER_SHA);
        self.vault.commit(made);
    }
}
