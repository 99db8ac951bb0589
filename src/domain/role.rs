//! Roles and the combinations that nobody may hold (D1: system administration and business are separated).
//!
//! Invariant: [`RoleSet`] can only be built through [`RoleSet::new`], so a forbidden combination is not a value.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// What a person may do. The table is in `docs/GLOSSARY.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// 经办: writes the branch's inbox.
    Uploader,
    /// 档案管理员: keeps the branch's records.
    Archivist,
    /// 复核: passes or returns items.
    Reviewer,
    /// 查阅人: searches and asks for access.
    Retriever,
    /// 营运负责人 / 合规主管: approves access.
    Approver,
    /// 审计: verifies, changes nothing.
    Auditor,
    /// 系统管理员: runs the system, reads no content.
    Sysadmin,
    /// 密钥保管: holds the decryption and signing keys.
    KeyCustodian,
}

impl Role {
    /// All roles, in the order of the glossary.
    pub const ALL: [Role; 8] = [
        Role::Uploader,
        Role::Archivist,
        Role::Reviewer,
        Role::Retriever,
        Role::Approver,
        Role::Auditor,
        Role::Sysadmin,
        Role::KeyCustodian,
    ];

    /// The id used in the log, the catalogue and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Role::Uploader => "uploader",
            Role::Archivist => "archivist",
            Role::Reviewer => "reviewer",
            Role::Retriever => "retriever",
            Role::Approver => "approver",
            Role::Auditor => "auditor",
            Role::Sysadmin => "sysadmin",
            Role::KeyCustodian => "key_custodian",
        }
    }

    /// Whether the role works for one branch and so needs one.
    pub fn needs_branch(self) -> bool {
        matches!(self, Role::Uploader | Role::Archivist | Role::Reviewer)
    }

    /// Why two roles can't be held by one person, or `None` when they can.
    fn conflict(self, other: Role) -> Option<&'static str> {
        use Role::{Approver, Auditor, KeyCustodian, Reviewer, Sysadmin, Uploader};
        let either = |a: Role, b: Role| (self == a && other == b) || (self == b && other == a);
        if self == other {
            None
        } else if self == Sysadmin || other == Sysadmin {
            Some("system administration and business operation are separated (S7)")
        } else if either(KeyCustodian, Approver) {
            Some("who holds the keys doesn't approve access")
        } else if self == Auditor || other == Auditor {
            Some("an auditor changes nothing, so holds no role that does")
        } else if either(Uploader, Reviewer) || either(Role::Archivist, Reviewer) {
            Some("nobody reviews what they took in themselves")
        } else {
            None
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> Result<Self, RoleError> {
        Role::ALL
            .into_iter()
            .find(|role| role.id() == text)
            .ok_or_else(|| RoleError::Unknown(text.to_owned()))
    }
}

/// Why a set of roles is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RoleError {
    /// No such role.
    #[error(
        "'{0}' is not a role; roles are: uploader, archivist, reviewer, retriever, approver, auditor, sysadmin, key_custodian"
    )]
    Unknown(String),
    /// A person without any role can do nothing.
    #[error("a person needs at least one role (--role ROLE)")]
    Empty,
    /// Two roles that one person can't hold.
    #[error("{0} and {1} can't be held by the same person: {2}")]
    Conflict(Role, Role, &'static str),
    /// A branch role without a branch.
    #[error("{0} works for one branch: add --branch CODE")]
    NeedsBranch(Role),
}

/// A permitted set of roles for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSet(BTreeSet<Role>);

impl RoleSet {
    /// Checks the roles against each other and against having a branch.
    ///
    /// # Errors
    /// When the set is empty, conflicting, or needs a branch that isn't there.
    pub fn new(roles: impl IntoIterator<Item = Role>, has_branch: bool) -> Result<Self, RoleError> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        if roles.is_empty() {
            return Err(RoleError::Empty);
        }
        for &role in &roles {
            if role.needs_branch() && !has_branch {
                return Err(RoleError::NeedsBranch(role));
            }
            for &other in roles.range(role..).skip(1) {
                if let Some(reason) = role.conflict(other) {
                    return Err(RoleError::Conflict(role, other, reason));
                }
            }
        }
        Ok(RoleSet(roles))
    }

    /// Whether the role is in the set.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The roles in order.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of roles has a stated answer; `true` is allowed.
    #[test]
    fn every_pair_has_an_answer() {
        use Role::*;
        let allowed = [
            (Uploader, Archivist),
            (Uploader, Retriever),
            (Uploader, Approver),
            (Uploader, KeyCustodian),
            (Archivist, Retriever),
            (Archivist, Approver),
            (Archivist, KeyCustodian),
            (Reviewer, Retriever),
            (Reviewer, Approver),
            (Reviewer, KeyCustodian),
            (Retriever, Approver),
            (Retriever, KeyCustodian),
        ];
        for a in Role::ALL {
            for b in Role::ALL {
                let expected = a == b || allowed.contains(&(a, b)) || allowed.contains(&(b, a));
                assert_eq!(RoleSet::new([a, b], true).is_ok(), expected, "{a} with {b}");
            }
        }
    }

    #[test]
    fn branch_roles_need_a_branch_and_nobody_has_no_role() {
        assert_eq!(
            RoleSet::new([Role::Uploader], false),
            Err(RoleError::NeedsBranch(Role::Uploader))
        );
        assert_eq!(RoleSet::new([], true), Err(RoleError::Empty));
        assert!(RoleSet::new([Role::Auditor], false).is_ok());
        assert!("root".parse::<Role>().is_err());
    }
}
