//! The whole flow of an upload over a real store, catalogue and log, without SSH: clients come in `tests/it`.

mod examined;
mod growth;

use super::inbox::{Inbox, Uploader};
use crate::{
    blob::{Layout, staging},
    catalog::{Writer, receipts, search},
    config::{Config, IngestConfig, KeysConfig, SshConfig, VaultConfig},
    crypto::{BodyReader, Identity, StagingKey, header},
    domain::{event::Draft, event::Kind, hex},
    inspect::testing::Passes,
    server::VaultHandle,
    sftp::space::{Attributes, FileSpace, SpaceErrorKind, VirtualPath, WriteMode},
    tlog::{
        key::{Algorithm, SignerKey},
        verify::verify_log,
    },
};
use ring::{digest, rand::SystemRandom};
use std::fs;
use tempfile::TempDir;

const CREATE: WriteMode = WriteMode {
    create: true,
    truncate: true,
    exclusive: false,
    append: false,
    read: false,
};
const RESUME: WriteMode = WriteMode {
    create: false,
    truncate: false,
    exclusive: false,
    append: false,
    read: false,
};

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) config: Config,
    pub(crate) identity: Identity,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let random = SystemRandom::new();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let identity = Identity::generate();
        let origin = "muniment.example/test".to_owned();
        let signer = SignerKey::generate(&origin, Algorithm::Ed25519, &random).unwrap();
        let log_key = layout.keys().join("log.key");
        fs::write(&log_key, signer.to_text().as_bytes()).unwrap();
        let staging_key = layout.keys().join("staging.key");
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
            inspect: crate::config::InspectConfig::default(),
            retrieval: None,
            console: None,
        };
        Fixture {
            folder,
            config,
            identity,
        }
    }

    pub(crate) fn open(&self) -> VaultHandle {
        let vault =
            VaultHandle::open_inspected_by(self.config.clone(), "a test", std::sync::Arc::new(Passes))
                .unwrap();
        vault.ingest.salvage().unwrap();
        vault
    }

    pub(crate) fn inbox(&self, vault: &VaultHandle) -> Inbox {
        let uploader = Uploader {
            person: "01jzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
            branch: "0101".to_owned(),
            key_fingerprint: "SHA256:test".to_owned(),
        };
        Inbox::new(vault.ingest.clone(), vault.open_paths.clone(), uploader)
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.folder.path())
    }

    /// What is sealed, decrypted with the vault's identity.
    pub(crate) fn content(&self, evidence: &search::Evidence) -> Vec<u8> {
        let version = u32::try_from(evidence.version).unwrap();
        let header = fs::read(self.layout().header(&evidence.id, version).unwrap()).unwrap();
        let file_key = header::unwrap(&header, std::slice::from_ref(&self.identity)).unwrap();
        let body = fs::read(
            self.layout()
                .content(&evidence.customer, &evidence.id, version)
                .unwrap(),
        )
        .unwrap();
        assert_eq!(
            hex::encode(blake3::hash(&body).as_bytes()),
            evidence.stored_blake3
        );
        BodyReader::open(&file_key, body)
            .unwrap()
            .read_all(1 << 30)
            .unwrap()
    }
}

fn path(text: &str) -> VirtualPath {
    VirtualPath {
        components: text.split('/').map(|part| part.as_bytes().to_vec()).collect(),
    }
}

/// A JPEG as far as structure goes, of any length.
pub(crate) fn jpeg(length: usize) -> Vec<u8> {
    let mut bytes = vec![
        0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xFF, 0xC0, 0,
        11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0,
    ];
    bytes.extend((0..length).map(|at| (at % 251) as u8 & 0x7F));
    bytes.extend([0xFF, 0xD9]);
    bytes
}

pub(crate) fn put(inbox: &mut Inbox, name: &str, bytes: &[u8]) -> crate::sftp::space::Result<()> {
    let mut file = inbox.open_write(&path(name), CREATE, &Attributes::default())?;
    for (at, piece) in bytes.chunks(32 * 1024).enumerate() {
        file.write(at as u64 * 32 * 1024, piece)?;
    }
    file.close()
}

