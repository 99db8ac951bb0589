//! One connection's side of russh: decides what a client may ask for, and drives the SFTP engine.
//!
//! Invariant: nothing but the SFTP subsystem and `sha256sum` is ever carried out, and nothing at all before login.

use std::collections::HashMap;
use std::sync::Arc;

use russh::keys::{Certificate, HashAlg, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::task::spawn_blocking;

use super::auth::{Doorkeeper, Login, judge_key};
use super::channels::{ChannelUse, OwnedTask, SessionOutlet, answer_exec, forward};
use super::exec::{self, Outcome};
use super::limits::{MAX_CHANNELS, SshSettings};
use super::sessions::Connection;
use crate::sftp::engine::{self, Workers};

/// What all connections share.
pub(super) struct Context {
    pub(super) settings: SshSettings,
    pub(super) door: Arc<dyn Doorkeeper>,
    pub(super) workers: Workers,
}

/// State of one connection.
pub(super) struct ConnectionHandler {
    context: Arc<Context>,
    connection: Arc<Connection>,
    channels: HashMap<ChannelId, ChannelUse>,
}

type Done = Result<(), russh::Error>;

impl ConnectionHandler {
    pub(super) fn new(context: Arc<Context>, connection: Arc<Connection>) -> Self {
        ConnectionHandler {
            context,
            connection,
            channels: HashMap::new(),
        }
    }

    /// Asks the doorkeeper on a blocking thread. A panic there is a refusal.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Doorkeeper) -> T + Send + 'static,
    ) -> Option<T> {
        let door = self.context.door.clone();
        spawn_blocking(move || question(&*door)).await.ok()
    }

    async fn person_with_key(&self, user: &str, key: &PublicKey) -> Option<Login> {
        let (user, key, peer) = (user.to_owned(), key.clone(), self.connection.peer);
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        self.ask(move |door| door.by_key(&user, &fingerprint, &key, peer))
            .await
            .flatten()
    }

    async fn refuse(&self, user: &str, method: &'static str, reason: String) -> Auth {
        let (user, peer) = (user.to_owned(), self.connection.peer);
        self.ask(move |door| door.refused(&user, method, peer, &reason))
            .await;
        Auth::reject()
    }

    async fn start_sftp(&mut self, channel: ChannelId, session: &mut Session) -> Done {
        let Some(login) = self.connection.login().cloned() else {
            return session.channel_failure(channel);
        };
        let name = self.connection.name();
        match self.ask(move |door| door.open_space(&login, &name)).await {
            Some(Ok(space)) => {
                let (front, outbox) = engine::start(space, &self.context.workers);
                self.connection.add_channel(outbox.control());
                session.channel_success(channel)?;
                let forwarder = OwnedTask::spawn(forward(outbox, session.handle(), channel));
                self.channels.insert(
                    channel,
                    ChannelUse::Sftp {
                        front: Box::new(front),
                        forwarder,
                    },
                );
                Ok(())
            }
            Some(Err(error)) => {
                session.channel_success(channel)?;
                self.dismiss(channel, &error.message, session)
            }
            None => session.channel_failure(channel),
        }
    }

    /// Ends a channel from here, with words on stderr.
    fn dismiss(&mut self, channel: ChannelId, words: &str, session: &mut Session) -> Done {
        self.channels.remove(&channel);
        session.extended_data(channel, 1, format!("{words}\r\n").into_bytes())?;
        session.exit_status_request(channel, 1)?;
        session.eof(channel)?;
        session.close(channel)
    }

    fn is_unused(&self, channel: ChannelId) -> bool {
        matches!(self.channels.get(&channel), Some(ChannelUse::Nothing))
    }
}

