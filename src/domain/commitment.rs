//! Salted commitments: how names and numbers appear in a log that may be published.
//!
//! It must never know which fields there are.
//!
//! Invariant: without the opening a commitment says nothing about the value; with it, it fits one value only.

use ring::{hmac, rand::SecureRandom};
use serde::{Deserialize, Serialize};

use super::{
    hex,
    random::{RandomError, random_bytes},
};

/// What opens a commitment: kept in the record and given with the receipt. A new random salt for each value, always.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// 32 random bytes, written as 64 hexadecimal digits.
    #[serde(with = "hex::serde32")]
    pub salt: [u8; 32],
    /// The value, as text.
    pub value: String,
}

impl Opening {
    /// An opening with a new salt.
    pub fn new(value: impl Into<String>, random: &dyn SecureRandom) -> Result<Self, RandomError> {
        Ok(Self {
            salt: random_bytes(random)?,
            value: value.into(),
        })
    }

    /// The commitment to this value as `field`: HMAC-SHA-256(salt, field ‖ 0x00 ‖ value) in lower-case hexadecimal.
    /// `field` is one of the program's own names; with a NUL in it, it would verify as nothing.
    pub fn commit(&self, field: &str) -> String {
        hex::encode(hmac::sign(&self.key(), &self.message(field)).as_ref())
    }

    /// Whether this opens `commitment` as `field`. The comparison takes the same time wherever they differ.
    pub fn verify(&self, field: &str, commitment: &str) -> bool {
        // With a NUL in the field, two pairs of field and value would have one commitment.
        let Some(expected) = hex::decode_array::<32>(commitment)
            .ok()
            .filter(|_| !field.contains('\0'))
        else {
            return false;
        };
        hmac::verify(&self.key(), &self.message(field), &expected).is_ok()
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.salt)
    }

    fn message(&self, field: &str) -> Vec<u8> {
        [field.as_bytes(), &[0], self.value.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    /// Computed with `openssl dgst -sha256 -mac HMAC -macopt hexkey:…` over `customer_no\0000100012345`.
    #[test]
    fn openssl_agrees() {
        let opening = Opening {
            salt: std::array::from_fn(|i| i as u8),
            value: "000100012345".into(),
        };
        let expected = "47fd142a76713f40a6e158e5d8670b760be85410b2b7f90648f7b5dacb55c1d7";
        assert_eq!(opening.commit("customer_no"), expected);
        assert!(opening.verify("customer_no", expected));
    }

    #[test]
    fn another_field_value_salt_or_spelling_is_refused() {
        let opening = Opening::new("张三", &SystemRandom::new()).unwrap();
        let commitment = opening.commit("name");
        assert!(opening.verify("name", &commitment));
        assert!(!opening.verify("nam", &commitment));
        assert!(!opening.verify("name", &commitment.to_uppercase()));
        assert!(!opening.verify("name", &commitment[..62]));
        assert!(
            !Opening {
                value: "张四".into(),
                ..opening.clone()
            }
            .verify("name", &commitment)
        );
        let other = Opening::new("张三", &SystemRandom::new()).unwrap();
        assert_ne!(other.commit("name"), commitment);
        assert!(!other.verify("name", &commitment));
    }

    #[test]
    fn a_nul_moved_between_field_and_value_is_refused() {
        let opening = Opening {
            salt: [1; 32],
            value: "b\0c".into(),
        };
        let moved = Opening {
            salt: [1; 32],
            value: "c".into(),
        };
        let commitment = opening.commit("a");
        assert_eq!(moved.commit("a\0b"), commitment);
        assert!(!moved.verify("a\0b", &commitment));
    }

    #[test]
    fn it_is_written_as_json_and_read_strictly() {
        let opening = Opening {
            salt: [0xab; 32],
            value: "x".into(),
        };
        let json = serde_json::to_string(&opening).unwrap();
        assert_eq!(json, format!(r#"{{"salt":"{}","value":"x"}}"#, "ab".repeat(32)));
        assert!(serde_json::from_str::<Opening>(&json).unwrap() == opening);
        for bad in [
            json.replace("ab", "AB"),
            json.replacen("ab", "", 1),
            json.replace("value", "valu"),
        ] {
            assert!(serde_json::from_str::<Opening>(&bad).is_err());
        }
    }
}
