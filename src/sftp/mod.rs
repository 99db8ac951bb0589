//! The SFTP v3 protocol: a pure codec, and an engine that drives a [`space::FileSpace`].

pub mod codec;
pub mod engine;
pub mod limits;
pub mod path;
pub mod space;
#[cfg(test)]
pub(crate) mod testing;
