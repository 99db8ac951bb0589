//! Taking in: from a client's writes to an outcome that is committed.
//!
//! `naming`, `text`, `citizen_id`, `declare` and `structure` are pure; `upload` turns writes into a staged body; `judge`
//! says what it is; `examine` has it inspected; `settle` commits that; `inbox` is what an uploader sees; `sweep` looks after what was left lying.
//!
//! It must never hold an identity: nothing here can open what is sealed.

pub mod citizen_id;
pub mod declare;
pub mod examine;
pub mod fuzz;
pub mod inbox;
pub mod judge;
pub mod locks;
pub mod naming;
mod outgoing;
pub mod settle;
pub mod structure;
pub mod sweep;
pub mod taken;
pub mod text;
pub mod upload;

#[cfg(test)]
pub(crate) mod tests;

use crate::{
    blob::{BlobError, layout::Layout, staging},
    catalog::Catalogue,
    crypto::StagingKey,
    custody::sequencer::Custody,
    domain::{
        customer::Numbers,
        doctype::CurrentTypes,
        time::{Clock, Zone},
    },
    inspect::{gate::Gate, outcome::Inspection},
    seal::Sealer,
};
use locks::PathLocks;
use naming::Templates;
use ring::rand::SecureRandom;
use settle::SettleError;
use std::{sync::Arc, time::Duration};
use structure::StructureCheck;
use taken::{SidecarError, Taken};
use upload::Tools;

/// The rules that uploads are judged by.
pub struct Rules {
    /// Name templates.
    pub templates: Templates,
    /// Patterns of customer and flow numbers.
    pub numbers: Numbers,
    /// Document types: the newest version, which can change while the server runs.
    pub types: Arc<CurrentTypes>,
    /// Hours that an incomplete upload stays resumable.
    pub waiting_hours: u32,
    /// Hours that a settled upload stays in view.
    pub settled_in_view_hours: u32,
    /// Files one person may have waiting.
    pub max_waiting_per_person: u32,
    /// Free bytes below which uploads are refused.
    pub reserve_bytes: u64,
    /// How long a client waits for an inspection before it goes on behind a WAITING receipt.
    pub close_wait: Duration,
    /// Recordings are decoded wholly in the background.
    pub deep: bool,
    /// Everything gets an SM3 digest in the background.
    pub sm3: bool,
}

/// Everything that taking in needs. One value for the whole server.
pub struct Ingest {
    /// Reads.
    pub catalogue: Catalogue,
    /// Commits.
    pub custody: Custody,
    /// Says which files an event promises.
    pub sealer: Sealer,
    /// Where bodies are staged.
    pub layout: Layout,
    /// Protects their sidecars.
    pub staging_key: StagingKey,
    /// Writes bodies.
    pub tools: Tools,
    /// Has everything looked at before it is sealed.
    pub gate: Gate,
    /// Judges completeness where nothing was declared.
    pub structure: Box<dyn StructureCheck + Send + Sync>,
    /// The rules.
    pub rules: Rules,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Ids and nonces.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// How dates are shown.
    pub zone: Zone,
    /// One path, one settlement at a time.
    pub locks: PathLocks,
}

impl Ingest {
    /// Settled uploads from this time on are still in view, milliseconds since 1970.
    pub fn settled_since_ms(&self) -> i64 {
        self.clock.now_ms() - i64::from(self.rules.settled_in_view_hours) * 3_600_000
    }

    /// Reads what is known of a staged body.
    ///
    /// # Errors
    /// When it isn't there or can't be opened.
    pub fn read_sidecar(&self, id: &str) -> Result<Taken, SettleError> {
        let sealed = staging::read_sidecar(&self.layout, id)?.ok_or(SidecarError::Missing)?;
        Ok(Taken::open(&sealed, id, &self.staging_key)?)
    }

    /// For an upload in flight: as durable as the rest of it.
    fn leave_sidecar(&self, taken: &Taken) -> Result<(), SettleError> {
        let sealed = taken.seal(&self.staging_key, self.random.as_ref())?;
        Ok(staging::write_sidecar(&self.layout, &taken.id, &sealed, false)?)
    }

    /// Makes a body durable, if it isn't yet, and its sidecar with it.
    fn keep_with_sidecar(&self, taken: &Taken, body: Option<staging::StagedBody>) -> Result<(), SettleError> {
        let sealed = taken.seal(&self.staging_key, self.random.as_ref())?;
        let kept = match body {
            Some(mut body) => body.sync_with_sidecar(&sealed),
            None => staging::write_sidecar(&self.layout, &taken.id, &sealed, true),
        };
        Ok(kept?)
    }

    /// Whether something is to be inspected deeper after it is sealed.
    fn is_deep_due(&self, inspection: &Inspection) -> bool {
        let recording = inspection
            .report
            .as_ref()
            .is_some_and(|report| report.media.is_some());
        self.rules.sm3 || (self.rules.deep && recording)
    }

    /// Keeps what opens a body after it is sealed, until its deep inspection is done.
    pub(crate) fn write_deep_sidecar(&self, taken: &Taken) -> Result<(), SettleError> {
        let sealed = taken.seal(&self.staging_key, self.random.as_ref())?;
        Ok(staging::write_deep_sidecar(&self.layout, &taken.id, &sealed)?)
    }

    /// One that stays behind is found and removed at the next start.
    fn remove_deep_sidecar(&self, id: &str) {
        log_left_behind(staging::remove_deep_sidecar(&self.layout, id));
    }

    /// A sidecar that stays behind is found and removed by the sweep.
    fn remove_sidecar(&self, id: &str) {
        log_left_behind(staging::remove_sidecar(&self.layout, id));
    }

    /// Removes a staged body that nobody was promised, or whose bytes stand elsewhere.
    pub(crate) fn forget_staged(&self, id: &str) {
        self.remove_sidecar(id);
        log_left_behind(staging::StagedBody::open(&self.layout, id).and_then(staging::StagedBody::discard));
    }
}

fn log_left_behind(result: Result<(), BlobError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a file stays behind in staging until the next start");
    }
}
