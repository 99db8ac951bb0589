//! Lower-case hexadecimal, one spelling per value.
//!
//! Strict on the way in: an upper-case digit is refused, so that text compares equal exactly when the bytes do.

use std::fmt::Write;

/// Why a text is not lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// The text has another number of digits than the value needs.
    #[error("wrong number of hexadecimal digits")]
    Length,
    /// A character other than `0-9a-f`.
    #[error("a character that is not one of 0-9a-f")]
    Digit,
}

/// The bytes as lower-case hexadecimal.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes that `text` spells; two digits a byte, lower case only.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(HexError::Length);
    }
    pairs
        .iter()
        .map(|&[high, low]| Ok(digit(high)? << 4 | digit(low)?))
        .collect()
}

/// Like [`decode`], for a value of exactly `N` bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    if text.len() != N * 2 {
        return Err(HexError::Length);
    }
    decode(text)?.try_into().map_err(|_| HexError::Length)
}

fn digit(character: u8) -> Result<u8, HexError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(HexError::Digit),
    }
}

/// A 32-byte field as a hexadecimal string, for `#[serde(with = …)]`.
pub mod serde32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the bytes as 64 digits.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(bytes))
    }

    /// Reads exactly 64 lower-case digits.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        super::decode_array(&text).map_err(|_| D::Error::custom("expected 64 lower-case hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
        assert_eq!(encode([0x00, 0x0f, 0xf0]), "000ff0");
        assert_eq!(decode_array::<2>("0aff").unwrap(), [0x0a, 0xff]);
        assert_eq!(decode("0"), Err(HexError::Length));
        for bad in ["0G", "AB", "0x", " 0", "é"] {
            assert_eq!(decode(bad), Err(HexError::Digit), "{bad}");
        }
        assert_eq!(decode_array::<2>("0aff00"), Err(HexError::Length));
        assert_eq!(decode_array::<2>("0aé"), Err(HexError::Digit));
    }
}
