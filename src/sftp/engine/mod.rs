//! The server side of one SFTP channel, in three parts that share one small state:
//!
//! - [`Front`], on the session's task: cuts packets, takes WRITEs into segments and acknowledges them, queues the rest.
//! - a worker, on a blocking thread that exists only while there is something to do: executes in order against the space.
//! - [`Outbox`], on the channel's forwarder task: what the worker has answered, for the peer.
//!
//! It must not know SSH, nor what a path means.
//!
//! Invariants: requests are executed in the order in which they came in (WRITE replies may overtake); the worker never
//! waits for the peer (it stops, and is started again when the peer has taken its replies); the front never waits for
//! something that only the peer's next packet can bring; the space and its files are used and dropped on blocking threads only.

mod extensions;
mod front;
mod outbox;
mod shared;
mod worker;
mod workers;

pub use front::{Front, Outlet, PeerGone, ProtocolError};
pub use outbox::{ChannelControl, Outbox};
pub use workers::Workers;

use super::space::FileSpace;

/// Starts serving `space`. Dropping the front ends the channel: what was acknowledged still reaches its files, which are
/// then dropped (and so parked).
pub fn start(space: Box<dyn FileSpace>, workers: &Workers) -> (Front, Outbox) {
    let shared = shared::Shared::new(space, workers.clone());
    (Front::new(shared.clone()), Outbox::new(shared))
}

#[cfg(test)]
mod tests;
