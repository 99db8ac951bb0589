//! What front, worker and outbox share: the queue of requests, the replies, and who may write.
//!
//! Invariant: at most one worker runs at a time, and none when there is nothing it may do.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::worker::Worker;
use super::workers::{Segments, Workers};
use crate::sftp::codec::Handle;
use crate::sftp::limits::{OUTBOX_BYTES, QUEUE_BYTES, QUEUE_BYTES_HARD, REQUEST_COST_BYTES, SEGMENT_BYTES};
use crate::sftp::space::{FileSpace, SpaceError};

/// Small replies travel together up to this size in bytes: joining them costs a copy.
const BATCH_BYTES: usize = 16 * 1024;
/// Answers to READs that wait in a row are made in one buffer, up to this size in bytes.
const READ_BATCH_BYTES: usize = 128 * 1024;

/// One thing for the worker to do.
#[derive(Debug)]
pub(super) enum Job {
    /// The commonest request, kept small: a client may send very many at once.
    Read {
        id: u32,
        handle: Handle,
        offset: u64,
        length: u32,
    },
    /// A run of bytes whose WRITEs are already acknowledged.
    Write {
        handle: Handle,
        offset: u64,
        bytes: Vec<u8>,
    },
    /// Any other request, well-formed.
    Packet(Box<[u8]>),
    /// The last one: drop files and space.
    End,
}

impl Job {
    fn cost(&self) -> usize {
        REQUEST_COST_BYTES
            + match self {
                Job::Write { bytes, .. } => bytes.len(),
                Job::Packet(packet) => packet.len(),
                Job::Read { .. } | Job::End => 0,
            }
    }

    /// Whether it brings about a reply.
    fn answers(&self) -> bool {
        matches!(self, Job::Read { .. } | Job::Packet(_))
    }
}

/// What the front has to know of a file open for writing.
#[derive(Debug, Default)]
pub(super) struct Writable {
    /// Writes go to the end whatever offset they name.
    pub(super) append: bool,
    /// The first failure; every later WRITE and the CLOSE are answered with it.
    pub(super) failure: OnceLock<SpaceError>,
}

/// A job in the worker's hands.
struct Taken {
    job: Job,
    /// Whether it is to be executed.
    wanted: bool,
    /// It is a READ, and another one is next: their answers can travel together.
    reads_follow: bool,
}

/// Why a job wasn't taken.
pub(super) enum Refused {
    /// Wait for room, or see to the replies.
    NoRoom(Job),
    /// The peer asks without end and takes no answer.
    Flood,
    /// The worker is no more.
    Ended,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    queued_bytes: usize,
    running: bool,
    outbox: VecDeque<Vec<u8>>,
    outbox_bytes: usize,
    writable: HashMap<Handle, Arc<Writable>>,
    open_handles: usize,
    /// Nobody takes replies any more.
    muted: bool,
    /// The person lost access: only acknowledged bytes are still carried to their files.
    revoked: bool,
    /// The worker has ended; nothing will come.
    ended: bool,
}

impl State {
    fn outbox_is_full(&self) -> bool {
        self.outbox_bytes >= OUTBOX_BYTES && !self.muted
    }

    fn runnable(&self) -> bool {
        self.queue
            .front()
            .is_some_and(|job| !job.answers() || !self.outbox_is_full())
    }
}

pub(super) struct Shared {
    state: Mutex<State>,
    worker: Mutex<Worker>,
    workers: Workers,
    /// For the front: the queue got shorter, or the outbox got full.
    room: Notify,
    /// For the outbox: there is something, or the end.
    output: Notify,
}

impl Shared {
    pub(super) fn new(space: Box<dyn FileSpace>, workers: Workers) -> Arc<Shared> {
        Arc::new(Shared {
            state: Mutex::default(),
            worker: Mutex::new(Worker::new(space)),
            workers,
            room: Notify::new(),
            output: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job. `peer_is_deaf`: the peer's window is closed, so that replies can't get away.
    pub(super) fn offer(self: &Arc<Self>, job: Job, peer_is_deaf: bool) -> Result<(), Refused> {
        let mut state = self.state();
        if state.ended {
            return Err(Refused::Ended);
        }
        let cost = job.cost();
        if !state.queue.is_empty() && state.queued_bytes + cost > QUEUE_BYTES {
            if !(peer_is_deaf && state.outbox_is_full()) {
                return Err(Refused::NoRoom(job));
            }
            if state.queued_bytes + cost > QUEUE_BYTES_HARD {
                return Err(Refused::Flood);
            }
        }
        self.queue(&mut state, job, cost);
        Ok(())
    }

    /// Queues a job whatever the limits: for the few that end a channel.
    pub(super) fn insist(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        if !state.ended {
            let cost = job.cost();
            self.queue(&mut state, job, cost);
        }
    }

    fn queue(self: &Arc<Self>, state: &mut State, job: Job, cost: usize) {
        state.queue.push_back(job);
        state.queued_bytes += cost;
        self.kick(state);
    }

    /// Starts the worker if there is something it may do.
    fn kick(self: &Arc<Self>, state: &mut State) {
        if !state.running && !state.ended && state.runnable() {
            state.running = true;
            let shared = self.clone();
            self.workers.run(move || shared.drain());
        }
    }

    /// The worker's thread: executes until there is nothing it may do.
    fn drain(self: Arc<Self>) {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut reply = Vec::new();
            while let Some(Taken {
                job,
                wanted,
                reads_follow,
            }) = self.take_job(reply.len())
            {
                if matches!(job, Job::End) {
                    worker.end();
                    return self.finish();
                }
                if reads_follow && reply.capacity() == 0 {
                    reply = self.segments().take();
                }
                if wanted {
                    worker.execute(job, &self, &mut reply);
                }
                if !reads_follow || reply.len() >= READ_BATCH_BYTES {
                    self.push_output(std::mem::take(&mut reply));
                }
            }
        }));
        if outcome.is_err() {
            tracing::error!("a defect in the file space ended an SFTP channel");
            let _ = catch_unwind(AssertUnwindSafe(|| worker.end()));
            self.finish();
        }
    }

