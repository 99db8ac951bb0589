//! Key frames decoded beside the demuxer, each by itself: a damaged one can't spoil the next, and errors have their time.
//!
//! They are what the gate's time goes to, so a long recording has its first ones decoded and then some of the others, spread
//! over its bytes. Which ones depends on the file alone, never on the clock: the same file gets the same report.

use ffmpeg_next::{Error, Packet, Rational, codec::Parameters, decoder, frame, util::error::EAGAIN};
use std::{
    sync::mpsc::{self, SyncSender, TrySendError},
    thread::JoinHandle,
};

use crate::{decoder as open, log, raw};

/// What the key frames decoded of one recording may cost, in bytes of H.264, of which a core decodes some 13 MB a second.
const BUDGET: u64 = 24 << 20;
/// The part of it that may be spent at once; the rest comes in as the file goes by. A recording whose key frames cost no
/// more than this has all of them decoded.
const AT_ONCE: u64 = 6 << 20;
/// A picture costs a byte for so many pixels on top of its own bytes.
const PIXELS_A_BYTE: u64 = 64;
/// What the smallest picture costs: 400 of them spend the budget.
const LEAST_COST: u64 = BUDGET / 400;
const THREADS: usize = 2;
/// Packets that wait for one thread.
const WAITING: usize = 2;

/// What came of the key frames.
#[derive(Debug, Default)]
pub(crate) struct KeyFrames {
    /// Given to a decoder.
    pub(crate) tried: u64,
    /// A picture came out.
    pub(crate) decoded: u64,
    /// Times of those with damage, at most [`MAX_TIMES`], and how many.
    pub(crate) damaged_ms: Vec<i64>,
    pub(crate) damaged: u64,
}

const MAX_TIMES: usize = 64;

/// Says which key frames are decoded.
pub(crate) struct Budget {
    size_bytes: u64,
    picture_cost: u64,
    spent: u64,
}

impl Budget {
    /// For a file of so many bytes and pictures of so many pixels.
    pub(crate) fn new(size_bytes: u64, pixels: u64) -> Self {
        Budget {
            size_bytes: size_bytes.max(1),
            picture_cost: pixels / PIXELS_A_BYTE,
            spent: 0,
        }
    }

    /// Whether a key frame of so many bytes is decoded, when so many bytes of the file have gone by; then it is paid for.
    pub(crate) fn allows(&mut self, seen_bytes: u64, packet_bytes: u64) -> bool {
        let later = u128::from(BUDGET - AT_ONCE) * u128::from(seen_bytes.min(self.size_bytes));
        let allowed = AT_ONCE + (later / u128::from(self.size_bytes)) as u64;
        let allows = self.spent < allowed;
        if allows {
            let cost = packet_bytes.saturating_add(self.picture_cost).max(LEAST_COST);
            self.spent = self.spent.saturating_add(cost);
        }
        allows
    }
}

/// A packet and when it is shown, milliseconds.
type Load = (Packet, i64);

/// Threads that decode key frames.
pub(crate) struct Decoding {
    threads: Vec<(SyncSender<Load>, JoinHandle<KeyFrames>)>,
    turn: usize,
}

impl Decoding {
    /// Opens the decoders.
    ///
    /// # Errors
    /// As the decoder's opening.
    pub(crate) fn start(parameters: impl Fn() -> Parameters, time_base: Rational) -> Result<Self, Error> {
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let mut decoder = open::video(parameters(), time_base, 1, true)?;
            let (sender, packets) = mpsc::sync_channel::<Load>(WAITING);
            let work = move || {
                let mut done = KeyFrames::default();
                for (packet, at_ms) in packets {
                    log::set_time(at_ms);
                    done.one(&mut decoder, &packet, at_ms);
                }
                done
            };
            let thread = std::thread::Builder::new()
                .name("key frames".to_owned())
                .spawn(work);
            threads.push((sender, thread.map_err(|_| Error::Unknown)?));
        }
        Ok(Decoding { threads, turn: 0 })
    }

    /// Hands a packet to whichever thread is free; waits when none is.
    pub(crate) fn decode(&mut self, packet: Packet, at_ms: i64) {
        let mut load = (packet, at_ms);
        for _ in 0..THREADS {
            self.turn = (self.turn + 1) % THREADS;
            match self.threads[self.turn].0.try_send(load) {
                Ok(()) => return,
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => load = back,
            }
        }
        // A thread that is gone is found out when it is joined.
        let _ = self.threads[self.turn].0.send(load);
    }

    /// Waits for the rest.
    pub(crate) fn finish(self) -> KeyFrames {
        let mut all = KeyFrames::default();
        for (sender, thread) in self.threads {
            drop(sender);
            if let Ok(done) = thread.join() {
                all.tried += done.tried;
                all.decoded += done.decoded;
                all.damaged += done.damaged;
                all.damaged_ms.extend(done.damaged_ms);
            }
        }
        all.damaged_ms.sort_unstable();
        all.damaged_ms.truncate(MAX_TIMES);
        all
    }
}

impl KeyFrames {
    fn one(&mut self, decoder: &mut decoder::Opened, packet: &Packet, at_ms: i64) {
        self.tried += 1;
        let mut damaged = decoder.send_packet(packet).is_err();
        let _ = decoder.send_eof();
        let mut frame = frame::Video::empty();
        let mut decoded = false;
        // A decoder at its end gives what it has and then EOF: a handful at the most.
        for _ in 0..8 {
            match decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    decoded = true;
                    damaged |= raw::concealed(&frame);
                }
                Err(Error::Eof | Error::Other { errno: EAGAIN }) => break,
                Err(_) => {
                    damaged = true;
                    break;
                }
            }
        }
        decoder.flush();
        self.decoded += u64::from(decoded);
        if damaged {
            self.damaged += 1;
            if self.damaged_ms.len() < MAX_TIMES {
                self.damaged_ms.push(at_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of the key frames that are decoded of a file with one of `bytes` every `step` bytes.
    fn decoded(size_bytes: u64, step: u64, bytes: u64, pixels: u64) -> Vec<u64> {
        let mut budget = Budget::new(size_bytes, pixels);
        (0..size_bytes)
            .step_by(step as usize)
            .filter(|&position| budget.allows(position, bytes))
            .collect()
    }

    #[test]
    fn a_short_recording_has_all_its_key_frames_decoded() {
        // Ten minutes with one in ten seconds; half a minute of nothing but key frames.
        assert_eq!(decoded(60_000_000, 1_000_000, 60_000, 1280 * 720).len(), 60);
        assert_eq!(decoded(5_000_000, 50_000, 50_000, 640 * 480).len(), 100);
    }

    #[test]
    fn a_long_one_has_some_decoded_from_its_beginning_to_its_end() {
        for (step, bytes) in [(1_400_000, 130_000), (2_000_000, 400_000), (100_000, 1_000)] {
            let places = decoded(500_000_000, step, bytes, 1920 * 1080);
            let cost = places.len() as u64 * (bytes + 1920 * 1080 / 64).max(LEAST_COST);
            assert!(
                (BUDGET * 9 / 10..=BUDGET + 500_000).contains(&cost),
                "{step}: {cost}"
            );
            let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(gaps.max().unwrap() < 500_000_000 / 20, "{step}: {places:?}");
            assert!(places.last().unwrap() > &475_000_000, "{step}: {places:?}");
        }
    }

    #[test]
    fn hostile_sizes_do_not_overflow() {
        let mut budget = Budget::new(0, u64::MAX);
        assert!(budget.allows(u64::MAX, u64::MAX));
        assert!(!budget.allows(u64::MAX, u64::MAX));
    }
}
