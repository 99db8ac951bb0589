//! Signed notes (c2sp.org/signed-note): a text, and lines that sign it.
//!
//! Knows no trees. Invariant: a parsed note prints back byte for byte, and nothing in it counts before
//! [`Note::verify`] has named who signed.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;

pub use super::key::{Algorithm, KeyError, KeyId, MAX_NAME_BYTES, SignerKey, VerifierKey};

/// Largest note in bytes that is looked at.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;
/// Most signatures on a note that is looked at; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`], or more signatures than [`MAX_SIGNATURES`].
    #[error("the note is too large")]
    TooLarge,
    /// Not a text, an empty line, and signature lines.
    #[error("not a signed note: {0}")]
    Syntax(&'static str),
    /// A line claims to be of a known key, and its signature is wrong.
    #[error("the signature of {name}+{id} is wrong")]
    BadSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: KeyId,
    },
    /// Two different known keys share a name and an id.
    #[error("two known keys are both {name}+{id}")]
    Ambiguous {
        /// The keys' name.
        name: String,
        /// The keys' id.
        id: KeyId,
    },
    /// The key is not of the kind that makes this signature, or the time is beyond 2^63 − 1.
    #[error("this key does not make that kind of signature")]
    WrongKind,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that is said to have signed.
    pub name: String,
    /// Id of that key.
    pub id: KeyId,
    /// The signature as its type defines it, without the id.
    pub bytes: Vec<u8>,
}

/// A text and the signatures under it, none of them checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature that was checked against a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: KeyId,
    /// When a witness says it saw the text, in seconds since 1970; `None` for a plain signature.
    pub time: Option<u64>,
}

impl Note {
    /// A note that `signer` signs; `text` must end in a newline and hold no other control characters.
    pub fn sign(text: String, signer: &SignerKey) -> Result<Self, NoteError> {
        let signature = signer.sign(&text).ok_or(NoteError::WrongKind)?;
        let note = Self {
            text,
            signatures: vec![signature],
        };
        // What this writes, everyone must be able to read.
        Self::parse(note.to_string().as_bytes())
    }

    /// Reads a note; what it says is not to be believed yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge);
        }
        let all = str::from_utf8(bytes).map_err(|_| NoteError::Syntax("not UTF-8"))?;
        if all.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Syntax("a control character"));
        }
        let end = all
            .rfind("\n\n")
            .ok_or(NoteError::Syntax("no empty line before the signatures"))?;
        let (text, lines) = (&all[..=end], &all[end + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Syntax("no newline at its end"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooLarge);
            }
            signatures.push(parse_line(line).ok_or(NoteError::Syntax("a line that is not a signature"))?);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The signed text, newline included. Not to be believed before [`Self::verify`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, known and unknown.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The signatures that belong to one of `keys`, once each, all of them checked. Lines of unknown keys say nothing
    /// and are passed over; a wrong signature under a known key's name and id spoils the note.
    pub fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerifierKey> + Clone,
    ) -> Result<Vec<Verified>, NoteError> {
        let mut verified: Vec<Verified> = Vec::new();
        for NoteSignature { name, id, bytes } in &self.signatures {
            let mut matching = keys
                .clone()
                .into_iter()
                .filter(|key| key.name() == name && key.id() == *id);
            let Some(key) = matching.next() else { continue };
            if matching.any(|other| other != key) {
                return Err(NoteError::Ambiguous {
                    name: name.clone(),
                    id: *id,
                });
            }
            if verified.iter().any(|seen| seen.name == *name && seen.id == *id) {
                continue;
            }
            let time = key
                .verify(&self.text, bytes)
                .ok_or_else(|| NoteError::BadSignature {
                    name: name.clone(),
                    id: *id,
                })?;
            verified.push(Verified {
                name: name.clone(),
                id: *id,
                time,
            });
        }
        Ok(verified)
    }

    /// Adds a signature, in the place of an earlier one by the same key.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        let same = |line: &NoteSignature| line.name == signature.name && line.id == signature.id;
        let mut changed = self.clone();
        match changed.signatures.iter_mut().find(|line| same(line)) {
            Some(line) => *line = signature,
            None => changed.signatures.push(signature),
        }
        *self = Self::parse(changed.to_string().as_bytes())?;
        Ok(())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for NoteSignature { name, id, bytes } in &self.signatures {
            writeln!(
                f,
                "— {name} {}",
                STANDARD.encode([&id.0, bytes.as_slice()].concat())
            )?;
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Option<NoteSignature> {
    let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
    super::key::check_name(name).ok()?;
    let signature = STANDARD.decode(signature).ok()?;
    let (id, bytes) = signature
        .split_first_chunk::<4>()
        .filter(|(_, bytes)| !bytes.is_empty())?;
    Some(NoteSignature {
        name: name.to_owned(),
        id: KeyId(*id),
        bytes: bytes.to_vec(),
    })
}
