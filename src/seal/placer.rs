//! The placer: puts files that a commit promised under their final names, in order, and again after a crash.
//!
//! Nothing waits for it but the next start of a full disk: the commit already holds what it does.

use crate::{
    blob::{
        BlobError,
        layout::Layout,
        place::{Batch, Store},
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
    time::Duration,
};

/// Placements made at a time; each holds a file open.
const BATCH: usize = 128;
/// How long the placer lets placements come together after a commit: a batch waits for the disk as often as one of them would.
const GATHER: Duration = Duration::from_millis(20);
/// Pause before placements that failed are tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The placer's thread; stopping it finishes the batch at hand.
pub struct Placer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Placer {
    /// Starts the thread. It works whenever `wake` says that something was committed, and once at the start.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(
        catalogue: Catalogue,
        custody: Custody,
        store: Store,
        layout: Layout,
        wake: Receiver<()>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let work = Work {
            catalogue,
            custody,
            store,
            layout,
        };
        let thread = std::thread::Builder::new()
            .name("placer".to_owned())
            .spawn(move || {
                let mut after = 0;
                while !stopping.load(Ordering::Relaxed) {
                    match work.run(&mut after, &stopping) {
                        Ok(true) => continue,
                        Ok(false) => {}
                        Err(error) => {
                            tracing::error!(%error, "files promised by a commit couldn't be placed yet")
                        }
                    }
                    match wake.recv_timeout(RETRY) {
                        Ok(()) => {
                            std::thread::sleep(GATHER);
                            wake.try_iter().for_each(drop);
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            })?;
        Ok(Placer {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends the thread after the batch at hand.
    pub fn stop(&mut self) {
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

/// Puts what was promised up to now in its place, on the caller's thread. The catalogue knows when the next proposal is answered.
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
    };
    let (mut after, stop) = (0, AtomicBool::new(false));
    while work.run(&mut after, &stop).unwrap() {}
}

struct Work {
    catalogue: Catalogue,
    custody: Custody,
    store: Store,
    layout: Layout,
}

impl Work {
    /// Does one batch; true when there may be more. `after` skips rows whose deletion is still on its way.
    fn run(&self, after: &mut i64, stop: &AtomicBool) -> Result<bool, Box<dyn std::error::Error>> {
        let pending = self
            .catalogue
            .read(|connection| placements::pending(connection, *after, BATCH))?;
        let mut batch = self.store.batch();
        let mut done = Vec::with_capacity(pending.len());
        let mut failed = None;
        for (id, placement) in &pending {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if let Err(error) = self.place(&mut batch, placement) {
                failed = Some(error);
                break;
            }
            done.push(*id);
        }
        batch.finish()?;
        if let Some(last) = done.last() {
            *after = *last;
            self.custody.placed(done);
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(pending.len() == BATCH),
        }
    }

    fn place(&self, batch: &mut Batch<'_>, placement: &Placement) -> Result<(), BlobError> {
        let target = self.layout.root().join(&placement.target);
        match &placement.source {
            Source::Staged {
                accession,
                size_bytes,
            } => {
                batch.content(&self.layout.staged(accession)?, &target, *size_bytes)?;
            }
            Source::Bytes(bytes) if Path::new(&placement.target).starts_with("headers") => {
                batch.header(&target, bytes)?;
            }
            Source::Bytes(bytes) => {
                batch.record(&target, bytes)?;
            }
        }
        Ok(())
    }
}
