//! `muniment fixity`

use super::{
    Failure, Outcome,
    context::{Context, identities, request},
    output::table,
    seam,
    secret::Asking,
};
use clap::Subcommand;
use muniment::{
    admin::{Request, Response},
    custody::fixity::Report,
};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Fixity {
    /// Compare everything stored with what the log and the catalogue say, and log the result
    Check {
        /// Also decrypt, and compare with the digests of the originals
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    report: Report,
    with_identity: bool,
    /// Position of the event that records the check.
    leaf: Option<u64>,
}

impl Fixity {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let Fixity::Check { identity, asking } = self;
        let reading = context.reading()?;
        let identities = identity.map(|path| identities(&path, &asking)).transpose()?;
        let bar = context.output.progress(0);
        let report = seam::check_fixity(&reading, identities.as_deref(), &|done, of| {
            bar.set_length(of);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let logged = request(
            &reading.config,
            Request::FixityChecked {
                objects: report.objects,
                bytes: report.bytes,
                findings: report.findings.len() as u64,
                with_identity: identities.is_some(),
                complete: report.complete,
            },
        );
        let leaf = match &logged {
            Ok(Response::Logged { leaf }) => Some(*leaf),
            _ => None,
        };
        let checked = Checked {
            report,
            with_identity: identities.is_some(),
            leaf,
        };
        context.output.result(&checked, || human(&checked))?;
        // What was found has been told; that it couldn't be logged is a failure of its own.
        logged?;
        if !checked.report.findings.is_empty() {
            return Err(Failure::Told);
        }
        if !checked.report.complete {
            return Err(Failure::Broken(anyhow::anyhow!(
                "not everything could be looked at; nothing wrong was found in the rest"
            )));
        }
        Ok(())
    }
}

fn human(checked: &Checked) -> String {
    let report = &checked.report;
    let depth = if checked.with_identity {
        "stored digests and originals compared"
    } else {
        "stored digests compared; originals only with --identity"
    };
    let mut text = format!("{} objects, {} bytes: {depth}\n", report.objects, report.bytes);
    if report.findings.is_empty() {
        return text + "nothing wrong";
    }
    let mut table = table(["where", "what"]);
    for found in &report.findings {
        table.add_row([&found.path, &found.what]);
    }
    text.push_str(&table.to_string());
    text
}
