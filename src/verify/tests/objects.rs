//! Objects without the identity: each body damaged, lost, moved, or one too many.

use super::fixture::{Fixture, ORIGINAL, id, stored};
use crate::verify::{Report, Verdict, objects::check};
use std::{fs, path::Path};

fn vault(root: &Path) -> Fixture {
    let log = Fixture::story();
    log.write_log(&root.join("log"));
    for (version, bytes) in [(1, ORIGINAL), (2, b"another scan".as_slice())] {
        let folder = root.join(format!("objects/000100012345/{}/v{version}", id("E", 1)));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("content"), stored(bytes)).unwrap();
        fs::write(folder.join("record"), b"sealed").unwrap();
    }
    log
}

fn run(root: &Path, log: &Fixture) -> Report {
    let dir = crate::tlog::store::LogDir::new(root.join("log"));
    check(&root.join("objects"), &dir, &log.keys(), 1000, &mut |_| {}).unwrap()
}

#[test]
fn right_objects_are_sound_without_the_identity() {
    let folder = tempfile::tempdir().unwrap();
    let log = vault(folder.path());
    let report = run(folder.path(), &log);
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.to_string().contains("all 2 sealed bodies"), "{report}");
    let dir = crate::tlog::store::LogDir::new(folder.path().join("log"));
    let keyless = check(
        &folder.path().join("objects"),
        &dir,
        &Default::default(),
        1000,
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(keyless.verdict(), Verdict::Unknown);
}

#[test]
fn each_damage_is_named() {
    type Damage = fn(&Path, &Path);
    let evidence = id("E", 1);
    let damages: [(&str, Damage); 9] = [
        ("v1/content: damaged", |one, _| {
            let mut bytes = fs::read(one.join("content")).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(one.join("content"), bytes).unwrap();
        }),
        ("v1/content: damaged", |one, _| {
            fs::write(one.join("content"), "").unwrap()
        }),
        ("v1/content: missing", |one, _| {
            fs::remove_file(one.join("content")).unwrap()
        }),
        ("v2/record: missing", |_, two| {
            fs::remove_file(two.join("record")).unwrap()
        }),
        ("v1/content: damaged", |one, two| {
            fs::rename(one.join("content"), one.join("x")).unwrap();
            fs::rename(two.join("content"), one.join("content")).unwrap();
            fs::rename(one.join("x"), two.join("content")).unwrap();
        }),
        ("v3: extra", |one, _| {
            fs::create_dir(one.with_file_name("v3")).unwrap()
        }),
        ("v1/notes: extra", |one, _| {
            fs::write(one.join("notes"), "x").unwrap()
        }),
        ("missing: leaf 3", |one, _| {
            fs::remove_dir_all(one.parent().unwrap()).unwrap()
        }),
        ("v1/content: unreadable", |one, two| {
            fs::remove_file(one.join("content")).unwrap();
            std::os::unix::fs::symlink(two.join("content"), one.join("content")).unwrap();
        }),
    ];
    for (said, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let log = vault(folder.path());
        let one = folder.path().join(format!("objects/000100012345/{evidence}/v1"));
        damage(&one, &one.with_file_name("v2"));
        let report = run(folder.path(), &log);
        assert_eq!(report.verdict(), Verdict::Finding, "{said}: {report}");
        assert!(report.to_string().contains(said), "{said}: {report}");
    }
    let folder = tempfile::tempdir().unwrap();
    let log = vault(folder.path());
    fs::create_dir_all(folder.path().join(format!("objects/999999/{evidence}/v1"))).unwrap();
    fs::create_dir_all(folder.path().join(format!("objects/999999/{}/v1", id("E", 77)))).unwrap();
    let shown = run(folder.path(), &log).to_string();
    assert!(
        shown.contains("another customer has the same evidence") && shown.contains("no leaf seals it"),
        "{shown}"
    );
}
