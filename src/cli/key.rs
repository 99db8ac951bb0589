//! `muniment key`: the decryption key of a running server, and the file that holds it.
//!
//! The identity file is opened here, with a passphrase that a custodian types here; the identities, and nothing else,
//! travel to the server over the control socket of the same host.

use super::{
    Failure, Outcome,
    context::Context,
    export::user_of_this_host,
    secret::{Asking, from_descriptor},
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use muniment::{
    access::{identity_file::IdentityFile, keyring::Closed},
    admin::{
        IdentityText, Request, Response,
        control::{self, ControlError},
        keyring::KeyState,
    },
    config::Config,
    crypto::{
        Identity, Passphrase,
        protected::{self, ProtectedError, WORK_FACTOR},
    },
};
use serde::Serialize;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub(super) enum Key {
    /// Let the running server read what is sealed, until it is locked or stops
    Unlock(Unlock),
    /// Wipe the identities from the running server's memory; every open reading ends
    Lock,
    /// Whether the running server can read what is sealed
    Status,
    /// Write an identity into a file that takes a passphrase, in age's own format
    Protect(Protect),
}

#[derive(Args)]
pub(super) struct Unlock {
    /// Identity file; without it retrieval.identity of the configuration
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Args)]
pub(super) struct Protect {
    /// Identity file as `init` or `age-keygen` wrote it, or one that is protected already and gets another passphrase
    identity: PathBuf,
    /// File to write; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    asking: Asking,
    /// Custodians who each know a part of the passphrase that IDENTITY has now
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    old_parts: u8,
    /// Read the passphrase that IDENTITY has now from this file descriptor, one part a line
    #[arg(long, value_name = "FD", value_parser = from_descriptor)]
    old_passphrase_fd: Option<Passphrase>,
}

#[derive(Serialize)]
struct Status {
    /// Whether a server runs on the vault.
    running: bool,
    /// Absent when none runs.
    state: Option<KeyState>,
    /// Public halves of the identities at hand.
    recipients: Vec<String>,
    /// Those of the configuration that nothing at hand opens.
    missing: Vec<String>,
    /// Log position of the event that this command made.
    leaf: Option<u64>,
}

#[derive(Serialize)]
struct Protected {
    file: PathBuf,
    recipients: Vec<String>,
    parts: usize,
}

impl Key {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match self {
            Key::Unlock(unlock) => unlock.run(context),
            Key::Lock => answer(context, &context.config()?, &Request::KeyLock),
            Key::Status => answer(context, &context.config()?, &Request::KeyStatus),
            Key::Protect(protect) => protect.run(context),
        }
    }
}

impl Unlock {
    fn run(self, context: &Context) -> Outcome {
        let config = context.config()?;
        let path = match (&self.identity, &config.retrieval) {
            (_, None) => return Err(Failure::Finding(Closed::IngestOnly.to_string())),
            (Some(given), _) => given.clone(),
            (None, Some(retrieval)) => retrieval.identity.clone(),
        };
        // Before anybody types a passphrase.
        if status(ask(&config, &Request::KeyStatus)?, &config)?
            .state
            .is_none()
        {
            return Err(Failure::Finding(
                "no server is running on this vault, so there is nothing to unlock: start it first, or start it unlocked \
                 with `muniment serve --passphrase-fd FD`"
                    .to_owned(),
            ));
        }
        let identities = self.identities(&path, &config)?;
        let identities = identities.iter().map(IdentityText::of).collect();
        answer(context, &config, &Request::KeyUnlock { identities })
    }

    fn identities(&self, path: &Path, config: &Config) -> Result<Vec<Identity>, Failure> {
        let of_file = || format!("identity file {}", path.display());
        let file = IdentityFile::read(path).with_context(of_file)?;
        let passphrase = file
            .is_protected()
            .then(|| self.asking.passphrase())
            .transpose()?;
        match file.open(passphrase.as_ref()) {
            Ok(identities) => Ok(identities),
            Err(ProtectedError::WrongPassphrase) => {
                let words = format!("{}: {}", of_file(), ProtectedError::WrongPassphrase);
                let refused = Request::AccessRefused {
                    what: "key_unlock".to_owned(),
                    evidence: None,
                    reason: ProtectedError::WrongPassphrase.to_string(),
                    requester: user_of_this_host(),
                };
                ask(config, &refused)?;
                Err(Failure::Finding(words))
            }
            Err(error) => Err(Failure::Finding(format!("{}: {error}", of_file()))),
        }
    }
}

