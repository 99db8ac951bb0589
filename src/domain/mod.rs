//! The vocabulary of the field: no I/O, no async, no SQL.

pub mod access;
pub mod canonical;
pub mod category;
pub mod commitment;
pub mod customer;
pub mod digest_prefix;
pub mod doctype;
pub mod event;
pub mod finding;
pub mod hex;
pub mod id;
pub mod pattern;
pub mod random;
pub mod reason;
pub mod role;
pub mod time;
