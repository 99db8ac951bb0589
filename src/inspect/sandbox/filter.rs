//! The system calls that a worker may still make. Whatever isn't named here ends the process.
//!
//! ```text
//! pretended missing   libraries probe and fall back: opening files, clone3, asking about files
//! forbidden           libraries ask and live with a no: terminals, other limits
//! allowed             memory that isn't executable, threads (media), the three descriptors, time, randomness, the end
//! anything else       the process is killed; so is a call in another architecture's numbering
//! ```
//!
//! A filter of `seccompiler` knows one action for what matches, so there are three; the kernel takes the strictest answer.
//!
//! To set them costs the kernel more than most files cost a worker: it tries each filter on each call there is. So a
//! template sets them once, with what it takes to become a worker, and a worker only takes that away again: a short filter.
//!
//! The list is what libav's decoders, libx264 and the Rust runtime were seen to use, with arguments held as tight as they
//! allow. It must never let through a call that opens, makes, connects, executes, traces or mounts anything.

use super::Profile;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Flags of `clone` that make a thread, as the C library sets them; `CLONE_DETACHED`, which means nothing, may join.
const THREAD_FLAGS: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;

/// Calls that are answered as if the kernel didn't have them.
const MISSING: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_clone3,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// Calls that are answered with a refusal.
const FORBIDDEN: &[i64] = &[
    libc::SYS_ioctl,
    libc::SYS_fcntl,
    libc::SYS_prlimit64,
    libc::SYS_uname,
    libc::SYS_getcwd,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_setpriority,
    libc::SYS_membarrier,
];

/// Calls that are allowed whatever their arguments.
const ALLOWED: &[i64] = &[
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// What a template does to become a worker, besides what workers do.
const BECOMING: &[i64] = &[
    libc::SYS_setgroups,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_capset,
    libc::SYS_close_range,
    libc::SYS_dup3,
    libc::SYS_seccomp,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
];
/// Flags of the one `clone` that a template makes: a process whose parent is the template's.
pub(super) const FORK_FLAGS: i32 = libc::CLONE_PARENT | libc::SIGCHLD;

/// Whose filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// A worker's, with its process id.
    Worker(u64),
    /// A template's, and so far that of every worker it becomes.
    Template,
}

/// Sets the filter on this process, for good.
pub(super) fn apply(profile: Profile) -> Result<(), String> {
    set(programs(profile, Whose::Worker(own_process())))
}

/// Sets a template's filter on this process, for good.
pub(super) fn apply_to_template() -> Result<(), String> {
    set(programs(Profile::Scan, Whose::Template))
}

/// Takes away again what a template may do beyond a worker, in a worker that it has become.
pub(super) fn apply_to_fork() -> Result<(), String> {
    set(taking_away(own_process()).map(|program| vec![program]))
}

fn own_process() -> u64 {
    rustix::process::getpid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs()
        .into()
}

fn set(programs: Result<Vec<BpfProgram>, BackendError>) -> Result<(), String> {
    programs
        .map_err(|error| error.to_string())?
        .iter()
        .try_for_each(|program| seccompiler::apply_filter_all_threads(program))
        .map_err(|error| error.to_string())
}

/// The filters in the order in which they are set: the killing one last, because setting one is a call that it kills.
fn programs(profile: Profile, whose: Whose) -> Result<Vec<BpfProgram>, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let errno = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    let refused = |calls: &[i64]| -> Rules { calls.iter().map(|call| (*call, Vec::new())).collect() };
    [
        (refused(MISSING), SeccompAction::Allow, errno(libc::ENOSYS)),
        (refused(FORBIDDEN), SeccompAction::Allow, errno(libc::EPERM)),
        (
            allowed(profile, whose)?,
            SeccompAction::KillProcess,
            SeccompAction::Allow,
        ),
    ]
    .into_iter()
    .map(|(rules, otherwise, matched)| SeccompFilter::new(rules, otherwise, matched, arch)?.try_into())
    .collect()
}

/// What a worker must not do that its template may.
fn taking_away(own_process: u64) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let always = [BECOMING, &[libc::SYS_clone, libc::SYS_unshare, libc::SYS_recvmsg]].concat();
    let mut rules: Rules = always.into_iter().map(|call| (call, Vec::new())).collect();
    let other = |value: u64| SeccompCondition::new(0, Len::Dword, Op::Ne, value);
    let named: u64 = libc::PR_SET_NAME.unsigned_abs().into();
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![other(named)?])?]);
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![other(own_process)?])?]);
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::KillProcess, arch)?.try_into()
}

