//! RFC 6962 §2.1 trees over SHA-256: hashing, checking proofs, making proofs.
//!
//! Knows hashes and positions, never files or signatures. Every check is total: any sizes, any proof, no panic.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use std::fmt;

/// A SHA-256 hash in the tree: of a leaf, of a node, or the root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The root of a tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

impl Hash {
    /// Reads standard padded base64 of exactly 32 bytes, as checkpoints and proofs print hashes.
    pub fn from_base64(text: &str) -> Option<Self> {
        // 32 bytes are 44 characters; longer text is not worth decoding.
        if text.len() != 44 {
            return None;
        }
        STANDARD.decode(text).ok()?.try_into().ok().map(Hash)
    }
}

impl fmt::Display for Hash {
    /// Standard base64, the spelling of checkpoints and proofs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut context = ring::digest::Context::new(&SHA256);
    context.update(&[0]);
    context.update(entry);
    to_hash(&context.finish())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    to_hash(&digest(&SHA256, &bytes))
}

fn to_hash(digest: &ring::digest::Digest) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    Hash(hash)
}

/// The root over consecutive hashes of one level, the last of which may stand for a smaller subtree.
pub fn root_of(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                // A node without a sibling moves up unchanged.
                rest => rest[0],
            })
            .collect();
    }
    level.first().copied().unwrap_or(EMPTY_ROOT)
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The leaf's index is not below the tree's size, or the old tree is larger than the new one.
    #[error("the index or size lies outside the tree")]
    OutOfRange,
    /// The proof has more or fewer hashes than the sizes call for.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// Checks that `leaf` is number `index` of the tree with `size` leaves and root `root` (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MerkleError> {
    if index >= size {
        return Err(MerkleError::OutOfRange);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(MerkleError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            skip_levels_without_sibling(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::Length);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(MerkleError::Root)
    }
}

/// Checks that the tree of `old_size` leaves is the beginning of the tree of `new_size` (RFC 9162 §2.1.4.2).
///
/// Every tree begins with the empty one; the proof for that is empty, and `old_root` must be [`EMPTY_ROOT`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old_size > new_size {
        return Err(MerkleError::OutOfRange);
    }
    if old_size == new_size || old_size == 0 {
        if !proof.is_empty() {
            return Err(MerkleError::Length);
        }
        let expected = if old_size == 0 { &EMPTY_ROOT } else { new_root };
        let new_is_possible = new_size != 0 || *new_root == EMPTY_ROOT;
        return if old_root == expected && new_is_possible {
            Ok(())
        } else {
            Err(MerkleError::Root)
        };
    }
    // When the old tree is one complete subtree of the new one, its root is where the proof starts.
    let (start, rest) = match proof {
        rest if old_size.is_power_of_two() => (old_root, rest),
        [start, rest @ ..] => (start, rest),
        [] => return Err(MerkleError::Length),
    };
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    let complete = node.trailing_ones();
    node >>= complete;
    last >>= complete;
    let (mut old, mut new) = (*start, *start);
    for hash in rest {
        if last == 0 {
            return Err(MerkleError::Length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            skip_levels_without_sibling(&mut node, &mut last);
        } else {
            new = node_hash(&new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::Length);
    }
    if old == *old_root && new == *new_root {
        Ok(())
    } else {
        Err(MerkleError::Root)
    }
}

/// On the right edge a node may be its parent, several levels up; a proof has no hash for those levels.
fn skip_levels_without_sibling(node: &mut u64, last: &mut u64) {
    // An index of zero has no ones to stop at: the root is reached.
    let levels = if *node == 0 { 0 } else { node.trailing_zeros() };
    *node >>= levels;
    *last >>= levels;
}

/// Where a prover finds the hashes that tiles keep.
pub trait HashReader {
    /// What reading can end in.
    type Error;

    /// The hash of the complete subtree over leaves `index·256^level .. (index+1)·256^level`.
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl<F, E> HashReader for F
where
    F: FnMut(u8, u64) -> Result<Hash, E>,
{
    type Error = E;

    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, E> {
        self(level, index)
    }
}

/// Why a proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError<E> {
    /// What is asked for lies outside the tree.
    #[error("the index or size lies outside the tree")]
    OutOfRange,
    /// A hash could not be read.
    #[error("a hash of the tree could not be read: {0}")]
    Read(E),
}

/// The hashes that prove leaf `index` in the tree of `size` leaves, from the leaf's sibling upwards.
pub fn inclusion_proof<R: HashReader + ?Sized>(
    index: u64,
    size: u64,
    reader: &mut R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if index >= size {
        return Err(ProveError::OutOfRange);
    }
    let (mut low, mut high, mut path) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range_root(middle, high, reader)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, reader)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that prove that the tree of `old` leaves is the beginning of the tree of `new`.
pub fn consistency_proof<R: HashReader + ?Sized>(
    old: u64,
    new: u64,
    reader: &mut R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if old > new {
        return Err(ProveError::OutOfRange);
    }
    let (mut low, mut high, mut path) = (0, new, Vec::new());
    if old == 0 {
        return Ok(path);
    }
    while high > old {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range_root(middle, high, reader)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, reader)?);
            low = middle;
        }
    }
    // A verifier who holds the old root has this hash already when nothing lies to the left of it.
    if low > 0 {
        path.push(range_root(low, high, reader)?);
    }
    path.reverse();
    Ok(path)
}

/// The root of the tree made of the first `size` leaves.
pub fn root_at<R: HashReader + ?Sized>(size: u64, reader: &mut R) -> Result<Hash, ProveError<R::Error>> {
    range_root(0, size, reader)
}

/// The largest power of two below `size`; `size` is at least two.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root over leaves `low..high`; `low` is aligned the way the tree's own splits align it.
fn range_root<R: HashReader + ?Sized>(
    mut low: u64,
    high: u64,
    reader: &mut R,
) -> Result<Hash, ProveError<R::Error>> {
    let mut complete = Vec::new();
    while low < high {
        let height = (high - low).ilog2();
        complete.push(complete_root(height, low >> height, reader)?);
        low += 1 << height;
    }
    let mut parts = complete.into_iter().rev();
    let Some(mut root) = parts.next() else {
        return Ok(EMPTY_ROOT);
    };
    for left in parts {
        root = node_hash(&left, &root);
    }
    Ok(root)
}

/// The root of complete subtree number `index` of height `height`, from the nearest level that tiles keep.
fn complete_root<R: HashReader + ?Sized>(
    height: u32,
    index: u64,
    reader: &mut R,
) -> Result<Hash, ProveError<R::Error>> {
    // Heights are below 64, so the level is at most 7.
    let (level, above) = ((height / 8) as u8, height % 8);
    let first = index << above;
    let hashes = (first..first + (1 << above))
        .map(|index| reader.hash(level, index).map_err(ProveError::Read))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(root_of(&hashes))
}
