//! Tests of the verifier, over small logs made here, and over every way to change one byte of them.

mod bag;
mod by_hand;
mod fixture;
mod log;
mod objects;
mod receipt;
mod witness;
