//! The file in which a custodian keeps identities, plain or under a passphrase: read within bounds, and opened.
//!
//! Invariant: what was read is wiped when it is dropped, and no error repeats any of it.

use crate::crypto::{
    Identity, Passphrase,
    protected::{self, MAX_IDENTITY_FILE_BYTES, ProtectedError},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use zeroize::Zeroizing;

/// Why an identity file gives no identities.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It doesn't open.
    #[error(transparent)]
    Protected(#[from] ProtectedError),
}

/// An identity file as it was read.
pub struct IdentityFile(Zeroizing<Vec<u8>>);

impl IdentityFile {
    /// Reads a file; of a larger one than identities need only the beginning, which then doesn't open.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let limit = MAX_IDENTITY_FILE_BYTES + 1;
        // All the room at once: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
        File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Whether a passphrase is needed.
    pub fn is_protected(&self) -> bool {
        protected::is_protected(&self.0)
    }

    /// The identities in it. One that needs a passphrase takes about a second and 256 MiB.
    ///
    /// # Errors
    /// When the passphrase is missing or wrong, or the file is none.
    pub fn open(&self, passphrase: Option<&Passphrase>) -> Result<Vec<Identity>, ProtectedError> {
        protected::open(&self.0, passphrase)
    }
}

/// Reads and opens.
///
/// # Errors
/// Like [`IdentityFile::read`] and [`IdentityFile::open`].
pub fn open(path: &Path, passphrase: Option<&Passphrase>) -> Result<Vec<Identity>, IdentityFileError> {
    Ok(IdentityFile::read(path)?.open(passphrase)?)
}
