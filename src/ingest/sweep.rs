//! Looking after what was left lying: uploads that a crash cut off, waiting ones whose time is over, and files that were
//! declared while nobody could judge them.

use super::{
    Ingest,
    settle::{Arrival, SettleError},
    taken::Taken,
    upload::{Underlay, Upload, UploadError},
};
use crate::{
    blob::{StagedBody, staging},
    catalog::{accessions, inspections, placements},
    crypto::BodyReader,
    domain::reason::Reason,
};
use std::collections::HashSet;

/// Accessions looked at in one sweep.
const BATCH: usize = 256;

/// What a start found in staging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvage {
    /// Uploads cut off by a crash that are resumable again.
    pub salvaged: u32,
    /// Bodies nobody was promised, removed.
    pub discarded: u32,
    /// Waiting uploads whose body or sidecar is gone or can't be opened.
    pub lost: u32,
}

impl Ingest {
    /// Puts staging in order after a stop or crash. Only at the start, before anybody is let in.
    ///
    /// # Errors
    /// When staging or the catalogue can't be read.
    pub fn salvage(&self) -> Result<Salvage, SettleError> {
        let (received, moving, due) = self.catalogue.read(|connection| {
            Ok((
                accessions::received_ids(connection)?,
                placements::staged(connection)?,
                inspections::due_accessions(connection)?,
            ))
        })?;
        let received: HashSet<String> = received.into_iter().collect();
        let moving: HashSet<String> = moving.into_iter().collect();
        let due: HashSet<String> = due.into_iter().collect();
        let mut outcome = Salvage::default();
        let mut present = HashSet::new();
        for staged in staging::list(&self.layout)?.accessions {
            let id = staged.accession_id;
            if staged.has_deep_sidecar && !due.contains(&id) {
                self.remove_deep_sidecar(&id);
            }
            if staged.body_bytes.is_none() && !staged.has_sidecar {
                continue;
            }
            if received.contains(&id) {
                if staged.body_bytes.is_some() && staged.has_sidecar && self.read_sidecar(&id).is_ok() {
                    present.insert(id);
                }
                continue;
            }
            if moving.contains(&id) {
                // Committed: the placer moves the body, only the sidecar is too much.
                self.remove_sidecar(&id);
                continue;
            }
            // A body whose bytes stand elsewhere, left by a crash after the commit that said so, isn't an upload any more.
            let state = self
                .catalogue
                .read(|connection| accessions::by_id(connection, &id))?
                .map(|row| row.state);
            let superseded = matches!(state.as_deref(), Some("replaced" | "duplicate"));
            if let Some(state) = state.filter(|_| staged.body_bytes.is_some() && !superseded) {
                tracing::error!(
                    accession = id,
                    state,
                    "a settled upload's body still stands in staging; it stays"
                );
                continue;
            }
            let salvageable = staged.has_sidecar && staged.body_bytes.is_some() && !superseded;
            if salvageable && self.salvage_one(&id) {
                outcome.salvaged += 1;
            } else {
                outcome.discarded += 1;
            }
            match staged.body_bytes {
                Some(_) => self.forget_staged(&id),
                None => self.remove_sidecar(&id),
            }
        }
        for id in received.difference(&present) {
            outcome.lost += 1;
            tracing::error!(
                accession = id,
                "a waiting upload's body or sidecar is gone or can't be opened"
            );
        }
        Ok(outcome)
    }

    /// Copies what a crash left of an upload into a body of its own and commits it as waiting.
    fn salvage_one(&self, id: &str) -> bool {
        let salvaged = self.read_sidecar(id).and_then(|taken| self.salvage_taken(&taken));
        salvaged.unwrap_or_else(|error| {
            tracing::warn!(%error, accession = id, "what a crash left of an upload is of no use");
            false
        })
    }

    fn salvage_taken(&self, taken: &Taken) -> Result<bool, SettleError> {
        let body = StagedBody::open(&self.layout, &taken.id)?.reader()?;
        let reader = BodyReader::open_prefix(&taken.file_key()?, body)?;
        let size_bytes = reader.plaintext_bytes();
        let waiting = self.catalogue.read(|connection| {
            accessions::at_path(connection, &taken.claim.person, &taken.claim.path, i64::MAX)
        })?;
        if size_bytes == 0 || waiting.as_ref().is_some_and(|row| row.size_bytes >= size_bytes) {
            return Ok(false);
        }
        let resumed = taken
            .resumes
            .as_deref()
            .filter(|id| waiting.as_ref().is_some_and(|row| row.id == *id));
        let upload = Upload::start(self.tools.clone(), Some(Underlay::new(reader, size_bytes)));
        let finished = upload.and_then(Upload::finish_prefix).map_err(salvage_error)?;
        self.settle(
            Taken::new(&finished, taken.claim.clone()),
            Some(finished.body),
            resumed,
            Arrival::Interrupted,
        )?;
        Ok(true)
    }

    /// One round: judges again what was declared meanwhile, and gives up what waited too long.
    ///
    /// # Errors
    /// When the catalogue can't be read or a commit fails; the next round goes on.
    pub fn sweep(&self) -> Result<(), SettleError> {
        for row in self
            .catalogue
            .read(|connection| accessions::declared_since(connection, BATCH))?
        {
            self.settle(self.read_sidecar(&row.id)?, None, None, Arrival::Closed)?;
        }
        self.look_again(BATCH)?;
        let now_ms = self.clock.now_ms();
        for row in self
            .catalogue
            .read(|connection| accessions::expired(connection, now_ms, BATCH))?
        {
            let _turn = self.locks.take(&row.person, &row.path);
            let still = self
                .catalogue
                .read(|connection| accessions::by_id(connection, &row.id))?;
            if still.is_none_or(|now| now.leaf_index != row.leaf_index) {
                continue;
            }
            let hours = self.rules.waiting_hours;
            let reason = Reason::new(
                "incomplete_expired",
                format!(
                    "it wasn't completed within {hours} hours; what came is kept aside. Upload the whole file again"
                ),
                format!("{hours} 小时内未补全，已收到的部分另行保存；请重新上传完整文件"),
            );
            self.reject(&self.read_sidecar(&row.id)?, &reason, None, None, Some("system"))?;
        }
        Ok(())
    }
}

fn salvage_error(error: UploadError) -> SettleError {
    match error {
        UploadError::Store(error) => SettleError::Store(error),
        UploadError::Body(error) => SettleError::Body(error),
        other => SettleError::Commit(crate::custody::sequencer::CommitError::Storage(other.to_string())),
    }
}
