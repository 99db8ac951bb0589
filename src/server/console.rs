//! What the console gets from the composed server: the vault's parts, and the policy it asks.

use super::Vault;
use crate::{
    catalog::people::Person,
    console::{
        Parts,
        allows::{Action, Allows, Refusal},
        words::Words,
    },
    domain::role::Role,
};
use std::sync::Arc;

/// The parts of a vault that the console works with.
pub(super) fn parts(vault: &Vault) -> Parts {
    Parts {
        catalogue: vault.catalogue.clone(),
        allows: Arc::new(ByRole),
        clock: vault.clock.clone(),
        random: vault.random.clone(),
        zone: vault.config.zone(),
        keys: vault.layout.keys(),
    }
}

/// Which role opens which part of the console.
struct ByRole;

impl ByRole {
    /// Roles that open a part; whoever holds one of them may.
    fn roles(action: Action) -> &'static [Role] {
        match action {
            Action::Search | Action::Request => &[Role::Retriever, Role::Approver],
            Action::Approve => &[Role::Approver],
            Action::Audit => &[Role::Auditor],
            Action::Administer => &[Role::Sysadmin],
            Action::HoldKeys => &[Role::KeyCustodian],
        }
    }
}

impl Allows for ByRole {
    fn may(&self, person: &Person, action: Action) -> Result<(), Words> {
        if Self::roles(action).iter().any(|role| person.holds(*role)) {
            return Ok(());
        }
        Err(Words::new(
            "您的角色不包括此项操作。如需调整，请联系系统管理员。",
            "None of your roles includes this. The system administrator can tell you whom to ask.",
        ))
    }

    fn refused(&self, refusal: Refusal<'_>) {
        tracing::warn!(
            person = refusal.person.id,
            session = refusal.session,
            action = ?refusal.action,
            route = refusal.route,
            "refused at the console"
        );
    }
}