fn allowed(profile: Profile, whose: Whose) -> Result<Rules, BackendError> {
    // What the two other filters answer must pass this one.
    let open = [MISSING, FORBIDDEN, ALLOWED].concat();
    let mut rules: Rules = open.into_iter().map(|call| (call, Vec::new())).collect();
    let masked = |argument, mask: i32, value: i32| {
        let (mask, value) = (u64::from(mask.cast_unsigned()), u64::from(value.cast_unsigned()));
        SeccompCondition::new(argument, Len::Dword, Op::MaskedEq(mask), value)
    };
    let is = |argument, value: u64| SeccompCondition::new(argument, Len::Dword, Op::Eq, value);
    let at_most = |argument, value: u64| SeccompCondition::new(argument, Len::Dword, Op::Le, value);
    let mut when = |call: i64, conditions: Vec<SeccompCondition>| -> Result<(), BackendError> {
        rules.insert(call, vec![SeccompRule::new(conditions)?]);
        Ok(())
    };
    // The socket is read; the socket, output and error are written. Nothing else is open, and nothing else is touched.
    when(libc::SYS_read, vec![is(0, 0)?])?;
    when(libc::SYS_readv, vec![is(0, 0)?])?;
    when(libc::SYS_recvfrom, vec![is(0, 0)?])?;
    when(libc::SYS_write, vec![at_most(0, 2)?])?;
    when(libc::SYS_writev, vec![at_most(0, 2)?])?;
    // To the peer that it has, never to an address.
    when(
        libc::SYS_sendto,
        vec![is(0, 0)?, SeccompCondition::new(4, Len::Qword, Op::Eq, 0)?],
    )?;
    // Memory of one's own, so that the limit on it counts, and never code.
    let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    when(
        libc::SYS_mmap,
        vec![
            masked(2, libc::PROT_EXEC, 0)?,
            masked(3, private | libc::MAP_SHARED | libc::MAP_GROWSDOWN, private)?,
        ],
    )?;
    when(libc::SYS_mprotect, vec![masked(2, libc::PROT_EXEC, 0)?])?;
    // The name of a thread; not the signal at the parent's end, nor anything else.
    when(
        libc::SYS_prctl,
        vec![is(0, libc::PR_SET_NAME.unsigned_abs().into())?],
    )?;
    // `abort` signals its own process; a signal that looks like an administrator's it can't give itself.
    let mut aborting = vec![is(2, libc::SIGABRT.unsigned_abs().into())?];
    if let Whose::Worker(own_process) = whose {
        aborting.push(is(0, own_process)?);
    }
    when(libc::SYS_tgkill, aborting)?;
    if profile == Profile::Media {
        let flags = masked(0, !libc::CLONE_DETACHED, THREAD_FLAGS)?;
        when(libc::SYS_clone, vec![flags])?;
    }
    if whose == Whose::Template {
        when(libc::SYS_recvmsg, vec![is(0, 0)?])?;
        when(libc::SYS_clone, vec![is(0, FORK_FLAGS.unsigned_abs().into())?])?;
        when(
            libc::SYS_unshare,
            vec![is(0, libc::CLONE_NEWUSER.unsigned_abs().into())?],
        )?;
        let options = [
            libc::PR_SET_NAME,
            libc::PR_SET_PDEATHSIG,
            libc::PR_SET_DUMPABLE,
            libc::PR_SET_NO_NEW_PRIVS,
        ];
        let options = options.into_iter().map(|option| SeccompRule::new(vec![is(0, option.unsigned_abs().into())?]));
        rules.insert(libc::SYS_prctl, options.collect::<Result<_, _>>()?);
        rules.extend(BECOMING.iter().map(|call| (*call, Vec::new())));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_allowed_and_refused() {
        for call in MISSING.iter().chain(FORBIDDEN) {
            assert!(!ALLOWED.contains(call), "{call}");
        }
        assert!(MISSING.iter().all(|call| !FORBIDDEN.contains(call)));
    }

    #[test]
    fn both_profiles_compile_for_both_architectures() {
        for arch in [TargetArch::x86_64, TargetArch::aarch64] {
            for profile in [Profile::Media, Profile::Scan] {
                for whose in [Whose::Worker(1), Whose::Template] {
                    let filter = SeccompFilter::new(
                        allowed(profile, whose).unwrap(),
                        SeccompAction::KillProcess,
                        SeccompAction::Allow,
                        arch,
                    );
                    let program: BpfProgram = filter.unwrap().try_into().unwrap();
                    assert!(!program.is_empty());
                }
            }
        }
    }

    #[test]
    fn only_media_makes_threads() {
        let worker = Whose::Worker(1);
        assert!(allowed(Profile::Media, worker).unwrap().contains_key(&libc::SYS_clone));
        assert!(!allowed(Profile::Scan, worker).unwrap().contains_key(&libc::SYS_clone));
    }

    /// A worker that a template became may do what one that was started may do, and nothing else.
    #[test]
    fn what_a_template_may_do_besides_is_taken_away() {
        let started = allowed(Profile::Scan, Whose::Worker(1)).unwrap();
        let template = allowed(Profile::Scan, Whose::Template).unwrap();
        let taken = [BECOMING, &[libc::SYS_clone, libc::SYS_unshare, libc::SYS_recvmsg]].concat();
        for (call, rules) in &template {
            match started.get(call) {
                None => assert!(taken.contains(call), "{call}"),
                // Both of them are narrowed by the worker's own filter.
                Some(_) if [libc::SYS_prctl, libc::SYS_tgkill].contains(call) => {}
                Some(started) => assert_eq!(rules, started, "{call}"),
            }
        }
        assert!(started.keys().all(|call| template.contains_key(call)));
        assert!(!taking_away(1).unwrap().is_empty());
    }
}
