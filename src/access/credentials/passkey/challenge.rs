//! Challenges: what a passkey signs, so that an answer is to one question of ours, once, and soon.
//!
//! A challenge carries its own time and a MAC over what it is for, so that asking costs no memory, however many strangers
//! ask. Only those that were answered rightly are remembered, until they expire: that makes each count once.

use super::PasskeyError;
use crate::domain::random::{RandomError, random_bytes};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{hmac, rand::SecureRandom};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How long a challenge to show a passkey counts, in milliseconds.
pub(super) const VALID_MS: i64 = 5 * 60_000;
/// How long one to make a passkey counts: somebody may have to think of a password on the same page.
pub(super) const REGISTER_MS: i64 = 15 * 60_000;
/// Right answers that are remembered at one time; more than a house's people give in five minutes.
pub(super) const MAX_USED: usize = 10_000;

const NONCE_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
const BYTES: usize = NONCE_BYTES + TIME_BYTES + TAG_BYTES;

/// What a challenge is for. Another purpose or another browser makes it worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To sign in, from the browser with this secret (digest).
    SignIn(&'a [u8]),
    /// To register a passkey for this person, in the session or with the invitation named.
    Register(&'a str, &'a str),
    /// To show again who one is, in this session.
    Confirm(&'a str, &'a str),
}

impl Purpose<'_> {
    fn valid_ms(&self) -> i64 {
        match self {
            Purpose::Register(..) => REGISTER_MS,
            Purpose::SignIn(_) | Purpose::Confirm(..) => VALID_MS,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Purpose::SignIn(browser) => [&b"sign in\0"[..], browser].concat(),
            Purpose::Register(person, session) => format!("register\0{person}\0{session}").into_bytes(),
            Purpose::Confirm(person, session) => format!("confirm\0{person}\0{session}").into_bytes(),
        }
    }
}

/// A challenge as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge([u8; BYTES]);

impl Challenge {
    /// base64url, without padding, as WebAuthn's JSON has it.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The challenge in an answer.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == BYTES).then_some(Challenge(bytes))
    }

    fn parts(&self) -> (&[u8], i64, &[u8]) {
        let (signed, tag) = self.0.split_at(NONCE_BYTES + TIME_BYTES);
        let mut time = [0; TIME_BYTES];
        time.copy_from_slice(&signed[NONCE_BYTES..]);
        (signed, i64::from_be_bytes(time), tag)
    }
}

/// Makes challenges and remembers which were answered.
pub struct Challenges {
    key: hmac::Key,
    used: Mutex<HashMap<Challenge, i64>>,
}

