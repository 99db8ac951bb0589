use super::*;
use crate::{
    domain::{
        doctype::{DEFAULT_TABLE, DocumentTypes},
        finding::Verdict,
    },
    inspect::report::{
        Audio, Bundle, Deep, Fault, Media, Member, Page, Scan, Stretch, Stretches, Tier, Video,
    },
};
use std::collections::BTreeSet;

/// Every fault code; the match below fails to compile when one is added, and then it belongs here.
const FAULTS: [FaultCode; 22] = [
    FaultCode::Empty,
    FaultCode::WrongExtension,
    FaultCode::Unreadable,
    FaultCode::Truncated,
    FaultCode::IndexMissing,
    FaultCode::DataMissing,
    FaultCode::TimelineGap,
    FaultCode::DecodeError,
    FaultCode::Undecodable,
    FaultCode::TrailingBytes,
    FaultCode::Encrypted,
    FaultCode::ActiveContent,
    FaultCode::Attachments,
    FaultCode::ArchiveBomb,
    FaultCode::ArchivePath,
    FaultCode::ArchiveLink,
    FaultCode::ArchiveNested,
    FaultCode::ArchiveDuplicate,
    FaultCode::ArchiveDamaged,
    FaultCode::MemberUnknown,
    FaultCode::LimitExceeded,
    FaultCode::Unsupported,
];

fn types() -> DocumentTypes {
    DocumentTypes::from_toml(DEFAULT_TABLE).unwrap()
}

/// The shipped table with lines added to a type's section.
fn with(code: &str, lines: &str) -> DocumentTypes {
    let section = format!("[type.{code}]");
    let text = DEFAULT_TABLE.replace(&section, &format!("{section}\n{lines}"));
    DocumentTypes::from_toml(&text).unwrap()
}

fn video() -> Report {
    let mut report = Report::new("test", Tier::Deep, "mp4", 40_000_000);
    report.media = Some(Media {
        declared_ms: Some(750_000),
        measured_ms: 750_000,
        video: vec![Video {
            codec: "h264".to_owned(),
            width: 1280,
            height: 720,
            frame_rate_milli: 25_000,
            duration_ms: 750_000,
            packets: 18_750,
            ..Video::default()
        }],
        audio: vec![Audio {
            codec: "aac".to_owned(),
            sample_rate_hz: 48_000,
            channels: 2,
            duration_ms: 750_000,
            packets: 35_000,
            ..Audio::default()
        }],
        deep: Some(Deep {
            loudness_lufs_centi: Some(-2_300),
            ..Deep::default()
        }),
        ..Media::default()
    });
    report
}

fn page() -> Page {
    Page {
        width_px: 2480,
        height_px: 3508,
        dpi: Some(300),
        bits_per_pixel: 24,
        ..Page::default()
    }
}

fn scan(pages: &[Page]) -> Report {
    let mut report = Report::new("test", Tier::Gate, "pdf", 400_000);
    report.scan = Some(Scan {
        page_count: u32::try_from(pages.len()).unwrap(),
        pages: pages.to_vec(),
        created: None,
    });
    report
}

fn found(report: &Report, code: &str) -> Vec<Finding> {
    judge(report, types().find(code).unwrap())
}

/// The one finding of a video that something was changed in.
#[track_caller]
fn only(change: impl FnOnce(&mut Media)) -> Finding {
    let mut report = video();
    change(report.media.as_mut().unwrap());
    let findings = found(&report, "WVID");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings[0].clone()
}

fn told(finding: &Finding) -> (&str, Severity, &str, &str, &str) {
    (
        &finding.code,
        finding.severity,
        &finding.place,
        &finding.found,
        &finding.expected,
    )
}

fn stretches(from_ms: i64, to_ms: i64) -> Stretches {
    Stretches {
        total_ms: to_ms - from_ms,
        first: vec![Stretch { from_ms, to_ms }],
    }
}

fn deep(media: &mut Media) -> &mut Deep {
    media.deep.get_or_insert_default()
}

#[test]
fn nothing_is_held_against_good_files() {
    assert_eq!(found(&video(), "WVID"), []);
    assert_eq!(found(&scan(&[page(), page()]), "AGR"), []);
    let mut bundle = Report::new("test", Tier::Gate, "zip", 4_000_000);
    bundle.bundle = Some(Bundle {
        member_count: 2,
        members: vec![
            Member {
                name: "正面.jpg".to_owned(),
                scan: scan(&[page()]).scan,
                ..Member::default()
            },
            Member {
                name: "v.mp4".to_owned(),
                media: video().media,
                ..Member::default()
            },
        ],
    });
    assert_eq!(found(&bundle, "ABND"), []);
}

