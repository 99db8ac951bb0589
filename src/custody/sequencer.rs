//! The sequencer: one thread through which every change passes, in groups, each group one SQLite transaction.
//!
//! The transaction is the commit point. It holds the leaves, the rows they imply, the files promised (placements) and the
//! signed checkpoint. A crash before it leaves nothing but bytes in staging; after it everything that isn't on disk yet
//! (tiles, checkpoint, files in their places) is made again from the catalogue by the same functions at start-up. Tiles and
//! checkpoint are written beside the commits ([`super::publication`]), so no commit waits for them.
//!
//! What isn't a proposal's own (placements that were done, an edge that is durable elsewhere) waits for a transaction that there is.
//!
//! Invariants: the checkpoint is signed only for a tree that extends every one seen before (the fence); a refused
//! proposal leaves no trace; a reply is sent only after the commit.

use super::{
    edge::Publisher,
    fence::{self, FenceError},
    publication::{Publication, Published},
};
use crate::{
    catalog::{
        Catalogue, CatalogueError, Writer,
        accessions::{self, View},
        log_edge,
        placements::{self, Placement, Source, StoredFile},
        project,
    },
    domain::{
        canonical,
        commitment::Opening,
        event::{Draft, EVENT_VERSION, Leaf, Openings, Record},
        hex,
        time::{Clock, Zone},
    },
    tlog::{
        checkpoint::Checkpoint,
        key::SignerKey,
        merkle::{Hash, leaf_hash},
        tile,
        tree::TreeTail,
    },
    turns,
};
use ring::rand::SecureRandom;
use rusqlite::Connection;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Proposals in one transaction at the most. Measured: 13,000 events/s in groups of 64, 28,000 in groups of 256.
const GROUP_LIMIT: usize = 256;
/// Proposals that may queue before their callers wait.
const QUEUE_LIMIT: usize = 1_024;
/// Placements that were done are forgotten with the next proposals; when so many are, or none comes for so long, without.
const CHORES: usize = 256;
const CHORES_WAIT: Duration = Duration::from_millis(20);
/// The same after a transaction that failed: a catalogue that can't be written to isn't asked fifty times a second.
const CHORES_RETRY: Duration = Duration::from_secs(1);
/// Leaves of a full tile.
const WIDTH: u64 = tile::WIDTH as u64;

/// Why a proposal wasn't committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The proposer changed its mind when it saw the catalogue: words for the person who asked.
    #[error("{0}")]
    Refused(String),
    /// The catalogue couldn't take it: full disk, damaged file. Nothing was changed.
    #[error("the catalogue couldn't commit: {0}")]
    Storage(String),
    /// The log's fence stands: what has been published elsewhere is more than this vault holds.
    #[error("the custody log is stopped: {0}")]
    Fenced(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

/// What a proposal sees when its turn comes: the catalogue inside the transaction, its place and its time.
pub struct Turn<'a> {
    /// The transaction, for reading.
    pub connection: &'a Connection,
    /// The leaf's position.
    pub index: u64,
    /// The leaf's time, milliseconds since 1970.
    pub time_ms: i64,
}

/// Encrypts a record and says which files the event promises. Called with the record's JSON, which is empty for an event
/// without a private half.
pub type Place = Box<dyn FnOnce(&[u8]) -> Result<Vec<Placement>, CommitError> + Send>;

/// What a proposal wants to be committed.
pub struct Proposed {
    /// The event.
    pub draft: Draft,
    /// Makes its files; `None` for an event without any.
    pub place: Option<Place>,
}

/// Decides on an event inside the transaction.
pub type Decide = Box<dyn FnOnce(&Turn<'_>) -> Result<Proposed, CommitError> + Send>;

/// An event in its place.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Position of the leaf: also the receipt's number.
    pub index: u64,
    /// The leaf.
    pub leaf: Leaf,
}

