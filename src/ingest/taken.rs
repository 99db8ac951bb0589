//! What was taken in and isn't settled yet: the facts of a complete staged body, and whose it is.
//!
//! It is kept beside the body (`staging/<id>.resume`), sealed under the staging key, so that ingest, which holds public
//! recipients only, can resume, rename and judge an upload that waits. The sidecar goes when the body is sealed: from
//! then on only the recipients can open it.

use super::{unsealed::Held, upload::Finished};
use crate::{
    catalog::search::Evidence,
    crypto::{FileKey, StagingKey, staging_key::StagingKeyError},
    domain::hex,
    seal::StagedBody,
};
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Who sends what, under which name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The person's id.
    pub person: String,
    /// Their branch.
    pub branch: String,
    /// Fingerprint of the key they logged in with.
    pub key_fingerprint: String,
    /// Inbox path in NFC, components joined by `/`.
    pub path: String,
    /// As the client sent it, lower-case hex of the components joined by `/`.
    pub path_raw: String,
    /// Modification time the client claims, seconds since 1970.
    pub mtime_s: Option<i64>,
    /// When the upload began, milliseconds since 1970.
    pub started_ms: i64,
}

impl Claim {
    /// The last component of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The components of the path.
    pub fn components(&self) -> Vec<&str> {
        self.path.split('/').collect()
    }
}

/// A file key at rest in a sidecar's plaintext: hex, wiped when dropped.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct KeyText(String);

/// A complete staged body that isn't settled.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Id of the body and of the accession.
    pub id: String,
    /// Whose it is.
    pub claim: Claim,
    file_key: KeyText,
    /// Size of the original in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the original, lower-case hex.
    pub sha256: String,
    /// RFC 6962 root over 1 MiB chunks, lower-case hex; only of what an earlier vault took in.
    pub chunk_root: Option<String>,
    /// Size of the encrypted body in bytes.
    pub stored_size_bytes: u64,
    /// BLAKE3 of the encrypted body, lower-case hex.
    pub stored_blake3: String,
    /// False while the body is still being written: what a crash leaves then has no end yet.
    pub complete: bool,
    /// While it is being written: the accession whose bytes it begins with.
    pub resumes: Option<String>,
    /// The body, of an upload so small that it was left in memory. No part of the sidecar.
    #[serde(skip)]
    pub held: Option<Held>,
}

impl Taken {
    /// The facts of a finished upload.
    pub fn new(finished: &Finished, claim: Claim) -> Self {
        Taken {
            id: finished.id.clone(),
            claim,
            file_key: KeyText(hex::encode(finished.file_key.expose())),
            size_bytes: finished.size_bytes,
            sha256: hex::encode(finished.sha256),
            chunk_root: None,
            stored_size_bytes: finished.stored_size_bytes,
            stored_blake3: hex::encode(finished.stored_blake3),
            complete: true,
            resumes: None,
            held: finished.held.clone(),
        }
    }

    /// What is known of a body while it is still being written.
    pub fn in_flight(id: &str, file_key: &FileKey, claim: Claim, resumes: Option<String>) -> Self {
        Taken {
            id: id.to_owned(),
            claim,
            file_key: KeyText(hex::encode(file_key.expose())),
            size_bytes: 0,
            sha256: String::new(),
            chunk_root: None,
            stored_size_bytes: 0,
            stored_blake3: String::new(),
            complete: false,
            resumes,
            held: None,
        }
    }

    /// What opens a version that is sealed already, for its inspection in the background.
    pub fn of_sealed(row: &Evidence, file_key: &FileKey) -> Self {
        Taken {
            id: row.accession.clone(),
            claim: Claim {
                person: row.person.clone(),
                branch: row.branch.clone(),
                key_fingerprint: row.key_fingerprint.clone(),
                path: row.file_name.clone(),
                path_raw: hex::encode(row.file_name.as_bytes()),
                mtime_s: None,
                started_ms: row.started_ms,
            },
            file_key: KeyText(hex::encode(file_key.expose())),
            size_bytes: row.size_bytes.unsigned_abs(),
            sha256: row.sha256.clone(),
            chunk_root: row.chunk_root.clone(),
            stored_size_bytes: row.stored_size_bytes.unsigned_abs(),
            stored_blake3: row.stored_blake3.clone(),
            complete: true,
            resumes: None,
            held: None,
        }
    }

    /// The staged body, as an event moves it.
    pub fn staged_body(&self) -> StagedBody {
        StagedBody {
            accession: self.id.clone(),
            size_bytes: self.stored_size_bytes,
        }
    }

    /// Opens the body.
    ///
    /// # Errors
    /// When the sidecar's key is no key.
    pub fn file_key(&self) -> Result<FileKey, SidecarError> {
        let bytes = hex::decode_array::<16>(&self.file_key.0).map_err(|_| SidecarError::Content)?;
        Ok(FileKey::from_bytes(bytes))
    }

    /// The sidecar's bytes.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, key: &StagingKey, random: &dyn SecureRandom) -> Result<Vec<u8>, SidecarError> {
        let json = zeroize::Zeroizing::new(serde_json::to_vec(self).map_err(|_| SidecarError::Content)?);
        Ok(key.seal(&json, self.id.as_bytes(), random)?)
    }

    /// Reads a sidecar.
    ///
    /// # Errors
    /// When it is damaged, another body's, or sealed under another key.
    pub fn open(sealed: &[u8], id: &str, key: &StagingKey) -> Result<Self, SidecarError> {
        let json = key.open(sealed, id.as_bytes())?;
        let taken: Taken = serde_json::from_slice(&json).map_err(|_| SidecarError::Content)?;
        if taken.id == id {
            Ok(taken)
        } else {
            Err(SidecarError::Content)
        }
    }
}

/// Why a sidecar can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// Damaged, or the staging key was lost or changed.
    #[error("the upload's sidecar can't be opened: {0}")]
    Sealed(#[from] StagingKeyError),
    /// There is none.
    #[error("the upload's sidecar is missing")]
    Missing,
    /// It opens but says nothing that makes sense.
    #[error("the upload's sidecar isn't one of this program's")]
    Content,
}
