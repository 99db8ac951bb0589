//! `muniment init`: everything a vault needs before its first upload, and who must carry which key away.
//!
//! Nothing here overwrites: a folder that holds anything is refused. A crash in the middle leaves a folder that can be
//! thrown away, because nothing can have been sealed under its keys.

use super::{
    Failure, Outcome,
    context::{CONFIG_NAME, Context},
    output::table,
    seam,
};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use muniment::{
    blob::Layout,
    catalog::Writer,
    config::{Config, SshConfig, console::WebOrigin},
    crypto::{Identity, Recipient, StagingKey},
    domain::{
        event::{Draft, Kind},
        id::new_id,
        time::{Clock, SystemClock},
    },
    tlog::key::{Algorithm, SignerKey},
};
use ring::rand::{SecureRandom, SystemRandom};
use russh::keys::{
    HashAlg, PrivateKey,
    ssh_key::{
        LineEnding,
        private::{Ed25519Keypair, KeypairData},
    },
};
use serde::Serialize;
use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Version of the vault's layout on disk, as `vault.created` states it.
const FORMAT: u64 = 1;
/// The configuration that a new vault gets.
const TEMPLATE: &str = include_str!("muniment.toml");
/// Its section for the web console.
const CONSOLE_TEMPLATE: &str = include_str!("console.toml");
/// What the section names where nobody asked for a console: it stands there as a comment.
const CONSOLE_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

#[derive(Args)]
pub(super) struct Init {
    /// Folder to make; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    vault: PathBuf,
    /// Name of the custody log and its key, for instance example.org/vault-1; it can never change
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Where the server will listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where the web console will listen; without it there is none until the configuration says so
    #[arg(long, value_name = "ADDR")]
    console: Option<SocketAddr>,
    /// Public address of the console, for instance https://vault.example:8443; needed unless it listens on loopback
    #[arg(long, value_name = "ORIGIN", requires = "console")]
    console_origin: Option<WebOrigin>,
    /// Public key of an escrow identity that was made elsewhere; without it one is made here
    #[arg(long, value_name = "age1…", value_parser = recipient)]
    escrow_recipient: Option<Recipient>,
}

fn recipient(text: &str) -> anyhow::Result<Recipient> {
    Ok(text.parse()?)
}

/// A key file and what is to become of it.
#[derive(Serialize)]
struct Key {
    file: PathBuf,
    purpose: &'static str,
    holder: &'static str,
    /// Whether it must leave this machine now.
    move_offline: bool,
}

#[derive(Serialize)]
struct Made {
    vault: PathBuf,
    config: PathBuf,
    origin: String,
    log_key: String,
    host_key: String,
    recipients: Vec<String>,
    keys: Vec<Key>,
}

impl Init {
    pub(super) fn run(self, context: &Context) -> Outcome {
        if context.config.is_some() {
            return Err(Failure::Broken(anyhow!(
                "init makes a configuration and takes none: leave --config out"
            )));
        }
        let vault = std::path::absolute(&self.vault)?;
        if let Some(found) = occupied(&vault)? {
            return Err(Failure::Finding(format!(
                "{} isn't empty (it holds {found}): init never touches a vault that exists; name another folder",
                vault.display()
            )));
        }
        let made = self.make(&vault).with_context(|| {
            format!(
                "the vault wasn't finished; remove {} before you try again",
                vault.display()
            )
        })?;
        context.output.result(&made, || human(&made))?;
        Ok(())
    }

