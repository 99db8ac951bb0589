//! One process writes a vault at a time.
//!
//! Invariant: the lock goes with the process, however it ends; the text in the file is for people and proves nothing.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::Layout;

/// The right to write a vault, until dropped.
#[derive(Debug)]
pub struct VaultLock {
    _file: File,
}

/// Why the lock can't be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("this vault is in use by {holder}; let it end first, or ask it")]
    Held {
        /// What the holder wrote about itself.
        holder: String,
    },
    /// The lock file can't be used.
    #[error("the vault's lock file can't be used")]
    Io(#[from] io::Error),
}

impl VaultLock {
    /// Takes the lock or fails at once. `purpose` tells people who has it, for instance `muniment serve`.
    pub fn acquire(layout: &Layout, purpose: &str) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options.open(layout.lock())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = Vec::new();
                file.take(200).read_to_end(&mut holder)?;
                let holder = String::from_utf8_lossy(&holder).trim().to_owned();
                let unnamed = holder.is_empty();
                return Err(LockError::Held {
                    holder: if unnamed { "another process".into() } else { holder },
                });
            }
            Err(error) => return Err(io::Error::from(error).into()),
        }
        file.set_len(0)?;
        writeln!(file, "process {} ({purpose})", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_second_learns_who() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let first = VaultLock::acquire(&layout, "muniment serve").unwrap();
        let refused = VaultLock::acquire(&layout, "muniment rebuild")
            .unwrap_err()
            .to_string();
        let expected = format!("process {} (muniment serve)", std::process::id());
        assert!(refused.contains(&expected), "{refused}");
        drop(first);
        VaultLock::acquire(&layout, "muniment rebuild").unwrap();
        assert!(matches!(
            VaultLock::acquire(&Layout::new(folder.path().join("none")), "x"),
            Err(LockError::Io(_))
        ));
    }
}
