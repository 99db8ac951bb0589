//! Programs run to their end, with a limit on time and all they said at hand when a test fails.

use std::{fmt, process::Command, time::Duration};

/// What a run may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(180);

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command line.
    pub line: String,
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// It must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// It must have failed, whatever the code.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert!(self.code != Some(0), "succeeded and shouldn't have: {self}");
        assert!(self.code != Some(124), "hung: {self}");
        self
    }

    /// It must have ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit {code}: {self}");
        self
    }

    /// It must have said this, on either stream.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.said(text), "never said {text:?}: {self}");
        self
    }

    /// Whether it said this, on either stream.
    pub fn said(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` ended with {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        )
    }
}

/// Runs to the end, within three minutes.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    run_within(command, LIMIT)
}

/// Runs to the end within a limit; a hung program is killed and counts as exit 124.
#[track_caller]
pub fn run_within(command: &mut Command, limit: Duration) -> Ran {
    let mut limited = Command::new("timeout");
    limited
        .args(["-k", "5", &limit.as_secs().to_string()])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    let output = limited
        .stdin(std::process::Stdio::null())
        .output()
        .expect("timeout(1) starts");
    Ran {
        line: format!("{command:?}"),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
