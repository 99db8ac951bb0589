//! A worker's main: into the sandbox, then the job, then the answer. A template's comes before it: into the sandbox as far as
//! that goes, then a fork for each job, which is a worker.
//!
//! Nothing needs a file once the sandbox is entered: the environment is empty, so there is no locale to load; randomness
//! comes by a call; times are kept in UTC. A worker that fails leaves without an answer, and says on standard error where
//! in its own code, never what it was looking at.

use super::{
    report::printable,
    sandbox::{self, Confinement, Layer, attempts, kernel},
    wire::{Answer, Job, Task, Worker},
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::{
    io::{self, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

/// Left with when the sandbox can't be entered, or the program wasn't started by a server.
pub(super) const EXIT_UNCONFINED: u8 = 3;
/// Left with after a panic, as the Rust runtime does.
pub(super) const EXIT_PANIC: u8 = 101;

/// Enters the sandbox, takes one job from standard input (a socket), works, answers, ends.
pub fn run(work: impl FnOnce(&mut Worker, &Job) -> Answer) -> ExitCode {
    // A panic's own words may quote the file.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        complain(&format!("panic at {place}"));
    }));
    let Some(confinement) = Confinement::parse(std::env::args().skip(1)) else {
        complain("this program is started by muniment, which gives it its limits and its file");
        return ExitCode::from(EXIT_UNCONFINED);
    };
    let socket = match kernel::take_socket() {
        Ok(socket) => socket,
        Err(error) => {
            complain(&format!("standard input isn't a server's socket: {error}"));
            return ExitCode::from(EXIT_UNCONFINED);
        }
    };
    let entered = if confinement.template {
        become_worker(socket, &confinement)
    } else {
        sandbox::enter(&confinement)
            .map(|layers| Some((socket, layers)))
            .map_err(|error| error.to_string())
    };
    let (socket, layers) = match entered {
        Ok(Some(entered)) => entered,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
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

/// A template's life: for each pair of descriptors from the server a worker, which this returns in; nothing at the end.
fn become_worker(
    control: UnixStream,
    confinement: &Confinement,
) -> Result<Option<(UnixStream, Vec<Layer>)>, String> {
    let prepared = sandbox::prepare(confinement).map_err(|error| error.to_string())?;
    let failed = |error: io::Error| error.to_string();
    while let Some([socket, said]) = receive_pair(&control).map_err(failed)? {
        let number = match kernel::fork_beside() {
            Ok(None) => {
                let socket = kernel::take_over(control, socket, said).map_err(failed)?;
                let layers = sandbox::complete(confinement, prepared).map_err(|error| error.to_string())?;
                return Ok(Some((socket, layers)));
            }
            Ok(Some(worker)) => worker.as_raw_nonzero().get(),
            Err(error) => -error.raw_os_error().unwrap_or(1),
        };
        (&control).write_all(&number.to_le_bytes()).map_err(failed)?;
    }
    Ok(None)
}

/// A worker's socket and its standard error; nothing when the server is gone.
fn receive_pair(control: &UnixStream) -> io::Result<Option<[OwnedFd; 2]>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let received = rustix::net::recvmsg(control, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    let pair = descriptors.try_into().map(Some);
    pair.map_err(|_| io::Error::other("not the two descriptors of a worker"))
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
