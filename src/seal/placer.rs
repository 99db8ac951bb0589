//! The placer: puts files that commits promised under their final names, in order, and again after a crash.
//!
//! Nothing waits for it but the next start of a full disk: the commit already holds what it does. So it goes in batches, and
//! lets a burst of uploads pass first: making a file costs about as much as taking one in.

use crate::{
    blob::{
        Tray,
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
    path::Path,
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
        tray: Tray,
        layout: Layout,
        promised: Receiver<usize>,
    ) -> std::io::Result<Self> {
        let (stop, hurry) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let work = Work {
            catalogue,
            custody,
            store,
            tray,
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
    let tray = Tray::open(layout).unwrap();
    let immutable = place::ImmutableSupport::Unsupported("a test".to_owned());
    let work = Work {
        catalogue: catalogue.clone(),
        custody: custody.clone(),
        store: Store::new(layout.clone(), tray.clone(), immutable),
        tray,
        layout: layout.clone(),
        stop: Arc::default(),
    };
    work.run().unwrap();
}

struct Work {
    catalogue: Catalogue,
    custody: Custody,
    store: Store,
    tray: Tray,
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
            let destinations: Vec<_> = pending
                .iter()
                .map(|(_, placement)| self.layout.root().join(&placement.target))
                .collect();
            let files: Vec<_> = pending
                .iter()
                .zip(&destinations)
                .map(|((_, placement), destination)| incoming(placement, destination))
                .collect();
            let (mut done, mut bodies) = (Vec::with_capacity(pending.len()), Vec::new());
            for ((id, placement), placed) in pending.iter().zip(self.store.place(&files)) {
                if let Err(error) = placed {
                    failed.get_or_insert(error);
                    continue;
                }
                done.push(*id);
                if let Source::Staged { accession, .. } = &placement.source {
                    bodies.push(accession);
                }
            }
            if !done.is_empty() {
                self.custody.placed(done)?;
            }
            // Not before: a replay would look for them.
            bodies.into_iter().for_each(|accession| self.tray.forget(accession));
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn incoming<'a>(placement: &'a Placement, destination: &'a Path) -> Incoming<'a> {
    Incoming {
        destination,
        source: match &placement.source {
            Source::Staged {
                accession,
                size_bytes,
            } => place::Source::Body {
                accession,
                size_bytes: *size_bytes,
            },
            Source::Bytes(bytes) => place::Source::Bytes(bytes),
        },
        immutable: !Path::new(&placement.target).starts_with("headers"),
    }
}
