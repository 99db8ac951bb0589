//! Rows: the hashes of one tile, as stored, or put together again from what lies below.
//!
//! Nothing here is proven: a row is a proposal, and whoever asks for it holds the hash that it must make.

use super::super::merkle::{Hash, leaf_hash, root_of};
use super::super::store::{LogDir, StoreError};
use super::super::tile::{
    Content, TileError, TileId, WIDTH, decode_hashes, level_count, split_bundle, width_in,
};

/// Most ways to combine what is stored with what was recomputed that are tried for one tile: a few places in doubt.
const MAX_COMBINATIONS: usize = 1024;

/// A tile file's hashes, as many as the tree has.
pub(super) struct Row {
    pub(super) tile: TileId,
    pub(super) hashes: Vec<Hash>,
}

/// What a row is put together from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The tiles stored at this level.
    Tiles(u8),
    /// The entries themselves.
    Entries,
}

impl Source {
    /// What can lie below a tile at `level`: the tiles under it, the tiles under those, and at last the entries.
    pub(super) fn nearest_first(level: u8) -> impl Iterator<Item = Self> {
        (0..level).rev().map(Self::Tiles).chain([Self::Entries])
    }
}

/// The number of the incomplete tile at `level`.
pub(super) fn edge_index(size: u64, level: u8) -> u64 {
    level_count(size, level) / WIDTH as u64
}

pub(super) fn load_row(dir: &LogDir, level: u8, index: u64, size: u64) -> Result<Row, StoreError> {
    let content = Content::Hashes(level);
    let width = width_in(content, index, size).ok_or(StoreError::OutOfRange)?;
    let (tile, bytes) = dir.find_tile(content, index, size)?;
    let mut hashes = decode_hashes(&bytes, tile.width).map_err(|source| StoreError::Tile {
        path: tile.path(),
        source,
    })?;
    hashes.truncate(usize::from(width));
    Ok(Row { tile, hashes })
}

/// A bundle's bytes, well-formed to the end.
pub(super) fn load_bundle(dir: &LogDir, index: u64, size: u64) -> Result<(TileId, Vec<u8>), StoreError> {
    let (tile, bytes) = dir.find_tile(Content::Entries, index, size)?;
    match split_bundle(&bytes, tile.width) {
        Ok((_, [])) => Ok((tile, bytes)),
        Ok((_, rest)) => Err(StoreError::Tile {
            path: tile.path(),
            source: TileError::Trailing(rest.len()),
        }),
        Err(source) => Err(StoreError::Tile {
            path: tile.path(),
            source,
        }),
    }
}

/// The first choice of one candidate for each place that `fits`.
pub(super) fn combination<T: Clone>(candidates: &[Vec<T>], fits: impl Fn(&Vec<T>) -> bool) -> Option<Vec<T>> {
    let ways = candidates.iter().map(Vec::len).fold(1, usize::saturating_mul);
    (0..ways.min(MAX_COMBINATIONS)).find_map(|mut way| {
        let choice: Vec<T> = candidates
            .iter()
            .map(|candidates| {
                let candidate = candidates[way % candidates.len()].clone();
                way /= candidates.len();
                candidate
            })
            .collect();
        fits(&choice).then_some(choice)
    })
}

/// A row put together from below, with gaps where a file is lost.
pub(super) fn row_from_below(
    dir: &LogDir,
    size: u64,
    level: u8,
    index: u64,
    width: usize,
    source: Source,
) -> Vec<Option<Hash>> {
    if level == 0 {
        let bytes = load_bundle(dir, index, size)
            .map(|(_, bytes)| bytes)
            .unwrap_or_default();
        let (entries, _) = split_bundle(&bytes, width as u16).unwrap_or_default();
        let mut row: Vec<_> = entries.into_iter().map(|entry| Some(leaf_hash(entry))).collect();
        row.resize(width, None);
        return row;
    }
    let first = index * WIDTH as u64;
    let root_below = |below| match source {
        Source::Tiles(base) if base + 1 >= level => load_row(dir, level - 1, below, size)
            .ok()
            .map(|row| root_of(&row.hashes)),
        _ => {
            let row: Option<Vec<Hash>> = row_from_below(dir, size, level - 1, below, WIDTH, source)
                .into_iter()
                .collect();
            row.map(|row| root_of(&row))
        }
    };
    (first..first + width as u64).map(root_below).collect()
}
