//! The sandbox of the shipped workers, from inside and from outside: what they must not be able to do they try, and what
//! goes wrong with them is named and costs nobody else anything.

use crate::support::media::{
    self,
    recording::{self, Container},
};
use muniment::inspect::{
    process::{self, FailureKind, Program, Run, WorkerError, WorkerSettings},
    sandbox::{Confinement, Filter, Priority, Profile, attempts::ATTEMPTS},
    wire::{self, Answer, Job, NoSink, Task},
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const BOTH: [Program; 2] = [Program::Media, Program::Scan];

/// Attempts that must end in a refusal or in the worker's death, none of them in success.
const FORBIDDEN: [&str; 25] = [
    "open_file",
    "read_proc",
    "create_file",
    "list_folder",
    "socket_inet",
    "socket_unix",
    "fork",
    "exec",
    "ptrace_parent",
    "kill_parent",
    "signal_itself",
    "write_other_fd",
    "read_other_fd",
    "open_descriptors",
    "environment",
    "mmap_exec",
    "mmap_shared",
    "mprotect_exec",
    "mount",
    "setuid_root",
    "chroot",
    "raise_limits",
    "outlive_parent",
    "allocate_without_end",
    "threads_without_end",
];

fn settings() -> WorkerSettings {
    let mut settings = WorkerSettings::new(
        env!("CARGO_BIN_EXE_muniment-inspector").into(),
        env!("CARGO_BIN_EXE_muniment-scan-inspector").into(),
    );
    settings.gate_limit = Duration::from_secs(120);
    // Enough to see a limit, little enough to fill in an instant.
    (settings.media_memory_bytes, settings.scan_memory_bytes) = (256 << 20, 256 << 20);
    settings
}

fn attempt(settings: &WorkerSettings, program: Program, what: &str) -> Run {
    let job = Job {
        task: Task::Attempt {
            what: what.to_owned(),
        },
        ext: String::new(),
        size_bytes: 0,
    };
    let run = process::start(settings, program, &job, &mut io::empty(), &mut NoSink);
    // What dies before it tries would count as refused.
    assert!(
        run.said.starts_with(&format!("attempt {what}")) || is_machines_fault(&run),
        "{run:?}"
    );
    run
}

fn is_machines_fault(run: &Run) -> bool {
    matches!(run.answer, Err(WorkerError::Environment(_)))
}

/// Whether an attempt was refused, by an error or by death at the call; anything else is a hole or a broken test.
fn is_refused(run: &Run) -> bool {
    match &run.answer {
        Ok(Answer::Attempt { refused, .. }) => *refused,
        _ => run.kind == Some(FailureKind::Forbidden),
    }
}

#[test]
fn every_attempt_is_refused() {
    let settings = settings();
    for program in BOTH {
        for what in FORBIDDEN {
            let run = attempt(&settings, program, what);
            println!("{program:?} {what}: {:?} {:?}", run.answer, run.kind);
            assert!(is_refused(&run), "{program:?} {what}: {run:?}");
        }
    }
}

#[test]
fn the_list_of_attempts_is_whole() {
    let misbehaving = ATTEMPTS.iter().position(|(name, _)| *name == "spin").unwrap();
    let names: Vec<_> = ATTEMPTS[..misbehaving].iter().map(|(name, _)| *name).collect();
    assert_eq!(names, FORBIDDEN);
}

/// The layers behind the filter are worth something by themselves: a hole in one isn't a hole in the sandbox.
#[test]
fn without_the_filter_the_other_layers_hold() {
    let settings = WorkerSettings {
        filter: Filter::Absent,
        ..settings()
    };
    let layers = process::probe(&settings).unwrap();
    let holds = |name: &str| layers.iter().any(|layer| layer.name == name && layer.holds);
    assert!(!holds("seccomp"));
    let own_user = holds("user") || holds("user_namespace");
    let behind = [
        ("open_file", holds("landlock") || holds("root_folder")),
        ("read_proc", holds("landlock") || holds("root_folder")),
        (
            "create_file",
            holds("landlock") || holds("root_folder") || holds("limits"),
        ),
        ("list_folder", holds("landlock") || holds("root_folder")),
        ("exec", holds("landlock") || holds("root_folder")),
        ("ptrace_parent", own_user || holds("landlock")),
        ("kill_parent", holds("user") || holds("landlock")),
        ("write_other_fd", holds("descriptors")),
        ("read_other_fd", holds("descriptors")),
        ("open_descriptors", holds("descriptors")),
        ("environment", true),
        ("mount", holds("capabilities")),
        ("setuid_root", own_user && holds("capabilities")),
        ("chroot", holds("capabilities")),
        ("raise_limits", holds("capabilities")),
        ("allocate_without_end", holds("limits")),
        ("threads_without_end", holds("limits") && own_user),
    ];
    for program in BOTH {
        for (what, expected) in behind {
            let run = attempt(&settings, program, what);
            println!("{program:?} {what}: {:?}", run.answer);
            assert_eq!(
                is_refused(&run),
                expected,
                "{program:?} {what}: {run:?} {layers:?}"
            );
        }
    }
}

#[test]
fn every_layer_is_named_and_the_filter_holds() {
    let layers = process::probe(&settings()).unwrap();
    for layer in &layers {
        println!("{:18} {:5} {}", layer.name, layer.holds, layer.detail);
        assert!(layer.holds || !layer.detail.is_empty(), "{layer:?}");
    }
    for name in [
        "session",
        "descriptors",
        "parent_death",
        "undumpable",
        "no_new_privileges",
        "limits",
        "capabilities",
        "seccomp",
    ] {
        let layer = layers.iter().find(|layer| layer.name == name);
        assert!(layer.is_some_and(|layer| layer.holds), "{name}: {layer:?}");
    }
    for name in ["user", "user_namespace", "namespaces", "root_folder", "landlock"] {
        assert!(layers.iter().any(|layer| layer.name == name), "{name}");
    }
}

#[test]
fn what_goes_wrong_is_named() {
    let cases = [
        ("garbage", FailureKind::Garbage),
        ("oversized", FailureKind::Garbage),
        ("unasked_output", FailureKind::Garbage),
        ("leave", FailureKind::Silent),
        ("panic", FailureKind::Panicked),
        ("abort", FailureKind::Crashed),
        ("segfault", FailureKind::Crashed),
        ("exhaust", FailureKind::OutOfMemory),
    ];
    let settings = settings();
    for program in BOTH {
        for (what, kind) in cases {
            let run = attempt(&settings, program, what);
            println!("{program:?} {what}: {:?}; said: {}", run.answer, run.said);
            assert_eq!(run.kind, Some(kind), "{program:?} {what}: {run:?}");
            assert!(matches!(run.answer, Err(WorkerError::Failed(_))));
        }
        let run = attempt(&settings, program, "panic");
        assert!(
            run.said.contains("\npanic at src/") && !run.said.contains("customer"),
            "{}",
            run.said
        );
    }
}

/// The filter is a list of what decoders need: each of them, with its threads, works behind it.
#[test]
fn decoders_work_behind_the_filter() {
    for container in Container::ALL {
        let bytes = recording::good(container);
        let job = Job {
            task: Task::Gate,
            ext: container.ext().to_owned(),
            size_bytes: bytes.len() as u64,
        };
        let run = process::measured(&settings(), &job, &mut io::Cursor::new(bytes), &mut NoSink);
        let Ok(Answer::Report(report)) = &run.answer else {
            panic!("{container:?}: {run:?}");
        };
        let video = &report.media.as_ref().unwrap().video[0];
        assert!(
            video.key_frames > 0 && video.key_frames == video.key_frames_decoded,
            "{container:?}: {video:?}"
        );
        println!("{container:?}: {:?}", run.cost);
        assert!(run.cost.read_bytes >= job.size_bytes / 2, "{:?}", run.cost);
    }
}

#[test]
fn what_a_worker_says_is_cut_and_never_holds_it_up() {
    for program in BOTH {
        let run = attempt(&settings(), program, "chatter");
        assert!(
            matches!(run.answer, Ok(Answer::Attempt { refused: false, .. })),
            "{run:?}"
        );
        assert!((1..=4 << 10).contains(&run.said.len()), "{}", run.said.len());
        assert!(run.said.chars().all(|c| c == '\n' || !c.is_control()));
    }
}

#[test]
fn a_worker_that_hangs_ends_at_the_wall_clock_limit() {
    let settings = WorkerSettings {
        gate_limit: Duration::from_millis(300),
        ..settings()
    };
    for program in BOTH {
        let run = attempt(&settings, program, "hang");
        assert_eq!(run.kind, Some(FailureKind::Hung), "{run:?}");
        assert!(run.cost.wall >= settings.gate_limit);
        assert!(run.cost.cpu < Duration::from_secs(1), "{:?}", run.cost);
    }
}

#[test]
fn a_worker_that_spins_ends_at_the_processor_limit() {
    let settings = WorkerSettings {
        cpu_limit: Some(Duration::from_secs(1)),
        ..settings()
    };
    for program in BOTH {
        let run = attempt(&settings, program, "spin");
        assert_eq!(run.kind, Some(FailureKind::OverCpu), "{run:?}");
        // The kernel's account of the time and its limit on it are two counts.
        assert!(run.cost.cpu >= Duration::from_millis(500), "{:?}", run.cost);
    }
}

#[test]
fn a_worker_stays_under_its_memory_limit() {
    const LIMIT: u64 = 128 << 20;
    // What is mapped of the program and its libraries counts as held, but not as filled.
    const LIBRARIES: u64 = 96 << 20;
    let settings = WorkerSettings {
        media_memory_bytes: LIMIT,
        scan_memory_bytes: LIMIT,
        ..settings()
    };
    for program in BOTH {
        for what in ["allocate_without_end", "exhaust"] {
            let run = attempt(&settings, program, what);
            let peak = run.cost.peak_bytes;
            println!("{program:?} {what}: {peak} bytes, {:?}", run.answer);
            assert!((64 << 20..LIMIT + LIBRARIES).contains(&peak), "{what}: {run:?}");
        }
    }
}

#[test]
fn a_program_that_isnt_there_is_the_machines_fault() {
    let settings = WorkerSettings {
        scan_program: "/nowhere/muniment-scan-inspector".into(),
        ..settings()
    };
    let run = attempt(&settings, Program::Scan, "open_file");
    let Err(WorkerError::Environment(error)) = run.answer else {
        panic!("{run:?}");
    };
    assert!(error.to_string().contains("/nowhere/muniment-scan-inspector"));
}

#[test]
fn a_worker_started_by_hand_refuses() {
    for program in [settings().media_program, settings().scan_program] {
        let output = Command::new(&program).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains("started by muniment"));
        let words = ["scan", "--memory=100000000", "--cpu=5"];
        let output = Command::new(&program)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
    }
}

