//! System calls of the sandbox and of its parent that have no safe wrapper, one function each.
//!
//! Invariant: each function is safe to call from anywhere; what it needs to be so stands beside its unsafe block.

#![allow(unsafe_code)]

use rustix::{io::Errno, process::Pid, thread::UnshareFlags};
use std::{
    io,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::ExitStatus,
    time::Duration,
};

/// The first descriptor after standard input, output and error.
const FIRST_OTHER: libc::c_uint = 3;
/// `IOPRIO_WHO_PROCESS` with 0: the calling thread.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
/// `IOPRIO_CLASS_IDLE` in its place: only when nobody else wants the disk.
const IOPRIO_IDLE: libc::c_int = 3 << 13;
/// The lowest priority there is.
const LOWEST: i32 = 19;

fn result(returned: libc::c_long) -> io::Result<()> {
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Closes every descriptor but the three standard ones.
///
/// # Errors
/// When the kernel is older than 5.9.
pub(super) fn close_all_but_standard() -> io::Result<()> {
    // SAFETY: the call takes numbers only. Nothing owns a descriptor above 2 in a worker that has only just begun; the
    // caller is `enter`, which is documented to be the first act of the process.
    result(unsafe { libc::syscall(libc::SYS_close_range, FIRST_OTHER, libc::c_uint::MAX, 0) })
}

/// Leaves namespaces.
pub(super) fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    // SAFETY: unsafe only for `FILES`, which nobody here asks for.
    unsafe { rustix::thread::unshare_unsafe(flags - UnshareFlags::FILES) }
}

/// Puts the calling thread behind everything else that wants the processor or the disk. There may be no way back.
///
/// # Errors
/// When the kernel refuses.
pub(in crate::inspect) fn lower_this_thread() -> io::Result<()> {
    // On Linux, no process id means the calling thread, not its process.
    rustix::process::setpriority_process(None, LOWEST)?;
    // SAFETY: the call takes numbers only.
    result(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE) })
}

/// Puts this process, which has one thread, further back still: it gets a processor only while nobody else wants it. Not for
/// threads of the server, which hold locks that others wait for.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn lower_this_process() -> io::Result<()> {
    let thread = lower_this_thread();
    // SAFETY: a structure of numbers, for which zeroes are a value.
    let none: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value of the type that the call reads; 0 is the calling thread.
    let policy =
        result(unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_IDLE, &raw const none) });
    // Where the kernel shares processors out by session first, a priority counts within its session only, and a worker has
    // a session of its own; this is the session's. A kernel without that has no such file.
    let session = match std::fs::write("/proc/self/autogroup", LOWEST.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written,
    };
    thread.and(policy).and(session)
}

/// Standard input as the socket that it is.
///
/// # Errors
/// When it is something else: the program was started by hand.
pub(in crate::inspect) fn take_socket() -> io::Result<UnixStream> {
    // SAFETY: called once, by a worker's main, which never uses `std::io::stdin`; so this is the only owner.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(0) });
    match socket.peer_addr() {
        Ok(_) => Ok(socket),
        Err(error) => {
            // What isn't a socket isn't ours to close.
            std::mem::forget(socket);
            Err(error)
        }
    }
}

/// Forks. The new process is a child of this one's parent, who can wait for it and end it like this one. Nothing there, its number here.
///
/// # Errors
/// When the kernel refuses.
pub(in crate::inspect) fn fork_beside() -> io::Result<Option<Pid>> {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: without a stack and `CLONE_VM` the new process goes on here with a copy of this one's memory. The caller is a zygote, which
    // has one thread, so nothing in that memory was held by another. What the C library notes of a thread's own number stays
    // the zygote's, and only locks between processes look at that.
    let forked = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    match i32::try_from(forked) {
        Ok(number) if number >= 0 => Ok(Pid::from_raw(number)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::inspect) struct Usage {
    /// Processor time of all threads, in user and kernel.
    pub cpu: Duration,
    /// Most memory that it held at one time, in bytes.
    pub peak_bytes: u64,
}

/// Waits for a child's end, and reaps it.
///
/// # Errors
/// When it is no child of this process, or was reaped before.
pub(in crate::inspect) fn reap(child: Pid) -> io::Result<(ExitStatus, Usage)> {
    let mut status = 0;
    // SAFETY: a structure of numbers, for which zeroes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live values of the types that the call fills.
        let reaped = unsafe { libc::wait4(child.as_raw_nonzero().get(), &mut status, 0, &mut usage) };
        if reaped >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let span = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    let usage = Usage {
        cpu: span(usage.ru_utime) + span(usage.ru_stime),
        peak_bytes: usage.ru_maxrss.unsigned_abs().saturating_mul(1024),
    };
    Ok((ExitStatus::from_raw(status), usage))
}
