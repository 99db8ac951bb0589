//! The key that protects what an interrupted upload leaves behind: its sidecar holds a file key and a few KiB of
//! plaintext, which ingest, holding public recipients only, could not otherwise keep and read again.
//!
//! Keys derived from it seal what else the host has to read again by itself: secrets of authenticator apps.
//!
//! It must never protect evidence that is sealed: whoever takes this key may read uploads in flight and those secrets, nothing
//! else.
//!
//! Invariant: the key's file is readable by its owner only, and a file that others could have read is refused.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
    rand::SecureRandom,
};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{RandomError, body::TAG_BYTES, random_bytes};

const KEY_BYTES: usize = 32;

/// A ChaCha20-Poly1305 key. Nonces are random, 96 bits: right for up to 2^32 sidecars a key, centuries of uploads.
#[derive(ZeroizeOnDrop)]
pub struct StagingKey([u8; KEY_BYTES]);

/// Why the key can't be had or a sidecar can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum StagingKeyError {
    /// The file can't be made or read.
    #[error("the staging key's file can't be used")]
    Io(#[from] io::Error),
    /// Group or others may read the file.
    #[error("the staging key's file has mode {mode:o}: others may have read it; it must be 600")]
    Mode {
        /// Permission bits found.
        mode: u32,
    },
    /// Not 32 bytes.
    #[error("the staging key's file doesn't hold {KEY_BYTES} bytes")]
    Length,
    /// Altered, sealed for something else, or under another key.
    #[error("the sealed text is damaged or belongs elsewhere")]
    Sealed,
    /// Randomness failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl StagingKey {
    /// Makes a new key and its file, which must not exist. Durable when this returns.
    pub fn create(path: &Path, random: &dyn SecureRandom) -> Result<Self, StagingKeyError> {
        let key = Self(random_bytes(random)?);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&key.0)?;
        file.sync_all()?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(key)
    }

    /// Reads the key.
    pub fn load(path: &Path) -> Result<Self, StagingKeyError> {
        let file = File::open(path)?;
        let mode = file.metadata()?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(StagingKeyError::Mode { mode });
        }
        // Room for the whole, so that no copy is left behind in a buffer that grew.
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        bytes
            .as_slice()
            .try_into()
            .map(Self)
            .map_err(|_| StagingKeyError::Length)
    }

    /// A key of its own for another purpose: HKDF-SHA-256 without salt, `label` as info. It comes and goes with this one.
    pub fn derived(&self, label: &str) -> Result<Self, StagingKeyError> {
        let mut key = Self([0; KEY_BYTES]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(&self.0)
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key.0))
            .map_err(|_| StagingKeyError::Length)?;
        Ok(key)
    }

    /// HMAC-SHA-256 under a key of its own, likewise.
    pub fn mac(&self, label: &str) -> Result<hmac::Key, StagingKeyError> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &self.derived(label)?.0))
    }

    /// `nonce12 ‖ ciphertext ‖ tag16`. `context` says what this is (the accession's id) and must be the same to open it.
    pub fn seal(
        &self,
        plaintext: &[u8],
        context: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, StagingKeyError> {
        let nonce = random_bytes::<NONCE_LEN>(random)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .aead()?
            .seal_in_place_separate_tag(nonce, Aad::from(context), &mut sealed[NONCE_LEN..])
            .map_err(|_| StagingKeyError::Sealed)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// The plaintext of what [`StagingKey::seal`] made for the same `context`.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, StagingKeyError> {
        let (nonce, text) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(StagingKeyError::Sealed)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .aead()?
            .open_in_place(nonce, Aad::from(context), &mut text)
            .map_err(|_| StagingKeyError::Sealed)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn aead(&self) -> Result<LessSafeKey, StagingKeyError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.0).map_err(|_| StagingKeyError::Length)?;
        Ok(LessSafeKey::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("staging.key");
        let random = SystemRandom::new();
        let made = StagingKey::create(&path, &random).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(StagingKey::load(&path).unwrap().0, made.0);
        assert!(matches!(
            StagingKey::create(&path, &random),
            Err(StagingKeyError::Io(_))
        ));
        assert_eq!(StagingKey::load(&path).unwrap().0, made.0);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            StagingKey::load(&path),
            Err(StagingKeyError::Mode { mode: 0o640 })
        ));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for length in [0, 31, 33] {
            fs::write(&path, vec![0; length]).unwrap();
            assert!(matches!(StagingKey::load(&path), Err(StagingKeyError::Length)));
        }
    }

    #[test]
    fn derived_keys_differ_by_label_and_by_key() {
        let random = SystemRandom::new();
        let key = StagingKey([1; 32]);
        let sealed = key.derived("a").unwrap().seal(b"x", b"", &random).unwrap();
        assert!(key.derived("a").unwrap().open(&sealed, b"").is_ok());
        for other in [
            key.derived("b").unwrap(),
            StagingKey([2; 32]).derived("a").unwrap(),
            StagingKey([1; 32]),
        ] {
            assert!(other.open(&sealed, b"").is_err());
        }
        let tag = hmac::sign(&key.mac("a").unwrap(), b"x");
        assert!(hmac::verify(&key.mac("a").unwrap(), b"x", tag.as_ref()).is_ok());
        assert!(hmac::verify(&key.mac("b").unwrap(), b"x", tag.as_ref()).is_err());
    }

    #[test]
    fn a_sidecar_opens_only_whole_and_only_for_its_upload() {
        let random = SystemRandom::new();
        let (key, other) = (StagingKey([1; 32]), StagingKey([2; 32]));
        let sealed = key.seal(b"tail", b"accession 1", &random).unwrap();
        assert_eq!(key.open(&sealed, b"accession 1").unwrap().as_slice(), b"tail");
        assert_ne!(key.seal(b"tail", b"accession 1", &random).unwrap(), sealed);
        assert!(key.open(&sealed, b"accession 2").is_err());
        assert!(other.open(&sealed, b"accession 1").is_err());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(key.open(&damaged, b"accession 1").is_err(), "byte {at}");
            assert!(key.open(&sealed[..at], b"accession 1").is_err(), "cut at {at}");
        }
    }
}
