//! The clients that branches use, each as its users run it, each checking the server's host key.

use super::{Ran, TestVault, command};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The name that stands for the test's server in every client's configuration.
const HOST: &str = "muniment";
/// Long transfers on a busy two-core machine.
const LONG: Duration = Duration::from_secs(900);

impl TestVault {
    /// An OpenSSH client configuration for a person: their key, the server's port, its host key pinned.
    pub fn ssh_config(&self, user: &str) -> PathBuf {
        self.ssh_config_with(user, "")
    }

    /// The same with more lines.
    pub fn ssh_config_with(&self, user: &str, more: &str) -> PathBuf {
        let known_hosts = self.home.join("known_hosts");
        let port = self.server().port;
        let host_key = self.host_public_key();
        fs::write(
            &known_hosts,
            format!("{HOST} {host_key}\n[127.0.0.1]:{port} {host_key}\n"),
        )
        .unwrap();
        let text = format!(
            "Host {HOST}\n{more}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  HostKeyAlias {HOST}\n  \
             StrictHostKeyChecking yes\n  UpdateHostKeys no\n  BatchMode yes\n  LogLevel ERROR\n",
            self.key(user).display(),
            known_hosts.display(),
        );
        let path = self.home.join(format!("{user}.ssh"));
        fs::write(&path, text).unwrap();
        path
    }

    /// The server's preferred host key, `type base64`.
    pub fn host_public_key(&self) -> String {
        let private = self.config_path("ssh", "host_keys");
        let line = command::run(Command::new("ssh-keygen").args(["-y", "-f"]).arg(private))
            .ok()
            .stdout;
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// OpenSSH `sftp` with a batch of commands, one a line; it stops at the first that fails.
    pub fn sftp(&self, user: &str, batch: &str) -> Ran {
        self.sftp_with(&self.ssh_config(user), batch)
    }

    /// The same with a client configuration of the test's own.
    pub fn sftp_with(&self, config: &Path, batch: &str) -> Ran {
        let commands = tempfile::NamedTempFile::new_in(&self.home).unwrap();
        fs::write(commands.path(), format!("{batch}\n")).unwrap();
        let mut sftp = Command::new("sftp");
        sftp.arg("-F")
            .arg(config)
            .arg("-b")
            .arg(commands.path())
            .arg(HOST);
        command::run_within(&mut sftp, LONG)
    }

    /// A command on the server, for those it offers (`sha256sum`).
    pub fn ssh(&self, user: &str, remote_command: &str) -> Ran {
        command::run(
            Command::new("ssh")
                .arg("-F")
                .arg(self.ssh_config(user))
                .args([HOST, remote_command]),
        )
    }

    /// OpenSSH `scp` (over SFTP, as it does by default) to a path on the server.
    pub fn scp<S: AsRef<OsStr>>(&self, user: &str, words: &[S], target: &str) -> Ran {
        let mut scp = Command::new("scp");
        scp.arg("-F")
            .arg(self.ssh_config(user))
            .args(words)
            .arg(format!("{HOST}:{target}"));
        command::run_within(&mut scp, LONG)
    }

    /// `rclone`, with `:sftp:` standing for the server.
    pub fn rclone<S: AsRef<OsStr>>(&self, user: &str, words: &[S]) -> Ran {
        self.ssh_config(user);
        let mut rclone = Command::new("rclone");
        rclone
            .args(words)
            .args([
                "--config",
                "/dev/null",
                "--retries",
                "1",
                "--low-level-retries",
                "1",
                "--sftp-host",
                "127.0.0.1",
            ])
            .args([
                "--sftp-port",
                &self.server().port.to_string(),
                "--sftp-user",
                user,
            ])
            .arg("--sftp-key-file")
            .arg(self.key(user))
            .arg("--sftp-known-hosts-file")
            .arg(self.home.join("known_hosts"));
        command::run_within(&mut rclone, LONG)
    }

    /// `lftp` with commands, after it has opened the server.
    pub fn lftp(&self, user: &str, commands: &str) -> Ran {
        let config = self.ssh_config(user);
        let script = format!(
            "set sftp:connect-program \"ssh -a -x -F {}\"; set net:max-retries 2; set net:timeout 30; \
             set cmd:fail-exit true; set sftp:auto-confirm yes; open -u {user}, sftp://{HOST}; {commands}",
            config.display()
        );
        command::run_within(
            Command::new("lftp")
                .args(["--norc", "-c", &script])
                .env("LC_ALL", "C.UTF-8"),
            LONG,
        )
    }

    /// A Python script that meets the server through paramiko; `tests/support/peer.py` is imported already.
    pub fn python(&self, user: &str, script: &str) -> Ran {
        command::run_within(&mut self.python_command(user, script), LONG)
    }

    /// The same, to be spawned by the test itself.
    pub fn python_command(&self, user: &str, script: &str) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/venv/bin/python");
        assert!(
            python.exists(),
            "no {}: run ./test once, it makes it",
            python.display()
        );
        let mut command = Command::new(python);
        command
            .args(["-c", &format!("from peer import *\n{script}")])
            .env("PYTHONPATH", root.join("tests/support"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .env("SERVER_PORT", self.server().port.to_string())
            .env("SERVER_HOST_KEY", self.host_public_key())
            .env("CLIENT_USER", user)
            .env("CLIENT_KEY", self.key(user))
            .env("HOME_FOLDER", &self.home);
        command
    }

    /// Uploads bytes to a path below the inbox with paramiko, as one WRITE stream, and closes it; the usual way in for
    /// tests about something else.
    pub fn upload(&self, user: &str, inbox_path: &str, bytes: &[u8]) -> Ran {
        let name = format!("upload-{}", &super::sha256(inbox_path.as_bytes())[..16]);
        let local = self.file(name, bytes);
        self.sftp(user, &format!("put {} \"/inbox/{inbox_path}\"", local.display()))
    }
}
