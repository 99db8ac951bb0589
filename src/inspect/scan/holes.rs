//! What a lost block of a disk or of a transfer leaves in compressed pictures: runs of zero bytes where no encoder writes
//! them, and JPEG data out of step with its picture. Decoders take most of both for pixels. Pure; it must never decode a
//! picture, nor call a run a hole that can be pixels.

mod entropy;

use self::entropy::Picture;
use crate::inspect::report::{Fault, FaultCode};

/// Zeros in a JPEG's entropy-coded data that are more than its steepest blocks hold.
const MOST_JPEG_ZEROS: usize = 128;
/// Zeros in Group 4 data: no code has more than a byte of them.
const MOST_CODE_ZEROS: usize = 32;
/// Tables of either class.
const TABLES: usize = 4;

/// The value that an all-zero code stands for, of each Huffman table that has been defined.
#[derive(Default)]
struct Tables {
    dc: [Option<u8>; TABLES],
    ac: [Option<u8>; TABLES],
    picture: Picture,
}

/// A hole in the entropy-coded data of a JPEG, which begins with its first marker.
pub(super) fn jpeg(bytes: &[u8]) -> Option<Fault> {
    let mut tables = Tables::default();
    let mut at = 2;
    while let Some(&[mark, marker]) = bytes.get(at..at + 2) {
        if mark != 0xFF {
            return None;
        }
        match marker {
            0xFF => {
                at += 1;
                continue;
            }
            0x01 | 0xD0..=0xD8 => {
                at += 2;
                continue;
            }
            0xD9 | 0x00 => return None,
            _ => {}
        }
        let &[high, low] = bytes.get(at + 2..at + 4)? else {
            return None;
        };
        let length = usize::from(high) << 8 | usize::from(low);
        let body = bytes.get(at + 4..at + 2 + length.max(2))?;
        at += 2 + length.max(2);
        match marker {
            0xC4 => tables.define(body),
            0xDD => tables.picture.restart(body),
            0xC0..=0xCF if !matches!(marker, 0xC8 | 0xCC) => tables.picture.frame(marker - 0xC0, body),
            0xDA => {
                let end = scan_end(bytes, at);
                if !tables.zeros_are_pixels(body)
                    && let Some(found) = run(&bytes[at..end], MOST_JPEG_ZEROS)
                {
                    return Some(hole(at + found.0, found.1));
                }
                if let Some(wrong) = tables.picture.check(body, &bytes[at..end]) {
                    return Some(Fault::new(FaultCode::DataMissing, wrong.text()));
                }
                at = end;
            }
            _ => {}
        }
    }
    None
}

/// A hole in CCITT Group 4 data. Zeros behind the end-of-block code are padding.
pub(super) fn group4(data: &[u8]) -> Option<Fault> {
    let used = without_zeros(data);
    let data = if ends_a_block(used) { used } else { data };
    run(data, MOST_CODE_ZEROS).map(|found| hole(found.0, found.1))
}

/// A hole in LZW data: zeros are a byte 0 again and again, for which an encoder has longer codes at once.
pub(super) fn lzw(data: &[u8]) -> Option<Fault> {
    // Behind the end code, one strip in a row of others may be padded.
    run(without_zeros(data), MOST_CODE_ZEROS).map(|found| hole(found.0, found.1))
}

/// Up to the last byte that isn't zero.
fn without_zeros(data: &[u8]) -> &[u8] {
    let used = data
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    &data[..used]
}

fn hole(at: usize, length: usize) -> Fault {
    Fault::new(
        FaultCode::DataMissing,
        format!("{length} zero bytes in compressed pixels, at {at} of them"),
    )
}

/// The longest run of zeros, when it is longer than `most`: where, and how long. Such a run holds a place that is a multiple of
/// its least length, so only these are looked at.
fn run(data: &[u8], most: usize) -> Option<(usize, usize)> {
    let (mut longest, mut end) = ((0, 0), 0);
    for at in (0..data.len()).step_by(most + 1) {
        if data[at] != 0 || at < end {
            continue;
        }
        let zeros = |&&byte: &&u8| byte == 0;
        let start = at - data[end..at].iter().rev().take_while(zeros).count();
        end = at + data[at..].iter().take_while(zeros).count();
        if end - start > longest.1 {
            longest = (start, end - start);
        }
    }
    (longest.1 > most).then_some(longest)
}

/// Eleven zeros and a one are the last bits.
fn ends_a_block(data: &[u8]) -> bool {
    let tail = data
        .iter()
        .rev()
        .take(3)
        .rev()
        .fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
    tail != 0 && data.len() >= 3 && tail >> tail.trailing_zeros() & 0xFFF == 1
}

/// Where the entropy-coded data that begins at `at` ends: at a marker that isn't a restart.
fn scan_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(pair) = bytes.get(at..at + 2) {
        if pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF | 0xD0..=0xD7) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

impl Tables {
    fn define(&mut self, mut body: &[u8]) {
        while let [id, rest @ ..] = body {
            let Some((counts, values)) = rest.split_at_checked(16) else {
                return;
            };
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let Some((values, rest)) = values.split_at_checked(total) else {
                return;
            };
            self.picture.define(*id, counts, values);
            let class = if id >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            if let Some(table) = class.get_mut(usize::from(id & 15)) {
                // Codes are given out from zero upwards, the shortest first.
                *table = values.first().copied();
            }
            body = rest;
        }
    }

    /// Whether zeros in this scan can be pixels: flat ones where the shortest code says so, corrections to earlier scans.
    fn zeros_are_pixels(&self, header: &[u8]) -> bool {
        let Some((&count, rest)) = header.split_first() else {
            return true;
        };
        let Some((components, &[first, last, approximation, ..])) =
            rest.split_at_checked(2 * usize::from(count))
        else {
            return true;
        };
        if approximation >> 4 != 0 {
            return true;
        }
        components.chunks_exact(2).all(|component| {
            let table =
                |tables: &[Option<u8>; TABLES], id: u8| tables.get(usize::from(id)).copied().flatten();
            let flat_dc = first > 0 || table(&self.dc, component[1] >> 4).is_none_or(|value| value == 0);
            // End of block, or of many.
            let flat_ac = last == 0
                || table(&self.ac, component[1] & 15).is_none_or(|value| value & 15 == 0 && value != 0xF0);
            flat_dc && flat_ac
        })
    }
}

#[cfg(test)]
mod tests;
