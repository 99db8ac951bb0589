//! Secrets that a browser carries, and the tokens derived from them that prove a form came from a page of ours.

use crate::domain::{
    hex,
    random::{RandomError, random_bytes},
};
use ring::{digest, hmac, rand::SecureRandom};
use zeroize::Zeroizing;

/// What a form's token is derived for; another use of the same secret takes another text.
const CSRF: &[u8] = b"muniment console form";

/// 256 random bits in a cookie.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        Ok(Secret(Zeroizing::new(random_bytes(random)?)))
    }

    /// As a cookie carries it; `None` for what isn't one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text)
            .ok()
            .map(|bytes| Secret(Zeroizing::new(bytes)))
    }

    /// The cookie's value.
    pub(super) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Its SHA-256, by which a session is found. A look-up by digest tells nothing about the secret, however long it takes.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, self.0.as_slice()).as_ref());
        bytes
    }

    /// The token that a form of this session carries. It opens nothing by itself.
    pub(super) fn token(&self) -> String {
        hex::encode(hmac::sign(&self.key(), CSRF))
    }

    /// Whether a token is the one of this secret; takes the same time whatever is wrong with it.
    pub(super) fn fits(&self, token: &str) -> bool {
        hex::decode(token).is_ok_and(|token| hmac::verify(&self.key(), CSRF, &token).is_ok())
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn a_token_belongs_to_one_secret() {
        let random = SystemRandom::new();
        let (mine, other) = (Secret::new(&random).unwrap(), Secret::new(&random).unwrap());
        assert!(mine.fits(&mine.token()));
        assert!(!mine.fits(&other.token()));
        for wrong in [
            "",
            "00",
            &mine.text(),
            &mine.token()[..62],
            &mine.token().to_uppercase(),
        ] {
            assert!(!mine.fits(wrong), "{wrong}");
        }
        let read = Secret::parse(&mine.text()).unwrap();
        assert_eq!((read.digest(), read.token()), (mine.digest(), mine.token()));
        assert!(Secret::parse("zz").is_none());
        assert!(!mine.token().contains(mine.text().as_str()));
    }
}
