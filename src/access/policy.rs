//! Who may do what: the whole policy, as two tables.
//!
//! [`rule`] says for every role and action how far the role reaches; [`Rule::permits`] holds that against what the action is about.
//! [`areas`] says which folders a role sees over SFTP:
//!
//! | role | inbox | own receipts | tasks | all receipts | log | reports | witness | evidence |
//! |---|---|---|---|---|---|---|---|---|
//! | uploader | ✓ | ✓ | ✓ | | | | | |
//! | retriever | | | | | | | | ✓ |
//! | auditor | | | | ✓ | ✓ | ✓ | ✓ | ✓ |
//! | archivist, reviewer, approver, sysadmin, key_custodian | | | | | | | | |
//!
//! It must never know people, sessions or the catalogue: roles and relations in, yes or no out.

use crate::domain::role::Role;

/// Something a person does at the console, through the API or over SFTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See one's own account, factors, sessions and tokens, and change them.
    OwnAccount,
    /// Find evidence and see what it is, its versions, custody and receipts; no content.
    SearchMetadata,
    /// Have stored bytes compared with what was sealed; no content.
    VerifyObject,
    /// Ask for access.
    RequestAccess,
    /// See requests for access.
    SeeRequests,
    /// Take a request back.
    WithdrawRequest,
    /// Approve, narrow or decline a request.
    DecideRequest,
    /// Add the second agreement that an emergency takes.
    DecideEmergency,
    /// See grants and who read under them.
    SeeGrants,
    /// End a grant before its time.
    RevokeGrant,
    /// Read content. A live grant is needed besides.
    ReadContent,
    /// See the custody log and what proves it.
    SeeLog,
    /// See integrity and access reports, registers, the role matrix.
    SeeReports,
    /// Take in a witness's cosignature.
    Witness,
    /// See and administer people, their keys and invitations, and branches.
    AdministerPeople,
    /// See live sessions and end them.
    AdministerSessions,
    /// See capacity and the state of the machine.
    SeeCapacity,
}

/// How far a role reaches with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Not at all.
    Never,
    /// What is their own: their account, their requests, their grants.
    Own,
    /// What is their branch's; everything for somebody of head office, who has no branch.
    Scope,
    /// Everything.
    All,
    /// Like `Scope`, but never their own request, and never records that they uploaded or witnessed.
    ScopeOfOthers,
    /// Like `All`, with the same exceptions.
    AllOfOthers,
}

/// How a person stands to what an action is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// It is theirs: they asked for it, hold it, or are it.
    pub own: bool,
    /// It lies in their reach: of their branch, or they are of head office.
    pub in_scope: bool,
    /// They uploaded a record that it is about.
    pub uploaded: bool,
    /// They witnessed what a record shows.
    pub witnessed: bool,
}

impl Relation {
    /// Theirs, or in their reach: what has no owner who could stand in the way.
    pub const ANY: Relation = Relation {
        own: true,
        in_scope: true,
        uploaded: false,
        witnessed: false,
    };
    /// Their own.
    pub const OWN: Relation = Relation::ANY;
}

impl Rule {
    /// Whether the rule lets somebody who stands in this relation do it.
    pub fn permits(self, relation: Relation) -> bool {
        let others = !relation.own && !relation.uploaded && !relation.witnessed;
        match self {
            Rule::Never => false,
            Rule::Own => relation.own,
            Rule::Scope => relation.in_scope,
            Rule::All => true,
            Rule::ScopeOfOthers => others && relation.in_scope,
            Rule::AllOfOthers => others,
        }
    }
}

impl Action {
    /// All actions, in the order of the table.
    pub const ALL: [Action; 17] = [
        Action::OwnAccount,
        Action::SearchMetadata,
        Action::VerifyObject,
        Action::RequestAccess,
        Action::SeeRequests,
        Action::WithdrawRequest,
        Action::DecideRequest,
        Action::DecideEmergency,
        Action::SeeGrants,
        Action::RevokeGrant,
        Action::ReadContent,
        Action::SeeLog,
        Action::SeeReports,
        Action::Witness,
        Action::AdministerPeople,
        Action::AdministerSessions,
        Action::SeeCapacity,
    ];

    /// The word that a refusal of it stands under in the log.
    pub fn id(self) -> &'static str {
        match self {
            Action::OwnAccount => "own_account",
            Action::SearchMetadata => "search_metadata",
            Action::VerifyObject => "verify_object",
            Action::RequestAccess => "request_access",
            Action::SeeRequests => "see_requests",
            Action::WithdrawRequest => "withdraw_request",
            Action::DecideRequest => "decide_request",
            Action::DecideEmergency => "decide_emergency",
            Action::SeeGrants => "see_grants",
            Action::RevokeGrant => "revoke_grant",
            Action::ReadContent => "read_content",
            Action::SeeLog => "see_log",
            Action::SeeReports => "see_reports",
            Action::Witness => "witness",
            Action::AdministerPeople => "administer_people",
            Action::AdministerSessions => "administer_sessions",
            Action::SeeCapacity => "see_capacity",
        }
    }
}

