//! One-time codes and token secrets: random, typed or pasted, kept as a digest only.

use crate::domain::random::{RandomError, random_bytes};
use ring::{digest, rand::SecureRandom};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Crockford's base 32: no letter that is read as a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an invitation's code: 120 bits.
const INVITATION_CHARACTERS: usize = 24;
/// Characters of a token's secret: 260 bits.
const TOKEN_CHARACTERS: usize = 52;
/// Characters of a group.
const GROUP: usize = 4;
/// Longest text that is looked at.
const MAX_TYPED: usize = 256;

/// A secret text that the vault makes, shown once.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Code(String);

impl Code {
    /// A new invitation's code.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn invitation(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        Code::random(INVITATION_CHARACTERS, random)
    }

    /// A new token's secret.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn token(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        Code::random(TOKEN_CHARACTERS, random)
    }

    /// An invitation's code as a person typed it: case, spaces and dashes don't matter, nor O for 0 or I and L for 1.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > MAX_TYPED {
            return None;
        }
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let plain: String = plain
            .map(|c| match c.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            })
            .collect();
        let code = Code(plain);
        let is_one =
            code.0.len() == INVITATION_CHARACTERS && code.0.bytes().all(|byte| ALPHABET.contains(&byte));
        is_one.then_some(code)
    }

    /// A token's secret as a program sent it.
    pub fn sent(text: &str) -> Option<Self> {
        let is_one = text.len() == TOKEN_CHARACTERS && text.bytes().all(|byte| ALPHABET.contains(&byte));
        is_one.then(|| Code(text.to_owned()))
    }

    /// In groups, upper case, for a person to type.
    pub fn grouped(&self) -> Zeroizing<String> {
        let groups: Vec<&str> = (0..self.0.len())
            .step_by(GROUP)
            .filter_map(|at| self.0.get(at..(at + GROUP).min(self.0.len())))
            .collect();
        Zeroizing::new(groups.join("-").to_ascii_uppercase())
    }

    /// As it is.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// What is kept of it. So many random bits need no slow hash.
    pub fn sha256(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        bytes
    }

    fn random(characters: usize, random: &dyn SecureRandom) -> Result<Self, RandomError> {
        let bytes: Zeroizing<[u8; 64]> = Zeroizing::new(random_bytes(random)?);
        // 32 divides 256: every character is as likely as every other.
        let letters = bytes.iter().take(characters);
        Ok(Code(
            letters
                .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::invitation(&SystemRandom::new()).unwrap();
        let shown = code.grouped();
        assert_eq!(shown.len(), 29);
        for typed in [
            shown.to_string(),
            shown.to_lowercase(),
            format!("  {} ", shown.replace('-', " ")),
            shown.replace('0', "o").replace('1', "L"),
        ] {
            assert_eq!(Code::typed(&typed).unwrap().sha256(), code.sha256(), "{typed}");
        }
        for wrong in [
            "",
            "abc",
            &shown[1..],
            &format!("{}0", *shown),
            &shown.replace('-', "u"),
            &"0".repeat(10_000),
        ] {
            assert!(Code::typed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn no_two_are_the_same_and_tokens_are_longer() {
        let random = SystemRandom::new();
        let (one, two) = (Code::token(&random).unwrap(), Code::token(&random).unwrap());
        assert_ne!(one.sha256(), two.sha256());
        assert_eq!(one.plain().len(), TOKEN_CHARACTERS);
        assert_eq!(Code::sent(one.plain()).unwrap().sha256(), one.sha256());
        assert!(Code::sent(&one.plain()[1..]).is_none());
        assert!(Code::sent(&one.plain().to_uppercase()).is_none());
    }
}
