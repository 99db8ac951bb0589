//! The matrix of damage × place: every alteration somebody with root could make to a vault at rest is found, and named.
//!
//! One vault is filled and stopped; each case damages a copy of it. A case says which of the three checks must find it:
//! `fixity check` (objects, records, headers, rows), `log verify` (the log and its catalogue), or the auditor's
//! `muniment-verify` on a copy of the log and the receipts.

use crate::support::{
    CLERK, TestVault, command::run, force_write, log, make_mutable, media, server::wait_for,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Pieces of evidence: few, because each check reads all of them for each case.
const UPLOADS: usize = 24;
/// Leaves beyond them, so that there is a full tile (256) and a partial one.
const REPEATS: usize = 240;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Check {
    Fixity,
    Log,
    Auditor,
    /// `fixity check`, which logs its result, or `log verify`: whichever goes first over the catalogue's own edge of the
    /// log. A damaged edge stops every commit, so "can't be done, for this reason" (exit 2) counts as found here.
    Operator,
}
use Check::{Auditor, Fixity, Log, Operator};

struct Case {
    /// Place and damage, for people.
    what: String,
    /// Who must find it.
    found_by: Vec<Check>,
    /// What the finding must name: any of these.
    names: Vec<String>,
    /// Does it to the vault in this folder.
    damage: Box<dyn Fn(&Path) + Send + Sync>,
}

#[test]
fn every_damage_in_every_place_is_found_and_named() {
    let mut original = TestVault::serving();
    let old_log = fill(&original);
    original.stop();
    original.assert_sound();
    let cases = cases(&original, &old_log);
    // Names and customer numbers are only commitments in the log: to compare rows with records takes the identity.
    let identity = original.identity().to_str().unwrap().to_owned();
    let (next, unseen) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((number, case)) = take(&next, &cases) {
                    let copy = copy_of(&original, number);
                    (case.damage)(&copy);
                    for check in &case.found_by {
                        let ran = match check {
                            Fixity => admin(&copy, &["fixity", "check", "--identity", &identity]),
                            Log => admin(&copy, &["log", "verify"]),
                            Operator => {
                                let fixity = admin(&copy, &["fixity", "check", "--identity", &identity]);
                                if fixity.code == Some(0) {
                                    admin(&copy, &["log", "verify"])
                                } else {
                                    fixity
                                }
                            }
                            Auditor => original.verify_log_copy(&copy.join("log")),
                        };
                        let named = case.names.iter().any(|name| ran.said(name));
                        let told = ran.code == Some(1) || (*check == Operator && ran.code == Some(2));
                        if !told || !named {
                            let names = &case.names;
                            let words = format!("{} by {check:?}, naming one of {names:?}: {ran}", case.what);
                            unseen.lock().unwrap().push(words);
                        }
                    }
                    discard(&copy);
                }
            });
        }
    });
    let unseen = unseen.into_inner().unwrap();
    println!("{} cases", cases.len());
    assert!(
        unseen.is_empty(),
        "{} not found or not named:\n\n{}",
        unseen.len(),
        unseen.join("\n\n")
    );
}

fn take<'c>(next: &AtomicUsize, cases: &'c [Case]) -> Option<(usize, &'c Case)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    cases.get(number).map(|case| (number, case))
}

#[test]
fn altered_receipts_are_refused_by_the_verifier() {
    let vault = TestVault::serving();
    let names: Vec<_> = (1..=2)
        .map(|seq| format!("000100012345_20260728_A0098877_IDF_{seq:02}.jpg"))
        .collect();
    let mut receipts = Vec::new();
    for (name, seed) in names.iter().zip(1..) {
        vault.upload(CLERK, name, &media::jpeg(20_000, seed)).ok();
        receipts.push(vault.receipt(CLERK, name, "ACCEPTED"));
    }
    let [first, second] = &receipts[..] else {
        unreachable!()
    };
    let original = vault.file(&names[0], &media::jpeg(20_000, 1));
    vault.verify_receipt(first, Some(&original)).ok();

    for (what, file) in [("leaf", &first.json_file), ("proof", &first.proof_file)] {
        let bytes = fs::read(file).unwrap();
        for at in [0, bytes.len() / 4, bytes.len() / 2, bytes.len() * 3 / 4] {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            fs::write(file, altered).unwrap();
            let ran = vault.verify_receipt(first, Some(&original)).fails();
            assert!(!ran.stdout.contains("OK"), "{what}, byte {at}: {ran}");
        }
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        vault.verify_receipt(first, None).fails();
        fs::write(file, &bytes).unwrap();
    }
    // Another file's proof, another file's bytes, another vault's key.
    let proof = fs::read(&first.proof_file).unwrap();
    fs::copy(&second.proof_file, &first.proof_file).unwrap();
    vault.verify_receipt(first, None).exits(1);
    fs::write(&first.proof_file, proof).unwrap();
    let other = vault.file("other.jpg", &media::jpeg(20_000, 2));
    vault.verify_receipt(first, Some(&other)).exits(1);
    let stranger = TestVault::new();
    let key = stranger.log_public_key();
    vault
        .verify(&[
            "receipt".as_ref(),
            first.json_file.as_os_str(),
            "--key".as_ref(),
            key.as_os_str(),
        ])
        .fails();
    vault.verify_receipt(first, Some(&original)).ok();
}

