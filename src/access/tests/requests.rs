use super::super::{
    authorizer::Who,
    refusal::Refusal,
    requests::{Approved, DURATION_S, Form, MAX_EMERGENCY_S, MAX_RECORDS, Narrowing, NewRequest},
    testing::{Desk, HOUR_S, asked, refusal, who},
};
use crate::{
    catalog::access::{self, Which},
    domain::{access::Purpose, event::Kind, role::Role},
};
use serde_json::json;

/// Two records of branch 0101 and one of 0202.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.seal("zhang.san", "A0098877", b"one");
    desk.seal("zhang.san", "A0098878", b"two");
    desk.seal("li.na", "B0098877", b"three");
    desk
}

const ONE: &str = "e-A0098877";
const TWO: &str = "e-A0098878";
const OTHER: &str = "e-B0098877";

fn file(desk: &Desk, name: &str, request: NewRequest) -> String {
    desk.room.file_request(&who(name), request).unwrap()
}

fn approve(desk: &Desk, name: &str, request: &str, narrowing: Narrowing) -> Result<Approved, Refusal> {
    match desk.room.approve_request(&who(name), request, narrowing) {
        Ok(approved) => Ok(approved),
        refused => Err(refusal(refused)),
    }
}

fn state(desk: &Desk, request: &str) -> String {
    let found = desk
        .vault
        .catalogue
        .read(|catalogue| access::request(catalogue, request));
    found.unwrap().unwrap().state
}

fn grants(desk: &Desk) -> Vec<access::Grant> {
    let found = desk
        .vault
        .catalogue
        .read(|catalogue| access::grants(catalogue, &Which::default(), 0, 100));
    found.unwrap()
}

#[test]
fn somebody_else_approves_and_the_grant_is_for_that_person_those_records_and_that_time() {
    let desk = desk();
    let request = file(&desk, "finder", asked(&[ONE, TWO], Purpose::Export));
    assert_eq!(state(&desk, &request), "pending");
    desk.vault.clock.advance(90_000);
    let Ok(Approved::Granted(grant)) = approve(&desk, "lead", &request, Narrowing::default()) else {
        panic!("no grant")
    };
    assert_eq!(state(&desk, &request), "approved");
    let given = &grants(&desk)[0];
    assert_eq!(
        (given.id.as_str(), given.person.as_str(), given.approver.as_str()),
        (grant.as_str(), "p-finder", "p-lead")
    );
    assert_eq!(
        (given.purpose.as_str(), given.basis.as_str()),
        ("export", "regulator")
    );
    // From the approval on, not from the request.
    assert_eq!(given.expires_ms - given.granted_ms, HOUR_S * 1_000);
    let items = desk
        .vault
        .catalogue
        .read(|catalogue| access::grant_items(catalogue, &grant));
    assert_eq!(items.unwrap(), [ONE, TWO]);
    assert!(desk.refused().is_empty());
    // The log says who, when and why; for whom they looked it doesn't say.
    let leaf = &desk.leaves(Kind::AccessApproved)[0];
    assert_eq!(leaf.actor, "p-lead");
    assert!(!serde_json::to_string(leaf).unwrap().contains(ONE));
    let leaf = &desk.leaves(Kind::AccessRequested)[0];
    assert_eq!(leaf.text("branch"), Some("0101"));
    assert!(leaf.commit.contains_key("reason") && !serde_json::to_string(leaf).unwrap().contains(ONE));
}

