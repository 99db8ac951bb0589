//! The pass that both tiers make over a recording: its streams, and every packet's place in time and payload.

use ffmpeg_next::{Packet, Rational, Rescale, codec::Parameters, media};
use muniment::inspect::report::{Audio, Fault, FaultCode, MAX_STREAMS, Media, Report, Video};

use crate::{
    input::{Follower, Recording, codec_name},
    payload::{self, Kind},
    raw::{self, Shape},
    timeline::Timeline,
};

/// Steps that aren't gaps: pictures may come seldom, sound may not.
const LEAST_VIDEO_GAP_MS: i64 = 2_000;
const LEAST_AUDIO_GAP_MS: i64 = 1_000;
/// A recording may be so much shorter than it says, and a stream than the other: this, or a part of the whole.
const SHORTER_MS: i64 = 1_000;
const SHORTER_PART: i64 = 50;
const APART_MS: i64 = 3_000;
const APART_PART: i64 = 20;
/// Parts of a DVD are cut wherever a gigabyte is full.
const DVD_PART_BYTES: std::ops::RangeInclusive<u64> = (1 << 30) - (1 << 20)..=1 << 30;
const MILLISECONDS: Rational = Rational(1, 1_000);

/// A stream while its packets go by.
pub(crate) struct Track {
    pub(crate) index: usize,
    pub(crate) medium: media::Type,
    pub(crate) time_base: Rational,
    pub(crate) parameters: Parameters,
    pub(crate) shape: Shape,
    /// A picture kept beside the sound (cover), not a recording of anything.
    attached: bool,
    codec: String,
    kind: Kind,
    /// Degrees clockwise.
    pub(crate) rotation: u32,
    frame_rate: Rational,
    timeline: Timeline,
    index_entries: u64,
    packets: u64,
    bytes: u64,
    key_frames: u64,
    damaged: u32,
    damaged_first: Option<(i64, &'static str)>,
    torn: u32,
}

/// All streams of a recording.
pub(crate) struct Survey {
    pub(crate) tracks: Vec<Track>,
    pub(crate) declared_ms: Option<i64>,
    container: String,
    created: Option<String>,
    size_bytes: u64,
}

/// In milliseconds; none when it can't be told.
pub(crate) fn milliseconds(time: i64, time_base: Rational) -> Option<i64> {
    if time_base.denominator() <= 0 || time_base.numerator() <= 0 {
        return None;
    }
    match time.rescale(time_base, MILLISECONDS) {
        i64::MIN | i64::MAX => None,
        time => Some(time),
    }
}

impl Survey {
    /// Of what libav found on opening.
    pub(crate) fn new<F: Follower>(recording: &Recording<F>, container: &str, size_bytes: u64) -> Self {
        let context = &recording.context;
        let tracks = context.streams().take(MAX_STREAMS).map(|stream| {
            // A copy of its own: what a stream gives out keeps the whole recording open.
            let parameters = stream.parameters().clone();
            let shape = raw::shape(&parameters);
            let medium = parameters.medium();
            let gap = if medium == media::Type::Audio {
                LEAST_AUDIO_GAP_MS
            } else {
                LEAST_VIDEO_GAP_MS
            };
            Track {
                index: stream.index(),
                medium,
                time_base: stream.time_base(),
                codec: codec_name(parameters.id()),
                kind: Kind::of(parameters.id(), &shape),
                rotation: raw::rotation(&stream),
                frame_rate: stream.avg_frame_rate(),
                attached: stream
                    .disposition()
                    .contains(ffmpeg_next::format::stream::Disposition::ATTACHED_PIC),
                timeline: Timeline::new(gap, medium == media::Type::Video),
                index_entries: raw::index_entries(&stream),
                packets: 0,
                bytes: 0,
                key_frames: 0,
                damaged: 0,
                damaged_first: None,
                torn: 0,
                shape,
                parameters,
            }
        });
        let created = context
            .metadata()
            .get("creation_time")
            .map(muniment::inspect::report::printable);
        let declared = context.duration();
        Survey {
            tracks: tracks.collect(),
            declared_ms: (declared > 0).then_some(declared / 1_000),
            container: container.to_owned(),
            created,
            size_bytes,
        }
    }

    /// The stream that is watched: the first with moving pictures.
    pub(crate) fn main_video(&self) -> Option<&Track> {
        self.tracks
            .iter()
            .find(|track| track.medium == media::Type::Video && !track.attached)
    }

    /// The stream that is heard.
    pub(crate) fn main_audio(&self) -> Option<&Track> {
        self.tracks
            .iter()
            .find(|track| track.medium == media::Type::Audio)
    }

    /// Takes a packet in and returns when it is shown, milliseconds.
    pub(crate) fn packet(&mut self, packet: &Packet) -> Option<i64> {
        let track = self.tracks.get_mut(packet.stream())?;
        let data = packet.data().unwrap_or_default();
        let time = |time: Option<i64>| time.and_then(|time| milliseconds(time, track.time_base));
        let (dts_ms, pts_ms) = (time(packet.dts()), time(packet.pts()));
        let shown_ms = pts_ms.or(dts_ms);
        if !track.attached {
            let duration_ms = milliseconds(packet.duration(), track.time_base).unwrap_or(0);
            track.timeline.packet(dts_ms, pts_ms, duration_ms);
        }
        track.packets += 1;
        track.bytes += data.len() as u64;
        track.key_frames += u64::from(packet.is_key());
        if packet.is_corrupt() {
            track.torn = track.torn.saturating_add(1);
        }
        if let Some(what) = payload::damage(&track.kind, data)
            && !(what == payload::CUT && DVD_PART_BYTES.contains(&self.size_bytes))
        {
            track.damaged = track.damaged.saturating_add(1);
            track.damaged_first.get_or_insert((shown_ms.unwrap_or(0), what));
        }
        shown_ms
    }

