//! The table of document types: checked, published, compared, exported.

use crate::support::Vault;
use muniment::{
    admin::{self, NoSessions, control::ControlServer},
    config::Config,
    domain::{
        doctype::Rule,
        event::{Kind, Leaf},
    },
    server::VaultHandle,
    tlog::store::LogDir,
};
use serde_json::Value;
use std::{fs, sync::Arc};

/// Publications in the log, in order. The logs here fit into one tile.
fn publications(vault: &Vault) -> Vec<Leaf> {
    let log = LogDir::new(vault.path().join("log"));
    let note = fs::read_to_string(vault.path().join("log/checkpoint")).unwrap();
    let size = note.lines().nth(1).unwrap().parse().unwrap();
    log.entries(0, size)
        .unwrap()
        .iter()
        .map(|bytes| serde_json::from_slice::<Leaf>(bytes).unwrap())
        .filter(|leaf| leaf.kind == Kind::DocumentTypesPublished)
        .collect()
}

/// Exports the table, changes its text, and gives the file's name.
fn changed(vault: &Vault, name: &str, change: impl FnOnce(String) -> String) -> String {
    let text = vault.run(&["doctype", "export"]).ok().stdout;
    fs::write(vault.folder.path().join(name), change(text)).unwrap();
    name.to_owned()
}

fn longer(text: String) -> String {
    text.replace(
        "shortest_seconds = { reject = 10, review = 60 }",
        "shortest_seconds = { reject = 30, review = 90 }",
    )
}

