//! Finding, showing and exporting what is sealed. Sealing goes through the inbox that SFTP sessions use.

use crate::{media, support::Vault};
use muniment::{
    blob::Layout,
    catalog::{Catalogue, search},
    config::Config,
    crypto::Identity,
    domain::event::{Kind, Leaf},
    ingest::inbox::{Inbox, Uploader},
    server::VaultHandle,
    sftp::space::{Attributes, FileSpace, VirtualPath, WriteMode},
    tlog::store::LogDir,
};
use ring::digest::{SHA256, digest};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const FILE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";

/// A page; longer than two chunks of an age body.
fn jpeg(seed: u64) -> Vec<u8> {
    media::jpeg(150_000, seed)
}

/// A vault with one piece of evidence in two versions, and the second one's bytes.
fn sealed() -> (Vault, Vec<u8>) {
    let vault = Vault::new();
    vault.run(&["branch", "add", "0101", "--name", "x"]).ok();
    let key = vault.key(1);
    let person = [
        "user",
        "add",
        "zhang.san",
        "--role",
        "uploader",
        "--branch",
        "0101",
        "--nda",
        "n",
        "--key",
        &key,
        "--json",
    ];
    let added = vault.run(&person).ok().json();
    let handle = VaultHandle::open(config(&vault), "a test").unwrap();
    let uploader = Uploader {
        person: added["id"].as_str().unwrap().to_owned(),
        branch: "0101".to_owned(),
        key_fingerprint: added["keys"][0].as_str().unwrap().to_owned(),
    };
    let mut inbox = Inbox::new(handle.ingest.clone(), handle.open_paths.clone(), uploader);
    let mode = WriteMode {
        create: true,
        truncate: true,
        exclusive: false,
        append: false,
        read: false,
    };
    let path = VirtualPath {
        components: vec![FILE.as_bytes().to_vec()],
    };
    for fill in [1, 2] {
        let mut file = inbox.open_write(&path, mode, &Attributes::default()).unwrap();
        file.write(0, &jpeg(fill)).unwrap();
        file.close().unwrap();
    }
    drop(inbox);
    handle.close();
    (vault, jpeg(2))
}

fn config(vault: &Vault) -> Config {
    Config::load(&vault.path().join("muniment.toml")).unwrap()
}

fn newest(vault: &Vault) -> search::Evidence {
    let catalogue = Catalogue::open(&vault.path().join("catalog.db")).unwrap();
    catalogue
        .read(|catalogue| search::search(catalogue, &search::Filter::default(), 1))
        .unwrap()
        .remove(0)
}

/// Every leaf of the log.
fn leaves(vault: &Vault) -> Vec<Leaf> {
    let log = LogDir::new(vault.path().join("log"));
    let note = String::from_utf8(log.checkpoint().unwrap().unwrap()).unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    log.entries(0, size)
        .unwrap()
        .iter()
        .map(|bytes| serde_json::from_slice(bytes).unwrap())
        .collect()
}

fn export(vault: &Vault, which: &str, out: &str, more: &[&str]) -> crate::support::Run {
    let identity = [
        "--identity",
        "vault/keys/identity.age",
        "--basis",
        "regulator",
        "--reason",
        "letter 12",
    ];
    vault.run(&[&["evidence", "export", which, "--out", out][..], &identity, more].concat())
}

fn sha256sum(folder: &Path, manifest: &str) -> bool {
    Command::new("sha256sum")
        .args(["--quiet", "--strict", "-c", manifest])
        .current_dir(folder)
        .status()
        .unwrap()
        .success()
}

