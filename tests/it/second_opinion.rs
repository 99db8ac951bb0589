//! Other people's programs agree: Debian's `age`, PyPI's `bagit`, `openssl` and `sha256sum` alone.

use crate::support::{CLERK, TestVault, command::run, log, media, sha256};
use std::{fs, path::Path, process::Command};

const CHECK_RECEIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/check-receipt.sh");
const PAGE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";

#[test]
fn stock_age_opens_content_and_record() {
    let vault = TestVault::serving();
    let sizes = [0usize, 1, 65_535, 65_536, 65_537, 1_000_000];
    for (size, seq) in sizes.iter().zip(1..) {
        let name = format!("000100012345_20260728_A0098877_IDF_{seq:02}.jpg");
        vault.upload(CLERK, &name, &media::jpeg(*size, seq)).ok();
        vault.receipt(CLERK, &name, "ACCEPTED");
    }
    for (row, (size, seq)) in vault.evidence().iter().zip(sizes.iter().zip(1..)) {
        assert_eq!(vault.decrypted(row), media::jpeg(*size, seq), "{row}");
        // One header opens the record too; it ties itself to the leaf.
        let mut sealed = fs::read(vault.header(row)).unwrap();
        sealed.extend(fs::read(vault.object(row).join("record")).unwrap());
        let path = vault.file("record.age", &sealed);
        let text = run(Command::new("age")
            .args(["-d", "-i"])
            .arg(vault.identity())
            .arg(path))
        .ok()
        .stdout;
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["leaf_index"], row["receipt"]);
    }
}

#[test]
fn the_escrow_opens_what_the_identity_opens() {
    let vault = TestVault::serving();
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, PAGE, "ACCEPTED");
    let row = &vault.evidence()[0];
    let mut sealed = fs::read(vault.header(row)).unwrap();
    sealed.extend(fs::read(vault.object(row).join("content")).unwrap());
    let (joined, out) = (vault.file("joined.age", &sealed), vault.home.join("restored"));
    run(Command::new("age")
        .args(["-d", "-i"])
        .arg(vault.escrow())
        .arg("-o")
        .arg(&out)
        .arg(joined))
    .ok();
    assert_eq!(fs::read(out).unwrap(), media::jpeg(20_000, 1));
}

