//! Custody: what happened to evidence, in order, signed, and what branches get back about it.

pub mod edge;
pub mod fence;
pub mod fixity;
pub mod held;
pub mod log_view;
pub mod publication;
pub mod rebuild;
pub mod receipt;
pub mod record;
pub mod sequencer;
pub mod sheet;
#[cfg(test)]
pub(crate) mod testing;
