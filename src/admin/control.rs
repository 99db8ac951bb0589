//! The control socket: how a command reaches the server that holds the vault. One JSON line each way.
//!
//! It must never know what a request means. Limits are all here: [`LINE_LIMIT`], [`EXCHANGE_LIMIT`], one exchange at a
//! time. Invariant: nothing is parsed before the kernel has said that the peer is this server's user or root.

use super::{AdminError, Request, Response};
use rustix::{
    fs::{Mode, OFlags},
    net::sockopt::socket_peercred,
    process::geteuid,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// The socket's name in the vault's folder.
pub const SOCKET: &str = "control.sock";
/// Bytes of a request at the most: a large table of document types, escaped. Answers come from the server, which the client trusts to be of the same user.
pub const LINE_LIMIT: usize = 1024 * 1024;
/// How long a peer may take to send its request, and to take its answer.
pub const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client waits for the answer: a commit on a slow disk, behind others.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// Bytes of an answer at the most: every live session of a full server.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Room that a line gets at once. Lines with keys in them fit, so that growing leaves no copy of one behind.
const SECRET_LINE: usize = 16 * 1024;
/// Pause after a failure to accept, which is out of descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What goes back over the socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Response),
    /// Words for the operator: it isn't permitted or possible.
    Refused(String),
    /// It couldn't be done.
    Failed(String),
}

/// Why a server couldn't be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No server listens there.
    #[error("no server is running on this vault")]
    NoServer,
    /// The server said no, with the reason and what to do.
    #[error("{0}")]
    Refused(String),
    /// The server couldn't do it.
    #[error("the running server couldn't do it: {0}")]
    Failed(String),
    /// The exchange broke off: whether the request was carried out is open.
    #[error(
        "the exchange with the running server broke off ({0}): look with `muniment … list` whether the change was made"
    )]
    Broken(io::Error),
    /// The socket can't be used by this user.
    #[error("the server's control socket can't be used ({0}): run this as the server's user or as root")]
    Denied(io::Error),
    /// More than fits into one request.
    #[error("the request is larger than {LINE_LIMIT} bytes")]
    TooLarge,
}

/// The accepting side, until dropped.
pub struct ControlServer {
    path: PathBuf,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Listens in the vault's folder and answers requests with `handle`, one after another on a thread of its own.
    /// The caller holds the vault's lock: a socket that lies there is a dead server's and is replaced.
    ///
    /// # Errors
    /// When the socket can't be made.
    pub fn start(
        vault: &Path,
        handle: impl Fn(Request) -> Result<Response, AdminError> + Send + 'static,
    ) -> io::Result<Self> {
        let path = vault.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = at_short_path(vault, |short| UnixListener::bind(short))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                for connection in listener.incoming() {
                    if stop.load(Ordering::Acquire) {
                        return;
                    }
                    let exchanged = match connection {
                        Ok(connection) => exchange(connection, &handle),
                        Err(error) => {
                            std::thread::sleep(ACCEPT_PAUSE);
                            Err(error)
                        }
                    };
                    if let Err(error) = exchanged {
                        tracing::warn!(%error, "a control connection ended without an answer");
                    }
                }
            })?;
        Ok(ControlServer {
            path,
            stopping,
            thread: Some(thread),
        })
    }

    /// Finishes the exchange in hand and removes the socket.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stopping.store(true, Ordering::Release);
        // Wakes the accept. Where that fails the socket is gone already and so is the thread's purpose.
        if let Some(vault) = self.path.parent()
            && at_short_path(vault, |short| UnixStream::connect(short)).is_ok()
        {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn exchange(
    mut connection: UnixStream,
    handle: &impl Fn(Request) -> Result<Response, AdminError>,
) -> io::Result<()> {
    let peer = socket_peercred(&connection)?;
    if !peer.uid.is_root() && peer.uid != geteuid() {
        tracing::warn!(
            uid = peer.uid.as_raw(),
            "a control connection by another user was refused"
        );
        return Ok(());
    }
    let deadline = Instant::now() + EXCHANGE_LIMIT;
    let answer = match read_line(&mut connection, LINE_LIMIT, deadline)? {
        None => return Ok(()),
        Some(line) => match parse::<Request>(&line) {
            Err(error) => Answer::Failed(format!(
                "the request isn't understood ({error}): is the command of the server's version?"
            )),
            Ok(request) => match handle(request) {
                Ok(response) => Answer::Done(response),
                Err(AdminError::Refused(words)) => Answer::Refused(words),
                Err(error) => Answer::Failed(error.to_string()),
            },
        },
    };
    connection.set_write_timeout(Some(EXCHANGE_LIMIT))?;
    write_line(&mut connection, &answer)
}

/// Asks the server that holds the vault.
///
/// # Errors
/// When there is none, or it refuses, or can't be talked to.
pub fn ask(vault: &Path, request: &Request) -> Result<Response, ControlError> {
    let mut connection =
        at_short_path(vault, |short| UnixStream::connect(short)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NoServer,
            _ => ControlError::Denied(error),
        })?;
    let line = line_of(request).map_err(ControlError::Broken)?;
    if line.len() > LINE_LIMIT {
        return Err(ControlError::TooLarge);
    }
    let exchanged = connection
        .set_write_timeout(Some(EXCHANGE_LIMIT))
        .and_then(|()| connection.write_all(&line))
        .and_then(|()| read_line(&mut connection, ANSWER_BYTES, Instant::now() + ANSWER_LIMIT))
        .and_then(|line| line.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof)))
        .and_then(|line| parse(&line).map_err(io::Error::other));
    match exchanged.map_err(ControlError::Broken)? {
        Answer::Done(response) => Ok(response),
        Answer::Refused(words) => Err(ControlError::Refused(words)),
        Answer::Failed(words) => Err(ControlError::Failed(words)),
    }
}

