//! Worker processes: started, bounded, watched and ended by their parent.
//!
//! One worker does one job and is gone. What it says is taken through `wire`; how it went is judged from outside, by its
//! exit and by what it used. A failure is either the file's doing (`WorkerError::Failed`), or the machine's
//! (`WorkerError::Environment`): a worker that somebody has taken over can bring about the first only, never the second,
//! or it could have its file asked for again and again.
//!
//! Workers for scans and bundles are forked by a zygote (`zygote`), one of each thread that inspects. Such a thread may have the next worker
//! made ahead (`prepare`): it locks itself in and waits for its job, with nothing but its socket.
//!
//! Invariant: when `start` returns, the worker and its group are dead and reaped. One that answered to `ask` is killed by then, and reaped
//! by `prepare`. The kernel ends a worker when the thread that started it ends, so the thread that calls one of these stays with it.

mod failure;
mod meter;
mod settings;
mod worker;
mod zygote;

pub use failure::FailureKind;
pub use settings::{MEDIA_MEMORY_BYTES, SCAN_MEMORY_BYTES, WorkerSettings};

use super::{
    sandbox::{Confinement, Layer, Priority, kernel},
    wire::{self, Answer, Job, NoSink, Sink, Source, Task, WireError},
};
use crate::turns;
use meter::{Meter, Reading};
use std::{
    io,
    time::{Duration, Instant},
};
use worker::Process;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `muniment-inspector`.
    Media,
    /// `muniment-scan-inspector`.
    Scan,
}

impl Program {
    fn of(job: &Job) -> Self {
        match job.task {
            Task::Scan => Program::Scan,
            _ => Program::Media,
        }
    }
}

/// A worker that gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It crashed, hung, overran or broke the protocol: the file's doing, most likely.
    #[error("{0}")]
    Failed(String),
    /// The source, the sink or the machine failed: not the file's doing. Try again later.
    #[error("{0}")]
    Environment(#[from] io::Error),
}

/// What a worker cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// Most memory that it held at one time, in bytes, libraries included.
    pub peak_bytes: u64,
    /// Bytes of the file that it asked for, every time counted.
    pub read_bytes: u64,
}

/// How a worker went.
#[derive(Debug)]
pub struct Run {
    /// Its answer, or why there is none.
    pub answer: Result<Answer, WorkerError>,
    /// The kind of a failure that is the file's doing.
    pub kind: Option<FailureKind>,
    /// What it said on standard error: printable, cut, for an engineer. Libraries may quote the file: not for logs.
    pub said: String,
    /// What it cost.
    pub cost: Cost,
}

