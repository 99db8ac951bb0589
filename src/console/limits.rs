//! Every bound and time limit of the console, in one place.

use std::time::Duration;

/// Connections in all at one time.
pub(super) const MAX_CONNECTIONS: usize = 1_024;

/// Connections from one address: a branch often has one address for everybody, and a browser opens six.
pub(super) const MAX_CONNECTIONS_PER_ADDRESS: usize = 256;

/// From the connection to the end of the TLS handshake.
pub(super) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// For a request's head to be there, counted from the end of the answer before it: so also how long a kept connection may idle.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(30);

/// Bytes of a request's line and fields together.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Fields of a request's head.
pub(super) const MAX_HEAD_FIELDS: usize = 64;

/// Bytes a connection may have buffered.
pub(super) const MAX_BUFFER_BYTES: usize = 128 * 1024;

/// Bytes on their way to a peer that the system holds for a connection (it takes twice that, with its own overhead). What it holds
/// can't be called back when a reading ends; this much a round trip is 200 Mbit/s at 20 ms.
pub(super) const SEND_BUFFER_BYTES: usize = 512 * 1024;

/// For a request's body to be there.
pub(super) const BODY_TIME: Duration = Duration::from_secs(30);

/// Bytes of a request's body where its route doesn't say otherwise.
pub(super) const BODY_BYTES: usize = 64 * 1024;

/// Fields of one form or query.
pub(super) const MAX_FIELDS: usize = 512;

/// Bytes of the line that separates the fields of a form with a file (RFC 2046 clause 5.1.1).
pub(super) const MAX_BOUNDARY_BYTES: usize = 70;

/// Bytes that come before the content of one such field.
pub(super) const MAX_PART_HEAD_BYTES: usize = 2 * 1024;

/// Bodies larger than [`BODY_BYTES`] in memory at one time.
pub(super) const MAX_LARGE_BODIES: usize = 16;

/// A peer that takes nothing of an answer for this long is cut off. A paused player asks again where it stopped.
pub(super) const STALL_TIME: Duration = Duration::from_secs(60);

/// Handlers at work at one time; each has a blocking thread to itself.
pub(super) const MAX_CALLS: usize = 64;

/// How long a request waits for one of them before it is told to come again.
pub(super) const CALL_WAIT: Duration = Duration::from_secs(10);

/// Streams of content at one time. They wait for their peers most of the time, so they aren't counted among the handlers.
pub(super) const MAX_STREAMS: usize = 512;

/// Streams of one reading at one time: a player that seeks asks anew before its last request has ended.
pub(super) const MAX_STREAMS_PER_READING: usize = 16;

/// Bytes of content read at a time, and so what a stream holds of memory.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;

/// Blocks read at one time, each on a blocking thread. Uploads share those threads, so streams wait for each other.
pub(super) const MAX_BLOCK_READS: usize = 32;

/// Seconds after which who was told to come again should.
pub(super) const RETRY_SECONDS: u32 = 5;

/// Sessions in all; the one that was seen longest ago ends for a new one.
pub(super) const MAX_SESSIONS: usize = 4_096;

/// Sessions of one person; the one that was seen longest ago ends for a new one.
pub(super) const MAX_SESSIONS_PER_PERSON: usize = 16;

/// Characters kept of what a browser says of itself.
pub(super) const MAX_AGENT_CHARS: usize = 200;

/// Messages that wait for a session's next page.
pub(super) const MAX_FLASHES: usize = 4;

/// Bytes of the address to come back to after signing in.
pub(super) const MAX_NEXT_BYTES: usize = 2_048;

/// How long an answer under way gets when the server stops.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(5);

/// Pause after a failed `accept` (out of file descriptors).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
