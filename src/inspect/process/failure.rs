//! Why a worker gave no answer, from how it ended, what it used and where the protocol broke.
//!
//! The text names the kind and the limit. It must never carry what the worker said: libraries quote what they read.

use super::worker::Ended;
use crate::inspect::{child::EXIT_PANIC, sandbox::Confinement, wire::WireError};
use std::{os::unix::process::ExitStatusExt, time::Duration};

/// What the Rust runtime says when memory that can't be refused is refused.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// Kinds of failure that are the file's doing, most likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// A signal ended it: a bug that the file found.
    Crashed,
    /// It made a system call that its sandbox doesn't let through.
    Forbidden,
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// The kernel killed it: its last resort when the machine has no memory left.
    Killed,
    /// It used up its processor time.
    OverCpu,
    /// It used up its wall-clock time.
    Hung,
    /// It broke the protocol, or sent what nobody asked for.
    Garbage,
    /// It panicked: a check of its own code failed.
    Panicked,
    /// It ended without an answer.
    Silent,
}

impl FailureKind {
    pub(super) fn of(error: &WireError, ended: &Ended, confinement: &Confinement) -> Self {
        match error {
            WireError::Deadline => return FailureKind::Hung,
            WireError::Garbage(_) | WireError::Sink(_) => return FailureKind::Garbage,
            _ => {}
        }
        let Some(status) = ended.by_itself else {
            // It let go of its socket and went on.
            return FailureKind::Silent;
        };
        // The kernel's limit runs a little ahead of its account.
        let used_up = ended.usage.cpu >= Duration::from_secs(confinement.cpu_seconds) / 5 * 4;
        match status.signal() {
            Some(libc::SIGXCPU) => FailureKind::OverCpu,
            Some(libc::SIGKILL) if used_up => FailureKind::OverCpu,
            Some(libc::SIGKILL) => FailureKind::Killed,
            Some(libc::SIGSYS) => FailureKind::Forbidden,
            Some(libc::SIGABRT) if ended.said.contains(OUT_OF_MEMORY) => FailureKind::OutOfMemory,
            Some(_) => FailureKind::Crashed,
            None if status.code() == Some(i32::from(EXIT_PANIC)) => FailureKind::Panicked,
            None => FailureKind::Silent,
        }
    }

    /// A stable name, for logs and counters.
    pub fn code(self) -> &'static str {
        match self {
            FailureKind::Crashed => "crashed",
            FailureKind::Forbidden => "forbidden_call",
            FailureKind::OutOfMemory => "out_of_memory",
            FailureKind::Killed => "killed",
            FailureKind::OverCpu => "over_cpu",
            FailureKind::Hung => "hung",
            FailureKind::Garbage => "garbage",
            FailureKind::Panicked => "panicked",
            FailureKind::Silent => "silent",
        }
    }

    pub(super) fn describe(
        self,
        error: &WireError,
        ended: &Ended,
        confinement: &Confinement,
        limit: Duration,
    ) -> String {
        let signal = ended.by_itself.and_then(|status| status.signal());
        match self {
            FailureKind::Crashed => format!("the worker crashed: {}", signal_name(signal)),
            FailureKind::Forbidden => "the worker was stopped at a call that its sandbox forbids".to_owned(),
            FailureKind::OutOfMemory => {
                let limit = confinement.memory_bytes >> 20;
                format!("the worker ran out of memory; its limit is {limit} MiB")
            }
            FailureKind::Killed => "the worker was killed; the machine may have run out of memory".to_owned(),
            FailureKind::OverCpu => {
                let limit = confinement.cpu_seconds;
                format!("the worker used up its processor time of {limit} s")
            }
            FailureKind::Hung => format!("the worker gave no answer within {} s", limit.as_secs_f32()),
            FailureKind::Garbage => match error {
                WireError::Garbage(what) => format!("the worker broke the protocol: {what}"),
                _ => "the worker sent more than it was asked for".to_owned(),
            },
            FailureKind::Panicked => "the worker gave up: a check of its own code failed".to_owned(),
            FailureKind::Silent => "the worker ended without an answer".to_owned(),
        }
    }
}

fn signal_name(signal: Option<i32>) -> String {
    match signal {
        Some(libc::SIGSEGV) => "SIGSEGV".to_owned(),
        Some(libc::SIGABRT) => "SIGABRT".to_owned(),
        Some(libc::SIGBUS) => "SIGBUS".to_owned(),
        Some(libc::SIGFPE) => "SIGFPE".to_owned(),
        Some(libc::SIGILL) => "SIGILL".to_owned(),
        Some(libc::SIGTRAP) => "SIGTRAP".to_owned(),
        Some(libc::SIGXFSZ) => "SIGXFSZ".to_owned(),
        Some(other) => format!("signal {other}"),
        None => "no signal".to_owned(),
    }
}