pub(crate) fn all(vault: &VaultHandle) -> Vec<search::Evidence> {
    vault.settle_placements();
    vault
        .catalogue
        .read(|connection| search::after_receipt(connection, None, 1000))
        .unwrap()
}

const NAME: &str = "000100012345_20260728_A0098877_IDF_01.jpg";

#[test]
fn an_upload_becomes_evidence_and_a_changed_one_a_version() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let (first, second) = (jpeg(200_000), jpeg(70_000));
    put(&mut inbox, NAME, &first).unwrap();
    put(&mut inbox, NAME, &first).unwrap();
    put(&mut inbox, NAME, &second).unwrap();

    let evidence = all(&vault);
    assert_eq!(evidence.iter().map(|row| row.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(evidence[0].id, evidence[1].id);
    assert_eq!(fixture.content(&evidence[0]), first);
    assert_eq!(fixture.content(&evidence[1]), second);
    assert_eq!(
        evidence[0].sha256,
        hex::encode(digest::digest(&digest::SHA256, &first))
    );
    assert_eq!(evidence[0].grade, "server_only");
    assert_eq!(
        inbox.stat(&path(NAME)).unwrap().size_bytes,
        Some(second.len() as u64)
    );
    let refused = inbox.remove(&path(NAME)).unwrap_err();
    assert!(refused.message.contains("sealed at"), "{refused}");
    assert_eq!(
        inbox.open_read(&path(NAME)).err().unwrap().kind,
        SpaceErrorKind::PermissionDenied
    );

    let rows = vault
        .catalogue
        .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
        .unwrap();
    let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["ACCEPTED", "DUPLICATE", "ACCEPTED"]);
    assert!(
        staging::list(&fixture.layout()).unwrap().accessions.is_empty(),
        "nothing stays in staging"
    );
}

fn today(vault: &VaultHandle) -> i64 {
    vault
        .config
        .zone()
        .date(vault.clock.now_ms())
        .replace('-', "")
        .parse()
        .unwrap()
}

#[test]
fn a_cut_upload_waits_and_is_resumed_even_after_a_restart() {
    let fixture = Fixture::new();
    let bytes = jpeg(300_000);
    {
        let vault = fixture.open();
        let mut inbox = fixture.inbox(&vault);
        put(&mut inbox, NAME, &bytes[..150_001]).unwrap();
        let rows = vault
            .catalogue
            .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
            .unwrap();
        assert_eq!(rows[0].outcome, "WAITING");
        vault.close();
    }
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    assert_eq!(inbox.stat(&path(NAME)).unwrap().size_bytes, Some(150_001));
    let mut file = inbox
        .open_write(&path(NAME), RESUME, &Attributes::default())
        .unwrap();
    file.write(150_001, &bytes[150_001..]).unwrap();
    file.close().unwrap();
    let evidence = all(&vault);
    assert_eq!(evidence.len(), 1);
    assert_eq!(fixture.content(&evidence[0]), bytes);
    let rows = vault
        .catalogue
        .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
        .unwrap();
    assert_eq!(
        rows.iter().map(|row| row.outcome.as_str()).collect::<Vec<_>>(),
        ["ACCEPTED"]
    );
    assert!(staging::list(&fixture.layout()).unwrap().accessions.is_empty());
}

#[test]
fn writes_may_come_in_any_order_and_go_back() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let bytes = jpeg(1_000_000);
    let mut file = inbox
        .open_write(&path(NAME), CREATE, &Attributes::default())
        .unwrap();
    let mut pieces: Vec<usize> = (0..bytes.len()).step_by(30_000).collect();
    pieces.reverse();
    for at in pieces {
        file.write(at as u64, &bytes[at..bytes.len().min(at + 30_000)])
            .unwrap();
    }
    // The header is written again, as muxers do, with other bytes first.
    file.write(0, &[0; 40]).unwrap();
    file.write(0, &bytes[..40]).unwrap();
    file.close().unwrap();
    let evidence = all(&vault);
    assert_eq!(fixture.content(&evidence[0]), bytes);
    assert!(staging::list(&fixture.layout()).unwrap().accessions.is_empty());
}

