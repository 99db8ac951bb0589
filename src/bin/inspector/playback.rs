//! Playback copies: what a browser plays, as fragmented MP4 in pieces to the parent.
//!
//! A remux takes the streams as they are; an encode makes H.264 and AAC of them. Memory is constant in the length: packets
//! go out as they come. It never replaces an original: whoever asked for it marks it as derived.

mod encode;

use crate::input::{self, Recording};
use encode::{AudioOut, VideoOut};
use ffmpeg_next::{
    Dictionary, Error, Packet, Rational, codec, encoder, format,
    format::context::{Output, StreamIo},
    media,
};
use muniment::inspect::{
    report::printable,
    wire::{Answer, Job, Plan, Worker},
};
use std::io::{self, Write};

/// Bytes that libav gathers before they go out.
const BUFFER_BYTES: usize = 256 * 1024;

/// Makes the copy that the plan asks for.
pub(crate) fn make(worker: &Worker, job: &Job, plan: Plan) -> Answer {
    let made = match plan {
        Plan::Remux => remux(worker, job),
        Plan::Encode { max_height } => encode(worker, job, max_height),
    };
    made.unwrap_or_else(|detail| Answer::Failed {
        detail: printable(&detail),
    })
}

/// The way out: pieces over the socket.
struct Pieces(Worker);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.output(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn output(worker: &Worker) -> Result<Output, Error> {
    let io = StreamIo::from_write_with_capacity(Pieces(worker.second()), BUFFER_BYTES)?;
    format::output_to_stream(io, None, Some("mp4"))
}

fn write_header(output: &mut Output) -> Result<(), Error> {
    let mut options = Dictionary::new();
    options.set("movflags", "frag_keyframe+empty_moov+default_base_moof");
    output.write_header_with(options).map(drop)
}

fn failed(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error}")
}

/// The best stream of a kind.
fn best<F: input::Follower>(recording: &Recording<F>, medium: media::Type) -> Option<usize> {
    recording
        .context
        .streams()
        .best(medium)
        .map(|stream| stream.index())
}

fn remux(worker: &Worker, job: &Job) -> Result<Answer, String> {
    let mut recording = input::open(worker, &job.ext).map_err(failed("opening"))?;
    let wanted = [media::Type::Video, media::Type::Audio].map(|medium| best(&recording, medium));
    let mut output = output(worker).map_err(failed("the copy"))?;
    let mut routes = Vec::new();
    let (mut width, mut height) = (0, 0);
    for from in wanted.into_iter().flatten() {
        let stream = recording.context.stream(from).ok_or("a stream went away")?;
        let shape = crate::raw::shape(&stream.parameters());
        if Some(from) == wanted[0] {
            (width, height) = (shape.width, shape.height);
        }
        let time_base = stream.time_base();
        let mut out = output
            .add_stream(encoder::find(codec::Id::None))
            .map_err(failed("a stream"))?;
        out.set_parameters(stream.parameters());
        crate::raw::forget_tag(&mut out);
        routes.push((from, time_base));
    }
    if routes.is_empty() {
        return Err("it has neither video nor audio".to_owned());
    }
    write_header(&mut output).map_err(failed("the header"))?;
    let mut span = Span::default();
    while let Some(mut packet) = recording.next() {
        let Some(to) = routes.iter().position(|(from, _)| *from == packet.stream()) else {
            continue;
        };
        let Some(time_base) = output.stream(to).map(|stream| stream.time_base()) else {
            continue;
        };
        span.note(&packet, routes[to].1);
        packet.rescale_ts(routes[to].1, time_base);
        packet.set_position(-1);
        packet.set_stream(to);
        packet
            .write_interleaved(&mut output)
            .map_err(failed("a packet"))?;
    }
    output.write_trailer().map_err(failed("the end"))?;
    Ok(Answer::Made {
        duration_ms: span.length_ms(),
        width,
        height,
        audio: wanted[1].is_some(),
    })
}

/// From the first time to the last.
#[derive(Default)]
struct Span {
    first_ms: Option<i64>,
    end_ms: i64,
}

impl Span {
    fn note(&mut self, packet: &Packet, time_base: Rational) {
        let Some(time) = packet.pts().or(packet.dts()) else {
            return;
        };
        let at_ms = encode::ms(time, time_base);
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        self.end_ms = self.end_ms.max(at_ms + encode::ms(packet.duration(), time_base));
    }

    fn length_ms(&self) -> i64 {
        (self.end_ms - self.first_ms.unwrap_or_default()).max(0)
    }
}

fn encode(worker: &Worker, job: &Job, max_height: u32) -> Result<Answer, String> {
    let mut recording = input::open(worker, &job.ext).map_err(failed("opening"))?;
    let mut output = output(worker).map_err(failed("the copy"))?;
    let start_ms = recording
        .context
        .streams()
        .filter(|stream| stream.start_time() >= 0)
        .map(|stream| encode::ms(stream.start_time(), stream.time_base()))
        .min()
        .unwrap_or_default();
    let mut video =
        match best(&recording, media::Type::Video).and_then(|index| recording.context.stream(index)) {
            Some(stream) => {
                Some(VideoOut::new(&stream, &mut output, max_height, start_ms).map_err(failed("video"))?)
            }
            None => None,
        };
    let mut audio = best(&recording, media::Type::Audio)
        .and_then(|index| recording.context.stream(index))
        .and_then(|stream| AudioOut::new(&stream, &mut output, start_ms));
    if video.is_none() && audio.is_none() {
        return Err("it has neither video nor audio that can be decoded".to_owned());
    }
    write_header(&mut output).map_err(failed("the header"))?;
    let mut span = Span::default();
    while let Some(packet) = recording.next() {
        let index = packet.stream();
        if let Some(video) = video.as_mut().filter(|video| video.from == index) {
            span.note(&packet, video.time_base);
            video
                .packet(Some(&packet), &mut output)
                .map_err(failed("video"))?;
        } else if let Some(audio) = audio.as_mut().filter(|audio| audio.from == index) {
            span.note(&packet, audio.time_base);
            audio
                .packet(Some(&packet), &mut output)
                .map_err(failed("audio"))?;
        }
    }
    if let Some(video) = &mut video {
        video.packet(None, &mut output).map_err(failed("video"))?;
        if video.frames == 0 {
            return Err("no picture of it could be decoded".to_owned());
        }
    }
    if let Some(audio) = &mut audio {
        audio.packet(None, &mut output).map_err(failed("audio"))?;
    }
    output.write_trailer().map_err(failed("the end"))?;
    let (width, height) = video.as_ref().map_or((0, 0), |video| video.size);
    Ok(Answer::Made {
        duration_ms: span.length_ms(),
        width,
        height,
        audio: audio.is_some(),
    })
}
