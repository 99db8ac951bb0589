//! An identity file under a passphrase, in age's own format (a recipient of type scrypt), so that `age -p` makes one and
//! `age -d` opens ours.
//!
//! It must never know where the file lies or how a passphrase was asked for.
//!
//! Invariants: a passphrase is wiped when dropped and is in no error and no `Debug`; opening costs bounded time and
//! memory, whatever the file says.

use super::{Identity, identity::KeyError};
use age::{
    Decryptor, Encryptor,
    armor::{ArmoredReader, ArmoredWriter, Format},
    scrypt,
    secrecy::SecretString,
};
use std::{
    fmt,
    io::{self, Read, Write},
};
use zeroize::Zeroizing;

/// Bytes of an identity file at the most, protected or not.
pub const MAX_IDENTITY_FILE_BYTES: usize = 64 * 1024;

/// The largest work factor that is opened: 2^20 rounds take 1 GiB of memory and some seconds. `age` writes 18.
pub const MAX_WORK_FACTOR: u8 = 20;

/// The work factor of what is protected here: 256 MiB and about a second, as `age` does.
pub const WORK_FACTOR: u8 = 18;

/// Characters of a passphrase, or of each part of one, at the least when a file is protected.
pub const MIN_PASSPHRASE_CHARS: usize = 12;

/// Bytes of a whole passphrase at the most.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;

const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const BINARY: &[u8] = b"age-encryption.org/";

/// What a custodian knows, or several of them each a part of. The parts are joined by one space, so that the custodians can
/// type them one behind the other where `age -d` asks for a passphrase. Wiped when dropped.
#[derive(Clone)]
pub struct Passphrase {
    text: Zeroizing<String>,
    parts: usize,
    shortest_part_chars: usize,
}

impl Passphrase {
    /// A passphrase as a file descriptor gives it: one line for each custodian, with or without an end of the last.
    pub fn from_lines(text: &str) -> Self {
        Self::of_parts(text.strip_suffix('\n').unwrap_or(text).split('\n'))
    }

    /// The parts of the custodians, in their order.
    pub fn of_parts<'p>(parts: impl Iterator<Item = &'p str> + Clone) -> Self {
        let parts = parts.map(|part| part.strip_suffix('\r').unwrap_or(part));
        let bytes = parts.clone().map(|part| part.len() + 1).sum();
        // All the room at once: growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(bytes));
        for (at, part) in parts.clone().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            text.push_str(part);
        }
        Self {
            text,
            parts: parts.clone().count(),
            shortest_part_chars: parts.map(|part| part.chars().count()).min().unwrap_or(0),
        }
    }

    /// Of how many custodians it is.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Characters of the shortest part.
    pub fn shortest_part_chars(&self) -> usize {
        self.shortest_part_chars
    }

    fn secret(&self) -> SecretString {
        let mut copy = String::with_capacity(self.text.len());
        copy.push_str(&self.text);
        SecretString::from(copy)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Why an identity file doesn't open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtectedError {
    /// It is protected, and no passphrase was given.
    #[error("the identity file is protected: it takes a passphrase")]
    PassphraseNeeded,
    /// The passphrase isn't the one.
    #[error("the passphrase is wrong, or a part of it, or their order")]
    WrongPassphrase,
    /// Opening would take more time and memory than a server should spend.
    #[error("the identity file asks for a work factor of {factor}; up to {MAX_WORK_FACTOR} is opened")]
    Work {
        /// The exponent in the file.
        factor: u8,
    },
    /// An age file for recipients, not for a passphrase.
    #[error("the identity file is encrypted to a key, not to a passphrase")]
    NoPassphrase,
    /// Not what `age` or `age-keygen` writes, or cut, or altered.
    #[error("the identity file is damaged or is none")]
    Damaged,
    /// What stands in it is no identity.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It couldn't be protected.
    #[error("the identity can't be protected: {0}")]
    Protect(String),
}

/// Whether a file is encrypted, so that a passphrase is needed; if not, it is plain text.
pub fn is_protected(file: &[u8]) -> bool {
    file.trim_ascii_start().starts_with(ARMOR) || file.starts_with(BINARY)
}

/// The identities in a file, plain as `age-keygen` and `init` write it, or protected by a passphrase.
///
/// # Errors
/// When it doesn't open; the error repeats nothing of what stands in it.
pub fn open(file: &[u8], passphrase: Option<&Passphrase>) -> Result<Vec<Identity>, ProtectedError> {
    if file.len() > MAX_IDENTITY_FILE_BYTES {
        return Err(ProtectedError::Damaged);
    }
    if !is_protected(file) {
        let text = std::str::from_utf8(file).map_err(|_| ProtectedError::Damaged)?;
        return Ok(Identity::parse_file(text)?);
    }
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(file)).map_err(of_age)?;
    if !decryptor.is_scrypt() {
        return Err(ProtectedError::NoPassphrase);
    }
    let passphrase = passphrase.ok_or(ProtectedError::PassphraseNeeded)?;
    let mut opening = scrypt::Identity::new(passphrase.secret());
    opening.set_max_work_factor(MAX_WORK_FACTOR);
    let plain = decryptor
        .decrypt(std::iter::once(&opening as &dyn age::Identity))
        .map_err(of_age)?;
    // All the room at once: growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_IDENTITY_FILE_BYTES + 1));
    plain
        .take(MAX_IDENTITY_FILE_BYTES as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|_| ProtectedError::Damaged)?;
    let text = std::str::from_utf8(&text).map_err(|_| ProtectedError::Damaged)?;
    Ok(Identity::parse_file(text)?)
}

