//! Who can read: age X25519 recipients (public) and identities (secret), from and to the texts that `age-keygen` writes.
//!
//! It must never know where keys are kept or who holds them.
//!
//! Invariant: a [`Recipient`] is a point with which a shared secret can be agreed, so wrapping for it can't fail later.

use std::{fmt, str::FromStr};

use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::recipients::{self, MAX_RECIPIENTS};

/// A public key `age1…` to which file keys are wrapped.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    text: age::x25519::Recipient,
    point: [u8; 32],
}

/// A secret key `AGE-SECRET-KEY-1…` that opens what was wrapped to its recipient. Wiped when dropped.
#[derive(Clone)]
pub struct Identity(pub(super) age::x25519::Identity);

/// A key text that can't be used. It never repeats the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `age1…`.
    #[error("not an age recipient: expected `age1` and 58 more characters")]
    Recipient,
    /// Not a point that the public key of an identity can be. With some of them everybody would know the shared secret.
    #[error(
        "no identity has this age recipient: what is encrypted to it would be open to nobody, or to everybody"
    )]
    NobodysRecipient,
    /// None, or more than [`MAX_RECIPIENTS`].
    #[error("an item needs between 1 and {MAX_RECIPIENTS} recipients")]
    Recipients,
    /// A line of an identity file is neither a comment nor an identity.
    #[error("line {line} of the identity file is neither a comment nor an AGE-SECRET-KEY-1…")]
    IdentityLine {
        /// Counted from 1.
        line: usize,
    },
    /// An identity file without identity.
    #[error("the identity file holds no AGE-SECRET-KEY-1…")]
    NoIdentity,
}

impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let recipient = age::x25519::Recipient::from_str(text).map_err(|_| KeyError::Recipient)?;
        let point = point_of(text).ok_or(KeyError::Recipient)?;
        // `age` panics when it wraps for some of the others, so they are refused here.
        recipients::on_curve(point).ok_or(KeyError::NobodysRecipient)?;
        Ok(Self {
            text: recipient,
            point,
        })
    }
}

impl Recipient {
    /// The public point.
    pub(super) fn point(&self) -> &[u8; 32] {
        &self.point
    }
}

/// The 32 bytes in a Bech32 text whose checksum was verified already (BIP 173: 5 bits a character, 6 of checksum).
fn point_of(text: &str) -> Option<[u8; 32]> {
    const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let (_, data) = text.rsplit_once('1')?;
    let data = data.as_bytes().split_last_chunk::<6>()?.0;
    let (mut point, mut filled, mut bits, mut pending) = ([0; 32], 0, 0_u32, 0_u32);
    for symbol in data {
        let value = CHARSET
            .iter()
            .position(|known| *known == symbol.to_ascii_lowercase())?;
        pending = (pending << 5 | u32::try_from(value).ok()?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *point.get_mut(filled)? = u8::try_from(pending >> bits & 0xff).ok()?;
            filled += 1;
        }
    }
    (filled == point.len()).then_some(point)
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl Identity {
    /// A new identity from the system's randomness.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// The identities in a file as `age-keygen` writes it: one a line, `#` comments and empty lines between.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, KeyError> {
        let mut identities = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity = age::x25519::Identity::from_str(line);
            identities.push(Self(
                identity.map_err(|_| KeyError::IdentityLine { line: index + 1 })?,
            ));
        }
        if identities.is_empty() {
            return Err(KeyError::NoIdentity);
        }
        Ok(identities)
    }

    /// The text of an identity file, with the recipient in a comment as `age-keygen` puts it.
    pub fn to_file(&self) -> Zeroizing<String> {
        let secret = self.0.to_string();
        Zeroizing::new(format!(
            "# public key: {}\n{}\n",
            self.recipient(),
            secret.expose_secret()
        ))
    }

    /// The public half.
    pub fn recipient(&self) -> Recipient {
        let text = self.0.to_public();
        // Its text has a point. If it hadn't, nothing could be wrapped for it: the point zero is nobody's.
        let point = point_of(&text.to_string()).unwrap_or_default();
        Recipient { text, point }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_file_reads_back_with_comments_and_crlf() {
        let (one, two) = (Identity::generate(), Identity::generate());
        let text = format!(
            "# ours\r\n\r\n{}{}",
            one.to_file().as_str(),
            two.to_file().replace('\n', "\r\n")
        );
        let read = Identity::parse_file(&text).unwrap();
        assert_eq!(
            read.iter().map(Identity::recipient).collect::<Vec<_>>(),
            [one.recipient(), two.recipient()]
        );
    }

    #[test]
    fn a_bad_line_is_named_and_never_repeated() {
        let secret = Identity::generate().to_file().to_uppercase();
        let error = Identity::parse_file(&secret.replace("SECRET-KEY-1", "SECRET-KEY-2"))
            .err()
            .unwrap();
        assert_eq!(error, KeyError::IdentityLine { line: 2 });
        assert!(!error.to_string().contains(secret.lines().last().unwrap()));
        assert_eq!(Identity::parse_file("# none\n").err(), Some(KeyError::NoIdentity));
    }

    #[test]
    fn a_recipient_reads_back_and_a_wrong_character_is_refused() {
        let text = Identity::generate().recipient().to_string();
        assert_eq!(text.parse::<Recipient>().unwrap().to_string(), text);
        assert_eq!(point_of(&text).map(|point| point != [0; 32]), Some(true));
        let wrong = text.replace(&text[10..11], if &text[10..11] == "q" { "p" } else { "q" });
        assert_eq!(wrong.parse::<Recipient>(), Err(KeyError::Recipient));
        assert_eq!("".parse::<Recipient>(), Err(KeyError::Recipient));
    }

    /// The all-zero point with a right checksum: `age` itself takes it and panics when it wraps.
    #[test]
    fn a_point_of_nobodys_is_refused() {
        let zero = zero_point_text();
        assert!(age::x25519::Recipient::from_str(&zero).is_ok());
        assert_eq!(zero.parse::<Recipient>(), Err(KeyError::NobodysRecipient));
    }

    /// Bech32 of 32 zero bytes under `age`: the checksum is found as BIP 173 defines it.
    fn zero_point_text() -> String {
        let polymod = |values: &[u32]| {
            values.iter().fold(1_u32, |sum, value| {
                let top = sum >> 25;
                let generators = [
                    0x3b6a_57b2,
                    0x2650_8e6d,
                    0x1ea1_19fa,
                    0x3d42_33dd,
                    0x2a14_62b3_u32,
                ];
                let next = (sum & 0x01ff_ffff) << 5 ^ value;
                (0..5)
                    .filter(|bit| top >> bit & 1 == 1)
                    .fold(next, |sum, bit| sum ^ generators[bit])
            })
        };
        let name = "age".bytes().map(u32::from);
        let mut values: Vec<u32> = name
            .clone()
            .map(|c| c >> 5)
            .chain([0])
            .chain(name.map(|c| c & 31))
            .collect();
        values.extend([0; 52 + 6]);
        let checksum = polymod(&values) ^ 1;
        let symbols = (0..6).map(|i| (checksum >> (5 * (5 - i)) & 31) as usize);
        let tail: String = symbols
            .map(|symbol| char::from(b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"[symbol]))
            .collect();
        format!("age1{}{tail}", "q".repeat(52))
    }
}
