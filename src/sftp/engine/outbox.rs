//! The channel seen from outside of the session's task: its replies on their way, and a way to steer it.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::shared::Shared;

/// What the worker has answered, for the task that forwards it to the peer.
pub struct Outbox(Arc<Shared>);

impl Outbox {
    pub(super) fn new(shared: Arc<Shared>) -> Outbox {
        Outbox(shared)
    }

    /// The next run of whole packets; `None` when nothing will come any more. Nothing is lost when dropped while waiting.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(batch) = self.0.take_output() {
                return Some(batch);
            }
            if self.0.has_ended() {
                return None;
            }
            self.0.output().await;
        }
    }

    /// A way to steer the channel from elsewhere.
    pub fn control(&self) -> ChannelControl {
        ChannelControl(Arc::downgrade(&self.0))
    }
}

/// A view of one channel that doesn't keep it alive.
#[derive(Clone)]
pub struct ChannelControl(Weak<Shared>);

impl ChannelControl {
    /// Nothing queued, running or unsent, and no handle open.
    pub fn is_idle(&self) -> bool {
        self.0.upgrade().is_none_or(|shared| shared.is_idle())
    }

    /// Nothing will happen any more.
    pub fn has_ended(&self) -> bool {
        self.0.upgrade().is_none_or(|shared| shared.has_ended())
    }

    /// The person lost access: requests are dropped unanswered from now on, only acknowledged bytes still reach their
    /// files. The connection has to be ended as well; files are parked when it is.
    pub fn revoke(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.revoke();
        }
    }
}