/// Uploads, in one session; gives a copy of the log from when it was half as long.
fn fill(vault: &TestVault) -> PathBuf {
    let page = vault.file("page.jpg", &media::jpeg(3_000, 77));
    let put = |from: usize, to: usize| {
        let folder = vault.home.join(format!("files/{from}"));
        for number in from..to {
            let name = format!("{from}/000100012345_20260728_F{number:05}_IDF_01.jpg");
            vault.file(name, &media::jpeg(3_000, number as u64));
        }
        vault
            .sftp(CLERK, &format!("put {}/* /inbox/", folder.display()))
            .ok();
    };
    put(0, UPLOADS / 2);
    // The same page over and over: an event each, and no object.
    let again = format!(
        "put {} /inbox/000100012345_20260728_F00000_IDF_02.jpg\n",
        page.display()
    );
    vault.sftp(CLERK, &again.repeat(REPEATS / 2)).ok();
    let old_log = vault.copy_log();
    vault.sftp(CLERK, &again.repeat(REPEATS / 2)).ok();
    put(UPLOADS / 2, UPLOADS);
    wait_for("the evidence", || {
        (vault.evidence().len() == UPLOADS + 1).then_some(())
    });
    let rejected = "000100012345_20260728_A0098877_NOSUCH_01.jpg";
    vault.upload(CLERK, rejected, &media::jpeg(3_000, 1)).ok();
    vault.receipt(CLERK, rejected, "REJECTED");
    old_log
}