#[test]
fn nobody_decides_their_own_request_whatever_roles_they_hold() {
    let desk = desk();
    desk.vault.user("both", &["retriever", "approver"], None);
    let request = file(&desk, "both", asked(&[ONE], Purpose::View));
    assert_eq!(
        approve(&desk, "both", &request, Narrowing::default()),
        Err(Refusal::OwnRequest)
    );
    let declined = desk.room.decline_request(&who("both"), &request, "no");
    assert_eq!(refusal(declined), Refusal::OwnRequest);
    // A program decides nothing, whosever token it holds.
    let token = Who {
        person: "p-both".to_owned(),
        only: Some(vec![Role::Approver]),
    };
    for who in [
        token,
        Who {
            person: "p-boss".to_owned(),
            only: Some(Vec::new()),
        },
    ] {
        let approved = desk.room.approve_request(&who, &request, Narrowing::default());
        assert_eq!(refusal(approved), Refusal::NotByToken);
    }
    assert_eq!(state(&desk, &request), "pending");
    assert!(grants(&desk).is_empty());
    let mut refused = desk.refused();
    refused.sort();
    refused.dedup();
    let on_record = |why: &str| ("decide_request".to_owned(), why.to_owned());
    assert_eq!(refused, [on_record("not_by_token"), on_record("own_request")]);
}

#[test]
fn who_uploaded_or_witnessed_a_record_doesnt_decide_about_it() {
    let desk = desk();
    desk.vault.user("clerk", &["uploader", "approver"], Some("0101"));
    desk.seal("clerk", "C0098877", b"their own");
    let request = file(&desk, "finder", asked(&[ONE, "e-C0098877"], Purpose::View));
    assert_eq!(
        approve(&desk, "clerk", &request, Narrowing::default()),
        Err(Refusal::Involved)
    );
    let declined = desk.room.decline_request(&who("clerk"), &request, "no");
    assert_eq!(refusal(declined), Refusal::Involved);
    // What they had nothing to do with they may decide.
    let other = file(&desk, "finder", asked(&[ONE], Purpose::View));
    assert!(approve(&desk, "clerk", &other, Narrowing::default()).is_ok());
    assert!(approve(&desk, "lead", &request, Narrowing::default()).is_ok());

    // Witnesses stand in the manifest's row, by log-in name or id.
    for (flow, witness) in [("W0000001", "lead"), ("W0000002", "p-lead")] {
        let name = format!("000100012345_20260728_{flow}_WVID_01.mp4");
        let said = json!({ "witness1": "somebody", "witness2": witness });
        let id = desk.seal_declared("zhang.san", (flow, 1, &name), said, b"witnessed");
        let request = file(&desk, "finder", asked(&[&id], Purpose::View));
        assert_eq!(
            approve(&desk, "lead", &request, Narrowing::default()),
            Err(Refusal::Involved)
        );
        assert!(approve(&desk, "boss", &request, Narrowing::default()).is_ok());
    }
}

#[test]
fn scope_binds_who_asks_and_who_approves() {
    let desk = desk();
    let out = desk
        .room
        .file_request(&who("finder"), asked(&[ONE, OTHER], Purpose::View));
    assert_eq!(refusal(out), Refusal::OutOfScope);
    for name in ["zhang.san", "lead", "ops"] {
        let refused = desk.room.file_request(&who(name), asked(&[ONE], Purpose::View));
        assert_eq!(refusal(refused), Refusal::NotYourRole, "{name}");
    }
    let request = file(&desk, "seeker", asked(&[OTHER], Purpose::View));
    assert_eq!(
        approve(&desk, "lead", &request, Narrowing::default()),
        Err(Refusal::NotFound)
    );
    // Of several branches: head office only.
    let both = file(&desk, "audit", asked(&[ONE, OTHER], Purpose::View));
    assert_eq!(
        approve(&desk, "lead", &both, Narrowing::default()),
        Err(Refusal::NotFound)
    );
    assert!(approve(&desk, "boss", &both, Narrowing::default()).is_ok());
    // Who may see it and may not decide it hears that; to the others it isn't there.
    for (name, why) in [
        ("seeker", Refusal::NotYourRole),
        ("audit", Refusal::NotYourRole),
        ("finder", Refusal::NotFound),
        ("ops", Refusal::NotFound),
        ("zhang.san", Refusal::NotFound),
    ] {
        assert_eq!(
            approve(&desk, name, &request, Narrowing::default()),
            Err(why),
            "{name}"
        );
    }
    desk.vault.disable("lead");
    let own = file(&desk, "finder", asked(&[ONE], Purpose::View));
    assert_eq!(
        approve(&desk, "lead", &own, Narrowing::default()),
        Err(Refusal::NotActive)
    );
    desk.vault.disable("finder");
    let gone = desk
        .room
        .file_request(&who("finder"), asked(&[ONE], Purpose::View));
    assert_eq!(refusal(gone), Refusal::NotActive);
}

