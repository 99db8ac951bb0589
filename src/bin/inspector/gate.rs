//! The gate: structure, every packet, key frames. Fast enough to stand before a receipt.

use ffmpeg_next::Error;
use muniment::inspect::{
    report::{Fault, FaultCode, Report, Tier},
    wire::{Job, Worker},
};

use crate::{
    container,
    follow::Containers,
    input::{self, Recording},
    keyframes::{Budget, Decoding, KeyFrames},
    log::{self, Line},
    sound::{Heard, Listening},
    survey::Survey,
};

/// What libav says that a whole file may make it say, by a part of the text.
const HARMLESS: [&str; 8] = [
    // Decoding a key frame by itself.
    "mmco: unref short failure",
    "co located POCs unavailable",
    "reference picture missing during reorder",
    "Missing reference picture",
    "illegal short term buffer state",
    "Could not find ref with POC",
    // Tags in front of sound.
    "Header missing",
    "Skipping",
];

/// Begins a report; opens what can be opened.
pub(crate) fn open(
    worker: &Worker,
    job: &Job,
    tier: Tier,
) -> (Report, Option<(Recording<Containers>, Survey)>) {
    let head = container::head(worker);
    let mut report = Report::new(inspector(), tier, container::name(None, &head), job.size_bytes);
    if job.size_bytes == 0 {
        report.fault(Fault::new(FaultCode::Empty, "no bytes"));
        return (report, None);
    }
    container::walk(worker, &mut report, &job.ext, &head);
    let recording = match input::open_following(worker, &job.ext, Containers::new(job.size_bytes)) {
        Ok(recording) => recording,
        Err((error, follower)) => {
            container::check_extension(&mut report, &job.ext);
            if let Some(seen) = follower.and_then(Containers::finish) {
                container::followed(&mut report, &seen);
            }
            refused(&mut report, error);
            return (report, None);
        }
    };
    report.container = container::name(Some(recording.context.format().name()), &head).to_owned();
    container::check_extension(&mut report, &job.ext);
    // Errors of decoders while libav looks for the streams come from beginning in the middle; those of demuxers don't.
    let lines = log::take();
    let survey = Survey::new(&recording, &report.container, job.size_bytes);
    demuxer_faults(&mut report, &recording, &lines);
    if recording.context.nb_streams() as usize > survey.tracks.len() {
        let detail = format!("{} streams", recording.context.nb_streams());
        report.fault(Fault::new(FaultCode::LimitExceeded, detail));
    }
    (report, Some((recording, survey)))
}

/// Looks at a recording before its receipt.
pub(crate) fn inspect(worker: &Worker, job: &Job) -> Report {
    let (mut report, opened) = open(worker, job, Tier::Gate);
    let Some((mut recording, mut survey)) = opened else {
        return finished(report);
    };
    let mut decoding = None;
    let mut video_index = None;
    if let Some(track) = survey.main_video() {
        video_index = Some(track.index);
        match Decoding::start(|| track.parameters.clone(), track.time_base) {
            Ok(started) => decoding = Some(started),
            Err(error) => report.fault(undecodable(&track_name(track.index, "video"), error)),
        }
    }
    // Where there is nothing to see, everything that can be heard is decoded: it costs little and nothing else tells.
    let mut listening = match (video_index, survey.main_audio()) {
        (None, Some(track)) => Listening::start(track, None)
            .map_err(|error| {
                report.fault(undecodable(&track_name(track.index, "audio"), error));
            })
            .ok(),
        _ => None,
    };
    let pixels = survey.main_video().map_or(0, |track| {
        u64::from(track.shape.width) * u64::from(track.shape.height)
    });
    let mut budget = Budget::new(job.size_bytes, pixels);
    let mut seen_bytes = 0;
    while let Some(packet) = recording.next() {
        let at_ms = survey.packet(&packet).unwrap_or(0);
        log::set_time(at_ms);
        let bytes = packet.size() as u64;
        seen_bytes += bytes;
        if Some(packet.stream()) == video_index
            && packet.is_key()
            && let Some(decoding) = &mut decoding
        {
            if budget.allows(seen_bytes, bytes) {
                decoding.decode(packet, at_ms);
            }
        } else if let Some(listening) = &mut listening {
            listening.packet(packet, at_ms);
        }
    }
    let keys = decoding.map(Decoding::finish);
    let heard = listening.map(Listening::finish);
    conclude(&mut report, recording, &survey);
    if let Some(keys) = keys {
        key_faults(&mut report, &keys);
    }
    if let Some(heard) = heard {
        sound_faults(&mut report, &heard);
    }
    finished(report)
}

fn track_name(index: usize, medium: &str) -> String {
    format!("stream {index} ({medium})")
}

/// A stream that no decoder takes.
pub(crate) fn undecodable(who: &str, error: Error) -> Fault {
    match error {
        Error::DecoderNotFound => Fault::new(
            FaultCode::Unsupported,
            format!("{who}: a codec that isn't decoded here"),
        ),
        error => Fault::new(FaultCode::Undecodable, format!("{who}: {error}")),
    }
}