#[test]
fn a_lost_connection_parks_and_a_temporary_name_waits_for_its_rename() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let bytes = jpeg(120_000);
    let part = format!("{NAME}.filepart");
    let mut file = inbox
        .open_write(&path(&part), CREATE, &Attributes::default())
        .unwrap();
    file.write(0, &bytes[..100_000]).unwrap();
    drop(file);
    assert_eq!(inbox.stat(&path(&part)).unwrap().size_bytes, Some(100_000));
    let mut file = inbox
        .open_write(&path(&part), RESUME, &Attributes::default())
        .unwrap();
    file.write(100_000, &bytes[100_000..]).unwrap();
    file.close().unwrap();
    assert!(all(&vault).is_empty());
    inbox.rename(&path(&part), &path(NAME), false).unwrap();
    let evidence = all(&vault);
    assert_eq!(fixture.content(&evidence[0]), bytes);
    assert!(inbox.stat(&path(&part)).is_err());
}

#[test]
fn a_gap_is_said_and_what_came_before_it_stays() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let bytes = jpeg(120_000);
    let mut file = inbox
        .open_write(&path(NAME), CREATE, &Attributes::default())
        .unwrap();
    file.write(0, &bytes[..50_000]).unwrap();
    file.write(60_000, &bytes[60_000..]).unwrap();
    let error = file.close().unwrap_err();
    assert!(error.message.contains("50000"), "{error}");
    assert_eq!(inbox.stat(&path(NAME)).unwrap().size_bytes, Some(50_000));
}

#[test]
fn declarations_prove_refuse_and_come_late() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let bytes = jpeg(90_000);
    let sha256 = hex::encode(digest::digest(&digest::SHA256, &bytes));
    // Before the file.
    put(
        &mut inbox,
        &format!("{NAME}.sha256"),
        format!("{sha256}  {NAME}\n").as_bytes(),
    )
    .unwrap();
    put(&mut inbox, NAME, &bytes).unwrap();
    // Another digest than declared.
    let second = NAME.replace("_01.", "_02.");
    put(
        &mut inbox,
        &format!("{second}.sha256"),
        format!("{sha256} *{second}\r\n").as_bytes(),
    )
    .unwrap();
    put(&mut inbox, &second, &jpeg(91_000)).unwrap();
    // After the file, by a manifest that also names a file no template knows.
    let third = NAME.replace("_01.", "_03.");
    put(&mut inbox, &third, &bytes).unwrap();
    put(&mut inbox, "scan0001.jpg", &jpeg(92_000)).unwrap();
    let other = hex::encode(digest::digest(&digest::SHA256, &jpeg(92_000)));
    let manifest = format!(
        "file,sha256,customer,flow,doctype,seq\n{third},{sha256},,,,\nscan0001.jpg,{other},000100012345,A0098877,IDF,4\n"
    );
    put(&mut inbox, "manifest.csv", manifest.as_bytes()).unwrap();

    let evidence = all(&vault);
    let grades: Vec<(&str, &str)> = evidence
        .iter()
        .map(|row| (row.seq.as_str(), row.grade.as_str()))
        .collect();
    assert_eq!(grades, [("1", "declared"), ("3", "declared"), ("4", "declared")]);
    let rejected = vault
        .catalogue
        .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
        .unwrap()
        .into_iter()
        .find(|row| row.outcome == "REJECTED")
        .unwrap();
    assert!(
        rejected.private.contains(&sha256),
        "both digests are shown: {}",
        rejected.private
    );
    assert!(
        fixture
            .layout()
            .kept_content(&rejected_accession(&vault))
            .unwrap()
            .exists(),
        "its bytes are kept aside"
    );
}

