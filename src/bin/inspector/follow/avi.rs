//! AVI: chunks of `movi` follow each other to its end.

use super::{Rules, Step, le};

pub(crate) struct Avi {
    size_bytes: u64,
    /// Where the list of media ends, while inside.
    media_end: u64,
}

impl Avi {
    pub(super) fn new(size_bytes: u64) -> Self {
        Avi {
            size_bytes,
            media_end: 0,
        }
    }
}

/// A chunk of a stream (`00dc`, `01wb`, `ix00`), or one that writers put between them.
fn media_chunk(id: &[u8]) -> bool {
    match id {
        [b'0'..=b'9', b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', rest @ ..] => {
            rest.iter().all(u8::is_ascii_alphanumeric)
        }
        [b'i', b'x', b'0'..=b'9', b'0'..=b'9'] => true,
        b"JUNK" | b"LIST" | b"PAD " | b"junk" => true,
        _ => false,
    }
}

impl Rules for Avi {
    fn head_bytes(&self) -> usize {
        12
    }

    /// A writer that forgets the byte that evens a chunk's length.
    fn least_loss(&self) -> u64 {
        16
    }

    fn step(&mut self, at: u64, head: &[u8]) -> Step {
        let (id, size, kind) = (&head[..4], le(&head[4..8]), &head[8..12]);
        let end = at + 8 + size;
        match (id, kind) {
            (b"RIFF", _) => return Step::Next(12),
            (b"LIST", b"movi") => {
                self.media_end = end;
                return Step::Next(12);
            }
            (b"LIST", b"rec ") => return Step::Next(12),
            _ => {}
        }
        let inside = at < self.media_end;
        let known = if inside {
            media_chunk(id)
        } else {
            id.iter().all(|byte| (0x20..0x7F).contains(byte))
        };
        // What lies behind the media (indices, notes of programs) may be anything; its sizes are the walk's business.
        if !known && !inside && self.media_end > 0 {
            return Step::End;
        }
        if !known || inside && end > self.media_end.max(self.size_bytes) {
            return Step::Lost;
        }
        Step::Next(8 + size + size % 2)
    }

    fn may_begin(&mut self, head: &[u8]) -> bool {
        let stream = matches!(&head[2..4], b"dc" | b"db" | b"wb");
        head[..2].iter().all(u8::is_ascii_digit) && stream && le(&head[4..8]) < self.size_bytes
            || matches!(&head[..4], b"idx1" | b"RIFF" | b"LIST")
    }
}
