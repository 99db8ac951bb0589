//! What statements cost, as SQLite itself counts it: for tests that hold how work grows by counting, never by clocks.

use rusqlite::{
    Connection, StatementStatus,
    trace::{TraceEvent, TraceEventCodes},
};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a statement cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Times that it ran.
    pub(crate) runs: u64,
    /// Operations of SQLite's virtual machine in its longest run: one for each row that is looked at, and more.
    pub(crate) steps: u64,
}

/// Costs by the statement's text.
pub(crate) type Costs = BTreeMap<String, Cost>;

type Shared = Arc<Mutex<Costs>>;

static WATCHED: Mutex<Vec<(PathBuf, Shared)>> = Mutex::new(Vec::new());

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what runs on every connection to one catalogue that is opened while it lives.
pub(crate) struct Work {
    catalogue: PathBuf,
    costs: Shared,
}

impl Work {
    pub(crate) fn watch(catalogue: &Path) -> Self {
        let costs = Shared::default();
        lock(&WATCHED).push((catalogue.to_owned(), costs.clone()));
        Work {
            catalogue: catalogue.to_owned(),
            costs,
        }
    }

    /// What was done since it was asked last, by statement.
    pub(crate) fn take(&self) -> Costs {
        std::mem::take(&mut lock(&self.costs))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        lock(&WATCHED).retain(|(catalogue, _)| *catalogue != self.catalogue);
    }
}

/// The connection, watched if its catalogue is.
pub(super) fn watched(mut connection: Connection) -> Connection {
    let path = connection.path().map(PathBuf::from);
    let watched = lock(&WATCHED);
    let found = watched
        .iter()
        .find(|(catalogue, _)| Some(catalogue) == path.as_ref());
    let Some(shared) = found.map(|(_, costs)| costs.clone()) else {
        return connection;
    };
    drop(watched);
    // SQLite's counters go on over the runs of a kept statement.
    let mut before: HashMap<String, u64> = HashMap::new();
    let count = move |event: TraceEvent<'_>| {
        let TraceEvent::Profile(statement, _) = event else {
            return;
        };
        let text = statement.sql().into_owned();
        let now = u64::try_from(statement.get_status(StatementStatus::VmStep)).unwrap_or_default();
        let last = before.insert(text.clone(), now).unwrap_or_default();
        // One that was prepared anew begins at nothing.
        let steps = now.checked_sub(last).unwrap_or(now);
        let mut costs = lock(&shared);
        let cost = costs.entry(text).or_default();
        cost.runs += 1;
        cost.steps = cost.steps.max(steps);
    };
    connection
        .trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(count))
        .unwrap();
    connection
}
