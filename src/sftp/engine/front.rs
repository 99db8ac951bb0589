//! The half of the engine that runs where the bytes come in.
//!
//! Invariant: it never blocks a thread, and waits only for the worker, never for the peer.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::shared::{Job, Refused, Shared, Writable};
use crate::sftp::codec::{
    FrameDecoder, FrameError, FrameEvent, Handle, Reply, Request, StatusCode, WriteHead,
};
use crate::sftp::limits::{FIRST_SEGMENT_BYTES, MAX_OFFSET, SEGMENT_BYTES};
use crate::sftp::space::{SpaceError, SpaceErrorKind};

use super::worker::failure_reply;

/// What VERSION announces (OpenSSH `PROTOCOL`, clause 4; draft-ietf-secsh-filexfer-extensions-00).
const EXTENSIONS: &[(&str, &str)] = &[
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("fsync@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
    ("check-file", "1"),
];

/// Acknowledgements are handed on when they come to this many bytes, at the latest at the end of the input.
const ACKNOWLEDGEMENT_BATCH_BYTES: usize = 8 * 1024;

/// The way to the peer that is open while input is handled.
pub trait Outlet: Send {
    /// Takes whole packets. Doesn't wait.
    fn send(&mut self, packets: Bytes) -> Result<(), PeerGone>;
    /// Whether the peer's window is closed, so that what is sent would only be stored.
    fn is_deaf(&self) -> bool;
}

/// The connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer is gone")]
pub struct PeerGone;

/// Why a channel has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The packets can't be told apart any more.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A request without an id can't be answered.
    #[error("a packet is too short to carry a request id")]
    NoId,
    /// INIT is missing or comes twice.
    #[error("a version exchange is missing or repeated")]
    Version,
    /// Requests pile up while the peer takes no answers.
    #[error("too many requests while their answers aren't taken")]
    Flood,
    /// The worker has ended (access revoked, or a defect).
    #[error("the channel has ended")]
    Ended,
    /// The connection has ended.
    #[error(transparent)]
    Gone(#[from] PeerGone),
}

/// The receiving half of a channel.
pub struct Front {
    decoder: FrameDecoder,
    intake: Intake,
}

struct Intake {
    shared: Arc<Shared>,
    initialised: bool,
    writers: HashMap<Handle, Writer>,
    current: Option<CurrentWrite>,
    /// Replies made here, not yet sent.
    replies: Vec<u8>,
}

/// A file open for writing, with the run of bytes that is being gathered.
struct Writer {
    writable: Arc<Writable>,
    start: u64,
    bytes: Vec<u8>,
    limit: usize,
}

/// The WRITE whose payload is coming in.
struct CurrentWrite {
    id: u32,
    handle: Handle,
    /// Where its next byte goes.
    position: u64,
    refusal: Option<SpaceError>,
}

impl Front {
    pub(super) fn new(shared: Arc<Shared>) -> Front {
        let intake = Intake {
            shared,
            initialised: false,
            writers: HashMap::new(),
            current: None,
            replies: Vec::new(),
        };
        Front {
            decoder: FrameDecoder::default(),
            intake,
        }
    }

    /// Takes what came in. Waits while the queue is full. After an error the channel has to be closed; dropping this
    /// future half-way leaves the decoder out of step, so the front must be dropped too.
    pub async fn feed(&mut self, mut input: &[u8], outlet: &mut impl Outlet) -> Result<(), ProtocolError> {
        let outcome = loop {
            match self.decoder.next(&mut input) {
                Ok(Some(event)) => {
                    if let Err(error) = self.intake.event(event, outlet).await {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            }
        };
        self.intake.send_replies(outlet)?;
        outcome
    }

    /// The peer sends no more. Everything queued is still executed and answered, then the outbox ends.
    pub fn finish(&mut self) {
        self.intake.pass_on_everything();
        self.intake.shared.insist(Job::End);
    }
}

impl Drop for Front {
    /// The peer is gone: acknowledged bytes go to their files, which are then dropped by the worker.
    fn drop(&mut self) {
        self.finish();
        self.intake.shared.mute();
    }
}

impl Intake {
    async fn event(&mut self, event: FrameEvent<'_>, outlet: &mut impl Outlet) -> Result<(), ProtocolError> {
        match event {
            FrameEvent::WriteHead(head) if self.initialised => {
                self.begin_write(head);
                Ok(())
            }
            FrameEvent::WriteHead(_) => Err(ProtocolError::Version),
            FrameEvent::WriteData { bytes, last } => {
                self.take_payload(bytes, outlet).await?;
                if last { self.acknowledge(outlet) } else { Ok(()) }
            }
            FrameEvent::Packet(packet) => self.packet(packet, outlet).await,
        }
    }

    fn begin_write(&mut self, head: WriteHead) {
        let refusal = self.judge_write(&head).err();
        self.current = Some(CurrentWrite {
            id: head.id,
            handle: head.handle,
            position: head.offset,
            refusal,
        });
    }

    fn judge_write(&mut self, head: &WriteHead) -> Result<(), SpaceError> {
        let end = head.offset.checked_add(u64::from(head.length));
        if end.is_none_or(|end| end > MAX_OFFSET) {
            return Err(failure("a file can't reach past byte 2^63-1"));
        }
        if !self.writers.contains_key(&head.handle) {
            let writable = self.shared.writable(head.handle);
            let writable = writable.ok_or_else(|| failure("this handle isn't open for writing"))?;
            let writer = Writer {
                writable,
                start: 0,
                bytes: Vec::new(),
                limit: FIRST_SEGMENT_BYTES,
            };
            self.writers.insert(head.handle, writer);
        }
        Ok(())
    }

    /// Copies payload into the handle's segment: the only copy between the decrypted packet and the file.
    async fn take_payload(
        &mut self,
        mut bytes: &[u8],
        outlet: &mut impl Outlet,
    ) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            let Some(current) = self.current.as_mut().filter(|current| current.refusal.is_none()) else {
                return Ok(());
            };
            let Some(writer) = self.writers.get_mut(&current.handle) else {
                return Ok(());
            };
            if writer.writable.failure.get().is_some() {
                return Ok(());
            }
            let expected = writer.start + writer.bytes.len() as u64;
            let adjacent = writer.writable.append || expected == current.position;
            let mut full = None;
            if !writer.bytes.is_empty() && !adjacent {
                full = writer.cut(current.handle);
            }
            if writer.bytes.is_empty() {
                writer.start = current.position;
                writer.bytes = match writer.limit {
                    SEGMENT_BYTES => self.shared.segments().take(),
                    first => Vec::with_capacity(first),
                };
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(writer.limit - writer.bytes.len()));
            writer.bytes.extend_from_slice(taken);
            current.position += taken.len() as u64;
            bytes = rest;
            if let Some(job) = full {
                self.push(job, outlet).await?;
            } else if writer.bytes.len() == writer.limit
                && let Some(job) = writer.cut(current.handle)
            {
                self.push(job, outlet).await?;
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self, outlet: &mut impl Outlet) -> Result<(), ProtocolError> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let broken = || self.writers.get(&current.handle)?.writable.failure.get().cloned();
        match current.refusal.clone().or_else(broken) {
            Some(error) => failure_reply(&error).encode(current.id, &mut self.replies),
            None => Reply::Status {
                code: StatusCode::Ok,
                message: "",
            }
            .encode(current.id, &mut self.replies),
        }
        if self.replies.len() >= ACKNOWLEDGEMENT_BATCH_BYTES {
            self.send_replies(outlet)
        } else {
            Ok(())
        }
    }

    async fn packet(&mut self, packet: &[u8], outlet: &mut impl Outlet) -> Result<(), ProtocolError> {
        let (id, request) = match Request::decode(packet) {
            Ok(decoded) => decoded,
            Err(bad) => {
                let id = bad.id.filter(|_| self.initialised).ok_or(ProtocolError::NoId)?;
                let message = "the request is malformed";
                Reply::Status {
                    code: StatusCode::BadMessage,
                    message,
                }
                .encode(id, &mut self.replies);
                return Ok(());
            }
        };
        if matches!(request, Request::Init { .. }) == self.initialised {
            return Err(ProtocolError::Version);
        }
        match request {
            Request::Init { .. } => {
                self.initialised = true;
                Reply::Version {
                    extensions: EXTENSIONS,
                }
                .encode(0, &mut self.replies);
                return Ok(());
            }
            // Its handle isn't one of ours, or the decoder would have streamed it.
            Request::Write { .. } => {
                failure_reply(&failure("this handle isn't open for writing")).encode(id, &mut self.replies);
                return Ok(());
            }
            _ => {}
        }
        // Whatever it is, it has to see what was written before it.
        for job in self.cut_all() {
            self.push(job, outlet).await?;
        }
        let job = match request {
            Request::Read {
                handle,
                offset,
                length,
            } => Job::Read {
                id,
                handle,
                offset,
                length,
            },
            Request::Close { handle } => {
                self.writers.remove(&handle);
                self.shared.forget_writable(handle);
                Job::Packet(packet.into())
            }
            _ => Job::Packet(packet.into()),
        };
        self.push(job, outlet).await
    }

    fn cut_all(&mut self) -> Vec<Job> {
        self.writers
            .iter_mut()
            .filter_map(|(handle, writer)| writer.cut(*handle))
            .collect()
    }

    fn pass_on_everything(&mut self) {
        for job in self.cut_all() {
            self.shared.insist(job);
        }
        self.writers = HashMap::new();
    }

    /// Queues a job, waiting for room. While it waits the session can't do anything else, so it carries the worker's
    /// replies out itself, as far as the peer's window lets it.
    async fn push(&mut self, mut job: Job, outlet: &mut impl Outlet) -> Result<(), ProtocolError> {
        loop {
            match self.shared.offer(job, outlet.is_deaf()) {
                Ok(()) => return Ok(()),
                Err(Refused::Flood) => return Err(ProtocolError::Flood),
                Err(Refused::Ended) => return Err(ProtocolError::Ended),
                Err(Refused::NoRoom(refused)) => job = refused,
            }
            self.send_replies(outlet)?;
            let mut carried = false;
            while !outlet.is_deaf()
                && let Some(batch) = self.shared.take_output()
            {
                outlet.send(batch)?;
                carried = true;
            }
            if !carried {
                self.shared.room().await;
            }
        }
    }

    fn send_replies(&mut self, outlet: &mut impl Outlet) -> Result<(), ProtocolError> {
        if !self.replies.is_empty() {
            outlet.send(std::mem::take(&mut self.replies).into())?;
        }
        Ok(())
    }
}

impl Writer {
    /// The gathered run as a job, if there is one. Later runs of the same file are larger.
    fn cut(&mut self, handle: Handle) -> Option<Job> {
        if self.bytes.is_empty() {
            return None;
        }
        self.limit = SEGMENT_BYTES;
        Some(Job::Write {
            handle,
            offset: self.start,
            bytes: std::mem::take(&mut self.bytes),
        })
    }
}

fn failure(message: &str) -> SpaceError {
    SpaceError::new(SpaceErrorKind::Failure, message)
}
