//! The SFTP v3 protocol: a pure codec, and an engine that drives a [`space::FileSpace`].

pub mod space;