#[test]
fn every_fault_is_a_finding_with_its_own_code_and_words_for_each_kind() {
    let mut seen = BTreeSet::new();
    for fault in FAULTS {
        for code in ["WVID", "WAUD", "AGR", "ABND"] {
            let mut report = Report::new("test", Tier::Gate, "unknown", 10_000);
            report.fault(Fault::new(fault, "").on_page(3));
            let types = with(code, "findings = { rotated = \"note\" }");
            let findings = judge(&report, types.find(code).unwrap());
            let own = findings
                .iter()
                .find(|finding| finding.code == faults::code_of(fault).text())
                .unwrap();
            assert_eq!(serde_json::to_value(fault).unwrap(), own.code.as_str());
            assert_eq!(own.place, "page 3");
            assert_eq!(own.found, own.code.replace('_', " "));
            // Something that doesn't say why there is nothing to look at doesn't excuse it.
            assert_eq!(
                findings.len(),
                if explains(fault) { 1 } else { 2 },
                "{findings:?}"
            );
            seen.insert(own.code.clone());
        }
    }
    assert_eq!(seen.len(), FAULTS.len());
}

#[test]
fn every_rule_is_a_finding_on_its_own_side_of_the_limit() {
    let limited = |rule: Rule, limit: i64, report: &Report| -> bool {
        let kind = ["WVID", "ABND", "AGR"]
            .into_iter()
            .find(|code| rule.applies_to(types().find(code).unwrap().kind))
            .unwrap();
        let kind = if report.scan.is_some() { "AGR" } else { kind };
        let text = DEFAULT_TABLE
            .lines()
            .filter(|line| !line.starts_with(rule.key()))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .replace(
                &format!("[type.{kind}]\n"),
                &format!("[type.{kind}]\n{} = {{ review = {limit} }}\n", rule.key()),
            );
        let types = DocumentTypes::from_toml(&text).unwrap();
        let findings = judge(report, types.find(kind).unwrap());
        let own = findings.iter().find(|finding| finding.code == rule.code().text());
        if let Some(own) = own {
            assert!(!own.found.is_empty() && !own.expected.is_empty(), "{own:?}");
            assert_eq!(own.severity, Severity::Review);
        }
        own.is_some()
    };
    let mut measured = video();
    let media = measured.media.as_mut().unwrap();
    media.declared_ms = Some(1_000_000);
    let part = stretches(0, 300_000);
    *deep(media) = Deep {
        black: part.clone(),
        frozen: part.clone(),
        underexposed: part.clone(),
        overexposed: part.clone(),
        silent: part,
        clipped_ppm: 400_001,
        loudness_lufs_centi: Some(-4_001),
        ..Deep::default()
    };
    let document = scan(&[page(), page(), page()]);
    // The last limit that holds, and the first that is passed.
    for rule in Rule::all() {
        let (report, holds, passed) = match rule {
            Rule::SmallestBytes => (&measured, 40_000_000, 40_000_001),
            Rule::ShortestSeconds => (&measured, 750, 751),
            Rule::LongestSeconds => (&measured, 750, 749),
            Rule::VideoShortSidePx => (&measured, 720, 721),
            Rule::FramesPerSecond => (&measured, 25, 26),
            Rule::LengthDiffersPercent => (&measured, 25, 24),
            Rule::BlackPercent
            | Rule::FrozenPercent
            | Rule::DarkPercent
            | Rule::BrightPercent
            | Rule::SilentPercent => (&measured, 40, 39),
            Rule::BlackSeconds
            | Rule::FrozenSeconds
            | Rule::DarkSeconds
            | Rule::BrightSeconds
            | Rule::SilentSeconds => (&measured, 300, 299),
            Rule::ClippedPercent => (&measured, 41, 40),
            Rule::QuietestLufs => (&measured, -41, -40),
            Rule::Dpi => (&document, 300, 301),
            Rule::PageShortSidePx => (&document, 2480, 2481),
            Rule::FewestPages => (&document, 3, 4),
            Rule::MostPages => (&document, 3, 2),
        };
        // The other limit of the same code would hide which of the two it was.
        let sibling = |rule: Rule| Rule::all().any(|other| other != rule && other.code() == rule.code());
        if !sibling(rule) {
            assert!(!limited(rule, holds, report), "{} holds", rule.key());
        }
        assert!(limited(rule, passed, report), "{} is passed", rule.key());
    }
}

