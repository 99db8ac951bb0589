//! Requests of a client (draft-ietf-secsh-filexfer-02, clauses 4 and 6; OpenSSH `PROTOCOL`, clause 4).

use super::Handle;
use super::attributes;
use super::wire::{Reader, Truncated};
use crate::sftp::space::Attributes;

/// Numbers of the packets.
#[allow(missing_docs)]
pub mod packet_type {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const RMDIR: u8 = 15;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
    pub const EXTENDED_REPLY: u8 = 201;
}

/// Flags of OPEN (`SSH_FXF_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// SSH_FXF_READ.
    pub const READ: u32 = 0x01;
    /// SSH_FXF_WRITE.
    pub const WRITE: u32 = 0x02;
    /// SSH_FXF_APPEND.
    pub const APPEND: u32 = 0x04;
    /// SSH_FXF_CREAT.
    pub const CREATE: u32 = 0x08;
    /// SSH_FXF_TRUNC.
    pub const TRUNCATE: u32 = 0x10;
    /// SSH_FXF_EXCL.
    pub const EXCLUSIVE: u32 = 0x20;

    /// Whether a flag is set.
    pub fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

/// A request, borrowing from its packet. Paths are raw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request<'a> {
    /// Carries no id; the version stands where others have it.
    Init {
        version: u32,
    },
    Open {
        path: &'a [u8],
        flags: OpenFlags,
        attributes: Attributes,
    },
    Close {
        handle: Handle,
    },
    Read {
        handle: Handle,
        offset: u64,
        length: u32,
    },
    /// Only a WRITE to a handle that isn't ours; the decoder streams the others.
    Write {
        handle: Handle,
        offset: u64,
        data: &'a [u8],
    },
    Lstat {
        path: &'a [u8],
    },
    Stat {
        path: &'a [u8],
    },
    Fstat {
        handle: Handle,
    },
    Setstat {
        path: &'a [u8],
        attributes: Attributes,
    },
    Fsetstat {
        handle: Handle,
        attributes: Attributes,
    },
    Opendir {
        path: &'a [u8],
    },
    Readdir {
        handle: Handle,
    },
    Remove {
        path: &'a [u8],
    },
    Mkdir {
        path: &'a [u8],
        attributes: Attributes,
    },
    Rmdir {
        path: &'a [u8],
    },
    Realpath {
        path: &'a [u8],
    },
    Rename {
        from: &'a [u8],
        to: &'a [u8],
    },
    Readlink {
        path: &'a [u8],
    },
    Symlink {
        link: &'a [u8],
        target: &'a [u8],
    },
    Extended(Extended<'a>),
    /// A number that isn't a request.
    Unknown {
        kind: u8,
    },
}

/// An extended request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Extended<'a> {
    /// `limits@openssh.com`
    Limits,
    /// `fsync@openssh.com`
    Fsync { handle: Handle },
    /// `posix-rename@openssh.com`
    PosixRename { from: &'a [u8], to: &'a [u8] },
    /// `statvfs@openssh.com`
    Statvfs { path: &'a [u8] },
    /// `fstatvfs@openssh.com`
    Fstatvfs { handle: Handle },
    /// `expand-path@openssh.com`
    ExpandPath { path: &'a [u8] },
    /// `hardlink@openssh.com`
    Hardlink,
    /// `check-file`, `check-file-handle`, `check-file-name` (draft-ietf-secsh-filexfer-extensions-00, clause 3)
    CheckFile {
        target: CheckTarget<'a>,
        algorithms: &'a [u8],
        offset: u64,
        length: u64,
        block_size: u32,
    },
    /// Not known here.
    Other,
}

/// Which file `check-file` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CheckTarget<'a> {
    Handle(Handle),
    Path(&'a [u8]),
}

/// A packet that can't be read as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The request's own id, when there are bytes for one.
    pub id: Option<u32>,
}

impl<'a> Request<'a> {
    /// Reads one packet (type byte and body). Bytes after the request are refused: the sender and we don't agree.
    pub fn decode(packet: &'a [u8]) -> Result<(u32, Request<'a>), BadRequest> {
        let mut reader = Reader(packet);
        let (Ok(kind), Ok(id)) = (reader.u8(), reader.u32()) else {
            return Err(BadRequest { id: None });
        };
        if kind == packet_type::INIT {
            // Extension pairs of the client may follow; version 3 clients have none that matter.
            return Ok((id, Request::Init { version: id }));
        }
        let request = body(kind, &mut reader).map_err(|Truncated| BadRequest { id: Some(id) })?;
        // See `FrameDecoder` for what may stand behind a WRITE.
        let open_ended = matches!(
            request,
            Request::Unknown { .. }
                | Request::Write { .. }
                | Request::Extended(Extended::Other | Extended::Hardlink)
        );
        if !reader.0.is_empty() && !open_ended {
            return Err(BadRequest { id: Some(id) });
        }
        Ok((id, request))
    }
}