fn cases(vault: &TestVault, old_log: &Path) -> Vec<Case> {
    let rows = vault.evidence();
    let (row, other) = (&rows[7], &rows[8]);
    let id = row["id"].as_str().unwrap().to_owned();
    let below = |path: PathBuf| path.strip_prefix(&vault.path).unwrap().to_owned();
    let mut cases = Vec::new();
    let mut add =
        |what: String, found_by: &[Check], names: &[&str], damage: Box<dyn Fn(&Path) + Send + Sync>| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            cases.push(Case {
                what,
                found_by: found_by.to_vec(),
                names,
                damage,
            });
        };

    // Files of one version, of a rejected upload, and of an administrative event.
    let kept = newest_below(&vault.path.join("kept"));
    let registry = newest_below(&vault.path.join("registry"));
    let kept_id = kept.file_name().unwrap().to_string_lossy().into_owned();
    let registry_id = registry.file_name().unwrap().to_string_lossy().into_owned();
    let files = [
        (
            "content",
            below(vault.object(row).join("content")),
            Some(below(vault.object(other).join("content"))),
            &id,
        ),
        (
            "record",
            below(vault.object(row).join("record")),
            Some(below(vault.object(other).join("record"))),
            &id,
        ),
        (
            "header",
            below(vault.header(row)),
            Some(below(vault.header(other))),
            &id,
        ),
        ("kept content", below(kept.join("content")), None, &kept_id),
        ("kept record", below(kept.join("record")), None, &kept_id),
        ("registry", below(registry), None, &registry_id),
    ];
    for (place, file, twin, name) in files {
        // A registry entry and a bare header are held by `log verify` too; fixity is the one that must.
        for (what, change) in file_damages() {
            let file = file.clone();
            add(
                format!("{place}: {what}"),
                &[Fixity],
                &[name],
                Box::new(move |vault| change(&vault.join(&file))),
            );
        }
        if let Some(twin) = twin {
            add(
                format!("{place}: swapped with another's"),
                &[Fixity],
                &[name],
                Box::new(move |vault| swap(&vault.join(&file), &vault.join(&twin))),
            );
        }
    }
    let extra = below(vault.object(row)).parent().unwrap().join("v9/content");
    add(
        "objects: a version nobody sealed".into(),
        &[Fixity],
        &[&id],
        Box::new(move |vault| {
            fs::create_dir_all(vault.join(&extra).parent().unwrap()).unwrap();
            fs::write(vault.join(&extra), b"smuggled in").unwrap();
        }),
    );

    // The log's files.
    let (size, _) = vault.checkpoint();
    assert!(size > 256, "{size} leaves make no full tile");
    let root = Path::new("log");
    let tiles = [
        ("full hash tile", log::tile_path(root, "0", 0, 256), "tile/0/000"),
        (
            "partial hash tile",
            log::tile_path(root, "0", 1, size - 256),
            "tile/0/001",
        ),
        ("upper hash tile", log::tile_path(root, "1", 0, 1), "tile/1/000"),
        (
            "full entry bundle",
            log::bundle_path(root, 0, size),
            "tile/entries/000",
        ),
        (
            "partial entry bundle",
            log::bundle_path(root, 1, size),
            "tile/entries/001",
        ),
    ];
    for (place, file, name) in tiles {
        for (what, change) in file_damages() {
            let file = file.clone();
            add(
                format!("{place}: {what}"),
                &[Log, Auditor],
                &[name],
                Box::new(move |vault| change(&vault.join(&file))),
            );
        }
    }
    let bundle = log::bundle_path(root, 0, size);
    type Edit = fn(&mut Vec<Vec<u8>>);
    let edits: [(&str, Edit); 4] = [
        ("a leaf removed", |entries| drop(entries.remove(100))),
        ("two leaves in another order", |entries| entries.swap(100, 101)),
        ("a leaf twice", |entries| entries[101] = entries[100].clone()),
        ("a fact changed", |entries| {
            let text = String::from_utf8(entries[100].clone()).unwrap();
            let altered = text.replacen("\"time_ms\":1", "\"time_ms\":2", 1);
            assert_ne!(altered, text);
            entries[100] = altered.into_bytes();
        }),
    ];
    for (what, edit) in edits {
        let bundle = bundle.clone();
        add(
            format!("entries: {what}"),
            &[Log, Auditor],
            &[
                "tile/entries/000",
                "leaf 100",
                "leaf 101",
                "entry 100",
                "entry 101",
            ],
            Box::new(move |vault| {
                let mut entries = log::split_bundle(&fs::read(vault.join(&bundle)).unwrap());
                edit(&mut entries);
                force_write(&vault.join(&bundle), &log::join_bundle(&entries));
            }),
        );
    }

    // Checkpoints.
    for (what, change) in file_damages() {
        add(
            format!("checkpoint: {what}"),
            &[Log, Auditor],
            &["checkpoint"],
            Box::new(move |vault| change(&vault.join("log/checkpoint"))),
        );
    }
    let old = fs::read(old_log.join("checkpoint")).unwrap();
    add(
        "checkpoint: an old one put back".into(),
        &[Log],
        &["checkpoint"],
        Box::new(move |vault| force_write(&vault.join("log/checkpoint"), &old)),
    );
    let old = old_log.to_owned();
    add(
        "log: the whole folder of yesterday put back".into(),
        &[Log],
        &["checkpoint"],
        Box::new(move |vault| {
            let _ = Command::new("chattr")
                .args(["-R", "-f", "-i"])
                .arg(vault.join("log"))
                .output();
            fs::remove_dir_all(vault.join("log")).unwrap();
            run(Command::new("cp").arg("-r").arg(&old).arg(vault.join("log"))).ok();
        }),
    );

    // Rows of the catalogue.
    let of = |index: usize| rows[index]["receipt"].as_u64().unwrap();
    let receipt = of(7);
    let evidence_rows = [
        ("sha256", "UPDATE evidence SET sha256 = zeroblob(32)"),
        ("customer", "UPDATE evidence SET customer = '999999999999'"),
        ("flow", "UPDATE evidence SET flow = 'Z9999'"),
        ("date", "UPDATE evidence SET date = 20200101"),
        ("branch", "UPDATE evidence SET branch = '9999'"),
        ("person", "UPDATE evidence SET person = 'nobody'"),
        ("size", "UPDATE evidence SET size_bytes = size_bytes + 1"),
        (
            "stored digest",
            "UPDATE evidence SET stored_blake3 = zeroblob(32)",
        ),
        ("grade", "UPDATE evidence SET grade = 'declared'"),
        ("state", "UPDATE evidence SET state = 'reviewed'"),
        ("file name", "UPDATE evidence SET file_name = 'x'"),
        ("deleted row", "DELETE FROM evidence"),
    ];
    for (what, statement) in evidence_rows {
        let statement = format!("{statement} WHERE leaf_index = {receipt}");
        add(
            format!("catalogue, evidence: {what}"),
            &[Fixity],
            &[&id, &format!("evidence, receipt {receipt} ")],
            Box::new(move |vault| sql(vault, &statement)),
        );
    }
    add(
        "catalogue, totals: one too many".into(),
        &[Fixity],
        &["sealed_total '0101'"],
        Box::new(|vault| {
            sql(
                vault,
                "UPDATE sealed_total SET versions = versions + 1 WHERE branch = '0101'",
            )
        }),
    );
    let person = format!("person {}", row["person"].as_str().unwrap());
    add(
        "catalogue, person: a key that nobody added".into(),
        &[Fixity],
        &["SHA256:smuggled", &person],
        Box::new(|vault| {
            sql(
                vault,
                "INSERT INTO person_key (fingerprint, person, public_key) SELECT 'SHA256:smuggled', id, 'ssh-ed25519 AAAA' FROM person WHERE name = 'zhang.wei'",
            );
        }),
    );
    add(
        "catalogue, person: a role that nobody gave".into(),
        &[Fixity],
        &[&person],
        Box::new(|vault| {
            sql(
                vault,
                "INSERT INTO person_role (person, role) SELECT id, 'auditor' FROM person WHERE name = 'zhang.wei'",
            )
        }),
    );
    let log_rows = [
        (
            "a leaf's bytes",
            "UPDATE log_leaf SET bytes = x'7b7d' WHERE leaf_index = (SELECT max(leaf_index) FROM log_leaf)",
        ),
        (
            "a leaf deleted",
            "DELETE FROM log_leaf WHERE leaf_index = (SELECT max(leaf_index) FROM log_leaf)",
        ),
        (
            "a hash",
            "UPDATE log_hash SET hash = zeroblob(32) WHERE (level, position) = (SELECT level, max(position) FROM log_hash WHERE level = 0)",
        ),
        (
            "the newest checkpoint deleted",
            "DELETE FROM log_checkpoint WHERE size = (SELECT max(size) FROM log_checkpoint)",
        ),
        (
            "the newest checkpoint's text",
            "UPDATE log_checkpoint SET note = replace(note, '=', 'A') WHERE size = (SELECT max(size) FROM log_checkpoint)",
        ),
    ];
    for (what, statement) in log_rows {
        add(
            format!("catalogue, log: {what}"),
            &[Operator],
            &["catalog"],
            Box::new(move |vault| sql(vault, statement)),
        );
    }
    cases
}

