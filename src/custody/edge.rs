//! Publishing: tiles, then the checkpoint, from what the catalogue holds of the log's right edge.
//!
//! A thread of its own does it, so that no commit waits for the log's files: soon after a commit, and at once when somebody
//! is about to look ([`Published::catch_up`]). It goes by the catalogue alone, so the same call serves a start after a crash:
//! whatever of a committed tree isn't on disk is written, byte for byte the same each time.
//!
//! Invariants: what is published was committed before; what [`Publisher::publish`] calls durable is in full tiles on the disk.

use crate::{
    catalog::{Catalogue, CatalogueError, log_edge},
    tlog::{
        merkle::{Hash, HashReader},
        store::{LogDir, StoreError},
        tile::{WIDTH, level_count},
        writer::{Durability, ExtendError, LogWriter},
    },
};
use rusqlite::Connection;
use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// From one publication to the next while commits come one after the other: each writes the incomplete tiles anew.
const PAUSE: Duration = Duration::from_millis(50);
/// Before a publication that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Why the log's files couldn't be brought up to the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log's folder refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A tile couldn't be written.
    #[error(transparent)]
    Extend(#[from] ExtendError<EdgeError>),
}

/// Why a hash or leaf of the edge can't be had.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// SQLite refuses.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// It isn't there.
    #[error(
        "the catalogue lacks {what} {index} of the log's edge: restore catalog.db, or `muniment rebuild`"
    )]
    Hole {
        /// `leaf` or `hash`.
        what: &'static str,
        /// Its position.
        index: u64,
    },
}

/// Writes the log's files.
pub struct Publisher {
    writer: LogWriter,
    /// Tree size the files on disk are known to have; 0 until the first publication of this process.
    published: u64,
}

/// What a publication came to, in leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The published checkpoint's size.
    pub published: u64,
    /// What the catalogue was told before is durable in full tiles.
    pub pruned: u64,
}

impl Reach {
    /// What the catalogue's edge can let go of, if there is more of it than it knows.
    pub fn prunable(self) -> Option<u64> {
        (self.published / WIDTH as u64 > self.pruned / WIDTH as u64).then_some(self.published)
    }
}

impl Publisher {
    /// A publisher into the vault's log folder.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new(log: PathBuf) -> Result<Self, StoreError> {
        Ok(Publisher {
            writer: LogWriter::create(log)?,
            published: 0,
        })
    }

    /// The folder, to read from.
    pub fn log_dir(&self) -> &LogDir {
        self.writer.dir()
    }

    /// Brings the files to the catalogue's newest checkpoint. Full tiles are durable when this returns.
    ///
    /// # Errors
    /// When the folder or the catalogue refuses; a later call does the rest.
    pub fn publish(&mut self, connection: &Connection) -> Result<Reach, PublishError> {
        let Some((size, note)) = log_edge::latest_checkpoint(connection)? else {
            return Ok(Reach::default());
        };
        let pruned = log_edge::published_size(connection)?;
        let reach = Reach {
            published: size,
            pruned,
        };
        if size == self.published {
            return Ok(reach);
        }
        let mut hashes = Hashes {
            connection,
            size,
            row: Row::default(),
        };
        let mut leaves = Row::default();
        let entry = |index| {
            leaves.get("leaf", 0, index, size, |from, to| {
                log_edge::leaves(connection, from, to)
            })
        };
        let from = self.published.max(pruned);
        self.writer
            .extend(from, size, &mut hashes, entry, Durability::Lazy)?;
        self.writer.write_checkpoint(note.as_bytes(), Durability::Lazy)?;
        self.published = size;
        Ok(reach)
    }
}

/// The catalogue's rows of one tile, read together.
struct Row<T> {
    level: u8,
    first: u64,
    values: Vec<T>,
}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Row {
            level: 0,
            first: 0,
            values: Vec::new(),
        }
    }
}

impl<T: Clone> Row<T> {
    /// The value at `index` of a level in a tree of `size` leaves. A row with a hole gives none.
    fn get(
        &mut self,
        what: &'static str,
        level: u8,
        index: u64,
        size: u64,
        read: impl FnOnce(u64, u64) -> Result<Vec<T>, CatalogueError>,
    ) -> Result<T, EdgeError> {
        let hole = || EdgeError::Hole { what, index };
        let first = index - index % WIDTH as u64;
        if self.values.is_empty() || (self.level, self.first) != (level, first) {
            let end = level_count(size, level).min(first + WIDTH as u64);
            let values = read(first, end)?;
            if values.len() as u64 != end.saturating_sub(first) {
                return Err(hole());
            }
            *self = Row { level, first, values };
        }
        let at = usize::try_from(index - first).map_err(|_| hole())?;
        self.values.get(at).cloned().ok_or_else(hole)
    }
}

