//! SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02, and OpenSSH's `PROTOCOL` for the extensions).
//!
//! Pure: bytes in, values out. It knows nothing of files, channels or time.
//!
//! Invariant: no input makes it panic, loop, or hold more than [`super::limits::MAX_PACKET_BYTES`].

mod attributes;
mod frame;
mod reply;
mod request;
mod wire;

pub use frame::{FrameDecoder, FrameError, FrameEvent, WriteHead};
pub use reply::{Reply, StatusCode, encode_data, long_name};
pub use request::{BadRequest, CheckTarget, Extended, OpenFlags, Request, packet_type};

/// A handle as given out by this server: 8 bytes on the wire. A string of any other length decodes to [`Handle::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

impl Handle {
    /// Never given out.
    pub const NONE: Handle = Handle(0);

    fn from_wire(bytes: &[u8]) -> Handle {
        bytes
            .try_into()
            .map_or(Handle::NONE, |bytes| Handle(u64::from_be_bytes(bytes)))
    }
}

/// Entry for fuzzers: decodes any bytes in two ways of slicing and checks that both see the same.
pub fn fuzz_decode(input: &[u8]) {
    let whole = decode_in_pieces(input, input.len().max(1));
    let step = input.first().map_or(1, |byte| usize::from(*byte % 61) + 1);
    assert_eq!(
        whole,
        decode_in_pieces(input, step),
        "slicing changed what was decoded"
    );
}

/// What a stream decodes to, WRITE payloads joined.
fn decode_in_pieces(input: &[u8], step: usize) -> (Vec<String>, bool) {
    let mut decoder = FrameDecoder::default();
    let mut seen = Vec::new();
    let mut payload = Vec::new();
    for mut piece in input.chunks(step) {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(FrameEvent::Packet(packet))) => seen.push(format!("{:?}", Request::decode(packet))),
                Ok(Some(FrameEvent::WriteHead(head))) => seen.push(format!("{head:?}")),
                Ok(Some(FrameEvent::WriteData { bytes, last })) => {
                    payload.extend_from_slice(bytes);
                    if last {
                        seen.push(format!("{payload:?}"));
                        payload.clear();
                    }
                }
                Ok(None) => break,
                Err(_) => return (seen, true),
            }
        }
    }
    (seen, false)
}

#[cfg(test)]
mod tests;
