//! What a number looks like: one character class and a length, written like `[0-9]{6,16}`.
//!
//! Numbers become folder names in the vault, so a class holds nothing but ASCII letters, digits, `-` and `_`: whatever
//! the configuration says, a value that matches is a safe path component.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest value any pattern may allow, in characters.
pub const MAX_LENGTH: usize = 64;

/// A character class with a minimum and a maximum length.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    source: String,
    /// Bit n stands for ASCII character n.
    class: u128,
    min: usize,
    max: usize,
}

/// Why a string is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not of the form `[class]{min,max}` or `[class]{length}`.
    #[error("{0:?} is not of the form [class]{{min,max}}, for example [0-9]{{6,16}}")]
    Form(String),
    /// A class member that could not stand in a folder name, or a range that runs backwards.
    #[error(
        "{0:?}: a class holds only ASCII letters, digits, - (first or last) and _, and ranges that run upwards"
    )]
    Class(String),
    /// Lengths outside 1..=64 or minimum above maximum.
    #[error("{0:?}: lengths must satisfy 1 <= min <= max <= {MAX_LENGTH}")]
    Length(String),
}

impl Pattern {
    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        (self.min..=self.max).contains(&text.len()) && text.chars().all(|c| self.allows(c))
    }

    /// Whether the class holds this character.
    pub fn allows(&self, c: char) -> bool {
        c.is_ascii() && self.class >> u32::from(c) & 1 == 1
    }

    /// Whether the class holds digits and nothing else.
    pub fn is_numeric(&self) -> bool {
        (0..128u8)
            .map(char::from)
            .all(|c| !self.allows(c) || c.is_ascii_digit())
    }
}

/// Whether `text` could have matched some pattern: a safe, non-empty path component.
pub fn is_safe_component(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(is_safe)
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(source: &str) -> Result<Self, PatternError> {
        let form = || PatternError::Form(source.to_owned());
        let (class_text, lengths) = source
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix('}'))
            .and_then(|rest| rest.split_once("]{"))
            .ok_or_else(form)?;
        let (min, max) = lengths.split_once(',').unwrap_or((lengths, lengths));
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| form());
        let (min, max) = (number(min)?, number(max)?);
        if min < 1 || min > max || max > MAX_LENGTH {
            return Err(PatternError::Length(source.to_owned()));
        }
        let class = parse_class(class_text).ok_or_else(|| PatternError::Class(source.to_owned()))?;
        Ok(Self {
            source: source.to_owned(),
            class,
            min,
            max,
        })
    }
}

fn parse_class(text: &str) -> Option<u128> {
    let mut rest: &[u8] = text.as_bytes();
    let mut class = 0u128;
    while let Some((&from, after)) = rest.split_first() {
        let to = match after {
            [b'-', to, ..] => {
                rest = &after[2..];
                *to
            }
            _ => {
                rest = after;
                from
            }
        };
        if from > to {
            return None;
        }
        for byte in from..=to {
            if !is_safe(char::from(byte)) {
                return None;
            }
            class |= 1 << byte;
        }
    }
    (class != 0).then_some(class)
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(source: String) -> Result<Self, PatternError> {
        source.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.source
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_and_length_both_count() {
        let customer: Pattern = "[0-9]{6,16}".parse().unwrap();
        assert!(customer.matches("000100") && customer.matches("0001000123456789"));
        for wrong in [
            "",
            "12345",
            "00010001234567890",
            "12345a",
            "123 456",
            "１２３４５６",
        ] {
            assert!(!customer.matches(wrong), "{wrong}");
        }
        let flow: Pattern = "[A-Za-z0-9_-]{4}".parse().unwrap();
        assert!(flow.matches("A-_9") && !flow.matches("A098877"));
        let dash_first: Pattern = "[-z]{3}".parse().unwrap();
        assert!(dash_first.matches("-z-") && !dash_first.matches("abc"));
        assert!(customer.is_numeric() && !flow.is_numeric());
        assert_eq!(customer.to_string(), "[0-9]{6,16}");
    }

    #[test]
    fn patterns_that_could_leave_a_folder_are_refused() {
        for source in [
            "[.]{1,2}",
            "[a-z/]{1,9}",
            "[ -~]{1,9}",
            "[9-0]{1,2}",
            "[]{1,2}",
            "[é]{1,2}",
        ] {
            assert!(
                matches!(source.parse::<Pattern>(), Err(PatternError::Class(_))),
                "{source}"
            );
        }
        for source in ["[0-9]{0,4}", "[0-9]{5,4}", "[0-9]{1,65}"] {
            assert!(
                matches!(source.parse::<Pattern>(), Err(PatternError::Length(_))),
                "{source}"
            );
        }
        for source in ["", "[0-9]+", "[0-9]{6", "[0-9]{a,b}", "0-9{1,2}", "[0-9]{1,2,3}"] {
            assert!(
                matches!(source.parse::<Pattern>(), Err(PatternError::Form(_))),
                "{source}"
            );
        }
    }
}