/// The hashes of the edge, for the writer of tiles.
struct Hashes<'a> {
    connection: &'a Connection,
    size: u64,
    row: Row<Hash>,
}

impl HashReader for Hashes<'_> {
    type Error = EdgeError;

    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, EdgeError> {
        let connection = self.connection;
        self.row.get("hash", level, index, self.size, |from, to| {
            log_edge::hashes(connection, level, from, to)
        })
    }
}

#[derive(Default)]
struct State {
    committed: u64,
    published: u64,
    /// Somebody waits for it.
    urgent: bool,
    /// Attempts that ended in an error.
    failures: u64,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is committed and what of it is published: for the sequencer, which says the first, and for readers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Published(Arc<Shared>);

impl Published {
    /// Says that the tree has `size` leaves now.
    pub(super) fn committed(&self, size: u64) {
        let mut state = self.0.lock();
        let idle = state.committed <= state.published;
        state.committed = size;
        if idle {
            self.0.changed.notify_all();
        }
    }

    /// Waits until everything that was committed before the call is published, or an attempt at it failed.
    pub fn catch_up(&self) {
        let mut state = self.0.lock();
        let (wanted, failures) = (state.committed, state.failures);
        while state.published < wanted && state.failures == failures && !state.stopped {
            if !state.urgent {
                state.urgent = true;
                self.0.changed.notify_all();
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The publisher's thread.
pub struct Publication {
    published: Published,
    thread: Option<JoinHandle<()>>,
}

impl Publication {
    /// Starts the thread for a publisher that is up to date with `size` leaves. `durable` is told when the catalogue's edge
    /// can let go of something.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(
        mut publisher: Publisher,
        catalogue: Catalogue,
        size: u64,
        durable: impl Fn(u64) + Send + 'static,
    ) -> std::io::Result<Self> {
        let published = Published::default();
        {
            let mut state = published.0.lock();
            (state.committed, state.published) = (size, size);
        }
        let shared = published.0.clone();
        let thread = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || {
                let mut earliest = Instant::now();
                while let Some(is_last) = wait_for_work(&shared, earliest) {
                    let outcome = catalogue
                        .read(|connection| Ok(publisher.publish(connection)))
                        .map_err(PublishError::from)
                        .flatten();
                    let mut state = shared.lock();
                    state.urgent = false;
                    let pause = match outcome {
                        Ok(reach) => {
                            state.published = reach.published;
                            // Not under the lock: the sequencer, which takes it, may have a full queue.
                            drop(state);
                            reach.prunable().into_iter().for_each(&durable);
                            PAUSE
                        }
                        Err(error) => {
                            state.failures += 1;
                            drop(state);
                            tracing::error!(%error, "the log's tiles couldn't be written; that is tried again");
                            RETRY
                        }
                    };
                    shared.changed.notify_all();
                    if is_last {
                        return;
                    }
                    earliest = Instant::now() + pause;
                }
            })?;
        Ok(Publication {
            published,
            thread: Some(thread),
        })
    }

    /// For the sequencer and for readers.
    pub fn published(&self) -> Published {
        self.published.clone()
    }

    /// Publishes what was committed before, and ends the thread.
    pub fn stop(&mut self) {
        self.published.0.lock().stopped = true;
        self.published.0.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until there is something to publish, and not before `earliest` unless somebody waits for it. Says whether that is
/// the last time; `None` at the end.
fn wait_for_work(shared: &Shared, earliest: Instant) -> Option<bool> {
    let mut state = shared.lock();
    loop {
        let is_due = state.committed > state.published;
        if state.stopped {
            return is_due.then_some(true);
        }
        let left = earliest.saturating_duration_since(Instant::now());
        if is_due && (state.urgent || left.is_zero()) {
            return Some(false);
        }
        state = if is_due {
            let waited = shared.changed.wait_timeout(state, left);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner)
        };
    }
}
