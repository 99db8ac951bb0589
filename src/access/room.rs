//! The reading room (查阅室): what the retrieval side works with, and how its changes are committed.
//!
//! Invariant: whatever changes here is decided inside the transaction that commits it, from the person, the request and
//! the grant as they are at that moment; a refusal of a person goes on record.

use super::{
    authorizer::{self, Permit, Scope, Who},
    checks::Checks,
    content::Contents,
    live::LiveReads,
    policy::Action,
    refusal::{AccessError, Refusal},
    refusals::{Refusals, Refused},
};
use crate::{
    blob::Layout,
    catalog::{Catalogue, people::Person, search},
    custody::{
        log_view::LogView,
        sequencer::{CommitError, Committed, Custody, Proposed, Turn},
    },
    domain::{
        event::Draft,
        id::new_id,
        time::{Clock, Zone},
    },
    seal::Sealer,
};
use ring::rand::SecureRandom;
use std::sync::Arc;

/// A reading that nothing was read of for so long has ended: a page was closed without saying so.
const READING_IDLE_MS: i64 = 10 * 60_000;

/// What the retrieval side works with.
pub struct ReadingRoom {
    /// Reads of the catalogue.
    pub catalogue: Catalogue,
    /// Commits.
    pub custody: Custody,
    /// Seals records.
    pub sealer: Sealer,
    /// Where everything lies.
    pub layout: Layout,
    /// The custody log.
    pub log: LogView,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// The vault's zone.
    pub zone: Zone,
    /// Opens what is sealed, while the keyring is unlocked.
    pub contents: Contents,
    /// Puts refusals on record.
    pub refusals: Refusals,
    /// Readings that are open.
    pub reads: LiveReads,
    /// Checks that are under way.
    pub checks: Checks,
}

impl ReadingRoom {
    /// A new id.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new_id(&self) -> Result<String, AccessError> {
        new_id(self.random.as_ref(), self.clock.now_ms())
            .map_err(|_| AccessError::Unavailable("the system has no randomness".to_owned()))
    }

    /// The person as they are now, with the roles that count.
    ///
    /// # Errors
    /// [`Refusal::NotActive`], or that the catalogue can't be read.
    pub fn person(&self, who: &Who) -> Result<Person, AccessError> {
        let found = self.catalogue.read(|connection| who.active(connection))?;
        found.ok_or(AccessError::Refused(Refusal::NotActive))
    }

    /// How much of what an action lists somebody sees; a refusal is on record when this returns.
    ///
    /// # Errors
    /// The refusal, or that the catalogue can't be read.
    pub fn scope(&self, who: &Who, action: Action) -> Result<Scope, AccessError> {
        let present = who.present_for(action).map_err(AccessError::from);
        let scope = present.and_then(|()| self.person(who)).and_then(|person| {
            authorizer::scope(&person, action).ok_or(AccessError::Refused(Refusal::NotYourRole))
        });
        self.on_record(who, action, None, scope)
    }

    /// Leave for something that is about nothing in particular; a refusal is on record when this returns.
    ///
    /// # Errors
    /// The refusal, or that the catalogue can't be read.
    pub fn permit(&self, who: &Who, action: Action) -> Result<Permit, AccessError> {
        let found = self.catalogue.read(|connection| who.active(connection));
        let permit = found.map_err(AccessError::from).and_then(|person| {
            who.present_for(action)?;
            Ok(authorizer::permit_ever(person, action)?)
        });
        self.on_record(who, action, None, permit)
    }

    /// Commits the event that `decide` makes inside the transaction. A refusal is on record when this returns.
    pub(super) fn commit(
        &self,
        who: &Who,
        action: Action,
        evidence: Option<&str>,
        decide: impl FnOnce(&Turn<'_>, &str) -> Result<Draft, CommitError> + Send + 'static,
    ) -> Result<Committed, AccessError> {
        let event = self.new_id()?;
        let place = self.sealer.registry(event.clone());
        let present = who.present_for(action);
        let committed = self.custody.commit(move |turn| {
            present?;
            let draft = decide(turn, &event)?;
            let place = draft.has_record().then_some(place);
            Ok(Proposed { draft, place })
        });
        self.on_record(who, action, evidence, committed.map_err(AccessError::from))
    }

    /// Passes a result on; a refusal in it goes on record.
    pub(super) fn on_record<T>(
        &self,
        who: &Who,
        action: Action,
        evidence: Option<&str>,
        result: Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        if let Err(AccessError::Refused(refusal)) = &result {
            self.refused(who, action.id(), evidence, *refusal);
        }
        result
    }

    /// Now and then: what expired ends, what was refused again and again goes on record.
    pub fn sweep(&self) {
        self.reads.sweep(READING_IDLE_MS);
        self.refusals.sweep(false);
    }

    /// The server stops: what is open ends, and everything that was counted goes on record.
    pub fn stop(&self) {
        self.reads.stop();
        self.refusals.sweep(true);
    }

    /// Puts a refusal on record. What somebody asked for may be nonsense, so only the id of evidence that is there becomes
    /// public.
    pub fn refused(&self, who: &Who, what: &str, evidence: Option<&str>, refusal: Refusal) {
        let known = |id: &&str| {
            let versions = self.catalogue.read(|connection| search::versions(connection, id));
            versions.is_ok_and(|versions| !versions.is_empty())
        };
        self.refusals.record(Refused {
            person: Some(who.person.clone()),
            what: what.to_owned(),
            evidence: evidence.filter(known).map(str::to_owned),
            why: refusal.id().to_owned(),
        });
    }
}

/// A catalogue error inside a transaction.
pub(super) fn storage(error: impl std::fmt::Display) -> CommitError {
    CommitError::Storage(error.to_string())
}
