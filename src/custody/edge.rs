//! Publishing: tiles, then the checkpoint, from what the catalogue holds of the log's right edge.
//!
//! The same call serves commits and a start after a crash: whatever of a committed tree isn't on disk is written, byte
//! for byte the same each time. [`super::publication`] says when.

use super::fence::{self, FenceError};
use crate::{
    catalog::{CatalogueError, log_edge},
    tlog::{
        merkle::{Hash, HashReader},
        store::{LogDir, StoreError},
        tile::{WIDTH, level_count, partial_width},
        tree::TreeTail,
        writer::{Durability, ExtendError, LogWriter},
    },
};
use rusqlite::Connection;
use std::path::PathBuf;

/// Why the log's files couldn't be brought up to the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log's folder refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The catalogue's edge has a hole.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The edge doesn't fit its checkpoint.
    #[error(transparent)]
    Tail(#[from] FenceError),
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

    /// Brings the files to the newest tree that the catalogue holds, and gives its size. Full tiles are durable then.
    ///
    /// # Errors
    /// When the folder or the catalogue refuses; a later call does the rest.
    pub fn publish(&mut self, connection: &Connection) -> Result<u64, PublishError> {
        let Some((size, note)) = log_edge::latest_checkpoint(connection)? else {
            return Ok(0);
        };
        let tail = fence::read_tail(connection)?;
        let from = self.published.max(log_edge::published_size(connection)?);
        let mut hashes = Edge {
            connection,
            tail: &tail,
        };
        let mut bundle = (0, Vec::new());
        let entry = |index: u64| {
            if bundle.1.is_empty() || index / WIDTH as u64 != bundle.0 / WIDTH as u64 {
                let first = index / WIDTH as u64 * WIDTH as u64;
                bundle = (first, log_edge::leaves(connection, first, first + WIDTH as u64)?);
            }
            let entry = index
                .checked_sub(bundle.0)
                .and_then(|at| bundle.1.get(usize::try_from(at).ok()?));
            Ok(entry.ok_or(EdgeError::Hole { what: "leaf", index })?.clone())
        };
        self.writer
            .extend(from, size, &mut hashes, entry, Durability::Lazy)?;
        self.writer.write_checkpoint(note.as_bytes(), Durability::Lazy)?;
        self.published = size;
        Ok(size)
    }
}

/// Hashes of the edge: the incomplete tiles from memory, the rest from the catalogue.
struct Edge<'a> {
    connection: &'a Connection,
    tail: &'a TreeTail,
}

impl HashReader for Edge<'_> {
    type Error = EdgeError;

    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, EdgeError> {
        let size = self.tail.size();
        let first = level_count(size, level) - partial_width(size, level) as u64;
        let held = index.checked_sub(first).and_then(|at| {
            self.tail
                .tails()
                .get(usize::from(level))?
                .get(usize::try_from(at).ok()?)
        });
        match held {
            Some(hash) => Ok(*hash),
            None => log_edge::hashes(self.connection, level, index, index + 1)?
                .pop()
                .ok_or(EdgeError::Hole { what: "hash", index }),
        }
    }
}
