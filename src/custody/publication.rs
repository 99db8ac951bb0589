//! When the log is published: on a thread of its own, beside the commits.
//!
//! A commit holds everything that publication needs, so nobody who proposes waits for tiles. After a commit at rest the files follow at
//! once; in a burst a few dozen times a second, each time up to the newest commit. Whoever reads the log in this process
//! catches up first ([`Published::catch_up`]), so that what was answered is found.
//!
//! Invariant: the published tree is always one that was committed, and only grows.

use super::edge::{PublishError, Publisher};
use crate::catalog::Catalogue;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// From the beginning of one publication to that of the next, unless somebody waits for it.
const SPACING: Duration = Duration::from_millis(20);
/// Pause before a publication that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a reader waits before it takes what is published as it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the log is published, cheap to clone.
#[derive(Clone, Default)]
pub struct Published(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Sizes are leaves.
#[derive(Default)]
struct State {
    committed: u64,
    published: u64,
    /// A reader waits for what is committed.
    is_awaited: bool,
    /// The last publication failed.
    is_failing: bool,
    is_stopping: bool,
}

impl Published {
    /// A log that is published up to the newest of its commits.
    pub(super) fn at(size: u64) -> Self {
        let published = Published::default();
        let mut state = published.state();
        (state.committed, state.published) = (size, size);
        drop(state);
        published
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tree of this size is committed.
    pub(super) fn committed(&self, size: u64) {
        self.state().committed = size;
        self.0.changed.notify_all();
    }

    /// Returns when everything that was committed before is published. A log folder that refuses is no reason to wait: what is
    /// shown is what is published then.
    pub fn catch_up(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        let wanted = state.committed;
        while state.published < wanted && !state.is_failing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state.is_awaited = true;
            self.0.changed.notify_all();
            state = self.wait(state, left);
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, at_most: Duration) -> MutexGuard<'a, State> {
        let waited = self.0.changed.wait_timeout(state, at_most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until there is something to publish and it is time for it; false when there is nothing any more.
    fn is_due(&self, not_before: Instant) -> bool {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let behind = state.published < state.committed;
            if state.is_stopping {
                return behind && !state.is_failing;
            }
            let hurry = state.is_awaited && !state.is_failing;
            state = if !behind {
                let waited = self.0.changed.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            } else if now < not_before && !hurry {
                self.wait(state, not_before - now)
            } else {
                state.is_awaited = false;
                return true;
            };
        }
    }
}

/// The publishing thread; dropping it publishes what is committed.
pub(super) struct Publication {
    published: Published,
    thread: Option<JoinHandle<()>>,
}

impl Publication {
    /// Starts the thread. `durable` is told each size up to which full tiles are durable.
    pub(super) fn start(
        published: Published,
        mut publisher: Publisher,
        catalogue: Catalogue,
        mut durable: impl FnMut(u64) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = published.clone();
        let thread = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || {
                let mut not_before = Instant::now();
                while shared.is_due(not_before) {
                    let begun = Instant::now();
                    let outcome: Result<u64, PublishError> = (|| {
                        let mut size = Ok(0);
                        catalogue.read(|connection| {
                            size = publisher.publish(connection);
                            Ok(())
                        })?;
                        size
                    })();
                    let mut state = shared.state();
                    state.is_failing = outcome.is_err();
                    match outcome {
                        Ok(size) => {
                            state.published = state.published.max(size);
                            drop(state);
                            not_before = begun + SPACING;
                            durable(size);
                        }
                        Err(error) => {
                            drop(state);
                            not_before = begun + RETRY;
                            tracing::error!(%error, "the log's tiles couldn't be written; they are tried again");
                        }
                    }
                    shared.0.changed.notify_all();
                }
            })?;
        Ok(Publication {
            published,
            thread: Some(thread),
        })
    }

    /// Publishes what is committed and ends the thread.
    pub(super) fn stop(&mut self) {
        self.published.state().is_stopping = true;
        self.published.0.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        custody::testing::TestVault,
        domain::event::{Draft, Kind},
    };
    use std::fs;

    fn commit(vault: &TestVault, number: usize) -> u64 {
        let draft = Draft::new(Kind::FixityChecked, format!("f{number}"), "operator");
        vault.commit(draft).index + 1
    }

    #[test]
    fn whoever_looks_finds_what_was_answered() {
        let vault = TestVault::new();
        for number in 0..600 {
            let size = commit(&vault, number);
            if number % 7 == 0 {
                assert_eq!(vault.log.published_size().unwrap(), size);
            }
        }
        assert_eq!(vault.leaves().len() as u64, vault.log.published_size().unwrap());
    }

    #[test]
    fn what_nobody_looks_for_is_published_too() {
        let vault = TestVault::new();
        let sizes: Vec<u64> = (0..50).map(|number| commit(&vault, number)).collect();
        while vault.custody.published().state().published < sizes[49] {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_log_folder_that_refuses_stops_no_commit_and_nobody_waits_for_it() {
        let vault = TestVault::new();
        let before = vault.log.published_size().unwrap();
        let tiles = vault.layout.log().join("tile");
        let aside = vault.layout.log().join("aside");
        fs::rename(&tiles, &aside).unwrap();
        fs::write(&tiles, b"in the way").unwrap();
        let size = commit(&vault, 1);
        assert_eq!(vault.log.published_size().unwrap(), before);
        fs::remove_file(&tiles).unwrap();
        fs::rename(&aside, &tiles).unwrap();
        // Tried again by itself.
        while vault.log.published_size().unwrap() < size {
            std::thread::yield_now();
        }
    }
}
