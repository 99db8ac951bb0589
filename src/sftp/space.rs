//! What a logged-in person sees over SFTP, as a port: the protocol engine on one side, the use cases on the other.
//!
//! Every call may block (disk, catalogue, commit) and is made on the channel's own worker, in request order, never on a
//! runtime thread. Paths are absolute, normalised, and free of `.`/`..`/NUL when they arrive here; components are raw
//! bytes as the client sent them (UTF-8 or GBK).
//!
//! Invariant: an implementation answers `NoSuchFile` for everything that isn't this person's to see.

use std::time::SystemTime;

/// A normalised absolute path: its components as the client sent them, `/` is the empty list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct VirtualPath {
    /// Components in order, none empty, `.` or `..`, none with `/` or NUL.
    pub components: Vec<Vec<u8>>,
}

/// Attributes as SFTP v3 carries them; `None` is "not sent" (from a client) or "not known" (to a client).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Size in bytes.
    pub size_bytes: Option<u64>,
    /// Owner and group ids.
    pub uid_gid: Option<(u32, u32)>,
    /// POSIX mode with file-type bits.
    pub permissions: Option<u32>,
    /// Access and modification time in seconds since 1970.
    pub atime_mtime: Option<(u32, u32)>,
}

/// One row of a directory listing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The last component.
    pub name: Vec<u8>,
    /// Its attributes (permissions carry the file type).
    pub attributes: Attributes,
}

/// How a file is opened for writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteMode {
    /// Make the file when it isn't there (SSH_FXF_CREAT).
    pub create: bool,
    /// Start from nothing (SSH_FXF_TRUNC).
    pub truncate: bool,
    /// Fail when it exists (SSH_FXF_EXCL).
    pub exclusive: bool,
    /// Writes go to the end, whatever offset they name (SSH_FXF_APPEND).
    pub append: bool,
    /// The client also asked to read (SSH_FXF_READ).
    pub read: bool,
}

/// Space on the store, in bytes and inodes, for `statvfs@openssh.com`.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Fragment size in bytes.
    pub block_size_bytes: u64,
    /// Blocks in all, free, and free to an unprivileged user.
    pub blocks: (u64, u64, u64),
    /// Inodes in all, free, and free to an unprivileged user.
    pub inodes: (u64, u64, u64),
}

/// A refusal or failure, with words for the person at the other end.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct SpaceError {
    /// Which SFTP status it becomes.
    pub kind: SpaceErrorKind,
    /// Plain words: what is wrong and what to do next. UTF-8, one line, no secret, no server path.
    pub message: String,
}

/// The cases an SFTP client can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceErrorKind {
    /// Not there, or not yours to see.
    NoSuchFile,
    /// Refused by policy.
    PermissionDenied,
    /// Full disk, failed commit, stopped server.
    Failure,
    /// Not offered here.
    Unsupported,
    /// Malformed request.
    BadMessage,
}

impl SpaceError {
    /// A refusal of the given kind.
    pub fn new(kind: SpaceErrorKind, message: impl Into<String>) -> Self {
        SpaceError {
            kind,
            message: message.into(),
        }
    }
}

/// Result of every call on the port.
pub type Result<T> = std::result::Result<T, SpaceError>;

/// The tree one login sees. One value per channel, owned by the channel's worker.
pub trait FileSpace: Send {
    /// Attributes of a path (`STAT` and `LSTAT` are the same here: there are no links).
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes>;
    /// The rows of a folder, in a stable order. The engine pages them out.
    fn list(&mut self, path: &VirtualPath) -> Result<Vec<Entry>>;
    /// Opens for reading.
    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>>;
    /// Opens for writing. The name is judged here (for instance a citizen id number in it is refused).
    fn open_write(
        &mut self,
        path: &VirtualPath,
        mode: WriteMode,
        attributes: &Attributes,
    ) -> Result<Box<dyn WriteFile>>;
    /// Claims of the client about a path that isn't open (times, permissions, size = truncate).
    fn set_attributes(&mut self, path: &VirtualPath, attributes: &Attributes) -> Result<()>;
    /// Makes a folder.
    fn make_directory(&mut self, path: &VirtualPath) -> Result<()>;
    /// Removes an empty folder.
    fn remove_directory(&mut self, path: &VirtualPath) -> Result<()>;
    /// Removes a file.
    fn remove(&mut self, path: &VirtualPath) -> Result<()>;
    /// Renames; `overwrite` is true for `posix-rename@openssh.com`.
    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath, overwrite: bool) -> Result<()>;
    /// Space on the store.
    fn capacity(&mut self, path: &VirtualPath) -> Result<Capacity>;
    /// Digest of a whole file as stored, lower-case hex (`check-file`, exec of `sha256sum`). Algorithm is `sha256`.
    fn digest_sha256(&mut self, path: &VirtualPath) -> Result<String>;
    /// Where relative paths and `~` start.
    fn home(&self) -> VirtualPath;
}

/// A file open for writing. Dropping it without `close` parks what came so far, exactly like a lost connection.
pub trait WriteFile: Send {
    /// Takes one run of bytes at an offset.
    /// An error is sticky: every later call fails with the same words, and nothing acknowledged earlier is lost.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Reads back what was written, for clients that open read-write; as [`ReadFile::read`].
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Size so far and claimed times.
    fn attributes(&mut self) -> Result<Attributes>;
    /// Claims of the client (times, permissions, size = truncate or extend).
    fn set_attributes(&mut self, attributes: &Attributes) -> Result<()>;
    /// Everything taken so far is durable when this returns (`fsync@openssh.com`).
    fn sync(&mut self) -> Result<()>;
    /// The end: durable, hashed, judged and committed when this returns.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A file open for reading.
pub trait ReadFile: Send {
    /// Fills `buffer` from `offset` on and tells how many bytes there were: fewer only at the end of the file.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Its attributes.
    fn attributes(&mut self) -> Result<Attributes>;
}

/// Reads from bytes in memory, as [`ReadFile::read`].
pub fn read_from(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..));
    let rest = rest.unwrap_or_default();
    let read = rest.len().min(buffer.len());
    buffer[..read].copy_from_slice(&rest[..read]);
    read
}

/// Seconds since 1970 for an attribute, saturating at the ends of what SFTP v3 can say.
pub fn sftp_time(time: SystemTime) -> u32 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(elapsed) => u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX),
        Err(_) => 0,
    }
}
