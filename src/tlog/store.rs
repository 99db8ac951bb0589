//! The log as files in a directory: `checkpoint` and `tile/…`, as c2sp.org/tlog-tiles names them.
//!
//! [`LogDir`] reads, for auditors and servers alike; [`LogWriter`] writes, and there is one of them at a time.
//! It checks shapes and never hashes: what a file says is proven elsewhere.
//! Invariant: a full tile is written once. It is durable before the partial tiles that it replaces are removed.

use std::{
    fs::{self, File},
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use super::merkle::{Hash, HashReader};
use super::note::MAX_NOTE_BYTES;
use super::tile::{
    Content, MAX_BUNDLE_BYTES, TileError, TileId, WIDTH, decode_bundle, decode_hashes, width_in,
};

pub use super::writer::{Durability, ExtendError, LogWriter};

/// File of the log's newest signed checkpoint, below the log's root.
pub const CHECKPOINT: &str = "checkpoint";
/// The one file that a write in progress uses before it is renamed into place; at rest it is left over.
pub const UNFINISHED: &str = ".writing";
/// Tiles that a [`TileReader`] keeps at hand: enough for one path from leaf to root.
const CACHED_TILES: usize = 16;

/// Why the log's files could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file that a tree of this size has is not there.
    #[error("{path} is missing")]
    Missing {
        /// Path below the log's root.
        path: String,
    },
    /// Something other than a regular file stands in a file's place.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// Path below the log's root.
        path: String,
    },
    /// The file is larger than any such file can be.
    #[error("{path} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// Path below the log's root.
        path: String,
        /// Largest size in bytes that is read.
        limit_bytes: usize,
    },
    /// The tile's bytes have another shape than its width calls for.
    #[error("{path}: {source}")]
    Tile {
        /// Path below the log's root.
        path: String,
        /// What is wrong with it.
        source: TileError,
    },
    /// A full tile is there already, with other bytes. It is left as it is.
    #[error("{path} is there already and holds something else")]
    Conflict {
        /// Path below the log's root.
        path: String,
    },
    /// The tree of that size has no such tile or leaf.
    #[error("the tree has no such tile or leaf")]
    OutOfRange,
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// Path below the log's root.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl StoreError {
    pub(super) fn io(path: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// A log's directory, to read from.
#[derive(Debug, Clone)]
pub struct LogDir {
    root: PathBuf,
}

impl LogDir {
    /// The log under `root`. Touches nothing: what is missing shows when it is read.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory that holds `checkpoint` and `tile`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of the newest checkpoint's note; `None` when there is none.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(CHECKPOINT, MAX_NOTE_BYTES)
    }

    /// The bytes of one tile file as it lies on disk; `None` when there is none.
    pub fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        let limit_bytes = match tile.content {
            Content::Entries => MAX_BUNDLE_BYTES,
            Content::Hashes(_) => WIDTH * 32,
        };
        self.read(&tile.path(), limit_bytes)
    }

    /// The tile that serves a tree of `size` leaves, and its bytes: the full tile where there is one, else the width
    /// that the size calls for, else a wider one that the log wrote since. It may hold more than the tree has.
    pub fn find_tile(
        &self,
        content: Content,
        index: u64,
        size: u64,
    ) -> Result<(TileId, Vec<u8>), StoreError> {
        let width = width_in(content, index, size).ok_or(StoreError::OutOfRange)?;
        let of_width = |width| TileId {
            content,
            index,
            width,
        };
        for tile in [of_width(WIDTH as u16), of_width(width)] {
            if let Some(bytes) = self.tile(tile)? {
                return Ok((tile, bytes));
            }
        }
        for wider in self
            .partial_widths(content, index)?
            .into_iter()
            .filter(|other| *other > width)
        {
            if let Some(bytes) = self.tile(of_width(wider))? {
                return Ok((of_width(wider), bytes));
            }
        }
        Err(StoreError::Missing {
            path: of_width(width).path(),
        })
    }

    /// The widths of the partial tiles on disk for one tile, ascending.
    pub fn partial_widths(&self, content: Content, index: u64) -> Result<Vec<u16>, StoreError> {
        let path = partial_dir(content, index);
        let entries = match fs::read_dir(self.root.join(&path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io(&path)(error)),
        };
        let mut widths = Vec::new();
        for entry in entries {
            let name = entry.map_err(StoreError::io(&path))?.file_name();
            let tile = name
                .to_str()
                .and_then(|name| TileId::parse(&format!("{path}/{name}")).ok());
            widths.extend(tile.map(|tile| tile.width));
        }
        widths.sort_unstable();
        Ok(widths)
    }

    /// The hashes of tile `index` at tile level `level`, as many as a tree of `size` leaves has there.
    pub fn hashes(&self, level: u8, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        let content = Content::Hashes(level);
        let width = width_in(content, index, size).ok_or(StoreError::OutOfRange)?;
        let (tile, bytes) = self.find_tile(content, index, size)?;
        let mut hashes = decode_hashes(&bytes, tile.width).map_err(|source| StoreError::Tile {
            path: tile.path(),
            source,
        })?;
        hashes.truncate(usize::from(width));
        Ok(hashes)
    }

    /// The entries of bundle `index`, as many as a tree of `size` leaves has there.
    pub fn entries(&self, index: u64, size: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let width = width_in(Content::Entries, index, size).ok_or(StoreError::OutOfRange)?;
        let (tile, bytes) = self.find_tile(Content::Entries, index, size)?;
        let entries = decode_bundle(&bytes, tile.width).map_err(|source| StoreError::Tile {
            path: tile.path(),
            source,
        })?;
        Ok(entries
            .into_iter()
            .take(usize::from(width))
            .map(<[u8]>::to_vec)
            .collect())
    }

    /// The entries of leaves `range` in a tree of `size` leaves, in order; one bundle is in memory at a time.
    /// After an error the iteration ends.
    pub fn leaves(&self, range: Range<u64>, size: u64) -> Leaves<'_> {
        Leaves {
            dir: self,
            next: range.start,
            end: range.end,
            size,
            bundle: Vec::new().into_iter(),
        }
    }

    /// Reads the hashes of a tree of `size` leaves for a prover.
    pub fn reader(&self, size: u64) -> TileReader<'_> {
        TileReader {
            dir: self,
            size,
            cache: Vec::new(),
        }
    }

    /// Reads a regular file of at most `limit_bytes`; a pipe or device in its place is never opened.
    pub(super) fn read(&self, path: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let file = self.root.join(path);
        match fs::symlink_metadata(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(path)(error)),
            Ok(metadata) if !metadata.is_file() => {
                return Err(StoreError::NotAFile {
                    path: path.to_owned(),
                });
            }
            Ok(_) => (),
        }
        let mut bytes = Vec::new();
        let mut limited = File::open(&file)
            .map_err(StoreError::io(path))?
            .take(limit_bytes as u64 + 1);
        limited.read_to_end(&mut bytes).map_err(StoreError::io(path))?;
        if bytes.len() > limit_bytes {
            return Err(StoreError::TooLarge {
                path: path.to_owned(),
                limit_bytes,
            });
        }
        Ok(Some(bytes))
    }
}

