mod evidence;

use super::{
    log::LogFolder,
    mount::Mount,
    readme,
    receipts::{ReceiptBook, Receipts, Scope},
    reports::reports,
    tasks::tasks,
    tree::ReadOnly,
    witness::{WitnessDesk, WitnessDrop},
};
use crate::{
    catalog::log_edge,
    custody::{
        sequencer::{CommitError, Proposed},
        testing::{NOW_MS, ORIGIN, OTHER_SHA, SHA, TestVault, signer},
    },
    domain::{
        event::{Draft, Kind},
        time::Zone,
    },
    sftp::{
        space::{Attributes, FileSpace, SpaceErrorKind, VirtualPath, WriteMode},
        testing::piece,
    },
    tlog::{
        checkpoint::{self, Checkpoint},
        key::{Algorithm, VerifierKey},
        merkle::Hash,
        note::Note,
        proof::TlogProof,
        store::LogDir,
        verify::verify_log,
    },
};
use ring::rand::SystemRandom;
use std::{collections::BTreeMap, fs, sync::Arc};

const PAGE: &str = "000100012345_20260728_A0098877_WVID_01.mp4";

fn path(text: &str) -> VirtualPath {
    let names = text.split('/').filter(|name| !name.is_empty());
    VirtualPath {
        components: names.map(|name| name.as_bytes().to_vec()).collect(),
    }
}

fn read(space: &mut dyn FileSpace, text: &str) -> Vec<u8> {
    let mut file = space.open_read(&path(text)).unwrap();
    let mut bytes = Vec::new();
    loop {
        // Odd lengths, so that pieces don't end where anything else does.
        let piece = piece(&mut *file, bytes.len() as u64, 1_999).unwrap();
        if piece.is_empty() {
            assert_eq!(
                file.attributes().unwrap().size_bytes,
                Some(bytes.len() as u64),
                "{text}"
            );
            return bytes;
        }
        bytes.extend(piece);
    }
}

fn text(space: &mut dyn FileSpace, path: &str) -> String {
    String::from_utf8(read(space, path)).unwrap()
}

/// Every listed file below a folder; listing, stat and what is read must agree on its size.
fn walk(space: &mut dyn FileSpace, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in space.list(&path(folder)).unwrap() {
        let name = format!("{folder}/{}", String::from_utf8(entry.name).unwrap());
        if entry.attributes.permissions.unwrap() & 0o170_000 == 0o040_000 {
            files.extend(walk(space, &name));
        } else {
            let bytes = read(space, &name);
            assert_eq!(entry.attributes.size_bytes, Some(bytes.len() as u64), "{name}");
            assert_eq!(
                space.stat(&path(&name)).unwrap().size_bytes,
                entry.attributes.size_bytes,
                "{name}"
            );
            files.insert(name.trim_start_matches('/').to_owned(), bytes);
        }
    }
    files
}

fn missing(space: &mut dyn FileSpace, text: &str) {
    let at = path(text);
    let kinds = [
        space.stat(&at).err().map(|error| error.kind),
        space.list(&at).err().map(|error| error.kind),
        space.open_read(&at).err().map(|error| error.kind),
        space.digest_sha256(&at).err().map(|error| error.kind),
    ];
    assert_eq!(kinds, [Some(SpaceErrorKind::NoSuchFile); 4], "{text}");
}

/// One more event: when its reply is here, everything before it is published.
fn tick(vault: &TestVault) {
    vault.commit(Draft::new(Kind::FixityChecked, "tick", "operator").fact("objects", 1));
}

fn receipts(vault: &TestVault, scope: Scope) -> ReadOnly<Receipts> {
    ReadOnly(Receipts::new(
        Arc::new(ReceiptBook::new(vault.log.clone(), Zone::default())),
        scope,
    ))
}

fn own(branch: &str) -> Scope {
    Scope::Branch(branch.to_owned())
}

