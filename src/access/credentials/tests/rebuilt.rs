use super::*;
use crate::{
    catalog::Writer,
    config::{Config, IngestConfig, InspectConfig, KeysConfig, SshConfig, VaultConfig},
    crypto::Identity,
    custody::rebuild::{self, Rebuilt},
    inspect::testing::Passes,
    server::VaultHandle,
    tlog::key::{Algorithm, SignerKey},
};
use serde_json::json;
use std::{fs, path::PathBuf};

const TABLES: [&str; 6] = [
    "invitation",
    "person_password",
    "person_totp",
    "passkey",
    "api_token",
    "event",
];

struct Lasting {
    folder: tempfile::TempDir,
    identity: Identity,
    handle: Option<VaultHandle>,
}

impl Lasting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = crate::blob::Layout::new(folder.path());
        layout.create_folders().unwrap();
        let (random, identity) = (SystemRandom::new(), Identity::generate());
        let origin = "muniment.example/test".to_owned();
        let signer = SignerKey::generate(&origin, Algorithm::Ed25519, &random).unwrap();
        let (log_key, staging_key) = (layout.keys().join("log.key"), layout.keys().join("staging.key"));
        fs::write(&log_key, signer.to_text().as_bytes()).unwrap();
        StagingKey::create(&staging_key, &random).unwrap();
        drop(Writer::create(&layout.catalog(), &origin).unwrap());
        let config = Config {
            vault: VaultConfig {
                path: folder.path().to_owned(),
                origin,
                utc_offset_hours: 8,
                immutable_flag: false,
                reserve_bytes: 0,
            },
            keys: KeysConfig {
                recipients: vec![identity.recipient().to_string()],
                log_key,
                staging_key,
                witnesses: Vec::new(),
            },
            ssh: SshConfig::default(),
            ingest: IngestConfig::default(),
            inspect: InspectConfig::default(),
            retrieval: None,
            console: None,
        };
        let handle = VaultHandle::open_inspected_by(config, "a test", Arc::new(Passes)).unwrap();
        for name in ["wang", "audit"] {
            let added = Draft::new(Kind::UserAdded, handle.new_id().unwrap(), "operator")
                .fact("person", format!("p-{name}"))
                .fact("roles", vec!["retriever"])
                .fact("keys", Vec::<String>::new())
                .commit("name", name)
                .commit("nda", "NDA-1")
                .private("keys", json!({}));
            handle.commit(added).unwrap();
        }
        Lasting {
            folder,
            identity,
            handle: Some(handle),
        }
    }

    fn credentials(&self) -> Credentials {
        let handle = self.handle.as_ref().unwrap();
        let parts = Parts {
            catalogue: handle.catalogue.clone(),
            custody: handle.custody.clone(),
            sealer: handle.sealer.clone(),
            clock: handle.clock.clone(),
            random: handle.random.clone(),
            issuer: "Muniment".to_owned(),
            refusals: Arc::new(Told::default()),
        };
        let credentials = Credentials::new(parts, &handle.ingest.staging_key).unwrap();
        credentials.served_at(ORIGIN);
        credentials
    }

    /// Every row of every table about credentials, as text.
    fn rows(&self) -> Vec<String> {
        let path = self.folder.path().join("catalog.db");
        let connection = Connection::open(path).unwrap();
        let mut rows = Vec::new();
        for table in TABLES {
            let mut query = connection
                .prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
                .unwrap();
            let columns = query.column_count();
            let mut found = query.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let cells: Vec<String> = (0..columns)
                    .map(|at| format!("{:?}", row.get_ref(at).unwrap()))
                    .collect();
                rows.push(format!("{table}: {}", cells.join(", ")));
            }
        }
        rows
    }

    fn close_and_rebuild(&mut self) -> Rebuilt {
        let handle = self.handle.take().unwrap();
        let (layout, log_dir, verifier) = (
            handle.layout.clone(),
            handle.log_dir.clone(),
            handle.verifier.clone(),
        );
        let zone = handle.config.zone();
        handle.close();
        fs::rename(layout.catalog(), layout.root().join("catalog.db.old")).unwrap();
        let source = rebuild::Source {
            layout: &layout,
            origin: "muniment.example/test",
            zone,
            log_dir: &log_dir,
            verifier: &verifier,
            identities: std::slice::from_ref(&self.identity),
        };
        rebuild::rebuild(&source, &|_, _| {}).unwrap()
    }
}

fn invite(credentials: &Credentials, name: &'static str) -> String {
    let code = Code::invitation(&SystemRandom::new()).unwrap();
    let shown = code.grouped().to_string();
    credentials
        .commit(move |turn, event| {
            invitation::invite(turn.connection, event, "operator", name, &code, turn.time_ms)
        })
        .unwrap();
    shown
}

