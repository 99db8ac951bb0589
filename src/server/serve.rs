//! `muniment serve`: the vault with its SSH edge and its console, until it is told to stop.

use super::{VaultError, VaultHandle, console, live::Live, unlock};
use crate::{
    access::{AccessDoorkeeper, ReadingRoom, credentials::CredentialError},
    admin::{control::ControlServer, execute},
    config::{Config, SshConfig, console::WebOrigin},
    console::{Console, ConsoleError, ConsoleServer},
    crypto::Passphrase,
    ingest::Ingest,
    inspect::process::{self, WorkerSettings},
    ssh::{
        Server, SshSettings, StartError,
        host_keys::{self, HostKeyError},
    },
};
use russh::keys::PublicKey;
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How often waiting uploads are looked after.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// Threads for blocking work: one for each channel that is busy at one time, and some.
const BLOCKING_THREADS: usize = 512;
/// How long an idle blocking thread stays.
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Why the server didn't start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The vault can't be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A host key can't be used.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// The list of certificate authorities can't be used.
    #[error("ssh.user_ca_keys {path}: {error}")]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The listener can't be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The console can't be started.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// Nobody could sign in.
    #[error("signing in: {0}")]
    Credentials(#[from] CredentialError),
    /// The inspectors can't be used as the configuration demands.
    #[error(
        "the inspectors: {0}. Every upload is inspected in a sandbox; inspect.require_seccomp = false goes without the \
         system call filter where the whole server is confined otherwise"
    )]
    Inspectors(String),
    /// The runtime, the control socket or signals failed.
    #[error("{what}: {error}")]
    System {
        /// Which part.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// Where a running server is found.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where SSH listens.
    pub ssh: SocketAddr,
    /// What browsers call the console, if there is one.
    pub console: Option<WebOrigin>,
}

/// Opens the vault, puts staging in order, and serves until SIGTERM or SIGINT. A passphrase unlocks the configured
/// identity at the start. `announce` is told the addresses once clients can connect.
///
/// # Errors
/// When something needed can't be had; the message says what to do.
pub fn serve(
    config: Config,
    passphrase: Option<Passphrase>,
    announce: impl FnOnce(Addresses),
) -> Result<(), ServeError> {
    let system = |what: &'static str| move |error: io::Error| ServeError::System { what, error };
    let host_keys = host_keys::load(&config.ssh.host_keys)?;
    let authorities = authorities(&config.ssh)?;
    let settings = settings(&config.ssh, !authorities.is_empty());
    let (listen, grace) = (
        config.ssh.listen,
        Duration::from_secs(config.ssh.stop_grace_seconds),
    );
    check_sandbox(&config)?;
    let mut vault = VaultHandle::open(config, "muniment serve")?;
    let salvage = vault.ingest.salvage().map_err(VaultError::from)?;
    if salvage != crate::ingest::sweep::Salvage::default() {
        tracing::info!(
            salvage.salvaged,
            salvage.discarded,
            salvage.lost,
            "staging was put in order"
        );
    }
    unlock::at_start(&vault, passphrase);
    vault.inspect_in_background()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(BLOCKING_KEEP_ALIVE)
        .build()
        .map_err(system("the runtime"))?;
    let door = Arc::new(AccessDoorkeeper::new(
        vault.ingest.clone(),
        vault.open_paths.clone(),
        vault.room.clone(),
        vault.witnesses.clone(),
        authorities,
    ));
    let ended = runtime.block_on(async {
        let server = Server::start(listen, host_keys, settings, door).await?;
        let sessions = server.sessions().clone();
        let live = Arc::new(Live::new(sessions, vault.room.clone()));
        let web = match &vault.config.console {
            Some(config) => {
                let parts = console::parts(&vault, live.clone())?;
                Some(ConsoleServer::start(config, parts).await?)
            }
            None => None,
        };
        if let Some(web) = &web {
            live.join(web.console());
        }
        let administered = Arc::clone(&vault);
        let mut control = ControlServer::start(vault.layout.root(), move |request| {
            execute(&administered, live.as_ref(), request)
        })
        .map_err(system("the control socket"))?;
        let sweeper = tokio::spawn(sweep(
            vault.ingest.clone(),
            vault.room.clone(),
            web.as_ref().map(|web| Arc::clone(web.console())),
        ));
        let mut terminate = signal(SignalKind::terminate()).map_err(system("signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("signals"))?;
        announce(Addresses {
            ssh: server.local_address(),
            console: web.as_ref().map(|web| web.origin().clone()),
        });
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: transfers in flight are finished or parked");
        sweeper.abort();
        let web = async {
            if let Some(web) = web {
                web.shutdown().await;
            }
        };
        tokio::join!(server.shutdown(grace), web);
        control.stop();
        Ok(())
    });
    runtime.shutdown_timeout(grace);
    vault.close();
    ended
}

/// Starts both workers once, and says which layers of their sandbox this host hasn't.
fn check_sandbox(config: &Config) -> Result<(), ServeError> {
    let failed = |error: &dyn std::fmt::Display| ServeError::Inspectors(error.to_string());
    let settings = WorkerSettings::from_config(&config.inspect).map_err(|error| failed(&error))?;
    let layers = process::probe(&settings).map_err(|error| failed(&error))?;
    for layer in layers.iter().filter(|layer| !layer.holds) {
        tracing::warn!(
            layer = layer.name,
            why = layer.detail,
            "the inspectors' sandbox goes without a layer"
        );
    }
    let held = layers.iter().filter(|layer| layer.holds).count();
    tracing::info!(held, of = layers.len(), "the inspectors' sandbox holds");
    Ok(())
}

/// Looks after waiting uploads, open readings and sessions until it is aborted.
async fn sweep(ingest: Arc<Ingest>, room: Arc<ReadingRoom>, console: Option<Arc<Console>>) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        let (ingest, room, console) = (ingest.clone(), room.clone(), console.clone());
        let swept = tokio::task::spawn_blocking(move || {
            room.sweep();
            if let Some(console) = &console {
                console.sweep();
            }
            ingest.sweep()
        })
        .await;
        match swept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "waiting uploads couldn't be looked after; tried again soon")
            }
            Err(error) => tracing::error!(%error, "looking after waiting uploads failed"),
        }
    }
}

fn settings(config: &SshConfig, certificates: bool) -> SshSettings {
    SshSettings {
        max_connections: config.max_connections,
        max_connections_per_address: config.max_connections_per_address,
        login_time: Duration::from_secs(config.login_timeout_seconds),
        keepalive_interval: Duration::from_secs(config.keepalive_seconds),
        inactivity_timeout: Duration::from_secs(config.idle_timeout_seconds),
        certificates,
        ..SshSettings::default()
    }
}

fn authorities(config: &SshConfig) -> Result<Vec<PublicKey>, ServeError> {
    let Some(path) = &config.user_ca_keys else {
        return Ok(Vec::new());
    };
    let failed = |error: String| ServeError::Authorities {
        path: path.clone(),
        error,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| PublicKey::from_openssh(line).map_err(|error| failed(error.to_string())))
        .collect()
}