    fn make(self, vault: &Path) -> anyhow::Result<Made> {
        let random = SystemRandom::new();
        let origin = match self.origin {
            Some(origin) if origin.is_ascii() => origin,
            Some(_) => bail!("--origin must be ASCII: it stands in every checkpoint"),
            None => format!("muniment/{}", event_id(&random)?),
        };
        let signer = SignerKey::generate(&origin, Algorithm::Ed25519, &random).context("--origin")?;
        let layout = Layout::new(vault);
        layout.create_folders()?;
        let keys = layout.keys();

        let host_key = host_key(&random)?;
        private_file(&keys.join("host_ed25519"), &host_key.to_openssh(LineEnding::LF)?)?;
        public_file(
            &keys.join("host_ed25519.pub"),
            &format!("{}\n", host_key.public_key().to_openssh()?),
        )?;
        private_file(&keys.join("log.key"), &format!("{}\n", *signer.to_text()))?;
        public_file(&keys.join("log.pub"), &format!("{}\n", signer.verifier()))?;
        StagingKey::create(&keys.join("staging.key"), &random)?;
        let identity = Identity::generate();
        private_file(&keys.join("identity.age"), &identity.to_file())?;
        let escrow = match self.escrow_recipient {
            Some(recipient) => recipient,
            None => {
                let escrow = Identity::generate();
                private_file(&keys.join("escrow.age"), &escrow.to_file())?;
                escrow.recipient()
            }
        };
        if escrow == identity.recipient() {
            bail!("the escrow must be another key than the vault's own");
        }

        let recipients = vec![identity.recipient().to_string(), escrow.to_string()];
        let listen = self.listen.unwrap_or(SshConfig::default().listen);
        let config_path = vault.join(CONFIG_NAME);
        let console = console_text(self.console, self.console_origin.as_ref());
        private_file(&config_path, &config_text(&origin, &recipients, listen, &console))?;
        let config = Config::load(&config_path)?;
        let catalogue = layout.catalog();
        drop(Writer::create(&catalogue, &origin)?);
        fs::set_permissions(&catalogue, Permissions::from_mode(0o600))?;

        let created = Draft::new(Kind::VaultCreated, event_id(&random)?, muniment::admin::OPERATOR)
            .fact("origin", origin.as_str())
            .fact("format", FORMAT)
            .fact("recipients", recipients.clone());
        seam::create(config, created)?;
        Ok(Made {
            vault: vault.to_owned(),
            config: config_path,
            origin,
            log_key: signer.verifier().to_string(),
            host_key: host_key.fingerprint(HashAlg::Sha256).to_string(),
            recipients,
            keys: key_list(&keys),
        })
    }
}

/// Something that lies in the folder already.
fn occupied(vault: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_dir(vault) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be made a vault", vault.display())),
        Ok(mut entries) => Ok(entries
            .next()
            .transpose()?
            .map(|entry| entry.file_name().to_string_lossy().into_owned())),
    }
}

fn event_id(random: &dyn SecureRandom) -> anyhow::Result<String> {
    new_id(random, SystemClock.now_ms()).map_err(|_| anyhow!("the system has no randomness to give"))
}

fn host_key(random: &dyn SecureRandom) -> anyhow::Result<PrivateKey> {
    let mut seed = Zeroizing::new([0; 32]);
    random
        .fill(seed.as_mut_slice())
        .map_err(|_| anyhow!("the system has no randomness to give"))?;
    Ok(PrivateKey::new(
        KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)),
        "",
    )?)
}

fn private_file(path: &Path, text: &str) -> anyhow::Result<()> {
    new_file(path, text, 0o600)
}

fn public_file(path: &Path, text: &str) -> anyhow::Result<()> {
    new_file(path, text, 0o644)
}

fn new_file(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}

/// The template with what differs between vaults filled in. The texts are ASCII without quotes: an origin is a key's
/// name, the rest are key texts and an address.
fn config_text(origin: &str, recipients: &[String], listen: SocketAddr, console: &str) -> String {
    let recipients: Vec<String> = recipients.iter().map(|recipient| quoted(recipient)).collect();
    TEMPLATE
        .replace("{origin}", &quoted(origin))
        .replace("{recipients}", &recipients.join(", "))
        .replace("{listen}", &quoted(&listen.to_string()))
        .replace("{console}\n", console)
}

