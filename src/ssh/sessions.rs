//! The connections that are alive: who, from where, since when; and how to end them.
//!
//! Invariant: a connection is listed from before its first byte until its last task has ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

use super::auth::Login;
use super::limits::SshSettings;
use crate::sftp::engine::ChannelControl;

/// One logged-in session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Unique while the server runs.
    pub id: u64,
    /// Who, and from where.
    pub login: Login,
    /// When they logged in.
    pub since: SystemTime,
}

/// In front of the number of a session; an id of ours has no dash.
const NAME_START: &str = "ssh-";

/// What a session is called beside sessions of other edges.
pub fn session_name(id: u64) -> String {
    format!("{NAME_START}{id}")
}

/// The session with this name; `None` when it can't be one of these.
pub fn session_of_name(name: &str) -> Option<u64> {
    let id = name.strip_prefix(NAME_START)?.parse().ok()?;
    (session_name(id) == name).then_some(id)
}

/// The registry. Clones share it.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<Registry>>);

#[derive(Default)]
struct Registry {
    last_id: u64,
    live: BTreeMap<u64, Arc<Connection>>,
}

/// Why a connection isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAdmitted {
    #[error("too many connections")]
    Full,
    #[error("too many connections from one address")]
    FullForAddress,
}

impl Sessions {
    /// Sessions logged in, oldest first.
    pub fn list(&self) -> Vec<SessionInfo> {
        self.registry()
            .live
            .values()
            .filter_map(|connection| connection.info())
            .collect()
    }

    /// How many sessions are logged in.
    pub fn count(&self) -> usize {
        self.registry()
            .live
            .values()
            .filter(|connection| connection.login.get().is_some())
            .count()
    }

    /// Ends every session of a person, at once: requests that wait are dropped, open uploads are parked, the client reads
    /// `message`. Returns how many sessions there were. The doorkeeper has to refuse the person before this is called.
    pub fn kill_person(&self, person_id: &str, message: &str) -> usize {
        let registry = self.registry();
        let theirs = |connection: &&Arc<Connection>| {
            connection
                .login
                .get()
                .is_some_and(|(login, _)| login.person_id == person_id)
        };
        let theirs = registry.live.values().filter(theirs);
        theirs.inspect(|connection| connection.revoke(message)).count()
    }

    /// Ends one session in the same way; says whether there was one.
    pub fn kill(&self, id: u64, message: &str) -> bool {
        let registry = self.registry();
        let found = registry
            .live
            .get(&id)
            .filter(|connection| connection.login.get().is_some());
        found.inspect(|connection| connection.revoke(message)).is_some()
    }

    pub(super) fn admit(&self, peer: SocketAddr, settings: &SshSettings) -> Result<Admission, NotAdmitted> {
        let mut registry = self.registry();
        if registry.live.len() >= settings.max_connections {
            return Err(NotAdmitted::Full);
        }
        let address = peer.ip().to_canonical();
        let same = registry
            .live
            .values()
            .filter(|other| other.peer.ip().to_canonical() == address)
            .count();
        if same >= settings.max_connections_per_address {
            return Err(NotAdmitted::FullForAddress);
        }
        registry.last_id += 1;
        let connection = Arc::new(Connection::new(registry.last_id, peer));
        registry.live.insert(connection.id, connection.clone());
        Ok(Admission {
            sessions: self.clone(),
            connection,
        })
    }

    /// Ends connections in which nothing is under way, or all of them. Returns how many are still there.
    pub(super) fn end(&self, message: &str, all: bool) -> usize {
        let registry = self.registry();
        let ending = registry
            .live
            .values()
            .filter(|connection| all || connection.is_idle());
        ending.for_each(|connection| connection.end(message));
        registry.live.len()
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection listed until dropped.
pub(super) struct Admission {
    sessions: Sessions,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.sessions.registry().live.remove(&self.connection.id);
    }
}

/// What is known of a connection, shared by its handler, its task and the registry.
pub(super) struct Connection {
    id: u64,
    pub(super) peer: SocketAddr,
    login: OnceLock<(Login, SystemTime)>,
    channels: Mutex<Vec<ChannelControl>>,
    revoked: AtomicBool,
    farewell: watch::Sender<Option<String>>,
}

impl Connection {
    fn new(id: u64, peer: SocketAddr) -> Connection {
        Connection {
            id,
            peer,
            login: OnceLock::new(),
            channels: Mutex::default(),
            revoked: AtomicBool::new(false),
            farewell: watch::Sender::new(None),
        }
    }