/// Runs one job in a fresh worker.
///
/// # Errors
/// When there is no answer.
pub fn run(
    settings: &WorkerSettings,
    job: &Job,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<Answer, WorkerError> {
    measured(settings, job, source, sink).answer
}

/// Runs one job in a fresh worker, and says what it cost.
pub fn measured(settings: &WorkerSettings, job: &Job, source: &mut dyn Source, sink: &mut dyn Sink) -> Run {
    start(settings, Program::of(job), job, source, sink)
}

/// Runs one job in a fresh worker, for somebody who waits for no more than the answer: the worker's end is left to `prepare`.
///
/// # Errors
/// When there is no answer.
pub fn ask(
    settings: &WorkerSettings,
    job: &Job,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<Answer, WorkerError> {
    let told = tell(settings, Program::of(job), job, source, sink)?;
    match told.said {
        Ok(answer) => {
            told.process.leave();
            Ok(answer)
        }
        Err(_) => told.end().answer,
    }
}

/// Sees to the end of the worker that `ask` left, and has one for scans and bundles made ahead, for the next job of the calling thread. One
/// that can't be had is tried again when there is a job, which then says why.
pub fn prepare(settings: &WorkerSettings) {
    Process::reap_left();
    let confinement = settings.confinement(Program::Scan, &Task::Scan);
    zygote::prepare(settings.program(Program::Scan), &confinement);
}

/// Runs one job in a fresh worker of a given program.
pub fn start(
    settings: &WorkerSettings,
    program: Program,
    job: &Job,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Run {
    match tell(settings, program, job, source, sink) {
        Ok(told) => told.end(),
        Err(error) => Run::unstarted(error),
    }
}

/// A worker that was told its job, and what it said to it.
struct Told {
    begun: Instant,
    limit: Duration,
    confinement: Confinement,
    process: Process,
    said: Result<Answer, WireError>,
    metered: Reading,
}

/// Starts a worker, tells it its job, and passes on what it asks for until it has answered or failed.
fn tell(
    settings: &WorkerSettings,
    program: Program,
    job: &Job,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> io::Result<Told> {
    let begun = Instant::now();
    let limit = settings.wall_limit(&job.task);
    let confinement = settings.confinement(program, &job.task);
    let path = settings.program(program);
    let (process, socket) = match program {
        Program::Scan => zygote::worker(path, &confinement),
        Program::Media => Process::spawn(path, confinement.words()),
    }?;
    // One in the background goes behind everybody, and sees to that itself.
    if confinement.priority != Priority::Background && job.size_bytes > turns::SMALL_BYTES {
        process.fall_back_in_line();
    }
    let mut meter = Meter::new(job, source, sink);
    let (mut source, mut sink) = meter.ports();
    let said = wire::serve(&socket, job, &mut source, &mut sink, begun + limit);
    Ok(Told {
        begun,
        limit,
        confinement,
        process,
        said,
        metered: meter.reading(),
    })
}

impl Told {
    /// Ends the worker, and judges how it went.
    fn end(self) -> Run {
        let Told {
            begun,
            limit,
            confinement,
            process,
            said,
            metered,
        } = self;
        let is_leaving = matches!(said, Err(WireError::Closed | WireError::Socket(_)));
        let ended = match process.end(is_leaving) {
            Ok(ended) => ended,
            Err(error) => return Run::unstarted(error),
        };
        let cost = Cost {
            wall: begun.elapsed(),
            cpu: ended.usage.cpu,
            peak_bytes: ended.usage.peak_bytes,
            read_bytes: metered.read_bytes,
        };
        let (answer, kind) = match said {
            Ok(answer) => (Ok(answer), None),
            Err(WireError::Source(error)) => (Err(WorkerError::Environment(error)), None),
            Err(WireError::Sink(error)) if !metered.unwanted => (Err(WorkerError::Environment(error)), None),
            // It refused before it read anything, so nothing of the file can have made it do so.
            Err(_) if ended.refused_to_start() && metered.read_bytes == 0 => {
                let text = format!("the worker couldn't start: {}", ended.said);
                (Err(WorkerError::Environment(io::Error::other(text))), None)
            }
            Err(_) if ended.was_stopped() => {
                let text = "the worker was stopped from outside";
                (Err(WorkerError::Environment(io::Error::other(text))), None)
            }
            Err(error) => {
                let kind = FailureKind::of(&error, &ended, &confinement);
                let text = kind.describe(&error, &ended, &confinement, limit);
                (Err(WorkerError::Failed(text)), Some(kind))
            }
        };
        Run {
            answer,
            kind,
            said: ended.said,
            cost,
        }
    }
}

impl Run {
    fn unstarted(error: io::Error) -> Self {
        Run {
            answer: Err(WorkerError::Environment(error)),
            kind: None,
            said: String::new(),
            cost: Cost::default(),
        }
    }
}

/// Starts both programs and says which layers of the sandbox hold, in both of them or not.
///
/// # Errors
/// When one of them doesn't start, or would work without a filter that is required.
pub fn probe(settings: &WorkerSettings) -> Result<Vec<Layer>, WorkerError> {
    let mut layers = probe_one(settings, Program::Media)?;
    let of_scans = probe_one(settings, Program::Scan);
    // Whoever asks has no file for another.
    zygote::dismiss();
    for layer in of_scans? {
        match layers.iter_mut().find(|known| known.name == layer.name) {
            Some(known) if known.holds && !layer.holds => *known = layer,
            Some(_) => {}
            None => layers.push(layer),
        }
    }
    Ok(layers)
}

fn probe_one(settings: &WorkerSettings, program: Program) -> Result<Vec<Layer>, WorkerError> {
    let job = Job {
        task: Task::Probe,
        ext: String::new(),
        size_bytes: 0,
    };
    let answer = start(settings, program, &job, &mut io::empty(), &mut NoSink).answer?;
    let Answer::Probe { layers } = answer else {
        return Err(WorkerError::Failed(
            "the worker answered something else".to_owned(),
        ));
    };
    let layer = |(name, holds, detail)| Layer { name, holds, detail };
    Ok(layers.into_iter().map(layer).collect())
}

/// Puts the calling thread behind everything else that wants the processor or the disk: for threads that serve deep
/// inspections and nothing else, because there may be no way back.
///
/// # Errors
/// When the kernel refuses.
pub fn lower_this_thread() -> io::Result<()> {
    kernel::lower_this_thread()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn only_the_thread_that_asks_is_lowered() {
        let before = getpriority_process(None).unwrap();
        let lowered = std::thread::spawn(|| {
            lower_this_thread().unwrap();
            getpriority_process(None).unwrap()
        });
        assert_eq!(lowered.join().unwrap(), 19);
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
