//! `muniment evidence derived`: a contact sheet or playback copy, decrypted for an operator with the identity.
//!
//! Content like the original's: `access.read` is committed before the first byte is decrypted.

use super::{Context, Failure, Outcome, again::open_header, find, pick};
use crate::cli::{
    context::{Reading, request},
    secret::Asking,
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use muniment::{
    access::content::{Part, Unlocked},
    admin::{Request, Response},
    catalog::{inspections, search},
    domain::hex,
};
use ring::digest;
use serde::Serialize;
use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
};

/// Plaintext handled at a time.
const BLOCK_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Pictures of a recording on one page, JPEG
    ContactSheet,
    /// A copy that browsers play, MP4
    Playback,
}

impl Form {
    fn id(self) -> &'static str {
        match self {
            Form::ContactSheet => "contact_sheet",
            Form::Playback => "playback",
        }
    }

    fn part(self, event: &str) -> Part {
        let event = event.to_owned();
        match self {
            Form::ContactSheet => Part::ContactSheet { event },
            Form::Playback => Part::Playback { event },
        }
    }
}

#[derive(Args)]
pub(in crate::cli) struct Derived {
    /// Evidence id or receipt number
    which: String,
    /// Version; without it the newest, or the one of the receipt
    #[arg(long, value_name = "N")]
    version: Option<i64>,
    /// Which copy
    #[arg(long)]
    form: Form,
    /// Identity that opens the evidence
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    #[command(flatten)]
    asking: Asking,
    /// File to write; it must not exist
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// What permits it: law, regulator, customer_consent or due_diligence
    #[arg(long)]
    basis: String,
    /// Why, in the requester's words
    #[arg(long)]
    reason: String,
    /// Who asked for it; without it the user of this host
    #[arg(long, value_name = "NAME")]
    requester: Option<String>,
}

#[derive(Serialize)]
struct Written {
    file: PathBuf,
    /// Id of the copy: its event's.
    id: String,
    form: &'static str,
    media_type: String,
    /// Of the copy, not of the original.
    sha256: String,
    size_bytes: i64,
    /// SHA-256 of the original that it was made from.
    original_sha256: String,
    /// Log position of the `access.read` that permitted it.
    access_leaf: u64,
}

impl Derived {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let reading = context.reading()?;
        let versions = find(&reading, &self.which)?;
        let row = pick(&versions, &self.which, self.version)?;
        let form = self.form.id();
        let made = reading
            .catalogue
            .read(|catalogue| inspections::derived_of(catalogue, &row.id, row.version))?;
        let Some(copy) = made.into_iter().rfind(|copy| copy.form == form) else {
            return Err(Failure::Finding(format!(
                "{} version {} has no {form}; `muniment evidence show` tells whether it still waits, and \
                 `muniment evidence inspect` has it made again",
                row.id, row.version
            )));
        };
        let contents = reading.contents(&self.identity, &self.asking)?;
        let unlocked = open_header(&contents, row, &self.identity)?;
        let mut out = File::create_new(&self.out)
            .with_context(|| format!("{}: name a file that doesn't exist", self.out.display()))?;
        let written = self.copy(&reading, row, &copy, &unlocked, &mut out);
        let written = written.inspect_err(|_| {
            // Nothing half written may pass for the copy.
            let _ = fs::remove_file(&self.out);
        })?;
        context.output.result(&written, || {
            format!(
                "{} of {} version {} written to {} ({} bytes). It is a derived copy; the original has SHA-256 {}.\n\
                 The access is logged at position {}.",
                written.form,
                row.id,
                row.version,
                written.file.display(),
                written.size_bytes,
                written.original_sha256,
                written.access_leaf
            )
        })?;
        Ok(())
    }

    fn copy(
        &self,
        reading: &Reading,
        row: &search::Evidence,
        copy: &inspections::Derived,
        unlocked: &Unlocked<'_>,
        out: &mut File,
    ) -> Result<Written, Failure> {
        let granted = request(
            &reading.config,
            Request::AccessRead {
                evidence: row.id.clone(),
                version: row.version,
                basis: self.basis.clone(),
                reason: self.reason.clone(),
                requester: self
                    .requester
                    .clone()
                    .unwrap_or_else(crate::cli::export::user_of_this_host),
            },
        )?;
        let Response::Logged { leaf: access_leaf } = granted else {
            return Err(anyhow::anyhow!("the log answered something else: nothing was read").into());
        };
        let damaged = |error: String| Failure::Finding(format!("copy {}: {error}", copy.id));
        let part = self.form.part(&copy.id);
        let mut reader = unlocked.open(&part).map_err(|error| damaged(error.to_string()))?;
        let mut context = digest::Context::new(&digest::SHA256);
        let (mut block, mut offset) = (vec![0; BLOCK_BYTES], 0);
        loop {
            let read = reader
                .read_at(offset, &mut block)
                .map_err(|error| damaged(error.to_string()))?;
            if read == 0 {
                break;
            }
            context.update(&block[..read]);
            out.write_all(&block[..read])
                .context("the copy can't be written")?;
            offset += read as u64;
        }
        let sha256 = hex::encode(context.finish());
        if sha256 != copy.sha256 {
            return Err(damaged(
                "it isn't what was made; run `muniment fixity check`".to_owned(),
            ));
        }
        out.sync_all().context("the copy can't be written")?;
        Ok(Written {
            file: self.out.clone(),
            id: copy.id.clone(),
            form: self.form.id(),
            media_type: copy.media_type.clone(),
            sha256,
            size_bytes: copy.size_bytes,
            original_sha256: row.sha256.clone(),
            access_leaf,
        })
    }
}
