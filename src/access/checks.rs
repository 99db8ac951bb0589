//! Checks of single objects that are under way: few at one time and one for each person, because each reads and decrypts all of
//! an object, whatever its size.
//!
//! Invariant: a place is taken before the first byte is read and given back however the check ends.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Checks under way at one time, over all people.
pub const MAX_CHECKS: usize = 4;

/// Who has one under way. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Checks(Arc<Mutex<BTreeSet<String>>>);

/// A check that is under way, until this is dropped.
#[derive(Debug)]
pub struct Underway {
    checks: Checks,
    person: String,
}

impl Checks {
    /// A place for a person's check; `None` while they have one, or as many as can be are under way.
    pub fn begin(&self, person: &str) -> Option<Underway> {
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = people.len() < MAX_CHECKS && people.insert(person.to_owned());
        begins.then(|| Underway {
            checks: self.clone(),
            person: person.to_owned(),
        })
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut people = self.checks.0.lock().unwrap_or_else(PoisonError::into_inner);
        people.remove(&self.person);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_person_and_few_in_all() {
        let checks = Checks::default();
        let first = checks.begin("p0").unwrap();
        assert!(checks.begin("p0").is_none());
        let others: Vec<Underway> = (1..MAX_CHECKS)
            .map(|at| checks.begin(&format!("p{at}")).unwrap())
            .collect();
        assert!(checks.begin("p9").is_none());
        drop(first);
        let again = checks.begin("p0").unwrap();
        assert!(checks.begin("p9").is_none());
        drop((again, others));
        assert!(checks.begin("p9").is_some());
    }
}
