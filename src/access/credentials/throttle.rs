//! How many mistakes somebody may make, so that guessing is hopeless and nobody can lock another person out.
//!
//! Each try is charged before it is looked at and given back when it was right, so that many at one time are no way around.
//!
//! | budget | of | tries at once | then one each | charged for |
//! |---|---|---|---|---|
//! | pair | name and source | 5 | 2 min | everybody but known devices |
//! | source | address, or /64 of IPv6 | 30 | 20 s | likewise |
//! | name | name, over all strangers | 50 | 1 min | likewise |
//! | all | all strangers | 500 | 0.2 s | likewise |
//! | token | address, or /64 of IPv6 | 30 | 20 s | tokens of the API that don't count, and nothing else |
//! | device | a device from which this person signed in before | 10 | 1 min | that person on that device, and nothing else |
//!
//! So strangers use up strangers' budgets: the person, on a device of theirs, signs in whatever goes on. On a new device they
//! may have to wait while somebody guesses at their name. It must never know whether a name exists: unknown ones are counted
//! in the same way. Invariant: memory is bounded by [`MAX_BUDGETS`] entries.

use super::device::DeviceId;
use ring::digest::{SHA256, digest};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Budgets that are remembered; the one that is nearest to being whole again is forgotten first.
pub const MAX_BUDGETS: usize = 20_000;

/// A kind of budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    tries: i64,
    regained_each_ms: i64,
}

const PAIR: Limit = limit(5, 120_000);
const SOURCE: Limit = limit(30, 20_000);
const NAME: Limit = limit(50, 60_000);
const ALL: Limit = limit(500, 200);
const TOKEN: Limit = limit(30, 20_000);
const DEVICE: Limit = limit(10, 60_000);

const fn limit(tries: i64, regained_each_ms: i64) -> Limit {
    Limit {
        tries,
        regained_each_ms,
    }
}

impl Limit {
    /// How long it takes until a budget that is used up is whole.
    fn whole_ms(self) -> i64 {
        self.tries * self.regained_each_ms
    }
}

type Key = [u8; 16];

/// Counts tries.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<Key, Budget>>);

/// A budget is whole again at `whole_at_ms`; each try moves that on by the time of one.
#[derive(Clone, Copy)]
struct Budget {
    whole_at_ms: i64,
}

/// Too many mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tries: the next one in {wait_ms} ms")]
pub struct TooMany {
    /// Until the next try is looked at, in milliseconds.
    pub wait_ms: i64,
}

/// A try that was charged. Dropped, it stays charged.
#[must_use = "a try that was right is given back"]
pub struct Admission<'a> {
    throttle: &'a Throttle,
    charged: Vec<(Key, Limit)>,
}

