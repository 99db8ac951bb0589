//! `muniment evidence export`: one version, with everything a court or an auditor needs, as a BagIt bag.
//!
//! Order: find, check the target, open the header (which is no content), have `access.read` committed, and only then
//! decrypt. The folder carries [`INCOMPLETE`] and is no bag until the last byte is compared with what the log says.

mod bag;
mod derived;
mod verify_text;

use super::{
    Failure, Outcome,
    context::{Context, Reading, request, version_of},
    evidence::find,
    log::{public_key_path, read_public_key},
    seam,
    secret::Asking,
};
use anyhow::Context as _;
use bag::Bag;
use clap::Args;
use muniment::{
    access::content::{ContentError, Part, Unlocked},
    admin::{Request, Response},
    catalog::{search, timeline},
    crypto::header::HeaderError,
    domain::{
        event::Leaf,
        hex,
        time::{Clock, SystemClock},
    },
};
use serde::Serialize;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Stands in the folder while what lies there must not be relied on.
const INCOMPLETE: &str = "INCOMPLETE.txt";
/// Plaintext handled at a time.
const BLOCK_BYTES: usize = 256 * 1024;

#[derive(Args)]
pub(super) struct Export {
    /// Evidence id or receipt number
    which: String,
    /// Version; without it the newest, or the one of the receipt
    #[arg(long, value_name = "N")]
    version: Option<i64>,
    /// Folder to write; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Identity that opens the evidence
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    #[command(flatten)]
    asking: Asking,
    /// What permits it: law, regulator, customer_consent or due_diligence
    #[arg(long)]
    basis: String,
    /// Why, in the requester's words
    #[arg(long)]
    reason: String,
    /// Put contact sheet and playback copy into the bag too, marked as derived
    #[arg(long)]
    derived: bool,
    /// Who asked for it; without it the user of this host
    #[arg(long, value_name = "NAME")]
    requester: Option<String>,
}

