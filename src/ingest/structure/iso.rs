//! MP4 and QuickTime (ISO/IEC 14496-12): boxes tile the file, index and media are there, the last sample of every track
//! ends inside the file.

use super::window::{Stop, Window, be};

const MAX_BOXES: usize = 200_000;

/// One box: its type, where its content starts, where it ends.
#[derive(Clone, Copy)]
struct Box {
    kind: [u8; 4],
    start: u64,
    end: u64,
}

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let mut top = Vec::new();
    let mut at = 0;
    while at < w.size() {
        if w.size() - at < 8 && w.only_zeros_from(at)? {
            break;
        }
        let found = header(w, at, w.size())?;
        w.require(Some(found.end), "a box", "数据块")?;
        at = found.end;
        top.push(found);
        if top.len() > MAX_BOXES {
            return Err(Stop::too_complex());
        }
    }
    let first = |kind: &[u8; 4]| top.iter().find(|found| found.kind == *kind).copied();
    let moov = first(b"moov").ok_or_else(|| Stop::not_finished("the index (moov)", "索引（moov）"))?;
    let media = top
        .iter()
        .any(|found| found.kind == *b"mdat" && found.end > found.start);
    if !media {
        return Err(Stop::truncated("the media data (mdat)", "媒体数据（mdat）"));
    }
    let moov_children = children(w, moov)?;
    // QuickTime could store its index compressed (QuickTime File Format, "Compressed Movie Resources").
    if moov_children.iter().any(|child| child.kind == *b"cmov") {
        return Err(Stop::too_complex());
    }
    let mut tracks = 0;
    for trak in moov_children.iter().filter(|child| child.kind == *b"trak") {
        tracks += 1;
        track(w, *trak)?;
    }
    let fragmented = moov_children.iter().any(|child| child.kind == *b"mvex");
    match (tracks, first(b"moof")) {
        (0, _) => Err(Stop::damaged("it has no tracks", "没有任何轨道")),
        (_, Some(moof)) => fragments(w, &top, moof),
        (_, None) if fragmented => Err(Stop::truncated("every fragment", "媒体片段")),
        _ => Ok(()),
    }
}

/// Sizes 0 (to the end of the file) and 1 (64 bit) are special; the end may lie beyond the file.
fn header(w: &mut Window, at: u64, to_end: u64) -> Result<Box, Stop> {
    let head: [u8; 8] = w.array(at)?;
    let kind = [head[4], head[5], head[6], head[7]];
    if !kind
        .iter()
        .all(|byte| (0x20..0x7F).contains(byte) || *byte == 0xA9)
    {
        return Err(Stop::damaged("its boxes don't follow each other", "数据块不连续"));
    }
    let (start, size) = match be(&head[..4]) {
        0 => {
            return Ok(Box {
                kind,
                start: at + 8,
                end: to_end,
            });
        }
        1 => (at + 16, be(&w.array::<8>(at + 8)?)),
        size => (at + 8, size),
    };
    if size < start - at {
        return Err(Stop::damaged(
            "a box is smaller than its header",
            "数据块大小不合法",
        ));
    }
    Ok(Box {
        kind,
        start,
        end: at
            .checked_add(size)
            .ok_or_else(|| Stop::truncated("a box", "数据块"))?,
    })
}

fn children(w: &mut Window, parent: Box) -> Result<Vec<Box>, Stop> {
    let mut found = Vec::new();
    let mut at = parent.start;
    // QuickTime may close a list with four zero bytes.
    while parent.end - at >= 8 {
        let child = header(w, at, parent.end)?;
        if child.end > parent.end {
            return Err(Stop::damaged(
                "a box is larger than the one around it",
                "数据块超出上级范围",
            ));
        }
        at = child.end;
        found.push(child);
        if found.len() > MAX_BOXES {
            return Err(Stop::too_complex());
        }
    }
    Ok(found)
}

fn descend(w: &mut Window, from: Box, path: &[&[u8; 4]]) -> Result<Option<Box>, Stop> {
    let mut current = from;
    for kind in path {
        match children(w, current)?
            .into_iter()
            .find(|child| child.kind == **kind)
        {
            Some(child) => current = child,
            None => return Ok(None),
        }
    }
    Ok(Some(current))
}

