//! Replies of the server (draft-ietf-secsh-filexfer-02, clause 7), appended to a buffer as whole packets.

use super::request::packet_type;
use super::wire::{Put, wire_length};
use super::{Handle, attributes};
use crate::sftp::space::{Attributes, Capacity, Entry};

/// Codes of STATUS (`SSH_FX_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StatusCode {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

/// One reply.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Reply<'a> {
    /// Answer to INIT: version 3 and `(name, data)` of each extension.
    Version {
        extensions: &'a [(&'a str, &'a str)],
    },
    Status {
        code: StatusCode,
        message: &'a str,
    },
    Handle(Handle),
    /// Rows of a folder; `now` (seconds since 1970) decides whether a long name shows the time or the year.
    Listing {
        entries: &'a [Entry],
        now: u32,
    },
    /// One name without attributes: REALPATH and `expand-path@openssh.com`.
    Name(&'a [u8]),
    Attributes(&'a Attributes),
    /// `limits@openssh.com`: packet, read and write length in bytes, handles.
    Limits([u64; 4]),
    /// `statvfs@openssh.com`; `name_max` in bytes.
    Capacity {
        capacity: Capacity,
        name_max: u64,
    },
    /// `check-file`: one SHA-256 digest.
    CheckFile {
        digest: &'a [u8],
    },
}

/// What a DATA packet has in front of its payload: length, type, id, payload length.
const DATA_HEAD_BYTES: usize = 4 + 1 + 4 + 4;

/// Appends a DATA packet whose payload, at most `length` bytes, is read into its place by `read`; nothing when that fails
/// or finds no bytes for a `length` above 0. Tells how many there were.
pub fn encode_data<E>(
    id: u32,
    length: u32,
    out: &mut Vec<u8>,
    read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<usize, E> {
    let start = out.len();
    let payload = start + DATA_HEAD_BYTES;
    out.resize(payload + length as usize, 0);
    let outcome = read(out.get_mut(payload..).unwrap_or_default());
    let Some(read) = outcome
        .as_ref()
        .ok()
        .copied()
        .filter(|read| *read > 0 || length == 0)
    else {
        out.truncate(start);
        return outcome;
    };
    let read = read.min(length as usize);
    out.truncate(payload + read);
    let mut head = Vec::with_capacity(DATA_HEAD_BYTES);
    head.put_u32(wire_length(DATA_HEAD_BYTES - 4 + read));
    self::head(&mut head, packet_type::DATA, id);
    head.put_u32(wire_length(read));
    if let Some(place) = out.get_mut(start..payload) {
        place.copy_from_slice(&head);
    }
    Ok(read)
}

impl Reply<'_> {
    /// Appends the packet, with its length field. `id` is ignored by [`Reply::Version`].
    pub fn encode(&self, id: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u32(0);
        match self {
            Reply::Version { extensions } => {
                out.push(packet_type::VERSION);
                out.put_u32(3);
                for (name, data) in *extensions {
                    out.put_string(name.as_bytes());
                    out.put_string(data.as_bytes());
                }
            }
            Reply::Status { code, message } => {
                head(out, packet_type::STATUS, id);
                out.put_u32(*code as u32);
                out.put_string(message.as_bytes());
                out.put_string(b"en");
            }
            Reply::Handle(handle) => {
                head(out, packet_type::HANDLE, id);
                out.put_string(&handle.0.to_be_bytes());
            }
            Reply::Listing { entries, now } => {
                head(out, packet_type::NAME, id);
                out.put_u32(wire_length(entries.len()));
                for entry in *entries {
                    out.put_string(&entry.name);
                    out.put_string(&long_name(entry, *now));
                    attributes::encode(&entry.attributes, out);
                }
            }
            Reply::Name(name) => {
                head(out, packet_type::NAME, id);
                out.put_u32(1);
                out.put_string(name);
                out.put_string(name);
                attributes::encode(&Attributes::default(), out);
            }
            Reply::Attributes(attributes) => {
                head(out, packet_type::ATTRS, id);
                attributes::encode(attributes, out);
            }
            Reply::Limits(values) => {
                head(out, packet_type::EXTENDED_REPLY, id);
                values.iter().for_each(|value| out.put_u64(*value));
            }
            Reply::Capacity { capacity, name_max } => {
                head(out, packet_type::EXTENDED_REPLY, id);
                let block = capacity.block_size_bytes;
                let (blocks, inodes) = (capacity.blocks, capacity.inodes);
                // f_bsize f_frsize f_blocks f_bfree f_bavail f_files f_ffree f_favail f_fsid f_flag f_namemax
                let flag_no_suid = 2;
                [
                    block,
                    block,
                    blocks.0,
                    blocks.1,
                    blocks.2,
                    inodes.0,
                    inodes.1,
                    inodes.2,
                    0,
                    flag_no_suid,
                    *name_max,
                ]
                .iter()
                .for_each(|value| out.put_u64(*value));
            }
            Reply::CheckFile { digest } => {
                head(out, packet_type::EXTENDED_REPLY, id);
                out.put_string(b"check-file");
                out.put_string(b"sha256");
                out.extend_from_slice(digest);
            }
        }
        let length = wire_length(out.len() - start - 4).to_be_bytes();
        if let Some(field) = out.get_mut(start..start + 4) {
            field.copy_from_slice(&length);
        }
    }
}

fn head(out: &mut Vec<u8>, kind: u8, id: u32) {
    out.push(kind);
    out.put_u32(id);
}

/// The row as `ls -l` shows it (UTC), which many clients print or parse as it is.
pub fn long_name(entry: &Entry, now: u32) -> Vec<u8> {
    let attributes = &entry.attributes;
    let (uid, gid) = attributes.uid_gid.unwrap_or_default();
    let mut line = format!(
        "{} {:>4} {:<8} {:<8} {:>12} {} ",
        mode_text(attributes.permissions.unwrap_or(0o100_444)),
        1,
        uid,
        gid,
        attributes.size_bytes.unwrap_or_default(),
        time_text(attributes.atime_mtime.map_or(0, |(_, mtime)| mtime), now),
    )
    .into_bytes();
    line.extend_from_slice(&entry.name);
    line
}

fn mode_text(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        _ => '-',
    };
    let bits = "rwxrwxrwx".chars().enumerate();
    let bits = bits.map(|(place, letter)| if mode & (0o400 >> place) != 0 { letter } else { '-' });
    std::iter::once(kind).chain(bits).collect()
}

/// `Nov 23 14:27` within half a year, `Nov 23  2024` outside of it.
fn time_text(time: u32, now: u32) -> String {
    const HALF_A_YEAR_S: u32 = 182 * 24 * 3600;
    let Ok(timestamp) = jiff::Timestamp::from_second(i64::from(time)) else {
        return "Jan  1  1970".to_owned();
    };
    let civil = jiff::tz::TimeZone::UTC.to_datetime(timestamp);
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = usize::try_from(civil.month() - 1)
        .ok()
        .and_then(|month| MONTHS.get(month))
        .unwrap_or(&"Jan");
    if now.abs_diff(time) < HALF_A_YEAR_S {
        format!(
            "{month} {:>2} {:02}:{:02}",
            civil.day(),
            civil.hour(),
            civil.minute()
        )
    } else {
        format!("{month} {:>2}  {:>4}", civil.day(), civil.year())
    }
}
