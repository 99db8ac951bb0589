use super::*;
use crate::{
    access::requests::{Approved, Form, Narrowing, NewRequest},
    catalog::people,
    custody::testing::TestVault,
    domain::access::{Basis, Purpose},
};
use serde_json::json;
use std::sync::Arc;

const HOUR_S: i64 = 3_600;

struct Desk {
    vault: TestVault,
    room: Arc<ReadingRoom>,
}

impl Desk {
    /// Two branches with one video each, who asks for them and who decides.
    fn new() -> Self {
        let vault = TestVault::new();
        vault.user("wang.wei", &["retriever"], Some("0101"));
        vault.user("ma.jun", &["retriever"], Some("0202"));
        vault.user("boss1", &["approver"], Some("0101"));
        vault.user("boss2", &["approver"], Some("0202"));
        vault.user("chief", &["approver"], None);
        vault.user("ops", &["sysadmin"], None);
        vault.seal("zhang.san", "000100012345_20260728_A01_WVID_01.mp4", "A01");
        vault.seal("li.na", "000100012345_20260728_B02_WVID_01.mp4", "B02");
        let room = vault.room();
        Desk { vault, room }
    }

    fn file(&self, name: &str, evidence: &[&str], emergency: bool) -> Result<String, AccessError> {
        let request = NewRequest {
            evidence: evidence.iter().map(|id| (*id).to_owned()).collect(),
            purpose: Purpose::View,
            basis: Some(Basis::Regulator),
            reason: "检查组要求".to_owned(),
            duration_s: HOUR_S,
            emergency,
            form: None,
        };
        self.room.file_request(&who(name), request)
    }

    fn person(&self, name: &str) -> Person {
        let found = self.vault.catalogue.read(|c| people::by_name(c, name));
        found.unwrap().unwrap()
    }

    fn seen(&self, name: &str) -> Vec<String> {
        let listed = self.room.requests(&who(name), &Which::default(), 10).unwrap();
        listed.rows.into_iter().map(|row| row.request.id).collect()
    }

    fn waiting(&self, name: &str) -> usize {
        self.room.waiting(&self.person(name)).unwrap()
    }

    fn refusals(&self) -> Vec<(String, String)> {
        let leaves = self.vault.leaves();
        let refused = leaves.iter().filter(|leaf| leaf.kind == Kind::AccessRefused);
        let text = |leaf: &Leaf, name: &str| leaf.text(name).unwrap_or_default().to_owned();
        refused
            .map(|leaf| (text(leaf, "what"), text(leaf, "why")))
            .collect()
    }
}

fn who(name: &str) -> Who {
    Who::person(format!("p-{name}"))
}

