//! MPEG program streams: packs and packets follow each other to the end.

use super::{Rules, Seen, Step, be};

pub(crate) struct MpegPs;

impl Rules for MpegPs {
    fn head_bytes(&self) -> usize {
        4
    }

    /// A sector: writers fill packs up with zeros.
    fn least_loss(&self) -> u64 {
        2_048
    }

    fn step(&mut self, _: u64, head: &[u8]) -> Step {
        match head {
            [0, 0, 1, 0xBA, rest @ ..] => match rest {
                [] => Step::Need(5),
                [first, ..] if first >> 6 != 1 => Step::Next(12),
                _ if head.len() < 14 => Step::Need(14),
                _ => Step::Next(14 + u64::from(head[13] & 7)),
            },
            [0, 0, 1, 0xB9, ..] => Step::Next(4),
            [0, 0, 1, 0xBB..=0xFF, ..] if head.len() < 6 => Step::Need(6),
            [0, 0, 1, 0xBB..=0xFF, ..] => Step::Next(6 + be(&head[4..6])),
            _ => Step::Lost,
        }
    }

    fn may_begin(&mut self, head: &[u8]) -> bool {
        matches!(head, [0, 0, 1, 0xB9 | 0xBA, ..])
    }

    fn finish(&self, seen: &mut Seen) {
        // An end code with fill bytes behind it, fewer than a head.
        if seen.truncated == Some("the head of its last element is cut off") {
            seen.truncated = None;
        }
    }
}