/// Names the socket through a descriptor of its folder: a socket's path has 108 bytes, a vault's path may have more.
fn at_short_path<T>(vault: &Path, use_path: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = File::from(rustix::fs::open(vault, flags, Mode::empty())?);
    use_path(
        &Path::new("/proc/self/fd")
            .join(folder.as_raw_fd().to_string())
            .join(SOCKET),
    )
}

/// One line without its end; `None` when the peer left without sending any.
fn read_line(
    connection: &mut UnixStream,
    limit: usize,
    deadline: Instant,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(SECRET_LINE));
    let mut block = Zeroizing::new([0; 4096]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.set_read_timeout(Some(left))?;
        let count = match connection.read(block.as_mut_slice()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            other => other?,
        };
        if count == 0 {
            return if line.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        line.extend_from_slice(&block[..count]);
        if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
            line.truncate(end);
            return Ok(Some(line));
        }
        if line.len() > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
        }
    }
}

fn write_line(connection: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    connection.write_all(&line_of(value)?)
}

/// A value as a line with its end.
fn line_of(value: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(SECRET_LINE));
    serde_json::to_writer(&mut *line, value)?;
    line.push(b'\n');
    Ok(line)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(request: Request) -> Result<Response, AdminError> {
        match request {
            Request::BranchAdd { code, .. } if code == "no" => {
                Err(AdminError::Refused("not that one".to_owned()))
            }
            Request::BranchAdd { code, .. } => Ok(Response::BranchAdded { code, leaf: 7 }),
            _ => Err(AdminError::Random),
        }
    }

    fn branch(code: &str) -> Request {
        Request::BranchAdd {
            code: code.to_owned(),
            name: "总部".to_owned(),
        }
    }

    /// A vault's folder deeper than a socket's path can be long.
    fn deep() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("v".repeat(120));
        fs::create_dir(&vault).unwrap();
        (folder, vault)
    }

    #[test]
    fn answers_refusals_and_failures_arrive_as_such() {
        let (_folder, vault) = deep();
        assert!(matches!(
            ask(&vault, &branch("0101")),
            Err(ControlError::NoServer)
        ));
        let mut server = ControlServer::start(&vault, echo).unwrap();
        assert_eq!(
            fs::metadata(vault.join(SOCKET)).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            ask(&vault, &branch("0101")).unwrap(),
            Response::BranchAdded {
                code: "0101".to_owned(),
                leaf: 7
            }
        );
        assert!(
            matches!(ask(&vault, &branch("no")), Err(ControlError::Refused(words)) if words == "not that one")
        );
        assert!(matches!(
            ask(&vault, &Request::Sessions),
            Err(ControlError::Failed(_))
        ));
        server.stop();
        assert!(!vault.join(SOCKET).exists());
        assert!(matches!(
            ask(&vault, &branch("0101")),
            Err(ControlError::NoServer)
        ));
    }

    #[test]
    fn a_dead_servers_socket_is_replaced_and_noise_doesnt_end_the_service() {
        let (_folder, vault) = deep();
        drop(at_short_path(&vault, |short| UnixListener::bind(short)).unwrap());
        assert!(matches!(
            ask(&vault, &branch("0101")),
            Err(ControlError::NoServer)
        ));
        let _server = ControlServer::start(&vault, echo).unwrap();
        for noise in [&b"\n"[..], b"{}\n", b"half a line", &[b'x'; LINE_LIMIT + 10]] {
            let mut peer = at_short_path(&vault, |short| UnixStream::connect(short)).unwrap();
            // The server may hang up in the middle of the longest one.
            let _ = peer.write_all(noise);
        }
        let large = Request::BranchAdd {
            code: "x".to_owned(),
            name: "x".repeat(LINE_LIMIT),
        };
        assert!(matches!(ask(&vault, &large), Err(ControlError::TooLarge)));
        assert!(ask(&vault, &branch("0101")).is_ok());
    }
}
