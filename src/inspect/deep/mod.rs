//! The deep queue: what is sealed already is decoded wholly, one version at a time, in the background.
//!
//! ```text
//! inspection_due ─ oldest first ─▶ sidecar (file key) ─▶ worker: Deep ─▶ contact sheet ─▶ derived.made
//!        ▲                                               worker: Playback, where a browser needs one ─▶ derived.made
//!        └── stays due on any failure of ours            policy ─▶ evidence.inspected, which ends it; sidecar removed
//! ```
//!
//! It must never hold up an upload: one thread, one worker, both at the lowest priority. It must never modify an original,
//! and what it finds never takes an acceptance back: it asks for a person's look.
//!
//! Invariant: a version leaves the queue only by a committed `evidence.inspected`, so a crash anywhere costs the work on
//! one version and nothing else.

mod copy;
mod job;
mod playback;
mod sheet;
mod source;
#[cfg(test)]
mod tests;

pub use playback::plan;

use super::{
    process::{self, WorkerError, WorkerSettings},
    wire::{Answer, Job, Sink, Source},
};
use crate::{
    catalog::{CatalogueError, inspections},
    crypto::FileKey,
    ingest::{Ingest, taken::Taken},
};
use std::{
    collections::HashSet,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often the queue is looked at while nothing wakes it.
const LOOK: Duration = Duration::from_secs(2);
/// How long what couldn't be inspected is left alone before the queue begins at its front again.
const LAP: Duration = Duration::from_secs(60);
/// How long a stop waits for the version in hand; the worker is ended as soon as it asks for bytes.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Receipts whose missing sidecar was told of, remembered so that each is told once.
const TOLD_LIMIT: usize = 10_000;

/// Runs one job of an inspector. The port that tests put something else behind.
pub trait Work: Send + Sync {
    /// See [`process::run`].
    ///
    /// # Errors
    /// When there is no answer.
    fn run(&self, job: &Job, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<Answer, WorkerError>;
}

impl Work for WorkerSettings {
    fn run(&self, job: &Job, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<Answer, WorkerError> {
        process::run(self, job, source, sink)
    }
}

/// What the queue does and what others may tell it.
#[derive(Default)]
pub struct Signals {
    state: Mutex<State>,
    changed: Condvar,
    /// Held while a sidecar is written for a new request, or removed because nothing is due any more.
    sidecars: Mutex<()>,
}

#[derive(Default)]
struct State {
    stop: bool,
    woken: bool,
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the queue look at once, from its front.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    fn stopped(&self) -> bool {
        self.lock().stop
    }

    /// Waits for a while, a wake or the end; true when it was woken.
    fn wait(&self, time: Duration) -> bool {
        let state = self.lock();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, time, |state| !state.stop && !state.woken)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.woken)
    }

    fn sidecars(&self) -> MutexGuard<'_, ()> {
        self.sidecars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request puts beside the body so that the queue can open it, under the lock that removal takes too.
///
/// # Errors
/// When the sidecar can't be written, or whatever `commit` says.
pub fn with_sidecar<T, E: From<crate::ingest::settle::SettleError>>(
    signals: &Signals,
    ingest: &Ingest,
    taken: Option<&Taken>,
    commit: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let guard = signals.sidecars();
    if let Some(taken) = taken {
        ingest.write_deep_sidecar(taken)?;
    }
    let done = commit();
    drop(guard);
    signals.wake();
    done
}

/// Why a version stays in the queue.
#[derive(Debug)]
enum Pause {
    /// The server stops.
    Stopped,
    /// It became due under another configuration, and now nothing is to be done in the background.
    SwitchedOff,
    /// Nothing opens it: the catalogue was rebuilt, or the staging key was lost.
    Locked,
    /// Ours to mend: a full disk, a program that can't be started, a body that can't be read.
    Ours(String),
}

impl From<CatalogueError> for Pause {
    fn from(error: CatalogueError) -> Self {
        Pause::Ours(error.to_string())
    }
}

impl From<io::Error> for Pause {
    fn from(error: io::Error) -> Self {
        Pause::Ours(error.to_string())
    }
}

/// What the queue works with.
pub struct Parts {
    /// Reads, commits, keys, rules.
    pub ingest: Arc<Ingest>,
    /// Runs workers.
    pub work: Arc<dyn Work>,
    /// Make copies that browsers play.
    pub playback: bool,
    /// How others reach it.
    pub signals: Arc<Signals>,
}

/// The queue's thread; stopping it ends the worker in hand, whose version stays due.
pub struct DeepQueue {
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
}

impl DeepQueue {
    /// Starts the thread. Only after staging was put in order: it makes bodies there.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let signals = parts.signals.clone();
        let thread = thread::Builder::new().name("deep".to_owned()).spawn(move || {
            // Its workers are its children and have the same.
            if let Err(error) = process::lower_this_thread() {
                tracing::warn!(%error, "the deep queue couldn't lower its priority");
            }
            parts.run();
        })?;
        Ok(DeepQueue {
            signals,
            thread: Some(thread),
        })
    }

    /// Ends the thread. One whose worker hangs is left to the end of the process, which ends the worker too: it can't
    /// commit any more.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.signals.stop();
        let deadline = Instant::now() + STOP_GRACE;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                tracing::warn!("a worker of the deep queue doesn't end; it goes with the server");
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = thread.join();
    }
}

impl Drop for DeepQueue {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Parts {
    fn run(&self) {
        let mut after = None;
        let mut lap = Instant::now();
        let mut told = HashSet::new();
        while !self.signals.stopped() {
            let next = self
                .ingest
                .catalogue
                .read(|connection| inspections::next_due(connection, after));
            match next {
                Ok(Some(due)) => {
                    after = Some(due.since);
                    self.one(&due, &mut told);
                }
                Ok(None) => {
                    let woken = self.signals.wait(LOOK);
                    if woken || lap.elapsed() >= LAP {
                        (after, lap) = (None, Instant::now());
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the deep queue can't be read; tried again soon");
                    self.signals.wait(LOOK);
                }
            }
        }
    }

    fn one(&self, due: &inspections::Due, told: &mut HashSet<u64>) {
        match self.inspect(due) {
            Ok(verdict) => {
                told.remove(&due.receipt);
                tracing::info!(
                    evidence = due.evidence,
                    version = due.version,
                    verdict = verdict.code(),
                    "inspected in the background"
                );
            }
            Err(Pause::Stopped | Pause::SwitchedOff) => {}
            Err(Pause::Locked) => {
                if told.len() < TOLD_LIMIT && told.insert(due.receipt) {
                    tracing::warn!(
                        evidence = due.evidence,
                        version = due.version,
                        "nothing opens it for its background inspection: `muniment evidence inspect` with the identity does"
                    );
                }
            }
            Err(Pause::Ours(error)) => {
                tracing::error!(
                    error,
                    evidence = due.evidence,
                    version = due.version,
                    "couldn't be inspected in the background; it stays due"
                );
            }
        }
    }

    /// The file key of a version that is due.
    fn file_key(&self, due: &inspections::Due) -> Result<FileKey, Pause> {
        let ingest = &self.ingest;
        let sealed = crate::blob::staging::read_deep_sidecar(&ingest.layout, &due.accession)
            .map_err(|error| Pause::Ours(error.to_string()))?
            .ok_or(Pause::Locked)?;
        Taken::open(&sealed, &due.accession, &ingest.staging_key)
            .and_then(|taken| taken.file_key())
            .map_err(|_| Pause::Locked)
    }
}
