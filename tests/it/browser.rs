//! The console as people meet it: a real Chromium, driven by Playwright. `head_office.py` is the walk, `tests/support/browser.py`
//! the people. Screenshots of every page, in both languages and two widths, go to `target/screens` to be looked at.

use crate::support::{TestVault, command};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

const RETRIEVER: &str = "chen.jing";
const APPROVER: &str = "wang.fang";
const PASSPHRASE: &str = "rivers run uphill in the morning";
/// A walk waits for codes that count once each half minute.
const WALK: Duration = Duration::from_secs(600);

/// A vault with a console and people of head office, the key unlocked; and an invitation for each of them.
fn head_office(people: &[(&str, &str)]) -> (TestVault, BTreeMap<String, String>) {
    let mut vault = TestVault::new();
    vault.set_config("retrieval", "identity", "keys/protected.age");
    vault.set_config("console", "listen", "127.0.0.1:0");
    let (identity, protected) = (vault.identity(), vault.path.join("keys/protected.age"));
    let words = [
        "key",
        "protect",
        identity.to_str().unwrap(),
        "--out",
        protected.to_str().unwrap(),
    ];
    vault.muniment_told(&format!("{PASSPHRASE}\n"), &words).ok();
    for (name, role) in people {
        vault.add_user(name, &[role], None);
    }
    vault.serve_unlocked(&format!("{PASSPHRASE}\n"));
    let invitations = people.iter().map(|(name, _)| {
        let invited = vault.muniment_json(&["user", "invite", name]);
        ((*name).to_owned(), invited["code"].as_str().unwrap().to_owned())
    });
    let invitations = invitations.collect();
    (vault, invitations)
}

/// Runs a walk in `tests/it`.
fn walk(vault: &TestVault, script: &str, facts: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    assert!(
        python.exists(),
        "no {}: run ./test once, it makes it",
        python.display()
    );
    let shots = root.join("target/screens");
    fs::create_dir_all(&shots).unwrap();
    let mut command = Command::new(python);
    command
        .arg(root.join("tests/it").join(script))
        .env("PYTHONPATH", root.join("tests/support"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CONSOLE", vault.server().console.as_deref().unwrap())
        .env("FACTS", facts.to_string())
        .env("SHOTS", shots);
    command::run_within(&mut command, WALK).ok();
}

#[test]
fn head_office_finds_asks_approves_and_plays() {
    let (vault, invitations) = head_office(&[(RETRIEVER, "retriever"), (APPROVER, "approver")]);
    let facts = json!({
        "retriever": RETRIEVER,
        "approver": APPROVER,
        "invitations": invitations,
    });
    walk(&vault, "head_office.py", &facts);
    vault.assert_sound();
}
