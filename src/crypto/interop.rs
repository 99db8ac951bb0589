//! Both ways with the `age` program, which `./test` installs: evidence must be readable without us.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use ring::rand::SystemRandom;

use super::{BodyReader, FileKey, Identity, Recipients, body, header};

/// Runs `program` with `input`; its absence is a failure, not a reason to skip.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> (bool, Vec<u8>) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("`{program}` (Debian package `age`) is needed for this test: {error}")
        });
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // The program may refuse and leave before it has read everything.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    });
    (output.status.success(), output.stdout)
}

fn identity_file(folder: &Path, identity: &Identity) -> String {
    let path = folder.join("identity");
    fs::write(&path, identity.to_file().as_bytes()).unwrap();
    path.to_str().unwrap().into()
}

const LENGTHS: [usize; 7] = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000];

#[test]
fn age_reads_what_we_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (vault, escrow) = (Identity::generate(), Identity::generate());
    let escrow_file = identity_file(folder.path(), &escrow);
    let random = SystemRandom::new();
    for length in LENGTHS {
        let text: Vec<u8> = (0..length).map(|i| (i % 253) as u8).collect();
        let key = FileKey::generate(&random).unwrap();
        let header = header::wrap(
            &key,
            &Recipients::new(&[vault.recipient(), escrow.recipient()]).unwrap(),
        )
        .unwrap();
        let file = [header, body::seal(&key, &random, &text).unwrap()].concat();
        assert_eq!(
            run("age", &["-d", "-i", &escrow_file], &file),
            (true, text),
            "{length}"
        );
        let (refused, _) = run("age", &["-d", "-i", &escrow_file], &file[..file.len() - 1]);
        assert!(!refused, "{length} cut");
    }
}

#[test]
fn we_read_what_age_wrote() {
    let (vault, escrow) = (Identity::generate(), Identity::generate());
    let (first, second) = (vault.recipient().to_string(), escrow.recipient().to_string());
    for length in LENGTHS {
        let text: Vec<u8> = (0..length).map(|i| (i % 241) as u8).collect();
        let (made, file) = run("age", &["-r", &first, "-r", &second], &text);
        assert!(made, "{length}");
        let mac = file.windows(5).position(|at| at == b"\n--- ").unwrap() + 1;
        let end = mac + file[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let (header, body) = file.split_at(end);
        for identity in [&vault, &escrow] {
            let key = header::unwrap(header, std::slice::from_ref(identity)).unwrap();
            assert_eq!(
                BodyReader::open(&key, body).unwrap().read_all(length).unwrap(),
                text,
                "{length}"
            );
        }
    }
}

#[test]
fn age_keygen_and_we_read_each_other() {
    let (made, file) = run("age-keygen", &[], b"");
    assert!(made);
    let file = String::from_utf8(file).unwrap();
    let ours = Identity::parse_file(&file)
        .unwrap()
        .remove(0)
        .recipient()
        .to_string();
    assert!(file.contains(&format!("# public key: {ours}\n")));
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::generate();
    let (read, recipient) = run(
        "age-keygen",
        &["-y", &identity_file(folder.path(), &identity)],
        b"",
    );
    assert!(read);
    assert_eq!(recipient, format!("{}\n", identity.recipient()).as_bytes());
}