impl Challenges {
    /// With a key that lives as long as the process.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        let key: [u8; 32] = random_bytes(random)?;
        Ok(Challenges {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            used: Mutex::default(),
        })
    }

    /// A new challenge.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn issue(
        &self,
        purpose: &Purpose<'_>,
        now_ms: i64,
        random: &dyn SecureRandom,
    ) -> Result<Challenge, RandomError> {
        let nonce: [u8; NONCE_BYTES] = random_bytes(random)?;
        let mut bytes = [0; BYTES];
        bytes[..NONCE_BYTES].copy_from_slice(&nonce);
        bytes[NONCE_BYTES..NONCE_BYTES + TIME_BYTES].copy_from_slice(&now_ms.to_be_bytes());
        let tag = self.tag(&bytes[..NONCE_BYTES + TIME_BYTES], purpose);
        bytes[NONCE_BYTES + TIME_BYTES..].copy_from_slice(&tag.as_ref()[..TAG_BYTES]);
        Ok(Challenge(bytes))
    }

    /// Whether a challenge is ours, for this, and neither expired nor used.
    ///
    /// # Errors
    /// When it isn't.
    pub fn check(
        &self,
        challenge: &Challenge,
        purpose: &Purpose<'_>,
        now_ms: i64,
    ) -> Result<(), PasskeyError> {
        let (signed, issued_ms, tag) = challenge.parts();
        let own = self.tag(signed, purpose);
        let is_ours = bool::from(subtle::ConstantTimeEq::ct_eq(&own.as_ref()[..TAG_BYTES], tag));
        let is_young = (0..purpose.valid_ms()).contains(&now_ms.saturating_sub(issued_ms));
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if is_ours && is_young && !used.contains_key(challenge) {
            Ok(())
        } else {
            Err(PasskeyError::Challenge)
        }
    }

    /// Uses a challenge up. Of two at one time one succeeds.
    ///
    /// # Errors
    /// When it was used before, or more were used than can be remembered: then nobody comes in by passkey for a while.
    pub fn use_up(&self, challenge: &Challenge, now_ms: i64) -> Result<(), PasskeyError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_USED {
            used.retain(|_, issued_ms| now_ms.saturating_sub(*issued_ms) < REGISTER_MS);
        }
        if used.len() >= MAX_USED || used.contains_key(challenge) {
            return Err(PasskeyError::Challenge);
        }
        used.insert(challenge.clone(), challenge.parts().1);
        Ok(())
    }

    fn tag(&self, signed: &[u8], purpose: &Purpose<'_>) -> hmac::Tag {
        hmac::sign(&self.key, &[signed, &purpose.bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn a_challenge_counts_for_its_purpose_for_a_while_and_once() {
        let random = SystemRandom::new();
        let challenges = Challenges::new(&random).unwrap();
        let purpose = Purpose::SignIn(b"browser");
        let challenge = challenges.issue(&purpose, 1_000, &random).unwrap();
        assert_eq!(Challenge::parse(&challenge.text()), Some(challenge.clone()));
        let check = |purpose: &Purpose<'_>, now_ms| challenges.check(&challenge, purpose, now_ms);
        assert_eq!(check(&purpose, 1_000 + VALID_MS - 1), Ok(()));
        for (purpose, now_ms) in [
            (purpose, 1_000 + VALID_MS),
            (purpose, 999),
            (Purpose::SignIn(b"another"), 2_000),
            (Purpose::Confirm("browser", ""), 2_000),
            (Purpose::Register("", "browser"), 2_000),
        ] {
            assert_eq!(
                check(&purpose, now_ms),
                Err(PasskeyError::Challenge),
                "{purpose:?}"
            );
        }
        let other = Challenges::new(&random).unwrap();
        assert_eq!(
            other.check(&challenge, &purpose, 2_000),
            Err(PasskeyError::Challenge)
        );
        assert_eq!(challenges.use_up(&challenge, 2_000), Ok(()));
        assert_eq!(challenges.use_up(&challenge, 2_000), Err(PasskeyError::Challenge));
        assert_eq!(check(&purpose, 2_000), Err(PasskeyError::Challenge));
        for text in [
            "",
            "AAAA",
            &challenge.text()[1..],
            &format!("{}A", challenge.text()),
        ] {
            assert_eq!(Challenge::parse(text), None);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_never_lets_one_count_twice() {
        let random = SystemRandom::new();
        let challenges = Challenges::new(&random).unwrap();
        let purpose = Purpose::SignIn(b"");
        let first = challenges.issue(&purpose, 0, &random).unwrap();
        challenges.use_up(&first, 0).unwrap();
        for _ in 1..MAX_USED {
            let next = challenges.issue(&purpose, 1, &random).unwrap();
            challenges.use_up(&next, 1).unwrap();
        }
        let next = challenges.issue(&purpose, 2, &random).unwrap();
        assert_eq!(challenges.use_up(&next, 2), Err(PasskeyError::Challenge), "full");
        assert_eq!(
            challenges.check(&first, &purpose, 3),
            Err(PasskeyError::Challenge)
        );
        assert_eq!(
            challenges.use_up(&next, REGISTER_MS),
            Ok(()),
            "the first one expired"
        );
    }
}
