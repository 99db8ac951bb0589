//! What a branch declares about its upload: manifest, checksum file, bag (docs/FORMAT.md lists the forms).
//!
//! Everything here is pure: bytes in, declarations or a [`Reason`](crate::domain::reason::Reason) out. A declaration
//! only says what *should* have arrived; comparing it with what did is the caller's, or [`bagit::Bag::check`]'s.

pub mod bagit;
pub mod checksum;
pub mod manifest;
pub mod zip;
