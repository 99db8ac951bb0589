//! Invitations and tokens from the command line, without a server.

use crate::support::{Run, Vault};
use std::{fs, path::Path};

fn vault() -> Vault {
    let vault = Vault::new();
    vault.run(&["branch", "add", "0101", "--name", "x"]).ok();
    let wang = [
        "user",
        "add",
        "wang",
        "--role",
        "retriever",
        "--role",
        "approver",
        "--nda",
        "N-1",
    ];
    vault.run(&wang).ok();
    vault
}

fn person(vault: &Vault, name: &str) -> serde_json::Value {
    let listed = vault.run(&["user", "list", "--json"]).ok().json();
    let people = listed.as_array().unwrap();
    people
        .iter()
        .find(|person| person["name"] == name)
        .unwrap()
        .clone()
}

/// Whether any file of the vault holds a text in the clear.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn issue(vault: &Vault, roles: &[&str], days: &str) -> Run {
    let roles: Vec<&str> = roles.iter().flat_map(|role| ["--role", role]).collect();
    let asked = [
        "token",
        "issue",
        "wang",
        "--days",
        days,
        "--label",
        "archive system",
        "--json",
    ];
    vault.run(&[&asked[..], &roles].concat())
}

#[test]
fn only_an_uploader_needs_a_key() {
    let vault = vault();
    let person = person(&vault, "wang");
    assert_eq!(person["keys"], serde_json::json!([]));
    let clerk = [
        "user", "add", "clerk", "--role", "uploader", "--branch", "0101", "--nda", "N-2",
    ];
    vault
        .run(&clerk)
        .says(1, &["an uploader needs at least one public key"]);
    vault.run(&[&clerk[..], &["--key", &vault.key(1)]].concat()).ok();
    // A key names one person, whatever they are.
    let other = [
        "user",
        "add",
        "other",
        "--role",
        "auditor",
        "--nda",
        "N-3",
        "--key",
        &vault.key(1),
    ];
    vault.run(&other).says(1, &["belongs to clerk"]);
}

#[test]
fn an_invitation_is_shown_once_and_kept_nowhere() {
    let vault = vault();
    let shown = vault.run(&["user", "invite", "wang"]).ok();
    let code = shown.stdout.trim();
    assert_eq!((code.len(), code.matches('-').count()), (29, 5), "{code}");
    assert!(
        shown.stderr.contains("/join") && shown.stderr.contains("+08:00"),
        "{}",
        shown.stderr
    );
    let again = vault.run(&["user", "invite", "wang", "--json"]).ok().json();
    assert_ne!(again["code"], code);
    for code in [code, again["code"].as_str().unwrap()] {
        for spelled in [code.to_owned(), code.replace('-', "").to_lowercase()] {
            assert!(!holds(&vault.path(), &spelled));
        }
    }
    let person = person(&vault, "wang");
    assert_eq!(person["factors"]["invited_until_ms"], again["expires_ms"]);
    assert_eq!(person["factors"]["password"], false);
    assert!(vault.run(&["user", "list"]).ok().stdout.contains("invited"));
    vault
        .run(&["user", "invite", "nobody"])
        .says(1, &["nobody is called 'nobody'"]);
    vault.run(&["user", "disable", "wang"]).ok();
    vault
        .run(&["user", "invite", "wang"])
        .says(1, &["wang", "disabled"]);
}

#[test]
fn a_token_is_issued_listed_and_revoked() {
    let vault = vault();
    for (roles, days, words) in [
        (&["auditor"][..], "30", "roles that the person holds"),
        (&["retriever", "auditor"], "30", "roles that the person holds"),
        (&["retriever"], "367", "1 to 366 days"),
        (&["retriever"], "0", "1 to 366 days"),
    ] {
        issue(&vault, roles, days).says(1, &[words]);
    }
    let issued = issue(&vault, &["retriever"], "30").ok().json();
    let token = issued["token"].as_str().unwrap();
    let id = issued["id"].as_str().unwrap();
    assert!(token.starts_with(&format!("mnt_{id}_")), "{token}");
    assert!(!holds(&vault.path(), token.rsplit('_').next().unwrap()));
    let listed = vault.run(&["token", "list", "wang", "--json"]).ok();
    assert!(!listed.stdout.contains("secret"), "{}", listed.stdout);
    let listed = listed.json();
    assert_eq!(
        (
            &listed[0]["id"],
            &listed[0]["name"],
            &listed[0]["roles"],
            &listed[0]["label"]
        ),
        (
            &id.into(),
            &"wang".into(),
            &serde_json::json!(["retriever"]),
            &"archive system".into()
        )
    );
    vault
        .run(&["token", "list", "nobody"])
        .says(1, &["nobody is called 'nobody'"]);
    vault.run(&["token", "revoke", token]).ok();
    vault.run(&["token", "revoke", id]).says(1, &["no such token"]);
    assert!(vault.run(&["token", "list", "--json"]).ok().json()[0]["revoked_ms"].is_i64());
}

#[test]
fn a_rebuild_brings_invitations_and_tokens_back() {
    let vault = vault();
    vault.run(&["user", "invite", "wang"]).ok();
    issue(&vault, &["approver"], "7").ok();
    let lists = || {
        let asked = [["user", "list", "--json"], ["token", "list", "--json"]];
        asked.map(|asked| vault.run(&asked).ok().json())
    };
    let before = lists();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(vault.path().join(format!("catalog.db{suffix}")));
    }
    vault
        .run(&["rebuild", "--identity", "vault/keys/identity.age"])
        .ok();
    assert_eq!(lists(), before);
}