fn rejected_accession(vault: &VaultHandle) -> String {
    vault
        .catalogue
        .read(|connection| {
            Ok(
                connection.query_row("SELECT id FROM accession WHERE state = 'rejected'", [], |row| {
                    row.get(0)
                })?,
            )
        })
        .unwrap()
}

#[test]
fn names_are_judged_at_open_and_at_close() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let error = put(
        &mut inbox,
        "11010519491231002X_20260728_A0098877_IDF_01.jpg",
        &jpeg(10),
    )
    .unwrap_err();
    assert_eq!(error.kind, SpaceErrorKind::PermissionDenied);
    put(
        &mut inbox,
        "000100012345_20260728_A0098877_NOPE_01.jpg",
        &jpeg(10),
    )
    .unwrap();
    let rows = vault
        .catalogue
        .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
        .unwrap();
    assert_eq!(rows[0].outcome, "REJECTED");
    assert!(
        rows[0].private.contains("IDF"),
        "it says what is allowed: {}",
        rows[0].private
    );
}

#[test]
fn what_is_removed_or_expires_is_kept_aside() {
    let mut fixture = Fixture::new();
    fixture.config.ingest.waiting_hours = 0;
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    put(&mut inbox, NAME, &jpeg(50_000)[..40_000]).unwrap();
    let second = NAME.replace("_01.", "_02.");
    put(&mut inbox, &second, &jpeg(50_000)[..40_000]).unwrap();
    inbox.remove(&path(NAME)).unwrap();
    assert!(inbox.stat(&path(NAME)).is_err());
    vault.ingest.sweep().unwrap();
    vault.settle_placements();
    let rows = vault
        .catalogue
        .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
        .unwrap();
    let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(
        outcomes,
        ["WAITING", "REJECTED"]
            .iter()
            .filter(|o| **o == "REJECTED")
            .copied()
            .collect::<Vec<_>>()
    );
    let states: Vec<String> = vault
        .catalogue
        .read(|connection| {
            let mut query =
                connection.prepare("SELECT id FROM accession WHERE state IN ('withdrawn', 'rejected')")?;
            let ids = query
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(ids)
        })
        .unwrap();
    assert_eq!(states.len(), 2);
    for id in states {
        assert!(fixture.layout().kept_content(&id).unwrap().exists());
    }
}

#[test]
fn a_crash_in_flight_leaves_a_resumable_prefix() {
    let fixture = Fixture::new();
    let bytes = jpeg(24 << 20);
    const NAME: &str = "000100012345_20260728_A0098877_AGR_01.jpg";
    {
        let vault = fixture.open();
        let mut inbox = fixture.inbox(&vault);
        let mut file = inbox
            .open_write(&path(NAME), CREATE, &Attributes::default())
            .unwrap();
        for (at, piece) in bytes[..20 << 20].chunks(256 << 10).enumerate() {
            file.write((at * (256 << 10)) as u64, piece).unwrap();
        }
        // As if the process were gone: neither closed nor parked.
        std::mem::forget(file);
    }
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let have = inbox.stat(&path(NAME)).unwrap().size_bytes.unwrap() as usize;
    assert!(have > 19 << 20, "{have}");
    let mut file = inbox
        .open_write(&path(NAME), RESUME, &Attributes::default())
        .unwrap();
    file.write(have as u64, &bytes[have..]).unwrap();
    file.close().unwrap();
    let evidence = all(&vault);
    assert_eq!(fixture.content(&evidence[0]), bytes);
}

#[test]
fn the_log_holds_every_event_over_restarts_and_verifies() {
    let fixture = Fixture::new();
    for round in 0..3 {
        let vault = fixture.open();
        for number in 0..200 {
            let draft =
                Draft::new(Kind::AccessRefused, vault.new_id().unwrap(), "system").fact("round", round);
            vault.commit(draft.fact("number", number)).unwrap();
        }
        vault.close();
    }
    let vault = fixture.open();
    vault.custody.published().catch_up();
    let report = verify_log(&vault.log_dir, &vault.verifier, &[], &[], &mut ());
    assert!(report.is_sound() && report.leaves_proven > 600, "{report:?}");
}