#[test]
fn a_branch_sees_its_own_receipts_and_an_auditor_all() {
    let vault = TestVault::new();
    let number = vault.seal("zhang.san", PAGE, "A0098877").index;
    vault.seal("li.na", "000100054321_20260728_B0098877_WVID_01.mp4", "B0098877");
    tick(&vault);

    let files = walk(&mut receipts(&vault, own("0101")), "");
    let expected = ["_summary.csv".to_owned()]
        .into_iter()
        .chain(["json", "tlog-proof", "txt"].map(|form| format!("{PAGE}.ACCEPTED.{form}")));
    let day: Vec<String> = expected.map(|name| format!("2026-07-28/{name}")).collect();
    let mut found: Vec<&String> = files.keys().collect();
    found.sort_by_key(|name| !name.ends_with(".csv"));
    assert_eq!(found, day.iter().collect::<Vec<_>>());
    let proof = TlogProof::parse(&files[&day[2]]).unwrap();
    proof.verify(&files[&day[1]], vault.log.verifier(), &[]).unwrap();
    assert_eq!(proof.index, number);
    let summary = String::from_utf8(files[&day[0]].clone()).unwrap();
    assert_eq!(summary.lines().count(), 2);
    assert!(
        summary.contains(PAGE) && !summary.contains("B0098877"),
        "{summary}"
    );

    let mut other = receipts(&vault, own("0202"));
    assert!(walk(&mut other, "").keys().all(|name| !name.contains("A0098877")));
    missing(&mut other, &format!("2026-07-28/{PAGE}.ACCEPTED.txt"));
    missing(&mut other, &format!("0101/2026-07-28/{PAGE}.ACCEPTED.txt"));
    assert!(walk(&mut receipts(&vault, own("0303")), "").is_empty());

    let mut all = receipts(&vault, Scope::All);
    let everything = walk(&mut all, "");
    assert_eq!(everything.len(), 8);
    for name in &day {
        assert_eq!(everything[&format!("0101/{name}")], files[name]);
    }
    for bad in [
        "0303",
        "0101/2026-7-28",
        "0101/2026-07-29",
        "0101/20260728",
        "0101/2026-07-28/x",
        "0101/-026-07-28",
    ] {
        missing(&mut all, bad);
    }
    missing(&mut all, &format!("0101/2026-07-28/{PAGE}.REJECTED.txt"));
    missing(&mut all, &format!("0101/2026-07-28/{PAGE}.ACCEPTED.txt/x"));
}

#[test]
fn what_isnt_published_isnt_shown_and_what_was_completed_waits_no_more() {
    let mut vault = TestVault::new();
    vault.wait("zhang.san", "a-1", PAGE);
    tick(&vault);
    let mut space = receipts(&vault, own("0101"));
    let waiting = format!("2026-07-28/{PAGE}.WAITING.txt");
    let accepted = format!("2026-07-28/{PAGE}.ACCEPTED.txt");
    assert!(text(&mut space, &waiting).contains("待补全 WAITING"));
    assert!(text(&mut space, "2026-07-28/_summary.csv").contains("WAITING"));

    let before = fs::read(vault.layout.log().join("checkpoint")).unwrap();
    let sealed = vault
        .upload(Kind::EvidenceSealed, "a-2", "zhang.san", PAGE)
        .fact("replaces", "a-1")
        .fact("evidence", "e-1")
        .fact("version", 1)
        .fact("category", "customer")
        .fact("doctype", "WVID")
        .fact("grade", "server_only")
        .fact("stored_size_bytes", 1)
        .fact("stored_blake3", OTHER_SHA)
        .commit("customer", "000100012345")
        .commit("flow", "A0098877")
        .commit("seq", "1");
    vault.commit(sealed);
    vault.settle_log();
    let after = fs::read(vault.layout.log().join("checkpoint")).unwrap();
    assert!(text(&mut space, &accepted).contains("已接收 ACCEPTED"));
    missing(&mut space, &waiting);
    // As in the moment between the commit and its publication.
    fs::write(vault.layout.log().join("checkpoint"), before).unwrap();
    missing(&mut space, &accepted);
    assert!(walk(&mut space, "").is_empty());
    fs::write(vault.layout.log().join("checkpoint"), after).unwrap();
    assert_eq!(walk(&mut space, "").len(), 4);
}

#[test]
fn a_name_too_long_for_a_file_system_still_has_its_receipt() {
    let vault = TestVault::new();
    let name = format!("{}.mp4", "客".repeat(83));
    vault.seal("zhang.san", &name, "A0098877");
    tick(&vault);
    let files = walk(&mut receipts(&vault, own("0101")), "");
    assert_eq!(files.len(), 4);
    assert!(
        files
            .keys()
            .all(|path| path.rsplit('/').next().unwrap().len() <= 255)
    );
}

