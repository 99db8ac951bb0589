//! Bodies that aren't sealed yet, wherever they lie: in memory, in the tray, in a file of their own.
//!
//! A small upload is judged from memory. It becomes durable in the tray ([`Ingest::make_durable`]) before anything about it
//! is committed, and leaves it when it is placed, or when it waits for so long that the tray gets crowded.
//!
//! Invariant: what lies in a file is newer than what the tray has of the same upload, so files are looked at first.

use super::{
    Ingest,
    settle::SettleError,
    taken::{SidecarError, Taken},
};
use crate::{
    blob::{BlobError, Layout, StagedBody, Tray, staging, tray::Small},
    catalog::accessions,
    crypto::{BodyReader, FileKey, ReadAt},
    domain::hex,
};
use std::{
    fs::File,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// Bodies moved out of the tray together.
const MOVED_AT_ONCE: usize = 256;

/// A small body that its upload left in memory.
#[derive(Clone)]
pub struct Held {
    bytes: Arc<Vec<u8>>,
    is_durable: Arc<AtomicBool>,
}

impl Held {
    /// Of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Held {
            bytes: Arc::new(bytes),
            is_durable: Arc::default(),
        }
    }
}

/// A body to read from.
pub enum Unsealed {
    /// In a file of its own.
    File(File),
    /// In memory.
    Memory(Arc<Vec<u8>>),
}

impl ReadAt for Unsealed {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Unsealed::File(file) => ReadAt::read_at(file, offset, buf),
            Unsealed::Memory(bytes) => bytes.as_slice().read_at(offset, buf),
        }
    }

    fn size_bytes(&self) -> io::Result<u64> {
        match self {
            Unsealed::File(file) => file.size_bytes(),
            Unsealed::Memory(bytes) => bytes.as_slice().size_bytes(),
        }
    }
}

/// A body that may be read later, by another thread. It keeps nothing in memory by itself.
pub(super) struct Place {
    id: String,
    held: Option<Weak<Vec<u8>>>,
    layout: Layout,
    tray: Tray,
}

impl Place {
    pub(super) fn open(&self) -> Result<Unsealed, BlobError> {
        match self.held.as_ref().and_then(Weak::upgrade) {
            Some(bytes) => Ok(Unsealed::Memory(bytes)),
            None => open(&self.layout, &self.tray, &self.id),
        }
    }
}

fn open(layout: &Layout, tray: &Tray, id: &str) -> Result<Unsealed, BlobError> {
    match StagedBody::open(layout, id).and_then(|body| body.reader()) {
        Err(missing @ BlobError::Missing { .. }) => match tray.body(id)? {
            Some(bytes) => Ok(Unsealed::Memory(Arc::new(bytes))),
            // It was moved out of the tray in between.
            None => StagedBody::open(layout, id)
                .and_then(|body| body.reader())
                .map(Unsealed::File)
                .map_err(|_| missing),
        },
        opened => opened.map(Unsealed::File),
    }
}

impl Ingest {
    /// Where a body can be read from.
    pub(super) fn body_of(&self, taken: &Taken) -> Place {
        Place {
            id: taken.id.clone(),
            held: taken.held.as_ref().map(|held| Arc::downgrade(&held.bytes)),
            layout: self.layout.clone(),
            tray: self.tray.clone(),
        }
    }

    /// Opens a body.
    pub(super) fn read_body(&self, taken: &Taken, file_key: &FileKey) -> Result<BodyReader<Unsealed>, SettleError> {
        Ok(BodyReader::open(file_key, self.body_of(taken).open()?)?)
    }

    /// Reads what is known of a body that isn't settled.
    ///
    /// # Errors
    /// When it isn't there or can't be opened.
    pub fn read_sidecar(&self, id: &str) -> Result<Taken, SettleError> {
        let sealed = match staging::read_sidecar(&self.layout, id)? {
            Some(sealed) => Some(sealed),
            None => match self.tray.sidecar(id)? {
                Some(sealed) => Some(sealed),
                // It was moved out of the tray in between.
                None => staging::read_sidecar(&self.layout, id)?,
            },
        };
        Ok(Taken::open(&sealed.ok_or(SidecarError::Missing)?, id, &self.staging_key)?)
    }

    /// A power cut from here on doesn't cost the body. A large one is durable since it was finished.
    pub(super) fn make_durable(&self, taken: &Taken) -> Result<(), SettleError> {
        self.make_durable_with(taken, &[]).map(drop)
    }

    /// The same with its sidecar, for an upload that waits.
    pub(super) fn make_resumable(&self, taken: &Taken) -> Result<(), SettleError> {
        let sidecar = taken.seal(&self.staging_key, self.random.as_ref())?;
        if !self.make_durable_with(taken, &sidecar)? {
            staging::write_sidecar(&self.layout, &taken.id, &sidecar, true)?;
        }
        Ok(())
    }

    /// True when the body became durable here and now, and the sidecar with it.
    fn make_durable_with(&self, taken: &Taken, sidecar: &[u8]) -> Result<bool, SettleError> {
        let Some(held) = taken.held.as_ref().filter(|held| !held.is_durable.load(Ordering::Relaxed)) else {
            return Ok(false);
        };
        let small = Small {
            id: &taken.id,
            sidecar,
            body: &held.bytes,
            blake3: hex::decode_array(&taken.stored_blake3).map_err(|_| SidecarError::Content)?,
        };
        let is_in_tray = self.tray.put(small)?;
        if !is_in_tray {
            let mut staged = StagedBody::create(&self.layout, &taken.id)?;
            staged.append(&held.bytes)?;
            staged.sync()?;
        }
        held.is_durable.store(true, Ordering::Relaxed);
        Ok(is_in_tray)
    }

    /// Gives uploads that wait in a crowded tray files of their own. A crash leaves an upload in the tray, or in files, or in both.
    pub(super) fn clear_tray(&self) -> Result<(), SettleError> {
        for ids in self.tray.crowd().chunks(MOVED_AT_ONCE) {
            let mut written = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(row) = self.waiting(id)?
                    && let Some(body) = self.tray.body(id)?
                {
                    staging::write_beside(&self.layout, id, &body, self.tray.sidecar(id)?.as_deref())?;
                    written.push(row);
                }
            }
            if written.is_empty() {
                continue;
            }
            staging::sync(&self.layout)?;
            for row in &written {
                // Nobody settles it meanwhile.
                let _turn = self.locks.take(&row.person, &row.path);
                if self.waiting(&row.id)?.is_some() {
                    staging::name_written(&self.layout, &row.id)?;
                } else {
                    staging::drop_written(&self.layout, &row.id)?;
                }
            }
            staging::sync(&self.layout)?;
            written.iter().for_each(|row| self.tray.forget(&row.id));
        }
        Ok(())
    }

    fn waiting(&self, id: &str) -> Result<Option<accessions::Accession>, SettleError> {
        let row = self.catalogue.read(|connection| accessions::by_id(connection, id))?;
        Ok(row.filter(|row| row.state == "received"))
    }
}
