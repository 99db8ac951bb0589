//! Which recordings need a copy that browsers play, and taking that copy in.
//!
//! Browsers play H.264 with AAC or MP3 in MP4, and VP8, VP9 or AV1 with Opus or Vorbis in WebM. The same H.264 in another
//! container is moved into fragmented MP4; everything else is decoded and encoded again, small.

use super::{
    super::{
        report::{Media, Report},
        wire::{Picture, Plan, Sink},
    },
    Pause,
};
use crate::{
    blob::capacity,
    ingest::{Ingest, upload::Body},
};
use std::io;

/// Height of a copy that is encoded again, at the most; pixels.
const MAX_HEIGHT: u32 = 480;
/// What a copy may take beyond twice the original, bytes.
const SLACK_BYTES: u64 = 64 << 20;
/// Bytes after which the free space is asked for again.
const CAPACITY_STEP: u64 = 16 << 20;

/// How a copy of this recording is to be made; nothing where browsers play the original, or where there is no recording.
pub fn plan(report: &Report) -> Option<Plan> {
    let media = report.media.as_ref()?;
    if media.video.is_empty() && media.audio.is_empty() {
        return None;
    }
    match report.container.as_str() {
        "mp4" | "mov" if plays_in_mp4(media) => None,
        "webm" if plays_in_webm(media) => None,
        "mp3" if media.video.is_empty() => None,
        "wav" if media.video.is_empty() && all_audio(media, &["pcm_s16le", "pcm_u8"]) => None,
        "matroska" | "flv" | "mpeg_ts" if plays_in_mp4(media) => Some(Plan::Remux),
        _ => Some(Plan::Encode {
            max_height: MAX_HEIGHT,
        }),
    }
}

fn plays_in_mp4(media: &Media) -> bool {
    all_video(media, &["h264"]) && all_audio(media, &["aac", "mp3"])
}

fn plays_in_webm(media: &Media) -> bool {
    all_video(media, &["vp8", "vp9", "av1"]) && all_audio(media, &["opus", "vorbis"])
}

fn all_video(media: &Media, codecs: &[&str]) -> bool {
    media
        .video
        .iter()
        .all(|video| codecs.contains(&video.codec.as_str()))
}

fn all_audio(media: &Media, codecs: &[&str]) -> bool {
    media
        .audio
        .iter()
        .all(|audio| codecs.contains(&audio.codec.as_str()))
}

/// Takes a copy in as it is made: hashed and encrypted into a staged body. A crash leaves a body that nobody was promised,
/// which the next start removes.
pub(super) struct Copying<'a> {
    ingest: &'a Ingest,
    body: Body,
    limit_bytes: u64,
    asked_at: u64,
    /// The worker made more than a copy may have.
    pub(super) overrun: bool,
}

impl<'a> Copying<'a> {
    /// A copy of an original of `original_bytes`, into `body`.
    pub(super) fn new(ingest: &'a Ingest, body: Body, original_bytes: u64) -> Result<Self, Pause> {
        let copying = Copying {
            ingest,
            body,
            limit_bytes: original_bytes.saturating_mul(2).saturating_add(SLACK_BYTES),
            asked_at: 0,
            overrun: false,
        };
        match copying.room() {
            Ok(()) => Ok(copying),
            Err(error) => {
                copying.discard();
                Err(error.into())
            }
        }
    }

    /// Uploads come first: a copy never takes the reserve.
    fn room(&self) -> io::Result<()> {
        let found = capacity::capacity(&self.ingest.layout).map_err(io::Error::other)?;
        if found.available_bytes() < self.ingest.rules.reserve_bytes.saturating_add(CAPACITY_STEP) {
            return Err(io::Error::other(
                "the vault has only its reserve of free space left",
            ));
        }
        Ok(())
    }

    /// The body, to be completed.
    pub(super) fn into_body(self) -> Body {
        self.body
    }

    /// Removes what was taken in.
    pub(super) fn discard(self) {
        self.body.discard();
    }
}

impl Sink for Copying<'_> {
    fn picture(&mut self, _: Picture) -> io::Result<()> {
        self.overrun = true;
        Err(io::Error::other("a picture that nobody asked for"))
    }

    fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = self.body.length().saturating_add(bytes.len() as u64);
        if length > self.limit_bytes {
            self.overrun = true;
            return Err(io::Error::other("a copy far larger than its original"));
        }
        if length - self.asked_at >= CAPACITY_STEP {
            self.asked_at = length;
            self.room()?;
        }
        self.body.push(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::report::{Audio, Tier, Video};

    #[test]
    fn what_browsers_play_is_left_alone_and_the_rest_is_copied() {
        let encode = Some(Plan::Encode { max_height: 480 });
        type Case = (
            &'static str,
            &'static [&'static str],
            &'static [&'static str],
            Option<Plan>,
        );
        let table: [Case; 24] = [
            ("mp4", &["h264"], &["aac"], None),
            ("mov", &["h264"], &["aac"], None),
            ("mp4", &["h264"], &["mp3"], None),
            ("mp4", &["h264"], &[], None),
            ("mp4", &[], &["aac"], None),
            ("mp4", &["hevc"], &["aac"], encode),
            ("mov", &["h264"], &["pcm_s16le"], encode),
            ("mov", &["mjpeg"], &["pcm_s16le"], encode),
            ("mp4", &["mpeg4"], &["aac"], encode),
            ("mp4", &["h264", "mjpeg"], &["aac"], encode),
            ("matroska", &["h264"], &["aac"], Some(Plan::Remux)),
            ("matroska", &["h264"], &["mp3"], Some(Plan::Remux)),
            ("matroska", &["h264"], &["ac3"], encode),
            ("matroska", &["vp9"], &["opus"], encode),
            ("flv", &["h264"], &["aac"], Some(Plan::Remux)),
            ("flv", &["flv1"], &["mp3"], encode),
            ("mpeg_ts", &["h264"], &["aac"], Some(Plan::Remux)),
            ("mpeg_ps", &["mpeg2video"], &["mp2"], encode),
            ("asf", &["wmv3"], &["wmav2"], encode),
            ("avi", &["mpeg4"], &["mp3"], encode),
            ("avi", &["h264"], &["aac"], encode),
            ("webm", &["vp9"], &["opus"], None),
            ("wav", &[], &["pcm_s16le"], None),
            ("mp3", &[], &["mp3"], None),
        ];
        for (container, video, audio, expected) in table {
            let mut report = Report::new("test", Tier::Gate, container, 1);
            report.media = Some(Media {
                video: video
                    .iter()
                    .map(|codec| Video {
                        codec: (*codec).to_owned(),
                        ..Video::default()
                    })
                    .collect(),
                audio: audio
                    .iter()
                    .map(|codec| Audio {
                        codec: (*codec).to_owned(),
                        ..Audio::default()
                    })
                    .collect(),
                ..Media::default()
            });
            assert_eq!(plan(&report), expected, "{container} {video:?} {audio:?}");
        }
        assert_eq!(plan(&Report::new("test", Tier::Gate, "mp4", 1)), None);
        let mut nothing = Report::new("test", Tier::Gate, "avi", 1);
        nothing.media = Some(Media::default());
        assert_eq!(plan(&nothing), None, "nothing to play in it");
    }
}
