//! Muniment: an SFTP server that turns uploads into evidence anyone can verify.
//!
//! The map and its invariants are in `docs/ARCHITECTURE.md`. Imports point down only:
//! edges (`ssh`, `sftp`) → use cases (`ingest`, `seal`) → `custody` → mechanisms
//! (`blob`, `catalog`, `tlog`, `crypto`) → `domain`.

// What tests and benches share says `muniment` for this crate.
#[cfg(test)]
extern crate self as muniment;

pub mod access;
pub mod admin;
pub mod blob;
pub mod catalog;
pub mod config;
pub mod console;
pub mod crypto;
pub mod custody;
pub mod domain;
pub mod ingest;
pub mod inspect;
pub mod seal;
pub mod server;
pub mod sftp;
pub mod ssh;
pub mod tlog;
pub mod turns;
pub mod verify;
pub mod views;
