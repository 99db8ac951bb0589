//! A folder with a vault in it, and the program to run on it.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// What a run of the program came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The JSON on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Fails unless it ended with 0.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless it ended with `code` and said each of `words` on stderr.
    pub(crate) fn says(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no '{word}' in: {}", self.stderr);
        }
        self
    }
}

/// Runs the program without any configuration in its environment.
pub(crate) fn muniment(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_muniment"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("MUNIMENT_CONFIG")
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A vault that `muniment init` made.
pub(crate) struct Vault {
    pub(crate) folder: TempDir,
}

impl Vault {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        muniment(
            folder.path(),
            &["init", "--vault", "vault", "--origin", "example.org/test"],
        )
        .ok();
        // Sealed files that nobody may remove would outlive the test.
        let config = folder.path().join("vault/muniment.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(
            &config,
            text.replace("immutable_flag = true", "immutable_flag = false"),
        )
        .unwrap();
        Vault { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    /// Runs a command on the vault.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let all = [&["--config", "vault/muniment.toml"], arguments].concat();
        muniment(self.folder.path(), &all)
    }

    /// Writes a public key file that no other seed makes, and returns its name.
    pub(crate) fn key(&self, seed: u8) -> String {
        use russh::keys::{
            PublicKey,
            ssh_key::{private::Ed25519Keypair, public::KeyData},
        };
        let key = KeyData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32]).public);
        let name = format!("key{seed}.pub");
        let line = PublicKey::new(key, "somebody@somewhere").to_openssh().unwrap();
        fs::write(self.folder.path().join(&name), line).unwrap();
        name
    }
}
