//! The server as a process: started, watched, stopped, killed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long anything that must happen may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A running `muniment serve`.
pub struct Server {
    child: Child,
    /// Port on 127.0.0.1.
    pub port: u16,
    /// What browsers call its console, where it has one.
    pub console: Option<String>,
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn start(config: &Path, log: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_with(config, log, variables, &[], Stdio::null())
    }

    /// The same with more words on its command line and something to read.
    pub fn start_with(
        config: &Path,
        log: &Path,
        variables: &[(&str, &str)],
        words: &[&str],
        stdin: Stdio,
    ) -> Self {
        let already = fs::metadata(log).map_or(0, |metadata| metadata.len());
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = super::muniment()
            .arg("serve")
            .arg("--config")
            .arg(config)
            .args(words)
            .envs(variables.iter().copied())
            .stdin(stdin)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("the server starts");
        let mut server = Server {
            child,
            port: 0,
            console: None,
            log: log.to_owned(),
        };
        server.port = wait_for("the server to listen", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!(
                    "the server ended at once ({status}):\n{}",
                    server.log_since(already)
                );
            }
            let said = server.log_since(already);
            let (_, rest) = said.split_once("listening on 127.0.0.1:")?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // The line may be half written.
            (rest.len() > digits.len()).then(|| digits.parse().ok()).flatten()
        });
        // The console is announced first, so it stands there by now; the operators' log says it otherwise.
        let said = server.log_since(already);
        let console = said.lines().find_map(|line| line.strip_prefix("console on "));
        server.console = console.map(str::to_owned);
        server
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Everything it said since it was first started on this log.
    pub fn said(&self) -> String {
        self.log_since(0)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, then its orderly end.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = wait_for("the server to stop", || self.child.try_wait().unwrap());
        assert!(
            status.success(),
            "the server stopped with {status}:\n{}",
            self.log_since(0)
        );
    }

    /// SIGKILL: nothing gets a chance to finish.
    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn log_since(&self, start: u64) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(start as usize..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until there is an answer; the test fails when there is none in time.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
