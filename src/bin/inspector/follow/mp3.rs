//! MPEG audio as a file: frames follow each other; ID3 and APE tags around them.

use super::{Rules, Step, be};

#[derive(Default)]
pub(crate) struct Mp3 {
    frames: u64,
}

/// Kilobits a second by (MPEG-1, layer) and index (ISO/IEC 11172-3, 2.4.2.3; 13818-3).
const RATES: [[u16; 14]; 5] = [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// Length of the MPEG audio frame that begins here; none when none does.
pub(crate) fn frame_bytes(head: &[u8]) -> Option<u64> {
    let &[0xFF, second, third, _, ..] = head else {
        return None;
    };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    if second & 0xE0 != 0xE0 || version == 1 || layer == 0 {
        return None;
    }
    let (index, frequency) = (usize::from(third >> 4), usize::from(third >> 2 & 3));
    let first = version == 3;
    let table = match (first, layer) {
        (true, 3) => 0,
        (true, 2) => 1,
        (true, _) => 2,
        (false, 3) => 3,
        (false, _) => 4,
    };
    let kilobits = u64::from(*RATES[table].get(index.checked_sub(1)?)?);
    let hertz = [44_100u64, 48_000, 32_000].get(frequency)? >> [2, 0, 1, 0][usize::from(version)];
    let padding = u64::from(third >> 1 & 1);
    Some(match layer {
        3 => (12_000 * kilobits / hertz + padding) * 4,
        1 if !first => 72_000 * kilobits / hertz + padding,
        _ => 144_000 * kilobits / hertz + padding,
    })
}

impl Rules for Mp3 {
    fn head_bytes(&self) -> usize {
        10
    }

    /// Programs leave scraps where recordings were joined.
    fn least_loss(&self) -> u64 {
        2_048
    }

    fn step(&mut self, _: u64, head: &[u8]) -> Step {
        if head.starts_with(b"ID3") && self.frames == 0 {
            let size = head[6..10]
                .iter()
                .fold(0, |size, &byte| size << 7 | u64::from(byte & 0x7F));
            let footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
            return Step::Next(10 + size + footer);
        }
        if head.starts_with(b"TAG") || head.starts_with(b"APETAGEX") || head.starts_with(b"LYRICS") {
            return Step::End;
        }
        match frame_bytes(head) {
            Some(length) => {
                self.frames += 1;
                Step::Next(length)
            }
            None => Step::Lost,
        }
    }

    fn may_begin(&mut self, head: &[u8]) -> bool {
        be(&head[..2]) >= 0xFFE0 && frame_bytes(head).is_some()
    }
}
