//! A vault, its server and its people for one test, made with the real programs and met with real clients.
//!
//! Nothing here looks inside the server: what a test knows, a client, an operator or an auditor could know. Waiting is
//! always for something that can be seen, with a limit; no sleep stands for a check. Randomness comes from seeds.
#![allow(dead_code, unreachable_pub)]

pub mod clients;
pub mod command;
pub mod log;
pub mod media;
pub mod receipts;
pub mod server;
pub mod visitor;

pub use command::Ran;

use server::Server;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicU32,
};

/// Branch that tests use when one is enough.
pub const BRANCH: &str = "0101";
/// Uploader that tests use when one is enough.
pub const CLERK: &str = "zhang.wei";
/// Auditor of every test vault.
pub const AUDITOR: &str = "audit";

/// Passphrase of the identity that [`TestVault::retrieving`] protects.
pub const PASSPHRASE: &str = "rivers run uphill in the morning";

/// A vault in a folder of its own, gone when dropped.
pub struct TestVault {
    /// Everything of the test: keys, files to upload, fetched receipts.
    pub home: PathBuf,
    /// The vault itself.
    pub path: PathBuf,
    server: Option<Server>,
    fetched: AtomicU32,
}

impl TestVault {
    /// A vault with branch [`BRANCH`], uploader [`CLERK`] and auditor [`AUDITOR`], its server running.
    pub fn serving() -> Self {
        let mut vault = Self::new();
        vault.serve();
        vault
    }

