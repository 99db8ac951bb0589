//! Reports: the same rows on screen and in spreadsheets, filtered by the address, bounded, and harmless.

use super::*;
use crate::{
    access::{
        authorizer::Who,
        requests::{Narrowing, NewRequest},
    },
    custody::testing::NOW_MS,
    domain::{
        access::{Basis, Purpose},
        event::Draft,
    },
};

const DAY_MS: i64 = 86_400_000;

impl Office {
    /// Asks for the one piece of evidence and gives the request's id.
    fn ask(&self, name: &str, reason: &str, emergency: bool) -> String {
        let request = NewRequest {
            evidence: vec!["e-A1".to_owned()],
            purpose: Purpose::View,
            basis: Some(Basis::Regulator),
            reason: reason.to_owned(),
            duration_s: 3_600,
            emergency,
            form: None,
        };
        let who = Who::person(format!("p-{name}"));
        self.room.file_request(&who, request).unwrap()
    }

    fn with_evidence() -> Self {
        let office = Office::new();
        office.fixture.vault.seal("zhang.san", "A1.mp4", "A1");
        office.settle();
        office
    }
}

fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let rows = reader.records();
    rows.map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn requests_grants_and_refusals_are_listed_with_emergencies_marked() {
    let office = Office::with_evidence();
    let hostile = "=HYPERLINK(\"http://evil\") <script>alert(1)</script>";
    let plain = office.ask("retriever", hostile, false);
    let urgent = office.ask("retriever", "客户投诉", true);
    let vault = &office.fixture.vault;
    vault.user("approver2", &["approver"], None);
    let approve = |name: &str, request: &str| {
        let who = Who::person(format!("p-{name}"));
        office
            .room
            .approve_request(&who, request, Narrowing::default())
            .map(|_| ())
    };
    approve("approver", &plain).unwrap();
    approve("approver", &urgent).unwrap();
    approve("approver2", &urgent).unwrap();
    assert!(approve("retriever", &plain).is_err());
    office.settle();

    for name in ["auditor", "approver"] {
        let desk = office.visit(name);
        let page = desk.page("/reports/requests");
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script>alert"),
            "{page}"
        );
        assert!(page.contains("紧急") && page.contains("客户投诉") && page.contains(&plain));
        let grants = desk.page("/reports/grants");
        assert_eq!(grants.matches(">retriever</td>").count(), 2, "{grants}");
        assert!(
            grants.contains("有效") && grants.contains(">approver2</td>"),
            "{grants}"
        );
        let only = desk.page("/reports/requests?emergency=1");
        assert!(only.contains("客户投诉") && !only.contains("HYPERLINK"), "{only}");
        let refusals = desk.page("/reports/refusals?person=retriever");
        assert!(refusals.contains("审批申请"), "{refusals}");
        assert!(!desk.page("/reports/refusals?person=li.na").contains("审批申请"));
    }
    let desk = office.visit("auditor");
    let csv = desk.get("/reports/requests?format=csv");
    assert_eq!(csv.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let disposition = csv.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"requests-2026-07-28.csv\""));
    let rows = csv_rows(&csv.body);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1][6], format!("'{hostile}"), "no cell is a formula");
    assert_eq!((rows[0][8].as_str(), rows[1][8].as_str()), ("1", ""));
    assert_eq!(rows[1][2], "retriever");
}

#[test]
fn a_readings_grant_person_and_end_stand_in_its_row() {
    let office = Office::with_evidence();
    let request = office.ask("retriever", "核对", false);
    let who = Who::person("p-approver");
    office
        .room
        .approve_request(&who, &request, Narrowing::default())
        .unwrap();
    let grants = office.leaves(Kind::AccessApproved);
    let grant = grants[0].id.as_str();
    let vault = &office.fixture.vault;
    let read = |id: &str| {
        Draft::new(Kind::AccessRead, id, "p-retriever")
            .fact("evidence", "e-A1")
            .fact("version", 1)
            .fact("purpose", "view")
            .fact("basis", "regulator")
            .fact("grant", grant)
            .fact("person", "p-retriever")
            .fact("part", "playback")
            .fact("channel", "console")
    };
    vault.commit(read("r-1"));
    vault.commit(
        Draft::new(Kind::AccessReadEnded, "r-1-end", "p-retriever")
            .fact("read", "r-1")
            .fact("evidence", "e-A1")
            .fact("version", 1)
            .fact("bytes", 4_321)
            .fact("ranges", 2)
            .fact("watched_s", 77),
    );
    let by_operator = Draft::new(Kind::AccessRead, "r-host", "operator")
        .fact("evidence", "e-A1")
        .fact("version", 1)
        .fact("purpose", "export")
        .fact("basis", "law")
        .commit("reason", "法院")
        .commit("requester", "x");
    vault.commit(by_operator);
    office.settle();
    let desk = office.visit("auditor");
    let rows = csv_rows(&desk.page(&format!("/reports/readings?grant={grant}&format=csv")));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][2..5], ["retriever", "e-A1", "1"]);
    assert_eq!(rows[0][9..12], ["4321", "2", "77"]);
    assert_eq!(rows[0][13], grant);
    assert!(csv_rows(&desk.page("/reports/readings?grant=other&format=csv")).is_empty());
    let host = desk.page("/reports/host-reads");
    assert!(host.contains("/evidence/e-A1") && host.contains("法律"), "{host}");
    assert!(!host.contains("法院"), "what is private to the event isn't shown");
}