#[test]
fn an_exported_bag_validates_and_verifies() {
    let vault = TestVault::serving();
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, PAGE, "ACCEPTED");
    let row = vault.evidence().remove(0);
    let id = row["id"].as_str().unwrap();
    let (out, identity) = (vault.home.join("export"), vault.identity());
    let (out, identity) = (out.to_str().unwrap(), identity.to_str().unwrap());
    let before = vault.checkpoint().0;
    let export = ["evidence", "export", id, "--out", out, "--identity", identity];
    // No basis, no content; the refusal is on record.
    vault.muniment(&export).fails();
    let basis = [
        "--basis",
        "regulator",
        "--reason",
        "letter 2026-17",
        "--requester",
        "wang.fang",
    ];
    vault.muniment(&[&export[..], &basis].concat()).ok();
    let (size, _) = vault.checkpoint();
    let entries = log::entries(&vault.path.join("log"), size);
    let read = |entry: &Vec<u8>| String::from_utf8_lossy(entry).contains("\"access.read\"");
    assert!(
        entries[before as usize..].iter().any(read),
        "the read isn't on the log"
    );

    let bag = find(Path::new(out), "bagit.txt");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/python");
    let bagit = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/bagit.py");
    run(Command::new(python).args([bagit, "--validate"]).arg(&bag)).ok();
    let original = find(&bag.join("data"), PAGE).join(PAGE);
    assert_eq!(fs::read(original).unwrap(), media::jpeg(20_000, 1));
    let key = vault.log_public_key();
    let bundle = [
        "bundle".as_ref(),
        bag.as_os_str(),
        "--key".as_ref(),
        key.as_os_str(),
    ];
    vault.verify(&bundle).ok();

    // A bag with another original is refused, though its own manifests were made to fit.
    let data = find(&bag.join("data"), PAGE).join(PAGE);
    let forged = media::jpeg(20_000, 2);
    let digest = (sha256(&fs::read(&data).unwrap()), sha256(&forged));
    fs::write(&data, &forged).unwrap();
    for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        let text = fs::read_to_string(bag.join(manifest)).unwrap();
        fs::write(bag.join(manifest), text.replace(&digest.0, &digest.1)).unwrap();
    }
    let tag = sha256(&fs::read(bag.join("manifest-sha256.txt")).unwrap());
    let tags = fs::read_to_string(bag.join("tagmanifest-sha256.txt")).unwrap();
    let tags: String = tags
        .lines()
        .map(|line| {
            if line.ends_with(" manifest-sha256.txt") {
                format!("{tag}  manifest-sha256.txt\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    fs::write(bag.join("tagmanifest-sha256.txt"), tags).unwrap();
    vault.verify(&bundle).exits(1);
}

#[test]
fn openssl_and_sha256sum_check_a_receipt() {
    let vault = TestVault::serving();
    for seq in 1..=9 {
        let name = format!("000100012345_20260728_A0098877_IDF_{seq:02}.jpg");
        vault.upload(CLERK, &name, &media::jpeg(2_000, seq)).ok();
    }
    let name = "000100012345_20260728_A0098877_IDF_04.jpg";
    let original = vault.file(name, &media::jpeg(2_000, 4));
    let receipt = vault.assert_accepted(CLERK, name, &original);
    let check = |receipt: &crate::support::receipts::Receipt| {
        let mut bash = Command::new("bash");
        bash.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/support/check-receipt.sh"
        ))
        .arg(&receipt.json_file)
        .arg(&receipt.proof_file)
        .arg(vault.log_public_key())
        .arg(&original);
        run(&mut bash)
    };
    check(&receipt).ok();
    let leaf = fs::read(&receipt.json_file).unwrap();
    fs::write(
        &receipt.json_file,
        String::from_utf8(leaf).unwrap().replace("sealed", "signed"),
    )
    .unwrap();
    check(&receipt).fails();
}

#[test]
fn the_shell_agrees_with_every_proof_of_small_trees() {
    use muniment::tlog::{
        checkpoint::Checkpoint,
        key::{Algorithm, SignerKey},
        merkle::{Hash, inclusion_proof, leaf_hash, root_of},
        proof::TlogProof,
    };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let random = ring::rand::SystemRandom::new();
    let signer = SignerKey::generate("shell.example/log", Algorithm::Ed25519, &random).unwrap();
    let key = file("log.pub", format!("{}\n", signer.verifier()).as_bytes());
    for size in [1usize, 3, 7, 11] {
        let leaves: Vec<Vec<u8>> = (0..size)
            .map(|number| format!("{{\"leaf\":{number}}}").into_bytes())
            .collect();
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let checkpoint = Checkpoint {
            origin: signer.verifier().name().to_owned(),
            size: size as u64,
            root: root_of(&hashes),
            extensions: Vec::new(),
        };
        let note = checkpoint.sign(&signer).unwrap();
        for (index, leaf) in leaves.iter().enumerate() {
            let mut reader = |_: u8, at: u64| Ok::<_, std::convert::Infallible>(hashes[at as usize]);
            let path = inclusion_proof(index as u64, size as u64, &mut reader).unwrap();
            let proof = TlogProof {
                extra: b"openings".to_vec(),
                index: index as u64,
                hashes: path,
                checkpoint: note.clone(),
            };
            let proof = file("proof", proof.to_string().as_bytes());
            let check = |leaf: &[u8]| {
                let leaf = file("leaf", leaf);
                run(Command::new("bash")
                    .arg(CHECK_RECEIPT)
                    .arg(leaf)
                    .arg(&proof)
                    .arg(&key))
            };
            check(leaf).ok();
            check(&[leaf.as_slice(), b" "].concat()).fails();
        }
    }
}

fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let out = run(Command::new("find")
        .arg(folder)
        .args(["-name", name, "-printf", "%h\\n"]))
    .ok()
    .stdout;
    out.lines()
        .next()
        .unwrap_or_else(|| panic!("no {name} below {}", folder.display()))
        .into()
}
