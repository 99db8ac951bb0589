//! Zygotes: a process of the worker's program that is started once, keeps what all its workers have alike, and forks each of them.
//!
//! A zygote never sees a byte of a file, nor do its workers hold anything of its: each is forked before there is a job, with a socket and a
//! standard error of its own, and locks itself in for good. What is saved is starting the program and making namespaces, half of what a
//! small scan would cost. Workers of one zygote lie alike in memory, so it doesn't serve for ever.
//!
//! Each thread that starts workers has its own, because the kernel ends a process with the thread that started it.

use super::worker::Process;
use crate::inspect::{child, sandbox::Confinement};
use rustix::process::Pid;
use std::{
    cell::RefCell,
    io::{self, Read},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// Workers that one zygote forks.
const MAX_WORKERS: u32 = 256;
/// How long it may take to fork: far more than it does; a wedged one doesn't hold its thread up for ever.
const PATIENCE: Duration = Duration::from_secs(30);

thread_local! {
    /// The zygote of this thread. It ends with the thread.
    static OWN: RefCell<Option<Zygote>> = const { RefCell::new(None) };
}

struct Zygote {
    program: PathBuf,
    confinement: Confinement,
    process: Process,
    control: UnixStream,
    forked: u32,
    /// A worker that waits for its job.
    ready: Option<(Process, UnixStream)>,
}

/// Has the next worker of this thread made ahead, if it can be.
pub(super) fn prepare(program: &Path, confinement: &Confinement) {
    if let Ok(worker) = worker(program, confinement) {
        OWN.with_borrow_mut(|own| {
            if let Some(zygote) = own {
                zygote.ready = Some(worker);
            }
        });
    }
}

/// A fresh worker for one job: the one made ahead, if it is alive.
///
/// # Errors
/// When the program can't be started, can't be confined, or doesn't answer.
pub(super) fn worker(program: &Path, confinement: &Confinement) -> io::Result<(Process, UnixStream)> {
    OWN.with_borrow_mut(|own| {
        if let Some(mut zygote) = own.take_if(|zygote| zygote.makes(program, confinement)) {
            let made = zygote.next();
            // One that died while it waited is nobody's fault: another takes its place.
            if made.is_ok() {
                *own = Some(zygote);
                return made;
            }
        }
        let mut zygote = Zygote::start(program, confinement)?;
        match zygote.fork() {
            Ok(worker) => {
                *own = Some(zygote);
                Ok(worker)
            }
            Err(failed) => Err(zygote.end(failed)),
        }
    })
}

/// Ends this thread's zygote before the thread does.
pub(super) fn dismiss() {
    OWN.take();
}

impl Zygote {
    fn start(program: &Path, confinement: &Confinement) -> io::Result<Self> {
        let mut words = confinement.words();
        words.insert(0, child::ZYGOTE.to_owned());
        let (process, control) = Process::spawn(program, words)?;
        control.set_read_timeout(Some(PATIENCE))?;
        Ok(Zygote {
            program: program.to_owned(),
            confinement: confinement.clone(),
            process,
            control,
            forked: 0,
            ready: None,
        })
    }

    /// Whether it has another worker of this kind to give.
    fn makes(&self, program: &Path, confinement: &Confinement) -> bool {
        self.program == program
            && self.confinement == *confinement
            && (self.ready.is_some() || self.forked < MAX_WORKERS)
    }

    fn next(&mut self) -> io::Result<(Process, UnixStream)> {
        match self.ready.take() {
            Some(ready) if !ready.0.has_ended() => Ok(ready),
            _ => self.fork(),
        }
    }

    fn fork(&mut self) -> io::Result<(Process, UnixStream)> {
        let control = &mut self.control;
        let worker = Process::started(|input, output| {
            child::ask_for_worker(control, &input, &output)?;
            let mut number = [0; 4];
            control.read_exact(&mut number)?;
            let pid = Pid::from_raw(i32::from_le_bytes(number)).filter(|pid| Process::is_ours(*pid));
            pid.ok_or_else(|| io::Error::other("a worker that isn't a child of this process"))
        })?;
        self.forked += 1;
        Ok(worker)
    }

    /// Ends one that couldn't fork, and says why as far as it did.
    fn end(self, failed: io::Error) -> io::Error {
        let is_wedged = matches!(failed.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        match self.process.end(!is_wedged) {
            Ok(ended) if ended.refused_to_start() => {
                io::Error::other(format!("the worker couldn't start: {}", ended.said))
            }
            _ => io::Error::new(failed.kind(), format!("no worker can be made: {failed}")),
        }
    }
}