fn log_folder(vault: &TestVault, witnesses: &[VerifierKey]) -> ReadOnly<LogFolder> {
    ReadOnly(LogFolder::new(
        vault.log.clone(),
        witnesses.into(),
        vault.clock.clone(),
    ))
}

#[test]
fn a_copy_of_the_log_folder_is_the_log() {
    let mut vault = TestVault::new();
    for _ in 0..300 {
        tick(&vault);
    }
    vault.settle_log();
    let mut space = log_folder(&vault, &[]);
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in walk(&mut space, "") {
        let target = copy.path().join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    let report = verify_log(&LogDir::new(copy.path()), vault.log.verifier(), &[], &[], &mut ());
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(text(&mut space, "log.pub"), format!("{}\n", vault.log.verifier()));
    assert_eq!(text(&mut space, "witnesses"), "");
    missing(&mut space, "checkpoint.witnessed");

    // A client that listed a partial tile before the full one took its place.
    let (full, partial) = (read(&mut space, "tile/0/000"), read(&mut space, "tile/0/000.p/5"));
    assert_eq!(partial, full[..5 * 32]);
    let entries = read(&mut space, "tile/entries/000");
    let cut = read(&mut space, "tile/entries/000.p/5");
    assert!(entries.starts_with(&cut) && crate::tlog::tile::decode_bundle(&cut, 5).is_ok());
    assert!(space.list(&path("tile/0/000.p")).unwrap().is_empty());
}

#[test]
fn nothing_else_of_the_vault_has_a_path_under_log() {
    let vault = TestVault::new();
    tick(&vault);
    let (log, keys) = (vault.layout.log(), vault.layout.keys());
    fs::write(keys.join("log.key"), "secret").unwrap();
    fs::write(log.join("secret"), "secret").unwrap();
    fs::write(log.join("tile/secret"), "secret").unwrap();
    fs::write(log.join("tile/0/secret"), "secret").unwrap();
    // Even what somebody with the vault's own rights links there doesn't lead out.
    std::os::unix::fs::symlink(keys.join("log.key"), log.join("tile/0/001")).unwrap();
    std::os::unix::fs::symlink(&keys, log.join("tile/7")).unwrap();
    let mut space = log_folder(&vault, &[]);
    for bad in [
        "secret",
        "tile/secret",
        "tile/0/secret",
        "tile/0/001",
        "tile/7",
        "tile/7/log.key",
        "keys",
        "catalog.db",
        "lock",
        "tile/8/000",
        "tile/8",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/00a",
        "tile/0/x000/000",
        "tile/0/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/000",
        "tile/0/000.p.p",
        "tile/entries/x",
        "checkpoint/x",
        "checkpoint.p",
        ".writing",
        "tile/.writing",
        "tile/0/%2e%2e",
        "log.pub/x",
        "tile/0/..%2f..",
        "tile/0/18446744073709551616",
    ] {
        missing(&mut space, bad);
    }
    // The engine resolves these before they come here; if one came, it would still be no name of a tile.
    for climbing in [
        &["..", "keys", "log.key"][..],
        &["tile", "..", "..", "keys", "log.key"],
        &["tile", "0", "../../../keys/log.key"],
    ] {
        let components = climbing.iter().map(|name| name.as_bytes().to_vec()).collect();
        let error = space.open_read(&VirtualPath { components }).err().unwrap();
        assert_eq!(error.kind, SpaceErrorKind::NoSuchFile);
    }
    let listed = walk(&mut space, "");
    assert!(
        listed
            .iter()
            .all(|(name, bytes)| !name.contains("secret") && bytes != b"secret"),
        "{:?}",
        listed.keys()
    );
    assert!(!listed.contains_key("tile/0/001"));
}

#[test]
fn a_read_only_view_refuses_every_change() {
    let vault = TestVault::new();
    tick(&vault);
    let mut space = log_folder(&vault, &[]);
    let (old, new) = (path("checkpoint"), path("new"));
    let mode = WriteMode {
        create: true,
        truncate: true,
        ..WriteMode::default()
    };
    let attributes = Attributes {
        size_bytes: Some(0),
        ..Attributes::default()
    };
    let refusals = [
        space.open_write(&old, mode, &attributes).err(),
        space.set_attributes(&old, &attributes).err(),
        space.make_directory(&new).err(),
        space.remove_directory(&path("tile")).err(),
        space.remove(&old).err(),
        space.rename(&old, &new, true).err(),
    ];
    assert!(
        refusals
            .into_iter()
            .all(|error| error.unwrap().kind == SpaceErrorKind::PermissionDenied)
    );
}

struct Witnessed {
    vault: TestVault,
    space: WitnessDrop,
    witness: crate::tlog::key::SignerKey,
}

fn witnessed() -> Witnessed {
    let vault = TestVault::new();
    tick(&vault);
    let witness = signer("witness.example/w1", Algorithm::CosignatureV1, 9);
    let desk = WitnessDesk {
        log: vault.log.clone(),
        custody: vault.custody.clone(),
        witnesses: [witness.verifier().clone()].into(),
        clock: vault.clock.clone(),
        random: Arc::new(SystemRandom::new()),
    };
    Witnessed {
        space: WitnessDrop::new(desk, "p-audit".to_owned()),
        vault,
        witness,
    }
}

impl Witnessed {
    fn put(&mut self, bytes: &[u8]) -> crate::sftp::space::Result<()> {
        let mode = WriteMode {
            create: true,
            truncate: true,
            ..WriteMode::default()
        };
        let mut file = self
            .space
            .open_write(&path("cosigned"), mode, &Attributes::default())?;
        for (at, piece) in bytes.chunks(100).enumerate() {
            file.write(at as u64 * 100, piece)?;
        }
        file.close()
    }

    fn cosigned(&self, note: &str) -> String {
        let log = self.vault.log.verifier();
        checkpoint::cosign(note.as_bytes(), log, &self.witness, 1_785_224_000)
            .unwrap()
            .to_string()
    }

    fn anchors(&self) -> Vec<(String, String)> {
        self.vault
            .catalogue
            .read(|connection| log_edge::cosignatures(connection, self.size()))
            .unwrap()
    }

    /// The published tree that the tests cosign: everything but what a test itself commits.
    fn size(&self) -> u64 {
        6
    }

    fn fenced(&self) -> bool {
        let draft = Draft::new(Kind::FixityChecked, "after", "operator").fact("objects", 1);
        match self
            .vault
            .custody
            .commit(move |_| Ok(Proposed { draft, place: None }))
        {
            Ok(_) => false,
            Err(CommitError::Fenced(_)) => true,
            Err(error) => panic!("{error}"),
        }
    }

    /// A checkpoint that the log's own key signed, of a tree that this log never had.
    fn signed_elsewhere(&self, size: u64, root: Hash) -> String {
        let own = signer(ORIGIN, Algorithm::Ed25519, 7);
        let other = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        };
        other.sign(&own).unwrap().to_string()
    }
}

