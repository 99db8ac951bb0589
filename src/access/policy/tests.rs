//! Every cell of both tables has an expected answer, written down a second time and another way.

use super::*;

#[test]
fn every_role_sees_exactly_this() {
    use Area::*;
    let expected = |role: Role, area: Area| match (role, area) {
        (Role::Uploader, Inbox | BranchReceipts | Tasks) => true,
        (Role::Auditor, AllReceipts | Log | Reports | Witness | Evidence) => true,
        (Role::Retriever, Evidence) => true,
        (Role::Uploader | Role::Auditor | Role::Retriever, _) => false,
        (Role::Archivist | Role::Reviewer, _) => false,
        (Role::Approver | Role::Sysadmin | Role::KeyCustodian, _) => false,
    };
    for role in Role::ALL {
        for area in Area::ALL {
            assert_eq!(
                areas(role).contains(&area),
                expected(role, area),
                "{role} {area:?}"
            );
        }
        assert_eq!(
            recorded_refusals(role).is_empty(),
            role != Role::Sysadmin,
            "{role}"
        );
        // Writing an inbox or seeing a branch's receipts without a branch isn't possible.
        let needs_branch = areas(role)
            .iter()
            .any(|area| matches!(area, Inbox | BranchReceipts));
        assert!(!needs_branch || role.needs_branch(), "{role}");
    }
}

#[test]
fn the_table_has_every_action_once_and_each_an_id_of_its_own() {
    assert_eq!(TABLE.map(|(action, _)| action), Action::ALL);
    let mut ids = Action::ALL.map(Action::id).to_vec();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Action::ALL.len());
}

/// Every relation that can be.
fn relations() -> Vec<Relation> {
    (0..16u8)
        .map(|bits| Relation {
            own: bits & 1 != 0,
            in_scope: bits & 2 != 0,
            uploaded: bits & 4 != 0,
            witnessed: bits & 8 != 0,
        })
        .collect()
}

/// What the measures and the role table of the domain say, role by role: the expected answer to every question.
fn expected(role: Role, action: Action, to: Relation) -> bool {
    use Action::*;
    let uninvolved = !to.own && !to.uploaded && !to.witnessed;
    match role {
        // Never lists or reads evidence, whosever it is.
        Role::Uploader => action == OwnAccount && to.own,
        Role::Archivist => match action {
            OwnAccount => to.own,
            SearchMetadata | VerifyObject => to.in_scope,
            _ => false,
        },
        Role::Reviewer => match action {
            OwnAccount => to.own,
            SearchMetadata => to.in_scope,
            _ => false,
        },
        // Asks and reads under their own grants; never decides.
        Role::Retriever => match action {
            OwnAccount | SeeRequests | WithdrawRequest | SeeGrants | RevokeGrant | ReadContent => to.own,
            SearchMetadata | VerifyObject | RequestAccess => to.in_scope,
            _ => false,
        },
        // Decides about others only; reads no content.
        Role::Approver => match action {
            OwnAccount => to.own,
            SearchMetadata | VerifyObject | SeeRequests | SeeGrants | RevokeGrant => to.in_scope,
            DecideRequest => uninvolved && to.in_scope,
            DecideEmergency => uninvolved,
            SeeReports => true,
            _ => false,
        },
        // Sees everything about everything, changes nothing, content only under a grant of their own.
        Role::Auditor => match action {
            OwnAccount | WithdrawRequest | RevokeGrant | ReadContent => to.own,
            SearchMetadata | VerifyObject | RequestAccess | SeeRequests | SeeGrants => true,
            SeeLog | SeeReports | Witness => true,
            _ => false,
        },
        // Runs the system; nothing of the business.
        Role::Sysadmin => match action {
            OwnAccount => to.own,
            AdministerPeople | AdministerSessions | SeeCapacity => true,
            _ => false,
        },
        Role::KeyCustodian => action == OwnAccount && to.own,
    }
}

#[test]
fn every_role_action_and_relation_has_its_expected_answer() {
    let mut asked = 0;
    for role in Role::ALL {
        for action in Action::ALL {
            for relation in relations() {
                assert_eq!(
                    rule(role, action).permits(relation),
                    expected(role, action, relation),
                    "{role} {action:?} {relation:?}"
                );
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 8 * 17 * 16);
}

/// The column "must never be able to" of the domain's role table, over all the combinations that one person may hold.
#[test]
fn no_permitted_combination_of_roles_reaches_what_it_must_never() {
    for set in 0..256u32 {
        let roles: Vec<Role> = Role::ALL
            .into_iter()
            .enumerate()
            .filter(|(bit, _)| set >> bit & 1 == 1)
            .map(|(_, role)| role)
            .collect();
        if crate::domain::role::RoleSet::new(roles.clone(), true).is_err() {
            continue;
        }
        let may = |action: Action, to: Relation| roles.iter().any(|role| rule(*role, action).permits(to));
        for relation in relations() {
            if relation.own || relation.uploaded || relation.witnessed {
                assert!(
                    !may(Action::DecideRequest, relation) && !may(Action::DecideEmergency, relation),
                    "{roles:?} decides what it is part of: {relation:?}"
                );
            }
            if !relation.own {
                assert!(
                    !may(Action::ReadContent, relation),
                    "{roles:?} reads without a grant"
                );
            }
            if roles.contains(&Role::Sysadmin) {
                for action in [Action::SearchMetadata, Action::ReadContent, Action::RequestAccess] {
                    assert!(
                        !may(action, relation),
                        "a system administrator reaches {action:?}"
                    );
                }
            }
            if roles.contains(&Role::Auditor) {
                assert!(!may(Action::DecideRequest, relation) && !may(Action::AdministerPeople, relation));
            }
        }
    }
}

#[test]
fn a_token_decides_nothing_and_changes_nobody_s_rights() {
    use Action::*;
    for action in Action::ALL {
        let expected = !matches!(
            action,
            OwnAccount
                | DecideRequest
                | DecideEmergency
                | RevokeGrant
                | Witness
                | AdministerPeople
                | AdministerSessions
                | SeeCapacity
        );
        assert_eq!(by_token(action), expected, "{action:?}");
    }
}
