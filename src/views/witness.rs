//! `/witness`: where an auditor drops checkpoints that a witness cosigned.
//!
//! A witness holds what the vault's own disk can't take back. So a checkpoint that this log signed and this tree doesn't
//! have is no bad upload: it is proof of a rollback or a fork, and the log stops.

use super::{denied, no_such_file, tree::Node, unavailable};
use crate::{
    catalog::log_edge,
    custody::{
        held::{self, Held},
        log_view::LogView,
        sequencer::{CommitError, Custody, Proposed},
    },
    domain::{
        event::{Draft, Kind},
        id::new_id,
        time::Clock,
    },
    sftp::space::{
        Attributes, Capacity, Entry, FileSpace, ReadFile, Result, SpaceError, SpaceErrorKind, VirtualPath,
        WriteFile, WriteMode, read_from,
    },
    tlog::{
        checkpoint::{self, Checkpoint},
        key::VerifierKey,
        note::{MAX_NOTE_BYTES, Note},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::rand::SecureRandom;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

const FOLDER_MODE: u32 = 0o040_770;
/// Files that one login sees again after dropping them.
const SHOWN_FILES: usize = 256;

/// Takes cosigned checkpoints in.
#[derive(Clone)]
pub struct WitnessDesk {
    /// The log they must be of.
    pub log: LogView,
    /// Commits anchors, or stops.
    pub custody: Custody,
    /// Witnesses that count.
    pub witnesses: Arc<[VerifierKey]>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
}

impl WitnessDesk {
    /// Checks a cosigned checkpoint against our own tree and commits an anchor for each cosignature that is new.
    ///
    /// # Errors
    /// When it is no checkpoint of this log, no configured witness cosigned it, or our tree isn't the one it was made of;
    /// in the last case the log is stopped.
    pub fn take(&self, person: &str, bytes: &[u8]) -> Result<()> {
        let note = Note::parse(bytes).map_err(|error| denied(format!("not taken: {error}")))?;
        // The log's own signature is judged apart from the witnesses': a spoiled cosignature must not hide a fork.
        let own = checkpoint::open_note(&note, self.log.verifier(), &[])
            .map_err(|error| denied(format!("not taken, this log didn't sign it: {error}")))?
            .checkpoint;
        self.hold_against_our_tree(&own)?;
        let opened = checkpoint::open_note(&note, self.log.verifier(), &self.witnesses)
            .map_err(|error| denied(format!("not taken: {error}")))?;
        if opened.cosignatures.is_empty() {
            return Err(denied(
                "not taken: no witness named in keys.witnesses of the configuration has cosigned it; \
                 cosign it, or ask the sysadmin to add the witness's key",
            ));
        }
        for known in &opened.cosignatures {
            let line = note
                .signatures()
                .iter()
                .find(|line| line.name == known.name && line.id == known.id);
            let Some(line) = line else { continue };
            self.anchor(
                person,
                &own,
                &line.name,
                STANDARD.encode([&line.id.0, line.bytes.as_slice()].concat()),
            )?;
        }
        Ok(())
    }

    fn hold_against_our_tree(&self, seen: &Checkpoint) -> Result<()> {
        match held::hold(&self.log, seen).map_err(unavailable)? {
            Held::Extends { .. } => Ok(()),
            Held::RolledBack { held } => Err(self.stop(format!(
                "this log has signed a tree of {} events and holds only {held}: it was put back to an older state",
                seen.size
            ))),
            Held::Forked { .. } => Err(self.stop(format!(
                "this log has signed another tree of {} events than the one it holds: its history was exchanged (a fork)",
                seen.size
            ))),
        }
    }

    fn stop(&self, reason: String) -> SpaceError {
        tracing::error!(
            reason,
            "A WITNESS HOLDS A SIGNED CHECKPOINT THAT THIS LOG DOESN'T HAVE; the log is stopped"
        );
        self.custody.fence(reason.clone());
        denied(format!(
            "ALARM: {reason}. The vault takes nothing in from now on. KEEP THIS CHECKPOINT, it is the proof; tell your head \
             of audit and the sysadmin at once"
        ))
    }

    fn anchor(&self, person: &str, own: &Checkpoint, witness: &str, cosignature: String) -> Result<()> {
        let id = new_id(self.random.as_ref(), self.clock.now_ms()).map_err(unavailable)?;
        let draft = Draft::new(Kind::Anchor, id, person)
            .fact("witness", witness)
            .fact("size", own.size)
            .fact("root", own.root.to_string())
            .fact("cosignature", cosignature);
        let (size, witness) = (own.size, witness.to_owned());
        let committed = self.custody.commit(move |turn| {
            let known = log_edge::cosignatures(turn.connection, size)
                .map_err(|error| CommitError::Storage(error.to_string()))?;
            if known.iter().any(|(name, _)| *name == witness) {
                return Err(CommitError::Refused(String::new()));
            }
            Ok(Proposed { draft, place: None })
        });
        match committed {
            // Known already: what the auditor wanted to be so is so.
            Ok(_) | Err(CommitError::Refused(_)) => Ok(()),
            Err(error) => Err(SpaceError::new(SpaceErrorKind::Failure, error.to_string())),
        }
    }
}

/// Sizes and times of what was dropped, by name.
type Dropped = Arc<Mutex<BTreeMap<Vec<u8>, Node>>>;

/// One login's drop.
pub struct WitnessDrop {
    desk: WitnessDesk,
    person: String,
    dropped: Dropped,
}

impl WitnessDrop {
    /// The drop of this person.
    pub fn new(desk: WitnessDesk, person: String) -> Self {
        WitnessDrop {
            desk,
            person,
            dropped: Dropped::default(),
        }
    }

    fn dropped(&self) -> std::sync::MutexGuard<'_, BTreeMap<Vec<u8>, Node>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, path: &VirtualPath) -> Result<Node> {
        let [name] = path.components.as_slice() else {
            return Err(no_such_file());
        };
        self.dropped().get(name).copied().ok_or_else(no_such_file)
    }
}

impl FileSpace for WitnessDrop {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        if path.components.is_empty() {
            return Ok(Attributes {
                permissions: Some(FOLDER_MODE),
                ..Attributes::default()
            });
        }
        self.file(path).map(Node::attributes)
    }

    fn list(&mut self, path: &VirtualPath) -> Result<Vec<Entry>> {
        if !path.components.is_empty() {
            return Err(no_such_file());
        }
        let entry = |(name, node): (&Vec<u8>, &Node)| Entry {
            name: name.clone(),
            attributes: node.attributes(),
        };
        Ok(self.dropped().iter().map(entry).collect())
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        self.file(path)?;
        Err(denied(
            "what was dropped here is an event of the log now; see /log/checkpoint.witnessed",
        ))
    }

    fn open_write(&mut self, path: &VirtualPath, _: WriteMode, _: &Attributes) -> Result<Box<dyn WriteFile>> {
        let [name] = path.components.as_slice() else {
            return Err(denied("drop checkpoints in /witness itself; it has no folders"));
        };
        Ok(Box::new(DroppedFile {
            desk: self.desk.clone(),
            person: self.person.clone(),
            name: name.clone(),
            dropped: self.dropped.clone(),
            bytes: Vec::new(),
            failed: None,
        }))
    }

    fn set_attributes(&mut self, path: &VirtualPath, _: &Attributes) -> Result<()> {
        self.file(path).map(|_| ())
    }

    fn make_directory(&mut self, _: &VirtualPath) -> Result<()> {
        Err(denied("drop checkpoints in /witness itself; it has no folders"))
    }

    fn remove_directory(&mut self, _: &VirtualPath) -> Result<()> {
        Err(no_such_file())
    }

    /// Only the view of it goes; the anchor stays.
    fn remove(&mut self, path: &VirtualPath) -> Result<()> {
        self.file(path)?;
        self.dropped().remove(&path.components[0]);
        Ok(())
    }

    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath, _: bool) -> Result<()> {
        let node = self.file(from)?;
        let [name] = to.components.as_slice() else {
            return Err(no_such_file());
        };
        let mut dropped = self.dropped();
        dropped.remove(&from.components[0]);
        dropped.insert(name.clone(), node);
        Ok(())
    }

    fn capacity(&mut self, _: &VirtualPath) -> Result<Capacity> {
        Err(SpaceError::new(SpaceErrorKind::Unsupported, "not offered here"))
    }

    fn digest_sha256(&mut self, path: &VirtualPath) -> Result<String> {
        self.file(path)?;
        Err(SpaceError::new(SpaceErrorKind::Unsupported, "not offered here"))
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}

