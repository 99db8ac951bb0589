//! The configuration: one TOML file, every field documented, unknown fields refused, secrets by file path only.
//!
//! Paths that aren't absolute start at the folder of the configuration file.

pub mod console;

use crate::domain::time::Zone;
use console::ConsoleConfig;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Everything a vault needs to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The vault and its zone.
    pub vault: VaultConfig,
    /// Keys: who can read, who signs.
    pub keys: KeysConfig,
    /// The SSH listener.
    #[serde(default)]
    pub ssh: SshConfig,
    /// How uploads are named, judged and given up.
    #[serde(default)]
    pub ingest: IngestConfig,
    /// How videos and scans are inspected.
    #[serde(default)]
    pub inspect: InspectConfig,
    /// The side that reads what is sealed; a server without this section takes in and never reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieval: Option<RetrievalConfig>,
    /// The web console; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<ConsoleConfig>,
}

/// The vault and its zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// The folder that `muniment init` made.
    pub path: PathBuf,
    /// Origin line of the custody log and name of its key, for instance `muniment.example/vault-1`. Never changes.
    pub origin: String,
    /// Hours east of UTC in which dates and times are shown.
    #[serde(default = "VaultConfig::default_utc_offset_hours")]
    pub utc_offset_hours: i8,
    /// Set the immutable flag on sealed files where the file system has it.
    #[serde(default = "yes")]
    pub immutable_flag: bool,
    /// Uploads are refused while the store has fewer free bytes than this, so that commits always have room.
    #[serde(default = "VaultConfig::default_reserve_bytes")]
    pub reserve_bytes: u64,
}

/// Keys, by file. Public ones are written out; private ones are paths.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// Public age recipients of everything sealed: the vault's identity and the offline escrow.
    pub recipients: Vec<String>,
    /// The key that signs checkpoints.
    pub log_key: PathBuf,
    /// Protects uploads in flight and, by keys derived from it, the secrets of authenticator apps. Losing it costs the former's
    /// resumability, and the people with an app need a new invitation.
    pub staging_key: PathBuf,
    /// Public keys of witnesses whose cosignatures are taken in, as `name+hash+key`.
    #[serde(default)]
    pub witnesses: Vec<String>,
}

/// The SSH listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SshConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Host keys (OpenSSH private key files), the preferred one first.
    pub host_keys: Vec<PathBuf>,
    /// Public keys of certificate authorities for user certificates, one a line as in `authorized_keys`.
    pub user_ca_keys: Option<PathBuf>,
    /// Connections in all at one time.
    pub max_connections: usize,
    /// Connections from one address at one time.
    pub max_connections_per_address: usize,
    /// Seconds a peer may take to log in.
    pub login_timeout_seconds: u64,
    /// Seconds without any traffic after which a session ends.
    pub idle_timeout_seconds: u64,
    /// Seconds between keep-alives to a silent peer; three unanswered ones end the session.
    pub keepalive_seconds: u64,
    /// Seconds that transfers in flight get when the server stops, before they are parked.
    pub stop_grace_seconds: u64,
}

/// How uploads are named, judged and given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// Pattern of customer numbers.
    pub customer_pattern: String,
    /// Pattern of flow numbers.
    pub flow_pattern: String,
    /// Templates of file names and folders, tried in order.
    pub name_patterns: Vec<String>,
    /// Hours that an incomplete upload stays resumable before it is rejected and kept aside.
    pub waiting_hours: u32,
    /// Hours that a settled upload stays in view in the inbox.
    pub settled_in_view_hours: u32,
    /// Largest single file in bytes.
    pub max_file_bytes: u64,
    /// Files that one person may have waiting at one time.
    pub max_waiting_per_person: u32,
}

/// How videos and scans are inspected.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InspectConfig {
    /// The worker for video and audio; beside the server's own program when absent.
    pub media_worker: Option<PathBuf>,
    /// The worker for scans and bundles; beside the server's own program when absent.
    pub scan_worker: Option<PathBuf>,
    /// Refuse to start where the kernel has no system call filter. Off only where the whole server is confined otherwise.
    pub require_seccomp: bool,
    /// Inspections before a receipt that run at one time; 0 for one a core, at least two.
    pub gate_workers: usize,
    /// Milliseconds that a client's CLOSE waits for the inspection; after that it goes on behind a WAITING receipt.
    pub close_wait_ms: u64,
    /// Seconds that an inspection before the receipt may take.
    pub gate_limit_seconds: u64,
    /// Decode everything in the background.
    pub deep: bool,
    /// Seconds that a deep inspection or a playback copy may take.
    pub deep_limit_seconds: u64,
    /// Make copies that browsers play of recordings that they don't.
    pub playback: bool,
    /// Compute SM3 digests (GB/T 32905) in the background.
    pub sm3: bool,
    /// A malware scanner to ask first: `unix:/run/clamav/clamd.ctl` or `tcp:127.0.0.1:3310`. Uploads wait while it is away.
    pub clamd: Option<String>,
}

