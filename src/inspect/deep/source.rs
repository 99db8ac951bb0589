//! A sealed original as a worker reads it: decrypted in memory, and no more of it once the server stops.

use super::{Pause, Signals};
use crate::crypto::{BodyReader, FileKey, reader::BodyStream};
use sm3::{Digest, Sm3};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// Plaintext digested at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// Reads until the queue is told to stop; then every read fails, which ends the worker that asked.
pub(super) struct Original<'a> {
    stream: BodyStream<File>,
    signals: &'a Signals,
}

impl<'a> Original<'a> {
    pub(super) fn open(path: &Path, file_key: &FileKey, signals: &'a Signals) -> Result<Self, Pause> {
        let reader = BodyReader::open(file_key, File::open(path)?)
            .map_err(|error| Pause::Ours(format!("the sealed body can't be read: {error}")))?;
        Ok(Original {
            stream: reader.into_stream(),
            signals,
        })
    }

    /// SM3 (GB/T 32905) of the whole original.
    pub(super) fn sm3(&mut self) -> Result<[u8; 32], Pause> {
        self.stream.seek(SeekFrom::Start(0))?;
        let mut digest = Sm3::new();
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            if self.signals.stopped() {
                return Err(Pause::Stopped);
            }
            let read = self.stream.read(&mut block)?;
            if read == 0 {
                return Ok(digest.finalize().into());
            }
            digest.update(&block[..read]);
        }
    }
}

impl Read for Original<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.signals.stopped() {
            return Err(io::Error::other("the server is stopping"));
        }
        self.stream.read(buffer)
    }
}

impl Seek for Original<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.stream.seek(to)
    }
}
