//! What people see over SFTP besides the inbox: receipts, the log, reports, tasks, evidence under their grants, and where a
//! witness drops a checkpoint.
//!
//! Everything here is made from the catalogue, the log and the store when it is asked for; nothing is kept.
//! Invariant: a path that isn't in a view's own small grammar is "no such file", whatever lies on the disk.

pub mod evidence;
pub mod file;
pub mod log;
pub mod mount;
pub mod readme;
pub mod receipts;
pub mod reports;
pub mod shelf;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod witness;

use crate::sftp::space::{SpaceError, SpaceErrorKind};

fn no_such_file() -> SpaceError {
    SpaceError::new(SpaceErrorKind::NoSuchFile, "no such file")
}

fn denied(words: impl Into<String>) -> SpaceError {
    SpaceError::new(SpaceErrorKind::PermissionDenied, words)
}

/// Detail to the operators, plain words to the client.
fn unavailable(error: impl std::fmt::Display) -> SpaceError {
    tracing::error!(%error, "a view couldn't be read");
    SpaceError::new(
        SpaceErrorKind::Failure,
        "this can't be read at the moment; nothing was lost. Try again, and tell your IT if it stays",
    )
}
