//! Refused sign-ins, on their way to the record.
//!
//! They go through a queue, because a commit takes longer than a count: somebody who measures answers would learn from the
//! difference which names exist. Whether a refusal gets on record changes nothing about it.

use crate::access::refusals::{Refusals, Refused};
use std::{
    net::IpAddr,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};

/// Refusals that wait for the log; more than the throttle lets happen while one commit takes its time.
const QUEUE_LIMIT: usize = 1_024;
/// What was tried, in the record.
const WHAT: &str = "sign_in";

/// Why somebody wasn't let in, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Name, password, code, passkey or invitation was wrong.
    Wrong,
    /// A passkey's counter went back: there are two of it.
    Clone,
    /// No token of the API, or one with a wrong secret.
    TokenWrong,
    /// A token of the API that counts no longer.
    TokenEnded,
}

impl Why {
    /// As the log says it.
    pub fn id(self) -> &'static str {
        match self {
            Why::Wrong => "wrong",
            Why::Clone => "passkey_clone",
            Why::TokenWrong => "token_wrong",
            Why::TokenEnded => "token_ended",
        }
    }
}

/// A refused try.
#[derive(Clone, Debug)]
pub struct RefusedSignIn {
    /// Whose name, passkey or token it was, where it is anybody's.
    pub person: Option<String>,
    /// From where.
    pub address: IpAddr,
    /// Why.
    pub why: Why,
}

/// Is told of refusals. It returns at once.
pub trait Recorder: Send + Sync {
    /// Somebody wasn't let in.
    fn refused(&self, refused: RefusedSignIn);
}

/// Puts refused sign-ins on record, one after another, on a thread of its own. Dropping it finishes what is queued.
pub struct RefusalQueue {
    queue: Option<SyncSender<RefusedSignIn>>,
    thread: Option<JoinHandle<()>>,
}

impl RefusalQueue {
    /// Into this record.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(refusals: Refusals) -> std::io::Result<Self> {
        let (queue, refused) = sync_channel::<RefusedSignIn>(QUEUE_LIMIT);
        let thread = std::thread::Builder::new()
            .name("refusals".to_owned())
            .spawn(move || {
                for RefusedSignIn { person, why, .. } in refused {
                    refusals.record(Refused {
                        person,
                        what: WHAT.to_owned(),
                        evidence: None,
                        why: why.id().to_owned(),
                    });
                }
            })?;
        Ok(RefusalQueue {
            queue: Some(queue),
            thread: Some(thread),
        })
    }
}

impl Recorder for RefusalQueue {
    fn refused(&self, refused: RefusedSignIn) {
        // What a stranger claims to be called isn't logged: it may be a password typed into the wrong field.
        tracing::info!(peer = %refused.address, why = refused.why.id(), "a sign-in was refused");
        let queued = self.queue.as_ref().map(|queue| queue.try_send(refused));
        if let Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) = queued {
            tracing::error!("a refused sign-in couldn't be put on record: too many wait");
        }
    }
}

impl Drop for RefusalQueue {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
