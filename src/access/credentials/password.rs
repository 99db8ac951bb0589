//! Passwords: which ones are taken, and how they are kept and compared (argon2id, RFC 9106).
//!
//! It must never know whose password it is. Invariants: a text is compared in the same time whether there is anything to
//! compare it with or not; no more than `AT_ONE_TIME` comparisons hold memory at one time, and no more than
//! [`MAX_WAITING`] wait for their turn.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ring::rand::SecureRandom;
use std::sync::{Condvar, Mutex, PoisonError};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::domain::random::{RandomError, random_bytes};

/// Characters of a password at least (OWASP asks for 8 where there is a second factor; this is better).
pub const MIN_CHARACTERS: usize = 12;
/// Characters of a password at most, so that its length costs nothing.
pub const MAX_CHARACTERS: usize = 128;
/// Memory of one comparison in KiB. OWASP's minimum is 19 MiB with two passes.
const MEMORY_KIB: u32 = 32 * 1024;
/// Passes over it.
const PASSES: u32 = 3;
/// Lanes.
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Comparisons at one time: 128 MiB.
const AT_ONE_TIME: usize = 4;
/// Comparisons that wait for their turn; the next one is told to come back.
pub const MAX_WAITING: usize = 32;
/// Memory in KiB and passes of a verifier that is still compared with; more is no verifier of ours.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;

/// The commonest passwords that are long enough, and what this house's people would think of first.
const COMMON: &str = include_str!("common_passwords.txt");

/// Why a password isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`MIN_CHARACTERS`].
    #[error("a password has at least {MIN_CHARACTERS} characters")]
    Short,
    /// More than [`MAX_CHARACTERS`].
    #[error("a password has at most {MAX_CHARACTERS} characters")]
    Long,
    /// The log-in name is in it.
    #[error("the log-in name is no part of a password")]
    Name,
    /// Everybody tries it first.
    #[error("this password is among those that everybody tries first")]
    Common,
}

/// A password as it is compared: NFKC, within its limits, wiped when dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// What was typed at a sign-in. What can't be a password is `None`, and is compared all the same, as something else.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > 4 * MAX_CHARACTERS {
            return None;
        }
        let text: Zeroizing<String> = Zeroizing::new(text.nfkc().collect());
        (text.chars().count() <= MAX_CHARACTERS).then_some(Password(text))
    }

    /// A new password for the person who logs in as `name`.
    ///
    /// # Errors
    /// When it is too short, too long, or too easily thought of.
    pub fn chosen(text: &str, name: &str) -> Result<Self, PasswordError> {
        let password = Password::typed(text).ok_or(PasswordError::Long)?;
        if password.0.chars().count() < MIN_CHARACTERS {
            return Err(PasswordError::Short);
        }
        let plain = |text: &str| -> Zeroizing<String> {
            let letters = text.chars().filter(|c| c.is_alphanumeric());
            Zeroizing::new(letters.flat_map(char::to_lowercase).collect())
        };
        let own = plain(&password.0);
        // A name of one or two letters is in every other word.
        let name = plain(name);
        if name.chars().count() > 2 && own.contains(name.as_str()) {
            return Err(PasswordError::Name);
        }
        let lower: Zeroizing<String> = Zeroizing::new(password.0.to_lowercase());
        let mut letters = own.chars();
        let first = letters.next();
        let is_one_letter = letters.all(|letter| Some(letter) == first);
        if is_one_letter
            || COMMON
                .lines()
                .any(|common| common == own.as_str() || common == lower.as_str())
        {
            return Err(PasswordError::Common);
        }
        Ok(password)
    }
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It isn't the password.
    Wrong,
    /// It is.
    Right,
    /// It is, and it was hashed with less than today's effort: set it again.
    RightButWeak,
}

/// Too many comparisons wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at one time")]
pub struct Busy;

/// Why a password can't be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many at one time.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// No randomness for a salt.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The hash function refuses, for want of memory as a rule.
    #[error("the password couldn't be hashed")]
    Failed,
}

/// Hashes passwords and compares them, a few at one time. It blocks: call it on a thread that may.
pub struct Hasher {
    turns: Mutex<Turns>,
    freed: Condvar,
    params: Params,
    dummy: String,
    #[cfg(test)]
    computed: std::sync::atomic::AtomicUsize,
}

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
}

impl Hasher {
    /// A hasher with today's effort.
    ///
    /// # Errors
    /// When there is no randomness or memory for the verifier of nobody.
    pub fn new(random: &dyn SecureRandom) -> Result<Self, HashError> {
        Self::with(MEMORY_KIB, PASSES, random)
    }

