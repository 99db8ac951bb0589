//! What a channel is used for, and the tasks that carry answers to the client.
//!
//! Invariant: a channel's task ends with the channel's entry, and only the task or the handler closes it.

use bytes::Bytes;
use russh::ChannelId;
use russh::server::{Handle, Session};
use tokio::task::JoinHandle;

use super::exec::Outcome;
use crate::sftp::engine::{Front, Outbox, Outlet, PeerGone};

/// What a channel is used for. Dropping it ends that use.
pub(super) enum ChannelUse {
    Nothing,
    Sftp { front: Box<Front>, forwarder: OwnedTask },
    Exec(OwnedTask),
}

/// A task that ends with its owner.
pub(super) struct OwnedTask(JoinHandle<()>);

impl OwnedTask {
    pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> OwnedTask {
        OwnedTask(tokio::spawn(future))
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ChannelUse {
    /// The server has closed the channel; russh doesn't report the client's answer to that.
    pub(super) fn is_over(&self) -> bool {
        match self {
            ChannelUse::Nothing => false,
            ChannelUse::Sftp { forwarder: task, .. } | ChannelUse::Exec(task) => task.0.is_finished(),
        }
    }
}

/// Carries the worker's replies to the client, then closes the channel.
pub(super) async fn forward(mut outbox: Outbox, handle: Handle, channel: ChannelId) {
    while let Some(batch) = outbox.next().await {
        if handle.data(channel, batch).await.is_err() {
            return;
        }
    }
    finish(&handle, channel, 0).await;
}

/// Each step fails only when the session is gone, and then nobody is left to tell.
async fn finish(handle: &Handle, channel: ChannelId, status: u32) {
    let _ = handle.exit_status_request(channel, status).await;
    let _ = handle.eof(channel).await;
    let _ = handle.close(channel).await;
}

/// Answers an exec request that has been accepted.
pub(super) async fn answer_exec(outcome: impl Future<Output = Outcome>, handle: Handle, channel: ChannelId) {
    let outcome = outcome.await;
    let _ = handle.data(channel, outcome.stdout).await;
    let _ = handle.extended_data(channel, 1, outcome.stderr).await;
    finish(&handle, channel, outcome.status).await;
}

/// The session's own way to its client, open while a packet is handled.
pub(super) struct SessionOutlet<'a> {
    pub(super) session: &'a mut Session,
    pub(super) channel: ChannelId,
}

impl Outlet for SessionOutlet<'_> {
    fn send(&mut self, packets: Bytes) -> Result<(), PeerGone> {
        self.session.data(self.channel, packets).map_err(|_| PeerGone)
    }

    fn is_deaf(&self) -> bool {
        self.session.has_pending_data(self.channel)
    }
}