/// The console's section; as a comment where there is to be no console.
fn console_text(address: Option<SocketAddr>, origin: Option<&WebOrigin>) -> String {
    let listen = address.unwrap_or(CONSOLE_ADDRESS).to_string();
    let mut text = CONSOLE_TEMPLATE.replace("{listen}", &quoted(&listen));
    if let Some(origin) = origin {
        let example = "# origin = \"https://vault.example:8443\"";
        text = text.replace(example, &format!("origin = {}", quoted(&origin.to_string())));
    }
    if address.is_some() {
        return text;
    }
    let commented = |line: &str| match line.starts_with('#') {
        true => format!("{line}\n"),
        false => format!("# {line}\n"),
    };
    text.lines().map(commented).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn key_list(folder: &Path) -> Vec<Key> {
    let keys = [
        (
            "identity.age",
            "opens everything sealed",
            "key custodian, on a medium of their own",
            true,
        ),
        (
            "escrow.age",
            "opens everything sealed if the first is lost",
            "a safe in another building",
            true,
        ),
        (
            "log.key",
            "signs the custody log",
            "stays; a copy in the safe",
            false,
        ),
        (
            "log.pub",
            "checks the custody log",
            "auditors, branches, witnesses",
            false,
        ),
        ("host_ed25519", "proves this server to clients", "stays", false),
        ("host_ed25519.pub", "known_hosts of clients", "branches", false),
        ("staging.key", "protects uploads in flight", "stays", false),
    ];
    keys.into_iter()
        .map(|(name, purpose, holder, move_offline)| Key {
            file: folder.join(name),
            purpose,
            holder,
            move_offline,
        })
        .filter(|key| key.file.exists())
        .collect()
}

fn human(made: &Made) -> String {
    let mut table = table(["key file", "what it is for", "who holds it", ""]);
    for key in &made.keys {
        let file = key
            .file
            .strip_prefix(&made.vault)
            .unwrap_or(&key.file)
            .display()
            .to_string();
        table.add_row([
            file.as_str(),
            key.purpose,
            key.holder,
            if key.move_offline { "MOVE OFFLINE NOW" } else { "" },
        ]);
    }
    let moves: Vec<String> = made
        .keys
        .iter()
        .filter(|key| key.move_offline)
        .map(|key| format!("  {}", key.file.display()))
        .collect();
    format!(
        "vault {}\nconfiguration {}\ncustody log {}\nlog key {}\nhost key {}\n\n{table}\n\n\
         While these files are on this machine, whoever takes it over reads everything ever sealed here:\n{}\n\
         Copy each to its holder's medium, read it back there, then remove it here (shred -u).\n\
         The server needs neither of them.\n",
        made.vault.display(),
        made.config.display(),
        made.origin,
        made.log_key,
        made.host_key,
        moves.join("\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the template says is what the program assumes where a field is left out.
    #[test]
    fn the_template_states_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let load = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            serde_json::to_value(Config::load(&path).unwrap()).unwrap()
        };
        let recipients = [
            Identity::generate().recipient().to_string(),
            Identity::generate().recipient().to_string(),
        ];
        let written = load(
            "a.toml",
            &config_text(
                "example.org/a",
                &recipients,
                SshConfig::default().listen,
                &console_text(None, None),
            ),
        );
        let shortest = load(
            "b.toml",
            &format!(
                "[vault]\npath = \".\"\norigin = \"example.org/a\"\n[keys]\nrecipients = {recipients:?}\n\
                 log_key = \"keys/log.key\"\nstaging_key = \"keys/staging.key\"\n\
                 [ssh]\nhost_keys = [\"keys/host_ed25519\"]\n"
            ),
        );
        assert_eq!(written, shortest);
    }

    /// The same for the console's section, which is there when it was asked for.
    #[test]
    fn the_console_section_states_the_defaults() {
        let read = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
        let console = |text: &str| -> muniment::config::console::ConsoleConfig {
            read(text)["console"].clone().try_into().unwrap()
        };
        let address = "127.0.0.1:9443".parse().unwrap();
        let origin: WebOrigin = "https://vault.example:9443".parse().unwrap();
        assert!(read(&console_text(None, None)).is_empty());
        let json = |config| serde_json::to_value(config).unwrap();
        assert_eq!(
            json(console(&console_text(Some(address), None))),
            json(console("[console]\nlisten = \"127.0.0.1:9443\""))
        );
        let named = console(&console_text(Some(address), Some(&origin)));
        assert_eq!(named.origin, Some(origin));
    }
}
