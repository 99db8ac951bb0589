//! The listening server: accepts connections, owns their tasks, stops in good order.
//!
//! Every task has an owner: the accept loop owns one task for each connection, that task waits for russh's session (which
//! it can end by shutting the socket down), the session's handler owns the channels, and [`Workers`] owns the blocking work.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::keys::PrivateKey;
use russh::server::{Config, RunningSession, run_stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use super::algorithms;
use super::auth::Doorkeeper;
use super::handler::{ConnectionHandler, Context};
use super::limits::{ACCEPT_PAUSE, FAREWELL, STOP_POLL, SshSettings};
use super::sessions::{Admission, Sessions};
use crate::sftp::engine::Workers;

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not this machine's.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// There has to be one.
    #[error("no host key is configured")]
    NoHostKey,
}

/// A running SSH server. Dropping it ends every connection at once; [`Server::shutdown`] is the way to stop it.
pub struct Server {
    local_address: SocketAddr,
    sessions: Sessions,
    workers: Workers,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on `address` (port 0: any) with the given host keys.
    pub async fn start(
        address: SocketAddr,
        host_keys: Vec<PrivateKey>,
        settings: SshSettings,
        door: Arc<dyn Doorkeeper>,
    ) -> Result<Server, StartError> {
        if host_keys.is_empty() {
            return Err(StartError::NoHostKey);
        }
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let local_address = listener.local_addr().map_err(failed)?;
        let workers = Workers::new(tokio::runtime::Handle::current());
        let config = algorithms::config(&settings, host_keys);
        let context = Arc::new(Context {
            settings,
            door,
            workers: workers.clone(),
        });
        let sessions = Sessions::default();
        let (stop, stopping) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, config, context, sessions.clone(), stopping));
        Ok(Server {
            local_address,
            sessions,
            workers,
            stop,
            accepting,
        })
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Who is logged in.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Stops: no new connections; sessions in which nothing is under way end at once, the others when they have come to
    /// rest or when `grace` is over (open uploads are then parked). Returns when all work has ended.
    pub async fn shutdown(mut self, grace: Duration) {
        const WORDS: &str =
            "The server is stopping. What was uploaded so far is kept; reconnect in a while to go on.";
        self.stop.send_replace(true);
        let deadline = Instant::now() + grace;
        while self.sessions.end(WORDS, Instant::now() >= deadline) > 0 {
            sleep(STOP_POLL).await;
        }
        // An error means that the loop panicked; its connections are over then, too.
        let _ = (&mut self.accepting).await;
        self.workers.finish().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until told to stop, then waits for the connections.
async fn accept(
    listener: TcpListener,
    config: Arc<Config>,
    context: Arc<Context>,
    sessions: Sessions,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            // An error means that the server was dropped.
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match sessions.admit(peer, &context.settings) {
            Ok(admission) => {
                connections.spawn(serve(stream, config.clone(), context.clone(), admission));
            }
            Err(reason) => tracing::warn!(%reason, "a connection is refused"),
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A second handle on the socket, with which the connection can be cut whatever its session is doing. Dropping it cuts.
struct Cut(std::net::TcpStream);

impl Cut {
    fn of(stream: TcpStream) -> std::io::Result<(TcpStream, Cut)> {
        let stream = stream.into_std()?;
        let cut = Cut(stream.try_clone()?);
        Ok((TcpStream::from_std(stream)?, cut))
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        // An error means that it is cut already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// One connection from its first byte to its end.
async fn serve(stream: TcpStream, config: Arc<Config>, context: Arc<Context>, admission: Admission) {
    let connection = admission.connection.clone();
    let login_deadline = Instant::now() + context.settings.login_time;
    let prepared = stream.set_nodelay(true).and_then(|()| Cut::of(stream));
    let (stream, cut) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return tracing::warn!(%error, "a connection can't be set up"),
    };
    let handler = ConnectionHandler::new(context, connection.clone());
    let starting = run_stream(config, stream, handler);
    let mut session = tokio::select! {
        started = timeout_at(login_deadline, starting) => match started {
            Ok(Ok(session)) => session,
            Ok(Err(_)) | Err(_) => return,
        },
        _ = connection.ending() => return,
    };
    let late = async {
        tokio::time::sleep_until(login_deadline).await;
        if connection.login().is_some() {
            std::future::pending::<()>().await;
        }
    };
    let words = tokio::select! {
        ended = &mut session => return report(ended),
        words = connection.ending() => words,
        () = late => "Too much time has passed without a login.".to_owned(),
    };
    if let Some(ended) = say_goodbye(&mut session, words).await {
        return report(ended);
    }
    drop(cut);
    report(session.await);
}

/// Lets the client know, if it listens and the session has time for it. `None` when the session is still there.
async fn say_goodbye(
    session: &mut RunningSession<ConnectionHandler>,
    words: String,
) -> Option<Result<(), russh::Error>> {
    let handle = session.handle();
    let goodbye = async {
        // An error means that the session has just ended.
        let _ = handle
            .disconnect(Disconnect::ByApplication, words, "en".to_owned())
            .await;
        // It reads on until the client hangs up.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = session => Some(ended),
        () = goodbye => None,
        () = sleep(FAREWELL) => None,
    }
}

fn report(ended: Result<(), russh::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
