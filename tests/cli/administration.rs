//! Branches and people, without a server.

use crate::support::{Vault, muniment};
use std::fs;

#[test]
fn a_branch_is_added_listed_and_not_added_twice() {
    let vault = Vault::new();
    vault
        .run(&["branch", "add", "0101", "--name", "上海浦东营业部"])
        .ok();
    let listed = vault.run(&["branch", "list", "--json"]).ok().json();
    assert_eq!(
        listed,
        serde_json::json!([{ "code": "0101", "name": "上海浦东营业部", "people": 0 }])
    );
    assert!(
        vault
            .run(&["branch", "list"])
            .ok()
            .stdout
            .contains("上海浦东营业部")
    );
    vault
        .run(&["branch", "add", "0101", "--name", "x"])
        .says(1, &["0101 exists already", "branch list"]);
    for (code, name) in [
        ("1", "x"),
        ("a/b", "x"),
        ("0123456789abc", "x"),
        ("0102", "  "),
        ("0102", "a\nb"),
    ] {
        assert_eq!(
            vault.run(&["branch", "add", code, "--name", name]).code,
            1,
            "{code:?} {name:?}"
        );
    }
    assert_eq!(
        vault
            .run(&["branch", "list", "--json"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let refused = vault.run(&["branch", "add", "0101", "--name", "x", "--json"]);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("exists already")
    );
}

#[test]
fn a_person_is_added_with_roles_and_keys_and_disabled_for_good() {
    let vault = Vault::new();
    vault.run(&["branch", "add", "0101", "--name", "x"]).ok();
    let (one, two) = (vault.key(1), vault.key(2));
    let zhang = [
        "user",
        "add",
        "zhang.san",
        "--role",
        "uploader",
        "--role",
        "archivist",
        "--branch",
        "0101",
        "--nda",
        "NDA-7",
    ];
    let added = vault
        .run(&[&zhang[..], &["--key", &one, "--key", &two, "--json"]].concat())
        .ok()
        .json();
    assert_eq!(added["keys"].as_array().unwrap().len(), 2);
    let listed = vault.run(&["user", "list", "--json"]).ok().json();
    assert_eq!(listed[0]["roles"], serde_json::json!(["archivist", "uploader"]));
    assert_eq!(
        (&listed[0]["id"], &listed[0]["disabled_ms"]),
        (&added["id"], &serde_json::Value::Null)
    );

    vault
        .run(&["user", "disable", "zhang.san", "--reason", "left the house"])
        .ok();
    vault
        .run(&["user", "disable", "zhang.san"])
        .says(1, &["disabled already"]);
    vault
        .run(&["user", "disable", "nobody"])
        .says(1, &["nobody is called", "user list"]);
    let again = vault.key(3);
    vault
        .run(&[&zhang[..], &["--key", &again]].concat())
        .says(1, &["history stays", "choose another"]);
    let li = [
        "user", "add", "li", "--role", "auditor", "--nda", "NDA-8", "--key", &one,
    ];
    vault
        .run(&li)
        .says(1, &["belongs to zhang.san", "key of their own"]);
    vault.run(&["log", "verify"]).ok();
}

#[test]
fn a_key_is_added_to_and_revoked_from_somebody_who_is_there() {
    let vault = Vault::new();
    let (one, two) = (vault.key(1), vault.key(2));
    for (name, key) in [("li", &one), ("wang", &two)] {
        let person = [
            "user", "add", name, "--role", "auditor", "--nda", "NDA-8", "--key", key,
        ];
        vault.run(&person).ok();
    }
    let add = |name: &str, key: &str| vault.run(&["user", "key", "add", name, "--key", key]);
    let three = vault.key(3);
    let said = add("li", &three).ok().stdout;
    let print = said.split(' ').find(|word| word.starts_with("SHA256:")).unwrap();
    let keys = || vault.run(&["user", "list", "--json"]).ok().json()[0]["keys"].clone();
    assert!(keys().as_array().unwrap().iter().any(|key| key == print));
    add("li", &three).says(1, &["li has key", "already"]);
    add("li", &two).says(1, &["belongs to wang", "key of their own"]);
    add("nobody", &vault.key(4)).says(1, &["nobody is called"]);
    add("li", "none.pub").says(2, &["none.pub", "can't be read"]);

    let revoke = |key: &str| vault.run(&["user", "key", "revoke", "li", "--key", key]);
    revoke("SHA256:none").says(1, &["li has no key 'SHA256:none'"]);
    assert!(revoke(print).ok().stdout.contains("live sessions ended: 0"));
    assert_eq!(keys().as_array().unwrap().len(), 1);
    revoke(print).says(1, &["has no key"]);
    vault.run(&["log", "verify"]).ok();
    vault.run(&["fixity", "check"]).ok();
}

#[test]
fn no_name_or_comment_stands_in_the_log_or_the_registry_in_the_clear() {
    let vault = Vault::new();
    vault
        .run(&["branch", "add", "0101", "--name", "Pudong Branch"])
        .ok();
    let key = vault.key(1);
    let person = [
        "--role", "uploader", "--branch", "0101", "--nda", "NDA-7", "--key", &key,
    ];
    vault
        .run(&[&["user", "add", "zhang.san"][..], &person].concat())
        .ok();
    vault
        .run(&["user", "disable", "zhang.san", "--reason", "left the house"])
        .ok();
    let mut looked_at = 0;
    let mut folders = vec![vault.path().join("log"), vault.path().join("registry")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for secret in ["Pudong", "zhang", "NDA-7", "left the house", "somebody@somewhere"] {
                assert!(!text.contains(secret), "{secret} in {}", path.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 4, "the log and three records");
}

#[test]
fn what_mustnt_be_is_refused_with_words() {
    let vault = Vault::new();
    vault.run(&["branch", "add", "0101", "--name", "x"]).ok();
    let good = vault.key(1);
    let put = |name: &str, text: &str| fs::write(vault.folder.path().join(name), text).unwrap();
    put(
        "private",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n",
    );
    put("noise.pub", "not a key");
    let refused = |arguments: &[&str], words: &[&str]| {
        vault
            .run(&[&["user", "add"][..], arguments].concat())
            .says(1, words);
    };
    let up = ["--role", "uploader", "--branch", "0101"];
    let with = |name: &'static str, more: &[&'static str]| [&[name][..], &up[..], more].concat();
    refused(
        &[&with("li", &["--nda", "n"])[..], &["--key", "private"]].concat(),
        &["STOP", "PRIVATE key", ".pub"],
    );
    refused(
        &[&with("li", &["--nda", "n"])[..], &["--key", "noise.pub"]].concat(),
        &["noise.pub", "no public key"],
    );
    refused(
        &[&with("li", &["--nda", " "])[..], &["--key", &good]].concat(),
        &["confidentiality", "--nda"],
    );
    refused(
        &[&with("Li", &["--nda", "n"])[..], &["--key", &good]].concat(),
        &["log-in name"],
    );
    refused(
        &[
            &with("li", &["--nda", "n", "--role", "reviewer"])[..],
            &["--key", &good],
        ]
        .concat(),
        &["same person"],
    );
    refused(
        &["li", "--role", "uploader", "--nda", "n", "--key", &good],
        &["add --branch"],
    );
    refused(
        &["li", "--role", "king", "--nda", "n", "--key", &good],
        &["'king' is not a role"],
    );
    refused(
        &[
            "li", "--role", "uploader", "--branch", "0999", "--nda", "n", "--key", &good,
        ],
        &["0999 is unknown", "branch add 0999"],
    );
    refused(
        &[
            "li", "--role", "auditor", "--nda", "n", "--key", &good, "--key", &good,
        ],
        &["given twice"],
    );
    assert_eq!(
        vault.run(&["user", "list", "--json"]).ok().json(),
        serde_json::json!([])
    );
    let missing = [
        "user", "add", "li", "--role", "auditor", "--nda", "n", "--key", "none.pub",
    ];
    vault.run(&missing).says(2, &["none.pub", "can't be read"]);
}

#[test]
fn without_a_configuration_it_says_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    muniment(folder.path(), &["branch", "list"])
        .says(2, &["--config FILE", "MUNIMENT_CONFIG", "muniment.toml"]);
    assert_eq!(muniment(folder.path(), &["nonsense"]).code, 2);
    assert!(
        muniment(folder.path(), &["--help"])
            .ok()
            .stdout
            .contains("Exit codes")
    );
}
