//! The age v1 payload, writing side: 16 bytes of salt, then chunks of 64 KiB under ChaCha20-Poly1305.
//!
//! It must never know files: ciphertext is appended to the caller's buffer.
//!
//! Invariant: a chunk index is sealed once in a writer's life, and the chunk marked last is never empty unless the whole
//! plaintext is. So what is read may be appended to a staged body without looking back.

use std::io;

use ring::rand::SecureRandom;

use super::{FileKey, RandomError, chunk_key::SealingKey, file_key::SALT_BYTES, random_bytes, wiped::Wiped};

/// Plaintext bytes in each chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Bytes of the Poly1305 tag behind each chunk.
pub const TAG_BYTES: usize = 16;

/// Why a body can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The store failed while a chunk was read.
    #[error("chunk {chunk} of the body can't be read")]
    Io {
        /// Index of the chunk, from 0.
        chunk: u64,
        /// The store's error.
        source: io::Error,
    },
    /// The store failed before any chunk could be read.
    #[error("the body can't be read")]
    Open(#[source] io::Error),
    /// Too short for a salt and one chunk, or cut inside a tag, or with a last chunk of nothing.
    #[error("the body has {size_bytes} bytes, which no complete body has: it was cut or extended")]
    Length {
        /// Length of the body in bytes.
        size_bytes: u64,
    },
    /// The tag doesn't verify under the key, at this place, as last or not last.
    #[error("chunk {chunk} of the body is damaged, out of place, or the body was cut or extended behind it")]
    Chunk {
        /// Index of the chunk, from 0.
        chunk: u64,
    },
    /// Randomness for a salt failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The crypto library refused what is in its limits, or has no ChaCha20-Poly1305 (a libcrypto in FIPS mode).
    #[error("the crypto library failed")]
    Library,
}

/// Length in bytes of the complete body of a plaintext of that many bytes.
pub fn body_bytes(plaintext_bytes: u64) -> u64 {
    let chunks = plaintext_bytes.div_ceil(CHUNK_BYTES as u64).max(1);
    (SALT_BYTES as u64)
        .saturating_add(plaintext_bytes)
        .saturating_add(chunks.saturating_mul(TAG_BYTES as u64))
}

/// Seals one body. Start the file with [`BodyWriter::prefix`], append what `push` gives, end with `finish`.
///
/// Plaintext is sealed from where it lies; only the up to 64 KiB held back between two pushes are copied.
pub struct BodyWriter {
    key: SealingKey,
    salt: [u8; SALT_BYTES],
    chunks: u64,
    tail: Wiped,
}

impl BodyWriter {
    /// A writer for a new body. `salt` must be random and never used before with this key: see [`BodyWriter::create`].
    pub fn new(file_key: &FileKey, salt: [u8; SALT_BYTES]) -> Result<Self, BodyError> {
        let key = file_key.payload_key(&salt).ok_or(BodyError::Library)?;
        Ok(Self {
            key: SealingKey::new(&key)?,
            salt,
            chunks: 0,
            tail: Wiped(Vec::with_capacity(CHUNK_BYTES)),
        })
    }

    /// A writer for a new body under a random salt.
    pub fn create(file_key: &FileKey, random: &dyn SecureRandom) -> Result<Self, BodyError> {
        Self::new(file_key, random_bytes(random)?)
    }

    /// The first bytes of the body: its salt.
    pub fn prefix(&self) -> &[u8; SALT_BYTES] {
        &self.salt
    }

    /// Plaintext bytes taken so far.
    pub fn plaintext_bytes(&self) -> u64 {
        self.chunks
            .saturating_mul(CHUNK_BYTES as u64)
            .saturating_add(self.tail.len() as u64)
    }

    /// Takes plaintext and appends to `out` every chunk that is now known not to be the last.
    /// After an error the writer is of no use, and `out` holds whole chunks only.
    pub fn push(&mut self, mut plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        let chunks = (self.tail.len() + plaintext.len()).saturating_sub(1) / CHUNK_BYTES;
        out.reserve(chunks * (CHUNK_BYTES + TAG_BYTES));
        for _ in 0..chunks {
            let (head, rest) = plaintext.split_at(CHUNK_BYTES - self.tail.len());
            self.seal(head, false, out)?;
            plaintext = rest;
        }
        self.tail.extend_from_slice(plaintext);
        Ok(())
    }

    /// Appends the last chunk; the body is complete then.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BodyError> {
        self.seal(&[], true, out)
    }

    /// Seals tail and `head` as the next chunk, at the end of `out`.
    fn seal(&mut self, head: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), BodyError> {
        self.key.seal(self.chunks, last, &[&self.tail, head], out)?;
        self.tail.clear();
        self.chunks = self.chunks.checked_add(1).ok_or(BodyError::Library)?;
        Ok(())
    }
}

/// A whole body in memory, for records and other small items.
pub fn seal(file_key: &FileKey, random: &dyn SecureRandom, plaintext: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut writer = BodyWriter::create(file_key, random)?;
    let mut body = writer.prefix().to_vec();
    writer.push(plaintext, &mut body)?;
    writer.finish(&mut body)?;
    Ok(body)
}
