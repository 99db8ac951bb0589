//! The key of one body at work: seals or opens its chunks with ChaCha20-Poly1305 of the system's libcrypto, which has code
//! for wider processors than `ring` (docs/BENCHMARKS.md).
//!
//! It must never know which chunk comes next or which one is last: whoever calls says so, and seals no chunk twice.
//!
//! Invariants: a refused chunk leaves no plaintext behind. The key is in libcrypto's context only, which wipes it when freed.

use openssl::{cipher::Cipher, cipher_ctx::CipherCtx, error::ErrorStack};
use zeroize::Zeroize;

use super::body::{BodyError, TAG_BYTES};

/// Length of a body key in bytes.
pub(super) const KEY_BYTES: usize = 32;

const NONCE_BYTES: usize = 12;

/// Plaintext is sealed in steps of which the room made for them is still in the processor's nearest cache.
const STEP_BYTES: usize = 8 * 1024;

/// Nonce of a chunk: 11 bytes of big-endian counter, one of last-flag (age v1, "payload").
fn chunk_nonce(chunk: u64, last: bool) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[3..11].copy_from_slice(&chunk.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// Seals the chunks of one body.
pub(super) struct SealingKey(CipherCtx);

impl SealingKey {
    /// Takes the key in. The caller wipes its copy.
    ///
    /// # Errors
    /// [`BodyError::Library`] where libcrypto has no ChaCha20-Poly1305, or no memory.
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Result<Self, BodyError> {
        let mut context = CipherCtx::new().map_err(failed)?;
        context
            .encrypt_init(Some(Cipher::chacha20_poly1305()), Some(key), None)
            .map_err(failed)?;
        Ok(Self(context))
    }

    /// Appends to `out` the chunk made of `parts` in a row, and its tag. After an error `out` is as it was.
    ///
    /// # Errors
    /// [`BodyError::Library`].
    pub(super) fn seal(
        &mut self,
        chunk: u64,
        last: bool,
        parts: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), BodyError> {
        let start = out.len();
        let sealed = self.append(&chunk_nonce(chunk, last), parts, out);
        sealed.map_err(|error| {
            out.truncate(start);
            failed(error)
        })
    }

    fn append(
        &mut self,
        nonce: &[u8; NONCE_BYTES],
        parts: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorStack> {
        self.0.encrypt_init(None, None, Some(nonce))?;
        for step in parts.iter().flat_map(|part| part.chunks(STEP_BYTES)) {
            self.0.cipher_update_vec(step, out)?;
        }
        self.0.cipher_final(&mut [])?;
        let mut tag = [0; TAG_BYTES];
        self.0.tag(&mut tag)?;
        out.extend_from_slice(&tag);
        Ok(())
    }
}

/// Opens the chunks of one body.
pub(super) struct OpeningKey(CipherCtx);

impl OpeningKey {
    /// Takes the key in. The caller wipes its copy.
    ///
    /// # Errors
    /// [`BodyError::Library`] where libcrypto has no ChaCha20-Poly1305, or no memory.
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Result<Self, BodyError> {
        let mut context = CipherCtx::new().map_err(failed)?;
        context
            .decrypt_init(Some(Cipher::chacha20_poly1305()), Some(key), None)
            .map_err(failed)?;
        Ok(Self(context))
    }

    /// Opens `sealed`, chunk and tag, into `plaintext`, which is as long as the chunk. After an error it is all zeros.
    ///
    /// # Errors
    /// [`BodyError::Chunk`] when the tag doesn't verify; [`BodyError::Library`].
    pub(super) fn open(
        &mut self,
        chunk: u64,
        last: bool,
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<(), BodyError> {
        let opened = match sealed.split_last_chunk() {
            Some((text, tag)) if text.len() == plaintext.len() => self.verify(chunk, last, tag, |context| {
                context.cipher_update(text, Some(&mut *plaintext))
            }),
            _ => Err(BodyError::Library),
        };
        opened.inspect_err(|_| plaintext.zeroize())
    }

    /// Opens `sealed`, chunk and tag, where it lies: everything but its last [`TAG_BYTES`] is plaintext then, or, after an
    /// error, zeros.
    ///
    /// # Errors
    /// [`BodyError::Chunk`] when the tag doesn't verify; [`BodyError::Library`].
    pub(super) fn open_in_place(
        &mut self,
        chunk: u64,
        last: bool,
        sealed: &mut [u8],
    ) -> Result<(), BodyError> {
        let (text, tag) = sealed.split_last_chunk_mut().ok_or(BodyError::Library)?;
        let opened = self.verify(chunk, last, tag, |context| {
            context.cipher_update_inplace(text, text.len())
        });
        opened.inspect_err(|_| text.zeroize())
    }

    /// Decrypts by `decrypt` and verifies what it decrypted.
    fn verify(
        &mut self,
        chunk: u64,
        last: bool,
        tag: &[u8; TAG_BYTES],
        decrypt: impl FnOnce(&mut CipherCtx) -> Result<usize, ErrorStack>,
    ) -> Result<(), BodyError> {
        let context = &mut self.0;
        let nonce = chunk_nonce(chunk, last);
        context.decrypt_init(None, None, Some(&nonce)).map_err(failed)?;
        context.set_tag(tag).map_err(failed)?;
        decrypt(context).map_err(failed)?;
        match context.cipher_final(&mut []) {
            Ok(_) => Ok(()),
            Err(_) => Err(BodyError::Chunk { chunk }),
        }
    }
}

/// What libcrypto says goes no further: its texts name its own source.
fn failed(_: ErrorStack) -> BodyError {
    BodyError::Library
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    const KEY: [u8; KEY_BYTES] = *b"thirty-two bytes of a body's key";

    /// Lengths around the borders of blocks, vectors, steps and chunks.
    const LENGTHS: [usize; 12] = [0, 1, 63, 64, 65, 4095, 8191, 8192, 8193, 49_999, 65_535, 65_536];

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    /// Each length, as last chunk and not, in turn under the same contexts.
    fn cases() -> impl Iterator<Item = (u64, bool, Vec<u8>)> {
        let lengths = LENGTHS
            .into_iter()
            .flat_map(|length| [(length, false), (length, true)]);
        lengths
            .zip(
                [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX]
                    .into_iter()
                    .cycle(),
            )
            .map(|((length, last), chunk)| (chunk, last, text(length)))
    }

    fn by_ring() -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &KEY).unwrap())
    }

    fn nonce(chunk: u64, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&chunk.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }

    fn sealed_by_ring(chunk: u64, last: bool, plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = plaintext.to_vec();
        by_ring()
            .seal_in_place_append_tag(nonce(chunk, last), Aad::empty(), &mut sealed)
            .unwrap();
        sealed
    }

    #[test]
    fn chunks_are_byte_for_byte_those_of_ring_however_their_plaintext_comes() {
        let mut key = SealingKey::new(&KEY).unwrap();
        for (chunk, last, plaintext) in cases() {
            let expected = sealed_by_ring(chunk, last, &plaintext);
            for cut in [0, 1, 64, 100, 16_384, 40_000, usize::MAX] {
                let (tail, head) = plaintext.split_at(cut.min(plaintext.len()));
                let mut out = b"before".to_vec();
                key.seal(chunk, last, &[tail, head], &mut out).unwrap();
                assert!(
                    out.strip_prefix(b"before") == Some(&expected),
                    "{} cut at {cut}",
                    plaintext.len()
                );
            }
            let mut opened = expected;
            let opened = by_ring()
                .open_in_place(nonce(chunk, last), Aad::empty(), &mut opened)
                .unwrap();
            assert!(*opened == plaintext);
        }
    }

    #[test]
    fn chunks_of_ring_open_into_a_buffer_and_in_place() {
        let mut key = OpeningKey::new(&KEY).unwrap();
        for (chunk, last, plaintext) in cases() {
            let mut sealed = sealed_by_ring(chunk, last, &plaintext);
            let mut opened = vec![1; plaintext.len()];
            key.open(chunk, last, &sealed, &mut opened).unwrap();
            assert!(opened == plaintext);
            key.open_in_place(chunk, last, &mut sealed).unwrap();
            assert!(sealed[..plaintext.len()] == plaintext);
        }
    }

    #[test]
    fn what_is_refused_leaves_nothing_and_the_next_chunk_opens() {
        let mut key = OpeningKey::new(&KEY).unwrap();
        for (chunk, last, plaintext) in cases() {
            let sealed = sealed_by_ring(chunk, last, &plaintext);
            let mut wrong: Vec<(u64, bool, Vec<u8>)> =
                [0, plaintext.len() / 2, plaintext.len(), sealed.len() - 1]
                    .into_iter()
                    .map(|at| {
                        let mut damaged = sealed.clone();
                        damaged[at] ^= 0x10;
                        (chunk, last, damaged)
                    })
                    .collect();
            wrong.push((chunk, !last, sealed.clone()));
            wrong.push((chunk ^ 1, last, sealed.clone()));
            for (chunk, last, mut damaged) in wrong {
                let mut opened = vec![1; plaintext.len()];
                let refused = key.open(chunk, last, &damaged, &mut opened);
                assert!(matches!(refused, Err(BodyError::Chunk { chunk: named }) if named == chunk));
                assert!(opened.iter().all(|byte| *byte == 0));
                let refused = key.open_in_place(chunk, last, &mut damaged);
                assert!(matches!(refused, Err(BodyError::Chunk { chunk: named }) if named == chunk));
                assert!(damaged[..plaintext.len()].iter().all(|byte| *byte == 0));
            }
            let mut opened = vec![1; plaintext.len()];
            key.open(chunk, last, &sealed, &mut opened).unwrap();
            assert!(opened == plaintext);
        }
    }

    #[test]
    fn what_has_no_room_for_a_tag_or_another_length_is_refused() {
        let mut key = OpeningKey::new(&KEY).unwrap();
        assert!(key.open_in_place(0, true, &mut [0; TAG_BYTES - 1]).is_err());
        let sealed = sealed_by_ring(0, true, b"text");
        let mut opened = [1; 5];
        assert!(key.open(0, true, &sealed, &mut opened).is_err());
        assert_eq!(opened, [0; 5]);
    }

    #[test]
    fn nonces_are_those_of_age() {
        assert_eq!(chunk_nonce(0, false), [0; 12]);
        assert_eq!(chunk_nonce(258, true), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1]);
    }
}
