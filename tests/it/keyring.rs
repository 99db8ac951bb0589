//! The decryption key: its file in age's own format, unlocked at the start or beside the running server, by one custodian
//! or two, and locked. What happened stands in the log; what is secret stands nowhere.

use crate::support::{CLERK, TestVault, command::run, media};
use std::{collections::BTreeMap, fs, process::Command};

const FIRST: &str = "rivers run uphill";
const SECOND: &str = "第二位保管人的口令部分，很长";

/// A vault whose retrieval side has a protected identity of two custodians.
fn retrieving() -> TestVault {
    let vault = TestVault::new();
    vault.set_config("retrieval", "identity", "keys/protected.age");
    vault
        .muniment_told(
            &format!("{FIRST}\n{SECOND}\n"),
            &[
                "key",
                "protect",
                vault.identity().to_str().unwrap(),
                "--parts",
                "2",
                "--out",
                vault.path.join("keys/protected.age").to_str().unwrap(),
            ],
        )
        .ok();
    vault
}

fn state(vault: &TestVault) -> String {
    let status = vault.muniment_json(&["key", "status"]);
    status["state"].as_str().unwrap().to_owned()
}

/// The line that must be nowhere.
fn secret(vault: &TestVault) -> String {
    let text = fs::read_to_string(vault.identity()).unwrap();
    let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1"));
    line.unwrap().to_owned()
}

fn no_secret_in(vault: &TestVault, text: &str) {
    for secret in [FIRST, SECOND, &secret(vault)] {
        assert!(!text.contains(secret), "a secret was told:\n{text}");
    }
}