#[test]
fn an_approval_narrows_and_never_widens() {
    let desk = desk();
    let narrow = |evidence: Option<&[&str]>, purpose, duration_s| Narrowing {
        evidence: evidence.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()),
        purpose,
        duration_s,
    };
    let view = file(&desk, "finder", asked(&[ONE], Purpose::View));
    for (wider, why) in [
        (narrow(Some(&[ONE, TWO]), None, None), Refusal::Wider),
        (narrow(Some(&[TWO]), None, None), Refusal::Wider),
        (narrow(None, Some(Purpose::Export), None), Refusal::Wider),
        (narrow(None, None, Some(HOUR_S + 1)), Refusal::Wider),
        (narrow(None, None, Some(i64::MAX)), Refusal::Wider),
        (narrow(Some(&[]), None, None), Refusal::NoRecords),
        (
            narrow(None, None, Some(*DURATION_S.start() - 1)),
            Refusal::BadDuration,
        ),
        (narrow(None, None, Some(-1)), Refusal::BadDuration),
    ] {
        assert_eq!(
            approve(&desk, "boss", &view, wider.clone()),
            Err(why),
            "{wider:?}"
        );
    }
    assert!(grants(&desk).is_empty());
    let request = file(&desk, "finder", asked(&[ONE, TWO], Purpose::Export));
    let less = narrow(Some(&[TWO, TWO]), Some(Purpose::View), Some(600));
    assert!(approve(&desk, "boss", &request, less).is_ok());
    let given = &grants(&desk)[0];
    assert_eq!((given.purpose.as_str(), given.items), ("view", 1));
    assert_eq!(given.expires_ms - given.granted_ms, 600_000);
}

#[test]
fn what_is_decided_stays_decided() {
    let desk = desk();
    let room = &desk.room;
    let decided = |request: &str| {
        assert_eq!(
            approve(&desk, "boss", request, Narrowing::default()),
            Err(Refusal::AlreadyDecided)
        );
        assert_eq!(
            refusal(room.decline_request(&who("boss"), request, "no")),
            Refusal::AlreadyDecided
        );
        assert_eq!(
            refusal(room.withdraw_request(&who("finder"), request)),
            Refusal::AlreadyDecided
        );
    };
    let approved = file(&desk, "finder", asked(&[ONE], Purpose::View));
    approve(&desk, "boss", &approved, Narrowing::default()).unwrap();
    decided(&approved);
    let declined = file(&desk, "finder", asked(&[ONE], Purpose::View));
    room.decline_request(&who("boss"), &declined, "资料不足").unwrap();
    decided(&declined);
    let withdrawn = file(&desk, "finder", asked(&[ONE], Purpose::View));
    // Nobody takes back what is another's, or hears that it is there.
    for name in ["seeker", "boss", "audit"] {
        let tried = room.withdraw_request(&who(name), &withdrawn);
        assert_eq!(refusal(tried), Refusal::NotFound, "{name}");
    }
    room.withdraw_request(&who("finder"), &withdrawn).unwrap();
    decided(&withdrawn);
    assert_eq!(grants(&desk).len(), 1);
    let reason = desk
        .vault
        .catalogue
        .read(|catalogue| access::request(catalogue, &declined));
    assert_eq!(
        reason.unwrap().unwrap().decided_reason.as_deref(),
        Some("资料不足")
    );
}

