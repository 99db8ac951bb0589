//! Who may come in, as a port: the SSH server on one side, users and their keys on the other. And which keys are strong
//! enough to be asked about at all.
//!
//! Invariant: the server lets nobody in whom the doorkeeper hasn't named after the client proved that it holds the key.

use std::net::SocketAddr;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, PublicKey};

use super::limits::MIN_RSA_BITS;
use crate::sftp::space::{FileSpace, SpaceError};

/// A person who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The person, as the catalogue knows them; [`super::Sessions::kill_person`] goes by this.
    pub person_id: String,
    /// The name given to SSH.
    pub user_name: String,
    /// `SHA256:…` of the key that was proved (of the certified key, with a certificate).
    pub key_fingerprint: String,
    /// Whether a certificate spoke for them: the key alone didn't let them in then.
    pub by_certificate: bool,
    /// Where from.
    pub peer: SocketAddr,
}

/// Answers of the use cases. Every call may block and is made on a blocking thread.
pub trait Doorkeeper: Send + Sync + 'static {
    /// The person whose key this is. Called when the key is offered and again when it has been proved, so it must change
    /// nothing.
    fn by_key(
        &self,
        user: &str,
        fingerprint_sha256: &str,
        key: &PublicKey,
        peer: SocketAddr,
    ) -> Option<Login>;

    /// The person for whom this certificate speaks. Its signature by *some* authority and the possession of its key are
    /// proved; whether the authority counts, and for whom, is judged here (see [`super::certificate::verify`]).
    fn by_certificate(&self, user: &str, certificate: &Certificate, peer: SocketAddr) -> Option<Login>;

    /// The tree this person sees over the session with this name. Called for each channel, so it has to refuse a person
    /// disabled since login, and a key revoked since.
    fn open_space(&self, login: &Login, session: &str) -> Result<Box<dyn FileSpace>, SpaceError>;

    /// A refusal, for the record. `user` is what the client claims; a client may cause many of these.
    fn refused(&self, user: &str, method: &str, peer: SocketAddr, reason: &str);
}

/// Why a key isn't considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// An algorithm that isn't accepted here (DSA, SHA-1 signatures, unknown).
    #[error("key algorithm not accepted")]
    Algorithm,
    /// Too short an RSA key.
    #[error("RSA key shorter than {MIN_RSA_BITS} bits")]
    ShortRsa,
}

/// Judges a key, and where known the algorithm it is to be used with.
pub fn judge_key(key: &KeyData, used_with: Option<&Algorithm>) -> Result<(), WeakKey> {
    if used_with.is_some_and(|algorithm| matches!(algorithm, Algorithm::Rsa { hash: None })) {
        return Err(WeakKey::Algorithm);
    }
    match key {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            Ok(())
        }
        KeyData::Rsa(key) if key.key_size() >= MIN_RSA_BITS => Ok(()),
        KeyData::Rsa(_) => Err(WeakKey::ShortRsa),
        _ => Err(WeakKey::Algorithm),
    }
}
