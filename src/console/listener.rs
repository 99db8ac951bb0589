//! The listening console: accepts connections, speaks TLS, owns their tasks, stops in good order.
//!
//! Every task has an owner: the accept loop owns one task for each connection, and that task drives HTTP on it. A peer that
//! says nothing, says it slowly, or takes nothing is cut off (`limits`).

use super::{
    Console, Parts,
    limits::{
        ACCEPT_PAUSE, HANDSHAKE_TIME, HEAD_TIME, MAX_BUFFER_BYTES, MAX_CONNECTIONS,
        MAX_CONNECTIONS_PER_ADDRESS, MAX_HEAD_BYTES, MAX_HEAD_FIELDS, SEND_BUFFER_BYTES, STALL_TIME,
        STOP_GRACE,
    },
    patient::Patient,
    routes::{Site, routes},
    session::Sessions,
    tls::{self, TlsError},
};
use crate::config::console::{ConsoleConfig, WebOrigin};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

/// Why the console can't start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The address is taken, or not this machine's.
    #[error("the console can't listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// It has no certificate.
    #[error("the console's certificate: {0}")]
    Tls(#[from] TlsError),
}

/// A running console. Dropping it ends every connection at once; [`ConsoleServer::shutdown`] is the way to stop it.
pub struct ConsoleServer {
    console: Arc<Console>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl ConsoleServer {
    /// Listens as configured.
    ///
    /// # Errors
    /// When the address or the certificate can't be used.
    pub async fn start(config: &ConsoleConfig, parts: Parts) -> Result<Self, ConsoleError> {
        let address = config.listen;
        let failed = |error| ConsoleError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let origin = config.origin(port);
        let identity = tls::identity(config, &origin, &parts.keys, parts.clock.as_ref())?;
        tracing::info!(
            %origin,
            certificate_sha256 = identity.fingerprint,
            self_made = identity.is_self_made,
            "console on {origin}"
        );
        let table = routes();
        let console = Arc::new(Console::new(config, origin, parts, &table));
        let site = Site::new(&console, table);
        let (stop, stopping) = watch::channel(false);
        let acceptor = TlsAcceptor::from(identity.config);
        let accepting = tokio::spawn(accept(listener, acceptor, site, stopping));
        Ok(ConsoleServer {
            console,
            stop,
            accepting,
        })
    }

    /// What browsers call it.
    pub fn origin(&self) -> &WebOrigin {
        &self.console.origin
    }

    /// Who is signed in.
    pub fn sessions(&self) -> &Sessions {
        &self.console.sessions
    }

    /// What the pages work with; its sessions outlive the listener.
    pub fn console(&self) -> &Arc<Console> {
        &self.console
    }

    /// Stops: no new connections, idle ones end at once, answers under way get a moment.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // An error means that the loop panicked; its connections are over then, too.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for ConsoleServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until told to stop, then waits for the connections.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    site: Site,
    mut stopping: watch::Receiver<bool>,
) {
    let seats = Seats::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            // An error means that the console was dropped.
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection to the console can't be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // What isn't admitted is closed unheard.
        if let Some(seat) = seats.take(peer.ip()) {
            connections.spawn(serve(
                stream,
                peer.ip(),
                seat,
                acceptor.clone(),
                site.clone(),
                stopping.clone(),
            ));
        } else {
            tracing::warn!("a connection to the console is refused: too many");
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection from its first byte to its end.
async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    _seat: Seat,
    acceptor: TlsAcceptor,
    site: Site,
    mut stopping: watch::Receiver<bool>,
) {
    // An error means that the peer is gone, which the handshake finds out.
    let _ = stream.set_nodelay(true);
    // Where the system refuses it keeps its own size: a slow peer then has more under way when its reading ends.
    let _ = sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES);
    let handshake = timeout(HANDSHAKE_TIME, acceptor.accept(Patient::new(stream, STALL_TIME)));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        _ = stopping.wait_for(|stop| *stop) => return,
    };
    let Ok(Ok(stream)) = shaken else {
        return tracing::debug!("a connection to the console ended before it was secure");
    };
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request, peer).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_headers(MAX_HEAD_FIELDS)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = stopping.wait_for(|stop| *stop) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(STOP_GRACE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the console ended");
    }
}

/// How many connections there are, and from where.
#[derive(Clone, Default)]
struct Seats(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; dropping it gives the place back.
struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    fn take(&self, peer: IpAddr) -> Option<Seat> {
        let address = counted_as(peer);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = taken.values().sum::<usize>() >= MAX_CONNECTIONS;
        let own = taken.get(&address).copied().unwrap_or(0);
        if is_full || own >= MAX_CONNECTIONS_PER_ADDRESS {
            return None;
        }
        taken.insert(address, own + 1);
        drop(taken);
        Some(Seat {
            seats: self.clone(),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.address);
            }
        }
    }
}

/// Addresses that one peer can change at will count as one: of IPv6 the first 64 bits.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_for_each_address_and_in_all() {
        let seats = Seats::default();
        let take = |address: &str| seats.take(address.parse().unwrap());
        let mut held: Vec<Seat> = (0..MAX_CONNECTIONS_PER_ADDRESS)
            .map(|n| take(&format!("2001:db8::{n:x}")).unwrap())
            .collect();
        assert!(take("2001:db8:0:0:ffff::1").is_none(), "the same network");
        held.push(take("2001:db8:0:1::1").unwrap());
        held.pop();
        for n in 0..MAX_CONNECTIONS - held.len() {
            held.push(take(&format!("10.0.{}.{}", n / 200, n % 200)).unwrap());
        }
        assert!(take("192.0.2.1").is_none(), "full");
        held.pop();
        assert!(take("192.0.2.1").is_some());
        held.clear();
        assert!(seats.0.lock().unwrap().is_empty());
    }
}
