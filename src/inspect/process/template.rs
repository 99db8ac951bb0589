//! The server's side of a template: a program that is started and locked in once, and forks itself into a worker for each file.
//!
//! To start the program and to lock it in takes longer than to look at most scans. A template never reads a file, so what a
//! hostile one does to its worker ends with that; all the same it is started anew now and then, and whenever a worker of its
//! failed, so that nobody learns by trial where in memory things lie.
//!
//! Invariant: a worker is a child of this process, and dies with the thread that started its template.

use super::worker::Process;
use crate::inspect::sandbox::Confinement;
use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
    process::Pid,
};
use std::{
    io::{self, IoSlice, Read},
    mem::MaybeUninit,
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    time::Duration,
};

/// Workers that one template becomes.
const WORKERS: u32 = 256;
/// How long it may take to start and to fork.
const FORK_LIMIT: Duration = Duration::from_secs(30);

/// A worker and the socket to it.
pub(super) type Started = (Process, UnixStream);

/// A running template.
pub(super) struct Template {
    process: Option<Process>,
    control: UnixStream,
    left: u32,
    /// One that was made while nobody waited for it.
    ready: Option<Started>,
}

impl Template {
    /// Starts one. Whether it could lock itself in shows with its first worker.
    pub(super) fn start(program: &Path, confinement: &Confinement) -> io::Result<Self> {
        let confinement = Confinement {
            template: true,
            ..confinement.clone()
        };
        let (process, control) = Process::spawn(program, &confinement)?;
        control.set_read_timeout(Some(FORK_LIMIT))?;
        Ok(Template {
            process: Some(process),
            control,
            left: WORKERS,
            ready: None,
        })
    }

    /// A fresh worker.
    pub(super) fn worker(&mut self) -> io::Result<Started> {
        match self.ready.take() {
            Some(ready) => Ok(ready),
            None => self.fork(),
        }
    }

    /// Has a worker at hand for the next file.
    pub(super) fn make_ready(&mut self) -> io::Result<()> {
        if self.ready.is_none() {
            self.ready = Some(self.fork()?);
        }
        Ok(())
    }

    /// Whether it has been used often enough.
    pub(super) fn is_used_up(&self) -> bool {
        self.left == 0 && self.ready.is_none()
    }

    fn fork(&mut self) -> io::Result<Started> {
        self.left = self.left.saturating_sub(1);
        let (socket, input) = UnixStream::pair()?;
        let (error, output) = UnixStream::pair()?;
        // What a worker says beyond what this side's buffer takes is lost, and holds it up not for a moment.
        output.set_nonblocking(true)?;
        let number = match self.ask(&input, &output) {
            Ok(number) => number,
            Err(error) => return Err(self.reason(error)),
        };
        match Pid::from_raw(number).filter(|_| number > 0) {
            Some(pid) => Ok((Process::forked(pid, error), socket)),
            None => Err(io::Error::from_raw_os_error(number.saturating_neg())),
        }
    }

    fn ask(&mut self, input: &UnixStream, output: &UnixStream) -> io::Result<i32> {
        let descriptors = [input.as_fd(), output.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("no room for two descriptors"));
        }
        rustix::net::sendmsg(&self.control, &[IoSlice::new(b"F")], &mut ancillary, SendFlags::NOSIGNAL)?;
        let mut number = [0; 4];
        self.control.read_exact(&mut number)?;
        Ok(i32::from_le_bytes(number))
    }

    /// Why it is gone, if it said so.
    fn reason(&mut self, error: io::Error) -> io::Error {
        let ended = self.process.take().map(|process| process.end(true));
        match ended {
            Some(Ok(ended)) if ended.refused_to_start() => {
                io::Error::other(format!("the worker couldn't start: {}", ended.said))
            }
            _ => error,
        }
    }
}