/// One of everything: used and open invitations, an app, passkeys kept and removed, tokens that count and don't.
fn everything(credentials: &Credentials) {
    let code = invite(credentials, "wang");
    let invited = credentials.invited(&code, here()).unwrap();
    let secret = totp::Secret::from_text(&invited.enrolment.text);
    // The clock is the machine's: the codes of the step before, this one and the next are three different proofs.
    let step = credentials.now_ms() / STEP_MS;
    let first = secret.code(step - 1);
    credentials
        .join(
            &code,
            PASSWORD,
            Second::Totp(&invited.enrolment.sealed, &first),
            here(),
        )
        .unwrap();
    credentials
        .sign_in(typed("wang", PASSWORD, &secret.code(step)), here())
        .unwrap();
    let new = token::NewToken {
        roles: vec!["retriever".to_owned()],
        days: 3,
        label: "x".to_owned(),
    };
    let text = credentials
        .issue_token(&invited.person, "s", Shown::Code(&secret.code(step + 1)), new)
        .unwrap();
    credentials
        .revoke_token(
            &invited.person,
            &credentials.bearer(&text, here().address).unwrap().token,
        )
        .unwrap();
    let code = invite(credentials, "audit");
    let invited = credentials.invited(&code, here()).unwrap();
    let mut device = Authenticator::new(ORIGIN);
    device.count = 5;
    let answer = device.create(&invited.passkey.unwrap());
    credentials
        .join(&code, PASSWORD, Second::Passkey(&answer, "phone"), here())
        .unwrap();
    let options = credentials.passkey_options(b"browser").unwrap();
    credentials
        .sign_in_by_passkey(&device.get(&options), b"browser", here())
        .unwrap();
    let mut other = Authenticator::new(ORIGIN);
    let answer = other.create(&credentials.creation_options(&invited.person, "s").unwrap());
    let shown = device.get(
        &credentials
            .confirm_options(&invited.person.id, "s")
            .unwrap()
            .unwrap(),
    );
    credentials
        .add_passkey(&invited.person, "s", Shown::Passkey(&shown), &answer, "other")
        .unwrap();
    let gone = credentials.factors(&invited.person.id).unwrap().1.remove(1).id;
    let shown = device.get(
        &credentials
            .confirm_options(&invited.person.id, "s")
            .unwrap()
            .unwrap(),
    );
    credentials
        .remove_passkey(&invited.person, "s", Shown::Passkey(&shown), &gone)
        .unwrap();
    let _ = invite(credentials, "audit");
}

#[test]
fn a_rebuild_brings_every_credential_back() {
    let mut vault = Lasting::new();
    everything(&vault.credentials());
    let before = vault.rows();
    for table in TABLES {
        assert!(
            before.iter().any(|row| row.starts_with(table)),
            "nothing in {table}"
        );
    }
    let rebuilt = vault.close_and_rebuild();
    assert!(rebuilt.findings.is_empty(), "{:?}", rebuilt.findings);
    assert_eq!(vault.rows(), before);
    // Every leaf says what the verifier's table wants of its kind.
    let connection = Connection::open(vault.folder.path().join("catalog.db")).unwrap();
    let mut query = connection
        .prepare("SELECT bytes FROM log_leaf ORDER BY leaf_index")
        .unwrap();
    let leaves: Vec<Vec<u8>> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(|row| row.unwrap())
        .collect();
    for bytes in leaves {
        let leaf = crate::verify::facts::read(&bytes).unwrap();
        // The people of this test have short ids.
        let faults: Vec<String> = crate::verify::facts::faults(&leaf)
            .into_iter()
            .filter(|fault| !fault.contains("p-"))
            .collect();
        assert!(faults.is_empty(), "{}: {faults:?}", leaf.kind);
    }
}

#[test]
fn a_lost_record_never_brings_an_older_credential_back() {
    let mut vault = Lasting::new();
    let credentials = vault.credentials();
    everything(&credentials);
    drop(credentials);
    vault.handle.as_ref().unwrap().settle_placements();
    // The records of the newest password and app of wang, and of the newest invitation of audit, are lost.
    let credentials = vault.credentials();
    let code = invite(&credentials, "wang");
    let invited = credentials.invited(&code, here()).unwrap();
    let secret = totp::Secret::from_text(&invited.enrolment.text);
    let second = secret.code(credentials.now_ms() / STEP_MS);
    credentials
        .join(
            &code,
            "another password here",
            Second::Totp(&invited.enrolment.sealed, &second),
            here(),
        )
        .unwrap();
    drop(credentials);
    vault.handle.as_ref().unwrap().settle_placements();
    let lost: Vec<String> = vault.handle.as_ref().unwrap().catalogue.read(|connection| {
        let sql = "SELECT target FROM stored_file WHERE target LIKE 'registry/%' AND leaf_index IN \
                   (SELECT MAX(leaf_index) FROM event WHERE kind IN ('user.password_set', 'user.totp_enrolled') \
                   AND subject = 'p-wang' GROUP BY kind UNION SELECT MAX(leaf_index) FROM event \
                   WHERE kind = 'user.invited' AND subject = 'p-audit')";
        let mut query = connection.prepare(sql)?;
        let rows = query.query_map([], |row| row.get(0))?;
        rows.map(|row| Ok(row?)).collect()
    }).unwrap();
    assert_eq!(lost.len(), 3);
    for target in &lost {
        let path: PathBuf = vault.folder.path().join(target);
        fs::remove_file(path).unwrap();
    }
    let rebuilt = vault.close_and_rebuild();
    let told = rebuilt
        .findings
        .iter()
        .filter(|finding| finding.what.contains("can't be brought back"))
        .count();
    assert_eq!(told, 3, "{:?}", rebuilt.findings);
    let rows = vault.rows();
    for table in ["person_password", "person_totp"] {
        let theirs = rows
            .iter()
            .any(|row| row.starts_with(table) && row.contains("p-wang"));
        assert!(!theirs, "{table} has an older one");
    }
    let open = rows
        .iter()
        .any(|row| row.starts_with("invitation") && row.contains("p-audit") && row.ends_with("Null"));
    assert!(!open, "an invitation counts again: {rows:?}");
}
