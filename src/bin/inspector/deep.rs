//! Deep: everything decoded, measured and counted, with pictures on the way.

use ffmpeg_next::{Error, Packet, decoder, frame, util::error::EAGAIN};
use muniment::inspect::{
    report::{Deep, Fault, FaultCode, Report, Tier},
    wire::{Job, Measures, Worker},
};

use crate::{
    decoder as open, gate, log, luma::Sight, pictures::Pictures, raw, sound::Listening, survey::milliseconds,
};

const THREADS: usize = 2;

/// Looks at all of a recording.
pub(crate) fn inspect(worker: &mut Worker, job: &Job, measures: &Measures, mut pictures: Pictures) -> Report {
    let (mut report, opened) = gate::open(worker, job, Tier::Deep);
    let Some((mut recording, mut survey)) = opened else {
        return gate::finished(report);
    };
    let mut watching = None;
    if let Some(track) = survey.main_video() {
        match open::video(track.parameters.clone(), track.time_base, THREADS, false) {
            Ok(decoder) => watching = Some(Watching::new(decoder, track.index, track.time_base, measures)),
            Err(error) => report.fault(gate::undecodable("video", error)),
        }
        pictures.spread(survey.declared_ms, track.rotation);
    }
    let mut listening = None;
    if let Some(track) = survey.main_audio() {
        match Listening::start(track, Some(*measures)) {
            Ok(started) => listening = Some(started),
            Err(error) => report.fault(gate::undecodable("audio", error)),
        }
    }
    while let Some(packet) = recording.next() {
        let at_ms = survey.packet(&packet).unwrap_or(0);
        log::set_time(at_ms);
        match (&mut watching, &mut listening) {
            (Some(watching), _) if watching.index == packet.stream() => {
                watching.packet(&packet, at_ms, &mut pictures, worker);
            }
            (_, Some(listening)) => listening.packet(packet, at_ms),
            _ => {}
        }
    }
    if let Some(watching) = &mut watching {
        watching.end(&mut pictures, worker);
    }
    let heard = listening.map(Listening::finish);
    gate::conclude(&mut report, recording, &survey);
    let mut deep = Deep::default();
    if let Some(watching) = watching {
        watching.finish(&mut report, &mut deep);
    }
    if let Some(heard) = heard {
        gate::sound_faults(&mut report, &heard);
        deep.silent = heard.silent;
        deep.clipped_ppm = heard.clipped_ppm;
        deep.loudness_lufs_centi = heard.loudness_lufs_centi;
        deep.peak_dbfs_centi = heard.peak_dbfs_centi;
    }
    if let Some(media) = &mut report.media {
        media.deep = Some(deep);
    }
    gate::finished(report)
}

/// The decoder of pictures and what it has shown.
struct Watching {
    decoder: decoder::Opened,
    index: usize,
    time_base: ffmpeg_next::Rational,
    sight: Sight,
    frames: u64,
    damaged: u64,
    errors: u32,
    first_ms: Option<i64>,
}

impl Watching {
    fn new(
        decoder: decoder::Opened,
        index: usize,
        time_base: ffmpeg_next::Rational,
        measures: &Measures,
    ) -> Self {
        Watching {
            decoder,
            index,
            time_base,
            sight: Sight::new(measures),
            frames: 0,
            damaged: 0,
            errors: 0,
            first_ms: None,
        }
    }

    fn packet(&mut self, packet: &Packet, at_ms: i64, pictures: &mut Pictures, worker: &mut Worker) {
        log::set_time_of_others(at_ms);
        if self.decoder.send_packet(packet).is_err() {
            self.error(at_ms);
        }
        self.receive(at_ms, pictures, worker);
    }

    fn end(&mut self, pictures: &mut Pictures, worker: &mut Worker) {
        let _ = self.decoder.send_eof();
        self.receive(0, pictures, worker);
    }

    fn error(&mut self, at_ms: i64) {
        self.errors = self.errors.saturating_add(1);
        self.first_ms.get_or_insert(at_ms);
    }

    fn receive(&mut self, packet_ms: i64, pictures: &mut Pictures, worker: &mut Worker) {
        let mut frame = frame::Video::empty();
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    let at_ms = frame
                        .timestamp()
                        .and_then(|time| milliseconds(time, self.time_base));
                    let at_ms = at_ms.unwrap_or(packet_ms);
                    self.frames += 1;
                    if raw::concealed(&frame) {
                        self.damaged += 1;
                        self.first_ms.get_or_insert(at_ms);
                    }
                    let length = milliseconds(raw::duration(&frame), self.time_base).unwrap_or(0);
                    self.sight.frame(&frame, at_ms, length);
                    pictures.offer(&frame, at_ms, worker);
                }
                Err(Error::Eof | Error::Other { errno: EAGAIN }) => return,
                // One that can't be decoded; the decoder goes on with the next.
                Err(_) => return self.error(packet_ms),
            }
        }
    }

    fn finish(self, report: &mut Report, deep: &mut Deep) {
        let packets = report
            .media
            .as_ref()
            .and_then(|media| media.video.first())
            .map_or(0, |video| video.packets);
        if let Some(video) = report.media.as_mut().and_then(|media| media.video.first_mut()) {
            video.frames = self.frames;
        }
        if self.damaged > 0 || self.errors > 0 {
            let detail = format!(
                "{} damaged frames, {} packets that don't decode",
                self.damaged, self.errors
            );
            let mut fault = Fault::new(FaultCode::DecodeError, detail);
            fault.at_ms = self.first_ms;
            fault.count = u32::try_from(self.damaged)
                .unwrap_or(u32::MAX)
                .saturating_add(self.errors);
            report.fault(fault);
        }
        if self.frames == 0 && packets > 0 {
            report.fault(Fault::new(FaultCode::Undecodable, "no frame of video"));
        }
        deep.damaged_frames = self.damaged;
        self.sight.finish(deep);
    }
}
