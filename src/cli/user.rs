//! `muniment user`

mod key;

use super::{
    Failure, Outcome,
    context::{Context, request},
    output::table,
};
use anyhow::Context as _;
use clap::Subcommand;
use muniment::{
    admin::{KeyFile, Request, Response},
    catalog::{
        CatalogueError,
        credentials::{self, Factors},
        people,
    },
};
use serde::Serialize;
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
        /// Public key file, for SFTP; repeat for several. An uploader needs one
        #[arg(long = "key", value_name = "FILE.pub")]
        keys: Vec<PathBuf>,
        /// Reference of the signed confidentiality agreement
        #[arg(long, value_name = "REF")]
        nda: String,
    },
    /// Give a person a code for the console: with it they choose a password and a second factor. Their old ones end when they do
    Invite {
        /// Log-in name
        name: String,
    },
    /// Take a person's access away at once and end their sessions; their history stays
    Disable {
        /// Log-in name
        name: String,
        /// Why, for the record
        #[arg(long)]
        reason: Option<String>,
    },
    /// Add and revoke the SSH keys of a person
    Key {
        #[command(subcommand)]
        command: key::Key,
    },
    /// List people, and how each can sign in to the console
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
                        let keys = if keys.is_empty() {
                            "no key; `muniment user invite` lets them in to the console".to_owned()
                        } else {
                            keys.join(", ")
                        };
                        format!("{name} added as {id} with {keys} (log position {leaf})")
                    }
                    other => format!("{other:?}"),
                })?;
            }
            User::Invite { name } => invite(context, name)?,
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
            User::Key { command } => command.run(context)?,
            User::List => list(context)?,
        }
        Ok(())
    }
}

fn invite(context: &Context, name: String) -> Outcome {
    let config = context.config()?;
    let done = request(&config, Request::UserInvite { name })?;
    let Response::UserInvited {
        name,
        code,
        expires_ms,
        leaf,
    } = &done
    else {
        return Err(Failure::Broken(anyhow::anyhow!(
            "the server answered something else: {done:?}"
        )));
    };
    context.output.result(&done, || code.expose().to_owned())?;
    if !context.output.json {
        context.output.note(&format!(
            "Give this code to {name}, in person or by telephone. They type it at /join of the console, once, until {} \
             (log position {leaf}). It is kept nowhere.",
            config.zone().date_time(*expires_ms)
        ));
    }
    Ok(())
}

/// A person, and how they can sign in to the console.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    person: people::Person,
    factors: Factors,
}

impl Listed {
    fn console(&self) -> String {
        let Factors {
            password,
            totp,
            passkeys,
            ..
        } = self.factors;
        let mut ways = Vec::new();
        if password && totp {
            ways.push("password and app".to_owned());
        }
        match passkeys {
            0 => {}
            1 => ways.push("passkey".to_owned()),
            several => ways.push(format!("{several} passkeys")),
        }
        if self.factors.invited_until_ms.is_some() {
            ways.push("invited".to_owned());
        }
        if ways.is_empty() {
            "-".to_owned()
        } else {
            ways.join("\n")
        }
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    let reading = context.reading()?;
    let people = reading.catalogue.read(|connection| {
        let people = people::people(connection)?;
        let listed = people.into_iter().map(|person| {
            let factors = credentials::factors(connection, &person.id)?;
            Ok(Listed { person, factors })
        });
        listed.collect::<Result<Vec<Listed>, CatalogueError>>()
    })?;
    let zone = reading.config.zone();
    context.output.result(&people, || {
        let mut table = table([
            "name", "roles", "branch", "state", "console", "keys", "nda", "added", "id",
        ]);
        for listed in &people {
            let person = &listed.person;
            table.add_row([
                person.name.clone(),
                person.roles.join("\n"),
                person.branch.clone().unwrap_or_else(|| "-".to_owned()),
                person
                    .disabled_ms
                    .map_or("active".to_owned(), |at| format!("disabled {}", zone.date(at))),
                listed.console(),
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
