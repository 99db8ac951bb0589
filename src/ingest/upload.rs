//! One upload in flight: bytes arrive, are hashed, encrypted and appended to a staged body, in one pass.
//!
//! It must never know names, declarations or the catalogue.
//!
//! Invariants: nothing is on disk in the clear. A staged body is written once, front to back, under a file key of its own:
//! whatever goes back behind what was written already (a resume, an overwrite, a truncation) starts a *new* body under a
//! *new* key and copies what stays of the old one through it. So no key ever meets one nonce twice, and the digests always
//! cover exactly the bytes that are there.

use super::outgoing::{Outgoing, STEP_BYTES};
use crate::{
    blob::{BlobError, Disk, layout::Layout, staging::StagedBody},
    crypto::{
        BodyReader, BodyWriter, Digests, FileKey, RandomError,
        body::{BodyError, CHUNK_BYTES},
    },
};
use ring::rand::SecureRandom;
use std::{collections::BTreeMap, fs::File, sync::Arc};

/// Bytes that may arrive ahead of a gap before the upload is refused.
const ISLANDS_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// Bodies one upload may start by going back; sequential rewrites need one each.
const REWRITE_LIMIT: u32 = 64;
/// Plaintext copied at a time from an older body.
const COPY_BYTES: usize = CHUNK_BYTES;