#[test]
fn what_was_found_expected_and_where_is_told() {
    let silent = only(|media| media.audio.clear());
    assert_eq!(
        told(&silent),
        ("no_audio", Severity::Reject, "", "0 audio streams", "≥ 1")
    );
    assert!(silent.en.contains("microphone") && silent.zh.contains("麦克风"));
    let dead = only(|media| media.audio[0].packets = 0);
    assert_eq!(dead.found, "1 audio streams without data");
    let short = only(|media| {
        media.measured_ms = 42_500;
        media.declared_ms = Some(42_500);
        media.video[0].duration_ms = 42_500;
        media.audio[0].duration_ms = 42_400;
    });
    assert_eq!(
        told(&short),
        ("too_short", Severity::Review, "", "42.5 s", "≥ 01:00")
    );
    let half = only(|media| media.audio[0].duration_ms = 370_000);
    assert_eq!(
        told(&half),
        (
            "duration_mismatch",
            Severity::Reject,
            "",
            "file 12:30, video 12:30, audio 06:10",
            "≤ 50 %"
        )
    );
    let small = only(|media| (media.video[0].width, media.video[0].height) = (176, 200));
    assert_eq!(
        told(&small),
        ("resolution_low", Severity::Review, "", "176x200 px", "≥ 240 px")
    );
    let frozen = only(|media| deep(media).frozen = stretches(10_000, 310_000));
    assert_eq!(
        told(&frozen),
        (
            "frozen",
            Severity::Review,
            "00:10-05:10",
            "40 % (05:00 of 12:30)",
            "≤ 33 %"
        )
    );
    let black = only(|media| deep(media).black = stretches(0, 750_000));
    assert_eq!(black.severity, Severity::Reject);
    assert_eq!(black.found, "100 % (12:30 of 12:30); longest 12:30");
    assert_eq!(black.expected, "≤ 98 %; longest ≤ 02:00");
    let quiet = only(|media| deep(media).loudness_lufs_centi = Some(-5_210));
    assert_eq!(
        told(&quiet),
        ("loudness_low", Severity::Review, "", "-52.1 LUFS", "≥ -50 LUFS")
    );
    let damaged = only(|media| deep(media).damaged_frames = 17);
    assert_eq!(
        told(&damaged),
        ("decode_error", Severity::Review, "", "17 damaged frames", "")
    );
}

#[test]
fn a_third_that_is_frozen_is_found_and_an_end_a_packet_early_is_not() {
    let third = only(|media| deep(media).frozen = stretches(0, 250_000));
    assert_eq!(
        (third.code.as_str(), third.found.as_str()),
        ("frozen", "33.4 % (04:10 of 12:30)")
    );
    let mut report = video();
    report.media.as_mut().unwrap().audio[0].duration_ms -= 1_900;
    assert_eq!(found(&report, "WVID"), []);
}

#[test]
fn pages_are_named_and_what_they_share_is_one_finding() {
    let thin = Page {
        dpi: Some(96),
        ..page()
    };
    let blank = Page {
        blank: true,
        dpi: None,
        width_px: 0,
        height_px: 0,
        ..page()
    };
    let text = Page {
        vector: true,
        width_px: 0,
        height_px: 0,
        dpi: None,
        ..page()
    };
    let report = scan(&[page(), thin.clone(), blank, text, thin]);
    let findings = found(&report, "AGR");
    let told: Vec<_> = findings.iter().map(told).collect();
    assert_eq!(
        told,
        [
            (
                "dpi_low",
                Severity::Reject,
                "page 2; page 5",
                "96 dpi",
                "≥ 100 dpi"
            ),
            ("blank_page", Severity::Review, "page 3", "blank", ""),
        ]
    );
    let many: Vec<Page> = std::iter::repeat_n(
        Page {
            rotation: 90,
            ..page()
        },
        20,
    )
    .collect();
    let rotated = &found(&scan(&many), "AGR")[0];
    assert_eq!(
        rotated.place,
        "page 1; page 2; page 3; page 4; page 5; page 6; +14"
    );
    assert_eq!(
        (rotated.severity, rotated.found.as_str()),
        (Severity::Note, "90 degrees")
    );
}

#[test]
fn dpi_unknown_is_said_only_where_dpi_counts() {
    let phone = Page { dpi: None, ..page() };
    assert_eq!(
        found(&scan(std::slice::from_ref(&phone)), "AGR")[0].code,
        "dpi_unknown"
    );
    assert_eq!(found(&scan(&[phone]), "PHOTO"), []);
}

