//! The right edge of the tree: all that appending needs to keep in memory.
//!
//! Tile level `l` keeps the hashes of its rightmost, incomplete tile. Knows no files; it reports what tiles gain.

use super::merkle::{Hash, HashReader, node_hash, root_of};
use super::tile::{LEVELS, WIDTH, partial_width};

/// The largest tree that is accepted from storage: far beyond use, and no sum of sizes can overflow.
pub const MAX_SIZE: u64 = 1 << 62;

/// The stored parts of a right edge do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// Larger than [`MAX_SIZE`].
    #[error("a tree of {0} leaves is too large")]
    Size(u64),
    /// A level has another number of hashes than the size calls for.
    #[error(
        "tile level {level} of a tree of {size} leaves has {found} hashes at its right edge, not {expected}"
    )]
    Width {
        /// Leaves in the tree.
        size: u64,
        /// Tile level.
        level: usize,
        /// Hashes the size calls for.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
}

/// The incomplete tiles at the right edge of a tree of `size` leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeTail {
    size: u64,
    tails: Vec<Vec<Hash>>,
    /// Of each of these tiles the complete subtrees, as large as they can be, from the left.
    peaks: Vec<Vec<Peak>>,
}

/// A complete subtree of `width` hashes of its tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peak {
    width: usize,
    root: Hash,
}

/// Adds one hash to the right of a tile's complete subtrees.
fn push_peak(peaks: &mut Vec<Peak>, hash: Hash) {
    let mut added = Peak { width: 1, root: hash };
    while let Some(left) = peaks.pop_if(|left| left.width == added.width) {
        added = Peak {
            width: 2 * left.width,
            root: node_hash(&left.root, &added.root),
        };
    }
    peaks.push(added);
}

fn peaks_of(tails: &[Vec<Hash>]) -> Vec<Vec<Peak>> {
    let of = |tail: &Vec<Hash>| {
        let mut peaks = Vec::new();
        tail.iter().for_each(|hash| push_peak(&mut peaks, *hash));
        peaks
    };
    tails.iter().map(of).collect()
}

impl TreeTail {
    /// The edge of a tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of a tree of `size` leaves; `tails[l]` are the hashes of the incomplete tile at tile level `l`.
    ///
    /// Empty levels at the top may be left out. The hashes themselves are taken as given: compare [`Self::root`].
    pub fn from_parts(size: u64, mut tails: Vec<Vec<Hash>>) -> Result<Self, TailError> {
        if size > MAX_SIZE {
            return Err(TailError::Size(size));
        }
        while tails.last().is_some_and(Vec::is_empty) {
            tails.pop();
        }
        for level in 0..tails.len().max(LEVELS) {
            let found = tails.get(level).map_or(0, Vec::len);
            let expected = if level < LEVELS {
                partial_width(size, level as u8)
            } else {
                0
            };
            if found != expected {
                return Err(TailError::Width {
                    size,
                    level,
                    expected,
                    found,
                });
            }
        }
        Ok(Self {
            size,
            peaks: peaks_of(&tails),
            tails,
        })
    }

    /// The edge of the tree of `size` leaves whose hashes `reader` has.
    pub fn read<R: HashReader + ?Sized>(size: u64, reader: &mut R) -> Result<Self, R::Error> {
        let mut tails = Vec::new();
        for level in 0..LEVELS as u8 {
            let count = size >> (8 * level);
            let first = count - partial_width(size, level) as u64;
            tails.push(
                (first..count)
                    .map(|index| reader.hash(level, index))
                    .collect::<Result<_, _>>()?,
            );
        }
        while tails.last().is_some_and(Vec::is_empty) {
            tails.pop();
        }
        Ok(Self {
            size,
            peaks: peaks_of(&tails),
            tails,
        })
    }

    /// Adds a leaf and calls `gained(level, index, hash)` for every hash that tiles gain by it, lowest level first:
    /// the leaf hash itself, and a hash one level up for each tile that it completed.
    pub fn append(&mut self, leaf: Hash, mut gained: impl FnMut(u8, u64, Hash)) {
        let (mut hash, mut index) = (leaf, self.size);
        self.size += 1;
        for level in 0.. {
            if self.tails.len() == level {
                self.tails.push(Vec::with_capacity(WIDTH));
                self.peaks.push(Vec::new());
            }
            gained(level as u8, index, hash);
            let tail = &mut self.tails[level];
            let peaks = &mut self.peaks[level];
            tail.push(hash);
            push_peak(peaks, hash);
            if tail.len() < WIDTH {
                return;
            }
            // A full tile is one complete subtree.
            hash = peaks.first().map_or_else(|| root_of(tail), |peak| peak.root);
            index /= WIDTH as u64;
            tail.clear();
            peaks.clear();
        }
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the incomplete tile at each tile level, lowest first.
    pub fn tails(&self) -> &[Vec<Hash>] {
        &self.tails
    }

    /// The root of the tree: at most eight node hashes a level.
    pub fn root(&self) -> Hash {
        let peaks = self.peaks.iter().flat_map(|peaks| peaks.iter().rev());
        peaks
            .map(|peak| peak.root)
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or(super::merkle::EMPTY_ROOT)
    }
}

/// The root of the tree with these incomplete tiles at its right edge, lowest level first.
pub fn edge_root<T: AsRef<[Hash]>>(tails: &[T]) -> Hash {
    let mut below: Option<Hash> = None;
    for tail in tails {
        // What lies right of the last complete subtree of this level is one smaller subtree.
        let units: Vec<Hash> = tail.as_ref().iter().copied().chain(below).collect();
        if !units.is_empty() {
            below = Some(root_of(&units));
        }
    }
    below.unwrap_or(super::merkle::EMPTY_ROOT)
}
