//! Sealed content, opened for reading in ranges: the original, copies made from it, and records.
//!
//! It must never know who reads or whether they may; whoever calls has an `access.read` committed before.
//!
//! Invariants: a byte leaves only after the tag of its chunk of 64 KiB verified; a read that fails gives no byte at all;
//! nothing is read under a key whose lease has ended.

use super::keyring::{Closed, Keyring, KeyringError, Lease};
use crate::{
    blob::{Layout, layout::LayoutError},
    catalog::{Catalogue, CatalogueError, placements},
    crypto::{
        BodyReader, FileKey,
        body::{BodyError, CHUNK_BYTES},
        header::{HeaderError, MAX_HEADER_BYTES},
    },
    domain::event::Record,
    seal::VersionId,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use zeroize::{Zeroize, Zeroizing};

/// Largest record that is opened: names, salts and provenance of one file, or the scan of a signed form.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Which of a version's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The original.
    Original,
    /// The contact sheet that this `derived.made` event made.
    ContactSheet {
        /// The event's id.
        event: String,
    },
    /// The playback copy that this `derived.made` event made.
    Playback {
        /// The event's id.
        event: String,
    },
}

/// Why content can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The keyring is closed, or was locked while this was open.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// It is sealed and on its way to its place: in a moment it can be read.
    #[error("this was sealed a moment ago and is still being put in its place: try again")]
    NotPlaced,
    /// It should be there and isn't.
    #[error("{label} is gone: run `muniment fixity check`")]
    Missing {
        /// Which file, without the customer's number.
        label: String,
    },
    /// The header doesn't give a key.
    #[error("header: {0}")]
    Header(HeaderError),
    /// A chunk isn't what was sealed. Nothing of the read was given out.
    #[error("chunk {chunk} is damaged or out of place: run `muniment fixity check`")]
    Chunk {
        /// Index of the chunk of 64 KiB, from 0.
        chunk: u64,
    },
    /// It was cut or extended, or is larger than such a thing can be.
    #[error("the stored body has an impossible length ({size_bytes} bytes): run `muniment fixity check`")]
    Length {
        /// Length in bytes.
        size_bytes: u64,
    },
    /// The store failed.
    #[error("{label} can't be read: {source}")]
    Io {
        /// Which file, without the customer's number.
        label: String,
        /// What the system said.
        source: io::Error,
    },
    /// A decrypted record isn't one.
    #[error("the record isn't what it should be: {0}")]
    Record(String),
    /// An id that can't be a path.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The catalogue can't be asked.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The crypto library failed.
    #[error("the crypto library failed")]
    Library,
}

impl From<KeyringError> for ContentError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Closed(closed) => ContentError::Closed(closed),
            KeyringError::Header(error) => ContentError::Header(error),
        }
    }
}

/// What opens sealed content. Clones share the keyring.
#[derive(Clone)]
pub struct Contents {
    layout: Layout,
    catalogue: Catalogue,
    keyring: Keyring,
}

impl Contents {
    /// The contents of a vault.
    pub fn new(layout: Layout, catalogue: Catalogue, keyring: Keyring) -> Self {
        Self {
            layout,
            catalogue,
            keyring,
        }
    }

    /// What opens and closes with it.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Opens one part of a version. The end of the body is verified here, so its length is known to be right.
    ///
    /// # Errors
    /// When the keyring is closed, or the files aren't there or aren't what was sealed.
    pub fn open(&self, version: &VersionId, part: &Part) -> Result<Content, ContentError> {
        self.unlock(version)?.open(part)
    }

    /// Opens a version's header, which is no content: shows whether the content could be read, and gives what reads it.
    ///
    /// # Errors
    /// When the keyring is closed, or the header isn't there or doesn't open.
    pub fn unlock(&self, version: &VersionId) -> Result<Unlocked<'_>, ContentError> {
        let header = self.layout.header(&version.evidence, version.version)?;
        let (file_key, lease) = self.file_key(&header)?;
        Ok(Unlocked {
            contents: self,
            version: version.clone(),
            file_key,
            lease,
        })
    }

    /// The record of an event that has one of its own: administration, requests, waiting uploads.
    ///
    /// # Errors
    /// When the keyring is closed, or the record isn't there or isn't what was sealed.
    pub fn record(&self, event: &str) -> Result<Record, ContentError> {
        let (file_key, lease) = self.file_key(&self.layout.registry_header(event)?)?;
        let mut body = self.body(&self.layout.registry_record(event)?, &file_key, lease)?;
        let json = body.read_all(MAX_RECORD_BYTES)?;
        serde_json::from_slice(&json).map_err(|error| ContentError::Record(error.to_string()))
    }

    fn file_key(&self, header: &Path) -> Result<(FileKey, Lease), ContentError> {
        // Before the disk: a closed server says so, whatever is asked for.
        if let Some(closed) = self.keyring.closed() {
            return Err(closed.into());
        }
        let mut bytes = Vec::new();
        self.file(header)?
            .take(MAX_HEADER_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| self.failed(header, source))?;
        Ok(self.keyring.leased_file_key(&bytes)?)
    }

    fn body(&self, path: &Path, file_key: &FileKey, lease: Lease) -> Result<Content, ContentError> {
        let label = self.layout.label(path);
        let reader = BodyReader::open(file_key, self.file(path)?).map_err(|error| of_body(error, &label))?;
        Ok(Content {
            size_bytes: reader.plaintext_bytes(),
            reader: Some(reader),
            lease,
            label,
        })
    }

    /// A file under its final name. One that isn't there is on its way, or came there while we asked, or is gone.
    fn file(&self, path: &Path) -> Result<File, ContentError> {
        let open = || match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        };
        if let Some(file) = open()? {
            return Ok(file);
        }
        let below = path.strip_prefix(self.layout.root()).ok().and_then(Path::to_str);
        let pending = match below {
            Some(target) => self
                .catalogue
                .read(|catalogue| placements::is_pending(catalogue, target))?,
            None => false,
        };
        if pending {
            return Err(ContentError::NotPlaced);
        }
        open()?.ok_or_else(|| ContentError::Missing {
            label: self.layout.label(path),
        })
    }

    fn failed(&self, path: &Path, source: io::Error) -> ContentError {
        ContentError::Io {
            label: self.layout.label(path),
            source,
        }
    }
}