#[derive(Serialize)]
struct Exported {
    bag: PathBuf,
    evidence: String,
    version: i64,
    receipt: u64,
    sha256: String,
    size_bytes: u64,
    /// Log position of the `access.read` that permitted it.
    access_leaf: u64,
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let reading = context.reading()?;
        let requester = self.requester.clone().unwrap_or_else(user_of_this_host);
        let versions = match find(&reading, &self.which) {
            Err(Failure::Finding(words)) => return refuse(&reading, None, words, requester),
            other => other?,
        };
        let by_receipt = versions.iter().find(|row| row.receipt.to_string() == self.which);
        let row = match self.version {
            Some(version) => versions.iter().find(|row| row.version == version),
            None => by_receipt.or(versions.last()),
        };
        let Some(row) = row.cloned() else {
            let words = format!("{} has versions 1 to {} only", self.which, versions.len());
            return refuse(&reading, Some(versions[0].id.clone()), words, requester);
        };
        if let Some(found) = occupied(&self.out)? {
            return Err(Failure::Finding(format!(
                "{} isn't empty (it holds {found}): name a folder that doesn't exist",
                self.out.display()
            )));
        }
        let contents = reading.contents(&self.identity, &self.asking)?;
        let unlocked = match contents.unlock(&version_of(&row)?) {
            Ok(unlocked) => unlocked,
            Err(ContentError::Header(HeaderError::NoMatch)) => {
                let words = format!(
                    "the identity {} doesn't open this evidence",
                    self.identity.display()
                );
                return refuse(&reading, Some(row.id), words, requester);
            }
            Err(error) => {
                return Err(Failure::Finding(format!(
                    "{} version {}: {error}",
                    row.id, row.version
                )));
            }
        };
        let granted = request(
            &reading.config,
            Request::AccessRead {
                evidence: row.id.clone(),
                version: row.version,
                basis: self.basis.clone(),
                reason: self.reason.clone(),
                requester,
            },
        )?;
        let Response::Logged { leaf: access_leaf } = granted else {
            return Err(anyhow::anyhow!("the log answered something else: nothing was read").into());
        };
        let exported = self.write(&reading, &row, &versions, &unlocked, access_leaf, context)?;
        context.output.result(&exported, || {
            format!(
                "{} version {} exported to {} ({} bytes, sha256 {})\nThe access is logged at position {access_leaf}. \
                 How to verify: data/VERIFY.txt in the bag.",
                exported.evidence, exported.version, exported.bag.display(), exported.size_bytes, exported.sha256
            )
        })?;
        Ok(())
    }

    fn write(
        &self,
        reading: &Reading,
        row: &search::Evidence,
        versions: &[search::Evidence],
        unlocked: &Unlocked<'_>,
        access_leaf: u64,
        context: &Context,
    ) -> Result<Exported, Failure> {
        let mut bag = Bag::create(&self.out)?;
        let marker = self.out.join(INCOMPLETE);
        let mark =
            |words: &str| fs::write(&marker, words).context("the folder can't be marked as incomplete");
        mark(
            "This export isn't finished. Don't rely on anything here.\n本导出尚未完成，请勿使用其中任何文件。\n",
        )?;

        let receipt = seam::receipt(reading, row.receipt)?;
        let leaf: Leaf = serde_json::from_slice(&receipt.json).context("the receipt's leaf can't be read")?;
        let bar = context.output.progress(row.size_bytes.unsigned_abs());
        let name = bag::payload_name(&row.file_name);
        let label = format!("the original of {} version {}", row.id, row.version);
        // What can't be read is a finding about the vault; what can't be written isn't.
        let mut unreadable = None;
        let original = bag.add(&format!("data/{name}"), |out| {
            let opened = unlocked.open(&Part::Original);
            let mut source = opened.inspect_err(|error| unreadable = Some(error.to_string()))?;
            let mut block = vec![0; BLOCK_BYTES];
            let mut offset = 0;
            loop {
                let read = source.read_at(offset, &mut block);
                let count = read.inspect_err(|error| unreadable = Some(error.to_string()))?;
                if count == 0 {
                    return Ok(());
                }
                out.write_all(&block[..count])?;
                offset += count as u64;
                bar.set_position(offset);
            }
        });
        bar.finish_and_clear();
        if let Some(error) = unreadable {
            let words =
                format!("{label} can't be read to its end ({error}): the folder stays marked as incomplete");
            mark(&format!("{words}\n"))?;
            return Err(Failure::Finding(words));
        }
        let original = original?;
        let sha256 = hex::encode(original.sha256);
        if leaf.text("sha256") != Some(&sha256) || row.sha256 != sha256 {
            let words = format!(
                "{label} isn't what was sealed: its SHA-256 is {sha256}, the log says {} and the catalogue {}; the folder \
                 stays marked as incomplete, and `muniment fixity check` tells what else is wrong",
                leaf.text("sha256").unwrap_or("nothing"),
                row.sha256,
            );
            mark(&format!("{words}\n"))?;
            return Err(Failure::Finding(words));
        }

        let record = unlocked.record_json().context("the record can't be decrypted")?;
        let log_key = read_public_key(&public_key_path(&reading.config.keys.log_key))?;
        let subjects: Vec<&str> = std::iter::once(row.id.as_str())
            .chain(versions.iter().map(|version| version.accession.as_str()))
            .collect();
        let timeline = reading
            .catalogue
            .read(|catalogue| timeline::of(catalogue, &subjects))?;
        let custody =
            serde_json::to_string_pretty(&serde_json::json!({ "versions": versions, "timeline": timeline }))?;
        let verify = verify_text::render(&name, &sha256, &log_key.to_string());
        for (path, bytes) in [
            ("data/record.json", record.as_slice()),
            ("data/receipt.txt", &receipt.text),
            ("data/receipt.json", &receipt.json),
            ("data/receipt.tlog-proof", &receipt.proof),
            ("data/custody.json", custody.as_bytes()),
            ("data/log.pub", format!("{log_key}\n").as_bytes()),
            ("data/VERIFY.txt", verify.as_bytes()),
        ] {
            bag.add(path, |out| Ok(out.write_all(bytes)?))?;
        }
        if self.derived {
            derived::add(&mut bag, reading, row, unlocked)?;
        }
        let today = reading.config.zone().date(SystemClock.now_ms());
        bag.finish(&[
            ("Bagging-Date", &today),
            ("External-Identifier", &format!("{} v{}", row.id, row.version)),
            (
                "Bag-Software-Agent",
                concat!("muniment ", env!("CARGO_PKG_VERSION")),
            ),
            ("Muniment-Log", &reading.config.vault.origin),
            ("Muniment-Receipt", &row.receipt.to_string()),
            ("Muniment-Access-Event", &access_leaf.to_string()),
        ])?;
        fs::remove_file(&marker).context("the bag is whole, but its mark as incomplete can't be removed")?;
        File::open(&self.out)?.sync_all()?;
        Ok(Exported {
            bag: self.out.clone(),
            evidence: row.id.clone(),
            version: row.version,
            receipt: row.receipt,
            sha256,
            size_bytes: original.size_bytes,
            access_leaf,
        })
    }
}

/// Puts a refusal into the log, and says it.
fn refuse(reading: &Reading, evidence: Option<String>, words: String, requester: String) -> Outcome {
    let refused = Request::AccessRefused {
        what: "export".to_owned(),
        evidence,
        reason: words.clone(),
        requester,
    };
    request(&reading.config, refused)?;
    Err(Failure::Finding(words))
}

pub(super) fn user_of_this_host() -> String {
    format!("user {} of this host", rustix::process::getuid().as_raw())
}

fn occupied(folder: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be written", folder.display())),
        Ok(mut entries) => Ok(entries
            .next()
            .transpose()?
            .map(|entry| entry.file_name().to_string_lossy().into_owned())),
    }
}
