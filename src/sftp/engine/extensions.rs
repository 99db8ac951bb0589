//! The worker's answers to extended requests.

use super::worker::{What, Worker, done, unsupported};
use crate::sftp::codec::{CheckTarget, Extended, Reply};
use crate::sftp::limits::{ADVERTISED_PACKET_BYTES, MAX_HANDLES, MAX_NAME_BYTES, MAX_TRANSFER_BYTES};
use crate::sftp::path::{expand, to_bytes};
use crate::sftp::space::{Result, SpaceError, SpaceErrorKind, VirtualPath};

impl Worker {
    pub(super) fn extended(&mut self, id: u32, request: Extended<'_>, out: &mut Vec<u8>) -> Result<()> {
        match request {
            Extended::Limits => {
                let transfer = u64::from(MAX_TRANSFER_BYTES);
                let limits = [
                    u64::from(ADVERTISED_PACKET_BYTES),
                    transfer,
                    transfer,
                    MAX_HANDLES as u64,
                ];
                Reply::Limits(limits).encode(id, out);
            }
            Extended::Fsync { handle } => {
                if let What::Writing(file, writable) = &mut self.opened(handle)?.what {
                    match writable.failure.get() {
                        Some(failure) => return Err(failure.clone()),
                        None => file.sync()?,
                    }
                }
                done(id, out);
            }
            Extended::PosixRename { from, to } => {
                self.rename(from, to, true)?;
                done(id, out);
            }
            Extended::Statvfs { path } => {
                let path = self.resolve(path)?;
                self.capacity(id, &path, out)?;
            }
            Extended::Fstatvfs { handle } => {
                let path = self.opened(handle)?.path.clone();
                self.capacity(id, &path, out)?;
            }
            Extended::ExpandPath { path } => {
                let path = expand(&self.space()?.home(), path)?;
                Reply::Name(&to_bytes(&path)).encode(id, out);
            }
            Extended::CheckFile {
                target,
                algorithms,
                offset,
                length,
                block_size,
            } => {
                let path = match target {
                    CheckTarget::Handle(handle) => self.opened(handle)?.path.clone(),
                    CheckTarget::Path(path) => self.resolve(path)?,
                };
                let digest = self.check_file(&path, algorithms, offset, length, block_size)?;
                Reply::CheckFile { digest: &digest }.encode(id, out);
            }
            Extended::Hardlink => return Err(unsupported("links aren't offered here")),
            Extended::Other => return Err(unsupported("this extension isn't offered here")),
        }
        Ok(())
    }

    fn capacity(&mut self, id: u32, path: &VirtualPath, out: &mut Vec<u8>) -> Result<()> {
        let capacity = self.space()?.capacity(path)?;
        Reply::Capacity {
            capacity,
            name_max: MAX_NAME_BYTES as u64,
        }
        .encode(id, out);
        Ok(())
    }

    /// Digests are of whole files: that is what is stored, and what a client compares.
    fn check_file(
        &mut self,
        path: &VirtualPath,
        algorithms: &[u8],
        offset: u64,
        length: u64,
        block_size: u32,
    ) -> Result<Vec<u8>> {
        if !algorithms
            .split(|byte| *byte == b',')
            .any(|name| name == b"sha256")
        {
            return Err(unsupported("the digest offered here is sha256"));
        }
        let size = self.space()?.stat(path)?.size_bytes;
        let to_the_end = |part: u64| part == 0 || size.is_some_and(|size| part >= size);
        if offset != 0 || !to_the_end(length) || !to_the_end(u64::from(block_size)) {
            return Err(unsupported("only the digest of a whole file is offered here"));
        }
        let hex = self.space()?.digest_sha256(path)?;
        let digest: Option<Vec<u8>> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        digest.ok_or_else(|| SpaceError::new(SpaceErrorKind::Failure, "no digest is known for this file"))
    }
}