#[test]
fn a_cosigned_checkpoint_becomes_an_anchor_once() {
    let mut at = witnessed();
    tick(&at.vault);
    let own = at.vault.log.checkpoint(at.size()).unwrap().to_string();
    let cosigned = at.cosigned(&own);
    at.put(cosigned.as_bytes()).unwrap();
    at.put(cosigned.as_bytes()).unwrap();
    let anchors = at.anchors();
    assert_eq!(anchors.len(), 1);
    let line = cosigned
        .lines()
        .find(|line| line.contains("witness.example/w1"))
        .unwrap();
    assert_eq!(line, format!("— {} {}", anchors[0].0, anchors[0].1));
    assert!(!at.fenced());
    let size = at.space.stat(&path("cosigned")).unwrap().size_bytes;
    assert_eq!(size, Some(cosigned.len() as u64));

    let mut log = log_folder(&at.vault, &[at.witness.verifier().clone()]);
    let shown = read(&mut log, "checkpoint.witnessed");
    let opened = checkpoint::open(&shown, at.vault.log.verifier(), &[at.witness.verifier().clone()]).unwrap();
    assert_eq!(
        (opened.checkpoint.size, opened.cosignatures.len()),
        (at.size(), 1)
    );
    assert_eq!(
        text(&mut log, "witnesses"),
        format!("{}\n", at.witness.verifier())
    );

    // Put back to the moment when that was the newest checkpoint: it shows what the witness signed.
    at.vault.settle_log();
    fs::write(at.vault.layout.log().join("checkpoint"), &own).unwrap();
    assert_eq!(text(&mut log, "checkpoint"), cosigned);
}

