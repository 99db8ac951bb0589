//! Room on the file system that holds a vault.

use super::{BlobError, Layout};

/// Space and inodes, as `statvfs` tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultCapacity {
    /// Size of the blocks below, in bytes (`f_frsize`).
    pub block_size_bytes: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Blocks free to an unprivileged process.
    pub blocks_available: u64,
    /// Inodes in all; 0 on file systems that make them as needed.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
    /// Inodes free to an unprivileged process.
    pub inodes_available: u64,
}

impl VaultCapacity {
    /// Bytes that may still be written.
    pub fn available_bytes(&self) -> u64 {
        self.blocks_available.saturating_mul(self.block_size_bytes)
    }
}

/// Room on the vault's file system now.
pub fn capacity(layout: &Layout) -> Result<VaultCapacity, BlobError> {
    let numbers = rustix::fs::statvfs(layout.root())
        .map_err(|error| BlobError::new(layout.label(layout.root()), error.into()))?;
    Ok(VaultCapacity {
        block_size_bytes: numbers.f_frsize,
        blocks: numbers.f_blocks,
        blocks_free: numbers.f_bfree,
        blocks_available: numbers.f_bavail,
        inodes: numbers.f_files,
        inodes_free: numbers.f_ffree,
        inodes_available: numbers.f_favail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_has_room_and_a_missing_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let found = capacity(&Layout::new(folder.path())).unwrap();
        assert!(found.block_size_bytes >= 512 && found.available_bytes() > 0);
        assert!(found.blocks >= found.blocks_free && found.blocks_free >= found.blocks_available);
        let missing = capacity(&Layout::new(folder.path().join("none")));
        assert!(matches!(missing, Err(BlobError::Missing { .. })));
    }
}
