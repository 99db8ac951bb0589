//! Tiles as c2sp.org/tlog-tiles lays them out: paths, hash tiles, entry bundles.
//!
//! Pure: paths are text and contents are bytes. Invariant: one spelling per tile, and no input decodes to more
//! than it holds.

use super::merkle::Hash;

/// Hashes or entries in a full tile.
pub const WIDTH: usize = 256;
/// Tile levels that a tree of fewer than 2^64 leaves can have.
pub const LEVELS: usize = 8;
/// Longest entry in bytes: its length is written in 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;
/// Largest entry bundle in bytes.
pub const MAX_BUNDLE_BYTES: usize = WIDTH * (2 + MAX_ENTRY_BYTES);

/// What a tile is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// The log's entries themselves: an entry bundle.
    Entries,
    /// Hashes of tile level `0..8`; level 0 holds leaf hashes.
    Hashes(u8),
}

/// One tile's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Entries, or hashes of a level.
    pub content: Content,
    /// Number of the tile in its level, from the left, from zero.
    pub index: u64,
    /// Hashes or entries in it: 1 to 256; fewer than 256 is a partial tile.
    pub width: u16,
}

/// Why a path or a tile's bytes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The path is not one that tlog-tiles knows, or not in its only spelling.
    #[error("not the path of a tile")]
    Path,
    /// The bytes are not as many as the tile's width calls for.
    #[error("the tile has {found} bytes where its width calls for {expected}")]
    Length {
        /// Bytes its width calls for.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// An entry bundle ends inside entry number `entry` of the bundle.
    #[error("the bundle ends inside its entry {entry}")]
    Truncated {
        /// Number of the entry in the bundle, from zero.
        entry: usize,
    },
    /// Bytes follow the last entry of a bundle.
    #[error("{0} bytes follow the bundle's last entry")]
    Trailing(usize),
    /// An entry to encode is longer than [`MAX_ENTRY_BYTES`].
    #[error("an entry of {0} bytes is longer than the format allows")]
    EntryTooLong(usize),
}

impl TileId {
    /// Whether the tile has all its 256 hashes or entries.
    pub fn is_full(&self) -> bool {
        usize::from(self.width) == WIDTH
    }

    /// The path below the log's root, such as `tile/0/x001/067` or `tile/entries/000.p/7`.
    pub fn path(&self) -> String {
        let mut path = match self.content {
            Content::Entries => "tile/entries/".to_owned(),
            Content::Hashes(level) => format!("tile/{level}/"),
        };
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            path.push_str(&format!("x{group:03}/"));
        }
        path.push_str(&format!("{:03}", groups[0]));
        if !self.is_full() {
            path.push_str(&format!(".p/{}", self.width));
        }
        path
    }

    /// The tile that `path` names; accepts exactly what [`Self::path`] writes.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        Self::parse_loosely(path)
            .filter(|tile| tile.path() == path)
            .ok_or(TileError::Path)
    }

    fn parse_loosely(path: &str) -> Option<Self> {
        let (content, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let content = match content {
            "entries" => Content::Entries,
            level => Content::Hashes(level.parse().ok().filter(|level| usize::from(*level) < LEVELS)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (
                number,
                width.parse().ok().filter(|width| (1..256).contains(width))?,
            ),
            None => (rest, WIDTH as u16),
        };
        let mut index: u64 = 0;
        for group in number.split('/') {
            let value: u64 = group.trim_start_matches('x').parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(value)?;
        }
        Some(Self {
            content,
            index,
            width,
        })
    }
}

/// Hashes in the incomplete tile at tile level `level` of a tree of `size` leaves; zero where there is none.
pub fn partial_width(size: u64, level: u8) -> usize {
    (level_count(size, level) % WIDTH as u64) as usize
}

/// Hashes that tile level `level` of a tree of `size` leaves has in all.
pub fn level_count(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// Width of tile `index` at `content`'s level in a tree of `size` leaves; `None` where the tree has no such tile.
pub fn width_in(content: Content, index: u64, size: u64) -> Option<u16> {
    let level = match content {
        Content::Entries => 0,
        Content::Hashes(level) => level,
    };
    let before = index.checked_mul(WIDTH as u64)?;
    let left = level_count(size, level).checked_sub(before)?;
    (left > 0).then_some(left.min(WIDTH as u64) as u16)
}

/// The bytes of a hash tile.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile of `width`.
pub fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let expected = usize::from(width) * 32;
    if bytes.len() != expected {
        return Err(TileError::Length {
            expected,
            found: bytes.len(),
        });
    }
    Ok(bytes.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect())
}

/// The bytes of an entry bundle: each entry after its length as two bytes, big end first.
pub fn encode_bundle<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle of `width`, borrowed from `bytes`.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let (entries, rest) = split_bundle(bytes, width)?;
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(TileError::Trailing(rest.len()))
    }
}

/// The first `width` entries of a bundle that may hold more, and the bytes after them.
pub fn split_bundle(mut bytes: &[u8], width: u16) -> Result<(Vec<&[u8]>, &[u8]), TileError> {
    let mut entries = Vec::with_capacity(usize::from(width).min(WIDTH));
    for entry in 0..usize::from(width) {
        let cut = |bytes: &'_ [u8]| -> Option<usize> {
            Some(usize::from(u16::from_be_bytes(*bytes.first_chunk::<2>()?)))
        };
        let truncated = TileError::Truncated { entry };
        let length = cut(bytes).ok_or(truncated)?;
        let (body, rest) = bytes[2..].split_at_checked(length).ok_or(truncated)?;
        entries.push(body);
        bytes = rest;
    }
    Ok((entries, bytes))
}