    /// Writes down what the pass has shown.
    pub(crate) fn finish(&self, report: &mut Report) {
        let mut media = Media {
            declared_ms: self.declared_ms,
            created: self.created.clone(),
            ..Media::default()
        };
        let (mut first_ms, mut end_ms) = (i64::MAX, 0);
        for track in &self.tracks {
            match track.medium {
                media::Type::Video if !track.attached => media.video.push(track.video()),
                media::Type::Audio => media.audio.push(track.audio()),
                _ => {
                    media.other_streams += 1;
                    continue;
                }
            }
            if let Some(first) = track.timeline.first_ms() {
                first_ms = first_ms.min(first);
                end_ms = end_ms.max(track.timeline.end_ms());
            }
            self.track_faults(track, report);
        }
        media.measured_ms = end_ms.saturating_sub(first_ms.min(end_ms));
        if media.measured_ms > 0 {
            media.bit_rate = (u128::from(self.size_bytes) * 8_000 / media.measured_ms as u128) as u64;
        }
        self.length_faults(&media, report);
        report.media = Some(media);
    }

    fn track_faults(&self, track: &Track, report: &mut Report) {
        let who = format!("stream {} ({})", track.index, track.codec);
        if let Some((at_ms, what)) = track.damaged_first {
            let mut fault = Fault::new(FaultCode::DataMissing, format!("{who}: {what}")).at_ms(at_ms);
            fault.count = track.damaged;
            report.fault(fault);
        }
        if track.torn > 0 {
            let mut fault = Fault::new(
                FaultCode::DataMissing,
                format!("{who}: packets that the demuxer calls corrupt"),
            );
            fault.count = track.torn;
            report.fault(fault);
        }
        if let Some(jump) = track.timeline.jumps.first() {
            let detail = format!("{who}: time jumps by {} ms", jump.by_ms);
            let mut fault = Fault::new(FaultCode::TimelineGap, detail).at_ms(jump.at_ms);
            fault.count = track.timeline.jump_count;
            report.fault(fault);
        }
        // The sample tables of MP4 list every packet; an edit list may leave some out, never add any.
        let listed = matches!(self.container.as_str(), "mp4" | "mov");
        if listed && track.packets < track.index_entries {
            let detail = format!("{who}: {} of {} packets", track.packets, track.index_entries);
            report.fault(Fault::new(FaultCode::DataMissing, detail));
        }
    }

    fn length_faults(&self, media: &Media, report: &mut Report) {
        if let Some(declared) = media.declared_ms
            && media.measured_ms + SHORTER_MS.max(declared / SHORTER_PART) < declared
        {
            let detail = format!("{} ms of {declared} ms declared", media.measured_ms);
            report.fault(Fault::new(FaultCode::TimelineGap, detail).at_ms(media.measured_ms));
        }
        let longest = |lengths: &mut dyn Iterator<Item = i64>| lengths.max();
        let video = longest(&mut media.video.iter().map(|video| video.duration_ms));
        let audio = longest(&mut media.audio.iter().map(|audio| audio.duration_ms));
        if let (Some(video), Some(audio)) = (video, audio)
            && (video - audio).abs() > APART_MS.max(video.max(audio) / APART_PART)
        {
            let detail = format!("{video} ms of video, {audio} ms of audio");
            report.fault(Fault::new(FaultCode::TimelineGap, detail).at_ms(video.min(audio)));
        }
    }
}

impl Track {
    fn bit_rate(&self) -> u64 {
        match (self.shape.bit_rate, self.timeline.length_ms()) {
            (0, length) if length > 0 => (u128::from(self.bytes) * 8_000 / length as u128) as u64,
            (declared, _) => declared,
        }
    }

    fn video(&self) -> Video {
        let length_ms = self.timeline.length_ms();
        let frame_rate = match (self.frame_rate.numerator(), self.frame_rate.denominator()) {
            (rate @ 1.., per @ 1..) => i64::from(rate) * 1_000 / i64::from(per),
            _ if length_ms > 0 => (self.packets.min(1 << 32) * 1_000_000) as i64 / length_ms,
            _ => 0,
        };
        Video {
            codec: self.codec.clone(),
            width: self.shape.width,
            height: self.shape.height,
            rotation: self.rotation,
            frame_rate_milli: u32::try_from(frame_rate).unwrap_or(0),
            bit_rate: self.bit_rate(),
            duration_ms: length_ms,
            packets: self.packets,
            key_frames: self.key_frames,
            ..Video::default()
        }
    }

    fn audio(&self) -> Audio {
        Audio {
            codec: self.codec.clone(),
            sample_rate_hz: self.shape.sample_rate_hz,
            channels: self.shape.channels,
            bit_rate: self.bit_rate(),
            duration_ms: self.timeline.length_ms(),
            packets: self.packets,
        }
    }
}
