//! Owner of the blocking work of all channels, so that a stop can wait for it, and of the segments it has done with.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::sftp::limits::SEGMENT_BYTES;

/// Segments kept for the next ones: fresh memory of this size comes from the system each time, page by page.
const KEPT_SEGMENTS: usize = 16;

/// Runs closures on the runtime's blocking threads and remembers them until they end.
#[derive(Clone, Debug)]
pub struct Workers {
    running: Arc<Mutex<JoinSet<()>>>,
    segments: Arc<Mutex<Vec<Vec<u8>>>>,
    runtime: Handle,
}

impl Workers {
    /// On the given runtime.
    pub fn new(runtime: Handle) -> Workers {
        Workers {
            running: Arc::default(),
            segments: Arc::default(),
            runtime,
        }
    }

    /// Starts one piece of work.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn_blocking_on(work, &self.runtime);
    }

    /// An empty segment of full size.
    pub(super) fn take_segment(&self) -> Vec<u8> {
        let kept = self.segments.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES))
    }

    /// Keeps a segment for the next run of bytes, on whatever channel; wiped of its length, not of its bytes.
    pub(super) fn keep_segment(&self, mut segment: Vec<u8>) {
        segment.clear();
        let mut kept = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if segment.capacity() == SEGMENT_BYTES && kept.len() < KEPT_SEGMENTS {
            kept.push(segment);
        }
    }

    /// Waits until nothing runs. Work started meanwhile is waited for too.
    pub async fn finish(&self) {
        let next = || {
            poll_fn(|context| {
                self.running
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .poll_join_next(context)
            })
        };
        while next().await.is_some() {}
    }
}
