//! One-time codes by time (RFC 6238): SHA-1, six digits, thirty seconds, as every authenticator app takes them.
//!
//! It must never know a person or the catalogue. Whether a step was used before is decided by the transaction that commits
//! its use, not here.

use crate::{
    crypto::staging_key::{StagingKey, StagingKeyError},
    domain::random::{RandomError, random_bytes},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{hmac, rand::SecureRandom};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Seconds of a step.
pub const STEP_SECONDS: i64 = 30;
/// Digits of a code.
pub const DIGITS: usize = 6;
/// Steps that a clock may be off, each way.
const DRIFT_STEPS: i64 = 1;
/// Bytes of a secret: what RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Label of the key that seals secrets, derived from the staging key.
pub const SEALING_LABEL: &str = "muniment console totp";
/// How long an enrolment may take, in milliseconds.
pub const ENROLMENT_MS: i64 = 15 * 60_000;

/// What an authenticator app and the vault share.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        random_bytes(random).map(Secret)
    }

    /// As people type it into an app: base32 of RFC 4648, in groups of four.
    pub fn text(&self) -> String {
        let plain = base32(&self.0);
        let groups: Vec<&str> = (0..plain.len())
            .step_by(4)
            .filter_map(|at| plain.get(at..(at + 4).min(plain.len())))
            .collect();
        groups.join(" ")
    }

    /// What an app makes of [`Secret::text`].
    #[cfg(test)]
    pub(super) fn from_text(text: &str) -> Self {
        let mut bits =
            text.chars()
                .filter(|c| *c != ' ')
                .fold((0u32, 0, Vec::new()), |(held, count, mut out), c| {
                    let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap() as u32;
                    let (held, count) = ((held << 5) | value, count + 5);
                    if count >= 8 {
                        out.push((held >> (count - 8)) as u8);
                        return (held & ((1 << (count - 8)) - 1), count - 8, out);
                    }
                    (held, count, out)
                });
        bits.2.truncate(SECRET_BYTES);
        Secret(bits.2.try_into().unwrap())
    }

    /// As an app scans it. `issuer` and `name` are shown there.
    pub fn uri(&self, issuer: &str, name: &str) -> String {
        let (issuer, name) = (percent(issuer), percent(name));
        format!(
            "otpauth://totp/{issuer}:{name}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            base32(&self.0)
        )
    }

    /// The code of a step.
    pub fn code(&self, step: i64) -> String {
        format!("{:0DIGITS$}", self.number(step))
    }

    fn number(&self, step: i64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        // Dynamic truncation, RFC 4226 section 5.3.
        let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xF);
        let word = tag.get(offset..offset + 4).and_then(|word| word.try_into().ok());
        (u32::from_be_bytes(word.unwrap_or_default()) & 0x7FFF_FFFF) % 10u32.pow(DIGITS as u32)
    }

    /// The step that a code is right for around now, in the same time whatever it finds; `None` for a wrong one.
    pub fn step_of(&self, code: &str, now_ms: i64) -> Option<i64> {
        let typed = parse(code);
        let now = now_ms.div_euclid(1000 * STEP_SECONDS);
        let (mut found, mut step) = (Choice::from(0), 0i64);
        for candidate in now - DRIFT_STEPS..=now + DRIFT_STEPS {
            let same = self.number(candidate).ct_eq(&typed.unwrap_or(u32::MAX));
            step.conditional_assign(&candidate, same);
            found |= same;
        }
        bool::from(found).then_some(step)
    }

    /// Seals the secret for one person.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(
        &self,
        key: &StagingKey,
        person: &str,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, StagingKeyError> {
        key.seal(&self.0, context("secret", person).as_bytes(), random)
    }

    /// The secret that was sealed for this person.
    ///
    /// # Errors
    /// When it is damaged, another person's, or sealed under another staging key.
    pub fn open(key: &StagingKey, sealed: &[u8], person: &str) -> Result<Self, StagingKeyError> {
        let opened = key.open(sealed, context("secret", person).as_bytes())?;
        opened
            .as_slice()
            .try_into()
            .map(Secret)
            .map_err(|_| StagingKeyError::Sealed)
    }

    /// What a page carries from showing a secret to the first code: sealed, for this person and for a while.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn enrolment(
        &self,
        key: &StagingKey,
        person: &str,
        now_ms: i64,
        random: &dyn SecureRandom,
    ) -> Result<String, StagingKeyError> {
        let expires_ms = (now_ms + ENROLMENT_MS).to_be_bytes();
        let plain = zeroize::Zeroizing::new([&expires_ms[..], &self.0].concat());
        let sealed = key.seal(&plain, context("enrolment", person).as_bytes(), random)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The secret of an enrolment that hasn't expired.
    pub fn enrolled(key: &StagingKey, text: &str, person: &str, now_ms: i64) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = key.open(&sealed, context("enrolment", person).as_bytes()).ok()?;
        let (expires_ms, secret) = plain.split_first_chunk::<8>()?;
        (i64::from_be_bytes(*expires_ms) > now_ms).then_some(())?;
        secret.try_into().map(Secret).ok()
    }
}

