//! Keys, encryption and digests: everything that makes bytes unreadable or provable.
//!
//! It must never know what a branch, a customer or an accession is, nor where on disk anything lies: bytes in, bytes out.
//!
//! Invariants: no key is ever used twice with one nonce; no plaintext leaves before its tag was verified; secrets are wiped
//! when dropped and have no `Debug` that shows them; comparisons with secrets or tags are in constant time.

pub mod body;
mod chunk_key;
pub mod chunk_tree;
pub mod digest;
pub mod file_key;
pub mod header;
pub mod identity;
#[cfg(test)]
mod interop;
pub mod protected;
pub mod read_at;
pub mod reader;
pub mod recipients;
pub mod staging_key;
#[cfg(test)]
mod vectors;
mod wiped;

pub use body::BodyWriter;
pub use chunk_tree::ChunkTree;
pub use digest::{Digests, Hash, StoredDigest};
pub use file_key::FileKey;
pub use identity::{Identity, Recipient};
pub use protected::Passphrase;
pub use read_at::ReadAt;
pub use reader::{BodyReader, BodyStream};
pub use recipients::Recipients;
pub use staging_key::StagingKey;

pub use crate::domain::random::{RandomError, random_bytes};
