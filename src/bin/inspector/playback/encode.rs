//! Decoding and encoding again: H.264 by libx264 in 4:2:0, AAC with at most two channels.
//!
//! What can't be decoded is passed over: a copy shows what there is.

use ffmpeg_next::{
    ChannelLayout, Dictionary, Error, Packet, Rational, codec, decoder, encoder, format,
    format::{Pixel, context::Output, stream::Stream},
    frame,
    software::scaling,
};

/// Units of time of the copy's video, a second.
const VIDEO_TICKS: i32 = 90_000;
/// Seconds between key frames: what a seek waits for at the most.
const KEY_SECONDS: u32 = 2;
/// Bits a second of sound.
const AUDIO_BITS: usize = 96_000;
/// Rates that AAC knows, samples a second.
const AAC_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
/// Silence put in where sound is missing, milliseconds at the most at once.
const SILENCE_MS: i64 = 60_000;

/// Milliseconds of a time in other units.
pub(super) fn ms(time: i64, time_base: Rational) -> i64 {
    let (num, den) = (
        i128::from(time_base.numerator()),
        i128::from(time_base.denominator()),
    );
    if den == 0 {
        return 0;
    }
    i64::try_from(i128::from(time) * num * 1_000 / den).unwrap_or_default()
}

fn write(packet: &mut Packet, stream: usize, time_base: Rational, output: &mut Output) -> Result<(), Error> {
    let to = output.stream(stream).ok_or(Error::StreamNotFound)?.time_base();
    packet.set_stream(stream);
    packet.set_position(-1);
    packet.rescale_ts(time_base, to);
    packet.write_interleaved(output)
}

/// Video on its way.
pub(super) struct VideoOut {
    pub(super) from: usize,
    pub(super) time_base: Rational,
    pub(super) frames: u64,
    pub(super) size: (u32, u32),
    to: usize,
    start_ms: i64,
    decoder: decoder::Video,
    encoder: encoder::Video,
    scaler: Option<(Pixel, u32, u32, scaling::Context)>,
    last: i64,
}

impl VideoOut {
    pub(super) fn new(
        stream: &Stream<'_>,
        output: &mut Output,
        max_height: u32,
        start_ms: i64,
    ) -> Result<Self, Error> {
        let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
        decoder.set_packet_time_base(stream.time_base());
        decoder.set_threading(threads());
        let decoder = decoder.video()?;
        let size = fitted(decoder.width(), decoder.height(), max_height);
        let codec = encoder::find_by_name("libx264").ok_or(Error::EncoderNotFound)?;
        let mut out = output.add_stream(codec)?;
        let to = out.index();
        let mut wanted = codec::Context::new_with_codec(codec).encoder().video()?;
        wanted.set_width(size.0);
        wanted.set_height(size.1);
        wanted.set_format(Pixel::YUV420P);
        wanted.set_time_base(Rational(1, VIDEO_TICKS));
        wanted.set_aspect_ratio(decoder.aspect_ratio());
        let rate = stream.avg_frame_rate();
        if rate.numerator() > 0 && rate.denominator() > 0 {
            wanted.set_frame_rate(Some(rate));
            let frames = i64::from(rate.numerator()) * i64::from(KEY_SECONDS) / i64::from(rate.denominator());
            wanted.set_gop(u32::try_from(frames.clamp(1, 600)).unwrap_or(50));
        }
        wanted.set_flags(codec::Flags::GLOBAL_HEADER);
        wanted.set_threading(threads());
        let mut options = Dictionary::new();
        options.set("preset", "superfast");
        options.set("crf", "26");
        let encoder = wanted.open_as_with(codec, options)?;
        out.set_parameters(&encoder);
        Ok(VideoOut {
            from: stream.index(),
            time_base: stream.time_base(),
            frames: 0,
            size,
            to,
            start_ms,
            decoder,
            encoder,
            scaler: None,
            last: -1,
        })
    }

