//! Digests of evidence as it streams: SHA-256 of the whole, and for large files the root of a Merkle tree (RFC 6962,
//! section 2.1) over chunks of 1 MiB, by which a range can be proved without the rest. BLAKE3 for what lies on disk.
//!
//! It must never hold the bytes: memory is a few hundred bytes, whatever the length.
//!
//! Choice: whether a file reaches [`CHUNK_ROOT_FROM_BYTES`] is known only at its end, and the first chunks can't be hashed
//! later without keeping or reading them again. So without a hint the tree is built from the first byte, which for a file
//! that ends below the threshold was one SHA-256 pass too many (0.64 s of CPU a GB; 0.3 ms for a scan page of 0.5 MB). A
//! caller who knows the size says so and pays nothing. If it was wrong, [`ChunkRoot::Missing`] says that the body has to
//! be read once more, through [`ChunkTree`].
//!
//! Invariant: the same bytes give the same digests however they were cut into updates.

use ring::digest::{Context, SHA256};

use super::chunk_tree::{ChunkTree, value};

/// A SHA-256 or BLAKE3 value.
pub type Hash = [u8; 32];

/// Files of this many bytes and more get a chunk root.
pub const CHUNK_ROOT_FROM_BYTES: u64 = 64 * 1024 * 1024;

/// Whether a file has a chunk root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkRoot {
    /// The file is shorter than [`CHUNK_ROOT_FROM_BYTES`].
    BelowThreshold,
    /// The root.
    Root(Hash),
    /// The file should have one, but was expected to be short: read it again into a [`ChunkTree`].
    Missing,
}

/// What is known of an original after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginalDigests {
    /// Length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the whole.
    pub sha256: Hash,
    /// Root over its chunks.
    pub chunk_root: ChunkRoot,
}

/// Digests of an original as it streams.
#[derive(Clone)]
pub struct Digests {
    whole: Context,
    size_bytes: u64,
    tree: Option<ChunkTree>,
}

impl Digests {
    /// Begins. `expected_bytes` is the length, if a declaration or the client told it; it decides about cost, not about
    /// right or wrong.
    pub fn new(expected_bytes: Option<u64>) -> Self {
        let wanted = expected_bytes.is_none_or(|bytes| bytes >= CHUNK_ROOT_FROM_BYTES);
        Self {
            whole: Context::new(&SHA256),
            size_bytes: 0,
            tree: wanted.then(ChunkTree::new),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        if let Some(tree) = &mut self.tree {
            tree.update(bytes);
        }
    }

    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The digests of all that was taken.
    pub fn finish(self) -> OriginalDigests {
        let chunk_root = match self.tree {
            _ if self.size_bytes < CHUNK_ROOT_FROM_BYTES => ChunkRoot::BelowThreshold,
            Some(tree) => ChunkRoot::Root(tree.finish()),
            None => ChunkRoot::Missing,
        };
        OriginalDigests {
            size_bytes: self.size_bytes,
            sha256: value(self.whole),
            chunk_root,
        }
    }
}

/// BLAKE3 of a body as it lies on disk (salt, ciphertext and tags): what fixity checks recompute without any key.
#[derive(Clone, Default)]
pub struct StoredDigest(blake3::Hasher);

impl StoredDigest {
    /// Begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(&self) -> Hash {
        *self.0.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::chunk_tree::TREE_CHUNK_BYTES, domain::hex};

    #[test]
    fn sha256_and_blake3_of_known_texts() {
        let mut digests = Digests::new(None);
        digests.update(b"a");
        digests.update(b"bc");
        let done = digests.finish();
        assert_eq!(
            hex::encode(done.sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!((done.size_bytes, done.chunk_root), (3, ChunkRoot::BelowThreshold));
        let mut stored = StoredDigest::new();
        stored.update(b"abc");
        assert_eq!(
            hex::encode(stored.finish()),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn a_root_appears_at_the_threshold_and_a_wrong_hint_is_told() {
        let block = vec![7; TREE_CHUNK_BYTES];
        let hash = |expected, bytes: u64| {
            let mut digests = Digests::new(expected);
            for _ in 0..bytes / block.len() as u64 {
                digests.update(&block);
            }
            digests.update(&block[..(bytes % block.len() as u64) as usize]);
            assert_eq!(digests.size_bytes(), bytes);
            digests.finish().chunk_root
        };
        assert_eq!(hash(None, CHUNK_ROOT_FROM_BYTES - 1), ChunkRoot::BelowThreshold);
        let mut tree = ChunkTree::new();
        (0..64).for_each(|_| tree.update(&block));
        let root = tree.finish();
        assert_eq!(hash(None, CHUNK_ROOT_FROM_BYTES), ChunkRoot::Root(root));
        assert_eq!(hash(Some(u64::MAX), CHUNK_ROOT_FROM_BYTES), ChunkRoot::Root(root));
        assert_eq!(hash(Some(5), CHUNK_ROOT_FROM_BYTES), ChunkRoot::Missing);
    }
}
