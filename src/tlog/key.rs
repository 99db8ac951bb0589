//! Ed25519 keys of signed notes: who signs, under which name, for which kind of signature.
//!
//! Text forms are those of c2sp.org/signed-note and Go's sumdb/note. A [`SignerKey`] keeps its seed, wiped when dropped, and what `ring`
//! derives from it for signatures, which `ring` does not wipe.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    digest::{SHA256, digest},
    rand::SecureRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use std::fmt;
use zeroize::Zeroizing;

use super::note::NoteSignature;

/// Longest key name in bytes that is accepted.
pub const MAX_NAME_BYTES: usize = 255;

/// What a key signs, and so what its signatures mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The note's text as it is: signature type 0x01. A log signs so.
    Ed25519,
    /// The text with the time at which it was seen: type 0x04, c2sp.org/tlog-cosignature. A witness signs so.
    CosignatureV1,
}

impl Algorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            other => Err(KeyError::Algorithm(other)),
        }
    }
}

/// Why a key's text is refused or a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of the form `name+id+base64`, with `PRIVATE+KEY+` before it for a private key.
    #[error("not a note key")]
    Syntax,
    /// Empty, too long, or with a space, a control character or a plus.
    #[error("not a usable key name")]
    Name,
    /// A signature type other than 0x01 and 0x04.
    #[error("signature type {0:#04x} is not supported")]
    Algorithm(u8),
    /// The id in the text is not the id of the key: a digit was changed or lost.
    #[error("the key does not have the id {0} that its text gives")]
    Id(KeyId),
    /// The system's randomness failed.
    #[error("no randomness to make a key from")]
    Random,
}

/// The first four bytes of SHA-256 over a key's name, type and public half: a hint for look-up, not a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn key_id(name: &str, algorithm: Algorithm, public: &[u8; 32]) -> KeyId {
    let message = [name.as_bytes(), b"\n", &[algorithm.byte()], public].concat();
    let digest = digest(&SHA256, &message);
    let mut id = [0; 4];
    id.copy_from_slice(&digest.as_ref()[..4]);
    KeyId(id)
}

pub(super) fn check_name(name: &str) -> Result<(), KeyError> {
    let refused = |character: char| character == '+' || character.is_whitespace() || character.is_control();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(refused) {
        return Err(KeyError::Name);
    }
    Ok(())
}

/// A key's name, the id its text claims, its type, and its 32 bytes.
type Parts<'t> = (&'t str, KeyId, Algorithm, Zeroizing<[u8; 32]>);

/// Takes `name+id+base64` apart.
fn parse_parts(text: &str) -> Result<Parts<'_>, KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Syntax);
    };
    check_name(name)?;
    let id = KeyId(crate::domain::hex::decode_array(id).map_err(|_| KeyError::Syntax)?);
    // One byte of type and 32 of key make 44 characters.
    if key.len() > 44 {
        return Err(KeyError::Syntax);
    }
    let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| KeyError::Syntax)?);
    let (&algorithm, key) = key.split_first().ok_or(KeyError::Syntax)?;
    let algorithm = Algorithm::from_byte(algorithm)?;
    let mut bytes = Zeroizing::new([0; 32]);
    if key.len() != bytes.len() {
        return Err(KeyError::Syntax);
    }
    bytes.copy_from_slice(key);
    Ok((name, id, algorithm, bytes))
}

fn format_parts(name: &str, id: KeyId, algorithm: Algorithm, key: &[u8; 32]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 33]);
    bytes[0] = algorithm.byte();
    bytes[1..].copy_from_slice(key);
    let encoded = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
    Zeroizing::new(format!("{name}+{id}+{}", encoded.as_str()))
}

/// The public half: checks the signatures of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    algorithm: Algorithm,
    public: [u8; 32],
}

impl VerifierKey {
    /// A key of this name, type and 32 bytes of Ed25519 public key.
    pub fn new(name: &str, algorithm: Algorithm, public: [u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self {
            id: key_id(name, algorithm, &public),
            name: name.to_owned(),
            algorithm,
            public,
        })
    }

