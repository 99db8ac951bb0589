//! The console as people meet it: a real Chromium, driven by Playwright. `head_office.py` is the walk, `tests/support/browser.py`
//! the people. Screenshots of every page, in both languages and two widths, go to `target/screens` to be looked at.

use crate::support::{AUDITOR, CLERK, PASSPHRASE, TestVault, command, media, sha256};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

const RETRIEVER: &str = "chen.jing";
const APPROVER: &str = "wang.fang";
const ADMIN: &str = "li.qiang";
const CUSTOMER: &str = "000100012345";
/// A walk waits for codes that count once each half minute.
const WALK: Duration = Duration::from_secs(600);

/// A vault with a console and people of head office, the key unlocked; and an invitation for each of them.
fn head_office(people: &[(&str, &str)]) -> (TestVault, BTreeMap<String, String>) {
    let mut vault = TestVault::retrieving();
    for (name, role) in people.iter().filter(|(name, _)| *name != AUDITOR) {
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
    let people = [
        (RETRIEVER, "retriever"),
        (APPROVER, "approver"),
        (AUDITOR, "auditor"),
        (ADMIN, "sysadmin"),
    ];
    let (vault, invitations) = head_office(&people);
    let film = include_bytes!("../../deploy/demo/witness.mp4").to_vec();
    let (picture, pages) = (media::jpeg(90_000, 5), media::pdf(60_000, 6));
    let hostile = media::jpeg(50_000, 8);
    let name = "\"><img src=x onerror=window.pwned=1>.jpg";
    let manifest = format!(
        "file,size,sha256,customer,flow,doctype,seq,witness1,备注\n\"{}\",{},{},{CUSTOMER},A0098878,IDF,1,<script>window.pwned=2</script>,<b>\n",
        name.replace('"', "\"\""),
        hostile.len(),
        sha256(&hostile)
    );
    for (name, bytes) in [
        (format!("{CUSTOMER}_20260728_A0098876_WVID_01.mp4"), &film),
        (format!("{CUSTOMER}_20260728_A0098876_IDF_01.jpg"), &picture),
        (format!("{CUSTOMER}_20260728_A0098876_AGR_01.pdf"), &pages),
        ("manifest.csv".to_owned(), &manifest.into_bytes()),
    ] {
        vault.upload(CLERK, &name, bytes).ok();
    }
    // A name that no client's command line takes.
    let local = vault.file("hostile", &hostile);
    let put = format!("sftp().put({:?}, '/inbox/' + {name:?})", local.to_str().unwrap());
    vault.python(CLERK, &put).ok();
    let rows = vault.evidence();
    let id = |flow: &str, doctype: &str| {
        let found = rows
            .iter()
            .find(|row| row["flow"] == flow && row["doctype"] == doctype);
        found.unwrap_or_else(|| panic!("no {flow} {doctype} in {rows:?}"))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (picture_id, pages_id) = (id("A0098876", "IDF"), id("A0098876", "AGR"));
    let facts = json!({
        "retriever": RETRIEVER,
        "approver": APPROVER,
        "auditor": AUDITOR,
        "admin": ADMIN,
        "invitations": invitations,
        "customer": CUSTOMER,
        "film": id("A0098876", "WVID"),
        "hostile": id("A0098878", "IDF"),
        "shown": { "picture": picture_id, "pages": pages_id },
        "sha256": { &picture_id: sha256(&picture), &pages_id: sha256(&pages) },
    });
    walk(&vault, "head_office.py", &facts);
    for kind in [
        "access.requested",
        "access.approved",
        "access.revoked",
        "access.read",
        "access.read_ended",
        "fixity.checked",
    ] {
        assert!(!vault.leaves(kind).is_empty(), "{kind}");
    }
    let replayed = vault.leaves("access.refused");
    assert!(
        replayed.iter().any(|leaf| leaf["data"]["what"] == "sign_in"),
        "{replayed:?}"
    );
    vault.assert_sound();
}
