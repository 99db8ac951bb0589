//! The vault on disk: where each thing lies, how a body is staged, and how it is placed once and for good.
//!
//! It must never know keys or plaintext, nor why something is placed: paths come from ids, bytes come encrypted. All calls
//! block; call them from a worker.
//!
//! Invariants: nothing that was placed is overwritten or renamed, and no path outside the vault can be built from an id.
//! Headers are the only part that may be erased, so they alone are never made immutable.

pub mod capacity;
#[cfg(test)]
mod conformance;
pub mod disk;
pub mod error;
pub mod layout;
pub mod lock;
pub mod place;
pub mod staging;
pub mod tray;

pub use capacity::{VaultCapacity, capacity};
pub use disk::Disk;
pub use error::BlobError;
pub use layout::{Layout, LayoutError};
pub use lock::{LockError, VaultLock};
pub use place::{ImmutableSupport, Placed, Store};
pub use staging::StagedBody;
pub use tray::Tray;
