//! What a worker tries, when its parent asks, to show that its sandbox refuses it: the proof is of the shipped program.
//!
//! Each attempt does the real thing, so that outside of a sandbox it succeeds; the tests here show that it does. Some end
//! the process, as they would end one that somebody has taken over. It must never be reachable but by a parent's job.

#![allow(unsafe_code)]

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType},
    process::Signal,
};
use std::{
    fs::File,
    io,
    os::{fd::BorrowedFd, unix::process::CommandExt},
    process::Command,
    ptr, thread,
    time::Duration,
};

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was refused.
    pub refused: bool,
    /// How.
    pub detail: String,
}

/// An attempt by its name.
pub type Attempt = (&'static str, fn() -> Outcome);

/// Bytes of a piece of memory that is asked for again and again.
const PIECE_BYTES: usize = 16 << 20;
/// Pieces after which memory counts as endless: 64 GiB.
const MAX_PIECES: usize = 4_096;
/// Threads after which threads count as endless.
const MAX_THREADS: usize = 1_024;
/// Descriptors that are looked at.
const DESCRIPTORS: i32 = 1_024;

/// Every attempt. Those of the first part must be refused or kill the process; those of the second are ways to misbehave.
pub const ATTEMPTS: &[Attempt] = &[
    ("open_file", || tried(File::open("/etc/passwd"))),
    ("read_proc", || tried(std::fs::read("/proc/self/status"))),
    ("create_file", || tried(File::create(scratch()))),
    ("list_folder", || tried(std::fs::read_dir("/"))),
    ("socket_inet", || socket(AddressFamily::INET)),
    ("socket_unix", || socket(AddressFamily::UNIX)),
    ("fork", fork),
    ("exec", || {
        let error = Command::new("/bin/true").exec();
        Outcome::refused(error)
    }),
    ("ptrace_parent", ptrace_parent),
    ("kill_parent", kill_parent),
    ("signal_itself", signal_itself),
    ("write_other_fd", write_other_fd),
    ("read_other_fd", read_other_fd),
    ("open_descriptors", open_descriptors),
    ("environment", environment),
    ("mmap_exec", || {
        map(
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            libc::MAP_PRIVATE,
        )
    }),
    ("mmap_shared", || {
        map(libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED)
    }),
    ("mprotect_exec", mprotect_exec),
    ("mount", mount),
    ("setuid_root", setuid_root),
    ("chroot", || tried(rustix::process::chroot("/"))),
    ("raise_limits", raise_limits),
    ("outlive_parent", || {
        tried(rustix::process::set_parent_process_death_signal(None))
    }),
    ("allocate_without_end", allocate_without_end),
    ("threads_without_end", threads_without_end),
    // Ways to misbehave.
    ("spin", spin),
    ("hang", || {
        loop {
            thread::sleep(Duration::from_secs(3_600));
        }
    }),
    ("garbage", || say(b"A\x09\0\0\0nonsense\n")),
    ("oversized", || say(b"A\xff\xff\xff\xff")),
    ("unasked_output", || say(b"O\x01\0\0\0x")),
    ("leave", || std::process::exit(0)),
    ("panic", || {
        let page = std::hint::black_box(vec!["customer data"]);
        Outcome::done(page[page.len()])
    }),
    ("abort", || std::process::abort()),
    ("segfault", segfault),
    ("exhaust", exhaust),
    ("chatter", chatter),
];

/// Tries what its parent asked for; nothing when there is no such attempt.
pub fn attempt(what: &str) -> Option<Outcome> {
    let (_, attempt) = ATTEMPTS.iter().find(|(name, _)| *name == what)?;
    Some(attempt())
}

impl Outcome {
    fn refused(how: impl std::fmt::Display) -> Self {
        Outcome {
            refused: true,
            detail: how.to_string(),
        }
    }

    fn done(what: impl std::fmt::Debug) -> Self {
        Outcome {
            refused: false,
            detail: format!("{what:?}"),
        }
    }
}

fn tried<T, E: std::fmt::Display>(result: Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::done("it went through"),
        Err(error) => Outcome::refused(error),
    }
}

