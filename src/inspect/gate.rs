//! The gate: every upload is looked at before its receipt, by a few threads, while its client waits for a while.
//!
//! ```text
//! judge ─ Gate::look ─▶ queue ─▶ thread ─▶ Inspector (a worker process) ─▶ Seen
//!            │ waits at most `patience`                                     │
//!            └─ in time: the answer      too late: handed to the finisher ◀─┘
//! ```
//!
//! An inspection that outlasts its client's patience goes on; whoever holds the [`Late`] end settles it then. Small files
//! go first, and one thread takes nothing but small ones, so that pages never wait behind a row of long videos. It must
//! never decide anything: that is `policy`'s and the judge's business.
//!
//! Invariant: an upload is in the gate at most once, and every look ends in exactly one place.

use super::{report::Report, wire::Source};
use crate::turns;
use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Files from this size on are long to look at, bytes.
const LONG_BYTES: u64 = 32 << 20;

/// What came of looking at a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Facts.
    Report(Box<Report>),
    /// No worker could look at it, twice: it crashed, hung or overran. For an engineer: how.
    Failed(String),
    /// The malware scanner knows it. For an engineer: the signature's name.
    Malware(String),
    /// Facts, but it is beyond a limit of the malware scanner.
    NotScanned(Box<Report>),
}

/// Why nobody could look. Not the file's fault: it waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The malware scanner is away.
    #[error("the malware scanner: {0}")]
    Scanner(String),
    /// The host can't start a worker, or the body can't be read.
    #[error("the inspector: {0}")]
    Inspector(String),
}

/// Looks at a file. The port of everything that inspects before the receipt.
pub trait Inspector: Send + Sync {
    /// Looks at content of `size_bytes` under an extension (lower case, without the dot).
    ///
    /// # Errors
    /// When nobody can look now.
    fn inspect(&self, source: &mut dyn Source, size_bytes: u64, ext: &str) -> Result<Seen, Unavailable>;

    /// Does ahead what can be done before the next file is known. Called by each thread that looks, before its first look and after each,
    /// when nobody waits for it.
    fn prepare(&self) {}
}

/// Opens the content of an upload, in the thread that looks at it.
pub type Open = Box<dyn FnOnce() -> io::Result<Box<dyn Source>> + Send>;

/// An answer.
pub type Looked = Result<Seen, Unavailable>;

/// A file to be looked at.
pub struct Subject {
    /// Its accession's id.
    pub id: String,
    /// Whose it is: person and inbox path.
    pub place: (String, String),
    /// Extension, lower case, without the dot.
    pub ext: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Its content.
    pub open: Open,
}

/// What [`Gate::look`] ends in.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Looked at in time.
    Done(Looked),
    /// It goes on; [`Late`] will tell.
    GoesOn,
}

/// An answer that came after its client's patience.
#[derive(Debug, PartialEq, Eq)]
pub struct LateAnswer {
    /// Its accession's id.
    pub id: String,
    /// Whose it was when it was let in: person and inbox path.
    pub place: (String, String),
    /// The answer.
    pub looked: Looked,
}

/// Answers that came too late for their clients. Ends when the gate is gone.
pub struct Late(Receiver<LateAnswer>);