/// Why an upload can't go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The store failed: full, read-only or broken.
    #[error(transparent)]
    Store(#[from] BlobError),
    /// An older part of the upload can't be read back.
    #[error("the earlier part of this upload can't be read: {0}")]
    Body(#[from] BodyError),
    /// No randomness for a key.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Bytes in the middle never came.
    #[error("bytes {from} to {to} never arrived; resume the upload at {from}")]
    Gap {
        /// First missing byte.
        from: u64,
        /// First byte that did arrive.
        to: u64,
    },
    /// Writes are too far ahead of what is missing.
    #[error("writes are more than {} MiB ahead of byte {from}, which hasn't arrived; write in order", ISLANDS_LIMIT_BYTES >> 20)]
    TooFarAhead {
        /// First missing byte.
        from: u64,
    },
    /// Too many overwrites of what was sent already.
    #[error("this upload was rewritten {REWRITE_LIMIT} times; write the finished file, front to back")]
    Rewrites,
    /// Larger than any file may be here.
    #[error("the file is larger than {limit_bytes} bytes, the largest this vault takes")]
    TooLarge {
        /// The configured limit.
        limit_bytes: u64,
    },
    /// Setting a size beyond the bytes sent.
    #[error("a file grows by writing to it, not by setting its size")]
    Extend,
}

/// Bytes taken and complete on the store, with what was measured on the way. They are on their way to the disk, but durable only
/// when `body` was synced.
pub struct Finished {
    /// The staged body.
    pub body: StagedBody,
    /// Id of the staged body, which is the accession's id.
    pub id: String,
    /// Opens the body.
    pub file_key: FileKey,
    /// Size of the original in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the original.
    pub sha256: [u8; 32],
    /// Size of the encrypted body in bytes.
    pub stored_size_bytes: u64,
    /// BLAKE3 of the encrypted body.
    pub stored_blake3: [u8; 32],
}

/// An older body whose bytes stay below what is written now.
pub struct Underlay {
    reader: BodyReader<File>,
    size_bytes: u64,
    /// A body of this same upload, which nobody needs once its bytes are copied.
    discard: Option<StagedBody>,
}

impl Underlay {
    /// The first `size_bytes` of a readable body.
    pub fn new(reader: BodyReader<File>, size_bytes: u64) -> Self {
        Underlay {
            size_bytes: size_bytes.min(reader.plaintext_bytes()),
            reader,
            discard: None,
        }
    }
}

/// Makes the ids of staged bodies.
pub type NewId = Arc<dyn Fn() -> Result<String, RandomError> + Send + Sync>;

/// What every upload needs.
#[derive(Clone)]
pub struct Tools {
    /// Where bodies are staged.
    pub layout: Layout,
    /// Writes them.
    pub disk: Disk,
    /// Keys and salts.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// Names for bodies.
    pub new_id: NewId,
    /// Largest file in bytes.
    pub limit_bytes: u64,
}

/// A body being written, front to back: an upload's, or that of a copy made from an original.
pub(crate) struct Body {
    out: Outgoing,
    id: String,
    file_key: FileKey,
    writer: BodyWriter,
    digests: Digests,
    length: u64,
}

/// An upload in flight.
pub struct Upload {
    tools: Tools,
    body: Body,
    under: Option<Underlay>,
    islands: BTreeMap<u64, Vec<u8>>,
    island_bytes: usize,
    rewrites: u32,
}

impl Upload {
    /// Starts an upload, on top of an older body if there is one to resume.
    ///
    /// # Errors
    /// When the store can't take a new file.
    pub fn start(tools: Tools, under: Option<Underlay>) -> Result<Self, UploadError> {
        let body = Body::create(&tools)?;
        Ok(Upload {
            tools,
            body,
            under,
            islands: BTreeMap::new(),
            island_bytes: 0,
            rewrites: 0,
        })
    }

    /// Id of the body being written.
    pub fn id(&self) -> &str {
        &self.body.id
    }

    /// Opens the body being written.
    pub fn file_key(&self) -> &FileKey {
        &self.body.file_key
    }

    /// Size of the file as its client sees it: what is written, or what an older body still holds beyond it.
    pub fn size_bytes(&self) -> u64 {
        let islands = self
            .islands
            .last_key_value()
            .map_or(0, |(at, bytes)| at + bytes.len() as u64);
        self.body.length.max(self.under_size()).max(islands)
    }

    /// Bytes from the front that are here without a gap.
    pub fn available_bytes(&self) -> u64 {
        self.body.length.max(self.under_size())
    }

    /// Where the first run of bytes behind a gap begins.
    pub fn first_island(&self) -> Option<u64> {
        self.islands.first_key_value().map(|(at, _)| *at)
    }

    /// Bytes of the original that the current body holds for certain.
    pub fn written_bytes(&self) -> u64 {
        self.body.length
    }

    fn under_size(&self) -> u64 {
        self.under.as_ref().map_or(0, |under| under.size_bytes)
    }

    /// Takes one run of bytes.
    ///
    /// # Errors
    /// When the store fails or the run can't be placed; what was written before stays.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), UploadError> {
        let end = offset
            .checked_add(bytes.len() as u64)
            .filter(|end| *end <= self.tools.limit_bytes);
        if end.is_none() {
            return Err(UploadError::TooLarge {
                limit_bytes: self.tools.limit_bytes,
            });
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if offset < self.body.length {
            self.go_back(self.size_bytes())?;
        }
        if offset > self.body.length {
            self.copy_under(offset)?;
        }
        if offset > self.body.length {
            return self.keep_island(offset, bytes);
        }
        self.body.push(bytes)?;
        self.join_islands()
    }

    /// Cuts the file to a size.
    ///
    /// # Errors
    /// When the size is beyond what was sent, or the store fails.
    pub fn truncate(&mut self, size_bytes: u64) -> Result<(), UploadError> {
        if size_bytes > self.size_bytes() {
            return Err(UploadError::Extend);
        }
        if size_bytes < self.body.length {
            self.go_back(size_bytes)?;
        }
        if let Some(under) = &mut self.under {
            under.size_bytes = under.size_bytes.min(size_bytes);
        }
        self.islands.split_off(&size_bytes);
        if let Some((at, mut bytes)) = self.islands.pop_last() {
            bytes.truncate(usize::try_from(size_bytes - at).unwrap_or(usize::MAX));
            self.islands.insert(at, bytes);
        }
        self.island_bytes = self.islands.values().map(Vec::len).sum();
        Ok(())
    }

    /// Makes everything written so far durable, but for the last chunk, which stays open.
    ///
    /// # Errors
    /// When the store fails.
    pub fn sync(&mut self) -> Result<(), UploadError> {
        Ok(self.body.out.sync()?)
    }

    /// The end of the file: the body is complete when this returns.
    ///
    /// # Errors
    /// When bytes in the middle never came, or the store fails. The upload is as good as before in the first case.
    pub fn finish(mut self) -> Result<Finished, (UploadError, Option<Box<Upload>>)> {
        if let Err(error) = self.copy_under(self.under_size()) {
            return Err((error, None));
        }
        if let Some((&to, _)) = self.islands.first_key_value() {
            let from = self.body.length;
            return Err((UploadError::Gap { from, to }, Some(Box::new(self))));
        }
        self.drop_under();
        self.body.finish().map_err(|error| (error, None))
    }

    /// Ends the upload with the bytes up to the first gap.
    ///
    /// # Errors
    /// When the store fails.
    pub fn finish_prefix(mut self) -> Result<Finished, UploadError> {
        self.copy_under(self.under_size())?;
        self.drop_under();
        self.body.finish()
    }

    /// Forgets the upload and its staged body: for one whose bytes nobody was told are kept.
    pub fn discard(mut self) {
        self.drop_under();
        self.body.discard();
    }

    /// Completes the current body, makes it the underlay of a new one, and so lets writes begin anywhere below `keep_bytes`.
    fn go_back(&mut self, keep_bytes: u64) -> Result<(), UploadError> {
        self.rewrites += 1;
        if self.rewrites > REWRITE_LIMIT {
            return Err(UploadError::Rewrites);
        }
        self.copy_under(self.under_size())?;
        let fresh = Body::create(&self.tools)?;
        let old = std::mem::replace(&mut self.body, fresh);
        self.drop_under();
        let (staged, file_key, size_bytes) = old.close()?;
        let reader = BodyReader::open(&file_key, staged.reader()?)?;
        self.under = Some(Underlay {
            reader,
            size_bytes: size_bytes.min(keep_bytes),
            discard: Some(staged),
        });
        Ok(())
    }

    fn drop_under(&mut self) {
        if let Some(staged) = self.under.take().and_then(|under| under.discard) {
            let _ = staged.discard();
        }
    }

    /// Copies the underlay up to `offset`, as far as it goes.
    fn copy_under(&mut self, offset: u64) -> Result<(), UploadError> {
        let Some(under) = &mut self.under else {
            return Ok(());
        };
        let end = under.size_bytes.min(offset);
        if self.body.length >= end {
            return Ok(());
        }
        let mut buffer = vec![0u8; COPY_BYTES];
        while self.body.length < end {
            let wanted = usize::try_from(end - self.body.length)
                .unwrap_or(COPY_BYTES)
                .min(COPY_BYTES);
            let read = under.reader.read_at(self.body.length, &mut buffer[..wanted])?;
            if read == 0 {
                return Err(BodyError::Length {
                    size_bytes: self.body.length,
                }
                .into());
            }
            self.body.push(&buffer[..read])?;
        }
        self.join_islands()
    }

    fn keep_island(&mut self, offset: u64, bytes: &[u8]) -> Result<(), UploadError> {
        if self.island_bytes + bytes.len() > ISLANDS_LIMIT_BYTES {
            return Err(UploadError::TooFarAhead {
                from: self.body.length,
            });
        }
        self.island_bytes += bytes.len();
        if let Some(replaced) = self.islands.insert(offset, bytes.to_vec()) {
            self.island_bytes -= replaced.len();
            if replaced.len() > bytes.len() {
                let rest = offset + bytes.len() as u64;
                return self.keep_island(rest, &replaced[bytes.len()..]);
            }
        }
        Ok(())
    }

    /// Appends islands that the body has grown up to.
    fn join_islands(&mut self) -> Result<(), UploadError> {
        while let Some(entry) = self.islands.first_entry() {
            let at = *entry.key();
            if at > self.body.length {
                return Ok(());
            }
            let bytes = entry.remove();
            self.island_bytes -= bytes.len();
            let known = usize::try_from(self.body.length - at).unwrap_or(usize::MAX);
            if let Some(rest) = bytes.get(known..) {
                self.body.push(rest)?;
            }
        }
        Ok(())
    }
}

impl Body {
    fn create(tools: &Tools) -> Result<Self, UploadError> {
        Self::create_under(tools, FileKey::generate(tools.random.as_ref())?)
    }

    /// A body under a given key, with a fresh salt.
    pub(crate) fn create_under(tools: &Tools, file_key: FileKey) -> Result<Self, UploadError> {
        let id = (tools.new_id)()?;
        let writer = BodyWriter::create(&file_key, tools.random.as_ref())?;
        let mut out = Outgoing::new(StagedBody::create(&tools.layout, &id)?, tools.disk.clone());
        out.buffer(0).extend_from_slice(writer.prefix());
        Ok(Body {
            out,
            id,
            file_key,
            writer,
            digests: Digests::new(),
            length: 0,
        })
    }

    /// Plaintext bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Removes it. Nothing of it was promised to anybody.
    pub(crate) fn discard(self) {
        self.out.discard();
    }

    /// Takes plaintext.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        for step in bytes.chunks(STEP_BYTES) {
            self.digests.update(step);
            self.writer.push(step, self.out.buffer(step.len()))?;
            self.length += step.len() as u64;
            self.out.pass_on()?;
        }
        Ok(())
    }

    /// Completes the body without making it durable: for one that only feeds its successor.
    fn close(mut self) -> Result<(StagedBody, FileKey, u64), UploadError> {
        self.writer.finish(self.out.buffer(0))?;
        let (staged, _) = self.out.finish()?;
        Ok((staged, self.file_key, self.length))
    }

    /// Completes the body and has it begin its way to the disk.
    pub(crate) fn finish(mut self) -> Result<Finished, UploadError> {
        self.writer.finish(self.out.buffer(0))?;
        let (body, stored_blake3) = self.out.finish()?;
        body.begin_sync();
        Ok(Finished {
            id: self.id,
            file_key: self.file_key,
            size_bytes: self.length,
            sha256: self.digests.finish().sha256,
            stored_size_bytes: body.size_bytes(),
            stored_blake3,
            body,
        })
    }
}
