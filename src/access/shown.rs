//! What of a version a browser can show, and as what.
//!
//! Invariant: only what an inspection has recognised, under a media type of the closed list here; never what a name or a sender says.

use super::reading::What;
use crate::{
    catalog::inspections::{Derived, InspectionRow},
    inspect::{
        deep::plan,
        outcome::Inspection,
        report::{FaultCode, Report},
    },
};

/// The form in which something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Moving pictures.
    Film,
    /// Sound alone.
    Sound,
    /// A picture.
    Picture,
    /// Pages.
    Pages,
}

/// What a browser can be given to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The original, or the copy made to be played.
    pub what: What,
    /// In which form.
    pub form: Form,
    /// Its media type.
    pub media_type: &'static str,
}

/// What of a version can be shown, by its inspections (oldest first) and the copies made from it; nothing where it can only be
/// taken away.
pub fn shown(inspections: &[InspectionRow], copies: &[Derived]) -> Option<Shown> {
    let mut reports = inspections
        .iter()
        .filter_map(|row| serde_json::from_str::<Inspection>(&row.whole).ok()?.report);
    let report = reports.next_back()?;
    original(&report).or_else(|| copies.iter().rev().find_map(copy))
}

fn original(report: &Report) -> Option<Shown> {
    // What starts something by itself isn't opened in anybody's browser.
    if report
        .faults
        .iter()
        .any(|fault| fault.code == FaultCode::ActiveContent)
    {
        return None;
    }
    let (form, media_type) = match report.container.as_str() {
        "jpeg" => (Form::Picture, "image/jpeg"),
        "png" => (Form::Picture, "image/png"),
        "pdf" => (Form::Pages, "application/pdf"),
        container => {
            let media = report.media.as_ref()?;
            if (media.video.is_empty() && media.audio.is_empty()) || plan(report).is_some() {
                return None;
            }
            match (container, media.video.is_empty()) {
                // QuickTime with such streams is what MP4 was made from; browsers know it by that name.
                ("mp4" | "mov", false) => (Form::Film, "video/mp4"),
                ("mp4" | "mov", true) => (Form::Sound, "audio/mp4"),
                ("webm", false) => (Form::Film, "video/webm"),
                ("webm", true) => (Form::Sound, "audio/webm"),
                ("mp3", true) => (Form::Sound, "audio/mpeg"),
                ("wav", true) => (Form::Sound, "audio/wav"),
                _ => return None,
            }
        }
    };
    Some(Shown {
        what: What::Original,
        form,
        media_type,
    })
}

fn copy(copy: &Derived) -> Option<Shown> {
    let is_film = copy.form == What::Playback.id() && copy.media_type == "video/mp4";
    is_film.then_some(Shown {
        what: What::Playback,
        form: Form::Film,
        media_type: "video/mp4",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::report::{Audio, Fault, Media, REPORT_VERSION, Tier, Video};

    fn report(container: &str, video: Option<&str>, audio: Option<&str>) -> Report {
        let media = Media {
            video: video
                .map(|codec| Video {
                    codec: codec.to_owned(),
                    ..Video::default()
                })
                .into_iter()
                .collect(),
            audio: audio
                .map(|codec| Audio {
                    codec: codec.to_owned(),
                    ..Audio::default()
                })
                .into_iter()
                .collect(),
            ..Media::default()
        };
        Report {
            v: REPORT_VERSION,
            inspector: String::new(),
            tier: Tier::Gate,
            container: container.to_owned(),
            size_bytes: 1,
            faults: Vec::new(),
            media: (video.is_some() || audio.is_some()).then_some(media),
            scan: None,
            bundle: None,
        }
    }

    fn row(report: Option<Report>) -> InspectionRow {
        let whole = Inspection {
            report,
            findings: Vec::new(),
            types_version: 1,
        };
        InspectionRow {
            leaf: 0,
            tier: "gate".to_owned(),
            verdict: "accepted".to_owned(),
            types_version: 1,
            findings: "[]".to_owned(),
            whole: serde_json::to_string(&whole).unwrap(),
        }
    }

    fn derived(form: &str, media_type: &str) -> Derived {
        Derived {
            leaf: 1,
            id: "d".to_owned(),
            evidence: "e".to_owned(),
            version: 1,
            form: form.to_owned(),
            media_type: media_type.to_owned(),
            size_bytes: 1,
            sha256: String::new(),
            stored_size_bytes: 1,
            stored_blake3: String::new(),
        }
    }

    #[test]
    fn what_a_browser_knows_is_shown_as_what_the_inspection_saw() {
        let (h264, aac) = (Some("h264"), Some("aac"));
        for (container, video, audio, expected) in [
            ("mp4", h264, aac, Some((Form::Film, "video/mp4"))),
            ("mov", h264, None, Some((Form::Film, "video/mp4"))),
            ("mp4", None, aac, Some((Form::Sound, "audio/mp4"))),
            (
                "webm",
                Some("vp9"),
                Some("opus"),
                Some((Form::Film, "video/webm")),
            ),
            ("mp3", None, Some("mp3"), Some((Form::Sound, "audio/mpeg"))),
            ("wav", None, Some("pcm_s16le"), Some((Form::Sound, "audio/wav"))),
            ("jpeg", None, None, Some((Form::Picture, "image/jpeg"))),
            ("png", None, None, Some((Form::Picture, "image/png"))),
            ("pdf", None, None, Some((Form::Pages, "application/pdf"))),
            ("mp4", Some("hevc"), aac, None),
            ("avi", Some("mpeg4"), aac, None),
            ("matroska", h264, aac, None),
            ("mp4", None, None, None),
            ("tiff", None, None, None),
            ("zip", None, None, None),
            ("unknown", None, None, None),
            ("text/html", None, None, None),
        ] {
            let found = shown(&[row(Some(report(container, video, audio)))], &[]);
            let found = found.map(|shown| {
                assert_eq!(shown.what, What::Original);
                (shown.form, shown.media_type)
            });
            assert_eq!(found, expected, "{container} {video:?} {audio:?}");
        }
    }

    #[test]
    fn a_copy_stands_in_for_what_browsers_dont_play() {
        let avi = || [row(Some(report("avi", Some("mpeg4"), None)))];
        let copies = [
            derived("contact_sheet", "image/jpeg"),
            derived("playback", "video/mp4"),
        ];
        let found = shown(&avi(), &copies).unwrap();
        assert_eq!((found.what, found.form), (What::Playback, Form::Film));
        assert_eq!(shown(&avi(), &copies[..1]), None);
        assert_eq!(shown(&avi(), &[derived("playback", "text/html")]), None);
    }

    #[test]
    fn what_nobody_looked_at_or_acts_by_itself_isnt_shown() {
        assert_eq!(shown(&[], &[derived("playback", "video/mp4")]), None);
        assert_eq!(shown(&[row(None)], &[]), None);
        let mut active = report("pdf", None, None);
        active.faults.push(Fault {
            code: FaultCode::ActiveContent,
            at_ms: None,
            at_byte: None,
            page: None,
            member: None,
            detail: String::new(),
            count: 1,
        });
        assert_eq!(shown(&[row(Some(active.clone()))], &[]), None);
        // The newest look that saw something counts.
        let rows = [row(Some(report("pdf", None, None))), row(Some(active)), row(None)];
        assert_eq!(shown(&rows, &[]), None);
    }
}
