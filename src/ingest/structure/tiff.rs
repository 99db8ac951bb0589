//! TIFF 6.0 and BigTIFF: every page's directory, values, strips and tiles lie inside the file.

use std::collections::HashSet;

use super::window::{Stop, Window, be, le};

const MAX_PAGES: usize = 10_000;
const MAX_ENTRIES: u64 = 4_096;
const STRIP_OFFSETS: u64 = 273;
const STRIP_BYTES: u64 = 279;
const TILE_OFFSETS: u64 = 324;
const TILE_BYTES: u64 = 325;
/// SubIFDs, and the Exif, GPS and interoperability directories (Exif 2.3 §4.6.3).
const DIRECTORIES: [u64; 4] = [330, 34_665, 34_853, 40_965];

/// Byte order and the widths that differ between TIFF and BigTIFF.
struct Layout {
    number: fn(&[u8]) -> u64,
    /// Width of the entry count, of an offset, and of an entry.
    count: usize,
    offset: usize,
    entry: usize,
}

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let head: [u8; 8] = w.array(0)?;
    let number: fn(&[u8]) -> u64 = if head[0] == b'I' { le } else { be };
    let big = number(&head[2..4]) == 43;
    let layout = if big {
        Layout {
            number,
            count: 8,
            offset: 8,
            entry: 20,
        }
    } else {
        Layout {
            number,
            count: 2,
            offset: 4,
            entry: 12,
        }
    };
    let first = if big {
        number(&w.array::<8>(8)?)
    } else {
        number(&head[4..])
    };
    if first == 0 {
        return Err(Stop::not_finished("the directory of pages", "页面目录"));
    }
    let mut pending = vec![first];
    let mut seen = HashSet::new();
    let mut pictures = false;
    while let Some(at) = pending.pop() {
        if !seen.insert(at) {
            return Err(Stop::damaged(
                "its directories run in a circle",
                "页面目录循环引用",
            ));
        }
        if seen.len() > MAX_PAGES {
            return Err(Stop::too_complex());
        }
        pictures |= page(w, &layout, at, &mut pending)?;
    }
    if pictures {
        Ok(())
    } else {
        Err(Stop::damaged("it has no picture data", "没有图像数据"))
    }
}

/// Judges one page, adds the pages it names, and returns whether it has picture data.
fn page(w: &mut Window, layout: &Layout, at: u64, pending: &mut Vec<u64>) -> Result<bool, Stop> {
    let count_bytes = w.bytes(at, layout.count)?;
    let count = (layout.number)(&count_bytes);
    if count > MAX_ENTRIES {
        return Err(Stop::damaged(
            "a directory of impossible size",
            "页面目录大小不合法",
        ));
    }
    let table = w.bytes(
        at + layout.count as u64,
        count as usize * layout.entry + layout.offset,
    )?;
    let (entries, next) = table.split_at(count as usize * layout.entry);
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    for entry in entries.chunks_exact(layout.entry) {
        let tag = (layout.number)(&entry[..2]);
        let Some(found) = values(w, layout, entry, wanted(tag))? else {
            continue;
        };
        match tag {
            STRIP_OFFSETS | TILE_OFFSETS => offsets = found,
            STRIP_BYTES | TILE_BYTES => lengths = found,
            _ if DIRECTORIES.contains(&tag) => pending.extend(found),
            _ => {}
        }
    }
    for (index, &offset) in offsets.iter().enumerate() {
        // Some old writers leave the lengths out: then the beginning is all that can be asked for.
        let length = lengths.get(index).copied().unwrap_or(1);
        w.require(offset.checked_add(length), "a strip of the picture", "图像条带")?;
    }
    match (layout.number)(next) {
        0 => {}
        next => pending.push(next),
    }
    Ok(!offsets.is_empty())
}

fn wanted(tag: u64) -> bool {
    matches!(tag, STRIP_OFFSETS | STRIP_BYTES | TILE_OFFSETS | TILE_BYTES) || DIRECTORIES.contains(&tag)
}

/// Checks that an entry's values lie inside the file, and reads them if `wanted`.
fn values(w: &mut Window, layout: &Layout, entry: &[u8], wanted: bool) -> Result<Option<Vec<u64>>, Stop> {
    let width = match (layout.number)(&entry[2..4]) {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        // TIFF 6.0 §2: readers skip types they don't know.
        _ => return Ok(None),
    };
    let inline_at = 4 + layout.offset;
    let length = (layout.number)(&entry[4..inline_at]).checked_mul(width);
    let length = length.ok_or_else(|| Stop::damaged("a value of impossible size", "数值大小不合法"))?;
    let inline = &entry[inline_at..];
    let bytes = if length <= layout.offset as u64 {
        inline[..length as usize].to_vec()
    } else {
        let at = (layout.number)(inline);
        w.require(at.checked_add(length), "a value of a directory", "目录数值")?;
        if wanted { w.table(at, length)? } else { Vec::new() }
    };
    Ok(wanted.then(|| bytes.chunks_exact(width as usize).map(layout.number).collect()))
}