#[test]
fn lists_by_every_filter_in_pages_and_shows_the_timeline() {
    let (vault, bytes) = sealed();
    let hex: String = digest(&SHA256, &bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let count = |arguments: &[&str]| {
        let run = vault
            .run(&[&["evidence", "list", "--json"][..], arguments].concat())
            .ok();
        run.json()["evidence"].as_array().unwrap().len()
    };
    for (filter, found) in [
        (&[][..], 2),
        (&["--customer", "000100012345"], 2),
        (&["--customer", "000100012346"], 0),
        (&["--flow", "A0098877"], 2),
        (&["--branch", "0101", "--doctype", "IDF"], 2),
        (&["--from", "2026-07-28", "--to", "2026-07-28"], 2),
        (&["--from", "2026-07-29"], 0),
        (&["--to", "2026-07-27"], 0),
        (&["--state", "sealed"], 2),
        (&["--state", "returned"], 0),
        (&["--sha256", &hex], 1),
        (&["--sha256", &hex[..8]], 1),
    ] {
        assert_eq!(count(filter), found, "{filter:?}");
    }
    let page = vault
        .run(&["evidence", "list", "--limit", "1", "--json"])
        .ok()
        .json();
    let next = page["next"].as_str().unwrap();
    let second = vault
        .run(&["evidence", "list", "--limit", "1", "--after", next, "--json"])
        .ok()
        .json();
    assert_eq!(
        (&page["evidence"][0]["version"], &second["evidence"][0]["version"]),
        (&2.into(), &1.into())
    );
    vault
        .run(&["evidence", "list", "--limit", "1"])
        .ok()
        .says(0, &["--after"]);
    assert_eq!(vault.run(&["evidence", "list", "--from", "2026-02-30"]).code, 2);
    vault
        .run(&["evidence", "list", "--from", "2026-02-03", "--to", "2026-02-01"])
        .says(2, &["--from is after --to"]);

    let evidence = newest(&vault);
    for which in [evidence.id.clone(), evidence.receipt.to_string()] {
        let shown = vault.run(&["evidence", "show", &which, "--json"]).ok().json();
        assert_eq!(shown["versions"].as_array().unwrap().len(), 2);
        let kinds: Vec<&str> = shown["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["evidence.sealed", "evidence.sealed"]);
        assert_eq!(shown["people"][&evidence.person], "zhang.san");
    }
    assert!(
        vault
            .run(&["evidence", "show", &evidence.id])
            .ok()
            .stdout
            .contains("zhang.san")
    );
    vault
        .run(&["evidence", "show", "99999"])
        .says(1, &["99999", "evidence list"]);
}

#[test]
fn an_export_is_a_whole_bag_and_stands_in_the_log_before() {
    let (vault, bytes) = sealed();
    let evidence = newest(&vault);
    let exported = export(&vault, &evidence.id, "bag", &["--json"]).ok().json();
    let bag = vault.folder.path().join("bag");
    assert_eq!(fs::read(bag.join("data").join(FILE)).unwrap(), bytes);
    assert!(sha256sum(&bag, "manifest-sha256.txt") && sha256sum(&bag, "tagmanifest-sha256.txt"));
    assert!(!bag.join("INCOMPLETE.txt").exists());
    let leaf: Leaf = serde_json::from_slice(&fs::read(bag.join("data/receipt.json")).unwrap()).unwrap();
    assert_eq!(
        (leaf.kind, leaf.text("sha256")),
        (Kind::EvidenceSealed, Some(evidence.sha256.as_str()))
    );
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(bag.join("data/record.json")).unwrap()).unwrap();
    assert_eq!(record["leaf_index"], evidence.receipt);
    assert!(
        fs::read_to_string(bag.join("data/VERIFY.txt"))
            .unwrap()
            .contains("muniment-verify")
    );
    assert!(
        fs::read_to_string(bag.join("data/receipt.tlog-proof"))
            .unwrap()
            .starts_with("c2sp.org/tlog-proof@v1")
    );

    let leaves = leaves(&vault);
    let access = &leaves[usize::try_from(exported["access_leaf"].as_u64().unwrap()).unwrap()];
    assert_eq!(access.kind, Kind::AccessRead);
    assert_eq!(
        (access.text("evidence"), access.integer("version")),
        (Some(evidence.id.as_str()), Some(2))
    );
    assert_eq!(
        (access.text("basis"), access.text("purpose")),
        (Some("regulator"), Some("export"))
    );
    assert!(access.commit.contains_key("reason") && access.commit.contains_key("requester"));

    export(&vault, &evidence.id, "bag", &[]).says(1, &["isn't empty"]);
    let first = export(&vault, &evidence.id, "first", &["--version", "1", "--json"])
        .ok()
        .json();
    assert_eq!(first["version"], 1);
    assert_eq!(
        fs::read(vault.folder.path().join("first/data").join(FILE)).unwrap(),
        jpeg(1)
    );
}

#[test]
fn a_refused_export_writes_nothing_and_stands_in_the_log() {
    let (vault, _) = sealed();
    let evidence = newest(&vault);
    fs::write(
        vault.folder.path().join("other.age"),
        Identity::generate().to_file().as_bytes(),
    )
    .unwrap();
    let id = evidence.id.as_str();
    let identity = ["--identity", "vault/keys/identity.age"];
    let cases: [(&[&str], &str); 5] = [
        (
            &[
                "export",
                id,
                "--basis",
                "law",
                "--reason",
                "r",
                "--identity",
                "other.age",
            ],
            "doesn't open",
        ),
        (
            &[
                "export",
                id,
                "--basis",
                "",
                "--reason",
                "r",
                identity[0],
                identity[1],
            ],
            "no basis",
        ),
        (
            &[
                "export",
                id,
                "--basis",
                "curiosity",
                "--reason",
                "r",
                identity[0],
                identity[1],
            ],
            "no basis",
        ),
        (
            &[
                "export",
                id,
                "--basis",
                "law",
                "--reason",
                " ",
                identity[0],
                identity[1],
            ],
            "blank",
        ),
        (
            &[
                "export",
                "99999",
                "--basis",
                "law",
                "--reason",
                "r",
                identity[0],
                identity[1],
            ],
            "no evidence",
        ),
    ];
    for (number, (arguments, word)) in cases.into_iter().enumerate() {
        vault
            .run(&[&["evidence"], arguments, &["--out", "out"]].concat())
            .says(1, &[word]);
        assert!(!vault.folder.path().join("out").exists(), "{arguments:?}");
        let leaves = leaves(&vault);
        let refusals: Vec<&Leaf> = leaves
            .iter()
            .filter(|leaf| leaf.kind == Kind::AccessRefused)
            .collect();
        assert_eq!(refusals.len(), number + 1, "{arguments:?}");
        assert_eq!(refusals[number].text("evidence"), (number < 4).then_some(id));
        assert!(leaves.iter().all(|leaf| leaf.kind != Kind::AccessRead));
    }
}

#[test]
fn a_damaged_original_is_a_finding_and_no_bag() {
    let (vault, _) = sealed();
    let evidence = newest(&vault);
    let content: PathBuf = Layout::new(vault.path())
        .content(&evidence.customer, &evidence.id, 2)
        .unwrap();
    let mut body = fs::read(&content).unwrap();
    body[70_000] ^= 1;
    fs::remove_file(&content).unwrap();
    fs::write(&content, body).unwrap();
    export(&vault, &evidence.id, "bag", &[]).says(1, &["can't be read to its end", "incomplete"]);
    let bag = vault.folder.path().join("bag");
    assert!(bag.join("INCOMPLETE.txt").exists() && !bag.join("bagit.txt").exists());
    assert!(!bag.join("manifest-sha256.txt").exists());
    vault.run(&["fixity", "check"]).says(1, &[]);
}

#[test]
fn a_deleted_catalogue_comes_back_with_the_identity() {
    let (vault, _) = sealed();
    let before = newest(&vault);
    let people = vault.run(&["user", "list", "--json"]).ok().stdout;
    vault
        .run(&["fixity", "check", "--identity", "vault/keys/identity.age"])
        .ok();
    vault
        .run(&["rebuild", "--identity", "vault/keys/identity.age"])
        .says(2, &["exists"]);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = fs::remove_file(vault.path().join(name));
    }
    vault
        .run(&["evidence", "list"])
        .says(2, &["no catalogue", "rebuild"]);
    vault
        .run(&["rebuild", "--identity", "vault/keys/identity.age"])
        .ok();
    assert_eq!(newest(&vault), before);
    assert_eq!(vault.run(&["user", "list", "--json"]).ok().stdout, people);
    let last = leaves(&vault).pop().unwrap();
    assert_eq!(
        (last.kind, last.integer("evidence"), last.integer("findings")),
        (Kind::Recover, Some(2), Some(0))
    );
    vault.run(&["log", "verify"]).ok();
    vault
        .run(&["fixity", "check", "--identity", "vault/keys/identity.age"])
        .ok();
}

#[test]
fn a_log_put_back_to_an_old_state_is_found_by_the_catalogue() {
    let vault = Vault::new();
    let checkpoint = vault.path().join("log/checkpoint");
    let old = fs::read(&checkpoint).unwrap();
    fs::write(vault.folder.path().join("kept"), &old).unwrap();
    vault.run(&["branch", "add", "0101", "--name", "x"]).ok();
    let sound = vault
        .run(&["log", "verify", "--checkpoint", "kept", "--json"])
        .ok()
        .json();
    assert_eq!(sound["extends"], serde_json::json!(["kept", "catalog.db"]));
    fs::write(&checkpoint, old).unwrap();
    let report = vault.run(&["log", "verify", "--json"]);
    assert_eq!(report.code, 1);
    assert_eq!(report.json()["findings"][0]["kind"], "RolledBack");
}
