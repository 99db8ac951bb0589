//! `muniment serve`

use super::{
    Outcome,
    context::Context,
    seam,
    secret::{self, from_descriptor},
};
use anyhow::{Context as _, bail};
use clap::Args;
use muniment::{config::Config, crypto::Passphrase};
use serde_json::json;
use std::{
    env,
    fs::File,
    io::{self, IsTerminal},
    path::Path,
};
use tracing_subscriber::EnvFilter;

/// Environment variable that says what is logged, for instance `debug` or `muniment::ssh=debug`.
const LOG_VARIABLE: &str = "MUNIMENT_LOG";
/// Where systemd puts a service's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// The credential that unlocks the configured identity.
const CREDENTIAL: &str = "muniment.passphrase";

#[derive(Args)]
pub(super) struct Serve {
    /// Unlock the configured identity at the start: its passphrase, read from this file descriptor, one custodian's part a
    /// line. Without it the systemd credential `muniment.passphrase` is taken where there is one; else the server starts
    /// locked
    #[arg(long, value_name = "FD", value_parser = from_descriptor)]
    passphrase_fd: Option<Passphrase>,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT. The addresses are the result, on stdout; logs for operators go to stderr.
    pub(super) fn run(self, context: &Context) -> Outcome {
        let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr);
        if context.output.json {
            logs.json().init();
        } else {
            logs.with_ansi(io::stderr().is_terminal()).init();
        }
        let output = context.output;
        let config = context.config()?;
        let passphrase = self.passphrase(&config)?;
        seam::serve(config, passphrase, |addresses| {
            let console = addresses.console.map(|origin| origin.to_string());
            let mut result = json!({ "listening": addresses.ssh });
            if let Some(console) = &console {
                result["console"] = json!(console);
            }
            // Who closed stdout didn't want to know; the server runs all the same.
            let _ = output.result(&result, || {
                let console = console.map(|origin| format!("console on {origin}\n"));
                format!("{}listening on {}", console.unwrap_or_default(), addresses.ssh)
            });
        })?;
        Ok(())
    }

    fn passphrase(self, config: &Config) -> anyhow::Result<Option<Passphrase>> {
        if self.passphrase_fd.is_some() {
            if config.retrieval.is_none() {
                bail!(
                    "--passphrase-fd unlocks retrieval.identity, but the configuration has no [retrieval] section"
                );
            }
            return Ok(self.passphrase_fd);
        }
        let Some(folder) = env::var_os(CREDENTIALS_VARIABLE).filter(|_| config.retrieval.is_some()) else {
            return Ok(None);
        };
        match File::open(Path::new(&folder).join(CREDENTIAL)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => {
                let credential = || format!("the systemd credential {CREDENTIAL}");
                secret::read_passphrase(opened.with_context(credential)?)
                    .map(Some)
                    .with_context(credential)
            }
        }
    }
}
