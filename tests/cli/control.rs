//! Administration while a server holds the vault: the request goes over the control socket. Here the server is this test.

use crate::support::Vault;
use muniment::{
    admin::{self, LiveSession, LiveSessions, control::ControlServer},
    config::Config,
    server::VaultHandle,
};
use std::sync::{Arc, Mutex};

/// One live session of everybody, until killed.
#[derive(Default)]
struct Recorded(Mutex<Vec<String>>);

impl LiveSessions for Recorded {
    fn list(&self) -> Vec<LiveSession> {
        vec![LiveSession {
            id: "ssh-1".to_owned(),
            edge: "sftp".to_owned(),
            name: "zhang.san".to_owned(),
            address: "192.0.2.7:50022".to_owned(),
            since_ms: 0,
        }]
    }

    fn end(&self, id: &str, _by: &str) -> bool {
        self.0.lock().unwrap().push(id.to_owned());
        id == "ssh-1"
    }

    fn kill_person(&self, person: &str, _by: &str) -> usize {
        self.0.lock().unwrap().push(person.to_owned());
        1
    }

    fn kill_key(&self, person: &str, fingerprint: &str) -> usize {
        self.0.lock().unwrap().push(format!("{person} {fingerprint}"));
        1
    }
}

#[test]
fn a_running_server_does_what_commands_ask() {
    let vault = Vault::new();
    let config = Config::load(&vault.path().join("muniment.toml")).unwrap();
    let handle = Arc::new(VaultHandle::open(config, "a test").unwrap());
    // Locked, and nobody listens yet.
    vault
        .run(&["branch", "add", "0100", "--name", "x"])
        .says(2, &["in use by", "a test"]);

    let sessions = Arc::new(Recorded::default());
    let (server_vault, live) = (Arc::clone(&handle), Arc::clone(&sessions));
    let mut server = ControlServer::start(&vault.path(), move |request| {
        admin::execute(&server_vault, live.as_ref(), request)
    })
    .unwrap();
    vault.run(&["branch", "add", "0101", "--name", "x"]).ok();
    vault
        .run(&["branch", "add", "0101", "--name", "x"])
        .says(1, &["exists already"]);
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
    assert_eq!(
        vault.run(&["session", "list", "--json"]).ok().json()[0]["name"],
        "zhang.san"
    );

    // A key that is revoked ends the sessions that it opened; one that isn't theirs ends none.
    let more = vault.key(2);
    let key = vault
        .run(&["user", "key", "add", "zhang.san", "--key", &more, "--json"])
        .ok()
        .json();
    let print = key["key"].as_str().unwrap();
    let revoke = ["user", "key", "revoke", "zhang.san", "--key", print, "--json"];
    assert_eq!(vault.run(&revoke).ok().json()["sessions_ended"], 1);
    vault.run(&revoke).says(1, &["has no key", "user list"]);
    assert_eq!(
        std::mem::take(&mut *sessions.0.lock().unwrap()),
        [format!("{} {print}", added["id"].as_str().unwrap())]
    );

    // A refused disabling ends nobody's session; a done one ends them after the commit, and so does a repeated one.
    vault
        .run(&["user", "disable", "zhang.san", "--reason", " "])
        .says(1, &["blank"]);
    assert!(sessions.0.lock().unwrap().is_empty());
    let disabled = vault.run(&["user", "disable", "zhang.san", "--json"]).ok().json();
    assert_eq!(disabled["sessions_ended"], 1);
    vault
        .run(&["user", "disable", "zhang.san"])
        .says(1, &["disabled already"]);
    assert_eq!(
        *sessions.0.lock().unwrap(),
        [added["id"].as_str().unwrap(), added["id"].as_str().unwrap()]
    );

    server.stop();
    drop(server);
    drop(handle);
    vault.run(&["branch", "add", "0102", "--name", "x"]).ok();
    vault
        .run(&["session", "list"])
        .ok()
        .says(0, &["no server is running"]);
    vault.run(&["log", "verify"]).ok();
}
