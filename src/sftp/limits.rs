//! Every bound on what an SFTP peer controls, in one place.
//!
//! Invariant: nothing in `sftp` grows with what a peer sends but for the amounts named here.

/// Payload of one WRITE in bytes, and of one READ reply; what `limits@openssh.com` advertises (the same as OpenSSH's).
pub const MAX_TRANSFER_BYTES: u32 = 255 * 1024;

/// Longest packet in bytes (after its length field) that `limits@openssh.com` advertises.
pub const ADVERTISED_PACKET_BYTES: u32 = 256 * 1024;

/// Longest packet in bytes that is accepted: clients count headers in different ways.
pub const MAX_PACKET_BYTES: usize = ADVERTISED_PACKET_BYTES as usize + 1024;

/// Longest packet in bytes that isn't a WRITE: two paths and attributes fit with room to spare.
pub const MAX_CONTROL_PACKET_BYTES: usize = 34_000;

/// Handles open at once on one channel.
pub const MAX_HANDLES: usize = 256;

/// Bytes of a path as sent.
pub const MAX_PATH_BYTES: usize = 4096;

/// Components of a path.
pub const MAX_PATH_DEPTH: usize = 32;

/// Bytes of one component.
pub const MAX_NAME_BYTES: usize = 255;

/// Last byte offset a file can have: what a signed 64-bit offset can say.
pub const MAX_OFFSET: u64 = i64::MAX as u64;

/// Extended attributes in one ATTRS block; they are skipped, not kept.
pub const MAX_EXTENDED_ATTRIBUTES: u32 = 64;

/// Rows of one READDIR answer.
pub const LISTING_PAGE_ENTRIES: usize = 128;

/// Bytes after which one READDIR answer is full.
pub const LISTING_PAGE_BYTES: usize = 32 * 1024;

/// Bytes of adjacent WRITEs passed to the file as one run.
pub const SEGMENT_BYTES: usize = 256 * 1024;

/// Bytes of a handle's first run: small files shouldn't take a large buffer.
pub const FIRST_SEGMENT_BYTES: usize = 64 * 1024;

/// What a queued request counts beyond its own bytes.
pub const REQUEST_COST_BYTES: usize = 64;

/// Queued bytes from which the peer has to wait (backpressure through TCP).
pub const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Queued bytes from which the channel is closed. Reached only by a peer that asks and asks but doesn't take the answers:
/// waiting would then block the very window adjustment that ends the wait. Holds half a million READs (a
/// client that asks for a whole file in advance, as paramiko does, gets 16 GB that way).
pub const QUEUE_BYTES_HARD: usize = 32 * 1024 * 1024;

/// Bytes of replies that wait for the peer before the worker stops.
pub const OUTBOX_BYTES: usize = 1024 * 1024;
