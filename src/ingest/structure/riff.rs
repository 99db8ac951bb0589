//! AVI (with OpenDML) and WAVE: RIFF sizes against the file, the header's promise of an index, the index against the media.

use super::window::{Stop, Window, le};

const MAX_CHUNKS: usize = 10_000;
const AVIF_HASINDEX: u64 = 0x10;
/// What a WAVE's header may count too little: `fmt `, `fact` and their like.
const MAX_MISCOUNT_BYTES: u64 = 128;

/// One chunk; for `LIST` and `RIFF`, `kind` is the type inside and `start` stands behind it.
#[derive(Clone, Copy)]
struct Chunk {
    id: [u8; 4],
    kind: [u8; 4],
    start: u64,
    end: u64,
}

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let mut at = 0;
    for segment in 0..MAX_CHUNKS {
        let riff = chunk(w, at)?;
        if segment > 0 && riff.id != *b"RIFF" {
            return w.finish_at(at);
        }
        let declared = le(&w.array::<4>(at + 4)?);
        if declared == 0 || declared == 0xFFFF_FFFF {
            return Err(Stop::not_finished("the size in the header", "文件头中的大小"));
        }
        w.require(Some(riff.end), "part of the data", "部分数据")?;
        let end = match (segment, &riff.kind) {
            (0, b"WAVE") => wave(w, riff)?,
            (0, _) => avi(w, riff).map(|()| riff.end)?,
            (_, b"AVIX") => riff.end,
            _ => return w.finish_at(at),
        };
        at = end + (declared & 1);
        if w.size().saturating_sub(at) < 12 {
            return w.finish_at(at);
        }
    }
    Err(Stop::too_complex())
}

fn chunk(w: &mut Window, at: u64) -> Result<Chunk, Stop> {
    let head: [u8; 8] = w.array(at)?;
    let id = [head[0], head[1], head[2], head[3]];
    let end = at + 8 + le(&head[4..]);
    let list = matches!(&id, b"RIFF" | b"LIST");
    let (kind, start) = if list {
        (w.array(at + 8)?, at + 12)
    } else {
        (id, at + 8)
    };
    Ok(Chunk { id, kind, start, end })
}

fn chunks(w: &mut Window, parent: Chunk) -> Result<Vec<Chunk>, Stop> {
    let mut found = Vec::new();
    let mut at = parent.start;
    while parent.end.saturating_sub(at) >= 8 {
        let child = chunk(w, at)?;
        if child.end > parent.end || child.start > child.end {
            return Err(Stop::damaged(
                "a chunk is larger than the one around it",
                "数据块超出上级范围",
            ));
        }
        at = child.end + (child.end - at) % 2;
        found.push(child);
        if found.len() > MAX_CHUNKS {
            return Err(Stop::too_complex());
        }
    }
    Ok(found)
}

/// Where its last chunk ends. Writers forget parts of their own header when they count, so that the last chunk ends behind
/// the whole: nothing is lost by that while the file has all of it.
fn wave(w: &mut Window, mut riff: Chunk) -> Result<u64, Stop> {
    let mut at = riff.start;
    for _ in 0..MAX_CHUNKS {
        if riff.end.saturating_sub(at) < 8 {
            break;
        }
        let child = chunk(w, at)?;
        if child.end > riff.end && child.end - riff.end <= MAX_MISCOUNT_BYTES {
            riff.end = w.require(Some(child.end), "the sound data", "音频数据")?;
        }
        at = child.end + (child.end - at) % 2;
    }
    let parts = chunks(w, riff)?;
    let has = |kind: &[u8; 4]| {
        parts
            .iter()
            .any(|part| part.kind == *kind && part.end > part.start)
    };
    if has(b"fmt ") && has(b"data") {
        Ok(riff.end)
    } else {
        Err(Stop::truncated("the sound data", "音频数据"))
    }
}

fn avi(w: &mut Window, riff: Chunk) -> Result<(), Stop> {
    let parts = chunks(w, riff)?;
    let part = |kind: &[u8; 4]| parts.iter().find(|part| part.kind == *kind).copied();
    let hdrl = part(b"hdrl").ok_or_else(|| Stop::damaged("it has no header list", "缺少文件头列表"))?;
    let movi = part(b"movi").filter(|movi| movi.end > movi.start);
    let movi = movi.ok_or_else(|| Stop::truncated("the media data (movi)", "媒体数据（movi）"))?;
    let mut indexed = false;
    let mut promised = false;
    for header in chunks(w, hdrl)? {
        match &header.kind {
            b"avih" if header.end - header.start >= 16 => {
                promised = le(&w.array::<4>(header.start + 12)?) & AVIF_HASINDEX != 0;
            }
            b"strl" => {
                for entry in chunks(w, header)?
                    .into_iter()
                    .filter(|entry| entry.kind == *b"indx")
                {
                    super_index(w, entry)?;
                    indexed = true;
                }
            }
            _ => {}
        }
    }
    if let Some(idx1) = part(b"idx1") {
        old_index(w, idx1, movi)?;
        indexed = true;
    }
    if promised && !indexed {
        return Err(Stop::not_finished("the index", "索引"));
    }
    Ok(())
}

/// The last entry must lie inside the media. Offsets count from the list's type, or in some writers from the file's start.
fn old_index(w: &mut Window, idx1: Chunk, movi: Chunk) -> Result<(), Stop> {
    let count = (idx1.end - idx1.start) / 16;
    if count == 0 {
        return Ok(());
    }
    let first: [u8; 16] = w.array(idx1.start)?;
    let last: [u8; 16] = w.array(idx1.start + (count - 1) * 16)?;
    let base = if le(&first[8..12]) >= movi.start {
        0
    } else {
        movi.start - 4
    };
    if base + le(&last[8..12]) + 8 + le(&last[12..]) > movi.end {
        return Err(Stop::damaged(
            "its index points outside the media data",
            "索引指向媒体数据之外",
        ));
    }
    Ok(())
}

/// OpenDML 1.02: an index of indices names every part of the file, also those in later RIFF segments.
fn super_index(w: &mut Window, indx: Chunk) -> Result<(), Stop> {
    let head: [u8; 8] = w.array(indx.start)?;
    let (index_type, count) = (head[3], le(&head[4..8]));
    if index_type != 0 {
        return Ok(());
    }
    let at = indx.start + 24;
    if at + count * 16 > indx.end {
        return Err(Stop::damaged(
            "a table is larger than its chunk",
            "表的大小超出数据块",
        ));
    }
    for entry in w.table(at, count * 16)?.chunks_exact(16) {
        w.require(
            le(&entry[..8]).checked_add(le(&entry[8..12])),
            "a later part",
            "后续部分",
        )?;
    }
    Ok(())
}
