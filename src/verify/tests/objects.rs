//! Objects without the identity: each body damaged, lost, moved, or one too many.

use super::fixture::{Fixture, ORIGINAL, derived, id, sha256, stored};
use crate::{
    domain::event::Draft,
    verify::{Report, Verdict, objects::check},
};
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

#[test]
fn copies_are_held_against_their_leaves_too() {
    let copy = b"a contact sheet".as_slice();
    let with_copy = |root: &Path| {
        let mut log = Fixture::story();
        log.push(derived(31, 3, 1, 1, ORIGINAL, copy));
        log.write_log(&root.join("log"));
        for (version, bytes) in [(1, ORIGINAL), (2, b"another scan".as_slice())] {
            let folder = root.join(format!("objects/000100012345/{}/v{version}", id("E", 1)));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("content"), stored(bytes)).unwrap();
            fs::write(folder.join("record"), b"sealed").unwrap();
        }
        let path = root.join(format!(
            "objects/000100012345/{}/v1/derived/{}",
            id("E", 1),
            id("C", 31)
        ));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, stored(copy)).unwrap();
        (log, path)
    };
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("", |_| {}),
        ("damaged", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[20] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("extra: no leaf speaks of such a copy", |path| {
            fs::write(path.with_file_name("another"), "x").unwrap()
        }),
    ];
    for (said, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let (log, path) = with_copy(folder.path());
        damage(&path);
        let report = run(folder.path(), &log);
        let expected = if said.is_empty() {
            Verdict::Sound
        } else {
            Verdict::Finding
        };
        assert_eq!(report.verdict(), expected, "{said}: {report}");
        assert!(report.to_string().contains(said), "{said}: {report}");
    }
}

#[test]
fn a_copy_names_the_original_it_was_made_from() {
    let wrong: [fn(Draft) -> Draft; 4] = [
        |draft| draft.fact("original_sha256", sha256(b"something else")),
        |draft| draft.fact("version", 2),
        |draft| draft.fact("of", 0),
        |draft| draft.fact("stored_size_bytes", 3),
    ];
    for (at, change) in wrong.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Fixture::story();
        log.push(change(derived(31, 3, 1, 1, ORIGINAL, b"copy")));
        log.write_log(&folder.path().join("log"));
        fs::create_dir(folder.path().join("objects")).unwrap();
        let shown = run(folder.path(), &log).to_string();
        let named = ["'of' points at", "'stored_size_bytes' isn't"];
        assert!(named.iter().any(|words| shown.contains(words)), "{at}: {shown}");
    }
}
