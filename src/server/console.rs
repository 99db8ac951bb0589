//! What the console gets from the composed server: the vault's parts, and the policy it asks.

use super::Vault;
use crate::{
    access::{
        ReadingRoom,
        authorizer::{self, Who},
        policy::{Action, Relation},
        refusal::Refusal,
    },
    catalog::people::Person,
    console::{
        Parts,
        allows::{Allows, Refusal as Refused},
        words::Words,
    },
};
use std::sync::Arc;

/// The parts of a vault that the console works with.
pub(super) fn parts(vault: &Vault) -> Parts {
    Parts {
        catalogue: vault.catalogue.clone(),
        allows: Arc::new(ByPolicy(vault.room.clone())),
        clock: vault.clock.clone(),
        random: vault.random.clone(),
        zone: vault.config.zone(),
        keys: vault.layout.keys(),
        room: vault.room.clone(),
    }
}

/// The policy and its record of refusals, as the console asks them.
struct ByPolicy(Arc<ReadingRoom>);

impl Allows for ByPolicy {
    fn may(&self, person: &Person, action: Action) -> Result<(), Words> {
        if authorizer::may(person, action, Relation::ANY) {
            return Ok(());
        }
        Err(Words::new(Refusal::NotYourRole.zh(), Refusal::NotYourRole.en()))
    }

    fn refused(&self, refusal: Refused<'_>) {
        let who = Who::person(refusal.person.id.as_str());
        self.0
            .refused(&who, refusal.action.id(), None, Refusal::NotYourRole);
    }
}
