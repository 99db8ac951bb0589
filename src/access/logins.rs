//! The port by which sessions that are open now are seen and ended, of whatever edge they are.

use serde::{Deserialize, Serialize};

/// A session that is open now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveSession {
    /// What ends it: `muniment session end`.
    pub id: String,
    /// `sftp` or `console`.
    pub edge: String,
    /// Log-in name.
    pub name: String,
    /// Address and port of the peer.
    pub address: String,
    /// When it logged in, milliseconds since 1970.
    pub since_ms: i64,
}

/// The sessions of a running server.
pub trait LiveSessions: Send + Sync {
    /// All of them, oldest first.
    fn list(&self) -> Vec<LiveSession>;
    /// Ends one session, by its id; says whether there was one. `by` is who the log names for it.
    fn end(&self, id: &str, by: &str) -> bool;
    /// Ends every session of a person, by the id that the log uses, and what they read; says how many sessions those were.
    fn kill_person(&self, person: &str, by: &str) -> usize;
    /// Ends every SSH session that a person logged in to with this key (not those that a certificate let in), and what is
    /// read in them; says how many sessions those were.
    fn kill_key(&self, person: &str, fingerprint: &str) -> usize;
}

/// For a command that holds the vault alone: no server, so no sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSessions;

impl LiveSessions for NoSessions {
    fn list(&self) -> Vec<LiveSession> {
        Vec::new()
    }

    fn end(&self, _id: &str, _by: &str) -> bool {
        false
    }

    fn kill_person(&self, _person: &str, _by: &str) -> usize {
        0
    }

    fn kill_key(&self, _person: &str, _fingerprint: &str) -> usize {
        0
    }
}
