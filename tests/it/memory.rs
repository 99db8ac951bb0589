//! What the server keeps in memory: little for a session, the same for a large file as for a small one.

use crate::support::{CLERK, TestVault, media, server::wait_for, sha256_of_file};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

#[test]
fn two_hundred_idle_sessions_take_less_than_60_mb() {
    let vault = TestVault::serving();
    // One session first: what every start pays once isn't a session's.
    vault.sftp(CLERK, "ls /inbox").ok();
    let baseline = vault.server().resident_bytes();
    let script = "sessions = [Raw(transport()) for _ in range(200)]\n\
                  print('idle', flush=True)\n\
                  sys.stdin.readline()\n\
                  assert all(session.lives() for session in sessions)\n\
                  print('alive', flush=True)\n\
                  os._exit(0)";
    let mut python = vault
        .python_command(CLERK, script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(python.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "idle");
    let grown = vault.server().resident_bytes().saturating_sub(baseline);
    println!(
        "200 idle sessions: {:.1} MB over {:.1} MB",
        grown as f64 / 1e6,
        baseline as f64 / 1e6
    );
    drop(python.stdin.take());
    assert_eq!(lines.next().unwrap().unwrap(), "alive");
    python.wait().unwrap();
    assert!(grown < 60_000_000, "200 idle sessions take {grown} bytes");
}

#[test]
fn three_gigabytes_take_less_than_32_mb_and_are_accepted() {
    let vault = TestVault::serving();
    // A small upload first, so that pools and threads that every upload shares exist.
    vault
        .upload(
            CLERK,
            "000100012345_20260728_A0098877_IDF_01.jpg",
            &media::jpeg(20_000, 1),
        )
        .ok();
    vault.receipt(CLERK, "000100012345_20260728_A0098877_IDF_01.jpg", "ACCEPTED");
    let baseline = vault.server().resident_bytes();

    let name = "000100012345_20260728_A0098877_WVID_01.mp4";
    let path = vault.home.join(name);
    media::mp4_file(&path, 3_000_000_000, 20_260_728);
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let server = vault.server();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(server.resident_bytes(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let ran = vault.sftp(CLERK, &format!("put {} /inbox/", path.display()));
        done.store(true, Ordering::Relaxed);
        ran.ok();
    });
    let grown = peak.load(Ordering::Relaxed).saturating_sub(baseline);
    println!(
        "one 3 GB upload: {:.1} MB over {:.1} MB",
        grown as f64 / 1e6,
        baseline as f64 / 1e6
    );
    let receipt = vault.assert_accepted(CLERK, name, &path);
    assert_eq!(
        receipt.fact("size_bytes"),
        fs::metadata(&path).unwrap().len().to_string()
    );
    assert!(grown < 32_000_000, "one 3 GB upload takes {grown} bytes");

    // The whole of it comes back through Debian's age.
    let row = vault.evidence().pop().unwrap();
    let (sealed, restored) = (vault.home.join("sealed.age"), vault.home.join("restored.mp4"));
    let mut joined = fs::File::create(&sealed).unwrap();
    for part in [vault.header(&row), vault.object(&row).join("content")] {
        std::io::copy(&mut fs::File::open(part).unwrap(), &mut joined).unwrap();
    }
    let mut age = std::process::Command::new("age");
    age.args(["-d", "-i"])
        .arg(vault.identity())
        .arg("-o")
        .arg(&restored)
        .arg(&sealed);
    crate::support::command::run(&mut age).ok();
    assert_eq!(sha256_of_file(&restored), sha256_of_file(&path));
}

#[test]
fn memory_comes_back_after_many_sessions() {
    let vault = TestVault::serving();
    let round = || {
        vault.python(CLERK, "for _ in range(60):\n    s = sftp()\n    s.listdir('/inbox')\n    s.get_channel().transport.close()").ok();
        vault.server().resident_bytes()
    };
    let first = round();
    let last = [round(), round(), round(), round()][3];
    // Sessions that are over must leave nothing behind but what the allocator keeps.
    wait_for("sessions to end", || {
        (vault.server().resident_bytes() < first.max(last) + (8 << 20)).then_some(())
    });
    assert!(
        last < first + (16 << 20),
        "from {first} to {last} bytes over 240 sessions"
    );
}
