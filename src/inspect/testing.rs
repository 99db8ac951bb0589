//! Inspectors for tests of what stands around the gate: they look at nothing and say what they were told to.

use super::{
    gate::{Inspector, Looked, Seen},
    report::{Audio, Media, Page, Report, Scan, Tier, Video},
    wire::Source,
    workers::is_recording,
};
use std::sync::Mutex;

/// Finds nothing wrong with anything.
pub(crate) struct Passes;

/// Says what it is told to, the last word again and again.
pub(crate) struct Says(pub(crate) Mutex<Vec<Looked>>);

impl Inspector for Passes {
    fn inspect(&self, _: &mut dyn Source, size_bytes: u64, ext: &str) -> Looked {
        Ok(Seen::Report(Box::new(good(size_bytes, ext))))
    }
}

impl Inspector for Says {
    fn inspect(&self, _: &mut dyn Source, _: u64, _: &str) -> Looked {
        let mut said = self.0.lock().unwrap();
        if said.len() > 1 {
            said.remove(0)
        } else {
            said[0].clone()
        }
    }
}

/// The report of a file that nothing is wrong with.
pub(crate) fn good(size_bytes: u64, ext: &str) -> Report {
    let mut report = Report::new("a test", Tier::Gate, ext, size_bytes);
    if is_recording(ext) {
        report.media = Some(Media {
            declared_ms: Some(300_000),
            measured_ms: 300_000,
            bit_rate: 1_000_000,
            video: vec![Video {
                codec: "h264".to_owned(),
                width: 1_280,
                height: 720,
                frame_rate_milli: 25_000,
                duration_ms: 300_000,
                packets: 7_500,
                key_frames: 30,
                key_frames_decoded: 30,
                ..Video::default()
            }],
            audio: vec![Audio {
                codec: "aac".to_owned(),
                sample_rate_hz: 48_000,
                channels: 2,
                duration_ms: 300_000,
                packets: 14_000,
                ..Audio::default()
            }],
            ..Media::default()
        });
    } else {
        report.scan = Some(Scan {
            page_count: 1,
            pages: vec![Page {
                width_px: 2_480,
                height_px: 3_508,
                dpi: Some(300),
                bits_per_pixel: 24,
                ..Page::default()
            }],
            ..Scan::default()
        });
    }
    report
}