/// The directory of a tile's partial tiles, below the log's root.
pub(super) fn partial_dir(content: Content, index: u64) -> String {
    format!(
        "{}.p",
        TileId {
            content,
            index,
            width: WIDTH as u16
        }
        .path()
    )
}

/// Leaves in order; see [`LogDir::leaves`].
#[derive(Debug)]
pub struct Leaves<'d> {
    dir: &'d LogDir,
    next: u64,
    end: u64,
    size: u64,
    bundle: std::vec::IntoIter<Vec<u8>>,
}

impl Iterator for Leaves<'_> {
    type Item = Result<(u64, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        if self.bundle.as_slice().is_empty() {
            match self.dir.entries(self.next / WIDTH as u64, self.size) {
                Ok(bundle) => self.bundle = bundle.into_iter(),
                Err(error) => return self.fail(error),
            }
            // Only the first bundle begins before the range.
            for _ in 0..self.next % WIDTH as u64 {
                self.bundle.next();
            }
        }
        let Some(entry) = self.bundle.next() else {
            return self.fail(StoreError::OutOfRange);
        };
        let index = self.next;
        self.next += 1;
        Some(Ok((index, entry)))
    }
}

impl Leaves<'_> {
    fn fail(&mut self, error: StoreError) -> Option<<Self as Iterator>::Item> {
        self.end = self.next;
        Some(Err(error))
    }
}

/// Hashes of a tree from its tiles, with a small cache; see [`LogDir::reader`].
#[derive(Debug)]
pub struct TileReader<'d> {
    dir: &'d LogDir,
    size: u64,
    /// Most recently used last.
    cache: Vec<((u8, u64), Vec<Hash>)>,
}

impl HashReader for TileReader<'_> {
    type Error = StoreError;

    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let key = (level, index / WIDTH as u64);
        let position = match self.cache.iter().rposition(|(cached, _)| *cached == key) {
            Some(position) => position,
            None => {
                let hashes = self.dir.hashes(key.0, key.1, self.size)?;
                if self.cache.len() == CACHED_TILES {
                    self.cache.remove(0);
                }
                self.cache.push((key, hashes));
                self.cache.len() - 1
            }
        };
        if position + 1 < self.cache.len() {
            let used = self.cache.remove(position);
            self.cache.push(used);
        }
        let (_, hashes) = self.cache.last().ok_or(StoreError::OutOfRange)?;
        hashes
            .get((index % WIDTH as u64) as usize)
            .copied()
            .ok_or(StoreError::OutOfRange)
    }
}