/// A checkpoint on its way in, in memory until it is closed; one that isn't closed was never here.
struct DroppedFile {
    desk: WitnessDesk,
    person: String,
    name: Vec<u8>,
    dropped: Dropped,
    bytes: Vec<u8>,
    failed: Option<SpaceError>,
}

impl DroppedFile {
    fn resize_for(&mut self, end: u64) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match usize::try_from(end).ok().filter(|end| *end <= MAX_NOTE_BYTES) {
            Some(end) => {
                self.bytes.resize(end.max(self.bytes.len()), 0);
                Ok(())
            }
            None => {
                let words = format!("a cosigned checkpoint has at most {MAX_NOTE_BYTES} bytes");
                let error = SpaceError::new(SpaceErrorKind::Failure, words);
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl WriteFile for DroppedFile {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.resize_for(offset.saturating_add(bytes.len() as u64))?;
        // Within the limit, or the line above had refused it.
        let start = offset as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(read_from(&self.bytes, offset, buffer))
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(Node::file(self.bytes.len(), self.desk.clock.now_ms()).attributes())
    }

    fn set_attributes(&mut self, attributes: &Attributes) -> Result<()> {
        if let Some(size_bytes) = attributes.size_bytes {
            self.resize_for(size_bytes)?;
            self.bytes.truncate(size_bytes as usize);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn close(self: Box<Self>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.desk.take(&self.person, &self.bytes)?;
        let node = Node::file(self.bytes.len(), self.desk.clock.now_ms());
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if dropped.len() >= SHOWN_FILES {
            dropped.pop_first();
        }
        dropped.insert(self.name, node);
        Ok(())
    }
}
