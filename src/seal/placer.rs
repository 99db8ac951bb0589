//! The placer: puts files that commits promised under their final names, in order, and again after a crash.
//!
//! Nothing waits for it but the next start of a full disk: the commit already holds what it does. So it goes in batches, and
//! lets a burst of uploads pass first: making a file costs about as much as taking one in.

use crate::{
    blob::{
        BlobError,
        layout::Layout,
        place::{self, Incoming, Store},
    },
    catalog::{
        Catalogue,
        placements::{self, Placement, Source},
    },
    custody::sequencer::Custody,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Files placed together.
const BATCH: usize = 768;
/// Without a commit for so long it is quiet.
const QUIET: Duration = Duration::from_millis(50);
/// The longest that files wait for quiet.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Files that may wait for quiet: eight thousand uploads or so.
const MOST_WAITING: usize = 24_000;
/// Pause before placements that failed are tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The placer's thread; stopping it finishes the batch at hand.
pub struct Placer {
    stop: Arc<AtomicBool>,
    hurry: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Placer {
    /// Starts the thread. `promised` tells it of files that were committed; it also looks once at the start.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(
        catalogue: Catalogue,
        custody: Custody,
        store: Store,
        layout: Layout,
        promised: Receiver<usize>,
    ) -> std::io::Result<Self> {
        let (stop, hurry) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let work = Work {
            catalogue,
            custody,
            store,
            layout,
            stop: stop.clone(),
        };
        let hurried = hurry.clone();
        let thread = std::thread::Builder::new()
            .name("placer".to_owned())
            .spawn(move || {
                while !work.stop.load(Ordering::Relaxed) {
                    if let Err(error) = work.run() {
                        tracing::error!(%error, "files promised by a commit couldn't be placed yet");
                    }
                    match promised.recv_timeout(RETRY) {
                        Ok(files) => wait_for_quiet(&promised, files, &hurried),
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            })?;
        Ok(Placer {
            stop,
            hurry,
            thread: Some(thread),
        })
    }

    /// From now on it doesn't wait for quiet.
    pub fn hurry(&self) {
        self.hurry.store(true, Ordering::Relaxed);
    }

    /// Ends the thread after the batch at hand.
    pub fn stop(&mut self) {
        self.hurry();
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Placer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Returns when no commits come any more, or enough files wait, or they have waited long enough.
fn wait_for_quiet(promised: &Receiver<usize>, files: usize, hurry: &AtomicBool) {
    let (mut waiting, until) = (files, Instant::now() + LONGEST_WAIT);
    while waiting < MOST_WAITING && Instant::now() < until && !hurry.load(Ordering::Relaxed) {
        match promised.recv_timeout(QUIET) {
            Ok(more) => waiting += more,
            Err(_) => return,
        }
    }
}

/// Puts what was promised up to now in its place, on the caller's thread.
#[cfg(test)]
pub(crate) fn place_all(catalogue: &Catalogue, custody: &Custody, layout: &Layout) {
    let work = Work {
        catalogue: catalogue.clone(),
        custody: custody.clone(),
        store: Store::new(
            layout.clone(),
            crate::blob::place::ImmutableSupport::Unsupported("a test".to_owned()),
        ),
        layout: layout.clone(),
        stop: Arc::default(),
    };
    work.run().unwrap();
}

struct Work {
    catalogue: Catalogue,
    custody: Custody,
    store: Store,
    layout: Layout,
    stop: Arc<AtomicBool>,
}

impl Work {
    /// Places everything that is promised, but for what fails: that is left for the next time, and the first error told.
    fn run(&self) -> Result<(), Box<dyn std::error::Error>> {
        let (mut after, mut failed) = (0, None);
        while !self.stop.load(Ordering::Relaxed) {
            let pending = self
                .catalogue
                .read(|connection| placements::pending(connection, after, BATCH))?;
            let Some((last, _)) = pending.last() else { break };
            after = *last;
            let placed = self.place(&pending);
            let mut done = Vec::with_capacity(pending.len());
            for ((id, _), placed) in pending.iter().zip(placed) {
                match placed {
                    Ok(()) => done.push(*id),
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
            if !done.is_empty() {
                self.custody.placed(done)?;
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn place(&self, pending: &[(i64, Placement)]) -> Vec<Result<(), BlobError>> {
        let paths: Vec<_> = pending.iter().map(|(_, placement)| self.paths(placement)).collect();
        let incoming: Vec<_> = pending
            .iter()
            .zip(&paths)
            .filter_map(|((_, placement), paths)| Some(incoming(placement, paths.as_ref().ok()?)))
            .collect();
        let mut placed = self.store.place(&incoming).into_iter();
        let outcome = |paths: Result<Paths, BlobError>| {
            paths?;
            placed.next().map_or(Ok(()), |placed| placed.map(drop))
        };
        paths.into_iter().map(outcome).collect()
    }

    fn paths(&self, placement: &Placement) -> Result<Paths, BlobError> {
        Ok(Paths {
            destination: self.layout.root().join(&placement.target),
            staged: match &placement.source {
                Source::Staged { accession, .. } => self.layout.staged(accession)?,
                Source::Bytes(_) => PathBuf::new(),
            },
        })
    }
}

/// The paths that a placement is about.
struct Paths {
    destination: PathBuf,
    /// Where its body lies, if it has one.
    staged: PathBuf,
}

fn incoming<'a>(placement: &'a Placement, paths: &'a Paths) -> Incoming<'a> {
    Incoming {
        destination: &paths.destination,
        source: match &placement.source {
            Source::Staged { size_bytes, .. } => place::Source::Staged {
                path: &paths.staged,
                size_bytes: *size_bytes,
            },
            Source::Bytes(bytes) => place::Source::Bytes(bytes),
        },
        immutable: !Path::new(&placement.target).starts_with("headers"),
    }
}