    /// The next job; `None` stops the worker. `unsent` bytes of replies are in its hands.
    fn take_job(&self, unsent: usize) -> Option<Taken> {
        let mut state = self.state();
        let job = if state.runnable() {
            state.queue.pop_front()
        } else {
            None
        };
        let Some(job) = job else {
            state.running = false;
            self.room.notify_one();
            return None;
        };
        state.queued_bytes -= job.cost();
        if state.queue.is_empty() {
            // A burst shouldn't hold its memory for the life of the channel.
            state.queue.shrink_to(64);
        }
        self.room.notify_one();
        let wanted = match job {
            Job::Write { .. } | Job::End => true,
            Job::Read { .. } => !state.muted && !state.revoked,
            Job::Packet(_) => !state.revoked,
        };
        let reads_follow = matches!(
            (&job, state.queue.front()),
            (Job::Read { .. }, Some(Job::Read { .. }))
        );
        // What is in the worker's hands is sent before it stops for a full outbox.
        let reads_follow = reads_follow && state.outbox_bytes + unsent < OUTBOX_BYTES && !state.muted;
        Some(Taken {
            job,
            wanted,
            reads_follow,
        })
    }

    /// Memory for runs of bytes in either direction.
    pub(super) fn segments(&self) -> &Segments {
        self.workers.segments()
    }

    fn push_output(&self, reply: Vec<u8>) {
        if reply.is_empty() {
            return;
        }
        // What waits for a slow peer shouldn't hold many times its own memory.
        let reply = if reply.capacity() == SEGMENT_BYTES && reply.len() < SEGMENT_BYTES / 4 {
            let small = reply.as_slice().into();
            self.segments().keep(reply);
            small
        } else {
            reply
        };
        let mut state = self.state();
        if state.muted {
            return;
        }
        state.outbox_bytes += reply.len();
        match state.outbox.back_mut() {
            Some(last) if last.len() + reply.len() <= BATCH_BYTES => last.extend_from_slice(&reply),
            _ => state.outbox.push_back(reply),
        }
        self.output.notify_one();
    }

    fn finish(&self) {
        let mut state = self.state();
        state.queue = VecDeque::new();
        state.queued_bytes = 0;
        state.writable = HashMap::new();
        state.open_handles = 0;
        state.running = false;
        state.ended = true;
        self.room.notify_one();
        self.output.notify_one();
    }

    /// The next batch of replies: whole packets. Lets the worker go on.
    pub(super) fn take_output(self: &Arc<Self>) -> Option<Bytes> {
        let mut state = self.state();
        let batch = state.outbox.pop_front()?;
        state.outbox_bytes -= batch.len();
        self.kick(&mut state);
        Some(self.segments().sent(batch))
    }

    /// Ends when the queue got shorter or the outbox needs seeing to.
    pub(super) async fn room(&self) {
        self.room.notified().await;
    }

    /// Ends when there is output, or the end.
    pub(super) async fn output(&self) {
        self.output.notified().await;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().ended
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        let at_rest = state.queue.is_empty() && !state.running && state.outbox.is_empty();
        state.ended || at_rest && state.open_handles == 0
    }

    pub(super) fn revoke(self: &Arc<Self>) {
        self.state().revoked = true;
        self.mute();
    }

    pub(super) fn mute(self: &Arc<Self>) {
        let mut state = self.state();
        state.muted = true;
        state.outbox = VecDeque::new();
        state.outbox_bytes = 0;
        self.kick(&mut state);
    }

    pub(super) fn opened(&self, handle: Handle, writable: Option<Arc<Writable>>) {
        let mut state = self.state();
        state.open_handles += 1;
        if let Some(writable) = writable {
            state.writable.insert(handle, writable);
        }
    }

    pub(super) fn closed(&self) {
        let mut state = self.state();
        state.open_handles = state.open_handles.saturating_sub(1);
    }

    pub(super) fn writable(&self, handle: Handle) -> Option<Arc<Writable>> {
        self.state().writable.get(&handle).cloned()
    }

    /// No WRITE to this handle is taken any more.
    pub(super) fn forget_writable(&self, handle: Handle) {
        self.state().writable.remove(&handle);
    }
}