impl Protect {
    fn run(self, context: &Context) -> Outcome {
        let of_file = || format!("identity file {}", self.identity.display());
        let file = IdentityFile::read(&self.identity).with_context(of_file)?;
        let before = Asking {
            parts: self.old_parts,
            passphrase_fd: self.old_passphrase_fd.clone(),
        };
        let old = file.is_protected().then(|| before.passphrase()).transpose()?;
        let identities = match file.open(old.as_ref()) {
            Err(error @ ProtectedError::WrongPassphrase) => {
                return Err(Failure::Finding(format!("{}: {error}", of_file())));
            }
            other => other.with_context(of_file)?,
        };
        let passphrase = self.asking.new_passphrase()?;
        let text = protected::protect(&identities, &passphrase, WORK_FACTOR)?;
        let recipients = names(&identities);
        // Read back before anybody shreds what it was made from.
        if names(&protected::open(&text, Some(&passphrase))?) != recipients {
            return Err(anyhow::anyhow!("the protected file doesn't read back: nothing was written").into());
        }
        write_new(&self.out, &text).with_context(|| {
            format!(
                "{} can't be written: name a file that doesn't exist",
                self.out.display()
            )
        })?;
        let done = Protected {
            file: self.out.clone(),
            recipients,
            parts: passphrase.parts(),
        };
        context.output.result(&done, || {
            let parts = match done.parts {
                1 => "the passphrase".to_owned(),
                of => format!("all {of} parts of the passphrase, in their order"),
            };
            format!(
                "{} opens what is sealed for {}, with {parts}.\nTry it (`age -d {}`) before you remove {} (shred -u).",
                done.file.display(),
                done.recipients.join(", "),
                done.file.display(),
                self.identity.display(),
            )
        })?;
        Ok(())
    }
}

fn names(identities: &[Identity]) -> Vec<String> {
    identities
        .iter()
        .map(|identity| identity.recipient().to_string())
        .collect()
}

/// Durable, and its owner's alone.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A path without a folder is in this one.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

/// Asks the running server; nothing when there is none.
fn ask(config: &Config, request: &Request) -> Result<Option<Response>, Failure> {
    match control::ask(&config.vault.path, request) {
        Ok(response) => Ok(Some(response)),
        Err(ControlError::NoServer) => Ok(None),
        Err(ControlError::Refused(words)) => Err(Failure::Finding(words)),
        Err(error) => Err(error.into()),
    }
}

fn status(answer: Option<Response>, config: &Config) -> Result<Status, Failure> {
    let (state, recipients, leaf) = match answer {
        None => (None, Vec::new(), None),
        Some(Response::Keyring {
            state,
            recipients,
            leaf,
        }) => (Some(state), recipients, leaf),
        Some(_) => return Err(anyhow::anyhow!("the server answered something else").into()),
    };
    let missing = match state {
        Some(KeyState::Unlocked) => config
            .keys
            .recipients
            .iter()
            .filter(|recipient| !recipients.contains(recipient))
            .cloned()
            .collect(),
        _ => Vec::new(),
    };
    Ok(Status {
        running: state.is_some(),
        state,
        recipients,
        missing,
        leaf,
    })
}

fn answer(context: &Context, config: &Config, request: &Request) -> Outcome {
    let status = status(ask(config, request)?, config)?;
    context.output.result(&status, || human(&status))?;
    if status.state == Some(KeyState::Unlocked) && status.missing.len() == config.keys.recipients.len() {
        context.output.note(
            "none of keys.recipients is among them: what is sealed from now on can't be read with these",
        );
    }
    Ok(())
}

fn human(status: &Status) -> String {
    let mut text = match status.state {
        None => "no server is running on this vault: nothing is unlocked".to_owned(),
        Some(KeyState::IngestOnly) => Closed::IngestOnly.to_string(),
        Some(KeyState::Locked) => "locked 已锁定: nothing that is sealed can be read".to_owned(),
        Some(KeyState::Unlocked) => format!(
            "unlocked 已解锁: the server can read what is sealed for\n  {}",
            status.recipients.join("\n  ")
        ),
    };
    if let Some(leaf) = status.leaf {
        text.push_str(&format!("\nlogged at position {leaf}"));
    }
    text
}
