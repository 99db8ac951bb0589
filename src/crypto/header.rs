//! The age v1 header: one file key wrapped to each recipient, under a MAC that the file key makes. Kept apart from the
//! bodies, so that destroying it destroys the item and rotating recipients never touches a body.
//!
//! It must never know bodies, paths or people.
//!
//! Invariant: [`unwrap`] gives a key only for a header that is canonical to the byte and whose MAC that key verifies.

use age::Identity as _;
use age_core::{
    format::{Stanza, read::age_stanza},
    secrecy::ExposeSecret,
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    error::Unspecified,
    hkdf, hmac,
};

use super::{
    FileKey, Identity, RandomError, Recipients,
    recipients::{Agreed, MAX_RECIPIENTS},
};

/// First line of every header (age v1, "version line").
const INTRO: &[u8] = b"age-encryption.org/v1\n";

/// What the key of an X25519 stanza is derived for (age v1, "X25519").
const X25519_LABEL: &[u8] = b"age-encryption.org/v1/X25519";

/// In front of the MAC on the last line; the MAC covers everything up to here, less the space.
const MAC_MARK: &[u8] = b"---";

/// Columns after which a stanza's body is wrapped (age v1, "recipient stanza").
const COLUMNS: usize = 64;

/// The longest header that is read. Two X25519 recipients make 266 bytes.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Why a header can't be made or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not an age v1 header with X25519 stanzas, or not in its canonical form.
    #[error("the header is damaged: not a canonical age v1 header")]
    Malformed,
    /// None of the identities opens it.
    #[error("none of the identities at hand opens this header")]
    NoMatch,
    /// A stanza opened, but header and file key don't belong together.
    #[error("the header is damaged: its MAC doesn't verify")]
    Mac,
    /// The crypto library refused a length that is constant, or the system had no randomness.
    #[error("the crypto library failed")]
    Library,
}

/// The header that lets each of `recipients` recover `file_key`.
pub fn wrap(file_key: &FileKey, recipients: &Recipients) -> Result<Vec<u8>, HeaderError> {
    let mut header = INTRO.to_vec();
    for agreed in recipients.agree().map_err(|RandomError| HeaderError::Library)? {
        let stanza = wrap_for(file_key, &agreed).map_err(|Unspecified| HeaderError::Library)?;
        write_stanza(&stanza, &mut header);
    }
    header.extend_from_slice(MAC_MARK);
    let key = file_key.header_key().ok_or(HeaderError::Library)?;
    let mac = BASE64_STANDARD_NO_PAD.encode(hmac::sign(&key, &header));
    header.push(b' ');
    header.extend_from_slice(mac.as_bytes());
    header.push(b'\n');
    Ok(header)
}

/// The stanza by which one recipient recovers the file key (age v1, "X25519").
fn wrap_for(file_key: &FileKey, agreed: &Agreed) -> Result<Stanza, Unspecified> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &[agreed.share, agreed.point].concat());
    let secret = salt.extract(agreed.secret.as_ref());
    let key = secret.expand(&[X25519_LABEL], &CHACHA20_POLY1305)?;
    let key = LessSafeKey::new(UnboundKey::from(key));
    let mut body = file_key.expose().to_vec();
    // Each of these keys seals once.
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut body)?;
    Ok(Stanza {
        tag: "X25519".to_owned(),
        args: vec![BASE64_STANDARD_NO_PAD.encode(agreed.share)],
        body,
    })
}

/// `-> type arguments`, then the body in base64, wrapped, its last line always short (and empty if it must be).
fn write_stanza(stanza: &Stanza, header: &mut Vec<u8>) {
    header.extend_from_slice(b"->");
    for word in std::iter::once(&stanza.tag).chain(&stanza.args) {
        header.push(b' ');
        header.extend_from_slice(word.as_bytes());
    }
    header.push(b'\n');
    let body = BASE64_STANDARD_NO_PAD.encode(&stanza.body);
    let (lines, last) = body.as_bytes().as_chunks::<COLUMNS>();
    for line in lines.iter().map(|line| line.as_slice()).chain([last]) {
        header.extend_from_slice(line);
        header.push(b'\n');
    }
}

