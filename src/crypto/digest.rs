//! Digests of evidence as it streams: SHA-256 of the whole original, BLAKE3 of the body that lies on disk.
//!
//! It must never hold the bytes: memory is a few hundred bytes, whatever the length.
//!
//! A part of a file is proved by what lies on disk: BLAKE3 is itself a Merkle tree, over 1 KiB of the body, so a chunk of the
//! body and its siblings' chaining values lead to `stored_blake3`, and the file key opens the chunk. Leaves of earlier vaults
//! carry a root over the original besides ([`ChunkTree`]), which cost every large upload a second pass of SHA-256 (0.64 s of CPU
//! a GB): it is verified where it stands, and no longer written.
//!
//! Invariant: the same bytes give the same digests however they were cut into updates.

use ring::digest::{Context, SHA256};

use super::chunk_tree::{ChunkTree, value};

/// A SHA-256 or BLAKE3 value.
pub type Hash = [u8; 32];

/// Only originals of this many bytes and more have a chunk root.
pub const CHUNK_ROOT_FROM_BYTES: u64 = 64 * 1024 * 1024;

/// What is known of an original after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginalDigests {
    /// Length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the whole.
    pub sha256: Hash,
    /// Root over its chunks, where it was asked for and the original is large enough.
    pub chunk_root: Option<Hash>,
}

/// Digests of an original as it streams.
#[derive(Clone)]
pub struct Digests {
    whole: Context,
    size_bytes: u64,
    tree: Option<ChunkTree>,
}

impl Default for Digests {
    fn default() -> Self {
        Self::new()
    }
}

impl Digests {
    /// Begins, for what is written today.
    pub fn new() -> Self {
        Self {
            whole: Context::new(&SHA256),
            size_bytes: 0,
            tree: None,
        }
    }

    /// Begins, for verifying what an earlier vault wrote: with the root over chunks, at twice the cost.
    pub fn with_chunk_root() -> Self {
        Self {
            tree: Some(ChunkTree::new()),
            ..Self::new()
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
        let tree = self.tree.filter(|_| self.size_bytes >= CHUNK_ROOT_FROM_BYTES);
        OriginalDigests {
            size_bytes: self.size_bytes,
            sha256: value(self.whole),
            chunk_root: tree.map(ChunkTree::finish),
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
        let mut digests = Digests::new();
        digests.update(b"a");
        digests.update(b"bc");
        let done = digests.finish();
        assert_eq!(
            hex::encode(done.sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!((done.size_bytes, done.chunk_root), (3, None));
        let mut stored = StoredDigest::new();
        stored.update(b"abc");
        assert_eq!(
            hex::encode(stored.finish()),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn a_root_appears_at_the_threshold_and_only_where_it_is_asked_for() {
        let block = vec![7; TREE_CHUNK_BYTES];
        let root = |mut digests: Digests, bytes: u64| {
            for _ in 0..bytes / block.len() as u64 {
                digests.update(&block);
            }
            digests.update(&block[..(bytes % block.len() as u64) as usize]);
            assert_eq!(digests.size_bytes(), bytes);
            digests.finish().chunk_root
        };
        assert_eq!(root(Digests::with_chunk_root(), CHUNK_ROOT_FROM_BYTES - 1), None);
        let mut tree = ChunkTree::new();
        (0..64).for_each(|_| tree.update(&block));
        let expected = Some(tree.finish());
        assert_eq!(root(Digests::with_chunk_root(), CHUNK_ROOT_FROM_BYTES), expected);
        assert_eq!(root(Digests::new(), CHUNK_ROOT_FROM_BYTES), None);
    }

    /// What FORMAT.md says of a part: 1 MiB of a body, the values beside its way up, and nothing else of the body.
    #[test]
    fn a_part_of_a_stored_body_is_proved_by_the_tree_inside_blake3() {
        use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
        const PART: usize = 1 << 20;
        let body: Vec<u8> = (0..4 * PART - 777).map(|i| (i * 31 + i / 251) as u8).collect();
        let mut stored = StoredDigest::new();
        body.chunks(262_208).for_each(|piece| stored.update(piece));
        let subtree = |index: usize, bytes: &[u8]| {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset((index * PART) as u64);
            hasher.update(bytes);
            hasher.finalize_non_root()
        };
        let parts: Vec<_> = body
            .chunks(PART)
            .enumerate()
            .map(|(i, part)| subtree(i, part))
            .collect();
        let proof = [
            parts[3],
            merge_subtrees_non_root(&parts[0], &parts[1], Mode::Hash),
        ];
        let prove = |index, part: &[u8]| {
            let right = merge_subtrees_non_root(&subtree(index, part), &proof[0], Mode::Hash);
            *merge_subtrees_root(&proof[1], &right, Mode::Hash).as_bytes()
        };
        assert_eq!(prove(2, &body[2 * PART..3 * PART]), stored.finish());
        assert_ne!(prove(2, &body[PART..2 * PART]), stored.finish());
        assert_ne!(prove(1, &body[2 * PART..3 * PART]), stored.finish());
    }
}
