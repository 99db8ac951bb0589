//! Every bound and time limit of the SSH edge, in one place: what a site may set, and what it may not.

use std::time::Duration;

/// Window of a channel in bytes: what may be on its way on a long line. It costs no memory, packets are handled one by one.
pub(super) const WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Largest packet in bytes a client may send.
pub(super) const MAX_PACKET_BYTES: u32 = 256 * 1024;

/// Channels of one connection (as OpenSSH's `MaxSessions`).
pub(super) const MAX_CHANNELS: usize = 10;

/// Messages between a channel's tasks and its session.
pub(super) const EVENT_QUEUE: usize = 10;

/// Bytes of an exec command.
pub(super) const MAX_COMMAND_BYTES: usize = 16 * 1024;

/// Files of one `sha256sum`.
pub(super) const MAX_COMMAND_FILES: usize = 64;

/// The most bytes under one key before the next key exchange (RFC 4253, clause 9).
pub(super) const MAX_REKEY_BYTES: usize = 1 << 30;

/// Time under one key.
pub(super) const REKEY_TIME: Duration = Duration::from_secs(3600);

/// Smallest RSA key in bits.
pub(super) const MIN_RSA_BITS: u32 = 2048;

/// How long a client has to take the message that ends its connection.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// How often a stopping server looks whether a session has become idle.
pub(super) const STOP_POLL: Duration = Duration::from_millis(50);

/// Pause after a failed `accept` (out of file descriptors).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a site may set.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_connections_per_address: usize,
    /// Refused authentication requests of one connection; the probe without a key, which most clients begin with, is one.
    pub max_auth_attempts: usize,
    /// The least time a refusal takes.
    pub auth_delay: Duration,
    /// From the connection to the completed login.
    pub login_time: Duration,
    /// A silent client is asked whether it is there.
    pub keepalive_interval: Duration,
    /// Unanswered questions before the connection ends.
    pub keepalive_max: usize,
    /// A session in which nothing happens ends.
    pub inactivity_timeout: Duration,
    /// Bytes under one key before the next key exchange; 1 GiB at most.
    pub rekey_bytes: usize,
    /// Whether certificates can log in; if not, unknown keys are turned down before the client signs.
    pub certificates: bool,
}

impl Default for SshSettings {
    fn default() -> Self {
        SshSettings {
            max_connections: 1000,
            max_connections_per_address: 50,
            max_auth_attempts: 8,
            auth_delay: Duration::from_secs(1),
            login_time: Duration::from_secs(60),
            keepalive_interval: Duration::from_secs(30),
            keepalive_max: 4,
            inactivity_timeout: Duration::from_secs(1800),
            rekey_bytes: MAX_REKEY_BYTES,
            certificates: false,
        }
    }
}