#[test]
fn what_isnt_a_cosigned_checkpoint_of_this_log_is_refused_and_harmless() {
    let mut at = witnessed();
    tick(&at.vault);
    let own = at.vault.log.checkpoint(at.size()).unwrap().to_string();
    let stranger = signer("witness.example/other", Algorithm::CosignatureV1, 10);
    let by_stranger = checkpoint::cosign(own.as_bytes(), at.vault.log.verifier(), &stranger, 1)
        .unwrap()
        .to_string();
    let spoiled = at
        .cosigned(&own)
        .replace("— witness.example/w1 ", "— witness.example/w1 AAAA");
    let forger = signer(ORIGIN, Algorithm::Ed25519, 8);
    let forged = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 1_000,
        root: Hash([1; 32]),
        extensions: Vec::new(),
    };
    let forged = forged.sign(&forger).unwrap().to_string();
    let large = "x".repeat(65 * 1024);
    for bad in ["", "hello", &own, &by_stranger, &spoiled, &forged, &large] {
        assert!(at.put(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(at.anchors().is_empty() && !at.fenced());
    assert!(at.space.list(&VirtualPath::default()).unwrap().is_empty());
}

#[test]
fn a_larger_tree_under_our_own_signature_stops_the_log() {
    let mut at = witnessed();
    let ahead = at.signed_elsewhere(1_000, Hash([1; 32]));
    let error = at.put(ahead.as_bytes()).unwrap_err();
    assert_eq!(error.kind, SpaceErrorKind::PermissionDenied);
    assert!(
        error.message.contains("ALARM") && error.message.contains("older state"),
        "{}",
        error.message
    );
    assert!(at.fenced());
}

#[test]
fn another_root_under_our_own_signature_stops_the_log_even_with_a_spoiled_cosignature() {
    let mut at = witnessed();
    tick(&at.vault);
    let fork = at.signed_elsewhere(at.size(), Hash([1; 32]));
    let mut note = Note::parse(at.cosigned(&fork).as_bytes()).unwrap();
    let mut line = note.signatures()[1].clone();
    line.bytes[20] ^= 1;
    note.add_signature(line).unwrap();
    let error = at.put(note.to_string().as_bytes()).unwrap_err();
    assert!(
        error.message.contains("ALARM") && error.message.contains("fork"),
        "{}",
        error.message
    );
    assert!(at.fenced() && at.anchors().is_empty());
}

#[test]
fn tasks_are_a_persons_own_and_reports_are_everybodys() {
    let vault = TestVault::new();
    vault.seal("zhang.san", PAGE, "A0098877");
    vault.wait("zhang.san", "a-wait", "half.mp4");
    let temporary = vault
        .upload(Kind::AccessionReceived, "a-temp", "zhang.san", "x.mp4.filepart")
        .fact("reason", "temporary")
        .fact("expires_ms", NOW_MS + 72 * 3_600_000);
    vault.commit(temporary);
    vault.wait("li.na", "a-other", "=other.mp4");
    vault.disable("li.na");
    tick(&vault);

    let own = |name: &str| {
        ReadOnly(tasks(
            vault.catalogue.clone(),
            name.to_owned(),
            Zone::default(),
            vault.clock.clone(),
        ))
    };
    let listed = walk(&mut own("p-zhang.san"), "");
    let waiting = String::from_utf8(listed["waiting.csv"].clone()).unwrap();
    assert_eq!(
        waiting,
        "\u{feff}文件 File,已收字节 Bytes here,收到时间 Received,补全期限 Complete by,原因 Reason,Reason (English)\r\n\
         x.mp4.filepart,209715200,2026-07-28 15:42:07 +08:00,2026-07-31 15:42:07 +08:00,\
         仍为临时文件名：上传未结束；请续传，或改为正式名称,\
         \"still under a temporary name: the upload didn't end; resume it, or rename it\"\r\n\
         half.mp4,209715200,2026-07-28 15:42:07 +08:00,2026-07-31 15:42:07 +08:00,\
         文件不完整，请续传,the file ends early; resume the upload\r\n"
    );
    missing(&mut own("p-li.na"), "other.csv");

    let mut all = ReadOnly(reports(vault.log.clone(), Zone::default(), vault.clock.clone()));
    let listed = walk(&mut all, "");
    let names: Vec<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "evidence-by-branch.csv",
            "findings.csv",
            "fixity.csv",
            "grants.csv",
            "host-reads.csv",
            "readings.csv",
            "refusals.csv",
            "requests.csv",
            "unchecked.csv",
            "users.csv",
            "waiting.csv"
        ]
    );
    let report = |name: &str| String::from_utf8(listed[name].clone()).unwrap();
    assert!(report("waiting.csv").contains("0202,li.na,a-other,'=other.mp4,209715200,"));
    let rows: Vec<String> = report("evidence-by-branch.csv")
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect();
    assert_eq!(
        rows,
        [
            "0101,营业部 0101,1,1,209715200,0,1,2026-07-28 15:42:07 +08:00,2026-07-28 15:42:07 +08:00",
            "0202,营业部 0202,0,0,0,0,0,,"
        ]
    );
    let users = report("users.csv");
    assert!(
        users.contains(",uploader,archivist,reviewer,retriever,approver,auditor,sysadmin,key_custodian,"),
        "{users}"
    );
    assert!(
        users.contains("p-audit,audit,,,,,,,1,,,1,NDA-1,2026-07-28 15:42:07 +08:00,,\r\n"),
        "{users}"
    );
    assert!(users.contains(
        "p-li.na,li.na,0202,1,,,,,,,,1,NDA-1,2026-07-28 15:42:07 +08:00,2026-07-28 15:42:07 +08:00,\r\n"
    ));
    assert!(report("fixity.csv").contains(",operator,1,,,,,\r\n"));
    assert!(!users.contains(SHA));
}

