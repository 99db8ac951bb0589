//! Readings that are open now, so that they can be ended at once: a grant revoked, a person disabled, a session over.
//!
//! Invariants: a reading that was ended gives no further byte; each has exactly one `access.read_ended`, unless the server
//! dies first; how many are open is bounded.

use super::{
    content::{Content, ContentError},
    ended::Ended,
    reading::{Channel, Opened, closed},
    refusal::{AccessError, Refusal},
    stretches::Stretches,
};
use crate::{
    custody::sequencer::{Custody, Proposed},
    domain::{
        event::{Draft, Kind},
        id::new_id,
        time::Clock,
    },
};
use ring::rand::SecureRandom;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

/// Readings open at one time, over all people.
pub const MAX_READINGS: usize = 4_096;
/// Readings open at one time for one holder (a session, a connection).
pub const MAX_READINGS_PER_HOLDER: usize = 64;
/// Ends that may wait for their commit before whoever ends a reading waits.
const QUEUE_LIMIT: usize = 1_024;
/// Readings that are over and still can be asked why.
const FATES: usize = 4_096;
/// Seconds watched that are believed at the most.
const MAX_WATCHED_S: u64 = 7 * 24 * 3_600;

/// One reading. Dropping the last handle ends it.
pub struct Reading {
    opened: Opened,
    content: Mutex<Content>,
    stretches: Mutex<Stretches>,
    size_bytes: u64,
    ended: AtomicBool,
    why: OnceLock<Ended>,
    last_ms: AtomicI64,
    watched_s: Mutex<u64>,
    clock: Arc<dyn Clock>,
    notes: SyncSender<Note>,
}

/// What the recording thread is told.
enum Note {
    Ended(Box<End>),
    Stop,
}

/// What is committed when a reading ends.
struct End {
    opened: Opened,
    why: Ended,
    stretches: Stretches,
    watched_s: u64,
}

/// What became of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Open,
    /// It is over, and why.
    Ended(Ended),
}

impl Reading {
    /// What it is a reading of, by whom, under which grant.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Length of the plaintext in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Fills `buf` from `offset` on; fewer bytes than asked for only at the end. Blocks for disk and decrypting.
    ///
    /// # Errors
    /// When it was ended or has expired, the key was locked, or a chunk isn't what was sealed; `buf` holds no plaintext then.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, AccessError> {
        self.check()?;
        let read = self
            .content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read_at(offset, buf);
        let read = match read {
            Ok(read) => read,
            Err(ContentError::Closed(why)) => {
                self.end_as(Ended::Locked);
                return Err(closed(why).into());
            }
            Err(error) => {
                // Counted as read up to here; what isn't what was sealed is nobody's to see.
                tracing::error!(%error, evidence = self.opened.evidence, version = self.opened.version, "a reading ended at damage");
                let what = error.to_string();
                self.end_as(Ended::Damaged(what.clone()));
                return Err(AccessError::Damaged { what });
            }
        };
        let mut stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
        // Ended while it was decrypted: these bytes don't leave either. Under the lock, so that what leaves is counted in the end.
        if self.has_ended() {
            drop(stretches);
            buf.fill(0);
            return Err(self.over());
        }
        stretches.add(offset, read as u64);
        self.last_ms.store(self.clock.now_ms(), Ordering::Relaxed);
        Ok(read)
    }

    fn check(&self) -> Result<(), AccessError> {
        if self.has_ended() {
            return Err(self.over());
        }
        Ok(())
    }

    /// Why it gives nothing any more. What ended by itself has expired.
    fn over(&self) -> AccessError {
        self.end_as(Ended::Expired);
        match self.why.get() {
            Some(Ended::Locked) => Refusal::Locked.into(),
            Some(Ended::Damaged(what)) => AccessError::Damaged { what: what.clone() },
            _ => Refusal::GrantEnded.into(),
        }
    }

    /// Takes a player's word for how long it played, the longest so far.
    pub fn watched(&self, seconds: u64) {
        let mut watched = self.watched_s.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = (*watched).max(seconds.min(MAX_WATCHED_S));
        self.last_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// Whether it gives no further byte. Never blocks.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.clock.now_ms() >= self.opened.expires_ms
    }

    /// What became of it.
    pub fn fate(&self) -> Fate {
        match self.why.get() {
            Some(why) => Fate::Ended(why.clone()),
            None if self.has_ended() => Fate::Ended(Ended::Expired),
            None => Fate::Open,
        }
    }

    /// Whoever read closes it: no further byte leaves, and the end goes on record.
    pub fn end(&self) {
        self.end_as(Ended::Closed);
    }

    /// Ends it. The first reason stays.
    fn end_as(&self, why: Ended) {
        let first = self.why.set(why.clone()).is_ok();
        self.ended.store(true, Ordering::Release);
        if !first {
            return;
        }
        let end = End {
            opened: self.opened.clone(),
            why,
            stretches: self
                .stretches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            watched_s: *self.watched_s.lock().unwrap_or_else(PoisonError::into_inner),
        };
        // After a stop nobody listens: a reading that outlives the server's stop stays without its end.
        let _ = self.notes.send(Note::Ended(Box::new(end)));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.end();
    }
}

