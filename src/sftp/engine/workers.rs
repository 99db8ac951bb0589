//! Owner of the blocking work of all channels, so that a stop can wait for it, and of the segments it has done with.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::sftp::limits::SEGMENT_BYTES;

/// Segments kept for the next ones.
const KEPT_SEGMENTS: usize = 16;

/// Runs closures on the runtime's blocking threads and remembers them until they end.
#[derive(Clone, Debug)]
pub struct Workers {
    running: Arc<Mutex<JoinSet<()>>>,
    segments: Segments,
    runtime: Handle,
}

impl Workers {
    /// On the given runtime.
    pub fn new(runtime: Handle) -> Workers {
        Workers {
            running: Arc::default(),
            segments: Segments::default(),
            runtime,
        }
    }

    /// Starts one piece of work.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn_blocking_on(work, &self.runtime);
    }

    /// The memory that is used again and again.
    pub(super) fn segments(&self) -> &Segments {
        &self.segments
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

/// Segments that nobody uses, of all channels: fresh memory of this size comes from the system each time, page by page.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments(Arc<Mutex<Vec<Vec<u8>>>>);

impl Segments {
    /// An empty segment of full size.
    pub(super) fn take(&self) -> Vec<u8> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES))
    }

    /// Keeps a segment for the next run of bytes, on whatever channel; wiped of its length, not of its bytes.
    pub(super) fn keep(&self, mut segment: Vec<u8>) {
        segment.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if segment.capacity() == SEGMENT_BYTES && kept.len() < KEPT_SEGMENTS {
            kept.push(segment);
        }
    }

    /// Bytes that are sent. A segment is kept when they are.
    pub(super) fn sent(&self, bytes: Vec<u8>) -> Bytes {
        if bytes.capacity() != SEGMENT_BYTES {
            return bytes.into();
        }
        let segments = self.clone();
        Bytes::from_owner(Sent { bytes, segments })
    }
}

struct Sent {
    bytes: Vec<u8>,
    segments: Segments,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.segments.keep(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_used_again_when_it_was_sent_and_nothing_of_it_shows() {
        let segments = Segments::default();
        let mut segment = segments.take();
        segment.extend_from_slice(b"secret");
        let memory = segment.as_ptr();
        let sent = segments.sent(segment);
        assert_eq!(sent, "secret");
        let other = segments.take();
        assert_ne!(other.as_ptr(), memory, "still on its way");
        drop(sent);
        let again = segments.take();
        assert!(again.as_ptr() == memory && again.is_empty());
        // Anything else is no segment.
        assert_eq!(segments.sent(b"small".to_vec()), "small");
        segments.keep(Vec::with_capacity(2 * SEGMENT_BYTES));
        assert_eq!(segments.take().capacity(), SEGMENT_BYTES);
    }
}