enum Message {
    Propose {
        decide: Decide,
        reply: SyncSender<Result<Committed, CommitError>>,
    },
    Placed(Vec<i64>),
    Durable(u64),
    View(View, SyncSender<()>),
    Fence(String),
    Stop,
}

/// A handle on the sequencer, cheap to clone. Every call blocks until the commit.
#[derive(Clone)]
pub struct Custody {
    messages: SyncSender<Message>,
    published: Published,
}

impl Custody {
    /// Commits one event.
    ///
    /// # Errors
    /// When the proposal is refused or the commit fails; then nothing was changed.
    pub fn commit(
        &self,
        decide: impl FnOnce(&Turn<'_>) -> Result<Proposed, CommitError> + Send + 'static,
    ) -> Result<Committed, CommitError> {
        let (reply, answer) = sync_channel(1);
        self.messages
            .send(Message::Propose {
                decide: Box::new(decide),
                reply,
            })
            .map_err(|_| CommitError::Stopped)?;
        answer.recv().map_err(|_| CommitError::Stopped)?
    }

    /// Forgets placements that are durable in their places.
    pub fn placed(&self, ids: Vec<i64>) {
        // A stopped sequencer keeps the rows: the placements are found done at the next start.
        let _ = self.messages.send(Message::Placed(ids));
    }

    /// Changes what an inbox shows of a settled upload; it shows when this returns.
    pub fn view(&self, change: View) {
        let (done, finished) = sync_channel(1);
        if self.messages.send(Message::View(change, done)).is_ok() {
            // The sequencer drops its end when the group is committed.
            let _ = finished.recv();
        }
    }

    /// How far the log is published.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Stops the log: nothing proposed from now on is committed or signed, because the log's own signature was seen on
    /// something that isn't in this tree. It outlasts the process: an operator has to find out and lift it.
    pub fn fence(&self, reason: String) {
        let _ = self.messages.send(Message::Fence(reason));
    }
}

/// What the sequencer works with.
pub struct Parts {
    /// The catalogue's one writing connection.
    pub writer: Writer,
    /// Opens that connection again after a failed commit.
    pub reopen: Box<dyn Fn() -> Result<Writer, CatalogueError> + Send>,
    /// Signs checkpoints.
    pub signer: SignerKey,
    /// The log's origin line.
    pub origin: String,
    /// The vault's zone.
    pub zone: Zone,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Salts.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// Where the reason is kept when the log has to be stopped.
    pub stopped_file: PathBuf,
    /// Told after a commit that promised files.
    pub placer: Sender<()>,
}

/// The sequencer's thread; stopping it finishes what is queued.
pub struct Sequencer {
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
    publication: Publication,
}

impl Sequencer {
    /// Reads the log's edge, checks the fence, publishes what a crash left unpublished, and starts the threads: the sequencer's own, and
    /// the one by which `publisher` goes on with what it reads from `catalogue`.
    ///
    /// # Errors
    /// When the edge doesn't agree with its checkpoint, or something published is ahead of the catalogue.
    pub fn start(
        parts: Parts,
        mut publisher: Publisher,
        catalogue: Catalogue,
    ) -> Result<(Sequencer, Custody), FenceError> {
        let connection = &parts.writer.connection;
        let tail = fence::check(
            connection,
            publisher.log_dir(),
            parts.signer.verifier(),
            &parts.stopped_file,
        )?;
        // What a crash left unpublished, before anything is added to it.
        let durable = publisher
            .publish(connection)
            .map_err(|error| FenceError::Publish(error.to_string()))?;
        let chores = Chores {
            placed: Vec::new(),
            durable,
            pruned: log_edge::published_size(connection)?,
            wait: CHORES_WAIT,
        };
        let (messages, inbox) = sync_channel(QUEUE_LIMIT);
        let custody = Custody {
            messages: messages.clone(),
            published: Published::at(tail.size()),
        };
        let (tell, mut told) = (messages.clone(), durable);
        let publication = Publication::start(custody.published.clone(), publisher, catalogue, move |size| {
            if size / WIDTH > told / WIDTH {
                told = size;
                // A sequencer that has stopped needs to know nothing more.
                let _ = tell.send(Message::Durable(size));
            }
        })
        .map_err(FenceError::Io)?;
        let mut state = State {
            tail,
            parts,
            published: custody.published.clone(),
            chores,
            fenced: None,
            broken: None,
        };
        let thread = std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || state.run(&inbox))
            .map_err(FenceError::Io)?;
        Ok((
            Sequencer {
                messages,
                thread: Some(thread),
                publication,
            },
            custody,
        ))
    }

