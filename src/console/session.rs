//! Who is signed in: sessions in memory, gone with the process.
//!
//! Invariant: a session's secret is nowhere but in its browser; here is only its SHA-256. A secret that was replaced, ended or has
//! expired opens nothing, from the next request on.

use super::limits::{MAX_AGENT_CHARS, MAX_FLASHES, MAX_SESSIONS, MAX_SESSIONS_PER_PERSON};
use super::secret::Secret;
use super::words::Words;
use crate::{
    catalog::people::Person,
    config::console::ConsoleConfig,
    domain::{random::RandomError, time::Clock},
};
use ring::rand::SecureRandom;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A session as its person and the administrator see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Public id (ULID), for lists and logs. It opens nothing.
    pub id: String,
    /// The person's id in the log.
    pub person: String,
    /// Their log-in name when they signed in.
    pub name: String,
    /// Where they signed in from.
    pub address: IpAddr,
    /// What the browser says of itself, shortened.
    pub agent: String,
    /// When they signed in, milliseconds since 1970.
    pub started_ms: i64,
    /// Their last request.
    pub seen_ms: i64,
    /// When it ends in any case.
    pub ends_ms: i64,
}

/// What sort of message the next page opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashKind {
    /// It worked.
    Done,
    /// Something to know.
    Note,
    /// It didn't work.
    Failed,
}

/// A message for a session's next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// How it is shown.
    pub kind: FlashKind,
    /// What it says.
    pub words: Words,
}

/// A session that has just begun.
pub struct Begun {
    /// The session.
    pub session: Session,
    /// What opens it.
    pub secret: Secret,
    /// Sessions that ended to make room for it.
    pub displaced: Vec<Session>,
}

struct Kept {
    session: Session,
    flashes: Vec<Flash>,
}

/// All sessions. Times are by the injected clock.
pub struct Sessions {
    kept: Mutex<HashMap<[u8; 32], Kept>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom + Send + Sync>,
    idle_ms: i64,
    whole_ms: i64,
}

impl Sessions {
    /// No session yet.
    pub fn new(
        config: &ConsoleConfig,
        clock: Arc<dyn Clock>,
        random: Arc<dyn SecureRandom + Send + Sync>,
    ) -> Self {
        Sessions {
            kept: Mutex::default(),
            clock,
            random,
            idle_ms: i64::from(config.session_idle_minutes) * 60_000,
            whole_ms: i64::from(config.session_hours) * 3_600_000,
        }
    }

    /// Like [`Sessions::begin_as`], with an id of its own.
    ///
    /// # Errors
    /// When there is no randomness.
    #[cfg(test)]
    pub(super) fn begin(
        &self,
        person: &Person,
        address: IpAddr,
        agent: &str,
        before: Option<&Secret>,
    ) -> Result<(Session, Secret), RandomError> {
        let id =
            crate::domain::id::new_id(self.random.as_ref(), self.clock.now_ms()).map_err(|_| RandomError)?;
        let begun = self.begin_as(id, person, address, agent, before)?;
        Ok((begun.session, begun.secret))
    }

