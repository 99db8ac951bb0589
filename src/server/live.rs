//! The sessions that are open now, over both edges.

use crate::{
    access::{
        ReadingRoom,
        logins::{LiveSession, LiveSessions},
    },
    console::Console,
    ssh::{Sessions, session_name, session_of_name},
};
use std::{
    sync::{Arc, OnceLock, Weak},
    time::SystemTime,
};

fn since_ms(since: SystemTime) -> i64 {
    let elapsed = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// The sessions of both edges and the readings, as administration sees them.
pub(crate) struct Live {
    ssh: Sessions,
    /// There once it has started, until it ends.
    console: OnceLock<Weak<Console>>,
    room: Arc<ReadingRoom>,
}

impl Live {
    /// Those of SSH; the console's join them when it has started.
    pub(crate) fn new(ssh: Sessions, room: Arc<ReadingRoom>) -> Self {
        Live {
            ssh,
            console: OnceLock::new(),
            room,
        }
    }

    /// The console has started. Only the first word counts.
    pub(crate) fn join(&self, console: &Arc<Console>) {
        let _ = self.console.set(Arc::downgrade(console));
    }

    fn console(&self) -> Option<Arc<Console>> {
        self.console.get().and_then(Weak::upgrade)
    }
}

impl LiveSessions for Live {
    fn list(&self) -> Vec<LiveSession> {
        let by_ssh = self.ssh.list().into_iter().map(|session| LiveSession {
            id: session_name(session.id),
            edge: "sftp".to_owned(),
            name: session.login.user_name,
            address: session.login.peer.to_string(),
            since_ms: since_ms(session.since),
        });
        let by_console = self.console().map(|console| console.sessions.all());
        let by_console = by_console.into_iter().flatten().map(|session| LiveSession {
            id: session.id,
            edge: "console".to_owned(),
            name: session.name,
            address: session.address.to_string(),
            since_ms: session.started_ms,
        });
        let mut sessions: Vec<LiveSession> = by_ssh.chain(by_console).collect();
        sessions.sort_by_key(|session| session.since_ms);
        sessions
    }

    fn end(&self, id: &str, by: &str) -> bool {
        if let Some(number) = session_of_name(id) {
            self.room.reads.end_holder(id);
            return self.ssh.kill(
                number,
                "An administrator ended this session. What you uploaded so far is kept.",
            );
        }
        let console = self.console();
        console.is_some_and(|console| console.end_session(id, by))
    }

    fn kill_person(&self, person: &str, by: &str) -> usize {
        self.room.reads.end_person(person);
        let by_ssh = self.ssh.kill_person(
            person,
            "Your access was withdrawn. What you uploaded so far is kept.",
        );
        let by_console = self
            .console()
            .map_or(0, |console| console.end_person_by(person, by));
        by_ssh + by_console
    }

    fn kill_key(&self, person: &str, fingerprint: &str) -> usize {
        let theirs = self.ssh.list().into_iter().filter(|session| {
            let login = &session.login;
            login.person_id == person && login.key_fingerprint == fingerprint && !login.by_certificate
        });
        let ended = theirs.filter(|session| {
            self.room.reads.end_holder(&session_name(session.id));
            self.ssh.kill(
                session.id,
                "The key of this session was revoked. What you uploaded so far is kept.",
            )
        });
        ended.count()
    }
}
