//! Public keys as authenticators write them (COSE_Key, RFC 9053), and their signatures.

use super::{
    PasskeyError,
    cbor::{Item, Reader},
};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// ES256, EdDSA, RS256: what is asked for, the preferred one first.
pub(super) const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];
const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
const OKP: i64 = 1;
const EC2: i64 = 2;
const RSA: i64 = 3;
const P256: i64 = 1;
const CURVE_ED25519: i64 = 6;

/// A key of one of [`ALGORITHMS`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey<'a> {
    /// The uncompressed point.
    Es256([u8; 65]),
    /// Its 32 bytes.
    EdDsa([u8; 32]),
    /// Modulus and exponent, big end first.
    Rs256(&'a [u8], &'a [u8]),
}

impl<'a> PublicKey<'a> {
    /// From a COSE_Key, all of it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, PasskeyError> {
        let mut reader = Reader(bytes);
        let (mut numbers, mut strings) = ([None; 5], [None; 5]);
        for _ in 0..reader.map()? {
            let Item::Integer(label) = reader.item()? else {
                return Err(PasskeyError::Key);
            };
            let value = reader.item()?;
            // 1 and 3: type and algorithm; −1 to −3: the parameters of the type, here at 0, 2 and 4.
            let place = match label {
                -1 => 0,
                KEY_TYPE => 1,
                -2 => 2,
                ALGORITHM => 3,
                -3 => 4,
                _ => return Err(PasskeyError::Key),
            };
            match value {
                Item::Integer(number) if numbers[place].is_none() => numbers[place] = Some(number),
                Item::Bytes(string) if strings[place].is_none() => strings[place] = Some(string),
                _ => return Err(PasskeyError::Key),
            }
        }
        if !reader.0.is_empty() {
            return Err(PasskeyError::Key);
        }
        let [curve, key_type, _, algorithm, _] = numbers;
        let [modulus, _, first, _, second] = strings;
        match (algorithm, key_type, curve) {
            (Some(ES256), Some(EC2), Some(P256)) => {
                let mut point = [4; 65];
                let (x, y) = (coordinate(first)?, coordinate(second)?);
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                Ok(PublicKey::Es256(point))
            }
            (Some(EDDSA), Some(OKP), Some(CURVE_ED25519)) => Ok(PublicKey::EdDsa(*coordinate(first)?)),
            (Some(RS256), Some(RSA), None) => match (modulus, first) {
                (Some(modulus), Some(exponent)) => Ok(PublicKey::Rs256(modulus, exponent)),
                _ => Err(PasskeyError::Key),
            },
            _ => Err(PasskeyError::Key),
        }
    }

    /// Whether a message is signed by this key.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), PasskeyError> {
        let verified = match self {
            PublicKey::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            PublicKey::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            PublicKey::Rs256(n, e) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| PasskeyError::Signature)
    }
}

fn coordinate(bytes: Option<&[u8]>) -> Result<&[u8; 32], PasskeyError> {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(PasskeyError::Key)
}