#[test]
fn two_who_approve_at_the_same_time_give_one_grant() {
    let desk = desk();
    for _ in 0..10 {
        let request = file(&desk, "finder", asked(&[ONE], Purpose::View));
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let tries: Vec<_> = ["boss", "chief", "lead"]
                .into_iter()
                .map(|name| {
                    let (desk, request) = (&desk, &request);
                    scope.spawn(move || approve(desk, name, request, Narrowing::default()))
                })
                .collect();
            tries.into_iter().map(|tried| tried.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.is_ok() || *outcome == Err(Refusal::AlreadyDecided))
        );
    }
    assert_eq!(grants(&desk).len(), 10);
}

#[test]
fn an_emergency_reaches_beyond_the_branch_and_takes_two_who_are_not_the_same() {
    let desk = desk();
    let urgent = |duration_s| NewRequest {
        emergency: true,
        duration_s,
        ..asked(&[ONE, OTHER], Purpose::View)
    };
    let long = desk
        .room
        .file_request(&who("finder"), urgent(MAX_EMERGENCY_S + 1));
    assert_eq!(refusal(long), Refusal::BadDuration);
    let request = file(&desk, "finder", urgent(HOUR_S));
    for name in ["finder", "audit"] {
        assert_eq!(
            approve(&desk, name, &request, Narrowing::default()),
            Err(Refusal::NotYourRole)
        );
    }
    assert_eq!(
        approve(&desk, "lead", &request, Narrowing::default()),
        Ok(Approved::Endorsed)
    );
    assert!(grants(&desk).is_empty(), "one approver is not enough");
    assert_eq!(
        approve(&desk, "lead", &request, Narrowing::default()),
        Err(Refusal::AlreadyEndorsed)
    );
    assert_eq!(state(&desk, &request), "pending");
    assert!(matches!(
        approve(&desk, "boss", &request, Narrowing::default()),
        Ok(Approved::Granted(_))
    ));
    let given = &grants(&desk)[0];
    assert!(given.emergency);
    assert_eq!(
        (given.endorser.as_deref(), given.approver.as_str()),
        (Some("p-lead"), "p-boss")
    );
    let leaf = &desk.leaves(Kind::AccessApproved)[0];
    assert_eq!(
        (leaf.integer("emergency"), leaf.text("endorser")),
        (Some(1), Some("p-lead"))
    );
    assert_eq!(
        desk.leaves(Kind::AccessEndorsed)[0].text("approver"),
        Some("p-lead")
    );

    // Somebody who holds both roles neither endorses nor completes their own.
    desk.vault.user("both", &["retriever", "approver"], None);
    let own = file(&desk, "both", urgent(HOUR_S));
    assert_eq!(
        approve(&desk, "both", &own, Narrowing::default()),
        Err(Refusal::OwnRequest)
    );
    assert_eq!(
        approve(&desk, "boss", &own, Narrowing::default()),
        Ok(Approved::Endorsed)
    );
    assert_eq!(
        approve(&desk, "both", &own, Narrowing::default()),
        Err(Refusal::OwnRequest)
    );
    // Endorsed isn't decided: it can still be declined.
    desk.room.decline_request(&who("chief"), &own, "no").unwrap();
    assert_eq!(grants(&desk).len(), 1);
}