/// Which readings somebody means to end.
type Meant<'a> = &'a dyn Fn(&Opened) -> bool;

/// All readings that are open.
pub struct LiveReads {
    open: Arc<Mutex<HashMap<String, Arc<Reading>>>>,
    /// Those that are over, the newest last: id, holder, why.
    over: Mutex<VecDeque<(String, String, Ended)>>,
    notes: SyncSender<Note>,
    recorder: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
}

impl LiveReads {
    /// None yet; a thread of its own commits the ends.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(
        custody: Custody,
        clock: Arc<dyn Clock>,
        random: Arc<dyn SecureRandom + Send + Sync>,
    ) -> std::io::Result<Self> {
        let (notes, inbox) = sync_channel(QUEUE_LIMIT);
        let recorder_clock = clock.clone();
        let recorder = std::thread::Builder::new()
            .name("readings".to_owned())
            .spawn(move || {
                for note in inbox {
                    let Note::Ended(end) = note else { return };
                    let id = new_id(random.as_ref(), recorder_clock.now_ms());
                    let Ok(id) = id else { continue };
                    let read = end.opened.id.clone();
                    let draft = draft(id, *end);
                    let committed = custody.commit(move |_| Ok(Proposed { draft, place: None }));
                    if let Err(error) = committed {
                        tracing::error!(%error, read, "the end of a reading couldn't be put on record");
                    }
                }
            })?;
        Ok(LiveReads {
            open: Arc::default(),
            over: Mutex::default(),
            notes,
            recorder: Mutex::new(Some(recorder)),
            clock,
        })
    }

    /// Takes a reading in. It ends when it is dropped from here and everywhere else.
    pub(super) fn add(&self, opened: Opened, content: Content) -> Arc<Reading> {
        let reading = Arc::new(Reading {
            size_bytes: content.size_bytes(),
            content: Mutex::new(content),
            stretches: Mutex::default(),
            ended: AtomicBool::new(false),
            why: OnceLock::new(),
            last_ms: AtomicI64::new(self.clock.now_ms()),
            watched_s: Mutex::new(0),
            clock: self.clock.clone(),
            notes: self.notes.clone(),
            opened,
        });
        self.lock().insert(reading.opened.id.clone(), reading.clone());
        reading
    }

    /// Whether a holder may open another one.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub(super) fn room_for(&self, holder: &str) -> Result<(), Refusal> {
        let open = self.lock();
        let held = open
            .values()
            .filter(|reading| reading.opened.holder == holder && !reading.has_ended())
            .count();
        if open.len() >= MAX_READINGS || held >= MAX_READINGS_PER_HOLDER {
            return Err(Refusal::TooMany);
        }
        Ok(())
    }

    /// A reading by its id, for the holder it was opened for and nobody else.
    pub fn find(&self, id: &str, holder: &str) -> Option<Arc<Reading>> {
        self.lock()
            .get(id)
            .filter(|reading| reading.opened.holder == holder)
            .cloned()
    }

    /// What became of a reading, for the holder it was opened for and nobody else; `None` also when that was long ago.
    pub fn fate(&self, id: &str, holder: &str) -> Option<Fate> {
        if let Some(reading) = self.find(id, holder) {
            return Some(reading.fate());
        }
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let known = over
            .iter()
            .rev()
            .find(|(known, of, _)| known == id && of == holder);
        known.map(|(_, _, why)| Fate::Ended(why.clone()))
    }

    /// What is open now, oldest first.
    pub fn list(&self) -> Vec<Opened> {
        let mut open: Vec<Opened> = self
            .lock()
            .values()
            .map(|reading| reading.opened.clone())
            .collect();
        open.sort_by(|one, other| one.id.cmp(&other.id));
        open
    }

    /// Ends one reading, as its holder does.
    pub fn end(&self, id: &str) {
        self.end_where(&|opened| opened.id == id, &Ended::Closed);
    }

    /// Ends one reading on an administrator's word, by whose id; says whether it was open.
    pub fn end_by(&self, id: &str, administrator: &str) -> bool {
        let is_open = self.lock().contains_key(id);
        self.end_where(
            &|opened| opened.id == id,
            &Ended::Administrator(administrator.to_owned()),
        );
        is_open
    }

    /// Ends what is read under a grant.
    pub fn end_grant(&self, grant: &str) {
        self.end_where(&|opened| opened.grant == grant, &Ended::Revoked);
    }

    /// Ends what a person reads.
    pub fn end_person(&self, person: &str) {
        self.end_where(&|opened| opened.person == person, &Ended::Withdrawn);
    }

    /// Ends what a session or connection holds.
    pub fn end_holder(&self, holder: &str) {
        self.end_where(&|opened| opened.holder == holder, &Ended::Holder);
    }

    /// Ends everything, because the key is locked.
    pub fn end_all(&self) {
        self.end_where(&|_| true, &Ended::Locked);
    }

    /// Ends what has expired, and what nothing was read of for a while where nothing else says that it is done with: a page
    /// that was closed. A file over SFTP is closed by its client, or with its connection.
    pub fn sweep(&self, idle_ms: i64) {
        let now_ms = self.clock.now_ms();
        let gone: Vec<Arc<Reading>> = {
            let mut open = self.lock();
            let over = |reading: &Reading| {
                let idle = now_ms - reading.last_ms.load(Ordering::Relaxed) >= idle_ms;
                reading.has_ended() || (idle && reading.opened.channel != Channel::Sftp)
            };
            open.extract_if(|_, reading| over(reading))
                .map(|(_, reading)| reading)
                .collect()
        };
        for reading in gone {
            let why = if now_ms >= reading.opened.expires_ms {
                Ended::Expired
            } else {
                Ended::Idle
            };
            self.finish(&reading, why);
        }
    }

    /// The server stops: what is open ends, and the ends are committed when this returns.
    pub fn stop(&self) {
        self.end_where(&|_| true, &Ended::Stopped);
        let recorder = self
            .recorder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(recorder) = recorder {
            let _ = self.notes.send(Note::Stop);
            let _ = recorder.join();
        }
    }

    fn end_where(&self, meant: Meant<'_>, why: &Ended) {
        let gone: Vec<Arc<Reading>> = {
            let mut open = self.lock();
            open.extract_if(|_, reading| meant(&reading.opened))
                .map(|(_, reading)| reading)
                .collect()
        };
        // Outside the lock: the end may wait for its place in the queue.
        for reading in gone {
            self.finish(&reading, why.clone());
        }
    }

    /// Ends a reading that was taken out of the list, and remembers why.
    fn finish(&self, reading: &Reading, why: Ended) {
        reading.end_as(why.clone());
        let why = reading.why.get().cloned().unwrap_or(why);
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if over.len() >= FATES {
            over.pop_front();
        }
        over.push_back((reading.opened.id.clone(), reading.opened.holder.clone(), why));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Reading>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveReads {
    fn drop(&mut self) {
        self.stop();
    }
}

fn draft(id: String, end: End) -> Draft {
    let actor = match &end.why {
        Ended::Administrator(id) => id.as_str(),
        _ => end.opened.person.as_str(),
    };
    let draft = Draft::new(Kind::AccessReadEnded, id, actor)
        .fact("read", end.opened.id)
        .fact("evidence", end.opened.evidence)
        .fact("version", end.opened.version)
        .fact("why", end.why.id())
        .fact("bytes", end.stretches.bytes())
        .fact("ranges", end.stretches.count())
        .fact("stretches", end.stretches.texts());
    if end.watched_s > 0 {
        draft.fact("watched_s", end.watched_s)
    } else {
        draft
    }
}