    /// Takes a packet, or the end.
    pub(super) fn packet(&mut self, packet: Option<&Packet>, output: &mut Output) -> Result<(), Error> {
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(packet),
            None => self.decoder.send_eof(),
        };
        if sent.is_ok() {
            let mut picture = frame::Video::empty();
            while self.decoder.receive_frame(&mut picture).is_ok() {
                self.picture(&picture, output)?;
            }
        }
        if packet.is_none() {
            self.encoder.send_eof()?;
            self.drain(output)?;
        }
        Ok(())
    }

    fn picture(&mut self, picture: &frame::Video, output: &mut Output) -> Result<(), Error> {
        let key = (picture.format(), picture.width(), picture.height());
        if self
            .scaler
            .as_ref()
            .is_none_or(|(format, width, height, _)| (*format, *width, *height) != key)
        {
            let (width, height) = self.size;
            // FAST_BILINEAR makes code at run time, which the sandbox forbids.
            let flags = scaling::Flags::BILINEAR;
            let scaler = scaling::Context::get(key.0, key.1, key.2, Pixel::YUV420P, width, height, flags)?;
            self.scaler = Some((key.0, key.1, key.2, scaler));
        }
        let Some((_, _, _, scaler)) = &mut self.scaler else {
            return Ok(());
        };
        let mut scaled = frame::Video::empty();
        scaler.run(picture, &mut scaled)?;
        let at_ms = picture
            .timestamp()
            .map_or(0, |time| ms(time, self.time_base) - self.start_ms);
        // Times must rise; a picture without one follows the last.
        self.last = (at_ms.max(0) * i64::from(VIDEO_TICKS) / 1_000).max(self.last + 1);
        scaled.set_pts(Some(self.last));
        self.frames += 1;
        self.encoder.send_frame(&scaled)?;
        self.drain(output)
    }

    fn drain(&mut self, output: &mut Output) -> Result<(), Error> {
        loop {
            let mut packet = Packet::empty();
            if self.encoder.receive_packet(&mut packet).is_err() {
                return Ok(());
            }
            write(&mut packet, self.to, Rational(1, VIDEO_TICKS), output)?;
        }
    }
}

fn threads() -> codec::threading::Config {
    codec::threading::Config {
        kind: codec::threading::Type::Frame,
        count: 2,
        ..codec::threading::Config::default()
    }
}

/// Even sizes, at most so high, in the picture's own proportions, never larger than it.
fn fitted(width: u32, height: u32, max_height: u32) -> (u32, u32) {
    let even = |size: u64| u32::try_from(size & !1).unwrap_or(2).max(2);
    if height <= max_height {
        return (even(width.into()), even(height.into()));
    }
    let scaled = u64::from(width) * u64::from(max_height) / u64::from(height.max(1));
    (even(scaled), even(max_height.into()))
}

/// Sound on its way.
pub(super) struct AudioOut {
    pub(super) from: usize,
    pub(super) time_base: Rational,
    to: usize,
    start_ms: i64,
    decoder: decoder::Audio,
    encoder: encoder::Audio,
    rate: u32,
    channels: usize,
    /// Interleaved samples that don't fill a frame yet.
    waiting: Vec<f32>,
    /// Samples a channel that went out.
    sent: i64,
    decoded: Vec<f32>,
}

impl AudioOut {
    /// Sound that can be decoded and that AAC has a rate for; else the copy goes without.
    pub(super) fn new(stream: &Stream<'_>, output: &mut Output, start_ms: i64) -> Option<Self> {
        let mut decoder = codec::Context::from_parameters(stream.parameters())
            .ok()?
            .decoder();
        decoder.set_packet_time_base(stream.time_base());
        let decoder = decoder.audio().ok()?;
        let rate = decoder.rate();
        if !AAC_RATES.contains(&rate) {
            return None;
        }
        let mono = crate::raw::shape(&stream.parameters()).channels <= 1;
        let codec = encoder::find(codec::Id::AAC)?;
        let mut wanted = codec::Context::new_with_codec(codec).encoder().audio().ok()?;
        wanted.set_rate(i32::try_from(rate).ok()?);
        wanted.set_channel_layout(if mono {
            ChannelLayout::MONO
        } else {
            ChannelLayout::STEREO
        });
        wanted.set_format(format::Sample::F32(format::sample::Type::Planar));
        wanted.set_bit_rate(AUDIO_BITS);
        wanted.set_time_base(Rational(1, i32::try_from(rate).ok()?));
        wanted.set_flags(codec::Flags::GLOBAL_HEADER);
        let encoder = wanted.open_as(codec).ok()?;
        let mut out = output.add_stream(codec).ok()?;
        out.set_parameters(&encoder);
        Some(AudioOut {
            from: stream.index(),
            time_base: stream.time_base(),
            to: out.index(),
            start_ms,
            decoder,
            encoder,
            rate,
            channels: if mono { 1 } else { 2 },
            waiting: Vec::new(),
            sent: 0,
            decoded: Vec::new(),
        })
    }