/// The one table. Columns: uploader, archivist, reviewer, retriever, approver, auditor, sysadmin, key custodian.
#[rustfmt::skip]
const TABLE: [(Action, [Rule; 8]); 17] = {
    use Action::*;
    use Rule::{All, AllOfOthers, Never, Own, Scope, ScopeOfOthers};
    const N: Rule = Never;
    [
        //                      upl    arch   rev    retr   appr           aud    sys    key
        (OwnAccount,         [Own,   Own,   Own,   Own,   Own,           Own,   Own,   Own]),
        (SearchMetadata,     [N,     Scope, Scope, Scope, Scope,         All,   N,     N]),
        (VerifyObject,       [N,     Scope, N,     Scope, Scope,         All,   N,     N]),
        (RequestAccess,      [N,     N,     N,     Scope, N,             All,   N,     N]),
        (SeeRequests,        [N,     N,     N,     Own,   Scope,         All,   N,     N]),
        (WithdrawRequest,    [N,     N,     N,     Own,   N,             Own,   N,     N]),
        (DecideRequest,      [N,     N,     N,     N,     ScopeOfOthers, N,     N,     N]),
        (DecideEmergency,    [N,     N,     N,     N,     AllOfOthers,   N,     N,     N]),
        (SeeGrants,          [N,     N,     N,     Own,   Scope,         All,   N,     N]),
        (RevokeGrant,        [N,     N,     N,     Own,   Scope,         Own,   N,     N]),
        (ReadContent,        [N,     N,     N,     Own,   N,             Own,   N,     N]),
        (SeeLog,             [N,     N,     N,     N,     N,             All,   N,     N]),
        (SeeReports,         [N,     N,     N,     N,     All,           All,   N,     N]),
        (Witness,            [N,     N,     N,     N,     N,             All,   N,     N]),
        (AdministerPeople,   [N,     N,     N,     N,     N,             N,     All,   N]),
        (AdministerSessions, [N,     N,     N,     N,     N,             N,     All,   N]),
        (SeeCapacity,        [N,     N,     N,     N,     N,             N,     All,   N]),
    ]
};

/// How far a role reaches with an action.
pub fn rule(role: Role, action: Action) -> Rule {
    let column = Role::ALL.into_iter().position(|known| known == role);
    let row = TABLE.iter().find(|(known, _)| *known == action);
    match (row, column) {
        (Some((_, rules)), Some(column)) => rules[column],
        // Fail closed: what stands in no table is nobody's.
        _ => Rule::Never,
    }
}

/// Whether a program may do it with a token of its person. What decides about others, or about somebody's rights, takes the
/// person: a token that was stolen gives nobody anything that its person doesn't have already.
pub fn by_token(action: Action) -> bool {
    match action {
        Action::SearchMetadata
        | Action::VerifyObject
        | Action::RequestAccess
        | Action::SeeRequests
        | Action::WithdrawRequest
        | Action::SeeGrants
        | Action::ReadContent
        | Action::SeeLog
        | Action::SeeReports => true,
        Action::OwnAccount
        | Action::DecideRequest
        | Action::DecideEmergency
        | Action::RevokeGrant
        | Action::Witness
        | Action::AdministerPeople
        | Action::AdministerSessions
        | Action::SeeCapacity => false,
    }
}

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
    /// `/evidence`: what the person's live grants cover.
    Evidence,
}

impl Area {
    /// All areas.
    pub const ALL: [Area; 8] = [
        Area::Inbox,
        Area::BranchReceipts,
        Area::Tasks,
        Area::AllReceipts,
        Area::Log,
        Area::Reports,
        Area::Witness,
        Area::Evidence,
    ];
}

/// What a role sees.
pub fn areas(role: Role) -> &'static [Area] {
    match role {
        Role::Uploader => &[Area::Inbox, Area::BranchReceipts, Area::Tasks],
        Role::Auditor => &[
            Area::AllReceipts,
            Area::Log,
            Area::Reports,
            Area::Witness,
            Area::Evidence,
        ],
        Role::Retriever => &[Area::Evidence],
        Role::Archivist | Role::Reviewer | Role::Approver | Role::Sysadmin | Role::KeyCustodian => &[],
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
mod tests;