/// The file that a passphrase protects, armored. `work_factor` is [`WORK_FACTOR`], less only where a test is in a hurry.
///
/// # Errors
/// When the work factor is out of bounds or the system has no randomness.
pub fn protect(
    identities: &[Identity],
    passphrase: &Passphrase,
    work_factor: u8,
) -> Result<Vec<u8>, ProtectedError> {
    if !(1..=MAX_WORK_FACTOR).contains(&work_factor) {
        return Err(ProtectedError::Work { factor: work_factor });
    }
    let mut recipient = scrypt::Recipient::new(passphrase.secret());
    recipient.set_work_factor(work_factor);
    let failed = |error: &dyn fmt::Display| ProtectedError::Protect(error.to_string());
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        .map_err(|error| failed(&error))?;
    let write = || -> io::Result<Vec<u8>> {
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut plain = encryptor.wrap_output(armor)?;
        for identity in identities {
            plain.write_all(identity.to_file().as_bytes())?;
        }
        plain.finish()?.finish()
    };
    write().map_err(|error| failed(&error))
}

fn of_age(error: age::DecryptError) -> ProtectedError {
    match error {
        age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed
        | age::DecryptError::NoMatchingKeys => ProtectedError::WrongPassphrase,
        age::DecryptError::ExcessiveWork { required, .. } => ProtectedError::Work { factor: required },
        _ => ProtectedError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few milliseconds.
    const QUICK: u8 = 10;

    fn phrase(text: &str) -> Passphrase {
        Passphrase::from_lines(text)
    }

    fn names(identities: &[Identity]) -> Vec<String> {
        identities
            .iter()
            .map(|identity| identity.recipient().to_string())
            .collect()
    }

    fn unarmored(file: &[u8]) -> Vec<u8> {
        let mut binary = Vec::new();
        ArmoredReader::new(file).read_to_end(&mut binary).unwrap();
        binary
    }

    #[test]
    fn what_was_protected_opens_armored_and_binary_and_only_with_the_passphrase() {
        let identities = [Identity::generate(), Identity::generate()];
        let file = protect(&identities, &phrase("correct horse 电池"), QUICK).unwrap();
        assert!(file.starts_with(ARMOR) && is_protected(&file));
        let binary = unarmored(&file);
        assert!(binary.starts_with(BINARY) && is_protected(&binary));
        for file in [&file, &binary] {
            let opened = open(file, Some(&phrase("correct horse 电池\r\n"))).unwrap();
            assert_eq!(names(&opened), names(&identities));
            for wrong in ["correct horse 电", "correct horse 电池 ", ""] {
                assert_eq!(
                    open(file, Some(&phrase(wrong))).err(),
                    Some(ProtectedError::WrongPassphrase)
                );
            }
            assert_eq!(open(file, None).err(), Some(ProtectedError::PassphraseNeeded));
        }
    }

    #[test]
    fn every_cut_and_every_altered_byte_of_the_file_is_refused() {
        let file = unarmored(&protect(&[Identity::generate()], &phrase("correct horse"), 1).unwrap());
        let passphrase = phrase("correct horse");
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(open(&damaged, Some(&passphrase)).is_err(), "byte {at}");
            assert!(open(&file[..at], Some(&passphrase)).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_work_factor_is_bounded_before_any_work_is_done() {
        let file = unarmored(&protect(&[Identity::generate()], &phrase("correct horse"), QUICK).unwrap());
        let at = file.windows(4).position(|bytes| bytes == b" 10\n").unwrap();
        for (factor, text) in [(21, " 21\n"), (40, " 40\n"), (63, " 63\n")] {
            let mut heavy = file.clone();
            heavy[at..at + 4].copy_from_slice(text.as_bytes());
            assert_eq!(
                open(&heavy, Some(&phrase("correct horse"))).err(),
                Some(ProtectedError::Work { factor })
            );
        }
        assert!(matches!(
            protect(&[], &phrase("x"), 21),
            Err(ProtectedError::Work { factor: 21 })
        ));
    }

    #[test]
    fn plain_files_open_and_strange_ones_are_refused_without_repeating_them() {
        let identity = Identity::generate();
        let plain = identity.to_file();
        assert!(!is_protected(plain.as_bytes()));
        assert_eq!(
            names(&open(plain.as_bytes(), None).unwrap()),
            names(std::slice::from_ref(&identity))
        );
        let to_a_key = age::encrypt(&identity.0.to_public(), plain.as_bytes()).unwrap();
        assert_eq!(
            open(&to_a_key, Some(&phrase("x"))).err(),
            Some(ProtectedError::NoPassphrase)
        );
        assert_eq!(open(&[0xff; 40], None).err(), Some(ProtectedError::Damaged));
        assert_eq!(
            open(&vec![b'#'; MAX_IDENTITY_FILE_BYTES + 1], None).err(),
            Some(ProtectedError::Damaged)
        );
    }

    #[test]
    fn parts_are_joined_by_one_space_in_their_order() {
        let whole = phrase("first custodian\r\n第二位保管人\n");
        assert_eq!((whole.parts(), whole.shortest_part_chars()), (2, 6));
        let file = protect(&[Identity::generate()], &whole, QUICK).unwrap();
        let typed = phrase("first custodian 第二位保管人");
        assert_eq!(typed.parts(), 1);
        assert!(open(&file, Some(&typed)).is_ok());
        for wrong in [
            "第二位保管人\nfirst custodian",
            "first custodian",
            "第二位保管人",
            "first custodian\n\n第二位保管人",
        ] {
            assert_eq!(
                open(&file, Some(&phrase(wrong))).err(),
                Some(ProtectedError::WrongPassphrase)
            );
        }
        assert_eq!(format!("{whole:?}"), "Passphrase(…)");
    }
}
