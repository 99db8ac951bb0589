//! "Verify now": one sealed version held against the log, check by check, while somebody looks on.
//!
//! The same comparisons as a fixity check of the whole vault (`custody::fixity`), for one version. No content leaves; that
//! it was done, and what it found, is a `fixity.checked` event about the evidence.

use super::{
    authorizer::{self, Who},
    content::{ContentError, Part},
    find::reaches,
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    room::ReadingRoom,
};
use crate::{
    catalog::{
        access, placements,
        search::{self, Evidence},
    },
    custody::fixity::digest_file,
    domain::{
        event::{Kind, Leaf},
        hex,
    },
    seal::VersionId,
    tlog::{
        checkpoint,
        merkle::{leaf_hash, verify_inclusion},
    },
};
use ring::digest;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Plaintext compared at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The leaf is in the log, under its signed checkpoint.
    Leaf,
    /// The catalogue says what the leaf says.
    Catalogue,
    /// The stored body has the length and BLAKE3 digest that the log holds.
    Body,
    /// The key header is as it was placed.
    Header,
    /// The record is as it was placed.
    Record,
    /// The decrypted original has the SHA-256 digest that the log holds.
    Original,
}

/// How a comparison came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Recomputed, and right.
    Passed,
    /// Wrong.
    Failed,
    /// It couldn't be looked at.
    NotChecked,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was compared.
    pub what: Compared,
    /// How it came out.
    pub outcome: Outcome,
    /// The digest or position that was found, or why it failed. ASCII.
    pub detail: String,
}

/// What the checks of one version came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Every comparison, in order.
    pub checks: Vec<Check>,
    /// Bytes read.
    pub bytes: u64,
    /// Position of the event that says so.
    pub leaf: u64,
}

impl Checked {
    /// Whether something is wrong.
    pub fn has_finding(&self) -> bool {
        self.checks.iter().any(|check| check.outcome == Outcome::Failed)
    }
}

impl ReadingRoom {
    /// Reads a version's stored files again and compares them. Takes as long as reading and decrypting takes.
    ///
    /// # Errors
    /// [`Refusal::Checking`] while it isn't their turn, which is no refusal of a right and isn't put on record; any other
    /// refusal, which is; or that the result couldn't be committed.
    pub fn check_version(&self, who: &Who, id: &str, version: u32) -> Result<Checked, AccessError> {
        let row = self.checked_row(who, id, version);
        let row = self.on_record(who, Action::VerifyObject, None, row)?;
        let _underway = self.checks.begin(&who.person).ok_or(Refusal::Checking)?;
        let mut bytes = 0;
        let mut checks = vec![self.leaf_check(&row), self.catalogue_check(&row)];
        checks.extend(self.stored_checks(&row, &mut bytes));
        checks.push(self.original_check(&row, &mut bytes));
        let counted = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
        let (asking, evidence) = (who.clone(), row.id.clone());
        let (objects, findings) = (checks.len(), counted(Outcome::Failed));
        let opened = checks
            .iter()
            .any(|check| check.what == Compared::Original && check.outcome != Outcome::NotChecked);
        let committed = self.commit(who, Action::VerifyObject, Some(id), move |turn, event| {
            let person = asking.active(turn.connection).map_err(super::room::storage)?;
            let permit = authorizer::permit(person, Action::VerifyObject, Relation::ANY)?;
            Ok(permit
                .event(Kind::FixityChecked, event)
                .fact("evidence", evidence)
                .fact("version", version)
                .fact("objects", objects)
                .fact("bytes", bytes)
                .fact("findings", findings)
                .fact("with_identity", u8::from(opened))
                // Of the vault as a whole: no.
                .fact("complete", 0))
        })?;
        Ok(Checked {
            checks,
            bytes,
            leaf: committed.index,
        })
    }

    fn checked_row(&self, who: &Who, id: &str, version: u32) -> Result<Evidence, AccessError> {
        let (person, versions, grants) = self.catalogue.read(|connection| {
            let person = who.active(connection)?;
            let versions = search::versions(connection, id)?;
            let grants = access::live_grants_for(connection, &who.person, id, self.clock.now_ms())?;
            Ok((person, versions, grants))
        })?;
        let permit = authorizer::permit(person, Action::VerifyObject, Relation::ANY)?;
        if !reaches(permit.person(), &versions, &grants) {
            return Err(Refusal::NotFound.into());
        }
        let row = versions.into_iter().find(|row| row.version == i64::from(version));
        Ok(row.ok_or(Refusal::NotFound)?)
    }

    fn leaf_check(&self, row: &Evidence) -> Check {
        let proved = || -> Result<String, String> {
            let words = |error: &dyn std::fmt::Display| error.to_string();
            let bytes = self.log.leaf(row.receipt).map_err(|error| words(&error))?;
            let size = self.log.published_size().map_err(|error| words(&error))?;
            let note = self.log.checkpoint(size).map_err(|error| words(&error))?;
            let opened =
                checkpoint::open_note(&note, self.log.verifier(), &[]).map_err(|error| words(&error))?;
            let proof = self
                .log
                .inclusion(row.receipt, size)
                .map_err(|error| words(&error))?;
            verify_inclusion(
                &leaf_hash(&bytes),
                row.receipt,
                size,
                &proof,
                &opened.checkpoint.root,
            )
            .map_err(|error| words(&error))?;
            Ok(format!("leaf {} of {size}", row.receipt))
        };
        from_result(Compared::Leaf, proved())
    }

