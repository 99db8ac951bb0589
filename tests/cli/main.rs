//! The command line as people and scripts meet it: the real program, its words, its JSON and its exit codes.

// clippy.toml's permission reaches test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod administration;
mod control;
mod credentials;
mod doctype;
mod evidence;
mod init;
mod key;
// Real pages; the recordings in it are for other tests.
#[path = "../support/media/mod.rs"]
mod media;
mod support;