impl Iterator for Late {
    type Item = LateAnswer;
    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

enum State {
    Pending,
    Done(Looked),
    Abandoned,
}

#[derive(Default)]
struct Queue {
    short: VecDeque<Subject>,
    long: VecDeque<Subject>,
    states: HashMap<String, State>,
    stopped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something to do, or the end: threads wait for it.
    work: Condvar,
    /// An answer: clients wait for it.
    done: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gate of one server.
pub struct Gate {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Gate {
    /// Starts `workers` threads (at least one).
    ///
    /// # Errors
    /// When the system has no threads.
    pub fn start(inspector: Arc<dyn Inspector>, workers: usize) -> io::Result<(Self, Late)> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let (late, receiver) = channel();
        let threads = (0..workers.max(1))
            .map(|number| {
                let takes_long = number > 0 || workers <= 1;
                let (shared, inspector, late) = (shared.clone(), inspector.clone(), late.clone());
                thread::Builder::new()
                    .name("gate".to_owned())
                    .spawn(move || work(&shared, inspector.as_ref(), &late, takes_long))
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok((Gate { shared, threads }, Late(receiver)))
    }

    /// Has a file looked at, does something else meanwhile, and waits for the answer as long as `patience`. A file that is in the gate
    /// already goes on, and nothing is done.
    pub fn look(&self, subject: Subject, patience: Duration, meanwhile: impl FnOnce()) -> Look {
        let id = subject.id.clone();
        let deadline = Instant::now() + patience;
        let mut queue = self.shared.lock();
        if queue.stopped || queue.states.contains_key(&id) {
            return Look::GoesOn;
        }
        queue.states.insert(id.clone(), State::Pending);
        if subject.size_bytes < LONG_BYTES {
            queue.short.push_back(subject);
        } else {
            queue.long.push_back(subject);
        }
        self.shared.work.notify_all();
        drop(queue);
        meanwhile();
        let mut queue = self.shared.lock();
        loop {
            if let Some(State::Done(_)) = queue.states.get(&id) {
                let Some(State::Done(looked)) = queue.states.remove(&id) else {
                    return Look::GoesOn;
                };
                return Look::Done(looked);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || queue.stopped {
                queue.states.insert(id, State::Abandoned);
                return Look::GoesOn;
            }
            queue = self
                .shared
                .done
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Whether a file is in the gate.
    pub fn holds(&self, id: &str) -> bool {
        self.shared.lock().states.contains_key(id)
    }

    /// Lets nothing more in; what waits is dropped (it is looked at again after the next start), what runs is cut
    /// short at its next read.
    pub fn stop(&self) {
        let mut queue = self.shared.lock();
        queue.stopped = true;
        queue.short.clear();
        queue.long.clear();
        self.shared.work.notify_all();
        self.shared.done.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, inspector: &dyn Inspector, late: &Sender<LateAnswer>, takes_long: bool) {
    // It passes bytes on to a worker and waits for what that asks next.
    let _turns = turns::short();
    inspector.prepare();
    while let Some(subject) = next(shared, takes_long) {
        let Subject {
            id,
            place,
            ext,
            size_bytes,
            open,
        } = subject;
        let looked = match open() {
            Ok(source) => inspector.inspect(&mut UntilStop { source, shared }, size_bytes, &ext),
            Err(error) => Err(Unavailable::Inspector(error.to_string())),
        };
        let mut queue = shared.lock();
        match queue.states.remove(&id) {
            // Cut short by the stop: the next start looks again.
            _ if queue.stopped && looked.is_err() => {}
            Some(State::Pending) => {
                queue.states.insert(id, State::Done(looked));
                shared.done.notify_all();
            }
            _ => {
                // The finisher may be gone at the end of the server; the next start looks again.
                let _ = late.send(LateAnswer { id, place, looked });
            }
        }
        drop(queue);
        inspector.prepare();
    }
}

/// Content that can't be read any more once the gate is stopped, which ends the worker that asks for it.
struct UntilStop<'a> {
    source: Box<dyn Source>,
    shared: &'a Shared,
}

impl Read for UntilStop<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.shared.lock().stopped {
            return Err(io::Error::other("the server is stopping"));
        }
        self.source.read(buffer)
    }
}

impl Seek for UntilStop<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

fn next(shared: &Shared, takes_long: bool) -> Option<Subject> {
    let mut queue = shared.lock();
    loop {
        if queue.stopped {
            return None;
        }
        if let Some(subject) = queue.short.pop_front() {
            return Some(subject);
        }
        if takes_long && let Some(subject) = queue.long.pop_front() {
            return Some(subject);
        }
        queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Answers when it is told to.
    struct Held(Mutex<Receiver<Looked>>);

    impl Inspector for Held {
        fn inspect(&self, _: &mut dyn Source, _: u64, _: &str) -> Looked {
            self.0.lock().unwrap().recv().unwrap()
        }
    }

    fn subject(id: &str) -> Subject {
        Subject {
            id: id.to_owned(),
            place: ("p".to_owned(), "a.mp4".to_owned()),
            ext: "mp4".to_owned(),
            size_bytes: 1,
            open: Box::new(|| Ok(Box::new(Cursor::new(vec![0])))),
        }
    }

    fn held() -> (Sender<Looked>, Gate, Late) {
        let (answer, receiver) = channel();
        let (gate, late) = Gate::start(Arc::new(Held(Mutex::new(receiver))), 1).unwrap();
        (answer, gate, late)
    }

    fn failed(text: &str) -> Looked {
        Ok(Seen::Failed(text.to_owned()))
    }

    #[test]
    fn in_time_the_client_has_it_too_late_the_finisher() {
        let (answer, gate, mut late) = held();
        answer.send(failed("a")).unwrap();
        assert_eq!(
            gate.look(subject("1"), Duration::from_secs(60), || ()),
            Look::Done(failed("a"))
        );
        assert!(!gate.holds("1"));
        assert_eq!(gate.look(subject("2"), Duration::ZERO, || ()), Look::GoesOn);
        assert!(gate.holds("2"));
        assert_eq!(
            gate.look(subject("2"), Duration::from_secs(60), || ()),
            Look::GoesOn,
            "once is enough"
        );
        answer.send(failed("b")).unwrap();
        let expected = LateAnswer {
            id: "2".to_owned(),
            place: subject("2").place,
            looked: failed("b"),
        };
        assert_eq!(late.next(), Some(expected));
        assert!(!gate.holds("2"));
    }

    #[test]
    fn something_else_is_done_while_it_is_looked_at_and_once() {
        let (answer, gate, _late) = held();
        let meanwhile = || answer.send(failed("a")).unwrap();
        assert_eq!(
            gate.look(subject("1"), Duration::from_secs(60), meanwhile),
            Look::Done(failed("a"))
        );
        assert_eq!(gate.look(subject("2"), Duration::ZERO, || ()), Look::GoesOn);
        let again = gate.look(subject("2"), Duration::ZERO, || unreachable!());
        assert_eq!(again, Look::GoesOn);
        answer.send(failed("b")).unwrap();
    }

    /// Long files take until they are let go, small ones no time.
    struct LongTakesLong(Mutex<Receiver<()>>);

    impl Inspector for LongTakesLong {
        fn inspect(&self, _: &mut dyn Source, size_bytes: u64, _: &str) -> Looked {
            if size_bytes >= LONG_BYTES {
                // The end of the test lets all go.
                let _ = self.0.lock().unwrap().recv();
            }
            failed("seen")
        }
    }

    #[test]
    fn small_files_pass_long_ones() {
        let (let_go, receiver) = channel::<()>();
        let (gate, late) = Gate::start(Arc::new(LongTakesLong(Mutex::new(receiver))), 2).unwrap();
        for id in ["1", "2", "3"] {
            let long = Subject {
                size_bytes: LONG_BYTES,
                ..subject(id)
            };
            assert_eq!(gate.look(long, Duration::ZERO, || ()), Look::GoesOn);
        }
        let small = gate.look(subject("4"), Duration::from_secs(60), || ());
        drop(let_go);
        assert_eq!(small, Look::Done(failed("seen")));
        let ids: Vec<String> = late.take(3).map(|answer| answer.id).collect();
        assert_eq!(ids, ["1", "2", "3"]);
    }

    #[test]
    fn a_body_that_cannot_be_opened_is_nobodys_fault() {
        let (_answer, gate, _late) = held();
        let broken = Subject {
            open: Box::new(|| Err(io::Error::other("gone"))),
            ..subject("1")
        };
        let looked = gate.look(broken, Duration::from_secs(60), || ());
        assert_eq!(looked, Look::Done(Err(Unavailable::Inspector("gone".to_owned()))));
    }

    #[test]
    fn a_stopped_gate_drops_what_waits_and_ends() {
        let (answer, gate, late) = held();
        assert_eq!(gate.look(subject("1"), Duration::ZERO, || ()), Look::GoesOn);
        assert_eq!(gate.look(subject("2"), Duration::ZERO, || ()), Look::GoesOn);
        answer.send(failed("a")).unwrap();
        gate.stop();
        // Before the gate, whose end waits for what runs.
        drop(answer);
        drop(gate);
        assert!(late.count() <= 1, "the one that ran, if it had begun");
    }
}
