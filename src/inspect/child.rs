//! A worker's main: into the sandbox, then the job, then the answer. Or its zygote's: it forks a worker whenever it is asked to.
//!
//! ```text
//! parent ─ a byte; two descriptors: a worker's socket and standard error ─▶ zygote ─ forks ─▶ worker, a child of the parent's
//! parent ◀─ the worker's number, i32, little-endian ──────────────────────── zygote
//! ```
//!
//! Nothing needs a file once the sandbox is entered: the environment is empty, so there is no locale to load; randomness
//! comes by a call; times are kept in UTC. A worker that fails leaves without an answer, and says on standard error where
//! in its own code, never what it was looking at.

use super::{
    report::printable,
    sandbox::{self, Confinement, Layer, Shell, attempts, kernel},
    wire::{Answer, Job, Task, Worker},
};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use std::{
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

/// Left with when the sandbox can't be entered, or the program wasn't started by a server.
pub(super) const EXIT_UNCONFINED: u8 = 3;
/// Left with after a panic, as the Rust runtime does.
pub(super) const EXIT_PANIC: u8 = 101;
/// The first word of a zygote's command line.
pub(super) const ZYGOTE: &str = "zygote";

/// Takes one job from standard input (a socket), works in the sandbox, answers, ends. A zygote has workers do that, until its socket closes.
pub fn run(work: impl FnOnce(&mut Worker, &Job) -> Answer) -> ExitCode {
    // A panic's own words may quote the file.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        complain(&format!("panic at {place}"));
    }));
    let mut words = std::env::args().skip(1).peekable();
    let is_zygote = words.next_if(|word| word == ZYGOTE).is_some();
    let Some(confinement) = Confinement::parse(words) else {
        complain("this program is started by muniment, which gives it its limits and its file");
        return ExitCode::from(EXIT_UNCONFINED);
    };
    let mut socket = match kernel::take_socket() {
        Ok(socket) => socket,
        Err(error) => {
            complain(&format!("standard input isn't a server's socket: {error}"));
            return ExitCode::from(EXIT_UNCONFINED);
        }
    };
    let shell = Shell::close(&confinement);
    if is_zygote {
        socket = match until_a_worker(socket) {
            Ok(Some(socket)) => socket,
            Ok(None) => return ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("no worker: {error}"));
                return ExitCode::FAILURE;
            }
        };
    }
    let layers = match sandbox::enter(&shell, &confinement) {
        Ok(layers) => layers,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(EXIT_UNCONFINED);
        }
    };
    match panic::catch_unwind(AssertUnwindSafe(|| serve(socket, work, layers))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::from(EXIT_PANIC),
    }
}

/// Has a zygote fork a worker with these two as its standard input and error. The answer is its number.
pub(super) fn ask_for_worker(zygote: &UnixStream, input: &OwnedFd, error: &OwnedFd) -> io::Result<()> {
    let both = [input.as_fd(), error.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    attached.push(SendAncillaryMessage::ScmRights(&both));
    rustix::net::sendmsg(zygote, &[IoSlice::new(&[0])], &mut attached, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// A zygote's life. Returns in each worker, with its socket as standard input, and in the zygote when its parent has hung up.
fn until_a_worker(mut control: UnixStream) -> io::Result<Option<UnixStream>> {
    while let Some([input, error]) = asked(&control)? {
        match kernel::fork_beside()? {
            Some(worker) => {
                let number = worker.as_raw_nonzero().get();
                control.write_all(&number.to_le_bytes())?;
            }
            None => {
                let mut standard_input = OwnedFd::from(control);
                rustix::io::dup2(&input, &mut standard_input)?;
                rustix::stdio::dup2_stderr(&error)?;
                return Ok(Some(standard_input.into()));
            }
        }
    }
    Ok(None)
}

/// The next two descriptors; nothing once the parent has hung up.
fn asked(control: &UnixStream) -> io::Result<Option<[OwnedFd; 2]>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let got = rustix::net::recvmsg(
        control,
        &mut [IoSliceMut::new(&mut byte)],
        &mut attached,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if got.bytes == 0 {
        return Ok(None);
    }
    let descriptors: Vec<OwnedFd> = attached
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        })
        .flatten()
        .collect();
    let both = descriptors.try_into();
    both.map(Some)
        .map_err(|_| io::Error::other("not two descriptors"))
}

fn serve(
    socket: UnixStream,
    work: impl FnOnce(&mut Worker, &Job) -> Answer,
    layers: Vec<Layer>,
) -> io::Result<()> {
    let (mut worker, job) = Worker::start(socket)?;
    let answer = match &job.task {
        Task::Probe => Answer::Probe {
            layers: layers
                .into_iter()
                .map(|layer| (layer.name, layer.holds, printable(&layer.detail)))
                .collect(),
        },
        Task::Attempt { what } => attempt(what),
        _ => work(&mut worker, &job),
    };
    worker.answer(&answer)
}

/// Says that it gets so far, because many an attempt says nothing afterwards.
fn attempt(what: &str) -> Answer {
    complain(&format!("attempt {what}"));
    match attempts::attempt(what) {
        Some(outcome) => Answer::Attempt {
            refused: outcome.refused,
            detail: printable(&outcome.detail),
        },
        None => Answer::Failed {
            detail: "no such attempt".to_owned(),
        },
    }
}

/// Says something for an engineer, to whoever listens.
fn complain(what: &str) {
    // Not `eprintln`, which panics when nobody does.
    let _ = writeln!(io::stderr(), "{what}");
}