    /// The same without a server.
    pub fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("v")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a folder for the test")
            .keep();
        let path = home.join("vault");
        Self::at(home, path)
    }

    /// A vault at `path`, which may lie on a file system of its own; keys and files of the test go to `home`.
    pub fn at(home: PathBuf, path: PathBuf) -> Self {
        let vault = TestVault {
            home,
            path,
            server: None,
            fetched: AtomicU32::new(0),
        };
        // Any free port, so that tests run side by side.
        command::run(
            muniment()
                .args(["init", "--listen", "127.0.0.1:0", "--vault"])
                .arg(&vault.path),
        )
        .ok();
        // Background inspection adds events whenever it gets round to it: tests that are about it switch it on.
        vault.set_config("inspect", "deep", false);
        vault.set_config("inspect", "playback", false);
        vault.add_branch(BRANCH, "北京中关村营业部");
        vault.add_user(CLERK, &["uploader"], Some(BRANCH));
        vault.add_user(AUDITOR, &["auditor"], None);
        vault
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.path.join("muniment.toml")
    }

    /// The configuration as it stands.
    pub fn config(&self) -> toml::Table {
        fs::read_to_string(self.config_file()).unwrap().parse().unwrap()
    }

    /// Changes one field of one section; the server takes it at its next start.
    pub fn set_config(&self, section: &str, field: &str, value: impl Into<toml::Value>) {
        let mut config = self.config();
        let table = config.entry(section).or_insert_with(|| toml::Table::new().into());
        table
            .as_table_mut()
            .unwrap()
            .insert(field.to_owned(), value.into());
        fs::write(self.config_file(), config.to_string()).unwrap();
    }

    /// A path that the configuration names, from the folder of the configuration.
    pub fn config_path(&self, section: &str, field: &str) -> PathBuf {
        let config = self.config();
        let value = &config[section][field];
        let text = value.as_str().or_else(|| value[0].as_str()).unwrap();
        self.path.join(text)
    }

    // --- administration ------------------------------------------------------------------------------------------

    /// Runs `muniment <words> --config …`; works beside a running server and without one.
    pub fn muniment<A: AsRef<OsStr>>(&self, words: &[A]) -> Ran {
        command::run(muniment().args(words).arg("--config").arg(self.config_file()))
    }

    /// The same with `--json`; succeeds or the test fails.
    pub fn muniment_json(&self, words: &[&str]) -> serde_json::Value {
        let ran = self.muniment(&[words, &["--json"]].concat()).ok();
        serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{words:?} gave no JSON ({error}): {ran}"))
    }

    /// Adds a branch.
    pub fn add_branch(&self, code: &str, name: &str) {
        self.muniment(&["branch", "add", code, "--name", name]).ok();
    }

    /// Adds a person with a fresh Ed25519 key.
    pub fn add_user(&self, name: &str, roles: &[&str], branch: Option<&str>) {
        let key = self.key(name);
        command::run(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(&key),
        )
        .ok();
        self.add_user_with_key(name, roles, branch, &key.with_extension("key.pub"));
    }

    /// Adds a person who has a key already.
    pub fn add_user_with_key(&self, name: &str, roles: &[&str], branch: Option<&str>, public_key: &Path) {
        let mut words = vec![
            "user",
            "add",
            name,
            "--nda",
            "NDA-2026-001",
            "--key",
            public_key.to_str().unwrap(),
        ];
        roles.iter().for_each(|role| words.extend(["--role", role]));
        branch
            .iter()
            .for_each(|branch| words.extend(["--branch", branch]));
        self.muniment(&words).ok();
    }

    /// A person's private key.
    pub fn key(&self, user: &str) -> PathBuf {
        self.home.join(format!("{user}.key"))
    }

    /// The private identity that `init` made: what the key custodian holds.
    pub fn identity(&self) -> PathBuf {
        self.path.join("keys/identity.age")
    }

    /// The escrow identity, which belongs offline.
    pub fn escrow(&self) -> PathBuf {
        self.path.join("keys/escrow.age")
    }

    /// The public half of the log's key, as an auditor gets it.
    pub fn log_public_key(&self) -> PathBuf {
        self.config_path("keys", "log_key").with_extension("pub")
    }

    /// Evidence rows, oldest first, all pages.
    pub fn evidence(&self) -> Vec<serde_json::Value> {
        let mut rows = Vec::new();
        let mut after = None::<String>;
        loop {
            let mut words = vec!["evidence", "list", "--limit", "1000"];
            after.iter().for_each(|cursor| words.extend(["--after", cursor]));
            let page = self.muniment_json(&words);
            rows.extend(
                page["evidence"]
                    .as_array()
                    .expect("a list of evidence")
                    .iter()
                    .cloned(),
            );
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        rows.sort_by_key(|row| row["receipt"].as_u64());
        rows
    }

    /// The folder that holds `content` and `record` of a version.
    pub fn object(&self, row: &serde_json::Value) -> PathBuf {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        self.path
            .join("objects")
            .join(text("customer"))
            .join(text("id"))
            .join(format!("v{}", row["version"]))
    }

    /// The header of a version.
    pub fn header(&self, row: &serde_json::Value) -> PathBuf {
        let name = format!("{}.v{}", row["id"].as_str().unwrap(), row["version"]);
        fs::read_dir(self.path.join("headers"))
            .unwrap()
            .map(|folder| folder.unwrap().path().join(&name))
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("no header {name}"))
    }

    /// The original of a version, as Debian's own `age` restores it with the vault's identity.
    pub fn decrypted(&self, row: &serde_json::Value) -> Vec<u8> {
        let mut sealed = fs::read(self.header(row)).unwrap();
        sealed.extend(fs::read(self.object(row).join("content")).unwrap());
        let joined = self.home.join("joined.age");
        fs::write(&joined, sealed).unwrap();
        let out = self.home.join("joined.out");
        command::run(
            Command::new("age")
                .arg("-d")
                .arg("-i")
                .arg(self.identity())
                .arg("-o")
                .arg(&out)
                .arg(&joined),
        )
        .ok();
        fs::read(out).unwrap()
    }

    /// Runs `muniment <words> --config …` with a passphrase on file descriptor 3.
    pub fn muniment_told(&self, passphrase: &str, words: &[&str]) -> Ran {
        let path = self.file("told", passphrase.as_bytes());
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("exec \"$0\" \"$@\" 3<'{}'", path.display()))
            .arg(env!("CARGO_BIN_EXE_muniment"))
            .args(words)
            .args(["--passphrase-fd", "3", "--config"])
            .arg(self.config_file());
        let ran = command::run(&mut shell);
        fs::remove_file(path).unwrap();
        ran
    }

    /// Runs a program on a terminal, typing each answer when its prompt appears; what was shown is on stdout.
    pub fn on_terminal<A: AsRef<OsStr>>(&self, answers: &[(&str, &str)], line: &[A]) -> Ran {
        let helper = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py");
        command::run(
            Command::new("python3")
                .arg(helper)
                .arg(serde_json::to_string(answers).unwrap())
                .args(line),
        )
    }

    /// Leaves of the log, by kind: what they say.
    pub fn leaves(&self, kind: &str) -> Vec<serde_json::Value> {
        let entries = log::entries(&self.path.join("log"), self.checkpoint().0);
        let leaves = entries
            .iter()
            .map(|entry| serde_json::from_slice::<serde_json::Value>(entry).unwrap());
        leaves.filter(|leaf| leaf["kind"] == kind).collect()
    }

    // --- verification --------------------------------------------------------------------------------------------

    /// Runs `muniment-verify <words>`.
    pub fn verify<A: AsRef<OsStr>>(&self, words: &[A]) -> Ran {
        command::run(Command::new(env!("CARGO_BIN_EXE_muniment-verify")).args(words))
    }

    /// Runs `muniment log verify`.
    pub fn log_verify(&self) -> Ran {
        self.muniment(&["log", "verify"])
    }

    /// Runs `muniment fixity check`.
    pub fn fixity_check(&self) -> Ran {
        self.muniment(&["fixity", "check"])
    }

    /// The checkpoint as it stands on disk: size and root.
    pub fn checkpoint(&self) -> (u64, String) {
        let note = fs::read_to_string(self.path.join("log/checkpoint")).unwrap();
        let mut lines = note.lines().skip(1);
        (
            lines.next().unwrap().parse().unwrap(),
            lines.next().unwrap().to_owned(),
        )
    }

    /// Everything must be well: the log verifies and every object is what the log says.
    pub fn assert_sound(&self) {
        self.log_verify().ok();
        self.fixity_check().ok();
    }

    // --- files to upload -----------------------------------------------------------------------------------------

    /// Writes a file below the test's own folder and gives its path.
    pub fn file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.home.join("files").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    // --- the server ----------------------------------------------------------------------------------------------

    /// Starts the server and waits until it listens.
    pub fn serve(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        self.server = Some(Server::start(
            &self.config_file(),
            &self.home.join("server.log"),
            &[],
        ));
    }

    /// The same with variables in its environment.
    pub fn serve_with(&mut self, variables: &BTreeMap<&str, String>) {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.server = Some(Server::start(
            &self.config_file(),
            &self.home.join("server.log"),
            &variables,
        ));
    }

    /// Starts the server with a web console on any free port, and gives what browsers call it: `https://localhost:PORT`.
    pub fn serve_console(&mut self) -> String {
        self.set_config("console", "listen", "127.0.0.1:0");
        self.serve();
        self.server().console.clone().expect("the server has a console")
    }

    /// The certificate that the vault made for its console, for clients to trust.
    pub fn console_certificate(&self) -> PathBuf {
        self.path.join("keys/console.crt")
    }

    /// A vault with a console, whose retrieval side takes [`PASSPHRASE`]; its server doesn't run yet.
    pub fn retrieving() -> Self {
        let vault = Self::new();
        vault.set_config("retrieval", "identity", "keys/protected.age");
        vault.set_config("console", "listen", "127.0.0.1:0");
        let (identity, protected) = (vault.identity(), vault.path.join("keys/protected.age"));
        let (from, to) = (identity.to_str().unwrap(), protected.to_str().unwrap());
        vault
            .muniment_told(&format!("{PASSPHRASE}\n"), &["key", "protect", from, "--out", to])
            .ok();
        vault
    }

    /// Starts the server, unlocked with a passphrase on its standard input.
    pub fn serve_unlocked(&mut self, passphrase: &str) {
        let path = self.file("passphrase", passphrase.as_bytes());
        let stdin = fs::File::open(&path).unwrap();
        fs::remove_file(path).unwrap();
        self.server = Some(Server::start_with(
            &self.config_file(),
            &self.home.join("server.log"),
            &[],
            &["--passphrase-fd", "0"],
            stdin.into(),
        ));
    }

    /// The running server.
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// Stops the server as an operator does (SIGTERM) and waits for its end.
    pub fn stop(&mut self) {
        self.server.take().expect("the server runs").stop();
    }

    /// Ends the server as a power cut does.
    pub fn kill9(&mut self) {
        self.server.take().expect("the server runs").kill9();
    }

    /// Stop and start.
    pub fn restart(&mut self) {
        self.stop();
        self.serve();
    }
}

impl Drop for TestVault {
    fn drop(&mut self) {
        drop(self.server.take());
        if std::thread::panicking() {
            let log = fs::read_to_string(self.home.join("server.log")).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!(
                "--- server log, last lines ---\n{}",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
        // Sealed files are immutable where the file system has the flag; tests run as root and may clear it.
        for folder in [&self.path, &self.home] {
            let _ = Command::new("chattr")
                .args(["-R", "-f", "-i"])
                .arg(folder)
                .output();
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// The server and administration program.
pub fn muniment() -> Command {
    Command::new(env!("CARGO_BIN_EXE_muniment"))
}

/// Overwrites sealed bytes as somebody with root could.
pub fn force_write(path: &Path, bytes: &[u8]) {
    make_mutable(path);
    fs::write(path, bytes).unwrap();
}

/// Takes away what protects a sealed file, as somebody with root could.
pub fn make_mutable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = Command::new("chattr").arg("-i").arg(path).output();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// SHA-256 of a file of any size.
pub fn sha256_of_file(path: &Path) -> String {
    let ran = command::run(Command::new("sha256sum").arg(path)).ok();
    ran.stdout[..64].to_owned()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
