//! Key frames decoded beside the demuxer, each by itself: a damaged one can't spoil the next, and errors have their time.

use ffmpeg_next::{Error, Packet, Rational, codec::Parameters, decoder, frame, util::error::EAGAIN};
use std::{
    sync::mpsc::{self, SyncSender, TrySendError},
    thread::JoinHandle,
};

use crate::{decoder as open, log, raw};

/// Key frames decoded of one recording at the most, spread over its bytes.
pub(crate) const MAX_KEY_FRAMES: u64 = 400;
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
