//! `muniment evidence inspect`: a sealed version goes through the background inspection again.

use super::{Context, Failure, Outcome, find, pick};
use crate::cli::context::{identities, request};
use anyhow::Context as _;
use clap::Args;
use muniment::{
    admin::{KeyText, Request, Response},
    crypto::{FileKey, header},
};
use serde::Serialize;
use std::{fs::File, io::Read, path::PathBuf};

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
                let version = u32::try_from(row.version).context("the version isn't one")?;
                let header_path = reading.layout.header(&row.id, version)?;
                Some(KeyText::of(&open_header(&header_path, path)?))
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

/// The file key in a header.
pub(super) fn open_header(
    header_path: &std::path::Path,
    identity: &std::path::Path,
) -> Result<FileKey, Failure> {
    let mut bytes = Vec::new();
    File::open(header_path)
        .and_then(|file| {
            file.take(header::MAX_HEADER_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .with_context(|| format!("header {}: run `muniment fixity check`", header_path.display()))?;
    header::unwrap(&bytes, &identities(identity)?).map_err(|error| match error {
        header::HeaderError::NoMatch => Failure::Finding(format!(
            "the identity {} doesn't open this evidence",
            identity.display()
        )),
        error => Failure::Finding(error.to_string()),
    })
}
