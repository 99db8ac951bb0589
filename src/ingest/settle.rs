//! Settling: from a complete staged body to an outcome that is committed. The straight line of an upload ends here.
//!
//! ```text
//! received ──named, complete, inspected──▶ sealed | duplicate   (final)
//!    │ ├─────refused──────────▶ rejected                  (final, bytes kept aside)
//!    │ ├─────resumed──────────▶ replaced                  (its bytes begin the new body)
//!    │ ├─────removed──────────▶ withdrawn                 (final, bytes kept aside)
//!    └─┴─────renamed──────────▶ received, or judged again
//! ```
//!
//! Invariant: nothing is told to a client before the event that says it is committed; what a crash leaves before that is
//! a staged body that nobody was promised.

use super::{
    Ingest,
    examine::{Examined, WAITS_ON_US, inspecting},
    judge::{self, Candidate, DeclaredFile, Identity, Verdict},
    taken::{Claim, SidecarError, Taken},
};
use crate::{
    blob::{BlobError, StagedBody},
    catalog::{accessions, search},
    custody::sequencer::{CommitError, Committed, Proposed, Turn},
    domain::{
        event::{Draft, Kind},
        id::new_id,
        reason::Reason,
    },
    inspect::{gate::Look, outcome::Inspection},
    seal::VersionId,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Why an upload couldn't be settled. Its staged body and sidecar stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The event wasn't committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Catalogue(#[from] crate::catalog::CatalogueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::blob::BlobError),
    /// The body can't be opened again.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// Its bytes can't be read back.
    #[error("the staged body can't be read: {0}")]
    Body(#[from] crate::crypto::body::BodyError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] crate::crypto::RandomError),
}

/// How a body came to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its client closed it, renamed it, or declared it.
    Closed,
    /// The connection, the server or the client's patience ended first: nothing is refused on such evidence.
    Interrupted,
}

/// Whatever is committed next may promise the body's bytes.
fn make_durable(body: Option<StagedBody>) -> Result<(), BlobError> {
    body.map_or(Ok(()), |mut body| body.sync())
}

/// How long a client waits for inspections, over everything that its CLOSE settles.
#[derive(Clone, Copy)]
pub(super) struct Patience(Instant);

impl Patience {
    pub(super) fn new(patience: Duration) -> Self {
        Patience(Instant::now() + patience)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

impl Ingest {
    /// Judges a complete body and commits the outcome. `body` is given when it isn't durable yet; `resumed` is the accession whose
    /// bytes it begins with.
    ///
    /// # Errors
    /// When nothing could be committed; the body stays staged.
    pub fn settle(
        &self,
        taken: Taken,
        body: Option<StagedBody>,
        resumed: Option<&str>,
        arrival: Arrival,
    ) -> Result<Committed, SettleError> {
        let patience = Patience::new(self.rules.close_wait);
        let turn = self.locks.take(&taken.claim.person, &taken.claim.path);
        let (committed, declared) = self.settle_locked(&taken, body, resumed, arrival, patience)?;
        drop(turn);
        for row in &declared {
            if let Err(error) = self.judge_declared(&taken.id, &taken.claim, row, patience) {
                // The declaration stands; the sweep judges the file again.
                tracing::warn!(%error, declaration = taken.id, "a declared file couldn't be judged again");
            }
        }
        Ok(committed)
    }

    /// The caller holds the path. What a declaration declares is handed back, to be judged when the path is free again.
    fn settle_locked(
        &self,
        taken: &Taken,
        body: Option<StagedBody>,
        resumed: Option<&str>,
        arrival: Arrival,
        patience: Patience,
    ) -> Result<(Committed, Vec<DeclaredFile>), SettleError> {
        let verdict = self.judge(taken)?;
        self.settle_judged(taken, body, verdict, resumed, arrival, |candidate, body| {
            let mut synced = Ok(());
            // Whatever is seen, the body has to be durable; the disk and the inspector work side by side.
            let sync = || synced = make_durable(body.take());
            let look = self.look(taken, &candidate.identity.ext, patience.left(), sync)?;
            synced?;
            Ok(look)
        })
    }

    /// Commits what the judge said; `look` answers for a candidate, and may make the body durable and take it away. The caller holds the
    /// path. Whatever comes of it, the body is durable before it is committed.
    pub(super) fn settle_judged(
        &self,
        taken: &Taken,
        mut body: Option<StagedBody>,
        verdict: Verdict,
        resumed: Option<&str>,
        arrival: Arrival,
        look: impl FnOnce(&Candidate, &mut Option<StagedBody>) -> Result<Look, SettleError>,
    ) -> Result<(Committed, Vec<DeclaredFile>), SettleError> {
        let mut declared = Vec::new();
        let committed = match verdict {
            Verdict::Temporary => self.wait(taken, body, "temporary", None, resumed)?,
            Verdict::Wait(reason) => self.wait(taken, body, reason.code, Some(&reason), resumed)?,
            Verdict::Reject(reason) => self.refuse(taken, body, &reason, None, resumed, arrival)?,
            Verdict::Candidate(candidate) => match look(&candidate, &mut body)? {
                Look::Done(looked) => {
                    let examined = self.examined(&candidate, looked);
                    self.settle_examined(taken, body, *candidate, examined, resumed, arrival)?
                }
                Look::GoesOn => {
                    let reason = inspecting();
                    self.wait(taken, body, reason.code, Some(&reason), resumed)?
                }
            },
            Verdict::Declaration { form, rows } => {
                make_durable(body)?;
                let committed = self.keep_declaration(taken, form, &rows, resumed)?;
                declared = rows;
                committed
            }
        };
        if let Some(old) = resumed {
            self.forget_replaced(old)?;
        }
        Ok((committed, declared))
    }

    fn settle_examined(
        &self,
        taken: &Taken,
        body: Option<StagedBody>,
        candidate: Candidate,
        examined: Examined,
        resumed: Option<&str>,
        arrival: Arrival,
    ) -> Result<Committed, SettleError> {
        match examined {
            Examined::Evidence(inspection) => {
                make_durable(body)?;
                self.seal(taken, candidate.identity, inspection, resumed)
            }
            Examined::Reject(reason, inspection) => {
                self.refuse(taken, body, &reason, Some(&inspection), resumed, arrival)
            }
            Examined::Wait(reason) => self.wait(taken, body, reason.code, Some(&reason), resumed),
        }
    }

    /// Rejects, or waits when its client hadn't its full say.
    fn refuse(
        &self,
        taken: &Taken,
        body: Option<StagedBody>,
        reason: &Reason,
        inspection: Option<&Inspection>,
        resumed: Option<&str>,
        arrival: Arrival,
    ) -> Result<Committed, SettleError> {
        match arrival {
            Arrival::Closed => {
                make_durable(body)?;
                self.reject(taken, reason, inspection, resumed, None)
            }
            Arrival::Interrupted => self.wait(taken, body, reason.code, Some(reason), resumed),
        }
    }

    /// Removes the body that a new one took in. One that was sealed in between is evidence and stays.
    fn forget_replaced(&self, old: &str) -> Result<(), SettleError> {
        let row = self
            .catalogue
            .read(|connection| accessions::by_id(connection, old))?;
        if row.is_some_and(|row| row.state == "replaced") {
            self.forget_staged(old);
        }
        Ok(())
    }

    fn wait(
        &self,
        taken: &Taken,
        body: Option<StagedBody>,
        code: &str,
        reason: Option<&Reason>,
        resumed: Option<&str>,
    ) -> Result<Committed, SettleError> {
        self.keep_with_sidecar(taken, body)?;
        let mut draft = draft(Kind::AccessionReceived, taken, resumed).fact("reason", code);
        if let Some(reason) = reason {
            draft = with_reason(draft, reason);
        }
        let waiting_ms = i64::from(self.rules.waiting_hours) * 3_600_000;
        let place = self.sealer.registry(self.new_id()?);
        let expires = !WAITS_ON_US.contains(&code);
        Ok(self.custody.commit(move |turn: &Turn<'_>| {
            let draft = match expires {
                true => draft.fact("expires_ms", turn.time_ms.saturating_add(waiting_ms)),
                false => draft,
            };
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?)
    }

    /// Refuses a body and keeps it aside. `actor` is the uploader unless given.
    pub(super) fn reject(
        &self,
        taken: &Taken,
        reason: &Reason,
        inspection: Option<&Inspection>,
        resumed: Option<&str>,
        actor: Option<&str>,
    ) -> Result<Committed, SettleError> {
        let mut draft = with_reason(draft(Kind::AccessionRejected, taken, resumed), reason);
        if let Some(inspection) = inspection {
            draft = inspection.write(draft);
        }
        if let Some(actor) = actor {
            draft.actor = actor.to_owned();
        }
        self.keep(taken, draft)
    }

    /// Takes a body that its uploader removed or overwrote out of the inbox, and keeps it aside.
    ///
    /// # Errors
    /// When nothing could be committed.
    pub fn withdraw(&self, taken: &Taken, code: &str) -> Result<Committed, SettleError> {
        self.keep(
            taken,
            draft(Kind::AccessionWithdrawn, taken, None).fact("reason", code),
        )
    }

    fn keep_declaration(
        &self,
        taken: &Taken,
        form: &str,
        rows: &[DeclaredFile],
        resumed: Option<&str>,
    ) -> Result<Committed, SettleError> {
        let listed: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "path": row.path,
                    "size_bytes": row.size_bytes,
                    "sha256": row.sha256.map(crate::domain::hex::encode),
                    "fields": row.fields,
                })
            })
            .collect();
        let draft = draft(Kind::DeclarationReceived, taken, resumed)
            .fact("form", form)
            .fact("rows", rows.len())
            .private("rows", listed);
        self.keep(taken, draft)
    }

    fn keep(&self, taken: &Taken, draft: Draft) -> Result<Committed, SettleError> {
        let place = self.sealer.kept(taken.staged_body(), taken.file_key()?);
        let committed = self.custody.commit(move |_| {
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?;
        self.remove_sidecar(&taken.id);
        Ok(committed)
    }

    /// Seals, or finds that the same bytes are sealed already: decided inside the transaction, so two uploads of one
    /// identity at one time can't both become version 1.
    fn seal(
        &self,
        taken: &Taken,
        identity: Identity,
        inspection: Inspection,
        resumed: Option<&str>,
    ) -> Result<Committed, SettleError> {
        let evidence_id = self.new_id()?;
        let record_id = self.new_id()?;
        let key = self.sealer.wrap(taken.file_key()?);
        let mut sealed = inspection.write(draft(Kind::EvidenceSealed, taken, resumed));
        if self.is_deep_due(&inspection) {
            self.write_deep_sidecar(taken)?;
            sealed = sealed.fact("deep", "due");
        }
        let duplicate = draft(Kind::AccessionDuplicate, taken, resumed);
        let sealer = self.sealer.clone();
        let body = taken.clone();
        let committed = self.custody.commit(move |turn: &Turn<'_>| {
            let seq = identity.seq.to_string();
            let known = search::by_identity(
                turn.connection,
                &identity.customer,
                &identity.flow,
                &identity.doctype,
                &seq,
            )
            .map_err(|error| CommitError::Storage(error.to_string()))?;
            if let Some(first) = known.iter().find(|version| version.sha256 == body.sha256) {
                let draft = duplicate
                    .fact("of", first.receipt)
                    .fact("evidence", first.id.as_str())
                    .fact("version", first.version);
                return Ok(Proposed {
                    draft,
                    place: Some(sealer.registry(record_id)),
                });
            }
            let previous = known.last();
            let evidence = previous.map_or(evidence_id, |version| version.id.clone());
            let version = previous.map_or(1, |version| version.version.saturating_add(1));
            let mut draft = sealed
                .fact("evidence", evidence.as_str())
                .fact("version", version)
                .fact("category", identity.category)
                .fact("doctype", identity.doctype.as_str())
                .fact("grade", identity.grade)
                .commit("customer", identity.customer.as_str())
                .commit("flow", identity.flow.as_str())
                .commit("seq", seq)
                .private("ext", identity.ext.as_str())
                .private("fields", identity.fields.clone())
                .private("structure", identity.structure.as_str());
            let optional: [(&str, Option<Value>); 4] = [
                ("previous", previous.map(|version| version.receipt.into())),
                ("chunk_root", body.chunk_root.clone().map(Into::into)),
                ("date", identity.date.map(Into::into)),
                ("declaration", identity.declaration.clone().map(Into::into)),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    draft = draft.fact(name, value);
                }
            }
            let version =
                u32::try_from(version).map_err(|_| CommitError::Refused("too many versions".to_owned()))?;
            let place = sealer.evidence(
                body.staged_body(),
                key,
                VersionId {
                    customer: identity.customer.clone(),
                    evidence,
                    version,
                },
            );
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?;
        if committed.leaf.kind == Kind::AccessionDuplicate {
            // The same bytes stand sealed; this copy was never promised to anybody else.
            self.remove_deep_sidecar(&taken.id);
            self.forget_staged(&taken.id);
        } else {
            self.remove_sidecar(&taken.id);
        }
        Ok(committed)
    }

    /// Moves a waiting upload to another name and judges it under that one.
    ///
    /// # Errors
    /// When nothing could be committed.
    pub fn rename(&self, id: &str, to: Claim) -> Result<Committed, SettleError> {
        let mut taken = self.read_sidecar(id)?;
        taken.claim.path = to.path;
        taken.claim.path_raw = to.path_raw;
        self.settle(taken, None, None, Arrival::Closed)
    }

    /// Judges a file again that a declaration speaks of.
    pub(super) fn judge_declared(
        &self,
        declaration: &str,
        claim: &Claim,
        row: &DeclaredFile,
        patience: Patience,
    ) -> Result<(), SettleError> {
        let _turn = self.locks.take(&claim.person, &row.path);
        let found = self.catalogue.read(|connection| {
            accessions::at_path(connection, &claim.person, &row.path, self.settled_since_ms())
        })?;
        let Some(accession) = found else { return Ok(()) };
        match accession.state.as_str() {
            "received" => {
                let taken = self.read_sidecar(&accession.id)?;
                self.settle_locked(&taken, None, None, Arrival::Closed, patience)?;
            }
            "sealed" => self.declare_sealed(declaration, claim, &accession, row)?,
            _ => {}
        }
        Ok(())
    }

    /// A declaration that came after sealing: it raises the grade, or says that what is sealed isn't what was declared.
    fn declare_sealed(
        &self,
        declaration: &str,
        claim: &Claim,
        accession: &accessions::Accession,
        row: &DeclaredFile,
    ) -> Result<(), SettleError> {
        let Some(declared) = row.sha256 else { return Ok(()) };
        let agrees = declared == accession.sha256;
        let evidence = self
            .catalogue
            .read(|connection| search::by_receipt(connection, accession.leaf_index))?;
        let Some(evidence) = evidence.filter(|evidence| evidence.grade == "server_only") else {
            return Ok(());
        };
        let mut draft = Draft::new(Kind::EvidenceDeclared, accession.id.clone(), claim.person.clone())
            .fact("evidence", evidence.id.as_str())
            .fact("version", evidence.version)
            .fact("of", evidence.receipt)
            .fact("result", if agrees { "match" } else { "mismatch" })
            .fact("declaration", declaration)
            .fact("declared_sha256", crate::domain::hex::encode(declared))
            .fact("sha256", evidence.sha256.as_str())
            .fact("size_bytes", evidence.size_bytes)
            .fact("grade", if agrees { "declared" } else { "server_only" })
            .fact("branch", claim.branch.as_str())
            .fact("person", claim.person.as_str())
            .fact("key", claim.key_fingerprint.as_str())
            .commit("path", accession.path.as_str());
        if !agrees {
            draft = with_reason(draft, &judge::digest_mismatch(&declared, &accession.sha256));
        }
        let place = self.sealer.registry(self.new_id()?);
        self.custody.commit(move |_| {
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?;
        Ok(())
    }

    /// A new id.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn new_id(&self) -> Result<String, crate::crypto::RandomError> {
        new_id(self.random.as_ref(), self.clock.now_ms()).map_err(|_| crate::crypto::RandomError)
    }
}

/// The facts that every event about an accession has.
fn draft(kind: Kind, taken: &Taken, resumed: Option<&str>) -> Draft {
    let claim = &taken.claim;
    let mut draft = Draft::new(kind, taken.id.clone(), claim.person.clone())
        .fact("person", claim.person.as_str())
        .fact("branch", claim.branch.as_str())
        .fact("key", claim.key_fingerprint.as_str())
        .fact("size_bytes", taken.size_bytes)
        .fact("sha256", taken.sha256.as_str())
        .fact("started_ms", claim.started_ms)
        .fact("stored_size_bytes", taken.stored_size_bytes)
        .fact("stored_blake3", taken.stored_blake3.as_str())
        .commit("path", claim.path.as_str())
        .private("path_raw", claim.path_raw.as_str());
    if let Some(mtime_s) = claim.mtime_s {
        draft = draft.private("mtime_s", mtime_s);
    }
    if let Some(resumed) = resumed {
        draft = draft.fact("replaces", resumed);
    }
    draft
}

fn with_reason(draft: Draft, reason: &Reason) -> Draft {
    draft
        .fact("reason", reason.code)
        .private("reason_en", reason.en.as_str())
        .private("reason_zh", reason.zh.as_str())
}
