//! MPEG transport streams: a packet every 188 (or 192) bytes, counted per stream.

use super::{Rules, Seen, Step};
use std::collections::HashMap;

const NULL_PACKETS: u16 = 0x1FFF;

pub(crate) struct MpegTs {
    packet_bytes: usize,
    counters: HashMap<u16, u8>,
    jumps: u32,
}

impl MpegTs {
    pub(super) fn new(packet_bytes: usize) -> Self {
        MpegTs {
            packet_bytes,
            counters: HashMap::new(),
            jumps: 0,
        }
    }

    /// ISO/IEC 13818-1, 2.4.3.3: the counter of a stream goes up by one with each packet that carries something.
    fn count(&mut self, packet: &[u8]) {
        let stream = u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]);
        let (adaptation, payload, counter) = (packet[3] & 0x20 != 0, packet[3] & 0x10 != 0, packet[3] & 0x0F);
        let announced = adaptation && packet[4] > 0 && packet[5] & 0x80 != 0;
        if stream == NULL_PACKETS || !payload {
            return;
        }
        if let Some(before) = self.counters.insert(stream, counter)
            && !announced
            && counter != before
            && counter != (before + 1) & 0x0F
        {
            self.jumps = self.jumps.saturating_add(1);
        }
    }
}

impl Rules for MpegTs {
    fn head_bytes(&self) -> usize {
        self.packet_bytes - 180
    }

    fn step(&mut self, _: u64, head: &[u8]) -> Step {
        let packet = &head[self.packet_bytes - 188..];
        if packet[0] != 0x47 {
            return Step::Lost;
        }
        self.count(packet);
        Step::Next(self.packet_bytes as u64)
    }

    fn may_begin(&mut self, head: &[u8]) -> bool {
        head[self.packet_bytes - 188] == 0x47
    }

    fn finish(&self, seen: &mut Seen) {
        seen.loss_count = seen.loss_count.saturating_add(self.jumps);
    }
}
