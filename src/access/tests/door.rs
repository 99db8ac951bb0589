use super::super::AccessDoorkeeper;
use crate::{
    blob::Layout,
    catalog::{Writer, search},
    config::{Config, IngestConfig, KeysConfig, RetrievalConfig, SshConfig, VaultConfig},
    crypto::{Identity, StagingKey},
    domain::event::{Draft, Kind},
    inspect::testing::Passes,
    server::VaultHandle,
    sftp::{
        space::{Attributes, FileSpace, SpaceErrorKind, VirtualPath, WriteMode},
        testing::piece,
    },
    ssh::{Doorkeeper, Login},
    tlog::key::{Algorithm, SignerKey},
};
use ring::rand::SystemRandom;
use russh::keys::{
    Algorithm as KeyAlgorithm, HashAlg, PrivateKey,
    key::safe_rng,
    ssh_key::certificate::{Builder, CertType},
};
use serde_json::json;
use std::{fs, net::SocketAddr};
use tempfile::TempDir;

pub(super) struct Fixture {
    _folder: TempDir,
    pub(super) layout: Layout,
    pub(super) vault: VaultHandle,
    pub(super) identity: Identity,
    pub(super) door: AccessDoorkeeper,
    authority: PrivateKey,
    keys: Vec<(&'static str, PrivateKey)>,
}

pub(super) fn new_key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), KeyAlgorithm::Ed25519).unwrap()
}

pub(super) fn fingerprint(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_string()
}

fn peer() -> SocketAddr {
    "192.0.2.7:50000".parse().unwrap()
}

pub(super) fn path(text: &str) -> VirtualPath {
    let names = text.split('/').filter(|name| !name.is_empty());
    VirtualPath {
        components: names.map(|name| name.as_bytes().to_vec()).collect(),
    }
}

