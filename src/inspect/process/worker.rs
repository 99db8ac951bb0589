//! One process below this one: started with nothing but its socket, listened to, ended, reaped.

use crate::{
    inspect::{
        child::EXIT_UNCONFINED,
        report::printable,
        sandbox::kernel::{self, Usage},
    },
    turns,
};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus},
};
use std::{
    cell::Cell,
    io::{self, Read},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Bytes of standard error that are kept, the first ones.
const MAX_SAID_BYTES: usize = 4 << 10;
/// How long a worker that closed its socket may take to end by itself, so that its own exit is seen.
const LAST_BREATH: Duration = Duration::from_secs(1);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

thread_local! {
    /// The process of this thread that was left: killed, and not reaped. It is reaped with the thread at the latest.
    static LEFT: Cell<Option<Process>> = const { Cell::new(None) };
}

/// A live process: a worker, or the zygote of workers.
pub(super) struct Process {
    pid: Pid,
    error: UnixStream,
    listener: Option<JoinHandle<Vec<u8>>>,
    is_reaped: bool,
}

/// What became of one.
pub(super) struct Ended {
    /// How it ended; nothing when this side ended it.
    pub(super) by_itself: Option<ExitStatus>,
    pub(super) usage: Usage,
    /// Printable.
    pub(super) said: String,
}

impl Process {
    /// Starts a program; the socket is the parent's end of its standard input.
    pub(super) fn spawn(program: &Path, words: Vec<String>) -> io::Result<(Self, UnixStream)> {
        Self::started(|input, output| {
            let child = Command::new(program)
                .args(words)
                .stdin(Stdio::from(input))
                .stdout(Stdio::null())
                .stderr(Stdio::from(output))
                .env_clear()
                .current_dir("/")
                .spawn()
                .map_err(|failed| {
                    let text = format!("{} can't be started: {failed}", program.display());
                    io::Error::new(failed.kind(), text)
                })?;
            let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            number.ok_or_else(|| io::Error::other("a process without a number"))
        })
    }

    /// One that `start` brings about with these two as its standard input and error.
    pub(super) fn started(
        start: impl FnOnce(OwnedFd, OwnedFd) -> io::Result<Pid>,
    ) -> io::Result<(Self, UnixStream)> {
        let (socket, input) = UnixStream::pair()?;
        // A socket rather than a pipe, so that this side can hang up whoever else may hold the other end.
        let (error, output) = UnixStream::pair()?;
        let heard = error.try_clone()?;
        let mut listener = Some(
            thread::Builder::new()
                .name("worker-said".to_owned())
                .stack_size(64 << 10)
                .spawn(move || listen(heard))?,
        );
        match start(input.into(), output.into()) {
            Ok(pid) => {
                let process = Process {
                    pid,
                    error,
                    listener,
                    is_reaped: false,
                };
                Ok((process, socket))
            }
            Err(failed) => {
                hang_up(&error, &mut listener);
                Err(failed)
            }
        }
    }

    /// Ends it whatever it does, and waits until it is gone. With `is_leaving` it is given a moment to end by itself.
    pub(super) fn end(mut self, is_leaving: bool) -> io::Result<Ended> {
        let patience = Instant::now() + LAST_BREATH;
        let mut has_ended = self.has_ended();
        while is_leaving && !has_ended && Instant::now() < patience {
            thread::sleep(LOOK_AGAIN);
            has_ended = self.has_ended();
        }
        self.kill();
        self.is_reaped = true;
        let (status, usage) = kernel::reap(self.pid)?;
        let said = hang_up(&self.error, &mut self.listener);
        Ok(Ended {
            by_itself: has_ended.then_some(status),
            usage,
            said: said_by(&said),
        })
    }

    /// Ends it whatever it does, and doesn't wait until it is gone.
    pub(super) fn leave(self) {
        self.kill();
        LEFT.set(Some(self));
    }

    /// Waits until the one that was left is gone.
    pub(super) fn reap_left() {
        LEFT.take();
    }

    /// Whether it has ended; it stays to be reaped.
    pub(super) fn has_ended(&self) -> bool {
        matches!(look_at(self.pid), Ok(Some(_)))
    }

    /// Whether a process is a child of this one, so that its number can't be another's before it is reaped.
    pub(super) fn is_ours(pid: Pid) -> bool {
        look_at(pid).is_ok()
    }

    /// Takes back what it goes ahead by, and the short turns of whoever started it.
    pub(super) fn fall_back_in_line(&self) {
        turns::like_everybody(self.pid);
    }

    /// Until it is reaped its number is nobody else's. The group exists once the worker has made its session.
    fn kill(&self) {
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
    }
}

impl Drop for Process {
    /// After a panic in a source or sink, or when no job came for it: a worker doesn't outlive its job, nor whoever started it.
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            let _ = kernel::reap(self.pid);
        }
        hang_up(&self.error, &mut self.listener);
    }
}

impl Ended {
    /// Whether it says that it couldn't enter the sandbox.
    pub(super) fn refused_to_start(&self) -> bool {
        self.by_itself.and_then(|status| status.code()) == Some(i32::from(EXIT_UNCONFINED))
    }

    /// Whether somebody ended it who ends the server too: a service manager, an administrator. It can't do so itself.
    pub(super) fn was_stopped(&self) -> bool {
        let signal = self.by_itself.and_then(|status| status.signal());
        matches!(
            signal,
            Some(libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT)
        )
    }
}

/// Whether a child has ended; it stays to be reaped.
fn look_at(child: Pid) -> Result<Option<WaitIdStatus>, Errno> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(child), options)
}

/// Keeps the beginning and takes in the rest, so that the worker never waits.
fn listen(mut error: UnixStream) -> Vec<u8> {
    let mut said = Vec::new();
    let mut buffer = [0; 4 << 10];
    loop {
        match error.read(&mut buffer) {
            Ok(0) => return said,
            Ok(got) => {
                let room = MAX_SAID_BYTES.saturating_sub(said.len()).min(got);
                said.extend_from_slice(&buffer[..room]);
            }
            Err(failed) if failed.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return said,
        }
    }
}

/// Ends the listening; what was sent before is still heard.
fn hang_up(error: &UnixStream, listener: &mut Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    let _ = error.shutdown(Shutdown::Both);
    let said = listener.take().map(JoinHandle::join);
    said.and_then(Result::ok).unwrap_or_default()
}

/// Lines, each cut and printable.
fn said_by(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_printable_and_cut() {
        let long = "x".repeat(1_000);
        let said = said_by(format!("\x1b[31mred\x07\n{long}\n\u{85}").as_bytes());
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(said.lines().all(|line| line.chars().count() <= 256));
        assert!(said.starts_with(" [31mred "));
    }
}