    /// What the session is called beside sessions of other edges: see [`session_name`].
    pub(super) fn name(&self) -> String {
        session_name(self.id)
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.get().map(|(login, _)| login)
    }

    /// The one login of this connection; a second one changes nothing.
    pub(super) fn log_in(&self, login: Login) {
        let _ = self.login.set((login, SystemTime::now()));
    }

    pub(super) fn add_channel(&self, channel: ChannelControl) {
        let mut channels = self.channels();
        channels.retain(|channel| !channel.has_ended());
        channels.push(channel.clone());
        drop(channels);
        if self.revoked.load(Ordering::SeqCst) {
            channel.revoke();
        }
    }

    /// The first message stands.
    pub(super) fn end(&self, message: &str) {
        self.farewell.send_if_modified(|farewell| {
            let first = farewell.is_none();
            if first {
                *farewell = Some(message.to_owned());
            }
            first
        });
    }

    /// Ends when the connection is to end, with the words for the client.
    pub(super) async fn ending(&self) -> String {
        let mut receiver = self.farewell.subscribe();
        match receiver.wait_for(Option::is_some).await {
            Ok(message) => message.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    fn revoke(&self, message: &str) {
        self.revoked.store(true, Ordering::SeqCst);
        self.channels().iter().for_each(ChannelControl::revoke);
        self.end(message);
    }

    fn is_idle(&self) -> bool {
        self.channels().iter().all(ChannelControl::is_idle)
    }

    fn info(&self) -> Option<SessionInfo> {
        let (login, since) = self.login.get()?;
        Some(SessionInfo {
            id: self.id,
            login: login.clone(),
            since: *since,
        })
    }

    fn channels(&self) -> MutexGuard<'_, Vec<ChannelControl>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 4000))
    }

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let sessions = Sessions::default();
        let settings = SshSettings {
            max_connections: 3,
            max_connections_per_address: 2,
            ..SshSettings::default()
        };
        let first = sessions.admit(peer(1), &settings).unwrap();
        let _second = sessions.admit(peer(1), &settings).unwrap();
        assert_eq!(
            sessions.admit(peer(1), &settings).err(),
            Some(NotAdmitted::FullForAddress)
        );
        let _third = sessions.admit(peer(2), &settings).unwrap();
        assert_eq!(sessions.admit(peer(3), &settings).err(), Some(NotAdmitted::Full));
        drop(first);
        assert!(sessions.admit(peer(1), &settings).is_ok());
    }

    #[test]
    fn only_the_person_s_sessions_end() {
        let sessions = Sessions::default();
        let settings = SshSettings::default();
        let log_in = |person: &str, last| {
            let admission = sessions.admit(peer(last), &settings).unwrap();
            admission.connection.log_in(Login {
                person_id: person.to_owned(),
                user_name: person.to_owned(),
                key_fingerprint: "SHA256:x".to_owned(),
                by_certificate: false,
                peer: peer(last),
            });
            admission
        };
        let (a, b, c) = (log_in("a", 1), log_in("b", 2), log_in("a", 3));
        let _stranger = sessions.admit(peer(4), &settings).unwrap();
        assert_eq!(sessions.count(), 3);
        assert_eq!(sessions.list()[1].login.person_id, "b");
        assert_eq!(sessions.kill_person("a", "gone"), 2);
        let ended = |admission: &Admission| admission.connection.farewell.borrow().clone();
        assert_eq!(
            (ended(&a), ended(&b), ended(&c)),
            (Some("gone".into()), None, Some("gone".into()))
        );
    }
}
