//! `muniment rebuild`

use super::{
    Failure, Outcome,
    context::{Context, identities, request},
    output::table,
    seam,
    secret::Asking,
};
use clap::Args;
use muniment::admin::Request;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Rebuild {
    /// The identity that opens the records
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    #[command(flatten)]
    asking: Asking,
}

impl Rebuild {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let config = context.config()?;
        let identities = identities(&self.identity, &self.asking)?;
        let bar = context.output.progress(0);
        let report = seam::rebuild(&config, &identities, &|done, of| {
            bar.set_length(of);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let logged = request(
            &config,
            Request::Recovered {
                leaves: report.leaves,
                evidence: report.evidence,
                findings: report.findings.len() as u64,
            },
        );
        context.output.result(&report, || {
            let mut text = format!(
                "{} leaves, {} pieces of evidence\n",
                report.leaves, report.evidence
            );
            if report.findings.is_empty() {
                return text + "nothing missing, extra or altered";
            }
            let mut table = table(["where", "what"]);
            for found in &report.findings {
                table.add_row([&found.path, &found.what]);
            }
            text.push_str(&table.to_string());
            text
        })?;
        // What was found has been told; that it couldn't be logged is a failure of its own.
        logged?;
        if report.findings.is_empty() {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }
}
