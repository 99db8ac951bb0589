//! The sandbox of a worker: what it can still do once it has locked itself in, which is to compute, to talk over the
//! socket that it was given, and to end.
//!
//! A worker enters as its first act, before the first byte of a file; dynamic linking is over by then and nothing is
//! opened afterwards. Namespaces it may share with the other workers of its zygote (`Shell`), everything else is its own. Layers that don't depend on each other stand behind one another, so that a host without one of them
//! still has the rest. Only the system call filter is required, because it is the layer that the others lean on.
//!
//! It must never be entered by the server: there is no way out. Unsafe code stands in `kernel` and `attempts` only.

pub mod attempts;
mod confinement;
mod filter;
pub(crate) mod kernel;

pub use confinement::{Confinement, Filter, Priority, Profile};

use crate::turns;
use rustix::{
    io::Errno,
    process::{DumpableBehavior, Pid, Resource, Rlimit, Signal},
    thread::{CapabilitySet, CapabilitySets, Gid, Uid, UnshareFlags},
};

/// A worker of a server that runs as root takes this user and group, plus its process id: no two live ones share a user.
/// Above the ranges of people, services, subordinate ids and containers; process ids stay below 2^22.
const FIRST_USER: u32 = 1_900_000_000;
/// The user that files of nobody's belong to.
const NOBODY: u32 = 65_534;
/// Threads of a worker for media: libav's, and the main one.
const MAX_THREADS: u64 = 64;
/// Bytes of the main thread's stack: documents nest.
const STACK_BYTES: u64 = 64 << 20;
/// Bytes of address space beyond the memory limit: what is reserved and never touched, such as arenas and stacks' ends.
const RESERVED_BYTES: u64 = 2 << 30;
/// Seconds between the signal that a worker over its CPU limit may handle and the one that it can't.
const CPU_GRACE_SECONDS: u64 = 1;

/// One layer, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name: `seccomp`, `landlock`, and so on.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// Why not, or what there is to say of one that holds in part.
    pub detail: String,
}

/// Why a worker doesn't go on.
#[derive(Debug, thiserror::Error)]
#[error("no system call filter: {0}")]
pub struct Unconfined(String);

impl Layer {
    fn of<E: std::fmt::Display>(name: &str, tried: Result<(), E>) -> Self {
        match tried {
            Ok(()) => Layer::holding(name, ""),
            Err(error) => Layer::missing(name, error),
        }
    }

    fn holding(name: &str, detail: impl std::fmt::Display) -> Self {
        Layer {
            name: name.to_owned(),
            holds: true,
            detail: detail.to_string(),
        }
    }

    fn missing(name: &str, detail: impl std::fmt::Display) -> Self {
        Layer {
            holds: false,
            ..Layer::holding(name, detail)
        }
    }
}

/// What a zygote shares with its workers: its place among processes, and namespaces, which cost the most to make.
pub struct Shell {
    process: Pid,
    session: Result<(), Errno>,
    namespaces: Result<(), Errno>,
}

impl Shell {
    /// Leaves the parent's. Call it once, first, from the only thread.
    pub fn close(confinement: &Confinement) -> Self {
        if confinement.priority == Priority::Ahead {
            // No layer of the sandbox.
            turns::ahead();
        }
        let session = own_session();
        // A zygote needs these itself; what becomes of them counts in each worker.
        let _ = kernel::close_all_but_standard();
        let _ = end_with_parent();
        let mut kinds =
            UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
        // Root makes them without a user namespace, which some hosts switch off.
        if !rustix::process::geteuid().is_root() {
            kinds |= UnshareFlags::NEWUSER;
        }
        Shell {
            process: rustix::process::getpid(),
            session,
            namespaces: kernel::unshare(kinds),
        }
    }
}