/// What a call returned that answers with a number, negative for an error.
fn returned(number: libc::c_long) -> Outcome {
    if number < 0 {
        Outcome::refused(io::Error::last_os_error())
    } else {
        Outcome::done(number)
    }
}

fn scratch() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("muniment-attempt-{}", std::process::id()))
}

fn socket(family: AddressFamily) -> Outcome {
    tried(rustix::net::socket(family, SocketType::STREAM, None))
}

fn fork() -> Outcome {
    // SAFETY: the child makes one call that takes a number and never returns.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe { libc::_exit(0) };
    }
    returned(child.into())
}

fn parent() -> libc::pid_t {
    rustix::process::getppid().map_or(1, |parent| parent.as_raw_nonzero().get())
}

fn ptrace_parent() -> Outcome {
    let nothing: *mut libc::c_void = ptr::null_mut();
    // SAFETY: asks to trace a process; the two pointers aren't used by this request.
    returned(unsafe { libc::ptrace(libc::PTRACE_SEIZE, parent(), nothing, nothing) })
}

/// Signal 0 asks whether one could.
fn kill_parent() -> Outcome {
    match rustix::process::getppid() {
        Some(parent) => tried(rustix::process::test_kill_process(parent)),
        // A parent outside of what can be seen.
        None => tried(rustix::process::kill_process(
            rustix::process::Pid::INIT,
            Signal::TERM,
        )),
    }
}

/// A signal that would pass for somebody's from outside.
fn signal_itself() -> Outcome {
    let (process, thread) = (rustix::process::getpid(), rustix::thread::gettid());
    let (process, thread) = (process.as_raw_nonzero().get(), thread.as_raw_nonzero().get());
    // SAFETY: the call takes numbers only; the signal is one that does nothing unless somebody asked for it.
    returned(unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGWINCH) })
}