impl Handler for ConnectionHandler {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        if let Err(weak) = judge_key(offer.public_key.key_data(), Some(offer.algorithm)) {
            return Ok(self.refuse(user, "publickey", weak.to_string()).await);
        }
        // Here a certificate can't be told from its bare key; the signature that follows decides.
        if self.context.settings.certificates || self.person_with_key(user, offer.public_key).await.is_some()
        {
            return Ok(Auth::Accept);
        }
        Ok(self
            .refuse(user, "publickey", "unknown user or key".to_owned())
            .await)
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if let Err(weak) = judge_key(key.public_key.key_data(), Some(key.algorithm)) {
            return Ok(self.refuse(user, "publickey", weak.to_string()).await);
        }
        match self.person_with_key(user, key.public_key).await {
            Some(login) => {
                self.connection.log_in(login);
                Ok(Auth::Accept)
            }
            None => Ok(self
                .refuse(user, "publickey", "unknown user or key".to_owned())
                .await),
        }
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        if !self.context.settings.certificates {
            return Ok(self
                .refuse(user, "certificate", "certificates aren't accepted".to_owned())
                .await);
        }
        let (name, shown, peer) = (user.to_owned(), certificate.clone(), self.connection.peer);
        match self
            .ask(move |door| door.by_certificate(&name, &shown, peer))
            .await
            .flatten()
        {
            Some(login) => {
                self.connection.log_in(login);
                Ok(Auth::Accept)
            }
            None => Ok(self
                .refuse(user, "certificate", "certificate not accepted".to_owned())
                .await),
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Done {
        self.channels.retain(|_, channel| !channel.is_over());
        if self.connection.login().is_none() {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        } else if self.channels.len() >= MAX_CHANNELS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
        } else {
            self.channels.insert(channel.id(), ChannelUse::Nothing);
            reply.accept().await;
        }
        Ok(())
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, session: &mut Session) -> Done {
        if name == "sftp" && self.is_unused(channel) {
            self.start_sftp(channel, session).await
        } else {
            session.channel_failure(channel)
        }
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Done {
        let Some(ChannelUse::Sftp { front, .. }) = self.channels.get_mut(&channel) else {
            return Ok(());
        };
        let mut outlet = SessionOutlet { session, channel };
        match front.feed(data, &mut outlet).await {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "an SFTP channel is closed");
                self.dismiss(channel, &format!("The channel is closed: {error}."), session)
            }
        }
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Done {
        match self.channels.get_mut(&channel) {
            Some(ChannelUse::Sftp { front, .. }) => front.finish(),
            Some(ChannelUse::Nothing) => {
                self.channels.remove(&channel);
                session.close(channel)?;
            }
            Some(ChannelUse::Exec(_)) | None => {}
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Done {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn exec_request(&mut self, channel: ChannelId, command: &[u8], session: &mut Session) -> Done {
        let Some(login) = self
            .connection
            .login()
            .filter(|_| self.is_unused(channel))
            .cloned()
        else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let handle = session.handle();
        let task = match exec::parse(command) {
            None => OwnedTask::spawn(answer_exec(async { exec::not_offered() }, handle, channel)),
            Some(files) => {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                let (door, name) = (self.context.door.clone(), self.connection.name());
                self.context.workers.run(move || {
                    let outcome = match door.open_space(&login, &name) {
                        Ok(mut space) => exec::sha256sum(&mut *space, &files),
                        Err(error) => Outcome {
                            stderr: format!("{}\n", error.message).into(),
                            status: 1,
                            ..Outcome::default()
                        },
                    };
                    // The client may have gone.
                    let _ = sender.send(outcome);
                });
                let outcome = async {
                    receiver.await.unwrap_or(Outcome {
                        status: 1,
                        ..Outcome::default()
                    })
                };
                OwnedTask::spawn(answer_exec(outcome, handle, channel))
            }
        };
        self.channels.insert(channel, ChannelUse::Exec(task));
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Done {
        if !self.is_unused(channel) {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        self.dismiss(
            channel,
            "There is no shell here. This server takes and shows files over SFTP.",
            session,
        )
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Done {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _auth_protocol: &str,
        _auth_cookie: &str,
        _screen_number: u32,
        session: &mut Session,
    ) -> Done {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Done {
        session.channel_failure(channel)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        session: &mut Session,
    ) -> Done {
        session.channel_failure(channel)
    }
}