    pub(super) fn with(memory_kib: u32, passes: u32, random: &dyn SecureRandom) -> Result<Self, HashError> {
        let params =
            Params::new(memory_kib, passes, LANES, Some(HASH_BYTES)).map_err(|_| HashError::Failed)?;
        let mut hasher = Hasher {
            turns: Mutex::default(),
            freed: Condvar::new(),
            params,
            dummy: String::new(),
            #[cfg(test)]
            computed: std::sync::atomic::AtomicUsize::new(0),
        };
        // Of 32 random bytes: nobody's password, with today's effort.
        let nobody: [u8; 32] = random_bytes(random)?;
        hasher.dummy = hasher.hash(&Password(Zeroizing::new(STANDARD_NO_PAD.encode(nobody))), random)?;
        Ok(hasher)
    }

    /// How many hashes were computed.
    #[cfg(test)]
    pub(super) fn computed(&self) -> usize {
        self.computed.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The verifier of a password: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// When too many are hashed already, or the system lacks randomness or memory.
    pub fn hash(&self, password: &Password, random: &dyn SecureRandom) -> Result<String, HashError> {
        let salt: [u8; SALT_BYTES] = random_bytes(random)?;
        let hash = self.compute(&self.params, password.0.as_bytes(), &salt)?;
        Ok(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(hash.as_slice()),
        ))
    }

    /// Compares a password with a verifier. Without one of the two, the same work is done, and the answer is no.
    ///
    /// # Errors
    /// When too many are compared already, or the system lacks memory.
    pub fn verify(&self, password: Option<&Password>, verifier: Option<&str>) -> Result<Verdict, HashError> {
        let known = verifier.and_then(Verifier::parse);
        let is_known = known.is_some() && password.is_some();
        let Some(verifier) = known.or_else(|| Verifier::parse(&self.dummy)) else {
            return Err(HashError::Failed);
        };
        let text = password.map_or(&b""[..], |password| password.0.as_bytes());
        let hash = self.compute(&verifier.params, text, &verifier.salt)?;
        let same = bool::from(hash.as_slice().ct_eq(&verifier.hash));
        Ok(match (is_known && same, verifier.is_weaker(&self.params)) {
            (false, _) => Verdict::Wrong,
            (true, true) => Verdict::RightButWeak,
            (true, false) => Verdict::Right,
        })
    }

    fn compute(
        &self,
        params: &Params,
        text: &[u8],
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; HASH_BYTES]>, HashError> {
        let _turn = self.turn()?;
        #[cfg(test)]
        self.computed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut hash = Zeroizing::new([0; HASH_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into(text, salt, hash.as_mut_slice())
            .map_err(|_| HashError::Failed)?;
        Ok(hash)
    }

    fn turn(&self) -> Result<Turn<'_>, Busy> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.running >= AT_ONE_TIME {
            if turns.waiting >= MAX_WAITING {
                return Err(Busy);
            }
            turns.waiting += 1;
            while turns.running >= AT_ONE_TIME {
                turns = self.freed.wait(turns).unwrap_or_else(PoisonError::into_inner);
            }
            turns.waiting -= 1;
        }
        turns.running += 1;
        Ok(Turn(self))
    }
}

struct Turn<'a>(&'a Hasher);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .running -= 1;
        self.0.freed.notify_one();
    }
}

