//! ASF: data packets of one size, each beginning like the first.

use super::{Rules, Seen, Step, find, le};

/// ASF_Header_Object, as stored.
pub(super) const HEADER: [u8; 16] = [
    0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C,
];
/// ASF_File_Properties_Object.
const FILE_PROPERTIES: [u8; 16] = [
    0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11, 0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65,
];
/// ASF_Simple_Index_Object and ASF_Index_Object.
const INDICES: [[u8; 16]; 2] = [
    [
        0x90, 0x08, 0x00, 0x33, 0xB1, 0xE5, 0xCF, 0x11, 0x89, 0xF4, 0x00, 0xA0, 0xC9, 0x03, 0x49, 0xCB,
    ],
    [
        0xD3, 0x29, 0xE2, 0xD6, 0xDA, 0x35, 0xD1, 0x11, 0x90, 0x34, 0x00, 0xA0, 0xC9, 0x03, 0x49, 0xBE,
    ],
];
/// ASF_Video_Media, a stream's type.
const VIDEO: [u8; 16] = [
    0xC0, 0xEF, 0x19, 0xBC, 0x4D, 0x5B, 0xCF, 0x11, 0xA8, 0xFD, 0x00, 0x80, 0x5F, 0x5C, 0x44, 0x2B,
];
const SEEKABLE: u64 = 2;
/// Error correction of two bytes, both zero: how every packet begins in files of today's writers (ASF, 5.2.1).
const PACKET_HEAD: [u8; 3] = [0x82, 0, 0];

#[derive(Default)]
pub(crate) struct Asf {
    packet_bytes: u64,
    packets_left: u64,
    promises_index: bool,
    index: bool,
    place: Place,
}

#[derive(Default, PartialEq)]
enum Place {
    #[default]
    Header,
    Data,
    FirstPacket,
    Packets,
    Behind,
}

impl Rules for Asf {
    fn head_bytes(&self) -> usize {
        match self.place {
            Place::Header => 24,
            Place::Data => 50,
            Place::FirstPacket | Place::Packets => 3,
            Place::Behind => 24,
        }
    }

    fn step(&mut self, _: u64, head: &[u8]) -> Step {
        match self.place {
            Place::Header => {
                let size = le(&head[16..24]);
                let wanted = size.min(super::MAX_HEAD_BYTES as u64) as usize;
                if head.len() < wanted {
                    return Step::Need(wanted);
                }
                let Some(properties) =
                    find(head, &FILE_PROPERTIES).and_then(|at| head.get(at + 24..at + 104))
                else {
                    return Step::End;
                };
                let seekable = le(&properties[64..68]) & SEEKABLE != 0;
                self.promises_index = seekable && find(head, &VIDEO).is_some();
                self.packet_bytes = le(&properties[68..72]);
                if self.packet_bytes < 4 || self.packet_bytes != le(&properties[72..76]) {
                    return Step::End;
                }
                self.place = Place::Data;
                Step::Next(size)
            }
            Place::Data => {
                self.packets_left = le(&head[40..48]);
                self.place = Place::FirstPacket;
                Step::Next(50)
            }
            Place::FirstPacket | Place::Packets if self.packets_left == 0 => {
                self.place = Place::Behind;
                Step::Need(24)
            }
            Place::FirstPacket | Place::Packets => {
                self.packets_left -= 1;
                let good = head[..3] == PACKET_HEAD;
                match (&self.place, good) {
                    // A writer without error correction data: nothing to follow.
                    (Place::FirstPacket, false) if head[0] & 0x80 == 0 && head[0] != 0 => Step::End,
                    (_, true) => {
                        self.place = Place::Packets;
                        Step::Next(self.packet_bytes)
                    }
                    (_, false) => {
                        self.place = Place::Packets;
                        Step::Skip(self.packet_bytes)
                    }
                }
            }
            Place::Behind => {
                self.index |= INDICES.iter().any(|id| head[..16] == *id);
                Step::Next(le(&head[16..24]).max(24))
            }
        }
    }

    fn may_begin(&mut self, _: &[u8]) -> bool {
        true
    }

    fn finish(&self, seen: &mut Seen) {
        // Objects behind the data have sizes of their own, which the walk holds against the file's.
        if self.place == Place::Behind {
            seen.truncated = None;
            seen.index_missing = self.promises_index && !self.index;
        }
    }
}