#[test]
fn age_opens_what_we_protected_and_we_open_what_age_protected() {
    let mut vault = retrieving();
    let protected = vault.path.join("keys/protected.age");
    // Debian's age, with both parts typed one behind the other.
    let opened = vault.home.join("opened");
    let line = [
        "age",
        "-d",
        "-o",
        opened.to_str().unwrap(),
        protected.to_str().unwrap(),
    ];
    vault
        .on_terminal(&[("Enter passphrase", &format!("{FIRST} {SECOND}\n"))], &line)
        .ok();
    assert!(fs::read_to_string(opened).unwrap().contains(&secret(&vault)));

    vault.serve();
    for armored in [false, true] {
        let made = vault.home.join(format!("made-{armored}.age"));
        let identity = vault.identity();
        let mut line = vec!["age", "-p", "-o", made.to_str().unwrap()];
        if armored {
            line.push("-a");
        }
        line.push(identity.to_str().unwrap());
        let typed = format!("{FIRST}\n");
        let answers = [
            ("Enter passphrase", typed.as_str()),
            ("Confirm passphrase", typed.as_str()),
        ];
        vault.on_terminal(&answers, &line).ok();
        let begins = fs::read(&made).unwrap();
        assert_eq!(begins.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"), armored);
        let unlock = ["key", "unlock", "--identity", made.to_str().unwrap()];
        vault.muniment_told(FIRST, &unlock).ok();
        assert_eq!(state(&vault), "unlocked");
        vault.muniment(&["key", "lock"]).ok();
    }
    vault.stop();
}

#[test]
fn a_server_is_unlocked_locked_and_unlocked_again_beside_its_work() {
    let mut vault = retrieving();
    vault.serve_unlocked(&format!("{FIRST}\n{SECOND}\n"));
    let status = vault.muniment_json(&["key", "status"]);
    assert_eq!(status["state"], "unlocked");
    let identity = fs::read_to_string(vault.identity()).unwrap();
    let recipient = status["recipients"][0].as_str().unwrap();
    assert!(identity.contains(recipient));
    assert_eq!(status["recipients"].as_array().unwrap().len(), 1);
    // The escrow's isn't at hand, and the status says so.
    assert_eq!(status["missing"].as_array().unwrap().len(), 1);
    vault
        .muniment_told(&format!("{FIRST}\n{SECOND}"), &["key", "unlock", "--parts", "2"])
        .exits(1)
        .says("unlocked already");

    let locked = vault.muniment_json(&["key", "lock"]);
    assert_eq!(
        (&locked["state"], &locked["missing"]),
        (&"locked".into(), &serde_json::json!([]))
    );
    assert!(locked["leaf"].is_u64());
    // Once is enough, and logged once.
    assert!(vault.muniment_json(&["key", "lock"])["leaf"].is_null());

    // Wrong, in the wrong order, of too few custodians.
    for wrong in [format!("{SECOND}\n{FIRST}"), format!("{FIRST}\n{SECOND}x")] {
        let ran = vault.muniment_told(&wrong, &["key", "unlock", "--parts", "2"]);
        no_secret_in(&vault, &format!("{ran}"));
        ran.exits(1).says("passphrase is wrong");
    }
    vault
        .muniment_told(FIRST, &["key", "unlock", "--parts", "2"])
        .exits(2)
        .says("one line for each custodian");
    assert_eq!(state(&vault), "locked");
    let refused = vault.leaves("access.refused");
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|leaf| leaf["data"]["what"] == "key_unlock"));

    // Typed by two custodians on a terminal, unseen; or broken off.
    let config = vault.config_file();
    let line = [
        env!("CARGO_BIN_EXE_muniment"),
        "key",
        "unlock",
        "--parts",
        "2",
        "--config",
        config.to_str().unwrap(),
    ];
    let broken = vault.on_terminal(
        &[
            ("part 1 of 2", &format!("{FIRST}\n")),
            ("part 2 of 2", "secret\u{3}"),
        ],
        &line,
    );
    assert!(!broken.said("secret"), "{broken}");
    broken.exits(2).says("broken off");
    assert_eq!(state(&vault), "locked");
    let (first, second) = (format!("{FIRST}\n"), format!("{SECOND}\n"));
    let typed = vault.on_terminal(&[("part 1 of 2", &first), ("part 2 of 2", &second)], &line);
    no_secret_in(&vault, &format!("{}{}", typed.stdout, typed.stderr));
    typed.ok().says("unlocked");
    assert_eq!(state(&vault), "unlocked");

    // Taking evidence in went on all the time.
    let name = "000100012345_20260728_A0098877_IDF_01.jpg";
    vault.upload(CLERK, name, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, name, "ACCEPTED");
    no_secret_in(&vault, &vault.server().said());
    vault.stop();

    let how = |kind: &str| -> Vec<String> {
        let leaves = vault.leaves(kind);
        leaves
            .iter()
            .map(|leaf| leaf["data"]["how"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(how("key.unlocked"), ["start", "command"]);
    assert_eq!(how("key.locked"), ["command", "stop"]);
    for leaf in vault.leaves("key.unlocked") {
        assert_eq!(leaf["data"]["recipients"], serde_json::json!([recipient]));
    }
    vault.assert_sound();
    let (log, key) = (vault.path.join("log"), vault.log_public_key());
    vault
        .verify(&["log", log.to_str().unwrap(), "--key", key.to_str().unwrap()])
        .ok();

    // Without a server there is nothing to unlock; the protected file opens what was sealed all the same.
    assert_eq!(vault.muniment_json(&["key", "status"])["running"], false);
    vault
        .muniment_told(&format!("{FIRST}\n{SECOND}"), &["key", "unlock", "--parts", "2"])
        .exits(1)
        .says("no server is running");
    let (receipt, bag) = (vault.evidence()[0]["receipt"].to_string(), vault.home.join("bag"));
    let protected = vault.path.join("keys/protected.age");
    let export = [
        "evidence",
        "export",
        &receipt,
        "--out",
        bag.to_str().unwrap(),
        "--identity",
        protected.to_str().unwrap(),
        "--basis",
        "regulator",
        "--reason",
        "letter 12",
        "--parts",
        "2",
    ];
    vault.muniment_told(&format!("{FIRST}\n{SECOND}"), &export).ok();
    assert_eq!(
        fs::read(bag.join("data").join(name)).unwrap(),
        media::jpeg(20_000, 1)
    );
}

#[test]
fn a_systemd_credential_unlocks_and_a_wrong_one_leaves_the_server_locked_and_working() {
    let mut vault = retrieving();
    let credentials = vault.home.join("credentials");
    fs::create_dir(&credentials).unwrap();
    let folder = BTreeMap::from([("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap().to_owned())]);
    // A service with other credentials than this one.
    vault.serve_with(&folder);
    assert_eq!(state(&vault), "locked");
    vault.stop();

    fs::write(
        credentials.join("muniment.passphrase"),
        format!("{FIRST}\n{SECOND}\n"),
    )
    .unwrap();
    vault.serve_with(&folder);
    assert_eq!(state(&vault), "unlocked");
    vault.stop();

    fs::write(credentials.join("muniment.passphrase"), "somebody guessed").unwrap();
    vault.serve_with(&folder);
    assert_eq!(state(&vault), "locked");
    assert!(vault.server().said().contains("stays locked"));
    let name = "000100012345_20260728_A0098877_IDF_01.jpg";
    vault.upload(CLERK, name, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, name, "ACCEPTED");
    vault.stop();
    assert_eq!(vault.leaves("access.refused")[0]["data"]["what"], "key_unlock");
    assert_eq!(vault.leaves("key.unlocked").len(), 1);
}

#[test]
fn a_plain_identity_file_is_never_loaded_by_itself() {
    let mut vault = TestVault::new();
    vault.set_config("retrieval", "identity", "keys/identity.age");
    vault.serve();
    assert_eq!(state(&vault), "locked");
    assert!(vault.server().said().contains("without a passphrase"));
    // A custodian's word is still needed.
    vault.muniment(&["key", "unlock"]).ok().says("unlocked");
    vault.stop();
    assert_eq!(vault.leaves("key.unlocked").len(), 1);
}

#[test]
fn a_server_that_only_takes_in_takes_no_identity() {
    let mut vault = TestVault::serving();
    assert_eq!(state(&vault), "ingest_only");
    let identity = vault.identity();
    vault
        .muniment(&["key", "unlock", "--identity", identity.to_str().unwrap()])
        .exits(1)
        .says("only takes evidence in");
    assert_eq!(state(&vault), "ingest_only");
    vault.stop();
    assert!(vault.leaves("key.unlocked").is_empty());
    let line = run(Command::new("sh").args([
        "-c",
        &format!(
            "echo passphrase | '{}' serve --passphrase-fd 0 --config '{}'",
            env!("CARGO_BIN_EXE_muniment"),
            vault.config_file().display()
        ),
    ]));
    line.exits(2).says("no [retrieval] section");
}
