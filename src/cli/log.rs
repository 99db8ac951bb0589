//! `muniment log`

use super::{Failure, Outcome, context::Context, output::table};
use anyhow::Context as _;
use clap::Subcommand;
use muniment::{
    catalog::log_edge,
    custody::fence::edge_findings,
    tlog::{
        checkpoint::Checkpoint,
        key::VerifierKey,
        note::Note,
        store::LogDir,
        verify::{Finding, FindingKind, LogReport, Observer, OlderCheckpoint, verify_log},
    },
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long the files of a commit may take to follow it.
const PUBLICATION_LIMIT: Duration = Duration::from_secs(5);
const PUBLICATION_STEP: Duration = Duration::from_millis(50);

#[derive(Subcommand)]
pub(super) enum Log {
    /// Check the whole log on disk against its key, the catalogue's word and checkpoints kept elsewhere
    Verify {
        /// A checkpoint that was kept elsewhere; repeat for several
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// Public key of a witness (name+id+key), besides those of the configuration
        #[arg(long = "witness", value_name = "KEY", value_parser = witness)]
        witnesses: Vec<VerifierKey>,
        /// The log's public key; without it the one beside the signing key
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

impl Log {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let Log::Verify {
            checkpoints,
            mut witnesses,
            key,
        } = self;
        let config = context.config()?;
        let key_path = key.unwrap_or_else(|| public_key_path(&config.keys.log_key));
        let key = read_public_key(&key_path)?;
        for text in &config.keys.witnesses {
            witnesses.push(witness(text).with_context(|| format!("keys.witnesses {text}"))?);
        }
        let mut older: Vec<(String, Vec<u8>)> = Vec::new();
        for path in &checkpoints {
            let name = path.display().to_string();
            let note = std::fs::read(path).with_context(|| format!("checkpoint {name} can't be read"))?;
            older.push((name, note));
        }
        let dir = LogDir::new(config.vault.path.join("log"));
        // The catalogue's newest one was signed in the commit itself: a log on disk that is behind it was cut.
        let own = context
            .reading()
            .and_then(|reading| Ok(reading.catalogue.read(log_edge::latest_checkpoint)?));
        match own {
            Ok(Some((size, note))) => {
                await_publication(&dir, size);
                older.push(("catalog.db".to_owned(), note.into_bytes()));
            }
            Ok(None) => {}
            Err(error) => context.output.note(&format!(
                "the log is checked without the catalogue's newest checkpoint, which can't be had: {error:#}"
            )),
        }
        let older: Vec<OlderCheckpoint<'_>> = older
            .iter()
            .map(|(name, note)| OlderCheckpoint { name, note })
            .collect();
        let mut progress = Progress(context.output.progress(0));
        let mut report = verify_log(&dir, &key, &witnesses, &older, &mut progress);
        progress.0.finish_and_clear();
        if let Ok(reading) = context.reading() {
            let edge = edge_findings(&reading.catalogue, &dir, &key)?;
            report.findings.extend(edge.into_iter().map(|detail| Finding {
                path: "catalog.db".to_owned(),
                kind: FindingKind::Damaged,
                detail,
            }));
        }
        context
            .output
            .result(&as_json(&report, &key), || human(&report))?;
        if report.is_sound() {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }
}

/// A running server writes the log's files a moment after the commit: waits until they say as much as the catalogue.
/// A log that never does is a finding of the check itself.
fn await_publication(dir: &LogDir, size: u64) {
    let published = || {
        let note = Note::parse(&dir.checkpoint().ok()??).ok()?;
        Some(Checkpoint::parse(note.text()).ok()?.size)
    };
    let began = Instant::now();
    while published().is_some_and(|published| published < size) && began.elapsed() < PUBLICATION_LIMIT {
        std::thread::sleep(PUBLICATION_STEP);
    }
}

/// Where `init` puts the public half of a log key: beside it, under `.pub`.
pub(super) fn public_key_path(log_key: &Path) -> PathBuf {
    log_key.with_extension("pub")
}

pub(super) fn read_public_key(path: &Path) -> anyhow::Result<VerifierKey> {
    let words = || {
        format!(
            "the log's public key {}: `init` made it beside the signing key, --key FILE names another",
            path.display()
        )
    };
    VerifierKey::parse(std::fs::read_to_string(path).with_context(words)?.trim()).with_context(words)
}

fn witness(text: &str) -> anyhow::Result<VerifierKey> {
    Ok(VerifierKey::parse(text)?)
}

struct Progress(indicatif::ProgressBar);

impl Observer for Progress {
    fn progress(&mut self, leaves: u64, of: u64) {
        self.0.set_length(of);
        self.0.set_position(leaves);
    }
}

fn as_json(report: &LogReport, key: &VerifierKey) -> Value {
    let findings = |list: &[Finding]| -> Vec<Value> {
        list.iter()
            .map(|found| json!({ "path": found.path, "kind": format!("{:?}", found.kind), "detail": found.detail }))
            .collect()
    };
    json!({
        "sound": report.is_sound(),
        "key": key.to_string(),
        "size": report.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        "root": report.checkpoint.as_ref().map(|checkpoint| checkpoint.root.to_string()),
        "leaves_proven": report.leaves_proven,
        "files_checked": report.files_checked,
        "extends": report.extends,
        "witnesses": report.cosignatures.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(),
        "findings": findings(&report.findings),
        "findings_omitted": report.findings_omitted,
        "notices": findings(&report.notices),
        "notices_omitted": report.notices_omitted,
    })
}

fn human(report: &LogReport) -> String {
    let mut text = match &report.checkpoint {
        Some(checkpoint) => format!(
            "{} of {} leaves proven from {} files, up to the root {} that {} signed\n",
            report.leaves_proven, checkpoint.size, report.files_checked, checkpoint.root, checkpoint.origin
        ),
        None => "no signed checkpoint to judge the log by\n".to_owned(),
    };
    for name in &report.extends {
        text.push_str(&format!("extends the checkpoint {name}\n"));
    }
    for seen in &report.cosignatures {
        text.push_str(&format!("cosigned by {}\n", seen.name));
    }
    if report.cosignatures.is_empty() {
        text.push_str("not cosigned by any known witness: only checkpoints kept elsewhere can show a rewritten history\n");
    }
    for (heading, list, omitted) in [
        ("finding", &report.findings, report.findings_omitted),
        ("notice", &report.notices, report.notices_omitted),
    ] {
        if list.is_empty() {
            continue;
        }
        let mut table = table([heading, "where", "what"]);
        for found in list {
            table.add_row([&format!("{:?}", found.kind), &found.path, &found.detail]);
        }
        text.push_str(&format!("{table}\n"));
        if omitted > 0 {
            text.push_str(&format!("and {omitted} more\n"));
        }
    }
    text.push_str(if report.is_sound() {
        "The log is sound."
    } else {
        "The log is NOT sound."
    });
    text
}
