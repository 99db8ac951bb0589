//! The rollback fence: nothing is signed unless the catalogue holds at least what was published before.
//!
//! A catalogue put back from an old backup would sign a second history under the same key, a fork of our own making. So
//! at every start the newest checkpoint on disk and every witness's anchor are held against it.

use crate::{
    catalog::{Catalogue, CatalogueError, log_edge},
    tlog::{
        checkpoint,
        checkpoint::Checkpoint,
        key::VerifierKey,
        note::Note,
        store::{LogDir, StoreError},
        tile::{LEVELS, level_count, partial_width},
        tree::{TailError, TreeTail},
    },
};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// Why the log may not be signed.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The published log is ahead of the catalogue.
    #[error(
        "the published log has {published} events, the catalogue only {held}: the catalogue was put back to an older state. \
         Nothing is signed, or the log would fork. Restore the newest catalog.db, or run `muniment rebuild`"
    )]
    RolledBack {
        /// Size of the published checkpoint, or of the largest anchor.
        published: u64,
        /// Size the catalogue holds.
        held: u64,
    },
    /// The log was stopped before.
    #[error(
        "the log was stopped: {reason}. Find out what happened before anything is signed; then remove {file}"
    )]
    Stopped {
        /// Why.
        reason: String,
        /// The file that says so.
        file: PathBuf,
    },
    /// The published log and the catalogue disagree about the same size.
    #[error(
        "the published checkpoint of {size} events isn't the one in the catalogue: one of the two was exchanged. \
         Nothing is signed; compare with a receipt or a witness's copy, then restore the right one"
    )]
    Fork {
        /// The size they disagree about.
        size: u64,
    },
    /// Full tiles exist, yet no checkpoint does.
    #[error(
        "log/checkpoint is missing although {durable} events were published: restore it from a copy of the log"
    )]
    CheckpointMissing {
        /// Events in durable tiles.
        durable: u64,
    },
    /// The edge isn't what the catalogue's own checkpoint says.
    #[error(
        "the catalogue's edge of the log doesn't give the root of its own checkpoint: catalog.db is damaged; `muniment rebuild`"
    )]
    EdgeDamaged,
    /// The edge has a wrong number of hashes.
    #[error("the catalogue's edge of the log is damaged ({0}); `muniment rebuild`")]
    Tail(#[from] TailError),
    /// A checkpoint isn't what it should be.
    #[error("the checkpoint in {place} is refused: {error}")]
    Checkpoint {
        /// `log/checkpoint` or `catalog.db`.
        place: &'static str,
        /// Why.
        error: String,
    },
    /// SQLite refuses.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The log's folder refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was committed couldn't be published.
    #[error("the log couldn't be published: {0}")]
    Publish(String),
    /// A file couldn't be read or the thread not started.
    #[error("the sequencer couldn't start: {0}")]
    Io(std::io::Error),
}

/// Checks the fence and gives the edge to go on from.
///
/// # Errors
/// When the log may not be signed; the message says what to do.
pub fn check(
    connection: &Connection,
    dir: &LogDir,
    verifier: &VerifierKey,
    stopped_file: &Path,
) -> Result<TreeTail, FenceError> {
    match std::fs::read_to_string(stopped_file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(FenceError::Io(error)),
        Ok(reason) => {
            return Err(FenceError::Stopped {
                reason,
                file: stopped_file.to_owned(),
            });
        }
    }
    let tail = read_tail(connection)?;
    let held = tail.size();
    if let Some((size, note)) = log_edge::latest_checkpoint(connection)? {
        let own = open("catalog.db", note.as_bytes(), verifier)?;
        if own.size != size || own.size != held || own.root != tail.root() {
            return Err(FenceError::EdgeDamaged);
        }
    }
    let anchored = log_edge::largest_anchor(connection)?;
    if anchored > held {
        return Err(FenceError::RolledBack {
            published: anchored,
            held,
        });
    }
    match dir.checkpoint()? {
        None => {
            let durable = log_edge::published_size(connection)?;
            if durable > 0 {
                return Err(FenceError::CheckpointMissing { durable });
            }
        }
        Some(bytes) => {
            let published = open("log/checkpoint", &bytes, verifier)?;
            if published.size > held {
                return Err(FenceError::RolledBack {
                    published: published.size,
                    held,
                });
            }
            let known = log_edge::checkpoint(connection, published.size)?;
            let same = match known {
                Some(note) => open("catalog.db", note.as_bytes(), verifier)?.root == published.root,
                None => false,
            };
            if !same {
                return Err(FenceError::Fork { size: published.size });
            }
        }
    }
    Ok(tail)
}

