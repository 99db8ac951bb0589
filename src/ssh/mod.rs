//! The SSH edge: connections, logins, and what a client may ask for. Files are the business of [`crate::sftp`], people and
//! keys that of the [`Doorkeeper`].

mod algorithms;
mod auth;
pub mod certificate;
mod channels;
mod exec;
mod handler;
pub mod host_keys;
mod limits;
mod server;
mod sessions;

pub use auth::{Doorkeeper, Login, WeakKey, judge_key};
pub use limits::SshSettings;
pub use server::{Server, StartError};
pub use sessions::{SessionInfo, Sessions, session_name, session_of_name};

#[cfg(test)]
mod tests;
