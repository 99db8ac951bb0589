//! JPEG (ITU-T T.81): segments from SOI, scans through their entropy-coded data, to EOI.

use super::window::{Stop, Window, be};

/// Cameras append previews (CIPA DC-007) as further whole images.
const MAX_IMAGES: usize = 64;
const MAX_SEGMENTS: usize = 100_000;
const BLOCK_BYTES: u64 = 64 << 10;

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let mut at = 0;
    for _ in 0..MAX_IMAGES {
        at = image(w, at)?;
        if w.size() - at < 4 || w.array::<3>(at)? != [0xFF, 0xD8, 0xFF] {
            return w.finish_at(at);
        }
    }
    Err(Stop::too_complex())
}

/// Follows one image and returns where it ends.
fn image(w: &mut Window, start: u64) -> Result<u64, Stop> {
    let mut at = start + 2;
    let (mut frame, mut scan) = (false, false);
    for _ in 0..MAX_SEGMENTS {
        let [prefix, marker] = w.array(at)?;
        match (prefix, marker) {
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0xD9) if frame && scan => return Ok(at + 2),
            (0xFF, 0x01 | 0xD0..=0xD7) => at += 2,
            (0xFF, 0xC0..=0xFE) if marker != 0xD8 && marker != 0xD9 => {
                let length = be(&w.array::<2>(at + 2)?);
                if length < 2 {
                    return Err(Stop::damaged("a segment is too short", "数据段长度不合法"));
                }
                at = w.require(Some(at + 2 + length), "a segment", "数据段")?;
                // SOF0–SOF15 without DHT, JPG and DAC, which share the range.
                frame |= matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
                if marker == 0xDA {
                    scan = true;
                    at = entropy_coded(w, at)?;
                }
            }
            _ => {
                return Err(Stop::damaged(
                    "its segments don't follow each other",
                    "数据段不连续",
                ));
            }
        }
    }
    Err(Stop::too_complex())
}

/// Skips to the next marker: 0xFF not followed by a stuffed zero, a restart or a fill byte.
fn entropy_coded(w: &mut Window, start: u64) -> Result<u64, Stop> {
    let mut at = start;
    loop {
        let length = (w.size() - at).min(BLOCK_BYTES);
        let block = w.bytes(at, length as usize)?;
        let marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF);
        if let Some(found) = block.windows(2).position(marker) {
            return Ok(at + found as u64);
        }
        if length < 2 || at + length == w.size() {
            return Err(Stop::truncated("the end of the picture", "图像结尾"));
        }
        // The last byte may be the first of a marker.
        at += length - 1;
    }
}