fn context(what: &str, person: &str) -> String {
    format!("totp {what} {person}")
}

/// Six digits, spaces between them allowed.
fn parse(code: &str) -> Option<u32> {
    let digits: String = code
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(DIGITS + 1)
        .collect();
    let right = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| digits.parse().ok()).flatten()
}

/// RFC 4648 section 6, without padding. 20 bytes are 32 characters exactly.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for block in bytes.chunks(5) {
        let mut word = [0; 8];
        word[3..3 + block.len()].copy_from_slice(block);
        let word = u64::from_be_bytes(word);
        for position in 0..(block.len() * 8).div_ceil(5) {
            text.push(char::from(ALPHABET[(word >> (35 - 5 * position)) as usize & 31]));
        }
    }
    text
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    fn rfc() -> Secret {
        Secret(*b"12345678901234567890")
    }

    /// RFC 6238 appendix B, SHA-1, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(rfc().code(seconds / STEP_SECONDS), code, "{seconds}");
            assert_eq!(rfc().step_of(code, seconds * 1000), Some(seconds / STEP_SECONDS));
        }
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let secret = rfc();
        let now_ms = 1_785_224_527_000;
        let now = now_ms / 30_000;
        for off in -3..=3 {
            let found = secret.step_of(&secret.code(now + off), now_ms);
            assert_eq!(found, (-1..=1).contains(&off).then_some(now + off), "{off}");
        }
        let code = secret.code(now);
        assert_eq!(
            secret.step_of(&format!(" {} {} ", &code[..3], &code[3..]), now_ms),
            Some(now)
        );
        for wrong in [
            "",
            "12345",
            "1234567",
            "abcdef",
            "１２３４５６",
            &code[..5],
            &format!("{code}0"),
        ] {
            assert_eq!(secret.step_of(wrong, now_ms), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_shown_as_apps_take_it() {
        assert_eq!(rfc().text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            rfc().uri("Muniment 证", "zhang.san"),
            "otpauth://totp/Muniment%20%E8%AF%81:zhang.san?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Muniment%20%E8%AF%81&algorithm=SHA1&digits=6&period=30"
        );
        // RFC 4648 section 10.
        for (plain, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foob", "MZXW6YQ"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_sealed_opens_for_its_person_its_purpose_and_its_time_only() {
        let folder = tempfile::tempdir().unwrap();
        let random = SystemRandom::new();
        let staging = StagingKey::create(&folder.path().join("key"), &random).unwrap();
        let key = staging.derived(SEALING_LABEL).unwrap();
        let sealed = rfc().seal(&key, "p1", &random).unwrap();
        assert_eq!(Secret::open(&key, &sealed, "p1").unwrap().0, rfc().0);
        assert!(Secret::open(&key, &sealed, "p2").is_err());
        assert!(Secret::open(&staging, &sealed, "p1").is_err());
        let page = rfc().enrolment(&key, "p1", 1_000, &random).unwrap();
        assert!(Secret::enrolled(&key, &page, "p1", 1_000 + ENROLMENT_MS - 1).is_some());
        assert!(Secret::enrolled(&key, &page, "p1", 1_000 + ENROLMENT_MS).is_none());
        assert!(Secret::enrolled(&key, &page, "p2", 2_000).is_none());
        assert!(Secret::enrolled(&key, &URL_SAFE_NO_PAD.encode(&sealed), "p1", 2_000).is_none());
        assert!(Secret::enrolled(&key, "", "p1", 2_000).is_none());
    }
}
