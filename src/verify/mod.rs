//! The verifier: what an auditor can check with public keys alone, offline, years later.
//!
//! It must never know the server, the catalogue or a private key of the vault: it reads files that anybody may have copied,
//! and recomputes. It uses `domain`, `tlog`, and the digests and commitments of `crypto`, nothing else.
//!
//! Invariant: what isn't recomputed is reported as not checked, never as right; a report is sound only when everything
//! that was asked was checked.

pub mod bag;
pub mod facts;
pub mod history;
pub mod input;
pub mod log;
pub mod objects;
pub mod receipt;
pub mod report;
pub mod signatures;
pub mod witness;

#[cfg(test)]
mod tests;

pub use report::{Check, Meaning, Outcome, Report, Verdict};

use crate::tlog::note::VerifierKey;

/// The public keys that the caller trusts. They come from somewhere else than what is checked with them.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The log's own key.
    pub log: Option<VerifierKey>,
    /// Witnesses whose cosignatures are asked for.
    pub witnesses: Vec<VerifierKey>,
}