/// A version whose header is open. Its key is wiped when this is dropped.
pub struct Unlocked<'c> {
    contents: &'c Contents,
    version: VersionId,
    file_key: FileKey,
    lease: Lease,
}

impl Unlocked<'_> {
    /// The key itself, for the one who hands it to the background inspection.
    pub fn file_key(&self) -> &FileKey {
        &self.file_key
    }

    /// Opens one part for reading.
    ///
    /// # Errors
    /// When the keyring was locked since, or the body isn't there or isn't what was sealed.
    pub fn open(&self, part: &Part) -> Result<Content, ContentError> {
        let layout = &self.contents.layout;
        let VersionId {
            customer,
            evidence,
            version,
        } = &self.version;
        self.body(match part {
            Part::Original => layout.content(customer, evidence, *version)?,
            Part::ContactSheet { event } | Part::Playback { event } => {
                layout.derived(customer, evidence, *version, event)?
            }
        })
    }

    /// The version's own record: names, salts and provenance of the original, as JSON.
    ///
    /// # Errors
    /// Like [`Unlocked::open`].
    pub fn record_json(&self) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let VersionId {
            customer,
            evidence,
            version,
        } = &self.version;
        let path = self.contents.layout.record(customer, evidence, *version)?;
        self.body(path)?.read_all(MAX_RECORD_BYTES)
    }

    fn body(&self, path: PathBuf) -> Result<Content, ContentError> {
        if self.lease.has_ended() {
            return Err(Closed::Locked.into());
        }
        self.contents.body(&path, &self.file_key, self.lease.clone())
    }
}

/// One body, open for reading in ranges. It costs 64 KiB of memory, and ends when the keyring is locked.
pub struct Content {
    size_bytes: u64,
    /// Dropped, with its key and the chunk it keeps, at the first read after the lease ended.
    reader: Option<BodyReader<File>>,
    lease: Lease,
    label: String,
}

impl Content {
    /// Length of the plaintext in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The same, if it is as long as it should be. One file key opens the original and the copies made from it, so that
    /// one put into the place of another would open too.
    ///
    /// # Errors
    /// When it has another length.
    pub fn expecting(self, size_bytes: u64) -> Result<Self, ContentError> {
        if self.size_bytes == size_bytes {
            Ok(self)
        } else {
            Err(ContentError::Length {
                size_bytes: self.size_bytes,
            })
        }
    }

    /// Fills `buf` from `offset` on; fewer bytes than asked for only at the end. The lease is looked at before each chunk.
    ///
    /// # Errors
    /// When the keyring was locked, or a chunk isn't what was sealed; `buf` holds no plaintext then.
    pub fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, ContentError> {
        let read = self.fill(offset, buf);
        if read.is_err() {
            buf.zeroize();
        }
        read
    }

    fn fill(&mut self, mut offset: u64, buf: &mut [u8]) -> Result<usize, ContentError> {
        let mut filled = 0;
        loop {
            if self.lease.has_ended() {
                self.reader = None;
            }
            let reader = self.reader.as_mut().ok_or(Closed::Locked)?;
            let within = (offset % CHUNK_BYTES as u64) as usize;
            let end = buf.len().min(filled + CHUNK_BYTES - within);
            let read = reader
                .read_at(offset, &mut buf[filled..end])
                .map_err(|error| of_body(error, &self.label))?;
            filled += read;
            offset = offset.saturating_add(read as u64);
            if read == 0 || filled == buf.len() {
                return Ok(filled);
            }
        }
    }

    fn read_all(&mut self, limit_bytes: usize) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let size = usize::try_from(self.size_bytes)
            .ok()
            .filter(|size| *size <= limit_bytes)
            .ok_or(ContentError::Length {
                size_bytes: self.size_bytes,
            })?;
        let mut plaintext = Zeroizing::new(vec![0; size]);
        self.read_at(0, &mut plaintext)?;
        Ok(plaintext)
    }
}

fn of_body(error: BodyError, label: &str) -> ContentError {
    let failed = |source| ContentError::Io {
        label: label.to_owned(),
        source,
    };
    match error {
        BodyError::Io { source, .. } | BodyError::Open(source) => failed(source),
        BodyError::Length { size_bytes } => ContentError::Length { size_bytes },
        BodyError::Chunk { chunk } => ContentError::Chunk { chunk },
        BodyError::Random(_) | BodyError::Library => ContentError::Library,
    }
}

#[cfg(test)]
mod tests;
