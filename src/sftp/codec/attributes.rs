//! The ATTRS block (draft-ietf-secsh-filexfer-02, clause 5).

use super::wire::{Put, Reader, Truncated};
use crate::sftp::limits::MAX_EXTENDED_ATTRIBUTES;
use crate::sftp::space::Attributes;

const SIZE: u32 = 0x1;
const UID_GID: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const ACCESS_MODIFICATION_TIME: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// Reads a block; extended attributes are skipped.
pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Attributes, Truncated> {
    let flags = reader.u32()?;
    let mut attributes = Attributes::default();
    if flags & SIZE != 0 {
        attributes.size_bytes = Some(reader.u64()?);
    }
    if flags & UID_GID != 0 {
        attributes.uid_gid = Some((reader.u32()?, reader.u32()?));
    }
    if flags & PERMISSIONS != 0 {
        attributes.permissions = Some(reader.u32()?);
    }
    if flags & ACCESS_MODIFICATION_TIME != 0 {
        attributes.atime_mtime = Some((reader.u32()?, reader.u32()?));
    }
    if flags & EXTENDED != 0 {
        let count = reader.u32()?;
        if count > MAX_EXTENDED_ATTRIBUTES {
            return Err(Truncated);
        }
        for _ in 0..count {
            reader.string()?;
            reader.string()?;
        }
    }
    Ok(attributes)
}

/// Writes a block.
pub(super) fn encode(attributes: &Attributes, out: &mut Vec<u8>) {
    let flag = |present: bool, bit: u32| if present { bit } else { 0 };
    out.put_u32(
        flag(attributes.size_bytes.is_some(), SIZE)
            | flag(attributes.uid_gid.is_some(), UID_GID)
            | flag(attributes.permissions.is_some(), PERMISSIONS)
            | flag(attributes.atime_mtime.is_some(), ACCESS_MODIFICATION_TIME),
    );
    if let Some(size) = attributes.size_bytes {
        out.put_u64(size);
    }
    if let Some((uid, gid)) = attributes.uid_gid {
        out.put_u32(uid);
        out.put_u32(gid);
    }
    if let Some(mode) = attributes.permissions {
        out.put_u32(mode);
    }
    if let Some((atime, mtime)) = attributes.atime_mtime {
        out.put_u32(atime);
        out.put_u32(mtime);
    }
}
