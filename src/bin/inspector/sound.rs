//! Sound decoded and measured beside the demuxer: damage, silence, clipping, peak, loudness (EBU R128).
//!
//! Samples of any format become f32 between -1 and 1 here, without libswresample.

use ebur128::{EbuR128, Mode};
use ffmpeg_next::{Error, Packet, decoder, frame, util::error::EAGAIN};
use muniment::inspect::{report::Stretches, wire::Measures};
use std::{
    sync::mpsc::{self, SyncSender},
    thread::JoinHandle,
};

use crate::{
    decoder as open, log, raw,
    stretches::Runs,
    survey::{Track, milliseconds},
};

/// Packets that wait for the thread.
const WAITING: usize = 64;
/// Silence is judged by the power of so many milliseconds.
const WINDOW_MS: i64 = 100;
/// More than any recorder has; more aren't measured.
const MAX_CHANNELS: usize = 16;
/// The highest value of 16 bits: what stands at full scale is clipped.
const FULL_SCALE: f32 = 32_766.5 / 32_768.0;

/// What was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Frames that came out.
    pub(crate) frames: u64,
    /// Packets that didn't decode, or frames with damage.
    pub(crate) damaged: u64,
    pub(crate) damaged_first_ms: Option<i64>,
    pub(crate) silent: Stretches,
    pub(crate) clipped_ppm: u32,
    pub(crate) loudness_lufs_centi: Option<i32>,
    pub(crate) peak_dbfs_centi: Option<i32>,
}

/// A thread that listens.
pub(crate) struct Listening {
    sender: SyncSender<(Packet, i64)>,
    thread: JoinHandle<Heard>,
    index: usize,
}

impl Listening {
    /// Opens the decoder; measures only when there are measures.
    ///
    /// # Errors
    /// As the decoder's opening.
    pub(crate) fn start(track: &Track, measures: Option<Measures>) -> Result<Self, Error> {
        let decoder = open::audio(track.parameters.clone(), track.time_base)?;
        let (sender, packets) = mpsc::sync_channel::<(Packet, i64)>(WAITING);
        let mut ear = Ear {
            decoder,
            time_base: track.time_base,
            meter: measures.map(Meter::new),
            heard: Heard::default(),
        };
        let work = move || {
            for (packet, at_ms) in packets {
                log::set_time(at_ms);
                let sent = ear.decoder.send_packet(&packet);
                ear.receive(at_ms);
                if sent.is_err() {
                    ear.damage(at_ms);
                }
            }
            let _ = ear.decoder.send_eof();
            ear.receive(0);
            ear.finish()
        };
        let thread = std::thread::Builder::new().name("sound".to_owned()).spawn(work);
        Ok(Listening {
            sender,
            thread: thread.map_err(|_| Error::Unknown)?,
            index: track.index,
        })
    }

    /// Takes a packet if it is of the stream that is listened to.
    pub(crate) fn packet(&mut self, packet: Packet, at_ms: i64) {
        if packet.stream() == self.index {
            // A thread that is gone is found out when it is joined.
            let _ = self.sender.send((packet, at_ms));
        }
    }

    /// Waits for the rest.
    pub(crate) fn finish(self) -> Heard {
        drop(self.sender);
        self.thread.join().unwrap_or_default()
    }
}

struct Ear {
    decoder: decoder::Opened,
    time_base: ffmpeg_next::Rational,
    meter: Option<Meter>,
    heard: Heard,
}

impl Ear {
    fn damage(&mut self, at_ms: i64) {
        self.heard.damaged += 1;
        self.heard.damaged_first_ms.get_or_insert(at_ms);
    }