struct Verifier {
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Verifier {
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, hash] = parts.as_slice() else {
            return None;
        };
        let mut numbers = costs.split(',').zip(["m=", "t=", "p="]).map(|(cost, name)| {
            let number: Option<u32> = cost.strip_prefix(name).and_then(|number| number.parse().ok());
            number
        });
        let (memory, passes, lanes) = (numbers.next()??, numbers.next()??, numbers.next()??);
        if memory > MOST_MEMORY_KIB || passes > MOST_PASSES {
            return None;
        }
        let hash = STANDARD_NO_PAD.decode(hash).ok()?;
        Some(Verifier {
            params: Params::new(memory, passes, lanes, Some(HASH_BYTES)).ok()?,
            salt: STANDARD_NO_PAD.decode(salt).ok().filter(|salt| salt.len() >= 8)?,
            hash: (hash.len() == HASH_BYTES).then_some(hash)?,
        })
    }

    fn is_weaker(&self, params: &Params) -> bool {
        self.params.m_cost() < params.m_cost() || self.params.t_cost() < params.t_cost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    fn hasher() -> Hasher {
        Hasher::with(64, 2, &SystemRandom::new()).unwrap()
    }

    fn typed(text: &str) -> Password {
        Password::typed(text).unwrap()
    }

    #[test]
    fn what_is_taken_as_a_password() {
        let chosen = |text: &str| Password::chosen(text, "zhang.san").map(|_| ());
        assert_eq!(chosen("correct horse battery"), Ok(()));
        assert_eq!(chosen("九月的雨下在黄浦江上面了"), Ok(()));
        assert_eq!(chosen("eleven char"), Err(PasswordError::Short));
        assert_eq!(chosen(&"ab1 ".repeat(33)), Err(PasswordError::Long));
        assert_eq!(chosen(&"界".repeat(600)), Err(PasswordError::Long));
        for text in ["zhang.san-2026-11", "my ZhangSan pass", "x.zhang_san.yyy"] {
            assert_eq!(chosen(text), Err(PasswordError::Name), "{text}");
        }
        for text in [
            "password1234",
            "Password 1234",
            "123456789012",
            "aaaaaaaaaaaa",
            "qwertyuiop123",
            "------------",
        ] {
            assert_eq!(chosen(text), Err(PasswordError::Common), "{text}");
        }
        assert!(COMMON.lines().all(|line| line.chars().count() >= MIN_CHARACTERS));
        // A short name is no reason to refuse every word that has its letters.
        assert!(Password::chosen("lighthouse keeper", "li").is_ok());
    }

    #[test]
    fn a_password_is_compared_in_nfkc() {
        let (hasher, random) = (hasher(), SystemRandom::new());
        let wide = hasher.hash(&typed("Ｐａｓｓ　ｗｏｒｄ№１"), &random).unwrap();
        assert_eq!(
            hasher.verify(Some(&typed("Pass wordNo1")), Some(&wide)),
            Ok(Verdict::Right)
        );
        assert_eq!(
            hasher.verify(Some(&typed("Pass wordNo2")), Some(&wide)),
            Ok(Verdict::Wrong)
        );
    }

    #[test]
    fn the_effort_is_what_owasp_asks_for_and_a_weaker_one_is_told() {
        const { assert!(MEMORY_KIB >= 19 * 1024 && PASSES >= 2) };
        let random = SystemRandom::new();
        let (today, before) = (hasher(), Hasher::with(32, 2, &random).unwrap());
        let old = before.hash(&typed("one and another"), &random).unwrap();
        assert_eq!(
            today.verify(Some(&typed("one and another")), Some(&old)),
            Ok(Verdict::RightButWeak)
        );
        assert_eq!(
            today.verify(Some(&typed("another and one")), Some(&old)),
            Ok(Verdict::Wrong)
        );
        let new = today.hash(&typed("one and another"), &random).unwrap();
        assert_eq!(
            today.verify(Some(&typed("one and another")), Some(&new)),
            Ok(Verdict::Right)
        );
        assert_ne!(
            today.hash(&typed("one and another"), &random).unwrap(),
            new,
            "salted"
        );
    }

    #[test]
    fn nobody_is_compared_with_today_s_effort_and_never_right() {
        let hasher = hasher();
        let dummy = Verifier::parse(&hasher.dummy).unwrap();
        assert_eq!(
            (dummy.params.m_cost(), dummy.params.t_cost()),
            (hasher.params.m_cost(), hasher.params.t_cost())
        );
        let password = typed("whatever it is");
        for verifier in [
            None,
            Some("$argon2id$v=19$m=64$x$y"),
            Some(""),
            Some("$argon2id$v=19$m=4194304,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA"),
        ] {
            assert_eq!(hasher.verify(Some(&password), verifier), Ok(Verdict::Wrong));
        }
        let known = hasher.hash(&password, &SystemRandom::new()).unwrap();
        assert_eq!(hasher.verify(None, Some(&known)), Ok(Verdict::Wrong));
        let empty = hasher.hash(&typed(""), &SystemRandom::new()).unwrap();
        assert_eq!(hasher.verify(None, Some(&empty)), Ok(Verdict::Wrong));
    }

    /// RFC 9106's algorithm as the reference program computes it, with this file's own parser.
    #[test]
    fn a_verifier_of_the_reference_program_is_understood() {
        // echo -n password | argon2 somesalt -id -v 13 -t 2 -k 65536 -p 1 -l 32 -e
        let known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(
            hasher().verify(Some(&typed("password")), Some(known)),
            Ok(Verdict::Right)
        );
    }

    #[test]
    fn only_a_few_run_and_only_some_wait() {
        let hasher = hasher();
        let running: Vec<_> = (0..AT_ONE_TIME).map(|_| hasher.turn().unwrap()).collect();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..MAX_WAITING)
                .map(|_| scope.spawn(|| hasher.turn().map(drop)))
                .collect();
            while hasher.turns.lock().unwrap().waiting < MAX_WAITING {
                std::thread::yield_now();
            }
            assert_eq!(hasher.verify(None, None), Err(HashError::Busy(Busy)));
            drop(running);
            for turn in waiting {
                assert_eq!(turn.join().unwrap(), Ok(()));
            }
        });
        assert_eq!(hasher.verify(None, None), Ok(Verdict::Wrong));
    }
}
