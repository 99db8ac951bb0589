//! The server against the real OpenSSH clients, and its refusals.

mod fido;
mod transport;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::{Certificate, PublicKey};
use tokio::time::timeout;

use super::host_keys::{HostKeyKind, generate};
use super::*;
use crate::sftp::space::{FileSpace, SpaceError, SpaceErrorKind};
use crate::sftp::testing::{Memory, key};

const PATIENCE: Duration = Duration::from_secs(60);

/// Knows one key and one authority, both for `clerk`.
struct Door {
    memory: Memory,
    clerk: Mutex<Option<PublicKey>>,
    authority: Option<PublicKey>,
    refusals: Mutex<Vec<String>>,
}

impl Door {
    fn login(&self, user: &str, key: &PublicKey, peer: SocketAddr) -> Login {
        Login {
            person_id: "person-7".to_owned(),
            user_name: user.to_owned(),
            key_fingerprint: key.fingerprint(russh::keys::HashAlg::Sha256).to_string(),
            by_certificate: false,
            peer,
        }
    }
}

impl Doorkeeper for Door {
    fn by_key(&self, user: &str, _: &str, key: &PublicKey, peer: SocketAddr) -> Option<Login> {
        let known = self
            .clerk
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|known| known.key_data() == key.key_data());
        (known && user == "clerk").then(|| self.login(user, key, peer))
    }

    fn by_certificate(&self, user: &str, shown: &Certificate, peer: SocketAddr) -> Option<Login> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        certificate::verify(shown, user, peer.ip(), now, self.authority.as_slice()).ok()?;
        Some(self.login(user, &PublicKey::from(shown.public_key().clone()), peer))
    }

    fn open_space(&self, _: &Login, _: &str) -> Result<Box<dyn FileSpace>, SpaceError> {
        match *self.clerk.lock().unwrap() {
            Some(_) => Ok(self.memory.space()),
            None => Err(SpaceError::new(
                SpaceErrorKind::PermissionDenied,
                "your access has ended",
            )),
        }
    }

    fn refused(&self, user: &str, method: &str, _: SocketAddr, reason: &str) {
        self.refusals
            .lock()
            .unwrap()
            .push(format!("{user} {method} {reason}"));
    }
}

struct Bench {
    folder: tempfile::TempDir,
    memory: Memory,
    door: Arc<Door>,
    server: Server,
    /// Where clients connect.
    port: u16,
}

