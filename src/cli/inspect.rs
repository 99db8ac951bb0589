//! `muniment inspect`: what the server would say of a file, before it is uploaded or for an engineer afterwards.
//!
//! The same workers, rules and sandbox as the server's; the file is only read, and nothing is logged.

use super::{Failure, Outcome, context::Context};
use anyhow::Context as _;
use clap::Args;
use muniment::{
    config::InspectConfig,
    domain::{
        doctype::{DEFAULT_TABLE, DocumentType, DocumentTypes},
        finding::{Finding, Severity, Verdict},
    },
    inspect::{
        gate::{Inspector, Seen},
        outcome::Inspection,
        policy,
        process::{self, WorkerSettings},
        report::{Media, Report, Scan},
        wire::{Answer, Job, Measures, NoSink, Task},
        workers::{Workers, is_recording},
    },
};
use serde::Serialize;
use std::{fmt::Write, fs::File, path::PathBuf};

#[derive(Args)]
pub(super) struct Inspect {
    /// The file
    file: PathBuf,
    /// Code of the document type whose rules it is held against; without it the name says, else the first type that takes such files
    #[arg(long = "type", value_name = "CODE")]
    doctype: Option<String>,
    /// Table of document types (TOML); without it the one that ships with the program
    #[arg(long, value_name = "FILE")]
    types: Option<PathBuf>,
    /// Decode everything and measure black, frozen and silent stretches too, as the server does in the background
    #[arg(long)]
    deep: bool,
}

#[derive(Serialize)]
struct Inspected {
    file: String,
    /// The document type that it was held against.
    doctype: String,
    verdict: Verdict,
    #[serde(flatten)]
    inspection: Inspection,
}

