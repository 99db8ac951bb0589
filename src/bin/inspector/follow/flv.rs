//! FLV: tags, each followed by its own length; the size that the first script tag declares.

use super::{Rules, Seen, Step, be, find};

const MAX_SCRIPT_BYTES: usize = 32 << 10;

pub(crate) struct Flv {
    size_bytes: u64,
    declared_bytes: Option<u64>,
    started: bool,
    /// Length that must follow the tag before; 0 at the first.
    before: u64,
    /// A writer whose lengths were right so far.
    reliable: u32,
    unreliable: bool,
}

impl Flv {
    pub(super) fn new(size_bytes: u64) -> Self {
        Flv {
            size_bytes,
            declared_bytes: None,
            started: false,
            before: 0,
            reliable: 0,
            unreliable: false,
        }
    }

    fn tag(&self, head: &[u8]) -> bool {
        matches!(head[4], 8 | 9 | 18) && head[12..15] == [0; 3] && be(&head[5..8]) < self.size_bytes
    }
}

impl Rules for Flv {
    /// The length of the tag before, then a tag's head.
    fn head_bytes(&self) -> usize {
        15
    }

    fn step(&mut self, at: u64, head: &[u8]) -> Step {
        if !self.started {
            self.started = true;
            return Step::Next(be(&head[5..9]).clamp(9, 1_024));
        }
        if !self.tag(head) {
            return Step::Lost;
        }
        let size = be(&head[5..8]);
        if head[4] == 18 && self.declared_bytes.is_none() {
            let wanted = 15 + (size as usize).min(MAX_SCRIPT_BYTES);
            if head.len() < wanted {
                return Step::Need(wanted);
            }
            let number = find(head, b"\0\x08filesize\0").and_then(|at| head.get(at + 11..at + 19));
            let declared = number
                .and_then(|bytes| bytes.try_into().ok())
                .map(f64::from_be_bytes);
            self.declared_bytes = Some(
                declared
                    .filter(|size| size.is_finite() && *size > 0.0)
                    .unwrap_or(0.0) as u64,
            );
        }
        let matches = be(&head[..4]) == self.before;
        if self.before > 0 && !matches {
            self.unreliable |= self.reliable < 8;
            if !self.unreliable && at > 0 {
                self.before = 11 + size;
                return Step::Skip(4 + 11 + size);
            }
        }
        self.reliable += u32::from(matches);
        self.before = 11 + size;
        Step::Next(4 + 11 + size)
    }

    fn may_begin(&mut self, head: &[u8]) -> bool {
        let begins = self.tag(head) && head[..2] == [0, 0];
        if begins {
            self.before = 0;
        }
        begins
    }

    fn finish(&self, seen: &mut Seen) {
        // What remains after the last tag is that tag's length.
        if seen.truncated == Some("the head of its last element is cut off") {
            seen.truncated = None;
        }
        if self
            .declared_bytes
            .is_some_and(|declared| declared > self.size_bytes)
        {
            seen.truncated = Some("it is smaller than the size that it declares");
        }
    }
}