    /// Signs a person in under the id that the log has: always a new secret, so one that was planted before is worth nothing. `before` is the
    /// session that the browser came with, which ends. Where there are too many, those seen longest ago end.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn begin_as(
        &self,
        id: String,
        person: &Person,
        address: IpAddr,
        agent: &str,
        before: Option<&Secret>,
    ) -> Result<Begun, RandomError> {
        let now_ms = self.clock.now_ms();
        let secret = Secret::new(self.random.as_ref())?;
        let session = Session {
            id,
            person: person.id.clone(),
            name: person.name.clone(),
            address,
            agent: agent
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_AGENT_CHARS)
                .collect(),
            started_ms: now_ms,
            seen_ms: now_ms,
            ends_ms: now_ms.saturating_add(self.whole_ms),
        };
        let mut kept = self.kept();
        if let Some(before) = before {
            kept.remove(&before.digest());
        }
        let mut displaced = make_room(&mut kept, MAX_SESSIONS_PER_PERSON, |found| {
            found.person == person.id
        });
        displaced.extend(make_room(&mut kept, MAX_SESSIONS, |_| true));
        let flashes = Vec::new();
        kept.insert(
            secret.digest(),
            Kept {
                session: session.clone(),
                flashes,
            },
        );
        Ok(Begun {
            session,
            secret,
            displaced,
        })
    }

    /// Gives a session another secret, after the person gained or lost a right or a factor. `None` when it is over.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn renew(&self, secret: &Secret) -> Result<Option<Secret>, RandomError> {
        let fresh = Secret::new(self.random.as_ref())?;
        let mut kept = self.kept();
        let Some(found) = kept.remove(&secret.digest()) else {
            return Ok(None);
        };
        kept.insert(fresh.digest(), found);
        Ok(Some(fresh))
    }

    /// The session that a secret opens; it counts as seen now.
    pub fn find(&self, secret: &Secret) -> Option<Session> {
        self.found(secret, true)
    }

    /// The same for what a page asks by itself: it keeps no session alive.
    pub fn peek(&self, secret: &Secret) -> Option<Session> {
        self.found(secret, false)
    }

    fn found(&self, secret: &Secret, is_seen: bool) -> Option<Session> {
        let now_ms = self.clock.now_ms();
        let mut kept = self.kept();
        // One that ran out opens nothing; it stays until the next sweep, which says so.
        let found = kept
            .get_mut(&secret.digest())
            .filter(|found| self.is_live(&found.session, now_ms))?;
        if is_seen {
            found.session.seen_ms = now_ms;
        }
        Some(found.session.clone())
    }

    /// Whether a session, by its public id, is still open: what an answer that takes long asks again and again.
    pub fn is_open(&self, id: &str) -> bool {
        let now_ms = self.clock.now_ms();
        let kept = self.kept();
        kept.values()
            .any(|kept| kept.session.id == id && self.is_live(&kept.session, now_ms))
    }

    /// Sessions of a person, oldest first.
    pub fn list(&self, person: &str) -> Vec<Session> {
        self.listed(|session| session.person == person)
    }

    /// Sessions of everybody, oldest first.
    pub fn all(&self) -> Vec<Session> {
        self.listed(|_| true)
    }

    /// Takes out what ran out, and says which sessions those were.
    pub fn sweep(&self) -> Vec<Session> {
        let now_ms = self.clock.now_ms();
        let mut kept = self.kept();
        let over = kept.extract_if(|_, kept| !self.is_live(&kept.session, now_ms));
        over.map(|(_, kept)| kept.session).collect()
    }

    /// Ends one session by its public id; says whether there was one.
    pub fn end(&self, id: &str) -> bool {
        !self.end_where(|session| session.id == id).is_empty()
    }

    /// Ends every session of a person and says which those were.
    pub fn end_person(&self, person: &str) -> Vec<Session> {
        self.end_where(|session| session.person == person)
    }

    /// Leaves a message for a session's next page, by its public id. Of too many the oldest goes.
    pub fn flash(&self, id: &str, flash: Flash) {
        if let Some(found) = self.kept().values_mut().find(|kept| kept.session.id == id) {
            if found.flashes.len() >= MAX_FLASHES {
                found.flashes.remove(0);
            }
            found.flashes.push(flash);
        }
    }

    /// Takes the messages of a session.
    pub fn take_flashes(&self, id: &str) -> Vec<Flash> {
        let mut kept = self.kept();
        let found = kept.values_mut().find(|kept| kept.session.id == id);
        found
            .map(|kept| std::mem::take(&mut kept.flashes))
            .unwrap_or_default()
    }

    fn listed(&self, wanted: impl Fn(&Session) -> bool) -> Vec<Session> {
        let now_ms = self.clock.now_ms();
        let kept = self.kept();
        let live = kept.values().map(|kept| &kept.session);
        let mut found: Vec<Session> = live
            .filter(|session| self.is_live(session, now_ms) && wanted(session))
            .cloned()
            .collect();
        drop(kept);
        found.sort_by(|a, b| (a.started_ms, &a.id).cmp(&(b.started_ms, &b.id)));
        found
    }

    fn end_where(&self, ends: impl Fn(&Session) -> bool) -> Vec<Session> {
        let mut kept = self.kept();
        let ended = kept.extract_if(|_, kept| ends(&kept.session));
        ended.map(|(_, kept)| kept.session).collect()
    }

    fn is_live(&self, session: &Session, now_ms: i64) -> bool {
        // A clock that was put back must not make a session last longer than it may.
        let idle = now_ms.saturating_sub(session.seen_ms);
        idle < self.idle_ms
            && now_ms < session.ends_ms
            && now_ms.saturating_sub(session.started_ms) > -self.idle_ms
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<[u8; 32], Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends those seen longest ago until one more fits, and says which those were.
fn make_room(
    kept: &mut HashMap<[u8; 32], Kept>,
    limit: usize,
    counts: impl Fn(&Session) -> bool,
) -> Vec<Session> {
    let mut ended = Vec::new();
    loop {
        let counted = kept.iter().filter(|(_, kept)| counts(&kept.session));
        let mut oldest: Option<(&[u8; 32], (i64, &String))> = None;
        let mut count = 0;
        for (digest, kept) in counted {
            count += 1;
            let age = (kept.session.seen_ms, &kept.session.id);
            if oldest.is_none_or(|(_, found)| age < found) {
                oldest = Some((digest, age));
            }
        }
        let Some(digest) = oldest.filter(|_| count >= limit).map(|(digest, _)| *digest) else {
            return ended;
        };
        ended.extend(kept.remove(&digest).map(|kept| kept.session));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::testing::{NOW_MS, TestClock};
    use ring::rand::SystemRandom;
    use std::sync::atomic::Ordering;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const MINUTE_MS: i64 = 60_000;

    fn person(id: &str) -> Person {
        Person {
            id: id.to_owned(),
            name: format!("name of {id}"),
            branch: None,
            nda: String::new(),
            added_ms: 0,
            disabled_ms: None,
            roles: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn sessions() -> (Sessions, Arc<TestClock>) {
        let clock = Arc::new(TestClock(NOW_MS.into()));
        let config = toml::from_str("listen = \"127.0.0.1:0\"").unwrap();
        let sessions = Sessions::new(&config, clock.clone(), Arc::new(SystemRandom::new()));
        (sessions, clock)
    }

    fn begin(sessions: &Sessions, id: &str) -> (Session, Secret) {
        sessions.begin(&person(id), HERE, "curl", None).unwrap()
    }

    #[test]
    fn a_session_ends_by_idleness_and_in_any_case() {
        let (sessions, clock) = sessions();
        let (session, secret) = begin(&sessions, "a");
        clock.0.fetch_add(29 * MINUTE_MS, Ordering::Relaxed);
        assert_eq!(sessions.find(&secret).unwrap().seen_ms, NOW_MS + 29 * MINUTE_MS);
        clock.0.fetch_add(30 * MINUTE_MS, Ordering::Relaxed);
        assert!(!sessions.is_open(&session.id));
        assert_eq!(sessions.find(&secret), None);
        assert!(sessions.all().is_empty());

        let (session, secret) = begin(&sessions, "a");
        for _ in 0..12 * 60 / 20 - 1 {
            clock.0.fetch_add(20 * MINUTE_MS, Ordering::Relaxed);
            assert!(sessions.find(&secret).is_some());
        }
        assert!(sessions.is_open(&session.id));
        clock.0.fetch_add(20 * MINUTE_MS, Ordering::Relaxed);
        assert_eq!(sessions.find(&secret), None, "twelve hours are over");
    }

    #[test]
    fn what_a_page_asks_by_itself_keeps_no_session_alive() {
        let (sessions, clock) = sessions();
        let (session, secret) = begin(&sessions, "a");
        clock.0.fetch_add(29 * MINUTE_MS, Ordering::Relaxed);
        assert_eq!(sessions.peek(&secret), Some(session));
        clock.0.fetch_add(MINUTE_MS, Ordering::Relaxed);
        assert_eq!(sessions.peek(&secret), None);
    }

    #[test]
    fn what_ran_out_is_told_once() {
        let (sessions, clock) = sessions();
        let (session, secret) = begin(&sessions, "a");
        assert!(sessions.sweep().is_empty());
        clock.0.fetch_add(30 * MINUTE_MS, Ordering::Relaxed);
        let (other, _) = begin(&sessions, "a");
        assert_eq!(sessions.find(&secret), None);
        assert_eq!(sessions.sweep(), [session]);
        assert!(sessions.sweep().is_empty() && sessions.is_open(&other.id));
    }

    #[test]
    fn a_clock_put_back_makes_no_session_immortal() {
        let (sessions, clock) = sessions();
        let (_, secret) = begin(&sessions, "a");
        clock.0.fetch_sub(365 * 24 * 60 * MINUTE_MS, Ordering::Relaxed);
        assert_eq!(sessions.find(&secret), None);
    }

    #[test]
    fn each_sign_in_has_a_secret_of_its_own_and_ends_the_one_before() {
        let (sessions, _) = sessions();
        let (first, planted) = begin(&sessions, "a");
        let (second, secret) = sessions
            .begin(&person("b"), HERE, "curl", Some(&planted))
            .unwrap();
        assert_ne!((&first.id, planted.digest()), (&second.id, secret.digest()));
        assert_eq!(sessions.find(&planted), None);
        assert_eq!(sessions.find(&secret).unwrap().person, "b");
        let renewed = sessions.renew(&secret).unwrap().unwrap();
        assert_eq!(sessions.find(&secret), None);
        assert_eq!(sessions.find(&renewed).unwrap().id, second.id);
        assert!(sessions.renew(&secret).unwrap().is_none());
    }

    #[test]
    fn ending_one_or_a_person_leaves_the_others() {
        let (sessions, _) = sessions();
        let (one, secret) = begin(&sessions, "a");
        let (two, _) = begin(&sessions, "a");
        let (other, kept) = begin(&sessions, "b");
        let ids = |found: Vec<Session>| found.into_iter().map(|session| session.id).collect::<Vec<_>>();
        assert_eq!(ids(sessions.list("a")).len(), 2);
        assert!(sessions.end(&one.id));
        assert!(!sessions.end(&one.id));
        assert_eq!(sessions.find(&secret), None);
        assert_eq!(ids(sessions.list("a")), [two.id.as_str()]);
        assert_eq!(ids(sessions.end_person("a")), [two.id]);
        assert_eq!(ids(sessions.all()), [other.id]);
        assert!(sessions.find(&kept).is_some());
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let (sessions, clock) = sessions();
        let (_, oldest) = begin(&sessions, "a");
        let (_, other) = begin(&sessions, "b");
        for _ in 0..MAX_SESSIONS_PER_PERSON {
            clock.0.fetch_add(1, Ordering::Relaxed);
            begin(&sessions, "a");
        }
        assert_eq!(sessions.list("a").len(), MAX_SESSIONS_PER_PERSON);
        assert_eq!(sessions.find(&oldest), None, "the one seen longest ago ended");
        assert!(sessions.find(&other).is_some(), "nobody else's did");
        let mut kept = HashMap::new();
        for n in 0..10_u8 {
            let (mut session, _) = begin(&sessions, "c");
            session.seen_ms = i64::from(n);
            kept.insert(
                [n; 32],
                Kept {
                    session,
                    flashes: Vec::new(),
                },
            );
        }
        let ended = make_room(&mut kept, 4, |_| true);
        assert_eq!(ended.len(), 7);
        let mut left: Vec<u8> = kept.keys().map(|digest| digest[0]).collect();
        left.sort_unstable();
        assert_eq!(left, [7, 8, 9], "room for a fourth");
    }

    #[test]
    fn what_a_browser_says_is_bounded_and_messages_are_taken_once() {
        let (sessions, _) = sessions();
        let agent = format!("a\r\nb{}", "x".repeat(5_000));
        let (session, secret) = sessions.begin(&person("a"), HERE, &agent, None).unwrap();
        assert_eq!(session.agent.chars().count(), MAX_AGENT_CHARS);
        assert!(session.agent.starts_with("abx"));
        for n in 0..10 {
            let words = Words::new(n.to_string(), n.to_string());
            sessions.flash(
                &session.id,
                Flash {
                    kind: FlashKind::Note,
                    words,
                },
            );
        }
        let taken = sessions.take_flashes(&session.id);
        assert_eq!(taken.len(), MAX_FLASHES);
        assert_eq!(taken[0].words, Words::new("6", "6"));
        assert!(sessions.take_flashes(&session.id).is_empty());
        assert!(sessions.find(&secret).is_some());
    }
}