impl Inspect {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let name = self
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let types = self.types()?;
        let doctype = match &self.doctype {
            Some(code) => Some(types.find(code).map_err(|reason| Failure::Finding(reason.en))?),
            None => named(&types, &name),
        };
        let ext = name
            .rsplit_once('.')
            .map_or("", |(_, ext)| ext)
            .to_ascii_lowercase();
        let doctype = match doctype {
            Some(doctype) => doctype,
            None => types
                .iter()
                .find(|doctype| doctype.extensions.contains(&ext))
                .ok_or_else(|| {
                    Failure::Finding(format!(
                        "no document type takes .{ext} files; name one with --type CODE"
                    ))
                })?,
        };
        let seen = self.look(context, &ext)?;
        let (report, findings) = match seen {
            Seen::Report(report) | Seen::NotScanned(report) => {
                let findings = policy::judge(&report, doctype);
                (Some(*report), findings)
            }
            Seen::Malware(signature) => (None, vec![policy::malware(&signature)]),
            Seen::Failed(detail) => (None, vec![policy::inspection_failed(&detail)]),
        };
        let inspected = Inspected {
            file: name,
            doctype: doctype.code.clone(),
            verdict: Verdict::of(&findings),
            inspection: Inspection {
                report,
                findings,
                types_version: types.version(),
            },
        };
        context.output.result(&inspected, || human(&inspected))?;
        match inspected.verdict {
            Verdict::Accepted => Ok(()),
            Verdict::NeedsReview | Verdict::Rejected => Err(Failure::Told),
        }
    }

    fn types(&self) -> anyhow::Result<DocumentTypes> {
        let Some(path) = &self.types else {
            return Ok(DocumentTypes::from_toml(DEFAULT_TABLE)?);
        };
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        DocumentTypes::from_toml(&text).with_context(|| path.display().to_string())
    }

    fn look(&self, context: &Context, ext: &str) -> anyhow::Result<Seen> {
        // The vault's own settings where there is one; a branch that tries a file has none.
        let config = match &context.config {
            Some(_) => context.config()?.inspect,
            None => InspectConfig::default(),
        };
        let settings = WorkerSettings::from_config(&config)?;
        let mut file = File::open(&self.file).with_context(|| self.file.display().to_string())?;
        let size_bytes = file.metadata()?.len();
        if !(self.deep && is_recording(ext)) {
            return Ok(Workers::new(settings, None).inspect(&mut file, size_bytes, ext)?);
        }
        // The gate's facts come first: the deep tier adds to them, it doesn't repeat the demuxer's.
        let gate = Workers::new(settings.clone(), None).inspect(&mut file, size_bytes, ext)?;
        let Seen::Report(gate) = gate else { return Ok(gate) };
        let job = Job {
            task: Task::Deep {
                measures: Measures::default(),
                pictures: 0,
                picture_width: 0,
            },
            ext: ext.to_owned(),
            size_bytes,
        };
        match process::run(&settings, &job, &mut file, &mut NoSink) {
            Ok(Answer::Report(mut deep)) => {
                for fault in gate.faults {
                    if !deep.faults.iter().any(|known| known.code == fault.code) {
                        deep.fault(fault);
                    }
                }
                Ok(Seen::Report(deep))
            }
            Ok(Answer::Failed { detail }) => Ok(Seen::Failed(detail)),
            Ok(_) => Ok(Seen::Failed("the worker answered something else".to_owned())),
            Err(process::WorkerError::Failed(detail)) => Ok(Seen::Failed(detail)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The type that an upload of this name would have: a part of the name that is a code.
fn named<'a>(types: &'a DocumentTypes, name: &str) -> Option<&'a DocumentType> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.split('_').find_map(|part| types.find(part).ok())
}

fn human(inspected: &Inspected) -> String {
    let mut text = String::new();
    let verdict = match inspected.verdict {
        Verdict::Accepted => "合格 accepted",
        Verdict::NeedsReview => "待复核 needs review",
        Verdict::Rejected => "不合格 rejected",
    };
    let _ = writeln!(text, "{}: {verdict}", inspected.file);
    let (code, version) = (&inspected.doctype, inspected.inspection.types_version);
    let _ = writeln!(
        text,
        "  held against document type {code}, version {version} of the table"
    );
    if let Some(report) = &inspected.inspection.report {
        let _ = writeln!(text, "  {}", facts(report));
    }
    for finding in &inspected.inspection.findings {
        told(&mut text, finding);
    }
    text
}

fn told(text: &mut String, finding: &Finding) {
    let severity = match finding.severity {
        Severity::Reject => "reject",
        Severity::Review => "review",
        Severity::Note => "note",
    };
    let _ = write!(text, "\n{severity:<7} {}", finding.code);
    for (label, words) in [
        ("at", &finding.place),
        ("found", &finding.found),
        ("expected", &finding.expected),
    ] {
        if !words.is_empty() {
            let _ = write!(text, " · {label} {words}");
        }
    }
    let _ = writeln!(text, "\n        {}\n        {}", finding.zh, finding.en);
}

/// What was seen, in one line.
fn facts(report: &Report) -> String {
    let mut parts = vec![report.container.clone(), format!("{} bytes", report.size_bytes)];
    if let Some(media) = &report.media {
        recording(&mut parts, media);
    }
    if let Some(scan) = &report.scan {
        pages(&mut parts, scan);
    }
    if let Some(bundle) = &report.bundle {
        parts.push(format!("{} members", bundle.member_count));
    }
    parts.join(" · ")
}

fn recording(parts: &mut Vec<String>, media: &Media) {
    let seconds = media.measured_ms / 1_000;
    parts.push(format!("{}:{:02}", seconds / 60, seconds % 60));
    for video in &media.video {
        parts.push(format!(
            "{} {}x{} {}.{:03} fps, {} packets, {} of {} key frames decoded",
            video.codec,
            video.width,
            video.height,
            video.frame_rate_milli / 1_000,
            video.frame_rate_milli % 1_000,
            video.packets,
            video.key_frames_decoded,
            video.key_frames,
        ));
    }
    for audio in &media.audio {
        parts.push(format!(
            "{} {} Hz, {} ch",
            audio.codec, audio.sample_rate_hz, audio.channels
        ));
    }
    if let Some(deep) = &media.deep {
        if let Some(loudness) = deep.loudness_lufs_centi {
            parts.push(format!("{:.1} LUFS", f64::from(loudness) / 100.0));
        }
        for (name, stretches) in [
            ("black", &deep.black),
            ("frozen", &deep.frozen),
            ("dark", &deep.underexposed),
            ("bright", &deep.overexposed),
            ("silent", &deep.silent),
        ] {
            if stretches.total_ms > 0 {
                parts.push(format!("{name} {} s", stretches.total_ms / 1_000));
            }
        }
    }
}

fn pages(parts: &mut Vec<String>, scan: &Scan) {
    parts.push(format!("{} pages", scan.page_count));
    if let Some(page) = scan.pages.first() {
        if !page.vector {
            parts.push(format!("{}x{} px", page.width_px, page.height_px));
        }
        if let Some(dpi) = page.dpi {
            parts.push(format!("{dpi} dpi"));
        }
    }
}
