//! Protecting an identity file, and unlocking when the log can't say so.

use crate::support::Vault;
use muniment::{
    admin::{
        self, AdminError, IdentityText, NoSessions, Request, Response, control::ControlServer,
        keyring::KeyState,
    },
    config::Config,
    crypto::Identity,
    server::VaultHandle,
};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::Arc,
};

/// Runs `muniment key protect …` with passphrases on stdin and on descriptor 3.
fn protect(vault: &Vault, old: &str, new: &str, arguments: &[&str]) -> crate::support::Run {
    fs::write(vault.folder.path().join("old"), old).unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "exec \"$0\" \"$@\" 3<old",
            env!("CARGO_BIN_EXE_muniment"),
            "key",
            "protect",
        ])
        .args(arguments)
        .args(["--passphrase-fd", "0"])
        .current_dir(vault.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse its arguments before it has read this.
    let _ = child.stdin.take().unwrap().write_all(new.as_bytes());
    let output = child.wait_with_output().unwrap();
    crate::support::Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_protected_file_is_private_never_overwritten_and_gets_another_passphrase() {
    let vault = Vault::new();
    let plain = "vault/keys/identity.age";
    let made = protect(
        &vault,
        "",
        "correct horse battery",
        &[plain, "--out", "a.age", "--json"],
    );
    let made = made.ok().json();
    assert_eq!(made["parts"], 1);
    let path = vault.folder.path().join("a.age");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).unwrap();
    protect(&vault, "", "correct horse battery", &[plain, "--out", "a.age"]).says(2, &["doesn't exist"]);
    assert_eq!(fs::read(&path).unwrap(), before);

    protect(&vault, "", "short", &[plain, "--out", "b.age"]).says(2, &["at least 12 characters"]);
    protect(
        &vault,
        "",
        "long enough for one\nbut not",
        &[plain, "--out", "b.age", "--parts", "2"],
    )
    .says(2, &["at least 12 characters"]);
    protect(&vault, "", "", &[plain, "--out", "b.age"]).says(2, &["empty"]);

    // From one custodian to two.
    let to_two = [
        "a.age",
        "--out",
        "b.age",
        "--parts",
        "2",
        "--old-passphrase-fd",
        "3",
        "--json",
    ];
    protect(
        &vault,
        "wrong horse battery",
        "one custodian's\nanother custodian's",
        &to_two,
    )
    .says(1, &["passphrase is wrong"]);
    assert!(!vault.folder.path().join("b.age").exists());
    let again = protect(
        &vault,
        "correct horse battery\n",
        "one custodian's\nanother custodian's\n",
        &to_two,
    );
    let again = again.ok().json();
    assert_eq!(
        (&again["parts"], &again["recipients"]),
        (&2.into(), &made["recipients"])
    );
}

#[test]
fn a_descriptor_is_checked_before_anything_is_done() {
    let vault = Vault::new();
    for (descriptor, words) in [
        ("9", "isn't open"),
        ("1", "stdout and stderr"),
        ("x", "is a number"),
    ] {
        vault
            .run(&["key", "unlock", "--passphrase-fd", descriptor])
            .says(2, &[words]);
    }
}

#[test]
fn what_the_log_cant_say_isnt_done() {
    let vault = Vault::new();
    let path = vault.path().join("muniment.toml");
    let text = fs::read_to_string(&path).unwrap() + "\n[retrieval]\nidentity = \"keys/identity.age\"\n";
    fs::write(&path, text).unwrap();
    let handle = Arc::new(VaultHandle::open(Config::load(&path).unwrap(), "a test").unwrap());
    let execute = |request| admin::execute(&handle, &NoSessions, request);
    let identity = Identity::parse_file(&fs::read_to_string(vault.path().join("keys/identity.age")).unwrap())
        .unwrap()
        .remove(0);
    let unlock = || Request::KeyUnlock {
        identities: vec![IdentityText::of(&identity)],
    };
    assert!(!format!("{:?}", unlock()).contains("AGE-SECRET"));

    // What isn't an identity, none, and too many.
    let nothing = Request::KeyUnlock {
        identities: Vec::new(),
    };
    let many = Request::KeyUnlock {
        identities: vec![IdentityText::of(&identity); 17],
    };
    let noise = serde_json::json!({ "request": "key_unlock", "identities": ["AGE-SECRET-KEY-1NONE"] });
    for request in [nothing, many, serde_json::from_value(noise).unwrap()] {
        assert!(matches!(execute(request), Err(AdminError::Refused(_))));
    }

    assert!(execute(unlock()).is_ok() && handle.keyring.is_unlocked());
    handle.custody.fence("a test".to_owned());
    // Wiped first, whatever the log says.
    assert!(matches!(execute(Request::KeyLock), Err(AdminError::Commit(_))));
    assert!(!handle.keyring.is_unlocked());
    // Committed first, and not unlocked without.
    assert!(matches!(execute(unlock()), Err(AdminError::Commit(_))));
    assert!(!handle.keyring.is_unlocked());
    let Response::Keyring { state, leaf, .. } = execute(Request::KeyStatus).unwrap() else {
        panic!("another answer");
    };
    assert_eq!((state, leaf), (KeyState::Locked, None));

    let server_vault = Arc::clone(&handle);
    let _server = ControlServer::start(&vault.path(), move |request| {
        admin::execute(&server_vault, &NoSessions, request)
    })
    .unwrap();
    vault.run(&["key", "unlock"]).says(2, &["couldn't do it"]);
}
