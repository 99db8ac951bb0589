//! The custody log's mechanism: an append-only Merkle tree in the C2SP formats.
//!
//! RFC 6962 hashing, tlog-tiles on disk, signed-note checkpoints, witness cosignatures and
//! tlog-proof receipts. It must never know what a leaf means: here a leaf is bytes.
//! Invariant: everything that parses is total and bounded, and what a function calls verified was
//! recomputed from bytes against a public key, never taken from a file's word.

pub mod checkpoint;
pub mod key;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod store;

pub mod tile;
pub mod tree;
pub mod verify;
pub mod writer;

#[cfg(test)]
mod tests;