#[test]
fn a_stopped_log_stays_stopped_over_restarts() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    vault.custody.fence("another history was seen".to_owned());
    let draft = Draft::new(Kind::AccessRefused, vault.new_id().unwrap(), "system");
    assert!(vault.commit(draft).is_err());
    vault.close();
    let refused =
        VaultHandle::open_inspected_by(fixture.config.clone(), "a test", std::sync::Arc::new(Passes))
            .err()
            .unwrap()
            .to_string();
    assert!(refused.contains("another history was seen"), "{refused}");
    fs::remove_file(fixture.layout().log_stopped()).unwrap();
    fixture.open().close();
}

#[test]
fn a_client_that_writes_in_place_adds_a_version_and_one_that_appends_is_told_why_not() {
    let fixture = Fixture::new();
    let vault = fixture.open();
    let mut inbox = fixture.inbox(&vault);
    let (first, second) = (jpeg(90_000), jpeg(60_000));
    put(&mut inbox, NAME, &first).unwrap();
    // `scp`: create without truncating, write from the front, then set the size.
    let in_place = WriteMode {
        create: true,
        ..RESUME
    };
    let mut file = inbox
        .open_write(&path(NAME), in_place, &Attributes::default())
        .unwrap();
    file.write(0, &second).unwrap();
    let size = Attributes {
        size_bytes: Some(second.len() as u64),
        ..Attributes::default()
    };
    file.set_attributes(&size).unwrap();
    file.close().unwrap();
    let evidence = all(&vault);
    assert_eq!(evidence.iter().map(|row| row.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(fixture.content(&evidence[1]), second);

    let append = WriteMode {
        append: true,
        ..RESUME
    };
    let refused = inbox
        .open_write(&path(NAME), append, &Attributes::default())
        .err()
        .unwrap();
    assert!(refused.message.contains("sealed at"), "{refused}");
    // Going on behind what is sealed leaves nothing behind.
    let mut file = inbox
        .open_write(&path(NAME), in_place, &Attributes::default())
        .unwrap();
    file.write(60_000, &second).unwrap();
    let gap = file.close().unwrap_err();
    assert!(gap.message.contains("0 to 60000"), "{gap}");
    assert_eq!(all(&vault).len(), 2);
    assert!(staging::list(&fixture.layout()).unwrap().accessions.is_empty());
}

#[test]
fn what_a_crash_leaves_of_a_replaced_upload_is_not_taken_for_a_new_one() {
    let fixture = Fixture::new();
    let bytes = jpeg(300_000);
    {
        let vault = fixture.open();
        let mut inbox = fixture.inbox(&vault);
        put(&mut inbox, NAME, &bytes[..200_000]).unwrap();
        let id = staging::list(&fixture.layout())
            .unwrap()
            .accessions
            .remove(0)
            .accession_id;
        let (body, sidecar) = (
            fixture.layout().staged(&id).unwrap(),
            fixture.layout().sidecar(&id).unwrap(),
        );
        let left = (fs::read(&body).unwrap(), fs::read(&sidecar).unwrap());
        let mut file = inbox
            .open_write(&path(NAME), RESUME, &Attributes::default())
            .unwrap();
        file.write(200_000, &bytes[200_000..]).unwrap();
        file.close().unwrap();
        assert_eq!(all(&vault).len(), 1);
        vault.close();
        // As if the crash had come between the commit and the removal.
        fs::write(&body, left.0).unwrap();
        fs::write(&sidecar, left.1).unwrap();
    }
    let vault = fixture.open();
    let rows = vault
        .catalogue
        .read(|connection| receipts::of_day(connection, "0101", today(&vault)))
        .unwrap();
    let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["ACCEPTED"]);
    assert!(staging::list(&fixture.layout()).unwrap().accessions.is_empty());
}
