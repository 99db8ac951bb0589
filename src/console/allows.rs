//! The port by which the console asks the policy. Whoever composes the server plugs the authorizer in here.

use super::words::Words;
pub use crate::access::policy::Action;
use crate::{catalog::people::Person, domain::role::Role};
use std::net::IpAddr;

/// Somebody was refused something.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Who.
    pub person: &'a Person,
    /// Public id of their session, or of the token that a program showed.
    pub session: &'a str,
    /// From where.
    pub address: IpAddr,
    /// What they tried.
    pub action: Action,
    /// The route as the table writes it, without what stood in the address.
    pub route: &'static str,
}

/// The policy, as the console asks it.
pub trait Allows: Send + Sync {
    /// Whether a person may do this at all; what it applies to is the handler's question. Also asked to decide what a menu
    /// shows, so it puts nothing on record.
    ///
    /// # Errors
    /// The reason, in plain words.
    fn may(&self, person: &Person, action: Action) -> Result<(), Words>;

    /// Puts a refusal on record: called once for each request that was refused.
    fn refused(&self, refusal: Refusal<'_>);
}

/// A role as people call it.
pub fn role_name(role: Role) -> Words {
    let (zh, en) = match role {
        Role::Uploader => ("经办", "Uploader"),
        Role::Archivist => ("档案管理员", "Archivist"),
        Role::Reviewer => ("复核", "Reviewer"),
        Role::Retriever => ("查阅人", "Retriever"),
        Role::Approver => ("审批人", "Approver"),
        Role::Auditor => ("审计", "Auditor"),
        Role::Sysadmin => ("系统管理员", "System administrator"),
        Role::KeyCustodian => ("密钥保管", "Key custodian"),
    };
    Words::new(zh, en)
}