fn handle(reader: &mut Reader<'_>) -> Result<Handle, Truncated> {
    Ok(Handle::from_wire(reader.string()?))
}

fn body<'a>(kind: u8, reader: &mut Reader<'a>) -> Result<Request<'a>, Truncated> {
    Ok(match kind {
        packet_type::OPEN => Request::Open {
            path: reader.string()?,
            flags: OpenFlags(reader.u32()?),
            attributes: attributes::decode(reader)?,
        },
        packet_type::CLOSE => Request::Close {
            handle: handle(reader)?,
        },
        packet_type::READ => Request::Read {
            handle: handle(reader)?,
            offset: reader.u64()?,
            length: reader.u32()?,
        },
        packet_type::WRITE => Request::Write {
            handle: handle(reader)?,
            offset: reader.u64()?,
            data: reader.string()?,
        },
        packet_type::LSTAT => Request::Lstat {
            path: reader.string()?,
        },
        packet_type::STAT => Request::Stat {
            path: reader.string()?,
        },
        packet_type::FSTAT => Request::Fstat {
            handle: handle(reader)?,
        },
        packet_type::SETSTAT => Request::Setstat {
            path: reader.string()?,
            attributes: attributes::decode(reader)?,
        },
        packet_type::FSETSTAT => Request::Fsetstat {
            handle: handle(reader)?,
            attributes: attributes::decode(reader)?,
        },
        packet_type::OPENDIR => Request::Opendir {
            path: reader.string()?,
        },
        packet_type::READDIR => Request::Readdir {
            handle: handle(reader)?,
        },
        packet_type::REMOVE => Request::Remove {
            path: reader.string()?,
        },
        packet_type::MKDIR => Request::Mkdir {
            path: reader.string()?,
            attributes: attributes::decode(reader)?,
        },
        packet_type::RMDIR => Request::Rmdir {
            path: reader.string()?,
        },
        packet_type::REALPATH => Request::Realpath {
            path: reader.string()?,
        },
        packet_type::RENAME => Request::Rename {
            from: reader.string()?,
            to: reader.string()?,
        },
        packet_type::READLINK => Request::Readlink {
            path: reader.string()?,
        },
        packet_type::SYMLINK => Request::Symlink {
            link: reader.string()?,
            target: reader.string()?,
        },
        packet_type::EXTENDED => Request::Extended(extended(reader)?),
        kind => Request::Unknown { kind },
    })
}

fn extended<'a>(reader: &mut Reader<'a>) -> Result<Extended<'a>, Truncated> {
    Ok(match reader.string()? {
        b"limits@openssh.com" => Extended::Limits,
        b"fsync@openssh.com" => Extended::Fsync {
            handle: handle(reader)?,
        },
        b"posix-rename@openssh.com" => Extended::PosixRename {
            from: reader.string()?,
            to: reader.string()?,
        },
        b"statvfs@openssh.com" => Extended::Statvfs {
            path: reader.string()?,
        },
        b"fstatvfs@openssh.com" => Extended::Fstatvfs {
            handle: handle(reader)?,
        },
        b"expand-path@openssh.com" => Extended::ExpandPath {
            path: reader.string()?,
        },
        b"hardlink@openssh.com" => Extended::Hardlink,
        b"check-file" | b"check-file-handle" => {
            let target = CheckTarget::Handle(handle(reader)?);
            check_file(target, reader)?
        }
        b"check-file-name" => {
            let target = CheckTarget::Path(reader.string()?);
            check_file(target, reader)?
        }
        _ => Extended::Other,
    })
}

fn check_file<'a>(target: CheckTarget<'a>, reader: &mut Reader<'a>) -> Result<Extended<'a>, Truncated> {
    Ok(Extended::CheckFile {
        target,
        algorithms: reader.string()?,
        offset: reader.u64()?,
        length: reader.u64()?,
        block_size: reader.u32()?,
    })
}
