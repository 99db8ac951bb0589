//! The script in `docs/FORMAT.md`: openssl and sha256sum come to the same verdict as the verifier.

use super::fixture::{Fixture, ORIGINAL};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// The block of the document that is marked `sh receipt-check`.
fn script() -> &'static str {
    let document = include_str!("../../../docs/FORMAT.md");
    let (_, rest) = document.split_once("\n```sh receipt-check\n").unwrap();
    rest.split_once("\n```\n").unwrap().0
}

fn run(stem: &Path, key: &Path, original: &Path) -> Output {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(script())
        .env("RECEIPT", stem)
        .env("KEY", key)
        .env("ORIGINAL", original);
    shell.output().unwrap()
}

#[test]
fn openssl_and_sha256sum_agree_with_the_verifier() {
    let mut log = Fixture::story();
    for number in 9..13 {
        log.push(super::fixture::sealed(number, number, 1, ORIGINAL));
    }
    let folder = tempfile::tempdir().unwrap();
    let (key, original) = (folder.path().join("log.pub"), folder.path().join("original"));
    fs::write(&key, format!("{}\n", log.log.verifier())).unwrap();
    fs::write(&original, ORIGINAL).unwrap();
    // Every shape of path: alone, left, right, at the right edge.
    for (index, size) in [(3, 4), (3, 9), (3, 13), (10, 11), (12, 13), (11, 12)] {
        let stem = log.write_receipt(folder.path(), "page.jpg.ACCEPTED", index, log.cosigned(size));
        let output = run(&stem, &key, &original);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{index} of {size}: {output:?}");
        assert!(
            shown.contains("customer = 000100012345")
                && shown.contains("seq = 1")
                && shown.contains("kind = evidence.sealed"),
            "{shown}"
        );
        assert!(
            shown.contains(&format!("VERIFIED: leaf {index} of {size} in the log")),
            "{shown}"
        );
    }

    let stem = log.write_receipt(folder.path(), "page.jpg.ACCEPTED", 3, log.checkpoint(13));
    let file = |ending: &str| std::path::PathBuf::from(format!("{}{ending}", stem.display()));
    let flip = |path: &Path, at: usize, said: &str| {
        let right = fs::read(path).unwrap();
        let mut bytes = right.clone();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
        let output = run(&stem, &key, &original);
        assert!(
            !output.status.success(),
            "{} byte {at}: {output:?}",
            path.display()
        );
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.is_empty() || words.contains(said),
            "{} byte {at}: {words}",
            path.display()
        );
        fs::write(path, right).unwrap();
    };
    flip(&file(".json"), 100, "not in the log");
    flip(&original, 3, "not the original");
    flip(&key, 40, "");
    let proof = fs::read(file(".tlog-proof")).unwrap();
    for at in (0..proof.len()).step_by(37) {
        flip(&file(".tlog-proof"), at, "");
    }
    assert!(run(&stem, &key, &original).status.success());
}
