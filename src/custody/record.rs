//! Reading records back: what rebuild and fixity checks do, with the identity at hand.

use crate::{
    blob::Layout,
    crypto::{BodyReader, FileKey, Identity, header},
    domain::{
        event::{Leaf, Record},
        hex,
    },
    tlog::merkle::leaf_hash,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Largest record in bytes: a manifest of ten thousand rows fits.
const RECORD_LIMIT_BYTES: usize = 64 * 1024 * 1024;
/// Largest header in bytes.
const HEADER_LIMIT_BYTES: u64 = 64 * 1024;

/// A record's place and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The encrypted record.
    pub record: PathBuf,
    /// The header.
    pub header: PathBuf,
    /// The body under the same file key, where there is one.
    pub content: Option<PathBuf>,
}

impl RecordPlace {
    /// The place of a record from its path below the vault, or `None` when no record is kept under such a path.
    pub fn of(layout: &Layout, target: &str) -> Option<Self> {
        let parts: Vec<&str> = target.split('/').collect();
        match parts.as_slice() {
            ["objects", customer, evidence, version, "record"] => {
                let version: u32 = version.strip_prefix('v')?.parse().ok()?;
                Some(RecordPlace {
                    record: layout.record(customer, evidence, version).ok()?,
                    header: layout.header(evidence, version).ok()?,
                    content: Some(layout.content(customer, evidence, version).ok()?),
                })
            }
            ["kept", accession, "record"] => Some(RecordPlace {
                record: layout.kept_record(accession).ok()?,
                header: layout.kept_header(accession).ok()?,
                content: Some(layout.kept_content(accession).ok()?),
            }),
            ["registry", event] => Some(RecordPlace {
                record: layout.registry_record(event).ok()?,
                header: layout.registry_header(event).ok()?,
                content: None,
            }),
            _ => None,
        }
    }
}

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file isn't there or can't be read.
    #[error("{what} can't be read: {error}")]
    Read {
        /// `header` or `record`.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// The header is damaged, or is for other recipients.
    #[error("the header doesn't open: {0}")]
    Header(String),
    /// The record is damaged.
    #[error("the record doesn't decrypt: {0}")]
    Body(String),
    /// It decrypts to something that isn't a record.
    #[error("the record is no record: {0}")]
    Json(String),
}

/// Opens a record.
///
/// # Errors
/// When header or record are missing or damaged, or sealed for other recipients.
pub fn open(place: &RecordPlace, identities: &[Identity]) -> Result<(Record, FileKey), RecordError> {
    let header = read(&place.header, "header", HEADER_LIMIT_BYTES)?;
    let file_key =
        header::unwrap(&header, identities).map_err(|error| RecordError::Header(error.to_string()))?;
    let body = read(&place.record, "record", 2 * RECORD_LIMIT_BYTES as u64)?;
    let json = BodyReader::open(&file_key, body)
        .and_then(|mut reader| reader.read_all(RECORD_LIMIT_BYTES))
        .map_err(|error| RecordError::Body(error.to_string()))?;
    let record = serde_json::from_slice(&json).map_err(|error| RecordError::Json(error.to_string()))?;
    Ok((record, file_key))
}

fn read(path: &Path, what: &'static str, limit_bytes: u64) -> Result<Vec<u8>, RecordError> {
    let failed = |error| RecordError::Read { what, error };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > limit_bytes {
        return Err(failed(std::io::Error::other("it is far too large")));
    }
    fs::read(path).map_err(failed)
}

/// What doesn't fit between a record and its leaf; empty when all of it does.
pub fn mismatches(record: &Record, index: u64, leaf_bytes: &[u8], leaf: &Leaf) -> Vec<String> {
    let mut found = Vec::new();
    if record.leaf_index != index {
        found.push(format!("it says it belongs to event {}", record.leaf_index));
    }
    if record.leaf_hash != hex::encode(leaf_hash(leaf_bytes).0) {
        found.push("its leaf hash isn't that of the event".to_owned());
    }
    for (field, commitment) in &leaf.commit {
        match record.openings.get(field) {
            Some(opening) if opening.verify(field, commitment) => {}
            Some(_) => found.push(format!("its '{field}' isn't what the event committed to")),
            None => found.push(format!("it lacks the opening of '{field}'")),
        }
    }
    found
}