    /// Reads `name+id+base64(type ‖ public key)`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, id, algorithm, public) = parse_parts(text)?;
        let key = Self::new(name, algorithm, *public)?;
        if key.id == id {
            Ok(key)
        } else {
            Err(KeyError::Id(id))
        }
    }

    /// The name under which the key signs; for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that its signatures carry.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What its signatures mean.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw Ed25519 public key, for tools that want it in another form.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Checks one signature over a note's text. A cosignature yields its time, in seconds since 1970.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let (time, message, signature) = match self.algorithm {
            Algorithm::Ed25519 => (None, text.as_bytes().to_vec(), signature),
            Algorithm::CosignatureV1 => {
                let (time, signature) = signature.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                (Some(time), cosigned_message(text, time)?, signature)
            }
        };
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(&message, signature)
            .ok()
            .map(|()| time)
    }
}

impl fmt::Display for VerifierKey {
    /// The form that [`VerifierKey::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_parts(&self.name, self.id, self.algorithm, &self.public))
    }
}

/// What a witness signs: a header that sets it apart, the time, the whole text. `None` beyond 2^63 − 1 seconds.
fn cosigned_message(text: &str, time: u64) -> Option<Vec<u8>> {
    i64::try_from(time).ok()?;
    Some(format!("cosignature/v1\ntime {time}\n{text}").into_bytes())
}

/// The private half. Its `Debug` shows the public half only.
pub struct SignerKey {
    verifier: VerifierKey,
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerKey")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

impl SignerKey {
    /// A new key from the system's randomness.
    pub fn generate(name: &str, algorithm: Algorithm, random: &dyn SecureRandom) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(seed.as_mut_slice()).map_err(|_| KeyError::Random)?;
        Self::from_seed(name, algorithm, seed)
    }

    /// The key that this seed (RFC 8032 §5.1.5) makes.
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let pair = pair(&seed)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyError::Syntax)?;
        Ok(Self {
            verifier: VerifierKey::new(name, algorithm, public)?,
            seed,
            pair,
        })
    }

    /// Reads `PRIVATE+KEY+name+id+base64(type ‖ seed)`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::Syntax)?;
        let (name, id, algorithm, seed) = parse_parts(text)?;
        let key = Self::from_seed(name, algorithm, seed)?;
        if key.verifier.id == id {
            Ok(key)
        } else {
            Err(KeyError::Id(id))
        }
    }

    /// The form that [`Self::parse`] reads, wiped when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        let VerifierKey {
            name, id, algorithm, ..
        } = &self.verifier;
        let rest = format_parts(name, *id, *algorithm, &self.seed);
        Zeroizing::new(format!("PRIVATE+KEY+{}", rest.as_str()))
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text as it is. `None` for a witness's key, which signs with a time.
    pub(super) fn sign(&self, text: &str) -> Option<NoteSignature> {
        match self.verifier.algorithm {
            Algorithm::Ed25519 => Some(self.signature(Vec::new(), text.as_bytes())),
            Algorithm::CosignatureV1 => None,
        }
    }

    /// Cosigns a note's text as seen at `time`, in seconds since 1970. `None` for a log's key or an impossible time.
    pub(super) fn cosign(&self, text: &str, time: u64) -> Option<NoteSignature> {
        match self.verifier.algorithm {
            Algorithm::Ed25519 => None,
            Algorithm::CosignatureV1 => {
                Some(self.signature(time.to_be_bytes().to_vec(), &cosigned_message(text, time)?))
            }
        }
    }

    fn signature(&self, mut bytes: Vec<u8>, message: &[u8]) -> NoteSignature {
        bytes.extend_from_slice(self.pair.sign(message).as_ref());
        NoteSignature {
            name: self.verifier.name.clone(),
            id: self.verifier.id,
            bytes,
        }
    }
}

/// Any 32 bytes are a seed, so this doesn't fail in practice. The public half is derived here, never read from
/// a file, so a seed can't be signed with under a public key that isn't its own.
fn pair(seed: &[u8; 32]) -> Result<Ed25519KeyPair, KeyError> {
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Syntax)
}