#[test]
fn the_root_shows_its_folders_and_keeps_them_apart() {
    let at = witnessed();
    let mut mount = Mount::new(readme::file(readme::AUDITOR), NOW_MS, at.vault.layout.clone());
    mount.add("log", log_folder(&at.vault, &[]));
    mount.add("witness", at.space);
    mount.add_unlisted("hidden", log_folder(&at.vault, &[]));
    let names: Vec<Vec<u8>> = mount
        .list(&path(""))
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, [&b"README.txt"[..], b"log", b"witness"]);
    let readme = text(&mut mount, "README.txt");
    assert!(readme.starts_with("\u{feff}这里是") && readme.contains("\r\n/witness"));
    assert_eq!(
        mount.stat(&path("README.txt")).unwrap().size_bytes,
        Some(readme.len() as u64)
    );
    assert_eq!(
        read(&mut mount, "log/checkpoint"),
        read(&mut log_folder(&at.vault, &[]), "checkpoint")
    );
    assert_eq!(mount.digest_sha256(&path("log/checkpoint")).unwrap().len(), 64);
    assert!(mount.capacity(&path("log")).is_ok());
    for bad in ["keys", "catalog.db", "README.txt/x", "readme.txt", "log/x"] {
        missing(&mut mount, bad);
    }
    let refused = |error: Option<crate::sftp::space::SpaceError>, words: &str| {
        let error = error.unwrap();
        assert!(
            error.kind == SpaceErrorKind::PermissionDenied && error.message.contains(words),
            "{error}"
        );
    };
    let mode = WriteMode {
        create: true,
        ..WriteMode::default()
    };
    refused(
        mount
            .rename(&path("log/checkpoint"), &path("witness/x"), false)
            .err(),
        "from /log to /witness",
    );
    refused(
        mount.rename(&path("log"), &path("x"), false).err(),
        "nothing can be changed here",
    );
    refused(
        mount
            .open_write(&path("x.mp4"), mode, &Attributes::default())
            .err(),
        "use the folder /witness",
    );
    refused(
        mount
            .open_write(&path("README.txt"), mode, &Attributes::default())
            .err(),
        "nothing can be changed",
    );
    refused(mount.remove(&path("log")).err(), "nothing can be changed here");
    refused(mount.remove(&path("log/checkpoint")).err(), "read-only");
    let unknown = mount.rename(&path("x/y"), &path("witness/y"), false).unwrap_err();
    assert_eq!(unknown.kind, SpaceErrorKind::NoSuchFile);
    assert!(
        mount
            .make_directory(&path("log"))
            .unwrap_err()
            .message
            .contains("exists already")
    );
}
