//! How a command finds its vault: by itself when nobody holds it, through the running server when one does.

use super::{Failure, output::Output};
use anyhow::Context as _;
use muniment::{
    admin::{
        self, AdminError, NoSessions, Request, Response,
        control::{self, ControlError},
    },
    blob::Layout,
    catalog::Catalogue,
    config::Config,
    crypto::Identity,
    server::VaultHandle,
};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

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

/// The identities in a file that `age-keygen` or `init` wrote.
pub(super) fn identities(path: &Path) -> anyhow::Result<Vec<Identity>> {
    let unreadable = || {
        format!(
            "identity file {}: the key custodian has it, `init` called it identity.age",
            path.display()
        )
    };
    let text = Zeroizing::new(std::fs::read_to_string(path).with_context(unreadable)?);
    Identity::parse_file(&text).with_context(unreadable)
}
