//! Cuts the channel's bytes into packets.
//!
//! A WRITE is handed on as its head and then its payload in the pieces in which it comes in, so that the one copy that is
//! made goes straight to its destination. Every other packet is handed on whole, borrowed from the input where it can be.
//!
//! Invariant: how the input is sliced changes nothing but the slicing of WRITE payloads.

use super::Handle;
use super::request::packet_type;
use crate::sftp::limits::{MAX_CONTROL_PACKET_BYTES, MAX_PACKET_BYTES};

const LENGTH_BYTES: usize = 4;

/// Length field, type, id, handle (4 + 8), offset, payload length: a WRITE to a handle of ours before its payload.
const WRITE_HEAD_BYTES: usize = LENGTH_BYTES + 1 + 4 + (4 + 8) + 8 + 4;

/// A buffer larger than this isn't kept for the next packet.
const KEPT_BYTES: usize = 4096;

/// The stream can't be read any further: the channel has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A packet announces more bytes than its kind may have.
    #[error("a packet of {0} bytes is over the limit")]
    TooLong(u32),
    /// A packet announces no bytes, not even its type.
    #[error("an empty packet")]
    Empty,
}

/// A WRITE whose payload follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteHead {
    /// Request id.
    pub id: u32,
    /// The open file.
    pub handle: Handle,
    /// Position of the first byte.
    pub offset: u64,
    /// Payload in bytes.
    pub length: u32,
}

/// What the decoder found.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameEvent<'a> {
    /// One whole packet: type byte and body. Malformed WRITEs come this way too.
    Packet(&'a [u8]),
    /// A WRITE begins; `WriteData` follows, the last one marked, also when the payload is empty.
    WriteHead(WriteHead),
    /// The next piece of the payload.
    WriteData {
        /// The piece.
        bytes: &'a [u8],
        /// Whether the payload is complete.
        last: bool,
    },
}

/// State between slices of input.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// The begun packet with its length field, when it doesn't lie whole in the input.
    buffer: Vec<u8>,
    /// `buffer` was handed out and is to be emptied.
    delivered: bool,
    /// Payload bytes of the current WRITE still to come.
    payload_left: Option<usize>,
    /// Bytes of the current WRITE behind its payload still to be passed over: the Go library `pkg/sftp`, and with it
    /// rclone, sends a file's last block in a packet as long as the others.
    excess: usize,
}

/// What the first bytes of a packet say about it.
enum Outline {
    /// Known after this many bytes.
    Needs(usize),
    Write {
        head: WriteHead,
        excess: usize,
    },
    Packet {
        total_bytes: usize,
    },
}

impl FrameDecoder {
    /// The next event, taking from `input` what it used. `None` when more input is needed (`input` is then empty).
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<FrameEvent<'s>>, FrameError> {
        if self.delivered {
            self.delivered = false;
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_BYTES);
        }
        if let Some(left) = self.payload_left {
            return Ok(self.payload(left, input));
        }
        let passed = self.excess.min(input.len());
        *input = input.get(passed..).unwrap_or_default();
        self.excess -= passed;
        if self.excess > 0 {
            return Ok(None);
        }
        loop {
            let seen: &[u8] = if self.buffer.is_empty() {
                input
            } else {
                &self.buffer
            };
            match outline(seen)? {
                Outline::Write { head, excess } => {
                    if self.buffer.is_empty() {
                        *input = input.get(WRITE_HEAD_BYTES..).unwrap_or_default();
                    }
                    self.buffer.clear();
                    self.payload_left = Some(head.length as usize);
                    self.excess = excess;
                    return Ok(Some(FrameEvent::WriteHead(head)));
                }
                Outline::Packet { total_bytes } if self.buffer.is_empty() && input.len() >= total_bytes => {
                    let (packet, rest) = input.split_at(total_bytes);
                    *input = rest;
                    return Ok(Some(FrameEvent::Packet(&packet[LENGTH_BYTES..])));
                }
                Outline::Packet { total_bytes } if self.buffer.len() >= total_bytes => {
                    self.delivered = true;
                    return Ok(Some(FrameEvent::Packet(&self.buffer[LENGTH_BYTES..])));
                }
                Outline::Packet { total_bytes: wanted } | Outline::Needs(wanted) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let (taken, rest) = input.split_at(input.len().min(wanted - self.buffer.len()));
                    self.buffer.extend_from_slice(taken);
                    *input = rest;
                }
            }
        }
    }

    fn payload<'i>(&mut self, left: usize, input: &mut &'i [u8]) -> Option<FrameEvent<'i>> {
        if input.is_empty() && left > 0 {
            return None;
        }
        let (bytes, rest) = input.split_at(input.len().min(left));
        *input = rest;
        let last = bytes.len() == left;
        self.payload_left = if last { None } else { Some(left - bytes.len()) };
        Some(FrameEvent::WriteData { bytes, last })
    }
}

/// Judges a packet by its beginning. `seen` may be longer than the packet.
fn outline(seen: &[u8]) -> Result<Outline, FrameError> {
    let Some((length, rest)) = seen.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(Outline::Needs(LENGTH_BYTES));
    };
    let announced = u32::from_be_bytes(*length);
    let length = announced as usize;
    if length == 0 {
        return Err(FrameError::Empty);
    }
    if length > MAX_PACKET_BYTES {
        return Err(FrameError::TooLong(announced));
    }
    let Some(kind) = rest.first() else {
        return Ok(Outline::Needs(LENGTH_BYTES + 1));
    };
    let whole = Outline::Packet {
        total_bytes: LENGTH_BYTES + length,
    };
    if *kind != packet_type::WRITE {
        let fits = length <= MAX_CONTROL_PACKET_BYTES;
        return if fits {
            Ok(whole)
        } else {
            Err(FrameError::TooLong(announced))
        };
    }
    if length + LENGTH_BYTES < WRITE_HEAD_BYTES {
        return Ok(whole);
    }
    let Some(head) = seen.first_chunk::<WRITE_HEAD_BYTES>() else {
        return Ok(Outline::Needs(WRITE_HEAD_BYTES));
    };
    let [
        _,
        _,
        _,
        _,
        _,
        i0,
        i1,
        i2,
        i3,
        l0,
        l1,
        l2,
        l3,
        h @ ..,
        o0,
        o1,
        o2,
        o3,
        o4,
        o5,
        o6,
        o7,
        d0,
        d1,
        d2,
        d3,
    ] = head;
    let payload = u32::from_be_bytes([*d0, *d1, *d2, *d3]);
    let excess = (LENGTH_BYTES + length).checked_sub(WRITE_HEAD_BYTES + payload as usize);
    let (true, Some(excess)) = ([*l0, *l1, *l2, *l3] == 8u32.to_be_bytes(), excess) else {
        return Ok(whole);
    };
    let head = WriteHead {
        id: u32::from_be_bytes([*i0, *i1, *i2, *i3]),
        handle: Handle::from_wire(h),
        offset: u64::from_be_bytes([*o0, *o1, *o2, *o3, *o4, *o5, *o6, *o7]),
        length: payload,
    };
    Ok(Outline::Write { head, excess })
}