    /// Finishes what is queued, publishes it, and ends the threads.
    pub fn stop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.publication.stop();
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct State {
    tail: TreeTail,
    parts: Parts,
    published: Published,
    chores: Chores,
    fenced: Option<String>,
    /// Why the transaction at hand may not be committed.
    broken: Option<CommitError>,
}

type Reply = (
    SyncSender<Result<Committed, CommitError>>,
    Result<Committed, CommitError>,
);

/// What nobody waits for: it goes into the next transaction that there is.
struct Chores {
    /// Placements that were done.
    placed: Vec<i64>,
    /// Leaves up to which full tiles are durable, and up to which the edge was cut for that.
    durable: u64,
    pruned: u64,
    /// How long they wait for proposals.
    wait: Duration,
}

impl Chores {
    fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.durable / WIDTH == self.pruned / WIDTH
    }
}

/// What the queue held when a group was formed.
#[derive(Default)]
struct Group {
    proposals: Vec<(Decide, SyncSender<Result<Committed, CommitError>>)>,
    views: Vec<(View, SyncSender<()>)>,
    fence: Option<String>,
    stop: bool,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.proposals.is_empty() && self.views.is_empty() && self.fence.is_none() && !self.stop
    }
}

impl State {
    fn run(&mut self, inbox: &Receiver<Message>) {
        // Everybody waits for it.
        turns::ahead();
        let _turns = turns::short();
        while let Some(group) = self.next(inbox) {
            let stop = group.stop;
            self.group(group);
            if stop {
                return;
            }
        }
    }

