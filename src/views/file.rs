//! Files open for reading: rendered ones in memory, tiles on disk.

use super::{tree::Node, unavailable};
use crate::sftp::space::{Attributes, ReadFile, Result, read_from};
use std::{fs::File, os::unix::fs::FileExt, time::UNIX_EPOCH};

/// A file that was rendered when it was opened; what a client reads is that one rendering, whatever happens meanwhile.
pub struct RenderedFile {
    bytes: Vec<u8>,
    time_ms: i64,
}

impl RenderedFile {
    /// These bytes, dated so.
    pub fn open(bytes: Vec<u8>, time_ms: i64) -> Box<dyn ReadFile> {
        Box::new(RenderedFile { bytes, time_ms })
    }
}

impl ReadFile for RenderedFile {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(read_from(&self.bytes, offset, buffer))
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(Node::file(self.bytes.len(), self.time_ms).attributes())
    }
}

/// A file of the log on disk. It is written once or replaced whole, so an open one doesn't change.
pub struct DiskFile(pub File);

impl DiskFile {
    /// Size and time as the disk has them.
    pub fn node(metadata: &std::fs::Metadata) -> Node {
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let time_ms = modified
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or_default();
        Node::File {
            size_bytes: metadata.len(),
            time_ms,
        }
    }
}

impl ReadFile for DiskFile {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(filled)
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(Self::node(&self.0.metadata().map_err(unavailable)?).attributes())
    }
}
