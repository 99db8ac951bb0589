//! A worker's main: into the sandbox, then the job, then the answer.
//!
//! Nothing needs a file once the sandbox is entered: the environment is empty, so there is no locale to load; randomness
//! comes by a call; times are kept in UTC. A worker that fails leaves without an answer, and says on standard error where
//! in its own code, never what it was looking at.

use super::{
    report::printable,
    sandbox::{self, Confinement, Layer, attempts, kernel},
    wire::{Answer, Job, Task, Worker},
};
use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
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
    let layers = match sandbox::enter(&confinement) {
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
