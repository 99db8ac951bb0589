//! `muniment user`

use super::{
    Outcome,
    context::{Context, request},
    output::table,
};
use anyhow::Context as _;
use clap::Subcommand;
use muniment::{
    admin::{KeyFile, Request, Response},
    catalog::people,
};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// A public key file is a few hundred bytes; this much is looked at to say what it is instead.
const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

#[derive(Subcommand)]
pub(super) enum User {
    /// Add a person with roles and public keys
    Add {
        /// Log-in name: a-z, 0-9, '.', '_' and '-'
        name: String,
        /// Role; repeat for several
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// Branch code, for uploader, archivist and reviewer
        #[arg(long, value_name = "CODE")]
        branch: Option<String>,
        /// Public key file; repeat for several
        #[arg(long = "key", value_name = "FILE.pub", required = true)]
        keys: Vec<PathBuf>,
        /// Reference of the signed confidentiality agreement
        #[arg(long, value_name = "REF")]
        nda: String,
    },
    /// Take a person's access away at once and end their sessions; their history stays
    Disable {
        /// Log-in name
        name: String,
        /// Why, for the record
        #[arg(long)]
        reason: Option<String>,
    },
    /// List people
    List,
}

impl User {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match self {
            User::Add {
                name,
                roles,
                branch,
                keys,
                nda,
            } => {
                let keys = keys
                    .iter()
                    .map(|path| key_file(path))
                    .collect::<anyhow::Result<_>>()?;
                let done = request(
                    &context.config()?,
                    Request::UserAdd {
                        name,
                        roles,
                        branch,
                        keys,
                        nda,
                    },
                )?;
                context.output.result(&done, || match &done {
                    Response::UserAdded { id, name, keys, leaf } => {
                        format!(
                            "{name} added as {id} with {} (log position {leaf})",
                            keys.join(", ")
                        )
                    }
                    other => format!("{other:?}"),
                })?;
            }
            User::Disable { name, reason } => {
                let done = request(&context.config()?, Request::UserDisable { name, reason })?;
                context.output.result(&done, || match &done {
                    Response::UserDisabled {
                        name,
                        sessions_ended,
                        leaf,
                    } => {
                        format!(
                            "{name} disabled (log position {leaf}); live sessions ended: {sessions_ended}"
                        )
                    }
                    other => format!("{other:?}"),
                })?;
            }
            User::List => list(context)?,
        }
        Ok(())
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    let reading = context.reading()?;
    let people = reading.catalogue.read(people::people)?;
    let zone = reading.config.zone();
    context.output.result(&people, || {
        let mut table = table(["name", "roles", "branch", "state", "keys", "nda", "added", "id"]);
        for person in &people {
            table.add_row([
                person.name.clone(),
                person.roles.join("\n"),
                person.branch.clone().unwrap_or_else(|| "-".to_owned()),
                person
                    .disabled_ms
                    .map_or("active".to_owned(), |at| format!("disabled {}", zone.date(at))),
                person.keys.join("\n"),
                person.nda.clone(),
                zone.date(person.added_ms),
                person.id.clone(),
            ]);
        }
        table.to_string()
    })
}

/// The text of a key file, lossily: what isn't text isn't a key, and the refusal says so.
fn key_file(path: &Path) -> anyhow::Result<KeyFile> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE_BYTES).read_to_end(&mut bytes))
        .with_context(|| format!("key file {name} can't be read: give the path of a .pub file"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Found here too, so that a secret doesn't even travel to the server.
    let secret = ["PRIVATE KEY", "PuTTY-User-Key-File"]
        .into_iter()
        .find(|mark| text.contains(mark));
    Ok(KeyFile {
        name,
        text: secret.map_or(text.clone(), str::to_owned),
    })
}
