//! The custody log as readers see it: leaves, the published size, and proofs of place.
//!
//! It changes nothing and signs nothing. Invariant: what isn't published can't be seen here as if it were: a reader is
//! never shown a proof against a checkpoint that nobody else can fetch.

use super::{publication::Published, sequencer::Custody};
use crate::{
    catalog::{Catalogue, CatalogueError, log_edge},
    tlog::{
        checkpoint::{Checkpoint, CheckpointError},
        key::{KeyId, VerifierKey},
        merkle::{Hash, ProveError, inclusion_proof},
        note::{Note, NoteError, NoteSignature},
        store::{LogDir, StoreError},
        tile::WIDTH,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Between two looks at what another process publishes, and how many of them there are.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: usize = 100;

/// Why the log can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LogViewError {
    /// The catalogue refuses.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The log's folder refuses, or a file of it is missing or damaged.
    #[error("the log's files: {0}")]
    Store(#[from] StoreError),
    /// A hash of the tree can't be had.
    #[error("a proof of leaf {index} in a tree of {size}: {error}")]
    Proof {
        /// The leaf.
        index: u64,
        /// Leaves in the tree.
        size: u64,
        /// Why.
        error: ProveError<StoreError>,
    },
    /// A checkpoint on disk or in the catalogue isn't one.
    #[error("a checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A note isn't one.
    #[error("a checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The catalogue has no checkpoint of that size.
    #[error("the catalogue has no checkpoint of {0} leaves")]
    NoCheckpoint(u64),
    /// A cosignature in the catalogue isn't one.
    #[error("an anchor of the checkpoint of {0} leaves isn't a signature")]
    Anchor(u64),
    /// The log has no such leaf.
    #[error("the log has no leaf {0}")]
    NoLeaf(u64),
}

/// Read access to the log, cheap to clone.
#[derive(Clone)]
pub struct LogView {
    catalogue: Catalogue,
    dir: LogDir,
    verifier: VerifierKey,
    /// Where this process publishes it: what was committed is waited for.
    published: Option<Published>,
    /// The full bundle read last: a day's receipts lie side by side.
    bundle: Arc<Mutex<Option<Bundle>>>,
}

struct Bundle {
    index: u64,
    entries: Vec<Vec<u8>>,
}

impl LogView {
    /// The log of this catalogue and folder, signed by the key of `verifier`.
    pub fn new(catalogue: Catalogue, dir: LogDir, verifier: VerifierKey) -> Self {
        LogView {
            catalogue,
            dir,
            verifier,
            published: None,
            bundle: Arc::default(),
        }
    }

    /// The same log, read beside the commits: what was answered before is found.
    pub fn beside(self, custody: &Custody) -> Self {
        LogView {
            published: Some(custody.published().clone()),
            ..self
        }
    }

    fn catch_up(&self) {
        if let Some(published) = &self.published {
            published.catch_up();
        }
    }

    /// The catalogue beside it.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The log's folder.
    pub fn dir(&self) -> &LogDir {
        &self.dir
    }

    /// The key that checks the log's signatures; its name is the log's origin.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Waits a moment for the process that commits to publish `size` leaves, for a command beside a running server.
    ///
    /// # Errors
    /// When the checkpoint can't be read or isn't one.
    pub fn wait_for(&self, size: u64) -> Result<(), LogViewError> {
        for _ in 0..PAUSES {
            if self.published_size()? >= size {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Leaves covered by the checkpoint on disk; 0 before the first one.
    ///
    /// # Errors
    /// When it can't be read or isn't a checkpoint.
    pub fn published_size(&self) -> Result<u64, LogViewError> {
        self.catch_up();
        let Some(bytes): Option<Vec<u8>> = self.dir.checkpoint()? else {
            return Ok(0);
        };
        Ok(Checkpoint::parse(Note::parse(&bytes)?.text())?.size)
    }

    /// The checkpoint on disk, with what witnesses signed of that exact one; `None` before the first event.
    ///
    /// # Errors
    /// When it can't be read or isn't a checkpoint.
    pub fn head(&self) -> Result<Option<Note>, LogViewError> {
        self.catch_up();
        let Some(bytes) = self.dir.checkpoint()? else {
            return Ok(None);
        };
        self.cosigned(Note::parse(&bytes)?).map(Some)
    }

    /// The newest checkpoint that a witness cosigned, with its cosignatures. Taking one in is an event of its own, so this is
    /// never the newest checkpoint of all.
    ///
    /// # Errors
    /// When it can't be read or isn't a checkpoint.
    pub fn witnessed(&self) -> Result<Option<Note>, LogViewError> {
        let size = self.catalogue.read(log_edge::largest_anchor)?;
        let note = self
            .catalogue
            .read(|connection| log_edge::checkpoint(connection, size))?;
        note.map(|note| self.cosigned(Note::parse(note.as_bytes())?))
            .transpose()
    }

    fn cosigned(&self, mut note: Note) -> Result<Note, LogViewError> {
        let size = Checkpoint::parse(note.text())?.size;
        let anchors = self
            .catalogue
            .read(|connection| log_edge::cosignatures(connection, size))?;
        for (name, signature) in anchors {
            let bytes = STANDARD
                .decode(&signature)
                .map_err(|_| LogViewError::Anchor(size))?;
            let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(LogViewError::Anchor(size))?;
            note.add_signature(NoteSignature {
                name,
                id: KeyId(*id),
                bytes: bytes.to_vec(),
            })?;
        }
        Ok(note)
    }

    /// The bytes of a leaf exactly as they were hashed.
    ///
    /// # Errors
    /// When neither the catalogue's edge nor the files hold it.
    pub fn leaf(&self, index: u64) -> Result<Vec<u8>, LogViewError> {
        // Edge first: what was pruned from there was durable on disk before.
        if let Some(bytes) = self
            .catalogue
            .read(|connection| log_edge::leaves(connection, index, index + 1))?
            .pop()
        {
            return Ok(bytes);
        }
        let (number, at) = (index / WIDTH as u64, (index % WIDTH as u64) as usize);
        let mut cached = self.bundle.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.as_ref().is_none_or(|bundle| bundle.index != number) {
            let size = (number + 1)
                .checked_mul(WIDTH as u64)
                .ok_or(LogViewError::NoLeaf(index))?;
            let entries = match self.dir.entries(number, size) {
                Err(StoreError::Missing { .. }) => return Err(LogViewError::NoLeaf(index)),
                other => other?,
            };
            *cached = Some(Bundle {
                index: number,
                entries,
            });
        }
        cached
            .as_ref()
            .and_then(|bundle| bundle.entries.get(at))
            .cloned()
            .ok_or(LogViewError::NoLeaf(index))
    }

    /// The signed checkpoint of exactly `size` leaves.
    ///
    /// # Errors
    /// When no commit ended there.
    pub fn checkpoint(&self, size: u64) -> Result<Note, LogViewError> {
        let note = self
            .catalogue
            .read(|connection| log_edge::checkpoint(connection, size))?;
        Ok(Note::parse(
            note.ok_or(LogViewError::NoCheckpoint(size))?.as_bytes(),
        )?)
    }

    /// The hashes that prove a leaf in the published tree of `size` leaves.
    ///
    /// # Errors
    /// When a tile is missing or damaged.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogViewError> {
        self.catch_up();
        let prove = || inclusion_proof(index, size, &mut self.dir.reader(size));
        // A partial tile may give way to its full one between the two looks that a reader takes; the second try sees it.
        prove()
            .or_else(|_| prove())
            .map_err(|error| LogViewError::Proof { index, size, error })
    }
}
