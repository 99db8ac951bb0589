//! Owner of the blocking work of all channels, so that a stop can wait for it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Runs closures on the runtime's blocking threads and remembers them until they end.
#[derive(Clone, Debug)]
pub struct Workers {
    running: Arc<Mutex<JoinSet<()>>>,
    runtime: Handle,
}

impl Workers {
    /// On the given runtime.
    pub fn new(runtime: Handle) -> Workers {
        Workers {
            running: Arc::default(),
            runtime,
        }
    }

    /// Starts one piece of work.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn_blocking_on(work, &self.runtime);
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