/// After the last packet: the demuxer's and decoders' complaints, the container's end, the streams.
pub(crate) fn conclude(report: &mut Report, recording: Recording<Containers>, survey: &Survey) {
    let lines = log::take();
    demuxer_faults(report, &recording, &lines);
    for line in lines
        .iter()
        .filter(|line| !of_demuxer(&recording, line) && !harmless(line))
    {
        let mut fault = Fault::new(FaultCode::DecodeError, format!("{}: {}", line.who, line.text));
        fault.at_ms = line.at_ms;
        report.fault(fault);
    }
    if recording.failed_reads > 0 {
        let detail = format!("{} reads failed", recording.failed_reads);
        report.fault(Fault::new(FaultCode::DataMissing, detail));
    }
    survey.finish(report);
    if let Some(seen) = recording.follow_to_the_end().and_then(Containers::finish) {
        container::followed(report, &seen);
    }
    let media = report.media.as_ref();
    let empty = media.is_none_or(|media| {
        media.video.iter().all(|video| video.packets == 0)
            && media.audio.iter().all(|audio| audio.packets == 0)
    });
    if empty {
        report.fault(Fault::new(FaultCode::DataMissing, "no packets of video or audio"));
    }
}

/// Sound that didn't decode.
pub(crate) fn sound_faults(report: &mut Report, heard: &Heard) {
    if heard.damaged > 0 {
        let mut fault = Fault::new(FaultCode::DecodeError, "audio that doesn't decode");
        fault.at_ms = heard.damaged_first_ms;
        fault.count = u32::try_from(heard.damaged).unwrap_or(u32::MAX);
        report.fault(fault);
    }
    let packets = report
        .media
        .as_ref()
        .and_then(|media| media.audio.first())
        .map_or(0, |audio| audio.packets);
    if heard.frames == 0 && packets > 0 {
        report.fault(Fault::new(FaultCode::Undecodable, "no frame of audio"));
    }
}

fn key_faults(report: &mut Report, keys: &KeyFrames) {
    if let Some(video) = report.media.as_mut().and_then(|media| media.video.first_mut()) {
        video.key_frames_decoded = keys.decoded;
    }
    if keys.damaged > 0 {
        let detail = format!("{} of {} key frames", keys.damaged, keys.tried);
        let mut fault = Fault::new(FaultCode::DecodeError, detail);
        fault.at_ms = keys.damaged_ms.first().copied();
        fault.count = u32::try_from(keys.damaged).unwrap_or(u32::MAX);
        report.fault(fault);
    }
    if keys.tried > 0 && keys.decoded == 0 {
        let detail = format!("none of {} key frames", keys.tried);
        report.fault(Fault::new(FaultCode::Undecodable, detail));
    }
    if keys.tried == 0 {
        report.fault(Fault::new(FaultCode::Undecodable, "no key frame"));
    }
}

fn of_demuxer(recording: &Recording<Containers>, line: &Line) -> bool {
    line.who == recording.context.format().name()
}

fn harmless(line: &Line) -> bool {
    HARMLESS.iter().any(|text| line.text.contains(text))
}

fn demuxer_faults(report: &mut Report, recording: &Recording<Containers>, lines: &[Line]) {
    for line in lines
        .iter()
        .filter(|line| of_demuxer(recording, line) && !harmless(line))
    {
        let mut fault = Fault::new(FaultCode::DataMissing, format!("{}: {}", line.who, line.text));
        fault.at_ms = line.at_ms;
        report.fault(fault);
    }
}

/// What libav's refusal to open means, as far as the walk hasn't said it.
fn refused(report: &mut Report, error: Error) {
    let lines = log::take();
    let said = |text: &str| lines.iter().any(|line| line.text.contains(text));
    let known = report.faults.iter().any(|fault| {
        matches!(
            fault.code,
            FaultCode::WrongExtension
                | FaultCode::Unreadable
                | FaultCode::Truncated
                | FaultCode::IndexMissing
        )
    });
    if said("moov atom not found") && report.container != "unknown" && !known {
        report.fault(Fault::new(FaultCode::IndexMissing, "moov atom not found"));
    } else if !known {
        let detail = lines
            .first()
            .map_or_else(|| error.to_string(), |line| format!("{error}: {}", line.text));
        report.fault(Fault::new(FaultCode::Unreadable, detail));
    }
}

/// The gravest faults first.
pub(crate) fn finished(mut report: Report) -> Report {
    report.faults.sort_by_key(|fault| fault.code);
    report
}

fn inspector() -> String {
    let version = ffmpeg_next::codec::version();
    format!(
        "muniment-inspector {}, libavcodec {}.{}.{}",
        env!("CARGO_PKG_VERSION"),
        version >> 16,
        version >> 8 & 0xFF,
        version & 0xFF
    )
}
