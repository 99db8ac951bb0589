//! Files as the verifier reads them: bounded, regular, streamed where they are large.
//!
//! Invariant: a pipe or a device is never opened, and no file decides how much memory is used.

use crate::{
    crypto::{Digests, Hash, StoredDigest, digest::OriginalDigests},
    tlog::note::VerifierKey,
};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1024 * 1024;
/// Longest file of a public key.
const MAX_KEY_BYTES: usize = 4 * 1024;

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It isn't there.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// A folder, a pipe, a device or, where none is expected, a link.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Longer than what it should be can be.
    #[error("{} has more than {limit_bytes} bytes, so it is not what it should be", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What was allowed.
        limit_bytes: usize,
    },
    /// The operating system refuses.
    #[error("{} can't be read: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Not the text of a key.
    #[error("{} is no public key: {source}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: crate::tlog::note::KeyError,
    },
}

/// Opens a regular file, through links if `follow`.
fn open(path: &Path, follow: bool) -> Result<File, InputError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => InputError::Missing(path.to_owned()),
        _ => InputError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let metadata = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    }
    .map_err(io)?;
    if !metadata.is_file() {
        return Err(InputError::NotAFile(path.to_owned()));
    }
    File::open(path).map_err(io)
}

/// The bytes of a file of at most `limit_bytes`.
///
/// # Errors
/// When it isn't there, isn't a regular file, is longer, or can't be read.
pub fn read(path: &Path, limit_bytes: usize) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    open(path, true)?
        .take(limit_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| InputError::Io {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() > limit_bytes {
        return Err(InputError::TooLarge {
            path: path.to_owned(),
            limit_bytes,
        });
    }
    Ok(bytes)
}

/// Like [`read`], `None` when the file isn't there.
///
/// # Errors
/// As [`read`].
pub fn read_if_there(path: &Path, limit_bytes: usize) -> Result<Option<Vec<u8>>, InputError> {
    match read(path, limit_bytes) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(InputError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A public key from its file: one line, `name+id+base64`.
///
/// # Errors
/// When it can't be read or isn't a key.
pub fn read_key(path: &Path) -> Result<VerifierKey, InputError> {
    let bytes = read(path, MAX_KEY_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    VerifierKey::parse(text.strip_suffix('\n').unwrap_or(&text)).map_err(|source| InputError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Hands a regular file's bytes to `take`, and gives its length; `progress` is told of every piece.
fn stream(
    path: &Path,
    follow: bool,
    mut take: impl FnMut(&[u8]),
    progress: &mut dyn FnMut(u64),
) -> Result<u64, InputError> {
    let mut file = open(path, follow)?;
    let (mut buffer, mut size_bytes) = (vec![0; BUFFER_BYTES], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(size_bytes),
            Ok(read) => {
                take(&buffer[..read]);
                size_bytes += read as u64;
                progress(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(InputError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
}

/// Reads an original and computes what a leaf says of it.
///
/// # Errors
/// When it can't be read.
pub fn digest_original(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<OriginalDigests, InputError> {
    let mut digests = Digests::with_chunk_root();
    stream(path, true, |bytes| digests.update(bytes), progress)?;
    Ok(digests.finish())
}

/// Size and BLAKE3 of a body as it lies on disk; links aren't followed.
///
/// # Errors
/// When it can't be read.
pub fn digest_stored(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(u64, Hash), InputError> {
    let mut digest = StoredDigest::new();
    let size_bytes = stream(path, false, |bytes| digest.update(bytes), progress)?;
    Ok((size_bytes, digest.finish()))
}

/// What a folder holds, in name order; links are shown as links.
///
/// # Errors
/// When it can't be read.
pub fn list(folder: &Path) -> Result<Vec<(PathBuf, fs::FileType)>, InputError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => InputError::Missing(folder.to_owned()),
        _ => InputError::Io {
            path: folder.to_owned(),
            source,
        },
    };
    let mut entries = fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))))
        .collect::<io::Result<Vec<_>>>()
        .map_err(io)?;
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

/// Whether a file lies in a folder: a key that came with what it should prove.
pub fn lies_in(file: &Path, folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(file)
        .zip(real(folder))
        .is_some_and(|(file, folder)| file.starts_with(folder))
}
