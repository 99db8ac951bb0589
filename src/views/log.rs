//! `/log`: the custody log as the files it is, so that copying the folder is the audit copy.
//!
//! Beside the log there are, unlisted so that a copied folder is the log and nothing else: `log.pub`, `witnesses` and
//! `checkpoint.witnessed`.
//!
//! Invariant: only those, `checkpoint`, and tile paths in their one spelling are there; nothing else of the vault has a
//! path here, whatever a client sends.

use super::{
    file::{DiskFile, RenderedFile},
    no_such_file,
    tree::{Node, Tree},
    unavailable,
};
use crate::{
    custody::log_view::LogView,
    domain::time::Clock,
    sftp::space::{ReadFile, Result},
    tlog::{
        key::VerifierKey,
        note::Note,
        store::{CHECKPOINT, StoreError},
        tile::{Content, TileId, WIDTH, split_bundle},
    },
};
use std::{fs, io::ErrorKind, sync::Arc};

/// The newest checkpoint that a witness cosigned, with its cosignatures.
const WITNESSED: &str = "checkpoint.witnessed";
/// The log's public key.
const LOG_KEY: &str = "log.pub";
/// The witnesses' public keys.
const WITNESS_KEYS: &str = "witnesses";
/// The folder of tiles.
const TILES: &str = "tile";

/// The log's folder.
pub struct LogFolder {
    log: LogView,
    witnesses: Arc<[VerifierKey]>,
    clock: Arc<dyn Clock>,
}

/// Something that stands in the folder.
enum Found {
    Folder,
    Rendered(Vec<u8>),
    Disk(fs::File, fs::Metadata),
}

impl LogFolder {
    /// The folder of this log; `witnesses` are the ones whose cosignatures are taken in.
    pub fn new(log: LogView, witnesses: Arc<[VerifierKey]>, clock: Arc<dyn Clock>) -> Self {
        LogFolder {
            log,
            witnesses,
            clock,
        }
    }

    fn look(&self, path: &[&str]) -> Result<Found> {
        let note = |note: Option<Note>| {
            let note = note.ok_or_else(no_such_file)?;
            Ok(Found::Rendered(note.to_string().into_bytes()))
        };
        match path {
            [] => Ok(Found::Folder),
            [CHECKPOINT] => note(self.log.head().map_err(unavailable)?),
            [WITNESSED] => note(self.log.witnessed().map_err(unavailable)?),
            [LOG_KEY] => Ok(Found::Rendered(format!("{}\n", self.log.verifier()).into_bytes())),
            [WITNESS_KEYS] => Ok(Found::Rendered(
                self.witnesses
                    .iter()
                    .map(|key| format!("{key}\n"))
                    .collect::<String>()
                    .into_bytes(),
            )),
            [TILES, ..] => self.tile(&path.join("/")),
            _ => Err(no_such_file()),
        }
    }

    fn tile(&self, path: &str) -> Result<Found> {
        let on_disk = self.log.dir().root().join(path);
        if is_tile_folder(path) {
            // Of a partial tile that was just replaced by its full one the client may still hold the listing.
            let replaced = || {
                path.strip_suffix(".p")
                    .is_some_and(|full| self.log.dir().root().join(full).exists())
            };
            return match fs::symlink_metadata(on_disk) {
                Ok(metadata) if metadata.is_dir() => Ok(Found::Folder),
                Err(error) if error.kind() == ErrorKind::NotFound && replaced() => Ok(Found::Folder),
                Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable(error)),
                _ => Err(no_such_file()),
            };
        }
        let tile = TileId::parse(path).map_err(|_| no_such_file())?;
        match fs::symlink_metadata(&on_disk) {
            Ok(metadata) if metadata.is_file() => {
                if let Ok(file) = fs::File::open(&on_disk) {
                    return Ok(Found::Disk(file, metadata));
                }
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unavailable(error)),
            _ => {}
        }
        self.narrowed(tile).map(Found::Rendered)
    }

    /// A partial tile that gave way to a wider one while a client was copying: the same bytes, cut from that.
    fn narrowed(&self, tile: TileId) -> Result<Vec<u8>> {
        let level = match tile.content {
            Content::Entries => 0,
            Content::Hashes(level) => u32::from(level),
        };
        let count = tile
            .index
            .checked_mul(WIDTH as u64)
            .and_then(|before| before.checked_add(u64::from(tile.width)));
        let size = count
            .and_then(|count| count.checked_mul(1u64.checked_shl(8 * level)?))
            .ok_or_else(no_such_file)?;
        let (_, mut bytes) = match self.log.dir().find_tile(tile.content, tile.index, size) {
            Err(StoreError::Missing { .. } | StoreError::NotAFile { .. } | StoreError::OutOfRange) => {
                return Err(no_such_file());
            }
            other => other.map_err(unavailable)?,
        };
        let length = match tile.content {
            Content::Hashes(_) => usize::from(tile.width) * 32,
            Content::Entries => {
                let (_, rest) = split_bundle(&bytes, tile.width).map_err(unavailable)?;
                bytes.len() - rest.len()
            }
        };
        bytes.truncate(length);
        Ok(bytes)
    }

    fn tiles(&self, path: &str) -> Result<Vec<(String, Node)>> {
        let entries = match fs::read_dir(self.log.dir().root().join(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unavailable(error)),
        };
        let mut rows = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unavailable)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let child = format!("{path}/{name}");
            // A tile may be replaced while the folder is read: what is gone isn't listed.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() && is_tile_folder(&child) {
                rows.push((name, Node::Folder));
            } else if metadata.is_file() && TileId::parse(&child).is_ok() {
                rows.push((name, DiskFile::node(&metadata)));
            }
        }
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(rows)
    }
}

/// Whether tiles can lie in a folder of this path: judged by the tile paths that it would begin.
fn is_tile_folder(path: &str) -> bool {
    let begins = |rest: &str| TileId::parse(&format!("{path}/{rest}")).is_ok();
    path == TILES || begins("000") || (path.ends_with(".p") && begins("1"))
}

impl Tree for LogFolder {
    fn find(&mut self, path: &[&str]) -> Result<Node> {
        Ok(match self.look(path)? {
            Found::Folder => Node::Folder,
            Found::Rendered(bytes) => Node::file(bytes.len(), self.clock.now_ms()),
            Found::Disk(_, metadata) => DiskFile::node(&metadata),
        })
    }

    fn list(&mut self, path: &[&str]) -> Result<Vec<(String, Node)>> {
        if !path.is_empty() {
            return match self.look(path)? {
                Found::Folder => self.tiles(&path.join("/")),
                _ => Err(no_such_file()),
            };
        }
        let mut rows = Vec::new();
        // The checkpoint first: a copy made in this order has at least the tiles that its checkpoint covers.
        for name in [CHECKPOINT, TILES] {
            match self.find(&[name]) {
                Ok(node) => rows.push((name.to_owned(), node)),
                Err(error) if error.kind == crate::sftp::space::SpaceErrorKind::NoSuchFile => {}
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }

    fn open(&mut self, path: &[&str]) -> Result<Box<dyn ReadFile>> {
        match self.look(path)? {
            Found::Folder => Err(no_such_file()),
            Found::Rendered(bytes) => Ok(RenderedFile::open(bytes, self.clock.now_ms())),
            Found::Disk(file, _) => Ok(Box::new(DiskFile(file))),
        }
    }
}
