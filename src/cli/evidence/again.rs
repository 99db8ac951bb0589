//! `muniment evidence inspect`: a sealed version goes through the background inspection again.

use super::{Context, Failure, Outcome, find, pick};
use crate::cli::{
    context::{request, version_of},
    secret::Asking,
};
use clap::Args;
use muniment::{
    access::content::{ContentError, Contents, Unlocked},
    admin::{KeyText, Request, Response},
    catalog::search::Evidence,
    crypto::header::HeaderError,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(in crate::cli) struct Inspect {
    /// Evidence id or receipt number
    which: String,
    /// Version; without it the newest, or the one of the receipt
    #[arg(long, value_name = "N")]
    version: Option<i64>,
    /// Identity that opens the evidence; needed once nothing on this host opens it any more
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Serialize)]
struct Queued {
    evidence: String,
    version: i64,
    /// Log position of the request.
    leaf: u64,
}

impl Inspect {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let reading = context.reading()?;
        let versions = find(&reading, &self.which)?;
        let row = pick(&versions, &self.which, self.version)?;
        let file_key = match &self.identity {
            None => None,
            Some(path) => {
                let contents = reading.contents(path, &self.asking)?;
                Some(KeyText::of(open_header(&contents, row, path)?.file_key()))
            }
        };
        let asked = request(
            &reading.config,
            Request::InspectAgain {
                evidence: row.id.clone(),
                version: row.version,
                file_key,
            },
        )?;
        let Response::Logged { leaf } = asked else {
            return Err(anyhow::anyhow!("the server answered something else").into());
        };
        let queued = Queued {
            evidence: row.id.clone(),
            version: row.version,
            leaf,
        };
        context.output.result(&queued, || {
            format!(
                "{} version {} is in the queue (log position {leaf}). The server works through it in the background; \
                 `muniment evidence show {}` tells what came of it.",
                queued.evidence, queued.version, queued.evidence
            )
        })?;
        Ok(())
    }
}

/// A version's header, opened.
pub(super) fn open_header<'c>(
    contents: &'c Contents,
    row: &Evidence,
    identity: &Path,
) -> Result<Unlocked<'c>, Failure> {
    contents.unlock(&version_of(row)?).map_err(|error| {
        Failure::Finding(match error {
            ContentError::Header(HeaderError::NoMatch) => {
                format!("the identity {} doesn't open this evidence", identity.display())
            }
            error => format!("{} version {}: {error}", row.id, row.version),
        })
    })
}
