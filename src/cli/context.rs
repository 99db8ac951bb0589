//! How a command finds its vault: by itself when nobody holds it, through the running server when one does.

use super::{Failure, output::Output, secret::Asking};
use anyhow::Context as _;
use muniment::{
    access::{content::Contents, identity_file::IdentityFile, keyring::Keyring},
    admin::{
        self, AdminError, NoSessions, Request, Response,
        control::{self, ControlError},
    },
    blob::Layout,
    catalog::{Catalogue, search::Evidence},
    config::Config,
    crypto::Identity,
    seal::VersionId,
    server::VaultHandle,
};
use std::path::{Path, PathBuf};

/// Environment variable with the path of the configuration.
const CONFIG_VARIABLE: &str = "MUNIMENT_CONFIG";
/// Name that `init` gives the configuration.
pub(super) const CONFIG_NAME: &str = "muniment.toml";

/// What every command gets.
pub(super) struct Context {
    pub(super) output: Output,
    /// `--config`, if given.
    pub(super) config: Option<PathBuf>,
}

impl Context {
    /// The configuration: `--config`, `$MUNIMENT_CONFIG`, or the one in this folder.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let path = match (&self.config, std::env::var_os(CONFIG_VARIABLE)) {
            (Some(given), _) => given.clone(),
            (None, Some(variable)) => variable.into(),
            (None, None) => PathBuf::from(CONFIG_NAME),
        };
        Config::load(&path).with_context(|| {
            format!("name the vault's configuration with --config FILE or ${CONFIG_VARIABLE}; `muniment init` makes one")
        })
    }

    /// The vault for reading. Needs no lock, and no server.
    pub(super) fn reading(&self) -> anyhow::Result<Reading> {
        let config = self.config()?;
        let layout = Layout::new(&config.vault.path);
        let catalogue = Catalogue::open(&layout.catalog())?;
        Ok(Reading {
            config,
            layout,
            catalogue,
        })
    }
}

/// A vault that is open for reading.
pub(super) struct Reading {
    pub(super) config: Config,
    pub(super) layout: Layout,
    pub(super) catalogue: Catalogue,
}

impl Reading {
    /// What an identity file opens. A passphrase is asked for where the file takes one.
    pub(super) fn contents(&self, identity: &Path, asking: &Asking) -> anyhow::Result<Contents> {
        let keyring = Keyring::of(identities(identity, asking)?);
        Ok(Contents::new(
            self.layout.clone(),
            self.catalogue.clone(),
            keyring,
        ))
    }
}

/// A version as its folder names it.
pub(super) fn version_of(row: &Evidence) -> anyhow::Result<VersionId> {
    Ok(VersionId {
        customer: row.customer.clone(),
        evidence: row.id.clone(),
        version: u32::try_from(row.version).context("the version isn't one")?,
    })
}

/// Has a request carried out: by the server that runs on the vault, else here.
pub(super) fn request(config: &Config, request: Request) -> Result<Response, Failure> {
    match control::ask(&config.vault.path, &request) {
        Ok(response) => Ok(response),
        Err(ControlError::Refused(words)) => Err(Failure::Finding(words)),
        Err(ControlError::NoServer) => {
            let vault = VaultHandle::open(config.clone(), "muniment, administration")?;
            let done = admin::execute(&vault, &NoSessions, request);
            vault.close();
            match done {
                Err(AdminError::Refused(words)) => Err(Failure::Finding(words)),
                other => Ok(other?),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// The identities in a file that `age-keygen`, `init`, `key protect` or `age -p` wrote; a passphrase is asked for where it
/// takes one.
pub(super) fn identities(path: &Path, asking: &Asking) -> anyhow::Result<Vec<Identity>> {
    let unreadable = || {
        format!(
            "identity file {}: the key custodian has it, `init` called it identity.age",
            path.display()
        )
    };
    let file = IdentityFile::read(path).with_context(unreadable)?;
    let passphrase = file.is_protected().then(|| asking.passphrase()).transpose()?;
    file.open(passphrase.as_ref()).with_context(unreadable)
}
