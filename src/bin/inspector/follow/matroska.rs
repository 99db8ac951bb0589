//! Matroska and WebM: elements follow each other down to the blocks of each cluster; the index that the seek head promises.

use super::{Rules, Seen, Step, be, find};

const EBML: u64 = 0x1A45_DFA3;
const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const SEEK_HEAD: u64 = 0x114D_9B74;
const CUES: u64 = 0x1C53_BB6B;
/// Info, Tracks, Attachments, Chapters, Tags, Void, CRC-32.
const OTHERS: [u64; 7] = [
    0x1549_A966,
    0x1654_AE6B,
    0x1941_A469,
    0x1043_A770,
    0x1254_C367,
    0xEC,
    0xBF,
];
/// Inside a cluster: Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup, EncryptedBlock.
const IN_CLUSTER: [u64; 7] = [0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF];
const MAX_SEEK_HEAD_BYTES: usize = 4 << 10;

pub(crate) struct Matroska {
    size_bytes: u64,
    promises_cues: bool,
    cues: bool,
    in_cluster: bool,
}

impl Matroska {
    pub(super) fn new(size_bytes: u64) -> Self {
        Matroska {
            size_bytes,
            promises_cues: false,
            cues: false,
            in_cluster: false,
        }
    }
}

/// Id, content's size (none when unknown), length of both.
fn element(head: &[u8]) -> Option<(u64, Option<u64>, u64)> {
    let id_bytes = head[0].leading_zeros() as usize + 1;
    let id = be(head.get(..id_bytes.min(5))?);
    let size_bytes = head.get(id_bytes)?.leading_zeros() as usize + 1;
    if id_bytes > 4 || size_bytes > 8 {
        return None;
    }
    let mask = (1u64 << (7 * size_bytes)) - 1;
    let size = be(head.get(id_bytes..id_bytes + size_bytes)?) & mask;
    Some((id, (size != mask).then_some(size), (id_bytes + size_bytes) as u64))
}

impl Rules for Matroska {
    fn head_bytes(&self) -> usize {
        4
    }

    fn step(&mut self, at: u64, head: &[u8]) -> Step {
        if head.len() < 12 && self.size_bytes - at.min(self.size_bytes) >= 12 {
            return Step::Need(12);
        }
        let Some((id, size, length)) = element(head) else {
            return Step::Lost;
        };
        let inside = self.in_cluster && IN_CLUSTER.contains(&id);
        match (id, size) {
            (SEGMENT, _) => return Step::Next(length),
            (CLUSTER, _) => {
                self.in_cluster = true;
                return Step::Next(length);
            }
            (SEEK_HEAD, Some(size)) => {
                let wanted = (length + size).min(MAX_SEEK_HEAD_BYTES as u64) as usize;
                if head.len() < wanted {
                    return Step::Need(wanted);
                }
                self.promises_cues |= find(head, &[0x53, 0xAB, 0x84, 0x1C, 0x53, 0xBB, 0x6B]).is_some();
            }
            (CUES, Some(_)) => self.cues = true,
            (EBML, Some(_)) => {}
            (_, Some(_)) if inside || OTHERS.contains(&id) => {}
            _ => return Step::Lost,
        }
        let end = size.and_then(|size| at.checked_add(length)?.checked_add(size));
        match (end.filter(|&end| end <= self.size_bytes), end, size) {
            (Some(_), _, Some(size)) => Step::Next(length + size),
            // The last element of a truncated file; anywhere else the chain is found again or isn't.
            (None, Some(end), Some(size)) if inside && end - self.size_bytes < 64 << 20 => {
                Step::Next(length + size)
            }
            _ => Step::Lost,
        }
    }

    fn may_begin(&mut self, head: &[u8]) -> bool {
        matches!(be(&head[..4]), CLUSTER | CUES | 0x1254_C367)
    }

    fn finish(&self, seen: &mut Seen) {
        seen.index_missing = self.promises_cues && !self.cues;
    }
}