/// Processes below another one.
fn children_of(parent: u32) -> Vec<PathBuf> {
    let is_child = |folder: &Path| {
        let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1) == Some(&parent.to_string())
    };
    let folders = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    folders.filter(|folder| is_child(folder)).collect()
}

fn process_number(folder: &Path) -> i32 {
    folder.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn signal(folder: &Path, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(process_number(folder)).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A field of `stat` by its number in proc(5), from the third on.
fn stat_field(folder: &Path, number: usize) -> String {
    let stat = fs::read_to_string(folder.join("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[number - 3].to_owned()
}

/// Waits until something is so; the deadline is for a test that has gone wrong.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// This test program again, as a parent with a worker that hangs.
fn parent_of_a_hanging_worker() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "sandbox::a_parent_that_waits",
            "--ignored",
            "--nocapture",
        ])
        .env("MUNIMENT_SECRET", "must not get out")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
#[ignore = "a part of other tests: waits for a worker that hangs"]
fn a_parent_that_waits() {
    let run = attempt(&settings(), Program::Scan, "hang");
    assert!(is_machines_fault(&run), "{run:?}");
}

fn is_behind_its_filter(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    status.contains("Seccomp:\t2")
}

/// Workers of a process that have entered their sandboxes, which shows in their filters; a zygote has none.
fn workers_of(parent: u32) -> Vec<PathBuf> {
    let mut children = children_of(parent);
    children.retain(|child| is_behind_its_filter(child));
    children
}

/// A worker, whichever or a certain one, once it has entered its sandbox.
fn worker_of(parent: u32, certain: Option<u32>) -> PathBuf {
    until("a worker behind its filter", || {
        let is_meant = |folder: &PathBuf| certain.is_none_or(|one| folder.ends_with(one.to_string()));
        workers_of(parent).into_iter().find(is_meant)
    })
}

#[test]
fn a_killed_parent_takes_its_worker_with_it() {
    let mut parent = parent_of_a_hanging_worker().spawn().unwrap();
    let worker = worker_of(parent.id(), None);
    // Stopped, so that it can't end by itself when its socket closes.
    signal(&worker, rustix::process::Signal::STOP);
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the worker's end", || {
        let stat = fs::read_to_string(worker.join("stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

/// Locked in before its job is known, it does one job like any other worker.
#[test]
fn a_worker_started_ahead_does_the_next_job_and_ends_with_its_thread() {
    let own = std::process::id();
    let thread = std::thread::spawn(move || {
        let settings = settings();
        let refused = |program| is_refused(&attempt(&settings, program, "read_proc"));
        process::prepare(&settings);
        process::prepare(&settings);
        let ahead = worker_of(own, None);
        assert_eq!(workers_of(own), std::slice::from_ref(&ahead));
        // Not by another program.
        assert!(refused(Program::Media) && ahead.exists());
        assert!(refused(Program::Scan) && !ahead.exists());
        assert_eq!(workers_of(own), Vec::<PathBuf>::new());
        // One that died while it waited is nobody's fault.
        process::prepare(&settings);
        let dead = worker_of(own, None);
        signal(&dead, rustix::process::Signal::KILL);
        until("the worker's end", || {
            let stat = fs::read_to_string(dead.join("stat")).unwrap_or_default();
            stat.contains(") Z ").then_some(())
        });
        assert!(refused(Program::Scan));
        process::prepare(&settings);
        worker_of(own, None)
    });
    assert!(!thread.join().unwrap().exists());
    assert_eq!(children_of(own), Vec::<PathBuf>::new(), "the zygote ended, too");
}

/// What makes workers for a process, of which it has one: the child that isn't behind a filter.
fn zygote_of(parent: u32) -> PathBuf {
    let mut zygotes = children_of(parent);
    zygotes.retain(|child| !is_behind_its_filter(child));
    assert_eq!(zygotes.len(), 1, "{zygotes:?}");
    zygotes.remove(0)
}

#[test]
fn workers_of_one_zygote_share_its_namespaces_and_nothing_else() {
    let (own, settings) = (std::process::id(), settings());
    let is_root = rustix::process::geteuid().is_root();
    let network = |folder: &Path| fs::read_link(folder.join("ns/net")).ok();
    let user = |folder: &Path| {
        let status = fs::read_to_string(folder.join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let mut seen = Vec::new();
    for _ in 0..2 {
        process::prepare(&settings);
        let (worker, zygote) = (worker_of(own, None), zygote_of(own));
        if is_root {
            assert_eq!(network(&worker), network(&zygote));
            assert_ne!(network(&worker), network(Path::new("/proc/self")));
        }
        assert_eq!(
            stat_field(&worker, 6),
            process_number(&worker).to_string(),
            "its session"
        );
        assert_ne!(stat_field(&zygote, 6), stat_field(Path::new("/proc/self"), 6));
        seen.push((user(&worker), zygote));
        assert!(is_refused(&attempt(&settings, Program::Scan, "kill_parent")));
        assert!(!worker.exists());
    }
    assert_eq!(seen[0].1, seen[1].1);
    assert!(!is_root || seen[0].0 != seen[1].0, "{seen:?}");
}

/// Who waits for an answer doesn't wait for the worker's end, which comes all the same.
#[test]
fn a_worker_that_answered_is_killed_at_once_and_reaped_before_the_next() {
    let (settings, page) = (settings(), media::jpeg(20_000, 1));
    process::prepare(&settings);
    let worker = worker_of(std::process::id(), None);
    let job = Job {
        task: Task::Scan,
        ext: "jpg".to_owned(),
        size_bytes: page.len() as u64,
    };
    let answer = process::ask(&settings, &job, &mut io::Cursor::new(page), &mut NoSink);
    assert!(matches!(answer, Ok(Answer::Report(_))), "{answer:?}");
    until("the worker's end", || {
        (stat_field(&worker, 3) == "Z").then_some(())
    });
    process::prepare(&settings);
    assert!(!worker.exists());
}

#[test]
fn a_zygote_that_died_or_has_served_its_time_has_a_successor() {
    let (own, settings) = (std::process::id(), settings());
    let works = || {
        let run = attempt(&settings, Program::Scan, "leave");
        assert_eq!(run.kind, Some(FailureKind::Silent), "{run:?}");
        zygote_of(own)
    };
    let first = works();
    signal(&first, rustix::process::Signal::KILL);
    let second = works();
    assert!(second != first && !first.exists());
    assert!((1..256).all(|_| works() == second));
    assert!(works() != second && !second.exists());
}

#[test]
fn what_a_program_says_that_wont_make_workers_is_passed_on() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = folder.path().join("program");
    let with = |script: &str, expected: &str| {
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = WorkerSettings {
            scan_program: program.clone(),
            ..settings()
        };
        let run = attempt(&settings, Program::Scan, "leave");
        let Err(WorkerError::Environment(error)) = run.answer else {
            panic!("{run:?}");
        };
        assert!(error.to_string().contains(expected), "{error}");
    };
    with("echo no filter >&2; exit 3", "couldn't start: no filter");
    with("exit 0", "no worker can be made");
    // It says that a process is a worker which isn't its parent's child.
    with(
        "head -c 1 >/dev/null; printf '\\001\\000\\000\\000' >&0; cat >/dev/null",
        "isn't a child",
    );
    assert_eq!(children_of(std::process::id()), Vec::<PathBuf>::new());
}

/// A small scan goes ahead, a large one doesn't.
#[test]
fn a_short_look_goes_first() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root gives that without being allowed to, and sees into a worker");
        return;
    }
    let niceness = |size_bytes: u64| {
        let thread = std::thread::spawn(move || {
            let job = Job {
                task: Task::Attempt {
                    what: "hang".to_owned(),
                },
                ext: String::new(),
                size_bytes,
            };
            let settings = WorkerSettings {
                gate_limit: Duration::from_secs(1),
                ..settings()
            };
            process::start(&settings, Program::Scan, &job, &mut io::empty(), &mut NoSink)
        });
        let worker = worker_of(std::process::id(), None);
        // Behind its filter it waits for its job; then it hangs, which is a sleep.
        let sleep = format!("{} ", libc::SYS_clock_nanosleep);
        until("the worker's sleep", || {
            let call = fs::read_to_string(worker.join("syscall")).unwrap_or_default();
            call.starts_with(&sleep).then_some(())
        });
        let nice: i32 = stat_field(&worker, 19).parse().unwrap();
        assert_eq!(thread.join().unwrap().kind, Some(FailureKind::Hung));
        nice
    };
    let own: i32 = stat_field(Path::new("/proc/self"), 19).parse().unwrap();
    assert_eq!((niceness(64 << 10), niceness(2 << 20)), (own - 5, own));
}

/// A service manager that stops a server signals its workers too; that says nothing about their files.
#[test]
fn a_worker_stopped_from_outside_is_the_machines_fault() {
    for (signal, expected) in [("-TERM", true), ("-INT", true), ("-KILL", false)] {
        let mut parent = parent_of_a_hanging_worker().spawn().unwrap();
        let worker = worker_of(parent.id(), None);
        let sent = Command::new("kill")
            .arg(signal)
            .arg(worker.file_name().unwrap())
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(parent.wait().unwrap().success(), expected, "{signal}");
    }
}

#[test]
fn a_worker_in_the_background_stands_back() {
    let confinement = Confinement {
        profile: Profile::Scan,
        filter: Filter::Required,
        memory_bytes: 256 << 20,
        cpu_seconds: 60,
        priority: Priority::Background,
    };
    let (socket, input) = UnixStream::pair().unwrap();
    let mut worker = Command::new(settings().scan_program)
        .args(confinement.words())
        .stdin(Stdio::from(OwnedFd::from(input)))
        .spawn()
        .unwrap();
    let job = Job {
        task: Task::Attempt {
            what: "hang".to_owned(),
        },
        ext: String::new(),
        size_bytes: 0,
    };
    // Its job is done when the test says so: nobody reads an answer.
    let serving = std::thread::spawn(move || {
        wire::serve(
            &socket,
            &job,
            &mut io::empty(),
            &mut NoSink,
            Instant::now() + Duration::from_secs(60),
        )
    });
    let folder = worker_of(std::process::id(), Some(worker.id()));
    // By proc(5): its priority is field 19 and its policy field 41.
    let (niceness, policy) = (stat_field(&folder, 19), stat_field(&folder, 41));
    // Empty, or not there, where the kernel doesn't share out by session.
    let session = fs::read_to_string(folder.join("autogroup")).unwrap_or_default();
    worker.kill().unwrap();
    worker.wait().unwrap();
    serving.join().unwrap().unwrap_err();
    assert_eq!(niceness, "19");
    assert_eq!(policy, libc::SCHED_IDLE.to_string());
    assert!(session.is_empty() || session.ends_with("nice 19\n"), "{session}");
}

#[test]
fn seen_from_outside_a_worker_has_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root sees into a worker");
        return;
    }
    // A file of the parent's that it forgot to close when programs are started.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let secret = fs::File::create(folder.path().join("secret")).unwrap();
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let mut parent = parent_of_a_hanging_worker().spawn().unwrap();
    let worker = worker_of(parent.id(), None);
    let status = fs::read_to_string(worker.join("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().to_owned()
    };
    let mut open: Vec<_> = fs::read_dir(worker.join("fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    let (environ, root) = (
        fs::read(worker.join("environ")).unwrap(),
        fs::read_dir(worker.join("root")).map(Iterator::count),
    );
    let uids = field("Uid:");
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(open, ["0", "1", "2"]);
    assert_eq!(environ, b"");
    println!("root folder: {root:?}; users: {uids}");
    let users: Vec<u32> = uids.split_whitespace().map(|uid| uid.parse().unwrap()).collect();
    assert!(users.iter().all(|uid| *uid > 1_900_000_000), "{uids}");
    assert_eq!(field("Groups:"), "");
    assert_eq!(field("NoNewPrivs:"), "1");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
}

/// A kernel without filters, as a worker sees it: the call isn't there. Set on this thread, which its children inherit.
fn forget_seccomp() {
    let rules = [(libc::SYS_seccomp, Vec::new())].into_iter().collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

#[test]
fn without_a_filter_workers_refuse_unless_the_configuration_says_otherwise() {
    let required = settings();
    let optional = WorkerSettings {
        filter: Filter::Optional,
        ..settings()
    };
    let (refused, layers, run) = std::thread::spawn(move || {
        forget_seccomp();
        let run = attempt(&optional, Program::Scan, "open_file");
        (process::probe(&required), process::probe(&optional), run)
    })
    .join()
    .unwrap();
    let Err(WorkerError::Environment(error)) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("no system call filter"), "{error}");
    let layers = layers.unwrap();
    let seccomp = layers.iter().find(|layer| layer.name == "seccomp").unwrap();
    assert!(!seccomp.holds && !seccomp.detail.is_empty(), "{seccomp:?}");
    assert!(is_refused(&run), "{run:?}");
}

/// The same from a user who isn't root: user namespaces take the place of the change of user.
#[test]
fn an_unprivileged_server_has_a_sandbox_too() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: every other test here runs without root already");
        return;
    }
    // The programs may lie where only root gets to.
    let folder = tempfile::Builder::new()
        .prefix("muniment-sandbox-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let copy = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    let test = copy(&std::env::current_exe().unwrap(), "it");
    let media = copy(&settings().media_program, "muniment-inspector");
    let scan = copy(&settings().scan_program, "muniment-scan-inspector");
    let mut command = Command::new(test);
    command
        .env("MUNIMENT_MEDIA_WORKER", media)
        .env("MUNIMENT_SCAN_WORKER", scan)
        .uid(65_534)
        .gid(65_534);
    assert_passes(command, "sandbox::as_whoever_runs_this");
}

/// Has a command that runs this test program run one of its ignored tests.
fn assert_passes(mut command: Command, test: &str) {
    let output = command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "a part of another test: needs the programs named in its environment"]
fn as_whoever_runs_this() {
    let named = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    assert!(!rustix::process::geteuid().is_root());
    let mut settings = settings();
    settings.media_program = named("MUNIMENT_MEDIA_WORKER");
    settings.scan_program = named("MUNIMENT_SCAN_WORKER");
    for layer in process::probe(&settings).unwrap() {
        println!("{:18} {:5} {}", layer.name, layer.holds, layer.detail);
        assert!(layer.name != "seccomp" || layer.holds);
    }
    for program in BOTH {
        for what in FORBIDDEN {
            let run = attempt(&settings, program, what);
            assert!(is_refused(&run), "{program:?} {what}: {run:?}");
        }
    }
}

/// As `nsenter`, `docker exec` and service managers of containers start things: the session has no number where the server lives.
#[test]
fn a_server_whose_session_began_elsewhere_has_a_sandbox_too() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes a process namespace without a user namespace");
        return;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child"])
        .arg(std::env::current_exe().unwrap());
    assert_passes(command, "sandbox::in_a_process_namespace_of_its_own");
}

#[test]
#[ignore = "a part of another test: needs a process namespace of its own"]
fn in_a_process_namespace_of_its_own() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let session = status.lines().find(|line| line.starts_with("NSsid:")).unwrap();
    assert!(session.ends_with("\t0"), "{session}");
    for layer in process::probe(&settings()).unwrap() {
        println!("{:18} {:5} {}", layer.name, layer.holds, layer.detail);
        assert!(layer.name != "session" || layer.holds, "{layer:?}");
    }
    for program in BOTH {
        assert!(is_refused(&attempt(&settings(), program, "kill_parent")));
    }
}