impl Fixture {
    pub(super) fn new(people: &[(&'static str, &[&str], Option<&str>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let random = SystemRandom::new();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let origin = "muniment.example/test".to_owned();
        let signer = SignerKey::generate(&origin, Algorithm::Ed25519, &random).unwrap();
        let (log_key, staging_key) = (layout.keys().join("log.key"), layout.keys().join("staging.key"));
        fs::write(&log_key, signer.to_text().as_bytes()).unwrap();
        StagingKey::create(&staging_key, &random).unwrap();
        drop(Writer::create(&layout.catalog(), &origin).unwrap());
        let identity = Identity::generate();
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
            inspect: crate::config::InspectConfig::default(),
            retrieval: Some(RetrievalConfig {
                identity: folder.path().join("nowhere"),
            }),
            console: None,
        };
        let vault = VaultHandle::open_inspected_by(config, "a test", std::sync::Arc::new(Passes)).unwrap();
        for branch in ["0101", "0202"] {
            let added =
                Draft::new(Kind::BranchAdded, vault.new_id().unwrap(), "operator").fact("branch", branch);
            vault.commit(added.commit("name", branch)).unwrap();
        }
        let authority = new_key();
        let door = AccessDoorkeeper::new(
            vault.ingest.clone(),
            vault.open_paths.clone(),
            vault.room.clone(),
            vault.witnesses.clone(),
            vec![authority.public_key().clone()],
        );
        let mut fixture = Fixture {
            _folder: folder,
            layout,
            vault,
            identity,
            door,
            authority,
            keys: Vec::new(),
        };
        for (name, roles, branch) in people {
            fixture.add(name, roles, *branch);
        }
        fixture
    }

    fn add(&mut self, name: &'static str, roles: &[&str], branch: Option<&str>) {
        let key = new_key();
        let print = fingerprint(&key);
        let mut draft = Draft::new(Kind::UserAdded, self.vault.new_id().unwrap(), "operator")
            .fact("person", format!("p-{name}"))
            .fact("roles", roles.to_vec())
            .fact("keys", vec![print.clone()])
            .commit("name", name)
            .commit("nda", "NDA-1")
            .private("keys", json!({ print: key.public_key().to_openssh().unwrap() }));
        if let Some(branch) = branch {
            draft = draft.fact("branch", branch);
        }
        self.vault.commit(draft).unwrap();
        self.keys.push((name, key));
    }

    pub(super) fn disable(&self, name: &str) {
        let draft = Draft::new(Kind::UserDisabled, self.vault.new_id().unwrap(), "operator");
        self.vault
            .commit(draft.fact("person", format!("p-{name}")))
            .unwrap();
    }

    pub(super) fn key(&self, name: &str) -> &PrivateKey {
        &self.keys.iter().find(|(of, _)| *of == name).unwrap().1
    }

    pub(super) fn login(&self, user: &str, key: &PrivateKey) -> Option<Login> {
        self.door
            .by_key(user, &fingerprint(key), key.public_key(), peer())
    }

    pub(super) fn space(&self, name: &str) -> Box<dyn FileSpace> {
        self.door
            .open_space(&self.login(name, self.key(name)).unwrap(), "ssh-1")
            .unwrap()
    }

    fn root(&self, name: &str) -> Vec<String> {
        let entries = self.space(name).list(&path("")).unwrap();
        entries
            .into_iter()
            .map(|entry| String::from_utf8(entry.name).unwrap())
            .collect()
    }

    fn refusals(&self) -> i64 {
        let count = |connection: &rusqlite::Connection| {
            let kind = "SELECT COUNT(*) FROM event WHERE kind = 'access.refused'";
            Ok(connection.query_row(kind, [], |row| row.get(0))?)
        };
        self.vault.catalogue.read(count).unwrap()
    }
}

const UPLOADER: (&str, &[&str], Option<&str>) = ("zhang.san", &["uploader"], Some("0101"));

#[test]
fn a_key_lets_in_its_own_active_person_and_nobody_else() {
    let fixture = Fixture::new(&[UPLOADER, ("li.na", &["uploader"], Some("0202"))]);
    let key = fixture.key("zhang.san");
    let login = fixture.login("zhang.san", key).unwrap();
    assert_eq!(
        (login.person_id.as_str(), login.key_fingerprint),
        ("p-zhang.san", fingerprint(key))
    );
    assert_eq!(fixture.login("li.na", key), None);
    assert_eq!(fixture.login("nobody", key), None);
    assert_eq!(fixture.login("", key), None);
    assert_eq!(fixture.login("zhang.san", &new_key()), None);

    let login = fixture.login("zhang.san", key).unwrap();
    fixture.disable("zhang.san");
    assert_eq!(fixture.login("zhang.san", key), None);
    // A session that was open when the person was disabled gets no further channel.
    let error = fixture.door.open_space(&login, "ssh-1").err().unwrap();
    assert_eq!(error.kind, SpaceErrorKind::PermissionDenied);
}

#[test]
fn a_certificate_counts_for_an_active_person_only() {
    let fixture = Fixture::new(&[UPLOADER]);
    let own = new_key();
    let certificate = |signer: &PrivateKey, principal: &str| {
        let now = 1_700_000_000;
        let key = own.public_key().key_data().clone();
        let mut builder = Builder::new([7u8; 16], key, now, u64::from(u32::MAX)).unwrap();
        builder.cert_type(CertType::User).unwrap().key_id("1").unwrap();
        builder.valid_principal(principal).unwrap();
        builder.sign(signer).unwrap()
    };
    let good = certificate(&fixture.authority, "zhang.san");
    let login = fixture.door.by_certificate("zhang.san", &good, peer()).unwrap();
    assert_eq!(
        (login.person_id.as_str(), login.key_fingerprint),
        ("p-zhang.san", fingerprint(&own))
    );
    // The key that it certifies is nobody's, and needn't be.
    let login = fixture.door.by_certificate("zhang.san", &good, peer()).unwrap();
    assert!(fixture.door.open_space(&login, "ssh-1").is_ok());
    let unknown = certificate(&fixture.authority, "nobody");
    assert_eq!(fixture.door.by_certificate("nobody", &unknown, peer()), None);
    assert_eq!(fixture.door.by_certificate("nobody", &good, peer()), None);
    let foreign = certificate(&new_key(), "zhang.san");
    assert_eq!(fixture.door.by_certificate("zhang.san", &foreign, peer()), None);
    fixture.disable("zhang.san");
    assert_eq!(fixture.door.by_certificate("zhang.san", &good, peer()), None);
}

#[test]
fn each_role_has_its_root() {
    let fixture = Fixture::new(&[
        UPLOADER,
        ("both", &["uploader", "archivist"], Some("0101")),
        ("audit", &["auditor"], None),
        ("ops", &["sysadmin"], None),
        ("keys", &["key_custodian"], None),
        ("boss", &["approver"], None),
        ("search", &["retriever"], None),
        ("check", &["reviewer"], Some("0101")),
        ("archive", &["archivist"], Some("0101")),
    ]);
    for name in ["zhang.san", "both"] {
        assert_eq!(
            fixture.root(name),
            ["README.txt", "inbox", "receipts", "tasks"],
            "{name}"
        );
    }
    assert_eq!(
        fixture.root("audit"),
        ["README.txt", "evidence", "log", "receipts", "reports", "witness"]
    );
    assert_eq!(fixture.root("search"), ["README.txt", "evidence"]);
    let readme = |name: &str| {
        let mut file = fixture.space(name).open_read(&path("README.txt")).unwrap();
        String::from_utf8(piece(&mut *file, 0, 10_000).unwrap()).unwrap()
    };
    for name in ["audit", "search"] {
        assert!(
            readme(name).contains("有效授权范围内的资料 what your live grants cover"),
            "{name}"
        );
    }
    assert!(readme("search").starts_with("\u{feff}这里是") && !readme("zhang.san").contains("/evidence"));
    for name in ["ops", "keys", "boss", "check", "archive"] {
        assert_eq!(fixture.root(name), ["README.txt"], "{name}");
        let mut space = fixture.space(name);
        assert!(readme(name).contains("no folders for you"));
        for hidden in ["receipts", "log", "reports", "witness", "tasks", "keys"] {
            assert_eq!(
                space.list(&path(hidden)).unwrap_err().kind,
                SpaceErrorKind::NoSuchFile,
                "{name} {hidden}"
            );
        }
    }
    let mut uploader = fixture.space("zhang.san");
    for hidden in ["log", "reports", "witness", "evidence", "log/checkpoint"] {
        assert_eq!(
            uploader.stat(&path(hidden)).unwrap_err().kind,
            SpaceErrorKind::NoSuchFile,
            "{hidden}"
        );
    }
    assert_eq!(fixture.refusals(), 0);
}

#[test]
fn an_upload_through_the_door_has_its_receipt_in_the_same_tree() {
    let fixture = Fixture::new(&[
        UPLOADER,
        ("li.na", &["uploader"], Some("0202")),
        ("audit", &["auditor"], None),
    ]);
    let name = "000100012345_20260728_A0098877_IDF_01.jpg";
    let mut space = fixture.space("zhang.san");
    let mode = WriteMode {
        create: true,
        truncate: true,
        ..WriteMode::default()
    };
    let mut file = space
        .open_write(&path(&format!("inbox/{name}")), mode, &Attributes::default())
        .unwrap();
    let head = [
        0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xFF, 0xC0, 0,
        11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0,
    ];
    file.write(0, &[&head[..], &[1; 20_000], &[0xFF, 0xD9]].concat())
        .unwrap();
    file.close().unwrap();
    // The next commit comes after this one's publication.
    fixture.disable("nobody");
    let sealed = fixture
        .vault
        .catalogue
        .read(|connection| search::after_receipt(connection, None, 10))
        .unwrap();
    assert_eq!(sealed[0].key_fingerprint, fingerprint(fixture.key("zhang.san")));
    let text_of = |space: &mut dyn FileSpace, folder: &str| {
        let day = String::from_utf8(space.list(&path(folder)).unwrap()[0].name.clone()).unwrap();
        let at = format!("{folder}/{day}/{name}.ACCEPTED.txt");
        String::from_utf8(piece(&mut *space.open_read(&path(&at)).unwrap(), 0, 10_000).unwrap()).unwrap()
    };
    let receipt = text_of(space.as_mut(), "receipts");
    assert!(
        receipt.contains(&sealed[0].sha256) && receipt.contains("zhang.san"),
        "{receipt}"
    );
    assert_eq!(text_of(fixture.space("audit").as_mut(), "receipts/0101"), receipt);
    assert!(fixture.space("li.na").list(&path("receipts")).unwrap().is_empty());
}

#[test]
fn a_sysadmin_is_refused_content_and_that_is_on_record_without_flooding_the_log() {
    let fixture = Fixture::new(&[("ops", &["sysadmin"], None), ("ops2", &["sysadmin"], None)]);
    let mut space = fixture.space("ops");
    for at in ["evidence", "evidence/000100012345", "inbox", "inbox/x.mp4"] {
        let refused = [
            space.stat(&path(at)).err(),
            space.list(&path(at)).err(),
            space.open_read(&path(at)).err(),
        ];
        for error in refused {
            assert_eq!(error.unwrap().kind, SpaceErrorKind::PermissionDenied, "{at}");
        }
    }
    assert_eq!(fixture.refusals(), 1);
    // A new session is the same person; another person is not.
    assert!(fixture.space("ops").list(&path("evidence")).is_err());
    assert_eq!(fixture.refusals(), 1);
    assert!(fixture.space("ops2").list(&path("evidence")).is_err());
    assert_eq!(fixture.refusals(), 2);
}

#[test]
fn nobody_comes_in_when_the_catalogue_cant_be_read() {
    let fixture = Fixture::new(&[UPLOADER]);
    let key = fixture.key("zhang.san");
    let login = fixture.login("zhang.san", key).unwrap();
    // Its tables are gone from under the readers.
    let connection = rusqlite::Connection::open(fixture.layout.catalog()).unwrap();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; ALTER TABLE person RENAME TO gone;")
        .unwrap();
    assert_eq!(fixture.login("zhang.san", key), None);
    assert_eq!(
        fixture.door.open_space(&login, "ssh-1").err().unwrap().kind,
        SpaceErrorKind::Failure
    );
}