#[test]
fn a_request_says_what_why_and_for_how_long_or_is_refused() {
    let desk = desk();
    let base = || asked(&[ONE], Purpose::View);
    let many: Vec<String> = (0..=MAX_RECORDS).map(|at| format!("e-{at}")).collect();
    let form = |name: &str, bytes: &[u8]| {
        Some(Form {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        })
    };
    let bad: [(NewRequest, Refusal); 13] = [
        (
            NewRequest {
                basis: None,
                ..base()
            },
            Refusal::NoBasis,
        ),
        (
            NewRequest {
                reason: "  ".into(),
                ..base()
            },
            Refusal::NoReason,
        ),
        (
            NewRequest {
                reason: "x".repeat(201),
                ..base()
            },
            Refusal::NoReason,
        ),
        (
            NewRequest {
                reason: "a\nb".into(),
                ..base()
            },
            Refusal::NoReason,
        ),
        (
            NewRequest {
                evidence: Vec::new(),
                ..base()
            },
            Refusal::NoRecords,
        ),
        (
            NewRequest {
                evidence: many,
                ..base()
            },
            Refusal::TooManyRecords,
        ),
        (
            NewRequest {
                evidence: vec!["e-nothing".into()],
                ..base()
            },
            Refusal::NotFound,
        ),
        (
            NewRequest {
                evidence: vec!["' OR 1=1 --".into()],
                ..base()
            },
            Refusal::NotFound,
        ),
        (
            NewRequest {
                duration_s: DURATION_S.start() - 1,
                ..base()
            },
            Refusal::BadDuration,
        ),
        (
            NewRequest {
                duration_s: DURATION_S.end() + 1,
                ..base()
            },
            Refusal::BadDuration,
        ),
        (
            NewRequest {
                form: form("a.exe", b"MZ"),
                ..base()
            },
            Refusal::BadForm,
        ),
        (
            NewRequest {
                form: form("", b"%PDF-1.7"),
                ..base()
            },
            Refusal::BadForm,
        ),
        (
            NewRequest {
                form: form("a.pdf", &[&b"%PDF-"[..], &[0; 2 * 1024 * 1024]].concat()),
                ..base()
            },
            Refusal::BadForm,
        ),
    ];
    for (request, why) in bad {
        assert_eq!(refusal(desk.room.file_request(&who("finder"), request)), why);
    }
    assert!(desk.leaves(Kind::AccessRequested).is_empty());
    let refused: Vec<String> = desk.refused().into_iter().map(|(what, _)| what).collect();
    assert!(
        refused.len() >= 8 && refused.iter().all(|what| what == "request_access"),
        "{refused:?}"
    );

    let whole = NewRequest {
        evidence: vec![ONE.into(), ONE.into()],
        reason: "  监管 调阅 ".into(),
        form: form("C:\\表\\审批单.pdf", b"%PDF-1.7 signed"),
        ..base()
    };
    let id = file(&desk, "finder", whole);
    let filed = desk
        .vault
        .catalogue
        .read(|catalogue| access::request(catalogue, &id));
    let filed = filed.unwrap().unwrap();
    assert_eq!((filed.items, filed.reason.as_str()), (1, "监管 调阅"));
    assert_eq!(filed.form_name.as_deref(), Some("审批单.pdf"));
    let leaf = &desk.leaves(Kind::AccessRequested)[0];
    assert_eq!(leaf.text("form_sha256").map(str::len), Some(64));
}

#[test]
fn what_somebody_typed_never_becomes_public_with_a_refusal() {
    let desk = desk();
    for nonsense in ["张三 310101199001011234", "e-A0098877'", "", &"x".repeat(100_000)] {
        let wanted = super::super::testing::wanted(nonsense, Purpose::View);
        assert_eq!(refusal(desk.room.open(&who("finder"), &wanted)), Refusal::NoGrant);
    }
    let known = super::super::testing::wanted(ONE, Purpose::View);
    assert_eq!(refusal(desk.room.open(&who("finder"), &known)), Refusal::NoGrant);
    desk.room.refusals.sweep(true);
    let leaves = desk.leaves(Kind::AccessRefused);
    let about: Vec<_> = leaves.iter().map(|leaf| leaf.text("evidence")).collect();
    // The four count as one kind of try, at once and by a second entry.
    assert_eq!(about.iter().filter(|about| about.is_none()).count(), 2);
    assert_eq!(about.iter().flatten().collect::<Vec<_>>(), [&ONE]);
    let times: i64 = leaves.iter().filter_map(|leaf| leaf.integer("times")).sum();
    assert_eq!(times, 5);
}
