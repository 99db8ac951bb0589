//! MPEG program streams (mpg, vob; ISO/IEC 13818-1 and 11172-1): packets are followed through the last megabyte.
//!
//! Only the end code says that a stream is whole, and DVD and camera files leave it out: a stream that merely ends between
//! two packets can't be judged. Transport and elementary streams have no end at all.

use super::window::{Stop, Window, be};

const TAIL_BYTES: u64 = 1 << 20;
const MAX_PACKETS: usize = 1 << 17;
const PACK: [u8; 4] = [0, 0, 1, 0xBA];

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    if w.array::<4>(0)? != PACK {
        return Err(Stop::cannot_tell());
    }
    let tail_start = w.size().saturating_sub(TAIL_BYTES);
    let tail = w.bytes(tail_start, (w.size() - tail_start) as usize)?;
    let Some(mut at) = tail.windows(4).rposition(|code| code == PACK) else {
        return Err(Stop::cannot_tell());
    };
    for _ in 0..MAX_PACKETS {
        let rest = &tail[at..];
        let cut = || Stop::truncated("the last packet", "最后一个数据包");
        let length = match rest {
            rest if rest.iter().all(|&byte| byte == 0) => return Err(Stop::cannot_tell()),
            [0, 0, 1, 0xB9, after @ ..] if after.iter().all(|&byte| byte == 0) => return Ok(()),
            [0, 0, 1, 0xBA, ..] => match rest.get(4).ok_or_else(cut)? >> 4 {
                0b0100..=0b0111 => 14 + usize::from(rest.get(13).ok_or_else(cut)? & 7),
                _ => 12,
            },
            [0, 0, 1, 0xBB..=0xFF, ..] => 6 + be(rest.get(4..6).ok_or_else(cut)?) as usize,
            rest if rest.len() < 4 => return Err(cut()),
            _ => return Err(Stop::cannot_tell()),
        };
        at += length;
        if at > tail.len() {
            return Err(cut());
        }
    }
    Err(Stop::too_complex())
}
