//! The beginning of a SHA-256 digest, as somebody reads it off a receipt or the output of `sha256sum`.
//!
//! Invariant: it is long enough to leave few digests to look at, whatever the size of the vault.

use std::str::FromStr;

/// Digits that a beginning has at least: eight tell four billion digests apart.
pub const FEWEST_DIGITS: usize = 8;
/// Digits of a whole digest.
const DIGITS: usize = 64;

/// Every digest that begins with the same digits: those from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestPrefix {
    first: [u8; 32],
    last: [u8; 32],
}

/// What was given isn't the beginning of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has 64 hexadecimal digits; give all of them, or the first {FEWEST_DIGITS} or more")]
pub struct DigestPrefixError;

impl DigestPrefix {
    /// The smallest digest that begins so.
    pub fn first(&self) -> &[u8; 32] {
        &self.first
    }

    /// The largest digest that begins so.
    pub fn last(&self) -> &[u8; 32] {
        &self.last
    }
}

impl From<[u8; 32]> for DigestPrefix {
    fn from(whole: [u8; 32]) -> Self {
        DigestPrefix {
            first: whole,
            last: whole,
        }
    }
}

impl FromStr for DigestPrefix {
    type Err = DigestPrefixError;

    /// Takes digits of either case with white space around them.
    fn from_str(text: &str) -> Result<Self, DigestPrefixError> {
        let text = text.trim();
        if !(FEWEST_DIGITS..=DIGITS).contains(&text.len()) {
            return Err(DigestPrefixError);
        }
        let (mut first, mut last) = ([0; 32], [0xff; 32]);
        for (at, digit) in text.bytes().enumerate() {
            let digit = char::from(digit).to_digit(16).ok_or(DigestPrefixError)?;
            let digit = u8::try_from(digit).map_err(|_| DigestPrefixError)?;
            let (shift, kept) = if at % 2 == 0 { (4, 0x0f) } else { (0, 0xf0) };
            for bound in [&mut first, &mut last] {
                bound[at / 2] = bound[at / 2] & kept | digit << shift;
            }
        }
        Ok(DigestPrefix { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_stands_for_every_digest_that_has_it() {
        let odd: DigestPrefix = " 9F86d0818 ".parse().unwrap();
        assert_eq!(odd.first()[..5], [0x9f, 0x86, 0xd0, 0x81, 0x80]);
        assert_eq!(odd.last()[..5], [0x9f, 0x86, 0xd0, 0x81, 0x8f]);
        assert_eq!((odd.first()[31], odd.last()[31]), (0, 0xff));
        let whole: DigestPrefix = "9f86d081".repeat(8).parse().unwrap();
        assert_eq!(whole.first(), whole.last());
        assert_eq!(whole, DigestPrefix::from(*whole.first()));
    }

    #[test]
    fn too_little_too_much_and_no_digits_are_refused() {
        for wrong in [
            "",
            "9f86d08",
            "9f86d08g",
            "9f86d081 9f86",
            "９f86d081",
            "%9f86d081",
            &"0".repeat(65),
        ] {
            assert_eq!(wrong.parse::<DigestPrefix>(), Err(DigestPrefixError), "{wrong}");
        }
    }
}