#[test]
fn a_new_vault_judges_by_the_shipped_table_which_stands_in_the_log() {
    let vault = Vault::new();
    let listed = vault.run(&["doctype", "list", "--json"]).ok().json();
    assert_eq!(listed["version"], 1);
    let codes: Vec<&str> = listed["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert!(codes.contains(&"WVID") && codes.contains(&"ABND"));
    assert!(listed["businesses"][0]["types"].is_array());
    let text = vault.run(&["doctype", "list"]).ok().stdout;
    assert!(
        text.contains("双人见证视频") && text.contains("见证开户"),
        "{text}"
    );

    let shown = vault.run(&["doctype", "show", "wvid", "--json"]).ok().json();
    assert_eq!(shown["rules"]["shortest_seconds"]["reject"], 10);
    assert_eq!(shown["findings"]["no_audio"], "reject");
    assert!(
        vault
            .run(&["doctype", "show", "WVID"])
            .ok()
            .stdout
            .contains("reject=10; review=60")
    );
    vault
        .run(&["doctype", "show", "NONE"])
        .says(1, &["document_type", "WVID"]);

    let history = vault.run(&["doctype", "history", "--json"]).ok().json();
    assert_eq!(
        (&history[0]["version"], &history[0]["actor"]),
        (&Value::from(1), &Value::from("system"))
    );
}

#[test]
fn an_import_says_what_it_changes_and_publishes_only_changes() {
    let vault = Vault::new();
    let same = changed(&vault, "same.toml", |text| format!("# a remark of mine\n{text}"));
    let unchanged = vault.run(&["doctype", "import", &same, "--json"]).ok().json();
    assert_eq!(
        (&unchanged["result"], &unchanged["version"]),
        (&"unchanged".into(), &1.into())
    );

    let next = changed(&vault, "next.toml", longer);
    let checked = vault
        .run(&["doctype", "import", &next, "--check", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&checked["result"], &checked["version"]),
        (&"checked".into(), &1.into())
    );
    assert_eq!(checked["changes"].as_array().unwrap().len(), 1);
    assert_eq!(checked["changes"][0]["section"], "kind recording");
    assert_eq!(
        vault
            .run(&["doctype", "history", "--json"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let imported = vault.run(&["doctype", "import", &next]).ok();
    assert!(
        imported
            .stderr
            .contains("~ kind recording: shortest_seconds: reject=10; review=60 -> reject=30; review=90"),
        "{}",
        imported.stderr
    );
    assert!(
        imported.stdout.contains("version 2 published"),
        "{}",
        imported.stdout
    );
    let leaf = publications(&vault).pop().unwrap();
    assert_eq!(
        (leaf.kind, leaf.integer("version")),
        (Kind::DocumentTypesPublished, Some(2))
    );
    let text = vault.run(&["doctype", "export"]).ok().stdout;
    let sha256 = muniment::domain::hex::encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()));
    assert_eq!(
        leaf.text("sha256"),
        Some(sha256.as_str()),
        "what is exported is what was published"
    );
    assert_eq!(leaf.actor, "operator");

    let first = vault.run(&["doctype", "export", "--version", "1"]).ok().stdout;
    assert!(first.contains("reject = 10, review = 60") && first != text);
    let diff = vault.run(&["doctype", "diff", "1", "2"]).ok().stdout;
    assert_eq!(
        diff.trim(),
        "~ kind recording: shortest_seconds: reject=10; review=60 -> reject=30; review=90"
    );
    assert!(
        vault
            .run(&["doctype", "diff", "2", "2"])
            .ok()
            .stdout
            .contains("say the same")
    );
    vault
        .run(&["doctype", "diff", "1", "7"])
        .says(2, &["no version 7", "history"]);
    vault.run(&["log", "verify"]).ok();
    vault.run(&["fixity", "check"]).ok();
}

#[test]
fn a_spreadsheet_goes_out_and_comes_back_in_the_encodings_of_excel() {
    let vault = Vault::new();
    vault
        .run(&["doctype", "export", "--format", "csv", "-o", "types.csv"])
        .ok();
    let path = vault.folder.path().join("types.csv");
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with("\u{feff}".as_bytes()));
    let unchanged = vault
        .run(&["doctype", "import", "types.csv", "--json"])
        .ok()
        .json();
    assert_eq!(unchanged["result"], "unchanged");
    vault
        .run(&["doctype", "export", "--format", "csv", "-o", "types.csv"])
        .says(2, &["can't be written"]);

    let text = String::from_utf8(bytes).unwrap();
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("双人见证视频", "两人见证视频");
    let gb18030 = encoding_rs::GB18030.encode(&text).0.into_owned();
    fs::write(vault.folder.path().join("gbk.csv"), gb18030).unwrap();
    let imported = vault.run(&["doctype", "import", "gbk.csv", "--json"]).ok().json();
    assert_eq!(
        (&imported["result"], &imported["version"]),
        (&"published".into(), &2.into())
    );
    assert_eq!(imported["changes"][0]["after"], "两人见证视频");
    assert!(
        vault
            .run(&["doctype", "list"])
            .ok()
            .stdout
            .contains("两人见证视频")
    );
}

#[test]
fn a_wrong_table_is_refused_with_section_field_and_what_is_allowed() {
    let vault = Vault::new();
    let wrong = changed(&vault, "wrong.toml", |text| {
        text.replacen(
            "black_percent = { reject = 98",
            "black_percent = { reject = 198",
            1,
        )
    });
    for arguments in [
        &["doctype", "import", &wrong][..],
        &["doctype", "import", &wrong, "--check"],
    ] {
        vault
            .run(arguments)
            .says(1, &["wrong.toml", "kind recording", "black_percent", "0 to 100"]);
    }
    fs::write(vault.folder.path().join("noise.toml"), [0xff, 0xfe, 0x00]).unwrap();
    assert_ne!(vault.run(&["doctype", "import", "noise.toml"]).code, 0);
    vault
        .run(&["doctype", "import", "absent.toml"])
        .says(2, &["absent.toml"]);
    assert_eq!(
        vault
            .run(&["doctype", "history", "--json"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_running_server_judges_by_the_new_version_at_once() {
    let vault = Vault::new();
    let config = Config::load(&vault.path().join("muniment.toml")).unwrap();
    let handle = Arc::new(VaultHandle::open(config, "a test").unwrap());
    let at_work = handle.ingest.rules.types.current();
    let asked = Arc::clone(&handle);
    let mut server = ControlServer::start(&vault.path(), move |request| {
        admin::execute(&asked, &NoSessions, request)
    })
    .unwrap();
    let next = changed(&vault, "next.toml", longer);
    vault.run(&["doctype", "import", &next]).ok();
    let shortest = |types: &muniment::domain::doctype::DocumentTypes| {
        types.find("WVID").unwrap().limit(Rule::ShortestSeconds).reject
    };
    let now = handle.ingest.rules.types.current();
    assert_eq!((now.version(), shortest(&now)), (2, Some(30)));
    assert_eq!(
        (at_work.version(), shortest(&at_work)),
        (1, Some(10)),
        "who judges keeps what they took"
    );

    // A change that was compared with a version that isn't the newest any more.
    let stale = admin::Request::DocumentTypesPublish {
        text: handle
            .ingest
            .rules
            .types
            .current()
            .to_toml()
            .replace("reject = 30", "reject = 40"),
        base: 1,
    };
    let refused = admin::execute(&handle, &NoSessions, stale)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("doctype diff 1 2"), "{refused}");
    assert_eq!(handle.ingest.rules.types.current().version(), 2);
    server.stop();
}

#[test]
fn a_rebuild_brings_every_version_back_and_remembers_the_number_of_a_lost_one() {
    let vault = Vault::new();
    let next = changed(&vault, "next.toml", longer);
    vault.run(&["doctype", "import", &next]).ok();
    let before = vault.run(&["doctype", "export"]).ok().stdout;
    fs::remove_file(vault.path().join("catalog.db")).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(vault.path().join(format!("catalog.db{suffix}")));
    }
    vault
        .run(&["rebuild", "--identity", "vault/keys/identity.age"])
        .ok();
    assert_eq!(vault.run(&["doctype", "export"]).ok().stdout, before);
    assert_eq!(
        vault
            .run(&["doctype", "history", "--json"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );

    // Without its record the second version is lost, its number isn't.
    let event = publications(&vault).pop().unwrap().id;
    let mut lost = 0;
    for path in below(&vault.path().join("registry")) {
        if path.to_string_lossy().contains(&event) {
            let _ = fs::remove_file(&path);
            lost += 1;
        }
    }
    assert!(lost > 0, "no record of {event}");
    fs::remove_file(vault.path().join("catalog.db")).unwrap();
    let rebuilt = vault.run(&["rebuild", "--identity", "vault/keys/identity.age"]);
    assert_eq!(rebuilt.code, 1, "{}{}", rebuilt.stdout, rebuilt.stderr);
    assert!(
        rebuilt.stdout.contains("document_types.published"),
        "{}",
        rebuilt.stdout
    );
    assert_eq!(
        vault.run(&["doctype", "list", "--json"]).ok().json()["version"],
        1
    );
    let again = vault.run(&["doctype", "import", &next, "--json"]).ok().json();
    assert_eq!(again["version"], 3);
}

fn below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn an_old_configuration_is_told_what_to_do() {
    let vault = Vault::new();
    let path = vault.path().join("muniment.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("[ingest]\n", "[ingest]\ndocument_types = \"types.toml\"\n"),
    )
    .unwrap();
    vault
        .run(&["branch", "list"])
        .says(2, &["ingest.document_types", "muniment doctype import FILE"]);
}

#[test]
fn a_table_that_was_altered_in_the_catalogue_is_found() {
    let vault = Vault::new();
    vault.run(&["fixity", "check"]).ok();
    let catalogue = rusqlite::Connection::open(vault.path().join("catalog.db")).unwrap();
    let changed = catalogue
        .execute(
            "UPDATE document_types SET text = replace(text, 'reject = 10', 'reject = 1')",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(catalogue);
    let checked = vault.run(&["fixity", "check"]);
    assert_eq!(checked.code, 1, "{}", checked.stdout);
    assert!(
        checked.stdout.contains("document types version 1")
            && checked.stdout.contains("isn't the one that was published"),
        "{}",
        checked.stdout
    );
}
