//! Matroska and WebM (RFC 9559): the segment's declared size lies inside the file and its elements tile it.

use super::window::{Stop, Window, be};

const EBML: u64 = 0x1A45_DFA3;
const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const CUES: u64 = 0x1C53_BB6B;
const TRACKS: u64 = 0x1654_AE6B;
const VOID: u64 = 0xEC;
/// SeekHead, Info, Tracks, Cluster, Cues, Attachments, Chapters, Tags: what ends a cluster of unknown size.
const LEVEL_1: [u64; 8] = [
    0x114D_9B74,
    0x1549_A966,
    TRACKS,
    CLUSTER,
    CUES,
    0x1941_A469,
    0x1043_A770,
    0x1254_C367,
];

struct Element {
    id: u64,
    start: u64,
    /// `None` where a live writer couldn't know the size.
    size: Option<u64>,
}

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let mut at = 0;
    let mut segments = 0;
    while at < w.size() {
        let element = match element(w, at) {
            Ok(element) => element,
            Err(Stop::Damaged(_)) if segments > 0 => return w.finish_at(at),
            Err(stop) => return Err(stop),
        };
        at = match (element.id, element.size) {
            (SEGMENT, Some(size)) => {
                let end = w.require(element.start.checked_add(size), "the segment", "媒体数据段")?;
                segment(w, element.start, end, false)?;
                end
            }
            (SEGMENT, None) => {
                let size = w.size();
                segment(w, element.start, size, true)?;
                size
            }
            (EBML | VOID, Some(size)) => {
                w.require(element.start.checked_add(size), "the header", "文件头")?
            }
            _ if segments > 0 => return w.finish_at(at),
            _ => {
                return Err(Stop::damaged(
                    "there is no segment after the header",
                    "文件头之后没有数据段",
                ));
            }
        };
        segments += u32::from(element.id == SEGMENT);
    }
    if segments == 0 {
        return Err(Stop::truncated("the segment", "媒体数据段"));
    }
    Ok(())
}

/// `open`: the segment has no declared size, so only an index behind the last cluster tells that it was finished.
fn segment(w: &mut Window, start: u64, end: u64, open: bool) -> Result<(), Stop> {
    let (mut at, mut tracks, mut clusters, mut closed) = (start, false, false, !open);
    while at < end {
        let child = element(w, at)?;
        at = match child.size {
            Some(size) => match child
                .start
                .checked_add(size)
                .filter(|&child_end| child_end <= end)
            {
                Some(child_end) => child_end,
                None if open => return Err(Stop::truncated("a cluster", "数据簇")),
                None => {
                    return Err(Stop::damaged(
                        "an element is larger than its segment",
                        "元素超出数据段",
                    ));
                }
            },
            None if child.id == CLUSTER => live_cluster(w, child.start, end)?,
            None => return Err(Stop::damaged("an element has no size", "元素缺少大小")),
        };
        tracks |= child.id == TRACKS;
        clusters |= child.id == CLUSTER;
        closed = !open || child.id == CUES || closed && child.id != CLUSTER;
    }
    match (tracks && clusters, closed) {
        (false, _) => Err(Stop::truncated("tracks or clusters", "轨道或数据簇")),
        (true, false) => Err(Stop::cannot_tell()),
        (true, true) => Ok(()),
    }
}

fn live_cluster(w: &mut Window, start: u64, end: u64) -> Result<u64, Stop> {
    let mut at = start;
    while at < end {
        let child = element(w, at)?;
        if LEVEL_1.contains(&child.id) {
            break;
        }
        at = match child.size.and_then(|size| child.start.checked_add(size)) {
            Some(child_end) if child_end <= end => child_end,
            Some(_) => return Err(Stop::truncated("a block", "数据块")),
            None => return Err(Stop::damaged("an element has no size", "元素缺少大小")),
        };
    }
    Ok(at)
}

/// RFC 8794 §4 and §5: id of 1–4 bytes, size of 1–8 bytes, lengths told by leading zero bits.
fn element(w: &mut Window, at: u64) -> Result<Element, Stop> {
    let head = w.bytes(at, (w.size() - at).min(12) as usize)?;
    let malformed = || Stop::damaged("its elements don't follow each other", "元素不连续");
    let id_length = head[0].leading_zeros() as usize + 1;
    if id_length > 4 {
        return Err(malformed());
    }
    let cut = || Stop::truncated("an element", "元素");
    let id = be(head.get(..id_length).ok_or_else(cut)?);
    let first = *head.get(id_length).ok_or_else(cut)?;
    let size_length = first.leading_zeros() as usize + 1;
    if size_length > 8 {
        return Err(malformed());
    }
    let coded = be(head.get(id_length..id_length + size_length).ok_or_else(cut)?);
    let all_ones = (1u64 << (7 * size_length)) - 1;
    let size = coded & all_ones;
    Ok(Element {
        id,
        start: at + (id_length + size_length) as u64,
        size: (size != all_ones).then_some(size),
    })
}