    /// Waits for something to do; `None` when nobody can want anything any more.
    fn next(&mut self, inbox: &Receiver<Message>) -> Option<Group> {
        let mut group = Group::default();
        loop {
            let first = if self.chores.is_empty() {
                inbox.recv().ok()?
            } else {
                match inbox.recv_timeout(self.chores.wait) {
                    Ok(first) => first,
                    Err(RecvTimeoutError::Timeout) => return Some(group),
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            };
            let mut hurry = self.add(&mut group, first);
            while group.proposals.len() < GROUP_LIMIT
                && !group.stop
                && let Ok(message) = inbox.try_recv()
            {
                hurry |= self.add(&mut group, message);
            }
            if hurry || self.chores.placed.len() >= CHORES {
                return Some(group);
            }
        }
    }

    /// Whether somebody waits for it.
    fn add(&mut self, group: &mut Group, message: Message) -> bool {
        match message {
            Message::Propose { decide, reply } => group.proposals.push((decide, reply)),
            Message::Placed(ids) => self.chores.placed.extend(ids),
            Message::Durable(size) => self.chores.durable = size,
            Message::View(change, done) => group.views.push((change, done)),
            Message::Fence(reason) => group.fence = Some(reason),
            Message::Stop => group.stop = true,
        }
        !group.is_empty()
    }

    fn group(&mut self, mut group: Group) {
        // Whoever proposed in the same moment is refused too.
        if let Some(reason) = group.fence.take() {
            // Kept over restarts. If even that fails, this process at least signs nothing more.
            if let Err(error) = std::fs::write(&self.parts.stopped_file, &reason) {
                tracing::error!(%error, "the reason why the log is stopped couldn't be kept");
            }
            self.fenced.get_or_insert(reason);
        }
        let before = self.tail.clone();
        let (mut replies, outcome) = self.transaction(group);
        match outcome {
            Ok(()) => {
                let grew = self.tail.size() > before.size();
                // Before anybody is told, so that whoever is told waits for no less when they look for their receipt.
                if grew {
                    self.published.committed(self.tail.size());
                }
                for (reply, result) in replies {
                    let _ = reply.send(result);
                }
                if grew {
                    let _ = self.parts.placer.send(());
                }
            }
            Err(error) => {
                tracing::error!(%error, "a group of custody events wasn't committed");
                for (_, result) in &mut replies {
                    if result.is_ok() {
                        *result = Err(error.clone());
                    }
                }
                self.chores.wait = CHORES_RETRY;
                self.recover(before);
                for (reply, result) in replies {
                    let _ = reply.send(result);
                }
            }
        }
    }

    /// One transaction over a group. The first error that isn't one proposal's own undoes the whole group.
    fn transaction(&mut self, mut group: Group) -> (Vec<Reply>, Result<(), CommitError>) {
        let mut replies = Vec::with_capacity(group.proposals.len());
        if let Some(reason) = &self.fenced {
            let refuse = |(_, reply)| (reply, Err(CommitError::Fenced(reason.clone())));
            replies.extend(std::mem::take(&mut group.proposals).into_iter().map(refuse));
            // What was committed before is still put in its place, and a vault that closes waits for that.
            if self.chores.is_empty() && group.views.is_empty() {
                return (replies, Ok(()));
            }
        }
        let first_index = self.tail.size();
        let outcome = (|| -> Result<(), CommitError> {
            self.run_sql("BEGIN IMMEDIATE")?;
            placements::finish(&self.parts.writer.connection, &self.chores.placed).map_err(storage)?;
            if self.chores.durable / WIDTH != self.chores.pruned / WIDTH {
                log_edge::prune(&self.parts.writer.connection, self.chores.durable).map_err(storage)?;
            }
            for (change, _) in &group.views {
                accessions::view(&self.parts.writer.connection, change).map_err(storage)?;
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            replies.extend(
                group
                    .proposals
                    .into_iter()
                    .map(|(_, reply)| (reply, Err(error.clone()))),
            );
            return (replies, Err(error));
        }
        for (decide, reply) in group.proposals {
            let result = self.savepoint(decide);
            replies.push((reply, result));
        }
        let outcome = self.finish_transaction(first_index);
        (replies, outcome)
    }

    fn finish_transaction(&mut self, first_index: u64) -> Result<(), CommitError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let connection = &self.parts.writer.connection;
        let size = self.tail.size();
        if size > first_index {
            let checkpoint = Checkpoint {
                origin: self.parts.origin.clone(),
                size,
                root: self.tail.root(),
                extensions: Vec::new(),
            };
            let note = checkpoint.sign(&self.parts.signer).map_err(storage)?;
            log_edge::insert_checkpoint(connection, size, &note.to_string()).map_err(storage)?;
            project::close_batch(connection, first_index, size).map_err(storage)?;
        }
        self.run_sql("COMMIT")?;
        self.chores.placed.clear();
        self.chores.pruned = self.chores.durable;
        self.chores.wait = CHORES_WAIT;
        Ok(())
    }

    fn run_sql(&self, statement: &str) -> Result<(), CommitError> {
        let mut prepared = self
            .parts
            .writer
            .connection
            .prepare_cached(statement)
            .map_err(storage)?;
        prepared.execute([]).map_err(storage)?;
        Ok(())
    }

    /// One proposal inside a savepoint, so that its refusal leaves no trace in the group.
    fn savepoint(&mut self, decide: Decide) -> Result<Committed, CommitError> {
        self.run_sql("SAVEPOINT proposal")?;
        let result = self.propose(decide);
        if result.is_err() {
            self.run_sql("ROLLBACK TO proposal")?;
        }
        self.run_sql("RELEASE proposal")?;
        let (committed, hash) = result?;
        let mut kept = Ok(());
        let connection = &self.parts.writer.connection;
        self.tail.append(hash, |level, position, hash| {
            if kept.is_ok() {
                kept = log_edge::insert_hash(connection, level, position, &hash);
            }
        });
        if let Err(error) = kept {
            // The leaf is in the transaction and its hash isn't: nothing of this group may be committed.
            self.broken = Some(storage(error));
        }
        Ok(committed)
    }

    fn propose(&self, decide: Decide) -> Result<(Committed, Hash), CommitError> {
        let parts = &self.parts;
        let connection = &parts.writer.connection;
        let index = self.tail.size();
        let turn = Turn {
            connection,
            index,
            time_ms: parts.clock.now_ms(),
        };
        let time_ms = turn.time_ms;
        let Proposed { draft, place } = decide(&turn)?;
        let has_record = draft.has_record();
        let (leaf, openings, private) = open(draft, time_ms, parts.random.as_ref())?;
        let bytes = encode_leaf(&leaf)?;
        let hash = leaf_hash(&bytes);
        let record = has_record.then(|| Record {
            leaf_index: index,
            openings,
            private,
            leaf_hash: hex::encode(hash.0),
            v: EVENT_VERSION,
        });
        project::apply(connection, parts.zone, index, &leaf, record.as_ref()).map_err(storage)?;
        log_edge::insert_leaf(connection, index, &bytes).map_err(storage)?;
        if let Some(place) = place {
            let json = record
                .as_ref()
                .map(serde_json::to_vec)
                .transpose()
                .map_err(storage)?;
            for placement in place(&json.unwrap_or_default())? {
                placements::enqueue(connection, index, &placement).map_err(storage)?;
                if let Source::Bytes(bytes) = &placement.source {
                    let stored = StoredFile {
                        target: placement.target.clone(),
                        leaf_index: index,
                        size_bytes: bytes.len() as u64,
                        blake3: *blake3::hash(bytes).as_bytes(),
                    };
                    placements::insert_stored(connection, &stored).map_err(storage)?;
                }
            }
        }
        Ok((Committed { index, leaf }, hash))
    }

    /// After a failed commit the connection's view can't be trusted: it is opened again, and the edge is what is there.
    fn recover(&mut self, before: TreeTail) {
        let _ = self.parts.writer.connection.execute_batch("ROLLBACK");
        self.tail = before;
        let reread = (self.parts.reopen)()
            .map_err(|error| error.to_string())
            .and_then(|writer| {
                let tail = fence::read_tail(&writer.connection).map_err(|error| error.to_string())?;
                Ok((writer, tail))
            });
        match reread {
            Ok((writer, tail)) => {
                self.parts.writer = writer;
                self.tail = tail;
            }
            Err(error) => tracing::error!(
                error,
                "the catalogue couldn't be opened again; the old connection stays"
            ),
        }
    }
}

fn storage(error: impl std::fmt::Display) -> CommitError {
    CommitError::Storage(error.to_string())
}

/// Salts and commits a draft's private values.
fn open(
    draft: Draft,
    time_ms: i64,
    random: &dyn SecureRandom,
) -> Result<(Leaf, Openings, serde_json::Map<String, serde_json::Value>), CommitError> {
    let mut commit = BTreeMap::new();
    let mut openings = Openings::new();
    for (field, value) in draft.committed {
        let opening = Opening::new(value, random).map_err(storage)?;
        commit.insert(field.clone(), opening.commit(&field));
        openings.insert(field, opening);
    }
    let leaf = Leaf {
        actor: draft.actor,
        commit,
        data: draft.data,
        id: draft.id,
        kind: draft.kind,
        time_ms,
        v: EVENT_VERSION,
    };
    Ok((leaf, openings, draft.private))
}

/// A leaf's bytes as they are hashed.
fn encode_leaf(leaf: &Leaf) -> Result<Vec<u8>, CommitError> {
    let value = serde_json::to_value(leaf).map_err(storage)?;
    canonical::to_canonical(&value).map_err(storage)
}
