//! The key of one stored item: 16 bytes from which age derives the keys of header and bodies.
//!
//! It must never know who may read the item; wrapping for recipients is `header`'s.
//!
//! Invariant: the bytes are wiped when dropped, and come out only through [`FileKey::expose`].

use ring::{hkdf, hmac, rand::SecureRandom};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{RandomError, chunk_key::KEY_BYTES, random_bytes};

/// Length of a file key in bytes (age v1, "file key").
pub const FILE_KEY_BYTES: usize = 16;

/// Length of the salt in front of each body in bytes (age v1, "payload": the nonce of 16 bytes).
pub const SALT_BYTES: usize = 16;

/// The key of one stored item. One key may open several bodies, each under a random salt of its own.
#[derive(ZeroizeOnDrop)]
pub struct FileKey([u8; FILE_KEY_BYTES]);

impl FileKey {
    /// A new random key.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        random_bytes(random).map(Self)
    }

    /// A key that was kept in a sealed sidecar. The caller wipes its copy.
    pub fn from_bytes(bytes: [u8; FILE_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be wrapped or sealed and nothing else.
    pub fn expose(&self) -> &[u8; FILE_KEY_BYTES] {
        &self.0
    }

    /// The body key: HKDF-SHA-256 with the body's salt and the label "payload". Nothing only if `ring` has no such
    /// lengths, which it has.
    pub(super) fn payload_key(&self, salt: &[u8; SALT_BYTES]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.0);
        let expanded = extracted.expand(&[b"payload"], PayloadKey).ok()?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        expanded.fill(key.as_mut()).ok()?;
        Some(key)
    }

    /// The header's MAC key: HKDF-SHA-256 without salt and with the label "header".
    pub(super) fn header_key(&self) -> Option<hmac::Key> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.0);
        let expanded = extracted.expand(&[b"header"], hmac::HMAC_SHA256).ok()?;
        Some(hmac::Key::from(expanded))
    }
}

/// Tells HKDF how long a body key is.
struct PayloadKey;

impl hkdf::KeyType for PayloadKey {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}