/// The file key of a header, if one of `identities` can open it.
pub fn unwrap(header: &[u8], identities: &[Identity]) -> Result<FileKey, HeaderError> {
    let parsed = parse(header)?;
    let age_key = identities
        .iter()
        .find_map(|identity| identity.0.unwrap_stanzas(&parsed.stanzas))
        .ok_or(HeaderError::NoMatch)?
        .map_err(|_| HeaderError::Malformed)?;
    let file_key = FileKey::from_bytes(*age_key.expose_secret());
    let key = file_key.header_key().ok_or(HeaderError::Library)?;
    hmac::verify(&key, parsed.covered, &parsed.mac).map_err(|_| HeaderError::Mac)?;
    Ok(file_key)
}

/// A header taken apart.
struct Parsed<'a> {
    stanzas: Vec<Stanza>,
    /// The bytes under the MAC.
    covered: &'a [u8],
    mac: Vec<u8>,
}

fn parse(header: &[u8]) -> Result<Parsed<'_>, HeaderError> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(HeaderError::Malformed);
    }
    let mut rest = header.strip_prefix(INTRO).ok_or(HeaderError::Malformed)?;
    let mut stanzas = Vec::new();
    while !rest.starts_with(MAC_MARK) {
        let (after, stanza) = age_stanza(rest).map_err(|_| HeaderError::Malformed)?;
        // A passphrase is nothing that a vault has, and age forbids it beside other recipients.
        if stanza.tag == "scrypt" || stanzas.len() == MAX_RECIPIENTS {
            return Err(HeaderError::Malformed);
        }
        stanzas.push(Stanza::from(stanza));
        rest = after;
    }
    let covered = &header[..header.len() - rest.len() + MAC_MARK.len()];
    let mac = rest
        .strip_prefix(MAC_MARK)
        .and_then(|rest| rest.strip_prefix(b" "))
        .and_then(|rest| rest.strip_suffix(b"\n"))
        .and_then(|mac| BASE64_STANDARD_NO_PAD.decode(mac).ok())
        .filter(|mac| mac.len() == 32 && !stanzas.is_empty())
        .ok_or(HeaderError::Malformed)?;
    Ok(Parsed {
        stanzas,
        covered,
        mac,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn each_recipient_opens_it_and_nobody_else() {
        let (vault, escrow, stranger) = (Identity::generate(), Identity::generate(), Identity::generate());
        let key = FileKey::generate(&SystemRandom::new()).unwrap();
        let both = Recipients::new(&[vault.recipient(), escrow.recipient()]).unwrap();
        let header = wrap(&key, &both).unwrap();
        assert_eq!(header.len(), 266);
        for identity in [vault, escrow] {
            let opened = unwrap(&header, &[stranger.clone(), identity]).unwrap();
            assert_eq!(opened.expose(), key.expose());
        }
        assert_eq!(unwrap(&header, &[stranger]).err(), Some(HeaderError::NoMatch));
        assert_eq!(unwrap(&header, &[]).err(), Some(HeaderError::NoMatch));
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        let identity = Identity::generate();
        let key = FileKey::generate(&SystemRandom::new()).unwrap();
        let both = Recipients::new(&[identity.recipient(), Identity::generate().recipient()]).unwrap();
        let header = wrap(&key, &both).unwrap();
        for at in 0..header.len() {
            for bit in 0..8 {
                let mut damaged = header.clone();
                damaged[at] ^= 1 << bit;
                assert!(
                    unwrap(&damaged, std::slice::from_ref(&identity)).is_err(),
                    "byte {at} bit {bit}"
                );
            }
            assert!(
                unwrap(&header[..at], std::slice::from_ref(&identity)).is_err(),
                "cut at {at}"
            );
        }
        let longer = [&header[..], b"\n"].concat();
        assert_eq!(unwrap(&longer, &[identity]).err(), Some(HeaderError::Malformed));
    }

    #[test]
    fn a_stanza_body_of_whole_lines_ends_in_an_empty_one() {
        let mut out = Vec::new();
        write_stanza(
            &Stanza {
                tag: "t".into(),
                args: vec!["a".into()],
                body: vec![0; 48],
            },
            &mut out,
        );
        assert_eq!(out, format!("-> t a\n{}\n\n", "A".repeat(64)).as_bytes());
    }

    #[test]
    fn a_header_out_of_bounds_is_refused() {
        let mut endless = INTRO.to_vec();
        while endless.len() <= MAX_HEADER_BYTES {
            endless.extend_from_slice(b"-> x\n\n");
        }
        assert_eq!(
            unwrap(&endless, &[Identity::generate()]).err(),
            Some(HeaderError::Malformed)
        );
    }
}