fn others() -> impl Iterator<Item = BorrowedFd<'static>> {
    // SAFETY: a number that may or may not be open; whoever uses it gets an error when it isn't, and nothing is closed.
    (3..DESCRIPTORS).map(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

fn write_other_fd() -> Outcome {
    let written = others().find_map(|other| rustix::io::write(other, b"from inside").ok());
    written.map_or_else(|| Outcome::refused(Errno::BADF), Outcome::done)
}

fn read_other_fd() -> Outcome {
    let mut byte = [0];
    let read = others().find_map(|other| rustix::io::read(other, &mut byte).ok());
    read.map_or_else(|| Outcome::refused(Errno::BADF), Outcome::done)
}

/// Looks at descriptors by a call that the filter lets through.
fn open_descriptors() -> Outcome {
    let open: Vec<_> = others()
        .filter(|other| rustix::fs::fstat(other).is_ok())
        .collect();
    if open.is_empty() {
        Outcome::refused("nothing is open but the three")
    } else {
        Outcome::done(open)
    }
}

fn environment() -> Outcome {
    match std::env::vars_os().next() {
        None => Outcome::refused("the environment is empty"),
        Some((name, _)) => Outcome::done(name),
    }
}

fn map(protection: libc::c_int, sharing: libc::c_int) -> Outcome {
    let flags = sharing | libc::MAP_ANONYMOUS;
    // SAFETY: new memory at an address that the kernel chooses; nobody uses it.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), 4_096, protection, flags, -1, 0) };
    returned(if mapped == libc::MAP_FAILED { -1 } else { 0 })
}

fn mprotect_exec() -> Outcome {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: new memory at an address that the kernel chooses.
    let mapped = unsafe {
        libc::mmap(
            ptr::null_mut(),
            4_096,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        return returned(-1);
    }
    // SAFETY: the page just mapped, which nobody uses.
    returned(unsafe { libc::mprotect(mapped, 4_096, libc::PROT_READ | libc::PROT_EXEC) }.into())
}

fn mount() -> Outcome {
    // SAFETY: all five are strings that end in zero, or nothing.
    let mounted = unsafe {
        libc::mount(
            c"none".as_ptr(),
            c"/tmp".as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            ptr::null(),
        )
    };
    returned(mounted.into())
}

fn setuid_root() -> Outcome {
    let root = rustix::thread::Uid::ROOT;
    tried(rustix::thread::set_thread_res_uid(root, root, root))
}

fn raise_limits() -> Outcome {
    let limit = rustix::process::Rlimit {
        current: None,
        maximum: None,
    };
    tried(rustix::process::setrlimit(rustix::process::Resource::Data, limit))
}

fn allocate_without_end() -> Outcome {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while pieces.len() < MAX_PIECES {
        let mut piece = Vec::new();
        if let Err(error) = piece.try_reserve_exact(PIECE_BYTES) {
            let held = pieces.len() * PIECE_BYTES;
            drop(pieces);
            return Outcome::refused(format!("{error} after {held} bytes"));
        }
        piece.resize(PIECE_BYTES, 1);
        pieces.push(piece);
    }
    Outcome::done(pieces.len())
}

/// As before, but as most code asks for memory: without a way to say no.
fn exhaust() -> Outcome {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while pieces.len() < MAX_PIECES {
        pieces.push(vec![1; PIECE_BYTES]);
    }
    Outcome::done(pieces.len())
}

fn threads_without_end() -> Outcome {
    let mut threads = Vec::new();
    while threads.len() < MAX_THREADS {
        let one = thread::Builder::new().stack_size(64 << 10).spawn(|| {
            loop {
                thread::park();
            }
        });
        match one {
            Ok(one) => threads.push(one),
            Err(error) => return Outcome::refused(format!("{error} after {} threads", threads.len())),
        }
    }
    Outcome::done(threads.len())
}

fn spin() -> Outcome {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

/// Speaks to the parent behind the protocol's back, then waits for what becomes of it.
fn say(bytes: &[u8]) -> Outcome {
    // SAFETY: standard input is the parent's socket in a worker, and stays open.
    let socket = unsafe { BorrowedFd::borrow_raw(0) };
    let said = rustix::io::write(socket, bytes);
    let mut answer = [0; 16];
    while rustix::io::read(socket, &mut answer).is_ok_and(|got| got > 0) {}
    tried(said)
}

fn segfault() -> Outcome {
    let nowhere = std::hint::black_box(8_usize) as *const u8;
    // SAFETY: not sound, and meant not to be: the first page is never mapped, so the kernel ends the process.
    Outcome::done(unsafe { nowhere.read_volatile() })
}

/// More on standard error than anybody wants to keep, with control characters in it.
fn chatter() -> Outcome {
    let line = [b"\x1b[31mred\x07 ".as_slice(), &[b'x'; 1_000], b"\n"].concat();
    // SAFETY: standard error stays open.
    let error = unsafe { BorrowedFd::borrow_raw(2) };
    for _ in 0..1_024 {
        match rustix::io::write(error, &line) {
            // Nobody listens any more, and it isn't held up for that.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(refused) => return Outcome::refused(refused),
        }
    }
    Outcome::done("all of it was said")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this, a refusal in the sandbox would prove nothing.
    #[test]
    fn outside_of_a_sandbox_they_succeed() {
        let harmless = [
            "open_file",
            "read_proc",
            "create_file",
            "list_folder",
            "socket_inet",
            "socket_unix",
            "fork",
            "kill_parent",
            "signal_itself",
            "environment",
            "mmap_exec",
            "mmap_shared",
            "mprotect_exec",
            "threads_without_end",
        ];
        for what in harmless {
            let outcome = attempt(what).unwrap();
            assert!(!outcome.refused, "{what}: {}", outcome.detail);
        }
        std::fs::remove_file(scratch()).unwrap();
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ATTEMPTS.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ATTEMPTS.len());
        assert_eq!(attempt("no such thing"), None);
    }
}