fn open(place: &'static str, bytes: &[u8], verifier: &VerifierKey) -> Result<Checkpoint, FenceError> {
    let refused = |error: String| FenceError::Checkpoint { place, error };
    let note = Note::parse(bytes).map_err(|error| refused(error.to_string()))?;
    let opened = checkpoint::open_note(&note, verifier, &[]).map_err(|error| refused(error.to_string()))?;
    Ok(opened.checkpoint)
}

/// Reads the incomplete tiles at the right edge.
///
/// # Errors
/// When they don't fit the size of the newest checkpoint.
pub fn read_tail(connection: &Connection) -> Result<TreeTail, FenceError> {
    let size = log_edge::latest_checkpoint(connection)?.map_or(0, |(size, _)| size);
    let mut tails = Vec::with_capacity(LEVELS);
    for level in 0..LEVELS as u8 {
        let count = level_count(size, level);
        let first = count - partial_width(size, level) as u64;
        tails.push(log_edge::hashes(connection, level, first, count)?);
    }
    Ok(TreeTail::from_parts(size, tails)?)
}

/// What is wrong with the catalogue's copy of the log's right edge, held against itself and the log on disk. A running
/// server may commit meanwhile: the log is read first, so the catalogue can only be ahead of it.
///
/// # Errors
/// When SQLite refuses; then nothing was compared.
pub fn edge_findings(
    catalogue: &Catalogue,
    dir: &LogDir,
    verifier: &VerifierKey,
) -> Result<Vec<String>, CatalogueError> {
    let published = match dir.checkpoint() {
        Ok(bytes) => bytes.and_then(|bytes| open("log/checkpoint", &bytes, verifier).ok()),
        Err(error) => return Ok(vec![error.to_string()]),
    };
    catalogue.read(|connection| {
        let mut found = Vec::new();
        let tail = match read_tail(connection) {
            Ok(tail) => tail,
            Err(error) => return Ok(vec![error.to_string()]),
        };
        match log_edge::latest_checkpoint(connection)? {
            None if tail.size() == 0 => {}
            None => found.push("there is no checkpoint".to_owned()),
            Some((size, note)) => match open("catalog.db", note.as_bytes(), verifier) {
                Err(error) => found.push(error.to_string()),
                Ok(own) if own.size != size || own.root != tail.root() => {
                    found.push(FenceError::EdgeDamaged.to_string());
                }
                Ok(_) => {}
            },
        }
        let Some(published) = published else {
            return Ok(found);
        };
        if published.size > tail.size() {
            let (published, held) = (published.size, tail.size());
            found.push(FenceError::RolledBack { published, held }.to_string());
        }
        let first = log_edge::published_size(connection)?;
        for index in first..published.size.min(tail.size()) {
            let held = log_edge::leaves(connection, index, index + 1)?.pop();
            let logged = dir.leaves(index..index + 1, published.size).next();
            match (held, logged) {
                (Some(held), Some(Ok((_, logged)))) if held == logged => {}
                (None, _) => found.push(format!("log_leaf {index} is missing")),
                // What can't be read from the log is the log's own finding.
                (Some(_), Some(Err(_)) | None) => {}
                (Some(_), Some(Ok(_))) => {
                    found.push(format!("log_leaf {index} isn't the event that was logged"))
                }
            }
        }
        Ok(found)
    })
}