/// The side that reads what is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalConfig {
    /// The identity that opens what is sealed, protected by a passphrase (`muniment key protect`, or `age -p`). The
    /// server reads it only when it starts with a passphrase; else it starts locked, until `muniment key unlock`.
    pub identity: PathBuf,
}

fn yes() -> bool {
    true
}

impl VaultConfig {
    fn default_utc_offset_hours() -> i8 {
        8
    }

    fn default_reserve_bytes() -> u64 {
        256 * 1024 * 1024
    }
}

impl Default for SshConfig {
    fn default() -> Self {
        SshConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 2222)),
            host_keys: Vec::new(),
            user_ca_keys: None,
            max_connections: 1_024,
            max_connections_per_address: 256,
            login_timeout_seconds: 60,
            idle_timeout_seconds: 3_600,
            keepalive_seconds: 30,
            stop_grace_seconds: 20,
        }
    }
}

impl Default for IngestConfig {
    fn default() -> Self {
        IngestConfig {
            customer_pattern: "[0-9]{6,16}".to_owned(),
            flow_pattern: "[A-Za-z0-9]{4,32}".to_owned(),
            name_patterns: vec![
                "{customer}_{date}_{flow}_{doctype}_{seq}.{ext}".to_owned(),
                "{customer}/{flow}/{doctype}_{seq}.{ext}".to_owned(),
            ],
            waiting_hours: 72,
            settled_in_view_hours: 24,
            max_file_bytes: 64 * 1024 * 1024 * 1024,
            max_waiting_per_person: 10_000,
        }
    }
}

impl Default for InspectConfig {
    fn default() -> Self {
        InspectConfig {
            media_worker: None,
            scan_worker: None,
            require_seccomp: true,
            gate_workers: 0,
            close_wait_ms: 2_000,
            gate_limit_seconds: 600,
            deep: true,
            deep_limit_seconds: 14_400,
            playback: true,
            sm3: false,
            clamd: None,
        }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("configuration {path}: {error}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It isn't what this program understands.
    #[error("configuration {path}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
}

/// Whether a configuration still names a file of document types, as those of the first release could.
fn has_document_types(text: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok_and(|table| {
        table
            .get("ingest")
            .and_then(|ingest| ingest.get("document_types"))
            .is_some()
    })
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// When it can't be read, has unknown fields or impossible values.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let invalid = |message: String| ConfigError::Invalid {
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        if has_document_types(&text) {
            return Err(invalid(
                "ingest.document_types is no setting any more: the table is published in the custody log. Take the line out, \
                 then `muniment doctype import FILE`"
                    .to_owned(),
            ));
        }
        let mut config: Config = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let base = path.parent().unwrap_or(Path::new(".")).to_owned();
        config.resolve(&base);
        if config.keys.recipients.is_empty() {
            return Err(invalid(
                "keys.recipients is empty: nobody could ever read what is sealed".to_owned(),
            ));
        }
        if Zone::from_hours(config.vault.utc_offset_hours).is_none() {
            return Err(invalid("vault.utc_offset_hours goes from -12 to 14".to_owned()));
        }
        if config.ingest.name_patterns.is_empty() {
            return Err(invalid(
                "ingest.name_patterns is empty: no upload could be named".to_owned(),
            ));
        }
        if let Some(fault) = config.console.as_ref().and_then(ConsoleConfig::fault) {
            return Err(invalid(fault));
        }
        Ok(config)
    }

    /// The zone that dates are shown in.
    pub fn zone(&self) -> Zone {
        Zone::from_hours(self.vault.utc_offset_hours).unwrap_or_default()
    }

    fn resolve(&mut self, base: &Path) {
        let paths = [
            &mut self.vault.path,
            &mut self.keys.log_key,
            &mut self.keys.staging_key,
        ]
        .into_iter()
        .chain(&mut self.ssh.host_keys)
        .chain(&mut self.ssh.user_ca_keys)
        .chain(&mut self.inspect.media_worker)
        .chain(&mut self.inspect.scan_worker);
        let paths = paths.chain(self.retrieval.as_mut().map(|retrieval| &mut retrieval.identity));
        let console = self.console.iter_mut();
        let tls = console.flat_map(|console| [&mut console.tls_certificate, &mut console.tls_key]);
        let paths = paths.chain(tls.flatten());
        for path in paths {
            *path = base.join(&*path);
        }
    }
}
