//! Recordings: streams, lengths, and what a full decode measured.

use super::{Hits, shown};
use crate::{
    domain::{
        doctype::Rule,
        finding::{Code, Severity},
    },
    inspect::report::{Deep, Media, Stretches},
};

/// Lengths that lie closer than this are one length: the last packet of one stream is never that of the other.
const SAME_LENGTH_MS: i64 = 2_000;
/// Stretches that a finding names at the most.
const MAX_STRETCHES: usize = 3;

impl Hits<'_> {
    /// Holds a recording against the type. `place` is the member of a bundle it is, or nothing.
    pub(super) fn media(&mut self, media: &Media, place: &str, decode_error_told: bool) {
        let seen_ms = media
            .video
            .iter()
            .filter(|video| video.packets > 0)
            .map(|video| video.duration_ms)
            .max();
        let heard_ms = media
            .audio
            .iter()
            .filter(|audio| audio.packets > 0)
            .map(|audio| audio.duration_ms)
            .max();
        if seen_ms.is_none() {
            self.set(Code::NoVideo, place, &streams(media.video.len(), "video"), "≥ 1");
        }
        if heard_ms.is_none() {
            self.set(Code::NoAudio, place, &streams(media.audio.len(), "audio"), "≥ 1");
        }
        self.length(Rule::ShortestSeconds, media.measured_ms, place);
        self.length(Rule::LongestSeconds, media.measured_ms, place);
        self.picture(media, place);
        self.lengths(media.declared_ms, seen_ms, heard_ms, place);
        if let Some(deep) = &media.deep {
            self.seen(deep, seen_ms.unwrap_or(media.measured_ms), place);
            self.heard(deep, heard_ms, place);
            if deep.damaged_frames > 0 && !decode_error_told {
                let found = format!("{} damaged frames", deep.damaged_frames);
                self.set(Code::DecodeError, place, &found, "");
            }
        }
    }

    fn length(&mut self, rule: Rule, measured_ms: i64, place: &str) {
        let least = rule == Rule::ShortestSeconds;
        let broken = self.doctype.limit(rule).broken(|seconds| {
            let limit_ms = seconds.saturating_mul(1_000);
            if least {
                measured_ms < limit_ms
            } else {
                measured_ms > limit_ms
            }
        });
        if let Some((severity, seconds)) = broken {
            let sign = if least { "≥" } else { "≤" };
            let expected = format!("{sign} {}", shown::length(seconds.saturating_mul(1_000)));
            self.add(
                rule.code(),
                severity,
                place,
                &shown::length(measured_ms),
                &expected,
            );
        }
    }

    fn picture(&mut self, media: &Media, place: &str) {
        let largest = media
            .video
            .iter()
            .filter(|video| video.packets > 0)
            .max_by_key(|video| u64::from(video.width) * u64::from(video.height));
        let Some(video) = largest else { return };
        let short = u64::from(video.width.min(video.height));
        let under = |limit: i64| u64::try_from(limit).is_ok_and(|limit| short < limit);
        if let Some((severity, limit)) = self.doctype.limit(Rule::VideoShortSidePx).broken(under) {
            let found = format!("{}x{} px", video.width, video.height);
            let expected = format!("≥ {limit} px");
            self.add(Code::ResolutionLow, severity, place, &found, &expected);
        }
        let milli = i64::from(video.frame_rate_milli);
        let slower = |limit: i64| milli < limit.saturating_mul(1_000);
        if let Some((severity, limit)) = self.doctype.limit(Rule::FramesPerSecond).broken(slower) {
            let found = shown::tenths(milli / 100, "fps");
            self.add(
                Code::FrameRateLow,
                severity,
                place,
                &found,
                &format!("≥ {limit} fps"),
            );
        }
    }

    /// Whether container, picture and sound tell of one length.
    fn lengths(
        &mut self,
        declared_ms: Option<i64>,
        seen_ms: Option<i64>,
        heard_ms: Option<i64>,
        place: &str,
    ) {
        let named = [("file", declared_ms), ("video", seen_ms), ("audio", heard_ms)];
        let known: Vec<(&str, i64)> = named
            .into_iter()
            .filter_map(|(name, length)| Some((name, length.filter(|length| *length > 0)?)))
            .collect();
        let (Some(longest), Some(shortest)) = (
            known.iter().map(|(_, length)| *length).max(),
            known.iter().map(|(_, length)| *length).min(),
        ) else {
            return;
        };
        let apart = longest - shortest;
        if apart < SAME_LENGTH_MS {
            return;
        }
        let further = |percent: i64| passes(apart, longest, percent);
        if let Some((severity, limit)) = self.doctype.limit(Rule::LengthDiffersPercent).broken(further) {
            let found: Vec<String> = known
                .iter()
                .map(|(name, length)| format!("{name} {}", shown::length(*length)))
                .collect();
            let expected = format!("≤ {limit} %");
            self.add(
                Code::DurationMismatch,
                severity,
                place,
                &found.join(", "),
                &expected,
            );
        }
    }

    fn seen(&mut self, deep: &Deep, length_ms: i64, place: &str) {
        let kinds = [
            (Rule::BlackPercent, Rule::BlackSeconds, &deep.black),
            (Rule::FrozenPercent, Rule::FrozenSeconds, &deep.frozen),
            (Rule::DarkPercent, Rule::DarkSeconds, &deep.underexposed),
            (Rule::BrightPercent, Rule::BrightSeconds, &deep.overexposed),
        ];
        for (share, longest, stretches) in kinds {
            self.stretches(share, longest, stretches, length_ms, place);
        }
    }

    fn heard(&mut self, deep: &Deep, length_ms: Option<i64>, place: &str) {
        // Without sound there is `no_audio`, and nothing to measure.
        let Some(length_ms) = length_ms else { return };
        self.stretches(
            Rule::SilentPercent,
            Rule::SilentSeconds,
            &deep.silent,
            length_ms,
            place,
        );
        let clipped = i64::from(deep.clipped_ppm);
        let over = |percent: i64| clipped > percent.saturating_mul(10_000);
        if let Some((severity, limit)) = self.doctype.limit(Rule::ClippedPercent).broken(over) {
            let found = shown::percent(clipped, 1_000_000);
            self.add(Code::Clipped, severity, place, &found, &format!("≤ {limit} %"));
        }
        let Some(loudness) = deep.loudness_lufs_centi.map(i64::from) else {
            return;
        };
        let quieter = |limit: i64| loudness < limit.saturating_mul(100);
        if let Some((severity, limit)) = self.doctype.limit(Rule::QuietestLufs).broken(quieter) {
            let found = shown::tenths(loudness.div_euclid(10), "LUFS");
            self.add(
                Code::LoudnessLow,
                severity,
                place,
                &found,
                &format!("≥ {limit} LUFS"),
            );
        }
    }

    /// Stretches of one kind: all of them as a share, and the longest.
    fn stretches(&mut self, share: Rule, longest: Rule, kind: &Stretches, length_ms: i64, place: &str) {
        let total_ms = kind.total_ms.max(0);
        let mut broken: Vec<(Severity, String, String)> = Vec::new();
        if length_ms > 0
            && let Some((severity, limit)) = self
                .doctype
                .limit(share)
                .broken(|percent| passes(total_ms, length_ms, percent))
        {
            let (percent, of) = (
                shown::percent(total_ms.min(length_ms), length_ms),
                shown::length(length_ms),
            );
            let found = format!("{percent} ({} of {of})", shown::length(total_ms.min(length_ms)));
            broken.push((severity, found, format!("≤ {limit} %")));
        }
        let longest_ms = kind
            .first
            .iter()
            .map(|stretch| stretch.to_ms.saturating_sub(stretch.from_ms))
            .max();
        if let Some(longest_ms) = longest_ms
            && let Some((severity, limit)) = self
                .doctype
                .limit(longest)
                .broken(|seconds| longest_ms > seconds.saturating_mul(1_000))
        {
            let found = format!("longest {}", shown::length(longest_ms));
            let expected = format!("longest ≤ {}", shown::length(limit.saturating_mul(1_000)));
            broken.push((severity, found, expected));
        }
        let mut at: Vec<String> = kind
            .first
            .iter()
            .take(MAX_STRETCHES)
            .map(shown::stretch)
            .collect();
        if kind.first.len() > MAX_STRETCHES {
            at.push("…".to_owned());
        }
        let at = at.join(" ");
        let place = match (place.is_empty(), at.is_empty()) {
            (true, _) => at,
            (false, true) => place.to_owned(),
            (false, false) => format!("{place}, {at}"),
        };
        for (severity, found, expected) in broken {
            self.add(share.code(), severity, &place, &found, &expected);
        }
    }
}

/// Whether a part is more than so many per cent of a whole.
fn passes(part: i64, whole: i64, percent: i64) -> bool {
    i128::from(part) * 100 > i128::from(whole) * i128::from(percent)
}

fn streams(count: usize, what: &str) -> String {
    match count {
        0 => format!("0 {what} streams"),
        count => format!("{count} {what} streams without data"),
    }
}
