//! From the signed root down to the entries: each tile judged by the hash above it.
//!
//! A row is the hashes of one tile. Where a tile file is lost or wrong, its row is put together again from what lies
//! below it; if that leads to the hash that the tile above holds, only the file is at fault and the check goes on,
//! proven, underneath. Otherwise what lies underneath is still looked at, and counts as not proven.

use super::super::merkle::{EMPTY_ROOT, Hash, leaf_hash, root_of};
use super::super::store::{CHECKPOINT, LogDir};
use super::super::tile::{Content, LEVELS, TileId, WIDTH, encode_hashes, partial_width, split_bundle};
use super::super::tree::edge_root;
use super::rows::{Row, Source, combination, edge_index, load_bundle, load_row, row_from_below};
use super::{FindingKind, LogReport, Observer};

/// Checks every tile and bundle of the tree with `size` leaves and this signed root.
pub(super) fn check_tree(
    dir: &LogDir,
    size: u64,
    root: &Hash,
    report: &mut LogReport,
    observer: &mut dyn Observer,
) {
    Descent {
        dir,
        size,
        report,
        observer,
        leaves: 0,
    }
    .edge(root);
}

/// What the tile above says a tile hashes to, and whether that is itself proven.
type Expected = Option<(Hash, bool)>;

struct Descent<'a> {
    dir: &'a LogDir,
    size: u64,
    report: &'a mut LogReport,
    observer: &'a mut dyn Observer,
    leaves: u64,
}

