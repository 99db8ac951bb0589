//! Whose turn it is on a processor: what somebody waits for goes before what only has to get done.
//!
//! Nothing but waiting depends on it, so what a host doesn't give is done without.

#![allow(unsafe_code)]

use rustix::process::Pid;
use std::io;

/// A file up to here costs its sender more waiting than work: a card, a page. In bytes.
pub const SMALL_BYTES: u64 = 1 << 20;

/// Steps of niceness by which a thread goes ahead: it gets three times the processor that another gets, and no more.
const AHEAD: i32 = 5;
/// How long a short turn lasts, nanoseconds. The kernel's own are about 3 ms, and who wakes up waits for the end of another's.
const SHORT_NS: u64 = 200_000;
/// The kernel's own.
const USUAL_NS: u64 = 0;
/// `SCHED_FLAG_KEEP_POLICY`: only the numbers change.
const KEEP_POLICY: u64 = 0x08;

/// Has the calling thread go ahead of others for good, and what it starts from now on, where the host gives that (to root, or by
/// `LimitNICE`).
pub fn ahead() {
    let _ = rustix::process::nice(-AHEAD);
}

/// Has a process that the calling thread started take turns like everybody again. Where it can't be done it goes on as it was.
pub fn like_everybody(process: Pid) {
    let _ = set(Some(process), USUAL_NS);
}

/// Has the calling thread take short turns, and get them soon, for the same share of the processor in all; for as long as the answer is kept.
/// What it starts meanwhile, workers too, takes such turns until it is told otherwise ([`like_everybody`]). For what runs a fraction of a
/// millisecond at a time and has to wait for a disk or a worker in between. Linux does so from 6.12 on, before that it takes no notice.
#[must_use = "turns are as usual again when this is dropped"]
pub fn short() -> Short {
    let _ = set(None, SHORT_NS);
    Short(())
}

/// While it lives, its thread's turns are short.
pub struct Short(());

impl Drop for Short {
    fn drop(&mut self) {
        let _ = set(None, USUAL_NS);
    }
}

/// Turns of that length, and the calling thread's niceness, for a process or the calling thread.
fn set(process: Option<Pid>, turn_ns: u64) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).map_err(io::Error::other)?,
        sched_policy: 0,
        sched_flags: KEEP_POLICY,
        sched_nice: rustix::process::getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: turn_ns,
        sched_deadline: 0,
        sched_period: 0,
    };
    let number = Pid::as_raw(process);
    // SAFETY: the pointer is to a live value of the type and size that the call reads; 0 is the calling thread.
    let refused = unsafe { libc::syscall(libc::SYS_sched_setattr, number, &raw const attributes, 0) };
    if refused < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turn and niceness of a process or the calling thread.
    fn known(process: Option<Pid>) -> (u64, i32) {
        // SAFETY: a structure of numbers, for which zeroes are a value.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>();
        let number = Pid::as_raw(process);
        // SAFETY: the pointer is to a live value of the type and size that the call fills; 0 is the calling thread.
        let refused = unsafe { libc::syscall(libc::SYS_sched_getattr, number, &raw mut attributes, size, 0) };
        assert_eq!(refused, 0);
        (attributes.sched_runtime, attributes.sched_nice)
    }

    #[test]
    fn turns_are_short_while_somebody_waits_and_nothing_else_changes() {
        let (usual_ns, nice) = known(None);
        set(None, SHORT_NS).unwrap();
        let turns = short();
        let (short_ns, short_nice) = known(None);
        assert_eq!(short_nice, nice);
        // A kernel that takes no notice says nothing, or what it always says.
        assert!(short_ns == SHORT_NS || short_ns == usual_ns, "{short_ns}");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Some(Pid::from_child(&child));
        assert_eq!(known(process), (short_ns, nice));
        like_everybody(Pid::from_child(&child));
        assert_eq!(known(process), (usual_ns, nice));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(turns);
        assert_eq!(known(None), (usual_ns, nice));
    }
}
