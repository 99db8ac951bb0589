//! Sealing: which files an event promises, encrypted to the vault's recipients, and putting them in their places.
//!
//! It must never hold an identity: whatever is sealed here can't be opened here.

pub mod placer;

use crate::{
    blob::layout::Layout,
    catalog::placements::{Placement, Source},
    crypto::{FileKey, Recipients, body, header},
    custody::sequencer::{CommitError, Place},
};
use ring::rand::SecureRandom;
use std::{path::PathBuf, sync::Arc};

/// Encrypts records and headers, and knows where they go.
#[derive(Clone)]
pub struct Sealer {
    recipients: Arc<Recipients>,
    random: Arc<dyn SecureRandom + Send + Sync>,
    layout: Layout,
}

/// A version of a piece of evidence, as its folder names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionId {
    /// Customer number.
    pub customer: String,
    /// Evidence id.
    pub evidence: String,
    /// Version, from 1.
    pub version: u32,
}

/// A file key with the header that gives it to the recipients. Making one costs two X25519 operations a recipient, so it is made before
/// the event's turn in the sequencer.
pub struct WrappedKey {
    file_key: FileKey,
    header: Result<Vec<u8>, CommitError>,
}

/// A complete staged body that an event moves to its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedBody {
    /// Its accession's id.
    pub accession: String,
    /// Size of the encrypted body in bytes.
    pub size_bytes: u64,
}

impl StagedBody {
    fn source(self) -> Source {
        Source::Staged {
            accession: self.accession,
            size_bytes: self.size_bytes,
        }
    }
}

impl Sealer {
    /// A sealer for these recipients.
    pub fn new(recipients: Recipients, random: Arc<dyn SecureRandom + Send + Sync>, layout: Layout) -> Self {
        Sealer {
            recipients: Arc::new(recipients),
            random,
            layout,
        }
    }

    /// Wraps a file key to the recipients.
    pub fn wrap(&self, file_key: FileKey) -> WrappedKey {
        WrappedKey {
            header: header::wrap(&file_key, &self.recipients).map_err(failed),
            file_key,
        }
    }

    /// The files of a sealed version: its body, its record under the same file key, and the header that opens both.
    pub fn evidence(&self, body: StagedBody, key: WrappedKey, version: VersionId) -> Place {
        let sealer = self.clone();
        Box::new(move |record| {
            let VersionId {
                customer,
                evidence,
                version,
            } = &version;
            let layout = &sealer.layout;
            Ok(vec![
                sealer.bytes(layout.header(evidence, *version), key.header?)?,
                sealer.bytes(
                    layout.record(customer, evidence, *version),
                    sealer.body(&key.file_key, record)?,
                )?,
                Placement {
                    target: sealer.relative(layout.content(customer, evidence, *version))?,
                    source: body.source(),
                },
            ])
        })
    }

    /// The file of a copy made from a sealed version: a body under that version's own file key, which its header opens.
    /// The staged body's id is the event's.
    pub fn derived(&self, body: StagedBody, version: VersionId) -> Place {
        let sealer = self.clone();
        Box::new(move |_| {
            let VersionId {
                customer,
                evidence,
                version,
            } = &version;
            let target = sealer
                .layout
                .derived(customer, evidence, *version, &body.accession);
            Ok(vec![Placement {
                target: sealer.relative(target)?,
                source: body.source(),
            }])
        })
    }

    /// The files of what is kept aside: rejected, withdrawn, a declaration.
    pub fn kept(&self, body: StagedBody, file_key: FileKey) -> Place {
        let (sealer, key) = (self.clone(), self.wrap(file_key));
        Box::new(move |record| {
            let layout = &sealer.layout;
            Ok(vec![
                sealer.bytes(layout.kept_header(&body.accession), key.header?)?,
                sealer.bytes(
                    layout.kept_record(&body.accession),
                    sealer.body(&key.file_key, record)?,
                )?,
                Placement {
                    target: sealer.relative(layout.kept_content(&body.accession))?,
                    source: body.source(),
                },
            ])
        })
    }

    /// The files of an event's record alone, under an id of its own: administration, waiting uploads, duplicates.
    pub fn registry(&self, event: String) -> Place {
        let sealer = self.clone();
        let key = FileKey::generate(self.random.as_ref()).map(|key| self.wrap(key));
        Box::new(move |record| {
            let key = key.map_err(failed)?;
            Ok(vec![
                sealer.bytes(sealer.layout.registry_header(&event), key.header?)?,
                sealer.bytes(
                    sealer.layout.registry_record(&event),
                    sealer.body(&key.file_key, record)?,
                )?,
            ])
        })
    }

    fn body(&self, file_key: &FileKey, plaintext: &[u8]) -> Result<Vec<u8>, CommitError> {
        body::seal(file_key, self.random.as_ref(), plaintext).map_err(failed)
    }

    fn bytes<E: std::fmt::Display>(
        &self,
        path: Result<PathBuf, E>,
        bytes: Vec<u8>,
    ) -> Result<Placement, CommitError> {
        Ok(Placement {
            target: self.relative(path)?,
            source: Source::Bytes(bytes),
        })
    }

    fn relative<E: std::fmt::Display>(&self, path: Result<PathBuf, E>) -> Result<String, CommitError> {
        let path = path.map_err(failed)?;
        let below = path.strip_prefix(self.layout.root()).map_err(failed)?;
        below
            .to_str()
            .map(str::to_owned)
            .ok_or_else(|| failed("a vault path isn't UTF-8"))
    }
}

fn failed(error: impl std::fmt::Display) -> CommitError {
    CommitError::Storage(error.to_string())
}