impl Bench {
    async fn new(settings: SshSettings) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let host = generate(&path("host"), HostKeyKind::Ed25519).unwrap();
        let clerk = generate(&path("clerk"), HostKeyKind::Ed25519)
            .unwrap()
            .public_key()
            .clone();
        std::fs::write(path("clerk.pub"), clerk.to_openssh().unwrap()).unwrap();
        let authority = generate(&path("authority"), HostKeyKind::Ed25519)
            .unwrap()
            .public_key()
            .clone();
        let memory = Memory::default();
        let door = Arc::new(Door {
            memory: memory.clone(),
            clerk: Mutex::new(Some(clerk)),
            authority: Some(authority),
            refusals: Mutex::default(),
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(address, vec![host], settings, door.clone())
            .await
            .unwrap();
        Bench {
            folder,
            memory,
            door,
            port: server.local_address().port(),
            server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One of OpenSSH's clients, told everything it needs; further arguments are to be added.
    fn client(&self, program: &str, identity: &str) -> Command {
        let mut command = bounded(program);
        command
            .arg(if program == "ssh" { "-p" } else { "-P" })
            .arg(self.port.to_string());
        command
            .arg("-F")
            .arg("/dev/null")
            .arg("-i")
            .arg(self.path(identity));
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "LogLevel=ERROR",
        ] {
            command.arg("-o").arg(option);
        }
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        command
    }

    /// Runs `sftp -b` on a script, with further options.
    async fn sftp(&self, options: &[&str], script: &str) -> Output {
        let batch = self.path("batch");
        std::fs::write(&batch, script).unwrap();
        let mut command = self.client("sftp", "clerk");
        command
            .args(options)
            .arg("-b")
            .arg(&batch)
            .arg("clerk@127.0.0.1")
            .current_dir(self.folder.path());
        run(command).await
    }

    /// An upload under way that the disk doesn't take.
    async fn held_upload(&self) -> (tokio::task::JoinHandle<Output>, Memory) {
        write_data(&self.path("big"), 30_000_000);
        std::fs::write(self.path("batch"), "put big big\n").unwrap();
        let mut command = self.client("sftp", "clerk");
        command
            .arg("-b")
            .arg(self.path("batch"))
            .arg("clerk@127.0.0.1")
            .current_dir(self.folder.path());
        self.memory.hold(true);
        let client = tokio::spawn(run(command));
        let opened = async {
            while self.memory.file("big").is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, opened).await.unwrap();
        (client, self.memory.clone())
    }

    async fn ssh(&self, identity: &str, arguments: &[&str]) -> Output {
        let mut command = self.client("ssh", identity);
        command.arg("clerk@127.0.0.1").args(arguments);
        run(command).await
    }
}

/// A program that is killed when it hangs.
fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE.as_secs().to_string()).arg(program);
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_ok(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

fn write_data(path: &Path, bytes: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..bytes).map(|n| (n * 31 + n / 255) as u8).collect();
    std::fs::write(path, &data).unwrap();
    data
}

fn fast() -> SshSettings {
    SshSettings {
        auth_delay: Duration::from_millis(10),
        ..SshSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssh_sftp_does_a_day_s_work_while_keys_are_exchanged_again_and_again() {
    let bench = Bench::new(fast()).await;
    let data = write_data(&bench.path("big"), 12_000_000);
    let script = "mkdir in\nput big in/a.part\nrename in/a.part in/a\nls -l in\nget in/a back\ndf in\nrm in/a\nput big b\n";
    let output = bench.sftp(&["-o", "RekeyLimit=1M"], script).await;
    assert_ok(&output);
    assert!(
        text(&output.stdout).contains("12000000"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(std::fs::read(bench.path("back")).unwrap(), data);
    assert_eq!(bench.memory.file("b").unwrap(), data);
    assert_eq!(bench.memory.file("in/a"), None);

    bench
        .memory
        .tree()
        .files
        .get_mut(&key("b"))
        .unwrap()
        .truncate(5_000_001);
    assert_ok(&bench.sftp(&[], "reput big b\n").await);
    assert_eq!(bench.memory.file("b").unwrap(), data);

    std::fs::write(bench.path("partly"), &data[..1_000_000]).unwrap();
    assert_ok(&bench.sftp(&[], "reget b partly\n").await);
    assert_eq!(std::fs::read(bench.path("partly")).unwrap(), data);

    let output = bench.sftp(&[], "get none\n").await;
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("none"), "{}", text(&output.stderr));
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scp_and_every_cipher_work() {
    let bench = Bench::new(fast()).await;
    let data = write_data(&bench.path("file"), 3_000_000);
    for cipher in [
        "aes256-gcm@openssh.com",
        "aes128-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes256-ctr",
    ] {
        let mut command = bench.client("scp", "clerk");
        command
            .arg("-c")
            .arg(cipher)
            .arg(bench.path("file"))
            .arg("clerk@127.0.0.1:/copy");
        assert_ok(&run(command).await);
        assert_eq!(bench.memory.tree().files.remove(&key("copy")).unwrap(), data);
    }
    for weak in ["aes256-cbc", "3des-cbc"] {
        let mut command = bench.client("scp", "clerk");
        command
            .arg("-c")
            .arg(weak)
            .arg(bench.path("file"))
            .arg("clerk@127.0.0.1:/copy");
        assert!(!run(command).await.status.success());
    }
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_offers_sha256sum_and_nothing_else() {
    let bench = Bench::new(fast()).await;
    bench.memory.tree().files.insert(key("a b"), b"abc".to_vec());
    let output = bench.ssh("clerk", &["sha256sum '/a b'"]).await;
    assert_ok(&output);
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  /a b\n";
    assert_eq!(text(&output.stdout), expected);
    for command in ["md5sum x", "echo ${ShellId}%ComSpec%", "scp -t /"] {
        let output = bench.ssh("clerk", &[command]).await;
        assert_eq!(output.status.code(), Some(127));
        assert!(text(&output.stderr).contains("SFTP"));
    }
    let shell = bench.ssh("clerk", &[]).await;
    assert_eq!(shell.status.code(), Some(1));
    assert!(text(&shell.stderr).contains("There is no shell here"));
    let terminal = bench.ssh("clerk", &["-tt"]).await;
    assert!(!terminal.status.success());
    let forwarding = bench
        .ssh(
            "clerk",
            &["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:1"],
        )
        .await;
    assert!(!forwarding.status.success());
    let tunnel = bench.ssh("clerk", &["-W", "127.0.0.1:22"]).await;
    assert!(!tunnel.status.success());
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_known_strong_keys_and_good_certificates_come_in() {
    let bench = Bench::new(SshSettings {
        certificates: true,
        ..fast()
    })
    .await;
    let keygen = |arguments: &[&str]| {
        let mut command = bounded("ssh-keygen");
        command
            .arg("-q")
            .args(arguments)
            .current_dir(bench.folder.path())
            .stdin(Stdio::null());
        run(command)
    };
    for (name, kind, bits, welcome) in [
        ("ed", "ed25519", "256", true),
        ("p256", "ecdsa", "256", true),
        ("p384", "ecdsa", "384", true),
        ("p521", "ecdsa", "521", true),
        ("rsa", "rsa", "2048", true),
        ("short", "rsa", "1024", false),
    ] {
        assert_ok(&keygen(&["-t", kind, "-b", bits, "-N", "", "-f", name]).await);
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(
            bench.ssh(name, &["md5sum"]).await.status.code(),
            Some(255),
            "{name} isn't known yet"
        );
        *bench.door.clerk.lock().unwrap() = Some(PublicKey::from_openssh(&public).unwrap());
        let output = bench.ssh(name, &["md5sum"]).await;
        assert_eq!(
            output.status.code() == Some(127),
            welcome,
            "{name}: {}",
            text(&output.stderr)
        );
    }
    let sha1 = bench
        .ssh("rsa", &["-o", "PubkeyAcceptedAlgorithms=ssh-rsa", "md5sum"])
        .await;
    assert_eq!(sha1.status.code(), Some(255));

    for (options, welcome) in [
        (&["-n", "clerk"][..], true),
        (&["-n", "somebody"], false),
        (&["-n", "clerk", "-V", "-2h:-1h"], false),
        (&["-n", "clerk", "-O", "source-address=127.0.0.0/8"], true),
        (&["-n", "clerk", "-O", "source-address=192.0.2.0/24"], false),
        (&["-n", "clerk", "-O", "force-command=true"], false),
        (&["-h", "-n", "clerk"], false),
    ] {
        let sign = [&["-s", "authority", "-I", "x"], options, &["ed.pub"]].concat();
        assert_ok(&keygen(&sign).await);
        let output = bench.ssh("ed", &["md5sum"]).await;
        assert_eq!(
            output.status.code() == Some(127),
            welcome,
            "{options:?}: {}",
            text(&output.stderr)
        );
    }
    assert!(
        bench
            .door
            .refusals
            .lock()
            .unwrap()
            .iter()
            .any(|refusal| refusal.contains("shorter than 2048"))
    );
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_loses_access_is_cut_off_in_mid_upload() {
    let bench = Bench::new(fast()).await;
    let (client, memory) = bench.held_upload().await;
    assert_eq!(bench.server.sessions().count(), 1);
    *bench.door.clerk.lock().unwrap() = None;
    assert_eq!(bench.server.sessions().kill_person("somebody-else", "no"), 0);
    assert_eq!(
        bench
            .server
            .sessions()
            .kill_person("person-7", "Your access has ended."),
        1
    );
    let output = client.await.unwrap();
    assert!(!output.status.success());
    memory.hold(false);
    bench.server.shutdown(Duration::from_secs(5)).await;
    let tree = memory.tree();
    assert!(tree.closed.is_empty());
    assert_eq!(tree.parked.len(), 1);
    assert_eq!(tree.spaces_dropped, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_cut_off_is_told_why() {
    let bench = Bench::new(fast()).await;
    let mut command = bench.client("ssh", "clerk");
    command.arg("-N").arg("clerk@127.0.0.1");
    let client = tokio::spawn(run(command));
    let logged_in = async {
        while bench.server.sessions().count() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, logged_in).await.unwrap();
    let session = bench.server.sessions().list().remove(0);
    assert_eq!(
        (session.login.person_id.as_str(), session.login.user_name.as_str()),
        ("person-7", "clerk")
    );
    assert_eq!(
        bench
            .server
            .sessions()
            .kill_person("person-7", "Your access has ended."),
        1
    );
    let output = client.await.unwrap();
    assert!(
        text(&output.stderr).contains("Your access has ended."),
        "{}",
        text(&output.stderr)
    );
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_is_asked_finish_and_parks_the_rest() {
    let bench = Bench::new(fast()).await;
    let (client, memory) = bench.held_upload().await;
    let folder = bench.folder;
    let stopping = tokio::spawn(bench.server.shutdown(PATIENCE));
    memory.hold(false);
    assert_ok(&client.await.unwrap());
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
    assert_eq!(memory.tree().closed, [key("big")]);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_without_grace_parks_an_upload_and_waits_for_the_worker() {
    let bench = Bench::new(fast()).await;
    let (client, memory) = bench.held_upload().await;
    let folder = bench.folder;
    let stopping = tokio::spawn(bench.server.shutdown(Duration::ZERO));
    assert!(!client.await.unwrap().status.success());
    assert!(!stopping.is_finished(), "the worker still writes");
    memory.hold(false);
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
    let tree = memory.tree();
    assert!(tree.closed.is_empty());
    assert_eq!(tree.parked.len(), 1);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_have_little_time_and_few_connections() {
    use tokio::io::AsyncReadExt;
    let settings = SshSettings {
        login_time: Duration::from_millis(400),
        max_connections_per_address: 2,
        ..fast()
    };
    let bench = Bench::new(settings).await;
    let connect = || tokio::net::TcpStream::connect(bench.server.local_address());
    let (mut first, _second) = (connect().await.unwrap(), connect().await.unwrap());
    let mut greeting = [0; 18];
    timeout(PATIENCE, first.read_exact(&mut greeting))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&greeting, b"SSH-2.0-Muniment\r\n");
    let mut third = connect().await.unwrap();
    assert_eq!(
        timeout(PATIENCE, third.read(&mut greeting))
            .await
            .unwrap()
            .unwrap_or(0),
        0,
        "one too many"
    );
    assert_eq!(
        timeout(PATIENCE, first.read(&mut greeting))
            .await
            .unwrap()
            .unwrap_or(0),
        0,
        "too slow to log in"
    );
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rclone_and_lftp_work() {
    let bench = Bench::new(fast()).await;
    let local = bench.path("local");
    std::fs::create_dir(&local).unwrap();
    for n in 0..40 {
        write_data(&local.join(format!("{n}.bin")), 1000 + n * 20_000);
    }
    std::fs::write(local.join("开户 视频.mp4"), "x").unwrap();
    let port = bench.server.local_address().port().to_string();
    let rclone = |arguments: &[&str]| {
        let mut command = bounded("rclone");
        let remote = format!(
            ":sftp,host=127.0.0.1,user=clerk,port={port},key_file={}:/up",
            bench.path("clerk").display()
        );
        command.env("RCLONE_CONFIG", "/dev/null");
        command.args(
            arguments
                .iter()
                .map(|word| if *word == "REMOTE" { remote.as_str() } else { word }),
        );
        command.current_dir(bench.folder.path());
        run(command)
    };
    assert_ok(&rclone(&["copy", "local", "REMOTE"]).await);
    assert_eq!(bench.memory.tree().files.len(), 41);
    assert_ok(&rclone(&["check", "local", "REMOTE", "--download"]).await);
    bench.memory.tree().files.clear();

    let mut command = bounded("lftp");
    let program = format!(
        "set sftp:connect-program 'ssh -a -x -F /dev/null -i {} -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o LogLevel=ERROR'; set net:max-retries 1; \
         open sftp://clerk:none@127.0.0.1:{port}; mirror -R local down; mirror down again; bye",
        bench.path("clerk").display()
    );
    command
        .env("HOME", bench.folder.path())
        .arg("--norc")
        .arg("-c")
        .arg(program)
        .current_dir(bench.folder.path());
    assert_ok(&run(command).await);
    assert_eq!(bench.memory.tree().files.len(), 41);
    for n in 0..40 {
        let name = format!("{n}.bin");
        assert_eq!(
            std::fs::read(bench.path("again").join(&name)).unwrap(),
            std::fs::read(local.join(&name)).unwrap()
        );
    }
    bench.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_too_exchanges_keys_in_mid_transfer() {
    let bench = Bench::new(SshSettings {
        rekey_bytes: 1 << 20,
        ..fast()
    })
    .await;
    let data = write_data(&bench.path("big"), 12_000_000);
    assert_ok(&bench.sftp(&[], "put big a\nget a back\n").await);
    assert_eq!(std::fs::read(bench.path("back")).unwrap(), data);
    assert_eq!(bench.memory.file("a").unwrap(), data);
    bench.server.shutdown(Duration::from_secs(5)).await;
}

/// As paramiko does with large files: every READ is sent before the first answer is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_for_everything_first_gets_everything() {
    const MANY: u32 = 200_000;
    const LARGE: u32 = 1500;
    let bench = Bench::new(fast()).await;
    bench.memory.tree().files.insert(key("a"), vec![7; 100_000]);
    let packet = |kind: u8, body: &[u8]| {
        [
            &u32::try_from(body.len() + 1).unwrap().to_be_bytes()[..],
            &[kind],
            body,
        ]
        .concat()
    };
    let read = |id: u32, length: u32| {
        let handle = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
        packet(
            5,
            &[&id.to_be_bytes()[..], &handle, &[0; 8], &length.to_be_bytes()].concat(),
        )
    };
    let mut requests = packet(1, &[0, 0, 0, 3]);
    requests.extend(packet(
        3,
        &[&[0, 0, 0, 0, 0, 0, 0, 2][..], b"/a", &[0, 0, 0, 1], &[0; 4]].concat(),
    ));
    (0..MANY).for_each(|id| requests.extend(read(id, 16)));
    (0..LARGE).for_each(|id| requests.extend(read(id, 65_536)));
    std::fs::write(bench.path("requests"), requests).unwrap();

    let mut client = bench.client("ssh", "clerk");
    client.arg("-s").arg("clerk@127.0.0.1").arg("sftp");
    let words: Vec<String> = std::iter::once(client.get_program())
        .chain(client.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut shell = bounded("sh");
    let pipe = format!("{} < requests | (sleep 2; wc -c)", words.join(" "));
    shell.arg("-c").arg(pipe).current_dir(bench.folder.path());
    let output = run(shell).await;
    assert_ok(&output);
    let version_and_handle = text(&output.stdout).trim().parse::<u64>().unwrap()
        - u64::from(MANY) * (13 + 16)
        - u64::from(LARGE) * (13 + 65_536);
    assert!(version_and_handle < 400, "{version_and_handle}");
    bench.server.shutdown(Duration::from_secs(5)).await;
}
