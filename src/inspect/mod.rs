//! Inspection: is this video playable from end to end, is this scan legible, is this bundle harmless?
//!
//! ```text
//! source (decrypted in memory) ◀─ read requests ─ worker process (sandboxed) ─ report ─▶ policy ─▶ findings ─▶ verdict
//! ```
//!
//! `wire` is what parent and worker say to each other; `report` the facts that come back; `policy` holds facts against a
//! document type. Hostile bytes meet a parser only inside a worker; what comes back is bounded and parsed here.
//!
//! It must never modify an original, nor write plaintext anywhere.

pub mod child;
pub mod deep;
pub mod gate;
pub mod malware;
pub mod outcome;
pub mod policy;
pub mod process;
pub mod report;
pub mod sandbox;
pub mod scan;
#[cfg(test)]
pub(crate) mod testing;
pub mod wire;
pub mod workers;
