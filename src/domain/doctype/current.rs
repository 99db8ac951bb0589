//! The table that judges now, shared by everything that judges, and replaced while the server runs.
//!
//! Invariant: it only goes forward: an older version never takes the place of a newer one.

use super::DocumentTypes;
use std::sync::{Arc, PoisonError, RwLock};

/// A handle on the newest table. Whoever judges takes it once and keeps to that one to the end.
#[derive(Debug)]
pub struct CurrentTypes(RwLock<Arc<DocumentTypes>>);

impl CurrentTypes {
    /// A handle that starts with this table.
    pub fn new(types: DocumentTypes) -> Self {
        CurrentTypes(RwLock::new(Arc::new(types)))
    }

    /// The table of this moment.
    pub fn current(&self) -> Arc<DocumentTypes> {
        // A table is replaced whole, so a panic elsewhere can't have left half of one.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a newer version in its place; an older one, which lost a race, changes nothing.
    pub fn advance(&self, types: DocumentTypes) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if types.version() > current.version() {
            *current = Arc::new(types);
        }
    }
}