/// The chunk that lies furthest back must end inside the file.
fn track(w: &mut Window, trak: Box) -> Result<(), Stop> {
    let Some(stbl) = descend(w, trak, &[b"mdia", b"minf", b"stbl"])? else {
        return Err(Stop::damaged("a track has no sample table", "轨道缺少样本表"));
    };
    let tables = children(w, stbl)?;
    let table = |kind: &[u8; 4]| tables.iter().find(|child| child.kind == *kind).copied();
    let (offsets, width) = match (table(b"stco"), table(b"co64")) {
        (Some(stco), _) => (entries(w, stco, 4, 4)?, 4),
        (None, Some(co64)) => (entries(w, co64, 4, 8)?, 8),
        (None, None) => {
            return Err(Stop::damaged(
                "a track has no chunk offsets",
                "轨道缺少数据块偏移",
            ));
        }
    };
    let furthest = offsets
        .chunks_exact(width)
        .map(be)
        .enumerate()
        .max_by_key(|(_, offset)| *offset);
    let Some((chunk, offset)) = furthest else {
        return Ok(());
    };
    let runs = match table(b"stsc") {
        Some(stsc) => entries(w, stsc, 4, 12)?,
        None => {
            return Err(Stop::damaged(
                "a track has no sample-to-chunk table",
                "轨道缺少样本分布表",
            ));
        }
    };
    let (first_sample, samples) = samples_of(&runs, chunk as u64 + 1);
    let length = match (table(b"stsz"), table(b"stz2")) {
        (Some(stsz), _) => sample_bytes(w, stsz, first_sample, samples)?,
        (None, Some(_)) => 1,
        (None, None) => return Err(Stop::damaged("a track has no sample sizes", "轨道缺少样本大小表")),
    };
    w.require(
        offset.checked_add(length),
        "the last sample of a track",
        "轨道的最后一个样本",
    )?;
    Ok(())
}

/// The entries of a full box that counts them in 32 bits, `skip` bytes after its start.
fn entries(w: &mut Window, full_box: Box, skip: u64, width: u64) -> Result<Vec<u8>, Stop> {
    let at = full_box.start + skip;
    let length = be(&w.array::<4>(at)?) * width;
    if at + 4 + length > full_box.end {
        return Err(Stop::damaged(
            "a table is larger than its box",
            "表的大小超出数据块",
        ));
    }
    w.table(at + 4, length)
}

/// First sample (from 0) of a chunk (from 1) and how many it has, by the runs of `stsc`.
fn samples_of(runs: &[u8], chunk: u64) -> (u64, u64) {
    let runs: Vec<(u64, u64)> = runs
        .chunks_exact(12)
        .map(|run| (be(&run[..4]), be(&run[4..8])))
        .collect();
    let mut before = 0u64;
    for (index, &(first, samples)) in runs.iter().enumerate() {
        match runs.get(index + 1) {
            Some(&(next, _)) if next <= chunk => {
                before = before.saturating_add(next.saturating_sub(first).saturating_mul(samples));
            }
            _ => {
                return (
                    before.saturating_add(chunk.saturating_sub(first).saturating_mul(samples)),
                    samples,
                );
            }
        }
    }
    (before, 0)
}

fn sample_bytes(w: &mut Window, stsz: Box, first: u64, samples: u64) -> Result<u64, Stop> {
    let head: [u8; 8] = w.array(stsz.start + 4)?;
    let (uniform, count) = (be(&head[..4]), be(&head[4..]));
    match uniform {
        0 => {
            let samples = samples.min(count.saturating_sub(first));
            let at = stsz.start + 12 + first.min(count) * 4;
            if at + samples * 4 > stsz.end {
                return Err(Stop::damaged(
                    "a table is larger than its box",
                    "表的大小超出数据块",
                ));
            }
            Ok(w.table(at, samples * 4)?.chunks_exact(4).map(be).sum())
        }
        // Old QuickTime audio counts frames of "one byte" that compress to less.
        1 => Ok(1),
        uniform => Ok(uniform.saturating_mul(samples.min(count.saturating_sub(first)))),
    }
}

/// Fragments follow each other until the file ends: only a segment index before them, or the random access box behind
/// them, tells how many there should be.
fn fragments(w: &mut Window, top: &[Box], first_moof: Box) -> Result<(), Stop> {
    let last = |kind: &[u8; 4]| {
        top.iter()
            .rev()
            .find(|found| found.kind == *kind)
            .map_or(0, |found| found.start)
    };
    if last(b"moof") > last(b"mdat") {
        return Err(Stop::truncated(
            "the media of the last fragment",
            "最后一个片段的媒体数据",
        ));
    }
    if top.last().is_some_and(|found| found.kind == *b"mfra") {
        return Ok(());
    }
    let Some(sidx) = top
        .iter()
        .find(|found| found.kind == *b"sidx" && found.start < first_moof.start)
        .copied()
    else {
        return Err(Stop::cannot_tell());
    };
    let wide = w.array::<1>(sidx.start)?[0] != 0;
    let (first_offset_at, first_offset_width) = if wide {
        (sidx.start + 20, 8)
    } else {
        (sidx.start + 16, 4)
    };
    let head = w.bytes(first_offset_at, first_offset_width + 4)?;
    let (first_offset, count) = (
        be(&head[..first_offset_width]),
        be(&head[first_offset_width + 2..]),
    );
    let at = first_offset_at + first_offset_width as u64 + 4;
    let references = w.table(at, count * 12)?;
    let total: u64 = references
        .chunks_exact(12)
        .map(|reference| be(&reference[..4]) & 0x7FFF_FFFF)
        .sum();
    w.require(
        sidx.end
            .checked_add(first_offset)
            .and_then(|at| at.checked_add(total)),
        "a fragment",
        "媒体片段",
    )?;
    Ok(())
}