    fn catalogue_check(&self, row: &Evidence) -> Check {
        let compared = || -> Result<String, String> {
            let bytes = self.log.leaf(row.receipt).map_err(|error| error.to_string())?;
            let leaf: Leaf = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            let agree = leaf.kind == Kind::EvidenceSealed
                && leaf.text("evidence") == Some(&row.id)
                && leaf.integer("version") == Some(row.version)
                && leaf.text("sha256") == Some(&row.sha256)
                && leaf.integer("size_bytes") == Some(row.size_bytes)
                && leaf.text("stored_blake3") == Some(&row.stored_blake3)
                && leaf.integer("stored_size_bytes") == Some(row.stored_size_bytes);
            let same = format!("sha256 {}, {} bytes", row.sha256, row.size_bytes);
            agree
                .then_some(same)
                .ok_or_else(|| "the catalogue's row isn't what the leaf says".to_owned())
        };
        from_result(Compared::Catalogue, compared())
    }

    /// Body, header and record as they lie on the store.
    fn stored_checks(&self, row: &Evidence, bytes: &mut u64) -> Vec<Check> {
        let version = u32::try_from(row.version).unwrap_or(0);
        let layout = &self.layout;
        let body = layout.content(&row.customer, &row.id, version);
        let files = [
            (Compared::Header, layout.header(&row.id, version)),
            (Compared::Record, layout.record(&row.customer, &row.id, version)),
        ];
        let wanted = Some((row.stored_size_bytes.unsigned_abs(), row.stored_blake3.clone()));
        let mut checks = vec![self.stored_check(Compared::Body, body, wanted, bytes)];
        for (what, path) in files {
            let known = path.as_ref().ok().and_then(|path| {
                let target = self.below_vault(path)?;
                self.catalogue
                    .read(|connection| placements::stored(connection, &target))
                    .ok()?
            });
            let wanted = known.map(|file| (file.size_bytes, hex::encode(file.blake3)));
            checks.push(self.stored_check(what, path, wanted, bytes));
        }
        checks
    }

    /// A path as the catalogue writes it.
    fn below_vault(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(self.layout.root()).ok()?;
        below.to_str().map(str::to_owned)
    }

    fn stored_check<E: std::fmt::Display>(
        &self,
        what: Compared,
        path: Result<PathBuf, E>,
        wanted: Option<(u64, String)>,
        bytes: &mut u64,
    ) -> Check {
        let target = path.as_ref().ok().and_then(|path| self.below_vault(path));
        let is_pending = target.is_some_and(|target| {
            let asked = self
                .catalogue
                .read(|connection| placements::is_pending(connection, &target));
            asked.unwrap_or(false)
        });
        if is_pending {
            return Check {
                what,
                outcome: Outcome::NotChecked,
                detail: ContentError::NotPlaced.to_string(),
            };
        }
        let compared = || -> Result<String, String> {
            let path = path.map_err(|error| error.to_string())?;
            let found = digest_file(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => "missing".to_owned(),
                _ => format!("can't be read: {error}"),
            })?;
            *bytes += found.0;
            let (size, blake3) = (found.0, hex::encode(found.1));
            match wanted {
                None => Err("the catalogue doesn't know this file".to_owned()),
                Some((wanted, _)) if wanted != size => Err(format!("it has {size} bytes, not {wanted}")),
                Some((_, wanted)) if wanted != blake3 => Err(format!("BLAKE3 is {blake3}, not {wanted}")),
                Some(_) => Ok(format!("{size} bytes, blake3 {blake3}")),
            }
        };
        from_result(what, compared())
    }

    /// The decrypted original, chunk by chunk; what can't be opened because the key is locked isn't checked.
    fn original_check(&self, row: &Evidence, bytes: &mut u64) -> Check {
        let version = VersionId {
            customer: row.customer.clone(),
            evidence: row.id.clone(),
            version: u32::try_from(row.version).unwrap_or(0),
        };
        let mut compared = || -> Result<String, ContentError> {
            let mut content = self.contents.open(&version, &Part::Original)?;
            let mut context = digest::Context::new(&digest::SHA256);
            let mut buffer = zeroize::Zeroizing::new(vec![0; BLOCK_BYTES]);
            let mut offset = 0;
            loop {
                let read = content.read_at(offset, &mut buffer)?;
                if read == 0 {
                    *bytes += offset;
                    return Ok(hex::encode(context.finish()));
                }
                context.update(&buffer[..read]);
                offset += read as u64;
            }
        };
        match compared() {
            Err(ContentError::Closed(closed)) => Check {
                what: Compared::Original,
                outcome: Outcome::NotChecked,
                detail: closed.to_string(),
            },
            Err(ContentError::NotPlaced) => Check {
                what: Compared::Original,
                outcome: Outcome::NotChecked,
                detail: ContentError::NotPlaced.to_string(),
            },
            Err(error) => from_result(Compared::Original, Err(error.to_string())),
            Ok(sha256) if sha256 == row.sha256 => {
                from_result(Compared::Original, Ok(format!("sha256 {sha256}")))
            }
            Ok(sha256) => from_result(
                Compared::Original,
                Err(format!("SHA-256 is {sha256}, not {}", row.sha256)),
            ),
        }
    }
}

fn from_result(what: Compared, result: Result<String, String>) -> Check {
    let (outcome, detail) = match result {
        Ok(detail) => (Outcome::Passed, detail),
        Err(detail) => (Outcome::Failed, detail),
    };
    Check {
        what,
        outcome,
        detail,
    }
}
