use super::super::{
    refusal::{AccessError, Refusal},
    testing::{Desk, HOUR_S, asked, refusal, wanted, who},
};
use crate::{
    catalog::access,
    domain::{
        access::Purpose::{Export, View},
        event::Kind,
    },
};

const ONE: &str = "e-A0098877";
const OTHER: &str = "e-B0098877";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.seal("zhang.san", "A0098877", b"one");
    desk.seal("li.na", "B0098877", b"three");
    desk
}

#[test]
fn the_narrowest_grant_that_serves_is_the_one_that_is_used() {
    let desk = desk();
    let export = desk.granted("finder", &[ONE], Export);
    assert_eq!(desk.open("finder", ONE, View).opened().grant, export);
    let view = desk.granted("finder", &[ONE], View);
    assert_eq!(desk.open("finder", ONE, View).opened().grant, view);
    assert_eq!(desk.open("finder", ONE, Export).opened().grant, export);
    // Of two alike the one that lasts longer.
    desk.vault.clock.advance(1_000);
    let longer = desk.granted("finder", &[ONE], View);
    assert_eq!(desk.open("finder", ONE, View).opened().grant, longer);
    desk.room.revoke_grant(&who("finder"), &longer, "done").unwrap();
    assert_eq!(desk.open("finder", ONE, View).opened().grant, view);
    assert!(desk.refused().is_empty());
}

#[test]
fn who_holds_it_or_approves_in_that_reach_ends_it_and_nobody_else() {
    let desk = desk();
    let revoke = |name: &str, grant: &str| desk.room.revoke_grant(&who(name), grant, "no longer needed");
    let grant = desk.granted("finder", &[ONE], View);
    // An auditor sees it, and changes nothing; to the others it isn't there.
    assert_eq!(refusal(revoke("audit", &grant)), Refusal::NotYourRole);
    for name in ["seeker", "ops", "zhang.san"] {
        assert_eq!(refusal(revoke(name, &grant)), Refusal::NotFound, "{name}");
    }
    let elsewhere = desk.granted("seeker", &[OTHER], View);
    assert_eq!(refusal(revoke("lead", &elsewhere)), Refusal::NotFound);
    assert_eq!(refusal(revoke("finder", "no-such-grant")), Refusal::NotFound);
    assert_eq!(
        refusal(desk.room.revoke_grant(&who("finder"), &grant, " ")),
        Refusal::NoReason
    );
    assert!(desk.leaves(Kind::AccessRevoked).is_empty());
    let refused = desk.refused();
    assert!(
        refused.len() == 7 && refused.iter().all(|(what, _)| what == "revoke_grant"),
        "{refused:?}"
    );

    revoke("finder", &grant).unwrap();
    assert_eq!(refusal(revoke("finder", &grant)), Refusal::GrantEnded);
    assert_eq!(refusal(revoke("boss", &grant)), Refusal::GrantEnded);
    revoke("boss", &elsewhere).unwrap();
    let in_branch = desk.granted("finder", &[ONE], View);
    revoke("lead", &in_branch).unwrap();
    let leaves = desk.leaves(Kind::AccessRevoked);
    assert_eq!(
        leaves.iter().map(|leaf| leaf.actor.as_str()).collect::<Vec<_>>(),
        ["p-finder", "p-boss", "p-lead"]
    );
    assert!(leaves.iter().all(|leaf| leaf.commit.contains_key("reason")));
    let kept = desk
        .vault
        .catalogue
        .read(|catalogue| access::grant(catalogue, &grant));
    let kept = kept.unwrap().unwrap();
    assert_eq!(
        (kept.revoked_by.as_deref(), kept.revoked_reason.as_deref()),
        (Some("p-finder"), Some("no longer needed"))
    );
}

#[test]
fn a_grant_ends_by_itself_to_the_millisecond() {
    let desk = desk();
    let grant = desk.granted("finder", &[ONE], View);
    desk.vault.clock.advance(HOUR_S * 1_000 - 1);
    desk.open("finder", ONE, View);
    desk.vault.clock.advance(1);
    let expired = desk.room.open(&who("finder"), &wanted(ONE, View));
    assert_eq!(refusal(expired), Refusal::NoGrant);
    assert_eq!(
        refusal(desk.room.revoke_grant(&who("boss"), &grant, "late")),
        Refusal::GrantEnded
    );
    let live = |now_ms| {
        let found = desk
            .vault
            .catalogue
            .read(|catalogue| access::live_evidence_of(catalogue, "p-finder", now_ms));
        found.unwrap()
    };
    let until_ms = desk.room.clock.now_ms();
    assert_eq!(live(until_ms - 1), [ONE]);
    assert!(live(until_ms).is_empty());
}

#[test]
fn what_cant_be_committed_isnt_changed() {
    let mut desk = desk();
    let grant = desk.granted("finder", &[ONE], View);
    let request = desk
        .room
        .file_request(&who("finder"), asked(&[ONE], View))
        .unwrap();
    desk.vault.settle_log();
    let unavailable = |result: Result<(), AccessError>| {
        assert!(matches!(result, Err(AccessError::Unavailable(_))), "{result:?}");
    };
    unavailable(desk.room.revoke_grant(&who("finder"), &grant, "done"));
    unavailable(desk.room.decline_request(&who("boss"), &request, "no"));
    unavailable(
        desk.room
            .approve_request(&who("boss"), &request, Default::default())
            .map(drop),
    );
    unavailable(
        desk.room
            .file_request(&who("finder"), asked(&[ONE], View))
            .map(drop),
    );
    let found = desk.vault.catalogue.read(|catalogue| {
        Ok((
            access::grant(catalogue, &grant)?,
            access::request(catalogue, &request)?,
        ))
    });
    let (grant, request) = found.unwrap();
    assert_eq!(grant.unwrap().revoked_ms, None);
    assert_eq!(request.unwrap().state, "pending");
}