    /// Takes a packet, or the end.
    pub(super) fn packet(&mut self, packet: Option<&Packet>, output: &mut Output) -> Result<(), Error> {
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(packet),
            None => self.decoder.send_eof(),
        };
        if sent.is_ok() {
            let mut sound = frame::Audio::empty();
            while self.decoder.receive_frame(&mut sound).is_ok() {
                self.sound(&sound);
                self.full_frames(output)?;
            }
        }
        if packet.is_none() {
            self.encoder.send_eof()?;
            self.drain(output)?;
        }
        Ok(())
    }

    fn sound(&mut self, sound: &frame::Audio) {
        if sound.rate() != self.rate {
            return;
        }
        if let Some(time) = sound.timestamp() {
            let there = self.sent + (self.waiting.len() / self.channels) as i64;
            let there_ms = there * 1_000 / i64::from(self.rate);
            let missing_ms = ms(time, self.time_base) - self.start_ms - there_ms;
            // Sound that is late by more than a few frames would drift from the picture.
            if missing_ms > 200 {
                let samples = missing_ms.min(SILENCE_MS) * i64::from(self.rate) / 1_000;
                let count = usize::try_from(samples).unwrap_or_default() * self.channels;
                self.waiting.resize(self.waiting.len() + count, 0.0);
            }
        }
        self.decoded.clear();
        let (channels, _) = crate::raw::interleaved(sound, &mut self.decoded);
        let channels = channels.max(1) as usize;
        for sample in self.decoded.chunks_exact(channels) {
            let left = sample[0];
            let right = sample.get(1).copied().unwrap_or(left);
            // The middle of a surround recording is where people speak.
            let middle = if channels > 2 { sample[2] * 0.7 } else { 0.0 };
            if self.channels == 1 {
                self.waiting.push(left);
            } else {
                self.waiting.push((left + middle).clamp(-1.0, 1.0));
                self.waiting.push((right + middle).clamp(-1.0, 1.0));
            }
        }
    }

    fn full_frames(&mut self, output: &mut Output) -> Result<(), Error> {
        let size = match self.encoder.frame_size() {
            0 => 1_024,
            size => size as usize,
        };
        let layout = if self.channels == 1 {
            ChannelLayout::MONO
        } else {
            ChannelLayout::STEREO
        };
        let whole = self.waiting.len() / (size * self.channels) * size * self.channels;
        let samples: Vec<f32> = self.waiting.drain(..whole).collect();
        for piece in samples.chunks_exact(size * self.channels) {
            let mut sound =
                frame::Audio::new(format::Sample::F32(format::sample::Type::Planar), size, layout);
            sound.set_rate(self.rate);
            for channel in 0..self.channels {
                let plane = sound.plane_mut::<f32>(channel);
                for (to, from) in plane
                    .iter_mut()
                    .zip(piece.iter().skip(channel).step_by(self.channels))
                {
                    *to = *from;
                }
            }
            sound.set_pts(Some(self.sent));
            self.sent += size as i64;
            self.encoder.send_frame(&sound)?;
            self.drain(output)?;
        }
        Ok(())
    }

    fn drain(&mut self, output: &mut Output) -> Result<(), Error> {
        loop {
            let mut packet = Packet::empty();
            if self.encoder.receive_packet(&mut packet).is_err() {
                return Ok(());
            }
            write(
                &mut packet,
                self.to,
                Rational(1, i32::try_from(self.rate).unwrap_or(1)),
                output,
            )?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn sizes_are_even_and_never_larger() {
        assert_eq!(fitted(1_920, 1_080, 480), (852, 480));
        assert_eq!(fitted(321, 241, 480), (320, 240));
        assert_eq!(fitted(1, 1, 480), (2, 2));
        assert_eq!(fitted(3, 10_000, 480), (2, 480));
    }
}
