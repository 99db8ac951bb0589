//! How many uploads of each person wait, without counting them for every file that is opened.
//!
//! Invariant: what is known of a person is never less than what waits; when it comes to the limit, it is counted anew.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// At most so many wait, by person.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<String, u64>>);

impl Waiting {
    /// Whether a person has fewer than `limit` uploads waiting; `count` is asked only when it may be otherwise.
    ///
    /// # Errors
    /// What `count` fails with.
    pub fn may_grow<E>(&self, person: &str, limit: u64, count: impl FnOnce() -> Result<u64, E>) -> Result<bool, E> {
        // Of somebody who isn't known yet nothing is known to be possible.
        let before = *self.lock().entry(person.to_owned()).or_insert(limit);
        if before < limit {
            return Ok(true);
        }
        let counted = count()?;
        let mut all = self.lock();
        let known = all.entry(person.to_owned()).or_insert(limit);
        // What others added while it was counted may be in the count or not.
        *known = counted + known.saturating_sub(before);
        Ok(*known < limit)
    }

    /// One more waits, or will in a moment.
    pub fn add(&self, person: &str) {
        if let Some(known) = self.lock().get_mut(person) {
            *known = known.saturating_add(1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_at_first_and_at_the_limit() {
        let waiting = Waiting::default();
        waiting.add("p");
        let may_grow = |counted: Result<u64, &'static str>| waiting.may_grow("p", 3, || counted);
        assert_eq!(may_grow(Ok(1)), Ok(true));
        waiting.add("p");
        assert_eq!(may_grow(Err("not asked")), Ok(true));
        waiting.add("p");
        assert_eq!(may_grow(Err("asked")), Err("asked"));
        // Some were settled meanwhile.
        assert_eq!(may_grow(Ok(2)), Ok(true));
        assert_eq!(may_grow(Err("not asked")), Ok(true));
        waiting.add("p");
        assert_eq!(may_grow(Ok(3)), Ok(false));
        assert_eq!(may_grow(Ok(4)), Ok(false));
        assert_eq!(waiting.may_grow("q", 3, || Ok::<_, ()>(0)), Ok(true));
    }
}
