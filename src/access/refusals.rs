//! Refusals on record: every one is in the custody log, by itself or counted in the next one like it.
//!
//! A refusal of a person, an action and a record is committed at once; repetitions within `INTERVAL_MS` are counted and
//! committed together, so that nobody can fill the log by knocking. The refusal itself never depends on the log.

use crate::{
    custody::sequencer::{CommitError, Custody, Proposed},
    domain::{
        event::{Draft, Kind},
        id::new_id,
        time::Clock,
    },
};
use ring::rand::SecureRandom;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Repetitions in this time are counted instead of committed.
const INTERVAL_MS: i64 = 60_000;
/// Different refusals remembered at one time. Past that, new ones share one entry.
const LIMIT: usize = 10_000;

/// What was refused to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// Whom, by id; `None` for somebody who didn't prove who they are.
    pub person: Option<String>,
    /// What they tried: an action's word, or `sftp`, `sign_in`, `route`.
    pub what: String,
    /// About which record, when there is such a record.
    pub evidence: Option<String>,
    /// The word of the refusal.
    pub why: String,
}

struct Seen {
    last_ms: i64,
    /// Repetitions since, not yet committed.
    pending: u64,
}

/// Puts refusals on record. Cheap to clone.
#[derive(Clone)]
pub struct Refusals {
    custody: Custody,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom + Send + Sync>,
    seen: Arc<Mutex<HashMap<Refused, Seen>>>,
}

impl Refusals {
    /// With this log and clock.
    pub fn new(custody: Custody, clock: Arc<dyn Clock>, random: Arc<dyn SecureRandom + Send + Sync>) -> Self {
        Refusals {
            custody,
            clock,
            random,
            seen: Arc::default(),
        }
    }

    /// Puts a refusal on record, or counts it. Blocks for the commit.
    pub fn record(&self, refused: Refused) {
        let now_ms = self.clock.now_ms();
        let (refused, times) = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let refused = if seen.contains_key(&refused) || seen.len() < LIMIT {
                refused
            } else {
                Refused {
                    person: None,
                    what: "many".to_owned(),
                    evidence: None,
                    why: "many".to_owned(),
                }
            };
            let entry = seen.entry(refused.clone()).or_insert(Seen {
                last_ms: i64::MIN,
                pending: 0,
            });
            entry.pending += 1;
            if (0..INTERVAL_MS).contains(&now_ms.saturating_sub(entry.last_ms)) {
                return;
            }
            entry.last_ms = now_ms;
            (refused, std::mem::take(&mut entry.pending))
        };
        self.commit(&refused, times);
    }

    /// Commits what was counted and is due; with `all`, what isn't due yet too. Called now and then, and at the end.
    pub fn sweep(&self, all: bool) {
        let now_ms = self.clock.now_ms();
        let due: Vec<(Refused, u64)> = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let over = |entry: &Seen| all || now_ms.saturating_sub(entry.last_ms) >= INTERVAL_MS;
            let due = seen
                .iter()
                .filter(|(_, entry)| entry.pending > 0 && over(entry))
                .map(|(refused, entry)| (refused.clone(), entry.pending))
                .collect();
            seen.retain(|_, entry| !over(entry));
            due
        };
        for (refused, times) in due {
            self.commit(&refused, times);
        }
    }

    fn commit(&self, refused: &Refused, times: u64) {
        let id = new_id(self.random.as_ref(), self.clock.now_ms())
            .map_err(|_| CommitError::Storage("no randomness".to_owned()));
        let committed = id.and_then(|id| {
            let draft = draft(id, refused, times);
            self.custody.commit(move |_| Ok(Proposed { draft, place: None }))
        });
        if let Err(error) = committed {
            tracing::error!(%error, what = refused.what, "a refusal couldn't be put on record");
        }
    }
}

fn draft(id: String, refused: &Refused, times: u64) -> Draft {
    let actor = refused.person.as_deref().unwrap_or("system");
    let mut draft = Draft::new(Kind::AccessRefused, id, actor)
        .fact("what", refused.what.as_str())
        .fact("why", refused.why.as_str())
        .fact("times", times);
    if let Some(person) = &refused.person {
        draft = draft.fact("person", person.as_str());
    }
    match &refused.evidence {
        Some(evidence) => draft.fact("evidence", evidence.as_str()),
        None => draft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{custody::testing::TestVault, domain::event::Leaf};
    use ring::rand::SystemRandom;

    #[test]
    fn the_first_is_committed_at_once_and_the_rest_in_one_count() {
        let vault = TestVault::new();
        let refusals = Refusals::new(
            vault.custody.clone(),
            vault.clock.clone(),
            Arc::new(SystemRandom::new()),
        );
        let refused = |person: &str| Refused {
            person: Some(person.to_owned()),
            what: "read_content".to_owned(),
            evidence: None,
            why: "no_grant".to_owned(),
        };
        let leaves = || -> Vec<Leaf> {
            vault
                .leaves()
                .into_iter()
                .filter(|leaf| leaf.kind == Kind::AccessRefused)
                .collect()
        };
        for _ in 0..5 {
            refusals.record(refused("p1"));
        }
        refusals.record(refused("p2"));
        assert_eq!(leaves().len(), 2);
        refusals.sweep(false);
        assert_eq!(leaves().len(), 2, "not due yet");
        vault.clock.advance(INTERVAL_MS);
        refusals.sweep(false);
        let all = leaves();
        assert_eq!(all.len(), 3);
        assert_eq!(
            (all[2].text("person"), all[2].integer("times")),
            (Some("p1"), Some(4))
        );
        refusals.record(refused("p1"));
        refusals.record(refused("p1"));
        refusals.sweep(true);
        let times: i64 = leaves().iter().filter_map(|leaf| leaf.integer("times")).sum();
        assert_eq!((leaves().len(), times), (5, 8), "every refusal is counted once");
    }
}