#[test]
fn the_members_of_a_bundle_are_judged_and_named() {
    let mut report = Report::new("test", Tier::Gate, "zip", 4_000_000);
    let blurred = Page {
        width_px: 300,
        height_px: 180,
        ..page()
    };
    let mut mute = video().media.unwrap();
    mute.audio.clear();
    report.bundle = Some(Bundle {
        member_count: 2,
        members: vec![
            Member {
                name: "扫描/正面.jpg".to_owned(),
                scan: scan(&[blurred]).scan,
                ..Member::default()
            },
            Member {
                name: "v.mp4".to_owned(),
                media: Some(mute),
                ..Member::default()
            },
        ],
    });
    let findings = found(&report, "ABND");
    let told: Vec<_> = findings
        .iter()
        .map(|f| (f.code.as_str(), f.severity, f.place.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("pixels_low", Severity::Reject, "扫描/正面.jpg"),
            ("no_audio", Severity::Review, "v.mp4")
        ]
    );
    let note = Member {
        name: "说明.txt".to_owned(),
        container: "unknown".to_owned(),
        ..Member::default()
    };
    report.bundle = Some(Bundle {
        member_count: 1,
        members: vec![note],
    });
    let code = |report: &Report| found(report, "ABND").remove(0).code;
    assert_eq!(code(&report), "empty", "a note isn't evidence");
    report.fault(Fault::new(FaultCode::MemberUnknown, "of a kind that isn't inspected").in_member("a.dav"));
    assert_eq!(code(&report), "member_unknown");
    report.faults.clear();
    report.bundle = Some(Bundle::default());
    assert_eq!(found(&report, "ABND")[0].code, "empty");
}

#[test]
fn a_report_that_says_nothing_is_not_taken_for_good() {
    for code in ["WVID", "WAUD", "AGR", "ABND"] {
        let findings = found(&Report::new("test", Tier::Gate, "unknown", 10_000), code);
        assert_eq!((findings.len(), findings[0].code.as_str()), (1, "unreadable"));
        assert_eq!(Verdict::of(&findings), Verdict::Rejected);
    }
}

#[test]
fn a_type_can_ignore_what_another_refuses() {
    let mut report = video();
    report.media.as_mut().unwrap().audio.clear();
    let types = with("WVID", "findings = { no_audio = \"ignore\" }");
    assert_eq!(judge(&report, types.find("WVID").unwrap()), []);
}

#[test]
fn a_rejection_carries_its_gravest_code_and_all_its_texts() {
    let mut report = video();
    report.fault(Fault::new(FaultCode::TrailingBytes, ""));
    report.fault(Fault::new(FaultCode::Truncated, "mdat").at_byte(77));
    report.media.as_mut().unwrap().audio.clear();
    let findings = found(&report, "WVID");
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["truncated", "no_audio", "trailing_bytes"]);
    assert_eq!(
        (findings[0].place.as_str(), findings[0].found.as_str()),
        ("byte 77", "mdat")
    );
    let reason = reason(&findings);
    assert_eq!(reason.code, "truncated");
    assert!(
        reason.en.contains("broke off")
            && reason.en.contains("microphone")
            && !reason.en.contains("after the end")
    );
    assert!(reason.zh.contains("不完整") && reason.zh.contains("麦克风"));
    assert_eq!(super::reason(&[malware("Eicar")]).code, "malware");
}

#[test]
fn every_code_has_sentences_in_both_languages_for_every_kind() {
    let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for code in Code::all() {
        for kind in Kind::ALL.map(Some).into_iter().chain([None]) {
            let (en, zh) = words::of(code, kind);
            let name = code.text();
            assert!(
                en.len() > 40 && en.is_ascii() && en.ends_with('.'),
                "{name}: {en}"
            );
            assert!(
                zh.chars().filter(|c| is_han(*c)).count() > 8 && zh.ends_with('。'),
                "{name}: {zh}"
            );
            for text in [&en, &zh] {
                assert!(
                    !text.contains(['{', '}', '\n']) && !text.contains("  "),
                    "{name}: {text}"
                );
            }
        }
    }
}

#[test]
fn the_document_lists_every_code_as_it_ships() {
    let document = include_str!("../../../docs/FINDINGS.md");
    let documented: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(code, _)| code))
        .collect();
    let codes: Vec<&str> = Code::all().map(Code::text).collect();
    assert_eq!(documented, codes);
    for code in Code::all() {
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", code.text())))
            .unwrap();
        let word = match code.setting() {
            Setting::Severity(severity) => crate::domain::doctype::severity_word(Some(severity)).to_owned(),
            Setting::Fixed(severity) => {
                format!("always {}", crate::domain::doctype::severity_word(Some(severity)))
            }
            Setting::Limits => Rule::all()
                .filter(|rule| rule.code() == code)
                .map(|rule| format!("`{}`", rule.key()))
                .collect::<Vec<_>>()
                .join(", "),
        };
        assert!(row.contains(&format!("| {word} |")), "{row} should say {word}");
    }
}
