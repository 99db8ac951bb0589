//! The checkpointer: carries committed pages from SQLite's write-ahead log into the catalogue's file, beside the commits.
//!
//! Left to SQLite, the commit that fills the log does that, with two syncs, while everybody behind it waits. It must never
//! write a row. Invariant: without it, or when it fails, SQLite does the same in its own time, so nothing depends on it.

use super::{BUSY_TIMEOUT, Result};
use rusqlite::{Connection, OpenFlags};
use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// From a commit to its pages being carried over: those that are written again and again meanwhile are carried once.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Default)]
struct State {
    committed: bool,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a commit and then for the pause; false at the end.
    fn wait(&self) -> bool {
        let waiting = |state: &mut State| !state.committed && !state.stopped;
        let state = self.changed.wait_while(self.lock(), waiting);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let going = |state: &mut State| !state.stopped;
        let waited = self.changed.wait_timeout_while(state, PAUSE, going);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.committed = false;
        !state.stopped
    }
}

/// Tells the checkpointer that there is something to do.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Says so.
    pub fn wake(&self) {
        let mut state = self.0.lock();
        if !state.committed {
            state.committed = true;
            self.0.changed.notify_all();
        }
    }
}

/// The thread; dropping this ends it.
pub struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread for the catalogue at `path`.
    ///
    /// # Errors
    /// When the catalogue can't be opened.
    pub fn start(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // What is carried over is synced before the log is written over.
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        let shared = Arc::new(Shared::default());
        let waiting = shared.clone();
        let thread = std::thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || {
                while waiting.wait() {
                    // What readers still look at stays for the next time.
                    let carried = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                    if let Err(error) = carried {
                        tracing::warn!(%error, "the catalogue's log couldn't be carried over; SQLite does it later");
                    }
                }
            });
        Ok(Checkpointer {
            shared,
            // A system without threads leaves it to SQLite.
            thread: thread.ok(),
        })
    }

    /// For who commits.
    pub fn waker(&self) -> Waker {
        Waker(self.shared.clone())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