impl Throttle {
    /// Charges a try to sign in as `name`.
    ///
    /// # Errors
    /// When a budget that counts is used up; nothing is charged then.
    pub fn sign_in(
        &self,
        name: &str,
        source: IpAddr,
        device: Option<DeviceId>,
        now_ms: i64,
    ) -> Result<Admission<'_>, TooMany> {
        let source = network(source);
        match device {
            Some(device) => self.charge(vec![(key(b"device", device.bytes(), name), DEVICE)], now_ms),
            None => self.charge(
                vec![
                    (key(b"pair", &source, name), PAIR),
                    (key(b"source", &source, ""), SOURCE),
                    (key(b"name", &[], name), NAME),
                    (key(b"all", &[], ""), ALL),
                ],
                now_ms,
            ),
        }
    }

    /// Charges a try that names nobody: a passkey, or an invitation's code.
    ///
    /// # Errors
    /// When a budget that counts is used up; nothing is charged then.
    pub fn unnamed(&self, source: IpAddr, now_ms: i64) -> Result<Admission<'_>, TooMany> {
        let source = network(source);
        let charged = vec![(key(b"source", &source, ""), SOURCE), (key(b"all", &[], ""), ALL)];
        self.charge(charged, now_ms)
    }

    /// Charges a token that doesn't count. A program that goes on with one that ran out keeps nobody at the same address from
    /// signing in, nor another program with one that counts: that isn't asked here.
    ///
    /// # Errors
    /// When the address's budget is used up.
    pub fn token(&self, source: IpAddr, now_ms: i64) -> Result<Admission<'_>, TooMany> {
        self.charge(vec![(key(b"token", &network(source), ""), TOKEN)], now_ms)
    }

    /// Charges a try of somebody who is signed in to show a factor again.
    ///
    /// # Errors
    /// When the person's budget is used up.
    pub fn confirm(&self, person: &str, session: &str, now_ms: i64) -> Result<Admission<'_>, TooMany> {
        self.charge(vec![(key(b"confirm", session.as_bytes(), person), PAIR)], now_ms)
    }

    fn charge(&self, charged: Vec<(Key, Limit)>, now_ms: i64) -> Result<Admission<'_>, TooMany> {
        let mut budgets = self.budgets();
        let missing_ms = |budgets: &HashMap<Key, Budget>, key: &Key, limit: &Limit| {
            let missing_ms = budgets.get(key).map_or(0, |budget| budget.whole_at_ms - now_ms);
            // More than the whole can be missing only where the clock was put back: then it is forgotten.
            if (0..=limit.whole_ms()).contains(&missing_ms) {
                missing_ms
            } else {
                0
            }
        };
        let wait_ms = charged
            .iter()
            .map(|(key, limit)| missing_ms(&budgets, key, limit) + limit.regained_each_ms - limit.whole_ms())
            .max()
            .unwrap_or_default();
        if wait_ms > 0 {
            return Err(TooMany { wait_ms });
        }
        for (key, limit) in &charged {
            make_room(&mut budgets, key, now_ms);
            let whole_at_ms = now_ms + missing_ms(&budgets, key, limit) + limit.regained_each_ms;
            budgets.insert(*key, Budget { whole_at_ms });
        }
        drop(budgets);
        Ok(Admission {
            throttle: self,
            charged,
        })
    }

    fn budgets(&self) -> MutexGuard<'_, HashMap<Key, Budget>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission<'_> {
    /// The try was right: what it cost is given back.
    pub fn succeeded(self) {
        let mut budgets = self.throttle.budgets();
        for (key, limit) in &self.charged {
            if let Some(budget) = budgets.get_mut(key) {
                budget.whole_at_ms -= limit.regained_each_ms;
            }
        }
    }
}

fn make_room(budgets: &mut HashMap<Key, Budget>, key: &Key, now_ms: i64) {
    if budgets.len() < MAX_BUDGETS || budgets.contains_key(key) {
        return;
    }
    budgets.retain(|_, budget| budget.whole_at_ms > now_ms);
    if budgets.len() >= MAX_BUDGETS
        && let Some(least) = budgets
            .iter()
            .min_by_key(|(_, budget)| budget.whole_at_ms)
            .map(|(key, _)| *key)
    {
        budgets.remove(&least);
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one subscriber has of IPv6.
fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let mut network = [0; 8];
            network.copy_from_slice(&address.octets()[..8]);
            network
        }
    }
}

