//! What the console gets from the composed server: the vault's parts, and the policy it asks.

use super::Vault;
use crate::{
    access::{
        ReadingRoom,
        authorizer::{self, Who},
        credentials::{self, CredentialError, Credentials, refused::RefusalQueue},
        logins::LiveSessions,
        policy::Action,
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

/// What an authenticator app shows above its code.
const ISSUER: &str = "Muniment";

/// The parts of a vault that the console works with.
///
/// # Errors
/// When there is no randomness, memory or thread for signing in.
pub(super) fn parts(vault: &Vault, logins: Arc<dyn LiveSessions>) -> Result<Parts, CredentialError> {
    Ok(Parts {
        credentials: Arc::new(credentials(vault)?),
        catalogue: vault.catalogue.clone(),
        allows: Arc::new(ByPolicy(vault.room.clone())),
        clock: vault.clock.clone(),
        random: vault.random.clone(),
        zone: vault.config.zone(),
        keys: vault.layout.keys(),
        room: vault.room.clone(),
        witnesses: vault.witnesses.clone().into(),
        logins,
        reserve_bytes: vault.config.vault.reserve_bytes,
    })
}

/// How this vault's people prove who they are.
fn credentials(vault: &Vault) -> Result<Credentials, CredentialError> {
    let refusals = RefusalQueue::start(vault.room.refusals.clone());
    let refusals = refusals.map_err(|error| CredentialError::Failed(error.to_string()))?;
    let parts = credentials::Parts {
        catalogue: vault.catalogue.clone(),
        custody: vault.custody.clone(),
        sealer: vault.sealer.clone(),
        clock: vault.clock.clone(),
        random: vault.random.clone(),
        issuer: ISSUER.to_owned(),
        refusals: Arc::new(refusals),
    };
    Credentials::new(parts, &vault.ingest.staging_key)
}

/// The policy and its record of refusals, as the console asks them.
pub(crate) struct ByPolicy(pub(crate) Arc<ReadingRoom>);

impl Allows for ByPolicy {
    fn may(&self, person: &Person, action: Action) -> Result<(), Words> {
        if authorizer::may_ever(person, action) {
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