#[test]
fn integrity_says_what_was_checked_and_what_never() {
    let office = Office::with_evidence();
    let desk = office.visit("auditor");
    assert!(desk.page("/reports").contains("从未做过"));
    assert!(desk.page("/reports/unchecked").contains("从未核验"));
    let vault = &office.fixture.vault;
    let check = |id: &str, findings: i64| {
        Draft::new(Kind::FixityChecked, id, "operator")
            .fact("objects", 3)
            .fact("bytes", 99)
            .fact("findings", findings)
            .fact("with_identity", 0)
            .fact("complete", 1)
    };
    // Of one version: it says nothing about the rest.
    vault.commit(check("f-1", 0).fact("evidence", "e-A1").fact("version", 1));
    office.settle();
    assert!(desk.page("/reports").contains("从未做过"));
    let unchecked = desk.page("/reports/unchecked");
    assert!(
        !unchecked.contains("从未核验") && unchecked.contains("/evidence/e-A1"),
        "{unchecked}"
    );
    // One with a finding doesn't count as fine.
    vault.seal("zhang.san", "A2.mp4", "A2");
    vault.commit(check("f-2", 1).fact("evidence", "e-A2").fact("version", 1));
    office.settle();
    assert!(desk.page("/reports/unchecked").contains("从未核验"));
    vault.commit(check("f-3", 2));
    vault.seal("zhang.san", "A3.mp4", "A3");
    office.settle();
    let list = desk.page("/reports");
    assert!(list.contains("2 个问题") && list.contains("1 个版本"), "{list}");
    let unchecked = desk.page("/reports/unchecked");
    assert!(
        unchecked.contains("/evidence/e-A3") && !unchecked.contains("/evidence/e-A1"),
        "{unchecked}"
    );
    let fixity = csv_rows(&desk.page("/reports/fixity?format=csv"));
    assert_eq!(fixity.len(), 3);
    assert_eq!(fixity[0][3..9], ["3", "99", "2", "0", "1", ""]);
    assert_eq!(fixity[2][8], "e-A1");
}

#[test]
fn the_role_matrix_shows_combinations_that_nobody_may_hold() {
    let office = Office::new();
    // The fold refuses such an event, so somebody has to reach into the catalogue by hand.
    let catalogue = rusqlite::Connection::open(office.fixture.vault.layout.catalog()).unwrap();
    catalogue
        .execute(
            "INSERT INTO person_role (person, role) VALUES ('p-sysadmin', 'approver')",
            [],
        )
        .unwrap();
    let desk = office.visit("auditor");
    let page = desk.page("/reports/users");
    assert!(
        page.contains("approver + sysadmin") && page.contains("密钥保管"),
        "{page}"
    );
    assert_eq!(page.matches("badge bad").count(), 1, "{page}");
}

#[test]
fn reports_are_paged_and_bounded_by_dates() {
    let office = Office::new();
    let vault = &office.fixture.vault;
    for at in 0..230 {
        vault.clock.advance(DAY_MS / 100);
        let draft = Draft::new(Kind::AccessRefused, format!("x{at}"), "p-li.na")
            .fact("what", "see_log")
            .fact("person", "p-li.na");
        vault.commit(draft);
    }
    office.settle();
    let desk = office.visit("auditor");
    let mut pages = Vec::new();
    let mut next = Some("/reports/refusals?person=li.na".to_owned());
    while let Some(address) = next {
        let page = desk.page(&address);
        pages.push(page.matches(">查看保管日志</td>").count());
        next = page
            .split_once("rel=\"next\" href=\"")
            .map(|(_, rest)| rest.split('"').next().unwrap().replace("&amp;", "&"));
        assert!(
            next.iter().all(|next| next.contains("person=li.na")),
            "filters stay"
        );
    }
    assert_eq!(pages, [100, 100, 30]);
    let day = |ms: i64| Zone::default().date(NOW_MS + ms);
    let of = |query: &str| csv_rows(&desk.page(&format!("/reports/refusals?format=csv&{query}"))).len();
    let first = of(&format!("to={}", day(0)));
    let rest = of(&format!("from={}", day(DAY_MS)));
    assert_eq!((first > 0, first + rest), (true, 230));
    assert_eq!(of("from=2030-01-01"), 0);
    let empty = desk.page("/reports/refusals?from=2030-01-01");
    assert!(empty.contains("没有记录"), "{empty}");
    for bad in [
        "from=yesterday",
        "to=2026-02-30",
        "person=nobody",
        "from=%3Cscript%3E",
    ] {
        let answer = desk.get(&format!("/reports/refusals?{bad}"));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(!answer.body.contains("<script>"), "{}", answer.body);
    }
    for missing in ["x", "fixity.csv", "..%2Ffixity", "users%00"] {
        assert_eq!(
            desk.get(&format!("/reports/{missing}")).status,
            StatusCode::NOT_FOUND,
            "{missing}"
        );
    }
}

#[test]
fn every_report_is_on_screen_and_as_a_file_in_both_languages() {
    let office = Office::with_evidence();
    office.fixture.vault.wait("li.na", "a-wait", "=other.mp4");
    let request = office.ask("retriever", "监管检查 2026-17：调阅开户见证录像", true);
    office
        .room
        .approve_request(&Who::person("p-approver"), &request, Narrowing::default())
        .unwrap();
    let refused = office.visit("retriever").get("/log");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    office.settle();
    let desk = office.visit("auditor");
    let list = desk.page("/reports");
    for subject in crate::views::reports::Subject::ALL {
        let path = format!("/reports/{}", subject.id());
        assert!(list.contains(&format!("href=\"{path}\"")), "{path}");
        for lang in Lang::ALL {
            let answer = desk.in_language(&path, lang);
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            keep(&format!("-report-{}", subject.id()), lang, &answer.body);
        }
        let file = desk.page(&format!("{path}?format=csv"));
        assert!(file.starts_with('\u{feff}') && file.contains("\r\n"), "{file}");
    }
    assert!(desk.page("/reports/waiting?format=csv").contains("'=other.mp4"));
}
