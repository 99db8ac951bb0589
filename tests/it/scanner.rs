//! Debian's own `clamd` before the gate: what it knows is refused, what it can't take gets a person's look, and while it is
//! away or hangs uploads wait. Its one signature is ours, for a harmless text; its limits are small, so that files may be.

use crate::support::{
    CLERK, TestVault, hex,
    media::{
        self,
        document::{Pdf, zip},
        page::{Page, with_comments},
        recording::{Container, good},
    },
    receipts::Receipt,
    server::wait_for,
};
use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What the scanner takes for malware.
const HARMFUL: &[u8] = b"MUNIMENT: A TEXT THAT HARMS NOBODY AND THAT A TEST'S SCANNER MUST FIND";
/// How the scanner calls it; `.UNOFFICIAL` is its word for signatures of others.
const SIGNATURE: &str = "Muniment.Test.UNOFFICIAL";
/// Bytes from which on it says that it doesn't scan a file, and from which on it doesn't even take one in.
const MAX_FILE_BYTES: usize = 2 << 20;
const MAX_STREAM_BYTES: usize = 4 << 20;

/// A `clamd` of the test's own.
struct Scanner {
    folder: PathBuf,
    child: Option<Child>,
}

impl Scanner {
    /// Its configuration and database in a folder; it doesn't run yet.
    fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(folder.join("db")).unwrap();
        fs::create_dir_all(folder.join("tmp")).unwrap();
        fs::write(
            folder.join("db/test.ndb"),
            format!("Muniment.Test:0:*:{}\n", hex(HARMFUL)),
        )
        .unwrap();
        let at = folder.display();
        fs::write(
            folder.join("clamd.conf"),
            format!(
                "Foreground yes\nLocalSocket {at}/clamd.sock\nDatabaseDirectory {at}/db\nTemporaryDirectory {at}/tmp\n\
                 AlertExceedsMax yes\nMaxFileSize {MAX_FILE_BYTES}\nMaxScanSize {MAX_FILE_BYTES}\n\
                 StreamMaxLength {MAX_STREAM_BYTES}\n"
            ),
        )
        .unwrap();
        Scanner { folder, child: None }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("clamd.sock")
    }

    /// Starts it and waits until it answers.
    fn start(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let child = Command::new("clamd")
            .arg("--config-file")
            .arg(self.folder.join("clamd.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("clamd starts");
        self.child = Some(child);
        wait_for("clamd to listen", || UnixStream::connect(self.socket()).ok());
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let done = Command::new("kill").arg(format!("-{name}")).arg(pid).status();
        assert!(done.unwrap().success());
    }

    /// Stops it as an operator does.
    fn stop(&mut self) {
        self.signal("TERM");
        self.child.take().unwrap().wait().unwrap();
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A vault that asks a scanner of its own; neither runs yet.
fn vault() -> (TestVault, Scanner) {
    let vault = TestVault::new();
    let scanner = Scanner::new(vault.home.join("clamd"));
    vault.set_config("inspect", "clamd", format!("unix:{}", scanner.socket().display()));
    (vault, scanner)
}

fn name(doctype: &str, ext: &str, seq: u32) -> String {
    format!("000100012345_20260728_C0000001_{doctype}_{seq:02}.{ext}")
}

fn put(vault: &TestVault, name: &str, bytes: &[u8]) -> PathBuf {
    let path = vault.file(name, bytes);
    vault.sftp(CLERK, &format!("put {} /inbox/", path.display())).ok();
    path
}

/// A page that carries the harmful text in a comment.
fn harmful_page() -> Vec<u8> {
    let mut page = with_comments(&Page::default().jpeg(), 400_000, 3);
    let comment = page
        .windows(2)
        .position(|marker| marker == [0xff, 0xfe])
        .expect("a comment");
    page[comment + 4..comment + 4 + HARMFUL.len()].copy_from_slice(HARMFUL);
    page
}

fn assert_harmful(receipt: &Receipt) {
    assert_eq!(receipt.fact("reason"), "malware", "{}", receipt.leaf);
    for words in [
        "malware",
        SIGNATURE,
        "The malware scanner found something harmful in it.",
        "恶意软件扫描发现有害内容。",
        "upload a clean file",
    ] {
        assert!(receipt.text.contains(words), "no {words:?} in\n{}", receipt.text);
    }
}

#[test]
fn what_the_scanner_says_decides() {
    let (mut vault, mut scanner) = vault();
    scanner.start();
    vault.serve();
    let page = Page::default();
    let clean = [
        (name("IDF", "jpg", 1), page.jpeg()),
        (name("AGR", "pdf", 1), Pdf::scanned(&[page]).bytes()),
        (name("CBND", "zip", 1), zip(&[("正面.jpg", &page.jpeg())])),
        (name("WVID", "mkv", 1), good(Container::Mkv)),
    ];
    for (name, bytes) in &clean {
        assert!(bytes.len() < MAX_FILE_BYTES, "{name}: {} bytes", bytes.len());
        let path = put(&vault, name, bytes);
        vault.assert_accepted(CLERK, name, &path);
    }

    let mut document = Pdf::scanned(&[page]);
    document.stream("", HARMFUL);
    let mut recording = good(Container::Mp4);
    recording.extend((8 + HARMFUL.len() as u32).to_be_bytes());
    recording.extend(b"free");
    recording.extend(HARMFUL);
    let harmful = [
        (name("IDF", "jpg", 2), harmful_page()),
        (name("AGR", "pdf", 2), document.bytes()),
        // Compressed: the scanner opens it.
        (name("CBND", "zip", 2), zip(&[("正面.jpg", &harmful_page())])),
        (name("WVID", "mp4", 2), recording),
    ];
    for (name, bytes) in &harmful {
        assert!(bytes.len() < MAX_FILE_BYTES, "{name}: {} bytes", bytes.len());
        let path = put(&vault, name, bytes);
        let receipt = vault.receipt(CLERK, name, "REJECTED");
        assert_harmful(&receipt);
        vault.verify_receipt(&receipt, Some(&path)).ok();
    }
    assert_eq!(vault.evidence().len(), clean.len());

    // Beyond its limits: one it takes in and doesn't scan, one it cuts off.
    for (seq, size) in [(3, MAX_FILE_BYTES + 500_000), (4, MAX_STREAM_BYTES + 2_000_000)] {
        let name = name("IDF", "jpg", seq);
        put(&vault, &name, &media::jpeg(size, u64::from(seq)));
        let receipt = vault.receipt(CLERK, &name, "NEEDS_REVIEW");
        assert!(receipt.text.contains("malware_not_scanned"), "{}", receipt.text);
    }
    vault.assert_sound();
}

#[test]
fn while_the_scanner_is_away_uploads_wait_and_then_settle_by_themselves() {
    let (mut vault, mut scanner) = vault();
    scanner.start();
    scanner.stop();
    vault.serve();
    let (clean, harmful) = (name("IDF", "jpg", 1), name("IDF", "jpg", 2));
    let path = put(&vault, &clean, &Page::default().jpeg());
    put(&vault, &harmful, &harmful_page());
    for name in [&clean, &harmful] {
        let receipt = vault.receipt(CLERK, name, "WAITING");
        assert_eq!(receipt.fact("reason"), "scanner_unavailable", "{}", receipt.leaf);
        for words in ["the malware scanner can't be reached", "病毒扫描服务暂不可用"] {
            assert!(receipt.text.contains(words), "no {words:?} in\n{}", receipt.text);
        }
    }
    // A start looks again at once: nobody answers still.
    vault.restart();
    put(&vault, &name("IDF", "jpg", 3), &media::jpeg(300_000, 3));
    vault.receipt(CLERK, &name("IDF", "jpg", 3), "WAITING");
    assert_eq!(vault.evidence(), Vec::<serde_json::Value>::new());

    scanner.start();
    vault.assert_accepted(CLERK, &clean, &path);
    assert_harmful(&vault.receipt(CLERK, &harmful, "REJECTED"));
    vault.receipt(CLERK, &name("IDF", "jpg", 3), "ACCEPTED");
    vault.assert_sound();
}

#[test]
fn a_scanner_that_hangs_holds_up_neither_the_client_nor_the_stop() {
    let (mut vault, mut scanner) = vault();
    scanner.start();
    vault.serve();
    scanner.signal("STOP");
    let name = name("IDF", "jpg", 1);
    let path = put(&vault, &name, &media::jpeg(1_500_000, 1));
    let receipt = vault.receipt(CLERK, &name, "WAITING");
    assert_eq!(receipt.fact("reason"), "inspecting", "{}", receipt.leaf);
    vault.stop();
    scanner.signal("CONT");
    vault.serve();
    vault.assert_accepted(CLERK, &name, Path::new(&path));
    vault.assert_sound();
}
