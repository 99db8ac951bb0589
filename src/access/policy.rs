//! Which role sees what over SFTP: the one table.
//!
//! | role | inbox | own receipts | tasks | all receipts | log | reports | witness |
//! |---|---|---|---|---|---|---|---|
//! | uploader | ✓ | ✓ | ✓ | | | | |
//! | auditor | | | | ✓ | ✓ | ✓ | ✓ |
//! | archivist, reviewer, retriever, approver, sysadmin, key_custodian | | | | | | | |
//!
//! The roles in the last row work at the console; what they get over SFTP comes with the parts that give it to them.

use crate::domain::role::Role;

/// A part of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// `/inbox` of the person, to write.
    Inbox,
    /// `/receipts` of the person's branch.
    BranchReceipts,
    /// `/tasks` of the person.
    Tasks,
    /// `/receipts` of every branch.
    AllReceipts,
    /// `/log`.
    Log,
    /// `/reports`.
    Reports,
    /// `/witness`, to drop cosigned checkpoints.
    Witness,
}

impl Area {
    /// All areas.
    pub const ALL: [Area; 7] = [
        Area::Inbox,
        Area::BranchReceipts,
        Area::Tasks,
        Area::AllReceipts,
        Area::Log,
        Area::Reports,
        Area::Witness,
    ];
}

/// What a role sees.
pub fn areas(role: Role) -> &'static [Area] {
    match role {
        Role::Uploader => &[Area::Inbox, Area::BranchReceipts, Area::Tasks],
        Role::Auditor => &[Area::AllReceipts, Area::Log, Area::Reports, Area::Witness],
        Role::Archivist
        | Role::Reviewer
        | Role::Retriever
        | Role::Approver
        | Role::Sysadmin
        | Role::KeyCustodian => &[],
    }
}

/// Folders with content whose mere mention by this role is put on record (D1: who runs the system reads no content).
pub fn recorded_refusals(role: Role) -> &'static [&'static str] {
    match role {
        Role::Sysadmin => &["evidence", "inbox"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_sees_exactly_this() {
        use Area::*;
        let expected = |role: Role, area: Area| match (role, area) {
            (Role::Uploader, Inbox | BranchReceipts | Tasks) => true,
            (Role::Auditor, AllReceipts | Log | Reports | Witness) => true,
            (Role::Uploader | Role::Auditor, _) => false,
            (Role::Archivist | Role::Reviewer | Role::Retriever, _) => false,
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
}