    fn receive(&mut self, packet_ms: i64) {
        let mut frame = frame::Audio::empty();
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    self.heard.frames += 1;
                    let at_ms = frame
                        .timestamp()
                        .and_then(|time| milliseconds(time, self.time_base));
                    if raw::concealed(&frame) {
                        self.damage(at_ms.unwrap_or(packet_ms));
                    }
                    if let Some(meter) = &mut self.meter {
                        meter.frame(&frame, at_ms);
                    }
                }
                Err(Error::Eof | Error::Other { errno: EAGAIN }) => return,
                Err(_) => return self.damage(packet_ms),
            }
        }
    }

    fn finish(mut self) -> Heard {
        if let Some(meter) = self.meter {
            meter.finish(&mut self.heard);
        }
        self.heard
    }
}

/// Measures samples as they come.
struct Meter {
    threshold: f64,
    loudness: Option<EbuR128>,
    rate: u32,
    channels: usize,
    samples: Vec<f32>,
    peak: f32,
    clipped: u64,
    total: u64,
    silent: Runs,
    /// Where the next window begins; its power by channel; its samples so far.
    window_ms: i64,
    power: [f64; MAX_CHANNELS],
    in_window: u64,
}

impl Meter {
    fn new(measures: Measures) -> Self {
        Meter {
            threshold: 10f64.powf(f64::from(measures.silence_dbfs) / 10.0),
            loudness: None,
            rate: 0,
            channels: 0,
            samples: Vec::new(),
            peak: 0.0,
            clipped: 0,
            total: 0,
            silent: Runs::new(i64::from(measures.shortest_ms)),
            window_ms: 0,
            power: [0.0; MAX_CHANNELS],
            in_window: 0,
        }
    }

    fn frame(&mut self, frame: &frame::Audio, at_ms: Option<i64>) {
        let (rate, channels) = raw::interleaved(frame, &mut self.samples);
        if rate == 0 || channels == 0 || channels > MAX_CHANNELS {
            return;
        }
        if (rate, channels) != (self.rate, self.channels) {
            (self.rate, self.channels) = (rate, channels);
            (self.in_window, self.power) = (0, [0.0; MAX_CHANNELS]);
            self.loudness = match self.loudness.take() {
                None => EbuR128::new(channels as u32, rate, Mode::I).ok(),
                Some(mut loudness) => loudness
                    .change_parameters(channels as u32, rate)
                    .is_ok()
                    .then_some(loudness),
            };
        }
        if self.in_window == 0
            && let Some(at_ms) = at_ms
        {
            self.window_ms = at_ms;
        }
        if let Some(loudness) = &mut self.loudness {
            // It fails on samples that aren't whole frames only; these are.
            let _ = loudness.add_frames_f32(&self.samples);
        }
        let per_window = (u64::from(rate) * WINDOW_MS as u64 / 1_000).max(1);
        self.total += self.samples.len() as u64;
        for samples in self.samples.chunks_exact(channels) {
            for (power, &sample) in self.power.iter_mut().zip(samples) {
                let level = sample.abs();
                self.peak = self.peak.max(level);
                self.clipped += u64::from(level >= FULL_SCALE);
                *power += f64::from(sample) * f64::from(sample);
            }
            self.in_window += 1;
            if self.in_window == per_window {
                let limit = self.threshold * per_window as f64;
                let silent = self.power[..channels].iter().all(|&power| power < limit);
                self.silent
                    .see(self.window_ms, self.window_ms + WINDOW_MS, silent);
                self.window_ms += WINDOW_MS;
                (self.in_window, self.power) = (0, [0.0; MAX_CHANNELS]);
            }
        }
    }

    fn finish(self, heard: &mut Heard) {
        heard.silent = self.silent.finish();
        heard.clipped_ppm = (u128::from(self.clipped) * 1_000_000)
            .checked_div(u128::from(self.total))
            .and_then(|ppm| u32::try_from(ppm).ok())
            .unwrap_or(0);
        heard.peak_dbfs_centi =
            (self.peak > 0.0).then(|| (f64::from(self.peak).log10() * 2_000.0).round() as i32);
        let loudness = self.loudness.and_then(|loudness| loudness.loudness_global().ok());
        heard.loudness_lufs_centi = loudness
            .filter(|loudness| loudness.is_finite())
            .map(|loudness| (loudness * 100.0).round() as i32);
    }
}
