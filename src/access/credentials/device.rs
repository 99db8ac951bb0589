//! The device cookie: a browser shows that a person signed in from it before, so that strangers' failures aren't theirs.
//!
//! It gives nobody access; what it gives is a budget of one's own for mistakes ([`super::throttle`]). It is worth nothing for
//! another name. Invariant: no name stands in it.

use crate::domain::{
    hex,
    random::{RandomError, random_bytes},
};
use ring::{hmac, rand::SecureRandom};

/// Label of the MAC key, derived from the staging key.
pub const LABEL: &str = "muniment console device";
/// How long a device is known, in milliseconds.
pub const KNOWN_MS: i64 = 365 * 24 * 3_600_000;
/// People of one device that are remembered; the one seen longest ago goes.
const MAX_PEOPLE: usize = 4;
/// Longest cookie that is looked at.
const MAX_COOKIE: usize = 1_024;

/// A known device of one person, as the throttle counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Makes and reads device cookies.
pub struct Devices(hmac::Key);

struct Entry {
    id: [u8; 16],
    issued_ms: i64,
    tag: [u8; 16],
}

impl Devices {
    /// With the MAC key of [`LABEL`].
    pub fn new(key: hmac::Key) -> Self {
        Devices(key)
    }

    /// The device, if `name` signed in from it before.
    pub fn known(&self, cookie: &str, name: &str, now_ms: i64) -> Option<DeviceId> {
        entries(cookie)
            .into_iter()
            .find(|entry| self.is_of(entry, name, now_ms))
            .map(|entry| DeviceId(entry.id))
    }

    /// The cookie's new value after `name` signed in; `before` is the one the browser came with.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn remember(
        &self,
        before: &str,
        name: &str,
        now_ms: i64,
        random: &dyn SecureRandom,
    ) -> Result<String, RandomError> {
        let id: [u8; 16] = random_bytes(random)?;
        let entry = Entry {
            id,
            issued_ms: now_ms,
            tag: self.tag(&id, now_ms, name),
        };
        let others = entries(before)
            .into_iter()
            .filter(|entry| !self.is_of(entry, name, now_ms));
        let kept: Vec<String> = std::iter::once(entry)
            .chain(others.take(MAX_PEOPLE - 1))
            .map(|entry| {
                let issued = entry.issued_ms.to_be_bytes();
                hex::encode([&entry.id[..], &issued, &entry.tag].concat())
            })
            .collect();
        Ok(kept.join("."))
    }

    fn is_of(&self, entry: &Entry, name: &str, now_ms: i64) -> bool {
        let age_ms = now_ms.saturating_sub(entry.issued_ms);
        let tag = self.tag(&entry.id, entry.issued_ms, name);
        bool::from(subtle::ConstantTimeEq::ct_eq(&tag[..], &entry.tag[..])) && (0..KNOWN_MS).contains(&age_ms)
    }

    fn tag(&self, id: &[u8; 16], issued_ms: i64, name: &str) -> [u8; 16] {
        let text = [&id[..], &issued_ms.to_be_bytes(), name.as_bytes()].concat();
        let mut tag = [0; 16];
        tag.copy_from_slice(&hmac::sign(&self.0, &text).as_ref()[..16]);
        tag
    }
}

fn entries(cookie: &str) -> Vec<Entry> {
    if cookie.len() > MAX_COOKIE {
        return Vec::new();
    }
    let entry = |text: &str| {
        let bytes: [u8; 40] = hex::decode_array(text).ok()?;
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (issued, tag) = rest.split_first_chunk::<8>()?;
        Some(Entry {
            id: *id,
            issued_ms: i64::from_be_bytes(*issued),
            tag: tag.try_into().ok()?,
        })
    };
    cookie.split('.').take(MAX_PEOPLE).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn a_device_is_known_for_the_people_who_signed_in_from_it() {
        let random = SystemRandom::new();
        let devices = Devices::new(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let first = devices.remember("", "zhang", 1_000, &random).unwrap();
        assert!(devices.known(&first, "zhang", 2_000).is_some());
        assert!(devices.known(&first, "li", 2_000).is_none());
        assert!(devices.known(&first, "zhang", 1_000 + KNOWN_MS).is_none());
        assert!(devices.known(&first, "zhang", 999).is_none(), "from the future");
        let both = devices.remember(&first, "li", 3_000, &random).unwrap();
        assert_ne!(
            devices.known(&both, "zhang", 4_000),
            devices.known(&both, "li", 4_000)
        );
        assert_eq!(
            devices.known(&both, "zhang", 4_000),
            devices.known(&first, "zhang", 4_000)
        );
        let stranger = Devices::new(hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]));
        assert!(stranger.known(&both, "zhang", 4_000).is_none());
        for at in 0..first.len() {
            let mut forged = first.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(devices.known(&forged, "zhang", 2_000).is_none(), "character {at}");
        }
    }

    #[test]
    fn a_cookie_stays_small_and_noise_is_none() {
        let random = SystemRandom::new();
        let devices = Devices::new(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let mut cookie = "x".repeat(5_000);
        for person in 0..20 {
            cookie = devices
                .remember(&cookie, &person.to_string(), person, &random)
                .unwrap();
        }
        assert_eq!(cookie.split('.').count(), MAX_PEOPLE);
        assert!(devices.known(&cookie, "19", 30).is_some() && devices.known(&cookie, "15", 30).is_none());
        let again = devices.remember(&cookie, "19", 31, &random).unwrap();
        assert!(
            devices.known(&again, "16", 40).is_some(),
            "nobody is remembered twice"
        );
        for noise in [
            "",
            ".",
            "zz",
            &"00".repeat(40),
            &format!("{cookie}{cookie}{cookie}{cookie}"),
        ] {
            assert!(devices.known(noise, "19", 30).is_none());
        }
    }
}
