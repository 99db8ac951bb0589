//! Branches, live sessions, capacity: what an administrator sees of them, and that content is never part of it.

use super::*;
use crate::{
    access::{
        authorizer::Who,
        reading::{Channel, Wanted, What},
    },
    custody::testing::Original,
    domain::access::Purpose,
};

const HOSTILE: &str = "<script>alert('1')</script>\" onmouseover=\"x";

#[test]
fn branches_are_added_once_and_shown_as_text() {
    let office = Office::new();
    let desk = office.visit("sysadmin");
    let answer = desk.post("/branches", &[("code", "0303"), ("name", HOSTILE)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = desk.page("/branches");
    assert!(
        page.contains("已新增营业部 0303") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    assert!(
        !page.contains("<script>alert") && !page.contains("\" onmouseover"),
        "{page}"
    );
    assert_eq!(
        office.leaves(Kind::BranchAdded).pop().unwrap().actor,
        "p-sysadmin"
    );
    for (code, name, said) in [
        ("0303", "again", "营业部 0303 已存在"),
        ("0", "short", "不能作为营业部代码"),
        ("../x", "path", "不能作为营业部代码"),
        ("0404", " ", "有必填内容没有填写"),
        ("0404", &"x".repeat(201), "最多 200 个字符"),
    ] {
        let answer = desk.post("/branches", &[("code", code), ("name", name)]);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        assert!(answer.body.contains(said), "{}", answer.body);
    }
}

#[test]
fn sessions_and_readings_are_seen_without_what_is_read_and_ended() {
    let office = Office::new();
    let vault = &office.fixture.vault;
    let keyring = office.room.contents.keyring();
    keyring.unlock(vec![vault.identity.clone()]).unwrap();
    let original = Original {
        path: "000100012345_20260728_SECRET01_WVID_01.mp4",
        flow: "SECRET01",
        ..Original::default()
    };
    let evidence = vault.seal_original(original).id;
    vault.grant(&office.room, "retriever", "approver", &[&evidence], Purpose::View);
    let reader = office.visit("retriever");
    let held = office.fixture.console.sessions.list("p-retriever")[0].id.clone();
    let wanted = Wanted {
        evidence: evidence.clone(),
        version: 1,
        what: What::Original,
        purpose: Purpose::View,
        channel: Channel::Console,
        holder: held.clone(),
    };
    let who = Who::person("p-retriever");
    let first = office.room.open(&who, &wanted).unwrap();
    let second = office.room.open(&who, &wanted).unwrap();

    let desk = office.visit("sysadmin");
    let page = desk.page("/sessions");
    assert!(page.contains("retriever") && page.contains("127.0.0.1"), "{page}");
    assert_eq!(page.matches("name=\"reading\"").count(), 2, "{page}");
    assert!(page.contains("2026-07-28 15:42:07 +08:00"), "{page}");
    for content in [evidence.as_str(), "SECRET01", "000100012345", ".mp4", "WVID"] {
        assert!(!page.contains(content), "{content}: {page}");
    }

    let id = first.opened().id.clone();
    let answer = desk.post("/sessions/readings/end", &[("reading", &id)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(first.has_ended() && !second.has_ended());
    let again = desk.post("/sessions/readings/end", &[("reading", &id)]);
    assert_eq!(again.status, StatusCode::NOT_FOUND);

    let answer = desk.post("/sessions/end", &[("session", &held)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(second.has_ended());
    assert_eq!(reader.get("/").status, StatusCode::SEE_OTHER);
    let out = office.leaves(Kind::UserSignedOut).pop().unwrap();
    assert_eq!(
        (out.actor.as_str(), out.text("session")),
        ("p-sysadmin", Some(held.as_str()))
    );
    for nonsense in ["", "ssh-1", "ssh-x", "nobody", &held] {
        let answer = desk.post("/sessions/end", &[("session", nonsense)]);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nonsense}");
    }
    // Their ends are committed by a thread of their own, which the stop waits for.
    office.room.reads.stop();
    let ends = office.leaves(Kind::AccessReadEnded);
    let end_of = |id: &str| ends.iter().find(|leaf| leaf.text("read") == Some(id)).unwrap();
    let first_end = end_of(&id);
    assert_eq!(
        (first_end.actor.as_str(), first_end.text("why")),
        ("p-sysadmin", Some("administrator"))
    );
    assert_eq!(end_of(&second.opened().id).text("why"), Some("session_over"));
}

#[test]
fn capacity_says_what_there_is_and_what_stands_still() {
    let office = Office::new();
    let vault = &office.fixture.vault;
    vault.seal("zhang.san", "A1.mp4", "A1");
    vault.wait("li.na", "a-wait", "other.mp4");
    let desk = office.visit("sysadmin");
    let page = desk.page("/capacity");
    for said in ["209.7 MB", "1.0 MB", "已锁定", "从未做过", "可用空间"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(
        !page.contains("A1.mp4") && !page.contains("class=\"verdict bad\""),
        "{page}"
    );
    let keyring = office.room.contents.keyring();
    keyring.unlock(vec![vault.identity.clone()]).unwrap();
    assert!(desk.page("/capacity").contains("已解锁"));
    std::fs::write(vault.layout.log_stopped(), "a fork").unwrap();
    assert!(desk.page("/capacity").contains("保管日志已停止写入"));
    for answer in [desk.post("/capacity", &[]), desk.post("/capacity/unlock", &[])] {
        assert!(answer.status.is_client_error(), "no unlocking here");
    }
}

#[test]
fn none_of_an_administrators_pages_leads_to_content() {
    let office = Office::new();
    let evidence = office.fixture.vault.seal_original(Original::default()).id;
    let desk = office.visit("sysadmin");
    for route in routes() {
        let is_theirs = matches!(
            route.need,
            Need::May(Action::AdministerPeople | Action::AdministerSessions | Action::SeeCapacity)
        );
        if route.method != Method::GET || !is_theirs {
            continue;
        }
        let page = desk.page(&real(&route));
        for content in [
            "/evidence/",
            "/search",
            "/requests",
            "/readings/",
            &evidence,
            "000100012345",
        ] {
            assert!(!page.contains(content), "{} has {content}", route.path);
        }
    }
    for path in [
        format!("/evidence/{evidence}"),
        format!("/evidence/{evidence}/1/view"),
        "/search".to_owned(),
        "/log".to_owned(),
        "/reports/readings".to_owned(),
    ] {
        let status = desk.get(&path).status;
        assert!(
            status == StatusCode::FORBIDDEN || status == StatusCode::NOT_FOUND,
            "{path} {status}"
        );
    }
}
