//! Authenticator data (WebAuthn clause 6.1): what the authenticator says, and signs.

use super::{
    PasskeyError,
    cbor::{Item, Reader},
};

/// The person touched it.
pub(super) const FLAG_PRESENT: u8 = 0x01;
/// The person was verified, by a PIN or a finger.
pub(super) const FLAG_VERIFIED: u8 = 0x04;
/// A credential follows.
pub(super) const FLAG_ATTESTED: u8 = 0x40;
/// Extensions follow.
const FLAG_EXTENSIONS: u8 = 0x80;

/// The data, taken apart.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    /// SHA-256 of the relying party's id.
    pub(super) rp_id_hash: [u8; 32],
    /// Flags.
    pub(super) flags: u8,
    /// How often it signed; 0 where it doesn't count.
    pub(super) sign_count: u32,
    /// The credential it made, with [`FLAG_ATTESTED`].
    pub(super) attested: Option<Attested<'a>>,
}

/// A credential as it was made.
#[derive(Debug)]
pub(super) struct Attested<'a> {
    /// Its id.
    pub(super) credential: &'a [u8],
    /// COSE_Key.
    pub(super) public_key: &'a [u8],
}

type Result<T> = std::result::Result<T, PasskeyError>;

impl<'a> AuthenticatorData<'a> {
    /// From an attestation object. What attests isn't looked at: none was asked for.
    pub(super) fn of_attestation(object: &'a [u8]) -> Result<Self> {
        let mut reader = Reader(object);
        let mut data = None;
        for _ in 0..reader.map()? {
            match (reader.item()?, data) {
                (Item::Text("authData"), None) => match reader.item()? {
                    Item::Bytes(bytes) => data = Some(bytes),
                    _ => return Err(PasskeyError::Malformed),
                },
                (Item::Text("fmt" | "attStmt"), _) => reader.skip()?,
                _ => return Err(PasskeyError::Malformed),
            }
        }
        if !reader.0.is_empty() {
            return Err(PasskeyError::Malformed);
        }
        Self::parse(data.ok_or(PasskeyError::Malformed)?)
    }

    /// From its bytes, all of them.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let malformed = PasskeyError::Malformed;
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or(malformed)?;
        let (&flags, rest) = rest.split_first().ok_or(malformed)?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>().ok_or(malformed)?;
        let mut attested = None;
        if flags & FLAG_ATTESTED != 0 {
            // 16 bytes of AAGUID, which says the authenticator's make, stand in front.
            let (_, after) = rest.split_first_chunk::<16>().ok_or(malformed)?;
            let (length, after) = after.split_first_chunk::<2>().ok_or(malformed)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (credential, after) = after.split_at_checked(length).ok_or(malformed)?;
            let mut reader = Reader(after);
            reader.skip()?;
            let public_key = after.get(..after.len() - reader.0.len()).ok_or(malformed)?;
            attested = Some(Attested {
                credential,
                public_key,
            });
            rest = reader.0;
        }
        if flags & FLAG_EXTENSIONS != 0 {
            let mut reader = Reader(rest);
            reader.skip()?;
            rest = reader.0;
        }
        if !rest.is_empty() {
            return Err(malformed);
        }
        Ok(AuthenticatorData {
            rp_id_hash: *rp_id_hash,
            flags,
            sign_count: u32::from_be_bytes(*sign_count),
            attested,
        })
    }
}
