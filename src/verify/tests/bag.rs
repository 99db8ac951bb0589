//! Exported bags: each byte of each file.

use super::fixture::{Fixture, ORIGINAL, sha256};
use crate::{
    domain::{
        event::{EVENT_VERSION, Record},
        hex,
    },
    tlog::merkle::leaf_hash,
    verify::{Keys, Report, Verdict, bag::check},
};
use std::{collections::BTreeMap, fs, path::Path};

const NAME: &str = "000100012345_20260728_A0098877_WVID_01.jpg";

fn record(log: &Fixture, index: usize) -> Vec<u8> {
    let record = Record {
        leaf_index: index as u64,
        openings: log.openings[index].clone(),
        private: serde_json::from_str(r#"{"ext":"jpg"}"#).unwrap(),
        leaf_hash: hex::encode(leaf_hash(&log.leaves[index]).0),
        v: EVENT_VERSION,
    };
    serde_json::to_vec(&record).unwrap()
}

fn bag(root: &Path, log: &Fixture) {
    let data = root.join("data");
    fs::create_dir_all(&data).unwrap();
    log.write_receipt(&data, "receipt", 3, log.checkpoint(9));
    fs::write(data.join(NAME), ORIGINAL).unwrap();
    fs::write(data.join("record.json"), record(log, 3)).unwrap();
    fs::write(data.join("log.pub"), format!("{}\n", log.log.verifier())).unwrap();
    fs::write(data.join("VERIFY.txt"), "how to").unwrap();
    fs::write(
        root.join("bagit.txt"),
        "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    )
    .unwrap();
    manifests(root);
}

/// Writes bag-info and manifests anew, as somebody who tampers would.
fn manifests(root: &Path) {
    let mut payload: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in fs::read_dir(root.join("data")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        payload.insert(format!("data/{name}"), fs::read(path).unwrap());
    }
    let bytes: usize = payload.values().map(Vec::len).sum();
    fs::write(
        root.join("bag-info.txt"),
        format!("Payload-Oxum: {bytes}.{}\n", payload.len()),
    )
    .unwrap();
    let lines: String = payload
        .iter()
        .map(|(path, bytes)| format!("{}  {path}\n", sha256(bytes)))
        .collect();
    fs::write(root.join("manifest-sha256.txt"), lines).unwrap();
    let tags = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt"];
    let lines: String = tags
        .iter()
        .map(|name| format!("{}  {name}\n", sha256(&fs::read(root.join(name)).unwrap())))
        .collect();
    fs::write(root.join("tagmanifest-sha256.txt"), lines).unwrap();
}

fn run(root: &Path, keys: &Keys) -> Report {
    check(root, keys, None, &mut |_| {}).unwrap()
}

#[test]
fn a_right_bag_is_sound_under_a_key_from_elsewhere() {
    let (log, folder) = (Fixture::story(), tempfile::tempdir().unwrap());
    bag(folder.path(), &log);
    let report = run(folder.path(), &log.keys());
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.to_string().contains("receipt: original: "), "{report}");
    let report = run(folder.path(), &Keys::default());
    assert_eq!(report.verdict(), Verdict::Unknown, "{report}");
    assert!(
        report
            .to_string()
            .contains("a key that comes with what it should prove"),
        "{report}"
    );
    let own = folder.path().join("data/log.pub");
    let report = check(folder.path(), &log.keys(), Some(&own), &mut |_| {}).unwrap();
    assert_eq!(report.verdict(), Verdict::Unknown, "{report}");
}

#[test]
fn no_changed_byte_is_passed_over() {
    let (log, folder) = (Fixture::story(), tempfile::tempdir().unwrap());
    bag(folder.path(), &log);
    let data = fs::read_dir(folder.path().join("data")).unwrap();
    let paths: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .chain(data)
        .map(|entry| entry.unwrap().path())
        .collect();
    for path in paths.iter().filter(|path| path.is_file()) {
        let right = fs::read(path).unwrap();
        let step = (right.len() / 60).max(1);
        for at in (0..right.len()).step_by(step).chain([right.len() - 1]) {
            let mut bytes = right.clone();
            bytes[at] ^= 1;
            fs::write(path, bytes).unwrap();
            let verdict = check(folder.path(), &log.keys(), None, &mut |_| {}).map(|report| report.verdict());
            assert_ne!(
                verdict.ok(),
                Some(Verdict::Sound),
                "{}, byte {at}",
                path.display()
            );
        }
        fs::remove_file(path).unwrap();
        let verdict = check(folder.path(), &log.keys(), None, &mut |_| {}).map(|report| report.verdict());
        assert_ne!(verdict.ok(), Some(Verdict::Sound), "{} removed", path.display());
        fs::write(path, right).unwrap();
    }
    assert_eq!(run(folder.path(), &log.keys()).verdict(), Verdict::Sound);
}

#[test]
fn manifests_that_agree_do_not_make_a_forged_bag_right() {
    let log = Fixture::story();
    type Forge = fn(&Path, &Fixture);
    let forgeries: [(&str, Forge); 6] = [
        ("original: it has", |data, _| {
            fs::write(data.join(NAME), "another face").unwrap()
        }),
        ("record: leaf hash", |data, log| {
            fs::write(data.join("record.json"), record(log, 5)).unwrap()
        }),
        ("data/log.pub: not the key given", |data, _| {
            let forger =
                super::fixture::key(super::fixture::ORIGIN, crate::tlog::note::Algorithm::Ed25519, 7);
            fs::write(data.join("log.pub"), format!("{}\n", forger.verifier())).unwrap();
        }),
        ("receipt: place in the log", |data, log| {
            fs::write(data.join("receipt.json"), &log.leaves[5]).unwrap()
        }),
        ("a bag has one original, this one has 2", |data, _| {
            fs::write(data.join("second.jpg"), "x").unwrap()
        }),
        ("commitment customer: is not to", |data, log| {
            let text = String::from_utf8(record(log, 3))
                .unwrap()
                .replace("000100012345\"", "000100099999\"");
            fs::write(data.join("record.json"), text).unwrap();
        }),
    ];
    for (said, forge) in forgeries {
        let folder = tempfile::tempdir().unwrap();
        bag(folder.path(), &log);
        forge(&folder.path().join("data"), &log);
        manifests(folder.path());
        let report = run(folder.path(), &log.keys());
        assert_eq!(report.verdict(), Verdict::Finding, "{said}: {report}");
        assert!(report.to_string().contains(said), "{said}: {report}");
    }
}

#[test]
fn a_bag_that_is_unfinished_or_leads_outside_is_a_finding() {
    let log = Fixture::story();
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        |root| fs::write(root.join("INCOMPLETE.txt"), "x").unwrap(),
        |root| fs::write(root.join("data/extra.txt"), "x").unwrap(),
        |root| std::os::unix::fs::symlink("/etc/hostname", root.join("data/link")).unwrap(),
        |root| {
            let manifest = root.join("manifest-sha256.txt");
            let lines = fs::read_to_string(&manifest).unwrap() + &format!("{}  data/../../x\n", sha256(b""));
            fs::write(manifest, lines).unwrap();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        bag(folder.path(), &log);
        change(folder.path());
        let report = run(folder.path(), &log.keys());
        assert_eq!(report.verdict(), Verdict::Finding, "change {number}: {report}");
    }
}
