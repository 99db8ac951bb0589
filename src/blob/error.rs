//! What can go wrong on the store, by what the caller does about it.
//!
//! It must never name a customer: messages go to the log, so a place is told by its label (see `Layout::label`).

use std::io;

use super::LayoutError;

/// A failure of the store at one place.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No room, or over quota. Try again when there is.
    #[error("the store is full: no room for {place}")]
    NoSpace {
        /// Label of the place.
        place: String,
    },
    /// The file system or its permissions refuse writes. Somebody must look.
    #[error("the store refuses to write {place}: {source}")]
    ReadOnly {
        /// Label of the place.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The place is taken by something else. Nothing was overwritten.
    #[error("{place} is taken by something else; nothing was overwritten")]
    AlreadyDifferent {
        /// Label of the place.
        place: String,
    },
    /// Nothing is there.
    #[error("{place} is missing")]
    Missing {
        /// Label of the place.
        place: String,
    },
    /// What is there has another length than the caller sealed.
    #[error("{place} has {found_bytes} bytes instead of {expected_bytes}")]
    WrongSize {
        /// Label of the place.
        place: String,
        /// Length it should have, in bytes.
        expected_bytes: u64,
        /// Length it has, in bytes.
        found_bytes: u64,
    },
    /// An id from which no path is made.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Anything else.
    #[error("the store failed at {place}: {source}")]
    Io {
        /// Label of the place.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BlobError {
    /// Sorts a system error at a place.
    pub(super) fn new(place: String, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { place },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { place, source }
            }
            io::ErrorKind::AlreadyExists => Self::AlreadyDifferent { place },
            io::ErrorKind::NotFound => Self::Missing { place },
            _ => Self::Io { place, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn system_errors_are_sorted_by_what_to_do() {
        let sorted = |errno: Errno| BlobError::new("x".into(), errno.into());
        assert!(matches!(sorted(Errno::NOSPC), BlobError::NoSpace { .. }));
        assert!(matches!(sorted(Errno::DQUOT), BlobError::NoSpace { .. }));
        assert!(matches!(sorted(Errno::ROFS), BlobError::ReadOnly { .. }));
        assert!(matches!(sorted(Errno::ACCESS), BlobError::ReadOnly { .. }));
        assert!(matches!(sorted(Errno::PERM), BlobError::ReadOnly { .. }));
        assert!(matches!(sorted(Errno::EXIST), BlobError::AlreadyDifferent { .. }));
        assert!(matches!(sorted(Errno::NOENT), BlobError::Missing { .. }));
        assert!(matches!(sorted(Errno::IO), BlobError::Io { .. }));
    }
}
