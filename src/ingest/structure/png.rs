//! PNG (W3C PNG, 5): chunks with their CRCs, from IHDR to IEND.

use super::window::{Stop, Window, be};

pub(super) const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];
const MAX_CHUNKS: usize = 1 << 18;
const BLOCK_BYTES: u64 = 64 << 10;

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let mut at = SIGNATURE.len() as u64;
    let mut picture = false;
    for index in 0..MAX_CHUNKS {
        let head: [u8; 8] = w.array(at)?;
        let (length, kind) = (be(&head[..4]), &head[4..]);
        if !kind.iter().all(u8::is_ascii_alphabetic)
            || length > 0x7FFF_FFFF
            || (index == 0) != (kind == b"IHDR")
        {
            return Err(Stop::damaged(
                "its chunks don't follow each other",
                "数据块不连续",
            ));
        }
        let data_end = at + 8 + length;
        w.require(Some(data_end + 4), "a chunk", "数据块")?;
        let mut crc = u32::MAX;
        let mut from = at + 4;
        while from < data_end {
            let block = w.bytes(from, (data_end - from).min(BLOCK_BYTES) as usize)?;
            crc = block
                .iter()
                .fold(crc, |crc, &byte| CRC[usize::from(crc as u8 ^ byte)] ^ crc >> 8);
            from += block.len() as u64;
        }
        if u64::from(!crc) != be(&w.array::<4>(data_end)?) {
            return Err(Stop::damaged("a chunk fails its CRC", "数据块 CRC 不符"));
        }
        at = data_end + 4;
        picture |= kind == b"IDAT";
        if kind == b"IEND" {
            return if picture {
                w.finish_at(at)
            } else {
                Err(Stop::damaged("it has no picture data", "没有图像数据"))
            };
        }
    }
    Err(Stop::too_complex())
}

/// PNG annex D: CRC-32 with the reflected polynomial 0xEDB88320.
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xEDB8_8320 ^ value >> 1
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};