/// Locks this process in. Call it once, from the only thread, in each worker.
///
/// # Errors
/// When the system call filter can't be had and is required: the caller must end.
pub fn enter(shell: &Shell, confinement: &Confinement) -> Result<Vec<Layer>, Unconfined> {
    // A worker without a zygote has made its session with its shell, and can't twice.
    let session = if rustix::process::getpid() == shell.process {
        shell.session
    } else {
        own_session()
    };
    let mut layers = vec![
        Layer::of("session", session),
        Layer::of("descriptors", kernel::close_all_but_standard()),
    ];
    if confinement.priority == Priority::Background {
        layers.push(Layer::of("priority", kernel::lower_this_process()));
    }
    let (user_space, own_user) = if rustix::process::geteuid().is_root() {
        let own_user = become_nobody();
        (kernel::unshare(UnshareFlags::NEWUSER), own_user)
    } else {
        let text = "the server isn't root, so its worker has its user";
        (shell.namespaces, Err(text.to_owned()))
    };
    // Counting processes means something only for a user that nobody else has.
    let counts_alone = own_user.is_ok() || user_space.is_ok();
    layers.push(Layer::of("user", own_user));
    layers.push(Layer::of("user_namespace", user_space));
    layers.push(Layer::of("namespaces", shell.namespaces));
    layers.push(Layer::of("root_folder", leave_file_system()));
    layers.push(Layer::of("capabilities", drop_capabilities()));
    // After the change of user, which would take it back.
    layers.push(Layer::of("parent_death", end_with_parent()));
    layers.push(Layer::of(
        "undumpable",
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable),
    ));
    layers.push(Layer::of(
        "no_new_privileges",
        rustix::thread::set_no_new_privs(true),
    ));
    // Before the limits: making its rules takes a descriptor.
    layers.push(landlock());
    layers.push(Layer::of("limits", set_limits(confinement, counts_alone)));
    let filter = match confinement.filter {
        Filter::Absent => Err("left out by the parent's wish".to_owned()),
        Filter::Required | Filter::Optional => filter::apply(confinement.profile),
    };
    if let (Filter::Required, Err(error)) = (confinement.filter, &filter) {
        return Err(Unconfined(error.clone()));
    }
    layers.push(Layer::of("seccomp", filter));
    Ok(layers)
}

fn own_session() -> Result<(), Errno> {
    rustix::process::setsid().map(drop)
}

fn end_with_parent() -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
}

/// Takes a user and group that nothing and nobody else has; where this host has none to give, those of `nobody`.
fn become_nobody() -> Result<(), String> {
    let own = FIRST_USER.saturating_add(rustix::process::getpid().as_raw_nonzero().get().unsigned_abs());
    become_user(own).map_err(|refused| match become_user(NOBODY) {
        Ok(()) => format!("no user of its own ({refused}), so it is nobody ({NOBODY})"),
        Err(_) => format!("it stays root: {refused}"),
    })
}

fn become_user(number: u32) -> Result<(), String> {
    let (uid, gid) = (Uid::from_raw(number), Gid::from_raw(number));
    let step = |what: &'static str| move |error: Errno| format!("{what}: {error}");
    rustix::thread::set_thread_groups(&[]).map_err(step("setgroups"))?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(step("setresgid"))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(step("setresuid"))
}

/// The root of what this process sees becomes a folder with nothing in it but the descriptors it has anyway, and which is
/// gone when it ends.
fn leave_file_system() -> Result<(), Errno> {
    rustix::process::chroot("/proc/self/fdinfo")?;
    rustix::process::chdir("/")
}

fn drop_capabilities() -> Result<(), Errno> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::set_capabilities(None, none)
}

fn set_limits(confinement: &Confinement, counts_alone: bool) -> Result<(), String> {
    let mut limits = vec![
        ("fsize", Resource::Fsize, 0, 0),
        ("core", Resource::Core, 0, 0),
        ("nofile", Resource::Nofile, 3, 3),
        ("memlock", Resource::Memlock, 0, 0),
        ("msgqueue", Resource::Msgqueue, 0, 0),
        ("stack", Resource::Stack, STACK_BYTES, STACK_BYTES),
        (
            "data",
            Resource::Data,
            confinement.memory_bytes,
            confinement.memory_bytes,
        ),
        (
            "cpu",
            Resource::Cpu,
            confinement.cpu_seconds,
            confinement.cpu_seconds.saturating_add(CPU_GRACE_SECONDS),
        ),
    ];
    let address_space = confinement.memory_bytes.saturating_add(RESERVED_BYTES);
    limits.push(("as", Resource::As, address_space, address_space));
    if counts_alone {
        limits.push(("nproc", Resource::Nproc, MAX_THREADS, MAX_THREADS));
    }
    // All of them are tried; those that fail are named.
    let failed: Vec<String> = limits
        .into_iter()
        .filter_map(|(name, resource, soft, hard)| {
            let known = rustix::process::getrlimit(resource).maximum;
            let lower = |wanted: u64| known.map_or(wanted, |known| known.min(wanted));
            let limit = Rlimit {
                current: Some(lower(soft)),
                maximum: Some(lower(hard)),
            };
            let tried = rustix::process::setrlimit(resource, limit);
            tried.err().map(|error| format!("{name}: {error}"))
        })
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join(", "))
    }
}

/// A rule set that handles every right there is and grants none.
fn landlock() -> Layer {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
    let newest = ABI::V10;
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.restrict_self());
    match restricted {
        Ok(status) => match status.ruleset {
            RulesetStatus::FullyEnforced => Layer::holding("landlock", ""),
            RulesetStatus::PartiallyEnforced => Layer::holding(
                "landlock",
                format!("what this kernel has of it: {:?}", status.landlock),
            ),
            RulesetStatus::NotEnforced => Layer::missing("landlock", format!("{:?}", status.landlock)),
        },
        Err(error) => Layer::missing("landlock", error),
    }
}