type Damage = fn(&Path);

/// What can happen to one file.
fn file_damages() -> [(&'static str, Damage); 6] {
    [
        ("first byte flipped", |path| flip(path, 0)),
        ("middle byte flipped", |path| {
            flip(path, fs::metadata(path).unwrap().len() as usize / 2)
        }),
        ("last byte flipped", |path| {
            flip(path, fs::metadata(path).unwrap().len() as usize - 1)
        }),
        ("truncated", |path| {
            let bytes = fs::read(path).unwrap();
            force_write(path, &bytes[..bytes.len() / 2]);
        }),
        ("emptied", |path| force_write(path, b"")),
        ("deleted", |path| {
            make_mutable(path);
            fs::remove_file(path).unwrap();
        }),
    ]
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    force_write(path, &bytes);
}

fn swap(one: &Path, two: &Path) {
    let (first, second) = (fs::read(one).unwrap(), fs::read(two).unwrap());
    force_write(one, &second);
    force_write(two, &first);
}

fn sql(vault: &Path, statement: &str) {
    let connection = rusqlite::Connection::open(vault.join("catalog.db")).unwrap();
    let changed = connection.execute(statement, []).unwrap();
    assert!(changed > 0, "no row to damage: {statement}");
}

fn copy_of(vault: &TestVault, number: usize) -> PathBuf {
    let copy = vault.home.join(format!("damaged-{number}"));
    // `cp` doesn't carry the immutable flag over, and a copy needs none.
    run(Command::new("cp")
        .args(["-a", "--no-target-directory"])
        .arg(&vault.path)
        .arg(&copy))
    .ok();
    let mut config = vault.config();
    config["vault"]["path"] = ".".into();
    fs::write(copy.join("muniment.toml"), config.to_string()).unwrap();
    copy
}

fn discard(copy: &Path) {
    // The check itself may have sealed its own event's record.
    let _ = Command::new("chattr").args(["-R", "-f", "-i"]).arg(copy).output();
    fs::remove_dir_all(copy).unwrap();
}

fn admin(vault: &Path, words: &[&str]) -> crate::support::Ran {
    run(crate::support::muniment()
        .args(words)
        .arg("--config")
        .arg(vault.join("muniment.toml")))
}

fn newest_below(folder: &Path) -> PathBuf {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // Their names are ULIDs: alphabetical is chronological.
    entries.sort();
    entries.pop().unwrap()
}