/// Of one length whatever a stranger sends.
fn key(kind: &[u8], of: &[u8], name: &str) -> Key {
    let mut key = [0; 16];
    let parts = [kind, b"\0", &of.len().to_be_bytes(), of, name.as_bytes()];
    key.copy_from_slice(&digest(&SHA256, &parts.concat()).as_ref()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::credentials::device::Devices;
    use ring::{hmac, rand::SystemRandom};

    const NOW: i64 = 1_785_224_527_000;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn device(name: &str) -> DeviceId {
        let devices = Devices::new(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let cookie = devices.remember("", name, 0, &SystemRandom::new()).unwrap();
        devices.known(&cookie, name, 1).unwrap()
    }

    /// Wrong tries until one isn't looked at.
    fn fail(throttle: &Throttle, name: &str, source: &str, device: Option<DeviceId>, now_ms: i64) -> usize {
        let mut tries = 0;
        while throttle.sign_in(name, address(source), device, now_ms).is_ok() {
            tries += 1;
        }
        tries
    }

    #[test]
    fn a_pair_has_five_tries_and_gets_one_back_each_two_minutes() {
        let throttle = Throttle::default();
        assert_eq!(fail(&throttle, "zhang", "192.0.2.1", None, NOW), 5);
        let refused = throttle.sign_in("zhang", address("192.0.2.1"), None, NOW).err();
        assert_eq!(refused, Some(TooMany { wait_ms: 120_000 }));
        assert_eq!(fail(&throttle, "zhang", "192.0.2.1", None, NOW + 119_999), 0);
        assert_eq!(fail(&throttle, "zhang", "192.0.2.1", None, NOW + 120_000), 1);
        assert_eq!(
            fail(&throttle, "zhang", "192.0.2.1", None, NOW + 3_600_000),
            5,
            "never more than the whole"
        );
        assert_eq!(
            fail(&throttle, "zhang", "192.0.2.2", None, NOW),
            5,
            "another source is another pair"
        );
    }

    #[test]
    fn a_stranger_s_mistakes_never_block_a_known_device() {
        let throttle = Throttle::default();
        // From everywhere, until nobody new comes in at all.
        for at in 0..u8::MAX {
            fail(&throttle, "zhang", &format!("198.51.100.{at}"), None, NOW);
        }
        assert_eq!(fail(&throttle, "zhang", "203.0.113.9", None, NOW), 0);
        // The person, at the office, behind the very address that the stranger used last.
        let own = device("zhang");
        for _ in 0..1_000 {
            let admitted = throttle.sign_in("zhang", address("198.51.100.1"), Some(own), NOW);
            admitted.unwrap().succeeded();
        }
        assert_eq!(
            fail(&throttle, "zhang", "198.51.100.1", Some(own), NOW),
            10,
            "their own mistakes count"
        );
        assert_eq!(
            fail(&throttle, "zhang", "198.51.100.1", Some(device("zhang")), NOW),
            10,
            "on another device of theirs too"
        );
        // Whoever guesses at zhang doesn't lock out wang, on a device that nobody knows yet.
        assert_eq!(fail(&throttle, "wang", "203.0.113.10", None, NOW + 1_000), 5);
    }

    #[test]
    fn a_source_is_an_address_or_a_subscriber_s_network() {
        let throttle = Throttle::default();
        let mut tries = 0;
        for at in 0..10 {
            tries += fail(
                &throttle,
                &format!("name{at}"),
                &format!("2001:db8:1:2::{at}"),
                None,
                NOW,
            );
        }
        assert_eq!(tries, 30);
        assert!(throttle.unnamed(address("2001:db8:1:2:ffff::"), NOW).is_err());
        assert!(throttle.unnamed(address("2001:db8:1:3::1"), NOW).is_ok());
        assert_eq!(
            network(address("::ffff:192.0.2.1")),
            network(address("192.0.2.1"))
        );
    }

    #[test]
    fn many_at_one_time_are_charged_before_they_are_looked_at() {
        let throttle = Throttle::default();
        let source = address("192.0.2.1");
        let under_way: Vec<_> = (0..5)
            .map(|_| throttle.sign_in("zhang", source, None, NOW).unwrap())
            .collect();
        assert!(throttle.sign_in("zhang", source, None, NOW).is_err());
        for admission in under_way {
            admission.succeeded();
        }
        assert_eq!(
            fail(&throttle, "zhang", "192.0.2.1", None, NOW),
            5,
            "all were right"
        );
    }

    #[test]
    fn memory_is_bounded_and_a_clock_put_back_locks_nobody_out() {
        let throttle = Throttle::default();
        for at in 0..MAX_BUDGETS as i64 {
            // One every quarter of a second, as fast as strangers may.
            let source = IpAddr::from((at as u32).to_be_bytes());
            let _ = throttle.unnamed(source, NOW + at * 250);
        }
        assert!(throttle.budgets().len() <= MAX_BUDGETS);
        let later = NOW + 365 * 24 * 3_600_000;
        assert_eq!(fail(&throttle, "zhang", "192.0.2.1", None, later), 5);
        assert_eq!(
            fail(&throttle, "zhang", "192.0.2.1", None, NOW),
            5,
            "put back by a year"
        );
    }
}
