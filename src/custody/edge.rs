//! Publishing: tiles, then the checkpoint, from what the catalogue holds of the log's right edge.
//!
//! The same call serves a commit and a start after a crash: whatever of a committed tree isn't on disk is written, byte
//! for byte the same each time.

use crate::{
    catalog::{CatalogueError, log_edge},
    tlog::{
        merkle::{Hash, HashReader},
        store::{LogDir, StoreError},
        tile::{level_count, partial_width},
        tree::TreeTail,
        writer::{Durability, ExtendError, LogWriter},
    },
};
use rusqlite::Connection;
use std::{collections::VecDeque, path::PathBuf};

/// Leaves kept in memory for the partial bundle: at most one bundle and one group.
const RECENT_LEAVES: usize = 512;

/// Why the log's files couldn't be brought up to the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log's folder refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalogue's edge can't be read or has a hole.
    #[error(transparent)]
    Edge(#[from] EdgeError),
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
    recent: VecDeque<(u64, Vec<u8>)>,
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
            recent: VecDeque::new(),
        })
    }

    /// The folder, to read from.
    pub fn log_dir(&self) -> &LogDir {
        self.writer.dir()
    }

    /// Hands over a leaf that was just committed, so that it needn't be read again.
    pub fn remember(&mut self, index: u64, bytes: Vec<u8>) {
        if self.recent.len() == RECENT_LEAVES {
            self.recent.pop_front();
        }
        self.recent.push_back((index, bytes));
    }

    /// Lets go of leaves whose commit failed.
    pub fn forget_recent(&mut self) {
        self.recent.clear();
    }

    /// Brings the files from `durable` leaves, or what this process published before, to the tree of `tail`.
    ///
    /// # Errors
    /// When the folder or the catalogue refuses; a later call does the rest.
    pub fn publish(
        &mut self,
        connection: &Connection,
        tail: &TreeTail,
        durable: u64,
        note: &str,
    ) -> Result<(), PublishError> {
        let from = self.published.max(durable);
        let mut hashes = Edge { connection, tail };
        let recent = &self.recent;
        let entry = |index: u64| {
            let first = recent.front().map_or(u64::MAX, |(first, _)| *first);
            let cached = index
                .checked_sub(first)
                .and_then(|at| recent.get(usize::try_from(at).ok()?));
            match cached.filter(|(at, _)| *at == index) {
                Some((_, bytes)) => Ok(bytes.clone()),
                None => log_edge::leaves(connection, index, index + 1)?
                    .pop()
                    .ok_or(EdgeError::Hole { what: "leaf", index }),
            }
        };
        self.writer
            .extend(from, tail.size(), &mut hashes, entry, Durability::Lazy)?;
        self.writer.write_checkpoint(note.as_bytes(), Durability::Lazy)?;
        self.published = tail.size();
        Ok(())
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
