//! The Merkle tree (RFC 6962, section 2.1) over the chunks of 1 MiB of a large file, as leaves of earlier vaults have it.
//!
//! It must never know the custody log, whose tree is over other leaves and lies on disk.

use ring::digest::{Context, SHA256, digest};

use super::digest::Hash;

/// Bytes in each chunk of the tree but the last.
pub const TREE_CHUNK_BYTES: usize = 1024 * 1024;

/// The chunk tree of a file as it streams; keeps one hash for each complete subtree, at most 64.
#[derive(Clone)]
pub struct ChunkTree {
    chunk: Context,
    chunk_filled: usize,
    leaves: u64,
    subtrees: Vec<Hash>,
}

impl Default for ChunkTree {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkTree {
    /// Begins.
    pub fn new() -> Self {
        Self {
            chunk: leaf_context(),
            chunk_filled: 0,
            leaves: 0,
            subtrees: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(TREE_CHUNK_BYTES - self.chunk_filled));
            self.chunk.update(now);
            self.chunk_filled += now.len();
            bytes = later;
            if self.chunk_filled == TREE_CHUNK_BYTES {
                self.end_chunk();
            }
        }
    }

    /// The root. A file of no bytes has the root of the empty tree, SHA-256 of nothing.
    pub fn finish(mut self) -> Hash {
        if self.chunk_filled > 0 {
            self.end_chunk();
        }
        root_of(self.subtrees)
    }

    fn end_chunk(&mut self) {
        let chunk = std::mem::replace(&mut self.chunk, leaf_context());
        self.chunk_filled = 0;
        push_leaf(&mut self.subtrees, &mut self.leaves, value(chunk));
    }
}

/// Adds a leaf: each pair of subtrees of one size becomes the next larger.
fn push_leaf(subtrees: &mut Vec<Hash>, leaves: &mut u64, leaf: Hash) {
    let mut hash = leaf;
    for _ in 0..leaves.trailing_ones() {
        if let Some(left) = subtrees.pop() {
            hash = node(&left, &hash);
        }
    }
    subtrees.push(hash);
    *leaves += 1;
}

fn root_of(subtrees: Vec<Hash>) -> Hash {
    let joined = subtrees
        .into_iter()
        .rev()
        .reduce(|right, left| node(&left, &right));
    joined.unwrap_or_else(|| value(Context::new(&SHA256)))
}

/// Interior hash: SHA-256(0x01 ‖ left ‖ right).
fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    hash
}

fn leaf_context() -> Context {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context
}

pub(super) fn value(context: Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hex;

    fn chunk_leaf(chunk: &[u8]) -> Hash {
        let mut leaf = leaf_context();
        leaf.update(chunk);
        value(leaf)
    }

    /// RFC 6962's definition, word for word: the root of n leaves splits at the largest power of two below n.
    fn defined_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => value(Context::new(&SHA256)),
            [leaf] => *leaf,
            _ => {
                let split = (1..)
                    .map(|power| 1 << power)
                    .find(|power| *power >= leaves.len())
                    .unwrap()
                    / 2;
                node(&defined_root(&leaves[..split]), &defined_root(&leaves[split..]))
            }
        }
    }

    /// The published roots of the eight test leaves of Certificate Transparency (transparency-dev/merkle, testonly).
    #[test]
    fn published_roots_agree() {
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let unhex = |text: &str| {
            (0..text.len() / 2)
                .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                .collect::<Vec<_>>()
        };
        let leaves: Vec<Hash> = inputs.iter().map(|input| chunk_leaf(&unhex(input))).collect();
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, root) in (1..).zip(roots) {
            let (mut subtrees, mut leaf_count) = (Vec::new(), 0);
            leaves[..count]
                .iter()
                .for_each(|leaf| push_leaf(&mut subtrees, &mut leaf_count, *leaf));
            assert_eq!(hex::encode(root_of(subtrees)), root, "{count} leaves");
        }
    }

    #[test]
    fn the_root_is_the_one_defined_however_the_bytes_come() {
        let file: Vec<u8> = (0..6 * TREE_CHUNK_BYTES + 5)
            .map(|i| (i / TREE_CHUNK_BYTES + i % 251) as u8)
            .collect();
        let leaves: Vec<_> = file.chunks(TREE_CHUNK_BYTES).map(chunk_leaf).collect();
        let mut tree = ChunkTree::new();
        file.chunks(300_001).for_each(|piece| tree.update(piece));
        assert_eq!(tree.finish(), defined_root(&leaves));
        assert_eq!(ChunkTree::new().finish(), defined_root(&[]));
    }
}
