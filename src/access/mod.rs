//! Who may come in over SSH, and what they see when they do.
//!
//! Invariant: it fails closed. A catalogue that can't be read, a role that isn't in the table, a person disabled a moment
//! ago: all of them see nothing.

pub mod content;
pub mod doorkeeper;
pub mod keyring;
pub mod policy;
mod refusing;
#[cfg(test)]
mod tests;

pub use doorkeeper::AccessDoorkeeper;
