//! Writes the log's files; see [`super::store`] for the layout and its invariant.
//!
//! Each file is written under one other name and renamed, so that a reader sees all of it or none. Everything here can
//! be written again from the catalogue, by the same call, so a crash at any point costs nothing but that call.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::merkle::HashReader;
use super::store::{CHECKPOINT, LogDir, StoreError, UNFINISHED, partial_dir};
use super::tile::{
    Content, LEVELS, TileError, TileId, WIDTH, encode_bundle, encode_hashes, level_count, width_in,
};

/// Whether a write outlives a power cut when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// File and directories are synced first.
    Durable,
    /// The system writes it when it likes; full tiles are durable all the same.
    Lazy,
}

/// Why the log's files could not be extended.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError<E> {
    /// Writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A hash or an entry could not be had.
    #[error("a hash or an entry of the log could not be read: {0}")]
    Source(E),
    /// An entry does not fit the format.
    #[error(transparent)]
    Tile(#[from] TileError),
}

/// Writes one log's files. At most one at a time may exist for a directory: whoever holds the vault's lock.
#[derive(Debug)]
pub struct LogWriter {
    dir: LogDir,
}

impl LogWriter {
    /// Writes into `root`, which is created when it isn't there.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = LogDir::new(root);
        fs::create_dir_all(dir.root()).map_err(StoreError::io("."))?;
        Ok(Self { dir })
    }

    /// The same directory, to read from.
    pub fn dir(&self) -> &LogDir {
        &self.dir
    }

    /// Writes every tile and bundle in which a tree of `to` leaves differs from one of `from`, and all of its right
    /// edge. The checkpoint comes after this, never before.
    ///
    /// At start-up call it with the size of the published checkpoint as `from`: what a crash kept from being
    /// written is written now, and what is there is left alone.
    pub fn extend<R: HashReader>(
        &mut self,
        from: u64,
        to: u64,
        hashes: &mut R,
        mut entry: impl FnMut(u64) -> Result<Vec<u8>, R::Error>,
        durability: Durability,
    ) -> Result<(), ExtendError<R::Error>> {
        let contents = std::iter::once(Content::Entries).chain((0..LEVELS as u8).map(Content::Hashes));
        for content in contents {
            let level = if let Content::Hashes(level) = content {
                level
            } else {
                0
            };
            for index in level_count(from.min(to), level) / WIDTH as u64.. {
                let Some(width) = width_in(content, index, to) else {
                    break;
                };
                let tile = TileId {
                    content,
                    index,
                    width,
                };
                let first = index * WIDTH as u64;
                let range = first..first + u64::from(width);
                let bytes = match content {
                    Content::Entries => {
                        let entries: Result<Vec<_>, _> = range.map(&mut entry).collect();
                        encode_bundle(&entries.map_err(ExtendError::Source)?)?
                    }
                    Content::Hashes(_) => {
                        let row: Result<Vec<_>, _> = range.map(|index| hashes.hash(level, index)).collect();
                        encode_hashes(&row.map_err(ExtendError::Source)?)
                    }
                };
                self.write_tile(tile, &bytes, durability)?;
            }
        }
        Ok(())
    }

    /// Writes one tile. A full one is made durable whatever is asked, never replaced by other bytes, and its partial
    /// tiles are removed after it. A crash before that leaves both, which readers allow.
    pub fn write_tile(
        &mut self,
        tile: TileId,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), StoreError> {
        let path = tile.path();
        let durability = if tile.is_full() {
            Durability::Durable
        } else {
            durability
        };
        match self.dir.tile(tile) {
            Ok(Some(present)) if present == bytes => {
                self.sync_names(&path, Names::OfDirectoriesToo, durability)?
            }
            Ok(Some(_)) | Err(StoreError::TooLarge { .. }) if tile.is_full() => {
                return Err(StoreError::Conflict { path });
            }
            Ok(_) | Err(StoreError::TooLarge { .. }) => self.replace(&path, bytes, 0o444, durability)?,
            Err(error) => return Err(error),
        }
        if tile.is_full() {
            let partial = partial_dir(tile.content, tile.index);
            match fs::remove_dir_all(self.dir.root().join(&partial)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io(&partial)(error));
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Replaces the checkpoint: a reader sees the old one or the new one.
    pub fn write_checkpoint(&mut self, note: &[u8], durability: Durability) -> Result<(), StoreError> {
        self.replace(CHECKPOINT, note, 0o644, durability)
    }

    fn replace(
        &mut self,
        path: &str,
        bytes: &[u8],
        mode: u32,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let target = self.dir.root().join(path);
        let mut names = Names::OfFile;
        if let Some(parent) = target.parent().filter(|parent| !parent.is_dir()) {
            fs::create_dir_all(parent).map_err(StoreError::io(path))?;
            names = Names::OfDirectoriesToo;
        }
        let unfinished = self.dir.root().join(UNFINISHED);
        write_new(&unfinished, bytes, mode, durability).map_err(StoreError::io(UNFINISHED))?;
        fs::rename(&unfinished, &target).map_err(StoreError::io(path))?;
        self.sync_names(path, names, durability)
    }

    /// Makes a file's name durable, and where they may be new, those of the directories above it.
    fn sync_names(&self, path: &str, names: Names, durability: Durability) -> Result<(), StoreError> {
        if durability == Durability::Lazy {
            return Ok(());
        }
        let directories = match names {
            Names::OfFile => 1,
            Names::OfDirectoriesToo => usize::MAX,
        };
        for parent in Path::new(path).ancestors().skip(1).take(directories) {
            let directory = self.dir.root().join(parent);
            File::open(directory)
                .and_then(|file| file.sync_all())
                .map_err(StoreError::io(path))?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Names {
    OfFile,
    OfDirectoriesToo,
}

/// Writes a file that is not there yet; what a crash left under that name is removed first.
fn write_new(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    // The umask may have taken bits away that auditors need.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    if durability == Durability::Durable {
        file.sync_data()
    } else {
        Ok(())
    }
}