fn refused<T: std::fmt::Debug>(result: Result<T, AccessError>) -> Refusal {
    match result {
        Err(AccessError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn each_sees_the_requests_of_their_reach_and_no_others() {
    let desk = Desk::new();
    let first = desk.file("wang.wei", &["e-A01"], false).unwrap();
    let second = desk.file("ma.jun", &["e-B02"], false).unwrap();
    let both = desk.file("audit", &["e-A01", "e-B02"], false).unwrap();
    for (name, expected) in [
        ("wang.wei", vec![&first]),
        ("ma.jun", vec![&second]),
        ("boss1", vec![&first]),
        ("boss2", vec![&second]),
        ("chief", vec![&both, &second, &first]),
        ("audit", vec![&both, &second, &first]),
    ] {
        assert_eq!(desk.seen(name).iter().collect::<Vec<_>>(), expected, "{name}");
        for id in [&first, &second, &both] {
            let found = desk.room.request(&who(name), id);
            assert_eq!(found.is_ok(), expected.contains(&id), "{name} {id}");
        }
    }
    assert_eq!(
        refused(desk.room.requests(&who("ops"), &Which::default(), 10)),
        Refusal::NotYourRole
    );
    assert_eq!(
        refused(desk.room.request(&who("boss1"), &second)),
        Refusal::NotFound
    );
    assert_eq!(
        refused(desk.room.request(&who("boss1"), "no-such-id")),
        Refusal::NotFound
    );
    assert!(
        desk.refusals()
            .contains(&("see_requests".to_owned(), "not_found".to_owned()))
    );

    let page = |before| Which {
        before,
        ..Which::default()
    };
    let newest = desk.room.requests(&who("audit"), &page(None), 2).unwrap();
    assert_eq!(newest.rows.len(), 2);
    let rest = desk.room.requests(&who("audit"), &page(newest.next), 2).unwrap();
    assert_eq!(
        (rest.rows[0].request.id.as_str(), rest.next),
        (first.as_str(), None)
    );
    assert_eq!(newest.people["p-audit"], "audit");
}

#[test]
fn an_emergency_of_another_branch_waits_for_every_approver_and_takes_two() {
    let desk = Desk::new();
    let plain = desk.file("ma.jun", &["e-B02"], false).unwrap();
    assert_eq!(
        refused(desk.file("wang.wei", &["e-B02"], false)),
        Refusal::OutOfScope
    );
    let urgent = desk.file("wang.wei", &["e-B02"], true).unwrap();
    assert_eq!(desk.seen("boss1"), std::slice::from_ref(&urgent));
    let file = desk.room.request(&who("boss1"), &urgent).unwrap();
    assert!(
        file.records[0].row.is_some() && !file.records[0].is_in_reach,
        "who decides knows about what"
    );
    let own = desk.room.request(&who("wang.wei"), &urgent).unwrap();
    assert_eq!(own.records[0].row, None, "asking shows nothing of another branch");

    let (waiting, _) = desk.room.inbox(&who("boss2")).unwrap();
    let order: Vec<_> = waiting.iter().map(|row| &row.request.id).collect();
    assert_eq!(order, [&urgent, &plain], "emergencies first");
    assert_eq!((desk.waiting("boss1"), desk.waiting("boss2")), (1, 2));
    let approve = |name: &str| {
        desk.room
            .approve_request(&who(name), &urgent, Narrowing::default())
    };
    assert_eq!(approve("boss1").unwrap(), Approved::Endorsed);
    assert_eq!(desk.waiting("boss1"), 0);
    let (waiting, people) = desk.room.inbox(&who("boss1")).unwrap();
    assert_eq!(waiting[0].decides, Err(Refusal::AlreadyEndorsed));
    assert_eq!(people["p-boss1"], "boss1");
    assert_eq!(refused(approve("boss1")), Refusal::AlreadyEndorsed);
    assert!(matches!(approve("boss2").unwrap(), Approved::Granted(_)));
    assert_eq!(refused(approve("chief")), Refusal::AlreadyDecided);
    let file = desk.room.request(&who("chief"), &urgent).unwrap();
    let kinds: Vec<&str> = file.history.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["access.requested", "access.endorsed", "access.approved"]);
    let actors: Vec<&str> = file.history.iter().map(|entry| entry.actor.as_str()).collect();
    assert_eq!(actors, ["p-wang.wei", "p-boss1", "p-boss2"]);
    let own = desk.room.request(&who("wang.wei"), &urgent).unwrap();
    assert!(own.records[0].row.is_some(), "a live grant shows what it covers");
}

#[test]
fn who_asked_uploaded_or_witnessed_sees_that_it_waits_for_somebody_else() {
    let desk = Desk::new();
    desk.vault.user("both", &["retriever", "approver"], Some("0101"));
    desk.vault.user("clerk", &["approver"], Some("0101"));
    desk.vault.user("seen", &["approver"], Some("0101"));
    desk.vault
        .seal("clerk", "000100012345_20260728_C03_WVID_01.mp4", "C03");
    let path = "000100012345_20260728_D04_WVID_01.mp4";
    let witnessed = desk
        .vault
        .upload(Kind::EvidenceSealed, "a-witnessed", "zhang.san", path)
        .fact("evidence", "e-D04")
        .fact("version", 1)
        .fact("category", "customer")
        .fact("doctype", "WVID")
        .fact("grade", "declared")
        .fact("stored_size_bytes", 1)
        .fact("stored_blake3", crate::custody::testing::OTHER_SHA)
        .fact("date", 20_260_728)
        .commit("customer", "000100012345")
        .commit("flow", "D04")
        .commit("seq", "1")
        .private("fields", json!({ "witness1": "somebody", "witness2": "seen" }));
    desk.vault.commit(witnessed);
    let own = desk.file("both", &["e-A01"], false).unwrap();
    let uploaded = desk.file("wang.wei", &["e-A01", "e-C03"], false).unwrap();
    let watched = desk.file("wang.wei", &["e-D04"], false).unwrap();
    for (name, id, expected) in [
        ("both", &own, Refusal::OwnRequest),
        ("clerk", &uploaded, Refusal::Involved),
        ("seen", &watched, Refusal::Involved),
    ] {
        let (waiting, _) = desk.room.inbox(&who(name)).unwrap();
        let decides = |row: &&Waiting| row.decides == Err(expected);
        let others: Vec<_> = waiting
            .iter()
            .filter(decides)
            .map(|row| &row.request.id)
            .collect();
        assert_eq!(others, [id], "{name}");
        assert_eq!((waiting.len(), desk.waiting(name)), (3, 2), "{name}");
        let tried = desk.room.approve_request(&who(name), id, Narrowing::default());
        assert_eq!(refused(tried), expected, "{name}");
        assert_eq!(
            refused(desk.room.decline_request(&who(name), id, "不同意")),
            expected
        );
    }
    assert_eq!(desk.waiting("boss1"), 3);
    assert_eq!(desk.waiting("wang.wei"), 0, "who decides nothing has no inbox");
    assert_eq!(
        refused(desk.room.inbox(&who("wang.wei")).map(|_| ())),
        Refusal::NotYourRole
    );
}

#[test]
fn what_is_out_of_reach_can_be_neither_decided_nor_revoked_and_looks_like_nothing() {
    let desk = Desk::new();
    let id = desk.file("wang.wei", &["e-A01"], false).unwrap();
    for unknown in [id.as_str(), "no-such-id"] {
        let approved = desk
            .room
            .approve_request(&who("boss2"), unknown, Narrowing::default());
        assert_eq!(refused(approved), Refusal::NotFound);
        let declined = desk.room.decline_request(&who("boss2"), unknown, "no");
        assert_eq!(refused(declined), Refusal::NotFound);
        assert_eq!(
            refused(desk.room.withdraw_request(&who("ma.jun"), unknown)),
            Refusal::NotFound
        );
    }
    let approved = desk
        .room
        .approve_request(&who("boss1"), &id, Narrowing::default());
    let Ok(Approved::Granted(grant)) = approved else {
        panic!("{approved:?}");
    };
    for stranger in ["boss2", "ma.jun"] {
        for unknown in [grant.as_str(), "no-such-id"] {
            let revoked = desk.room.revoke_grant(&who(stranger), unknown, "because");
            assert_eq!(refused(revoked), Refusal::NotFound, "{stranger}");
        }
        let listed = desk.room.grants(&who(stranger), &Which::default(), 10).unwrap();
        assert_eq!(listed.rows, []);
    }
    let auditor = desk.room.grants(&who("audit"), &Which::default(), 10).unwrap();
    assert!(!auditor.rows[0].may_revoke);
    assert_eq!(
        refused(desk.room.revoke_grant(&who("audit"), &grant, "because")),
        Refusal::NotYourRole
    );
}

#[test]
fn grants_are_live_until_they_expire_or_are_revoked() {
    let desk = Desk::new();
    let live = Which {
        open: true,
        ..Which::default()
    };
    let over = Which {
        over: true,
        ..Which::default()
    };
    let count = |which: &Which| desk.room.grants(&who("wang.wei"), which, 10).unwrap().rows.len();
    for _ in 0..2 {
        let id = desk.file("wang.wei", &["e-A01"], false).unwrap();
        desk.room
            .approve_request(&who("boss1"), &id, Narrowing::default())
            .unwrap();
    }
    assert_eq!((count(&live), count(&over)), (2, 0));
    let listed = desk.room.grants(&who("boss1"), &live, 10).unwrap();
    assert!(listed.rows.iter().all(|row| row.may_revoke) && listed.people["p-boss1"] == "boss1");
    let first = &listed.rows[0].grant;
    desk.room.revoke_grant(&who("boss1"), &first.id, "误批").unwrap();
    assert_eq!((count(&live), count(&over)), (1, 1));
    let file = desk.room.request(&who("boss1"), &first.request).unwrap();
    assert_eq!(file.history.last().unwrap().kind, "access.revoked");
    let (grant, covered) = file.grant.unwrap();
    assert_eq!(
        (grant.revoked_leaf, covered.as_slice()),
        (Some(file.history.last().unwrap().leaf), &["e-A01".to_owned()][..])
    );
    desk.vault.clock.advance(HOUR_S * 1_000);
    assert_eq!((count(&live), count(&over)), (0, 2));
    let ended = desk.room.grants(&who("boss1"), &over, 10).unwrap();
    assert!(ended.rows.iter().all(|row| !row.may_revoke));
}

#[test]
fn naming_records_shows_what_is_in_reach_and_nothing_of_the_rest() {
    let desk = Desk::new();
    let ids = ["e-A01", "e-B02", "e-A01", "e-none"].map(str::to_owned);
    let named = desk.room.named(&who("wang.wei"), &ids).unwrap();
    let shown: Vec<_> = named
        .iter()
        .map(|record| (record.id.as_str(), record.row.is_some(), record.is_in_reach))
        .collect();
    assert_eq!(
        shown,
        [
            ("e-A01", true, true),
            ("e-B02", false, false),
            ("e-none", false, false)
        ]
    );
    assert_eq!(
        desk.refusals(),
        [("search_metadata".to_owned(), "not_found".to_owned())]
    );
    assert_eq!(
        refused(desk.room.named(&who("boss1"), &ids)),
        Refusal::NotYourRole
    );
}

#[test]
fn a_form_is_shown_to_nobody_while_the_key_is_locked() {
    let desk = Desk::new();
    let request = NewRequest {
        evidence: vec!["e-A01".to_owned()],
        purpose: Purpose::Export,
        basis: Some(Basis::Law),
        reason: "法院调取".to_owned(),
        duration_s: HOUR_S,
        emergency: false,
        form: Some(Form {
            name: "..\\x\u{202e}\r\n审批单.pdf".to_owned(),
            bytes: b"%PDF-1.7".to_vec(),
        }),
    };
    let with = desk.room.file_request(&who("wang.wei"), request).unwrap();
    let without = desk.file("wang.wei", &["e-A01"], false).unwrap();
    let file = desk.room.request(&who("boss1"), &with).unwrap();
    assert_eq!(file.request.form_name.as_deref(), Some("x审批单.pdf"));
    assert_eq!(file.request.form_size_bytes, Some(8));
    let form = |name: &str, id: &str| desk.room.request_form(&who(name), id).map(|form| form.name);
    assert_eq!(refused(form("boss1", &with)), Refusal::Locked);
    assert_eq!(refused(form("boss1", &without)), Refusal::NotFound);
    assert_eq!(refused(form("boss2", &with)), Refusal::NotFound);
}