impl Descent<'_> {
    /// The incomplete tiles at the right edge make the root together, so they are judged together.
    fn edge(&mut self, root: &Hash) {
        let size = self.size;
        if size == 0 {
            if *root != EMPTY_ROOT {
                self.report.find(
                    CHECKPOINT,
                    FindingKind::Damaged,
                    "an empty tree with a root of its own",
                );
            }
            return;
        }
        let levels: Vec<u8> = (0..LEVELS as u8)
            .filter(|level| partial_width(size, *level) > 0)
            .collect();
        let stored: Vec<Option<Row>> = levels
            .iter()
            .map(|level| self.load(*level, edge_index(size, *level)))
            .collect();
        let chosen = self.choose_edge(&levels, &stored, root);
        if chosen.is_none() {
            let detail = "the signed root is not the root of what is stored, so nothing below it is proven";
            self.report.find(CHECKPOINT, FindingKind::Unproven, detail);
        }
        // The highest level holds the leftmost leaves.
        for (position, level) in levels.into_iter().enumerate().rev() {
            let (index, proven) = (edge_index(size, level), chosen.is_some());
            let chosen = chosen.as_ref().map(|rows| rows[position].clone());
            if let (Some(stored), Some(chosen)) = (&stored[position], &chosen) {
                self.compare_row(stored, chosen);
            }
            let row = chosen.or_else(|| stored[position].as_ref().map(|row| row.hashes.clone()));
            self.below(level, index, partial_width(size, level), row, proven);
        }
    }

    /// The rows of the right edge that lead to the root: as stored if they do, else with rows put together from below.
    fn choose_edge(&self, levels: &[u8], stored: &[Option<Row>], root: &Hash) -> Option<Vec<Vec<Hash>>> {
        let mut candidates: Vec<Vec<Vec<Hash>>> = stored
            .iter()
            .map(|row| row.iter().map(|row| row.hashes.clone()).collect())
            .collect();
        let fits = |rows: &Vec<Vec<Hash>>| edge_root(rows) == *root;
        let as_stored = combination(&candidates, fits);
        let highest = levels.last().copied().unwrap_or(0);
        as_stored.or_else(|| {
            Source::nearest_first(highest).find_map(|source| {
                for (level, rows) in levels.iter().zip(&mut candidates) {
                    let width = partial_width(self.size, *level);
                    let row = row_from_below(
                        self.dir,
                        self.size,
                        *level,
                        edge_index(self.size, *level),
                        width,
                        source,
                    );
                    let row: Option<Vec<Hash>> = row.into_iter().collect();
                    rows.extend(row.filter(|row| !rows.contains(row)));
                }
                combination(&candidates, fits)
            })
        })
    }

    /// One full tile and all below it.
    fn tile(&mut self, level: u8, index: u64, expected: Expected) {
        let stored = self.load(level, index);
        let (row, proven) = match expected {
            None => (stored.map(|row| row.hashes), false),
            Some((hash, proven)) => match (self.choose_row(level, index, stored.as_ref(), &hash), stored) {
                (Some(chosen), stored) => {
                    if let Some(stored) = stored {
                        self.compare_row(&stored, &chosen);
                    }
                    (Some(chosen), proven)
                }
                (None, stored) => {
                    self.find_wrong_tile(level, index, stored.as_ref(), proven);
                    (stored.map(|row| row.hashes), false)
                }
            },
        };
        self.below(level, index, WIDTH, row, proven);
    }

    /// A full tile that doesn't make the hash above it, and can't be put together from below either.
    fn find_wrong_tile(&mut self, level: u8, index: u64, stored: Option<&Row>, proven: bool) {
        let whose = if proven {
            ""
        } else {
            ", which is not proven itself"
        };
        if let Some(stored) = stored {
            let detail = format!(
                "its hashes do not make the one that the tile above holds{whose}, nor does what lies below it"
            );
            self.report.find(stored.tile.path(), FindingKind::Damaged, detail);
        }
        // A well-formed bundle that leads elsewhere is wrong as surely as the tile.
        if level == 0 && proven && load_bundle(self.dir, index, self.size).is_ok() {
            let path = TileId {
                content: Content::Entries,
                index,
                width: WIDTH as u16,
            }
            .path();
            let detail = "its entries do not make the hash that was logged for them";
            self.report.find(path, FindingKind::Damaged, detail);
        }
    }

    /// The row of a full tile that makes `hash`: as stored, or put together from below, where one source may make up
    /// for what another has lost.
    fn choose_row(&self, level: u8, index: u64, stored: Option<&Row>, hash: &Hash) -> Option<Vec<Hash>> {
        let fits = |row: &Vec<Hash>| root_of(row) == *hash;
        let mut candidates: Vec<Vec<Hash>> = vec![Vec::new(); WIDTH];
        let as_stored = stored.map(|row| row.hashes.clone()).filter(fits);
        as_stored.or_else(|| {
            Source::nearest_first(level).find_map(|source| {
                let row = row_from_below(self.dir, self.size, level, index, WIDTH, source);
                for (hashes, hash) in candidates.iter_mut().zip(row) {
                    hashes.extend(hash.filter(|hash| !hashes.contains(hash)));
                }
                combination(&candidates, fits)
            })
        })
    }

    /// Goes through what a row's hashes stand for, and the older partial tiles that it covers.
    fn below(&mut self, level: u8, index: u64, width: usize, row: Option<Vec<Hash>>, proven: bool) {
        if proven && let Some(row) = &row {
            self.older_widths(Content::Hashes(level), index, row);
        }
        let first = index * WIDTH as u64;
        if level == 0 {
            return self.bundle(index, width, row, proven);
        }
        for position in 0..width {
            let expected = row.as_ref().map(|row| (row[position], proven));
            self.tile(level - 1, first + position as u64, expected);
        }
    }

    /// One bundle of entries against the leaf hashes.
    fn bundle(&mut self, index: u64, width: usize, row: Option<Vec<Hash>>, proven: bool) {
        let first = index * WIDTH as u64;
        let loaded = load_bundle(self.dir, index, self.size);
        self.leaves += width as u64;
        match loaded {
            Err(error) => self.report.find_store_error(&error),
            Ok((tile, bytes)) => {
                self.report.files_checked += 1;
                // Loading has split it once already, so this cannot fail.
                let (entries, _) = split_bundle(&bytes, width as u16).unwrap_or_default();
                let mut wrong = Vec::new();
                for (position, entry) in entries.into_iter().enumerate() {
                    let leaf = first + position as u64;
                    let matches = row.as_ref().is_some_and(|row| leaf_hash(entry) == row[position]);
                    if !matches {
                        wrong.push(leaf);
                    }
                    self.report.leaves_proven += u64::from(matches && proven);
                    self.observer.leaf(leaf, entry, matches && proven);
                }
                if row.is_some() && !wrong.is_empty() {
                    let count = wrong.len();
                    let what = if proven {
                        "what was logged"
                    } else {
                        "what the tile says, which is not proven itself"
                    };
                    let detail = format!(
                        "leaf {} is not {what} ({count} of the bundle's {width} are not)",
                        wrong[0]
                    );
                    self.report.find(tile.path(), FindingKind::Damaged, detail);
                }
            }
        }
        if proven && let Some(row) = &row {
            self.older_widths(Content::Entries, index, row);
        }
        self.observer.progress(self.leaves, self.size);
    }

    /// Reads a tile's row; what keeps it from being read is a finding.
    fn load(&mut self, level: u8, index: u64) -> Option<Row> {
        match load_row(self.dir, level, index, self.size) {
            Ok(row) => {
                self.report.files_checked += 1;
                Some(row)
            }
            Err(error) => {
                self.report.find_store_error(&error);
                None
            }
        }
    }

    fn compare_row(&mut self, stored: &Row, right: &[Hash]) {
        let wrong: Vec<usize> = (0..right.len())
            .filter(|at| stored.hashes[*at] != right[*at])
            .collect();
        if let [first, ..] = wrong[..] {
            let (count, of) = (wrong.len(), right.len());
            let detail = format!("hash {first} is not the one that was logged ({count} of {of} are not)");
            self.report.find(stored.tile.path(), FindingKind::Damaged, detail);
        }
    }

    /// Partial tiles of smaller trees that are still there must be the beginning of the proven one.
    fn older_widths(&mut self, content: Content, index: u64, row: &[Hash]) {
        let widths = match self.dir.partial_widths(content, index) {
            Ok(widths) => widths,
            Err(error) => return self.report.find_store_error(&error),
        };
        let serving = self
            .dir
            .find_tile(content, index, self.size)
            .map(|(tile, _)| tile);
        for width in widths
            .into_iter()
            .filter(|width| usize::from(*width) <= row.len())
        {
            let tile = TileId {
                content,
                index,
                width,
            };
            if serving.as_ref().is_ok_and(|serving| *serving == tile) {
                continue;
            }
            let row = &row[..usize::from(width)];
            match self.dir.tile(tile) {
                Ok(None) => (),
                Ok(Some(bytes)) => {
                    self.report.files_checked += 1;
                    let right = match content {
                        Content::Hashes(_) => bytes == encode_hashes(row),
                        Content::Entries => split_bundle(&bytes, width).is_ok_and(|(entries, rest)| {
                            rest.is_empty()
                                && entries
                                    .iter()
                                    .map(|entry| leaf_hash(entry))
                                    .eq(row.iter().copied())
                        }),
                    };
                    if !right {
                        let detail = "a smaller tree's tile, and not the beginning of this one's";
                        self.report.find(tile.path(), FindingKind::Damaged, detail);
                    }
                }
                Err(error) => self.report.find_store_error(&error),
            }
        }
    }
}
