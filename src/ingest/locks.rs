//! One inbox path, one settlement at a time: a declaration and the file it speaks of may arrive at the same moment.

use std::{
    collections::HashSet,
    sync::{Condvar, Mutex, PoisonError},
};

type Key = (String, String);

/// Paths that are being settled now.
#[derive(Default)]
pub struct PathLocks {
    held: Mutex<HashSet<Key>>,
    freed: Condvar,
}

/// Holds one path until it is dropped.
pub struct PathTurn<'a> {
    locks: &'a PathLocks,
    key: Key,
}

impl PathLocks {
    /// Waits until nobody else holds the path. A caller holds one path at a time, so nobody waits in a circle.
    pub fn take(&self, person: &str, path: &str) -> PathTurn<'_> {
        let key = (person.to_owned(), path.to_owned());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while !held.insert(key.clone()) {
            held = self.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        PathTurn { locks: self, key }
    }
}

impl Drop for PathTurn<'_> {
    fn drop(&mut self) {
        self.locks
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
        self.locks.freed.notify_all();
    }
}
