//! The catalogue is an index: deleted, it comes back from store, log and identity, and what doesn't fit is named.

use crate::support::{CLERK, Ran, TestVault, media};
use std::{fs, path::Path};

fn filled() -> TestVault {
    let mut vault = TestVault::serving();
    for (seq, seed) in [(1, 1), (2, 2), (3, 3), (1, 4)] {
        // The last is another version of the first.
        let name = format!("000100012345_20260728_A0098877_IDF_{seq:02}.jpg");
        vault.upload(CLERK, &name, &media::jpeg(20_000, seed)).ok();
    }
    vault
        .upload(
            CLERK,
            "000100012345_20260728_A0098877_NOSUCH_01.jpg",
            &media::jpeg(20_000, 5),
        )
        .ok();
    vault.receipt(CLERK, "000100012345_20260728_A0098877_NOSUCH_01.jpg", "REJECTED");
    assert_eq!(vault.evidence().len(), 4);
    vault.stop();
    vault
}

fn rebuild(vault: &TestVault) -> Ran {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(vault.path.join(format!("catalog.db{suffix}")));
    }
    let identity = vault.identity();
    vault.muniment(&["rebuild", "--identity", identity.to_str().unwrap()])
}

#[test]
fn the_same_evidence_people_and_log_come_back() {
    let mut vault = filled();
    let before = (
        vault.evidence(),
        vault.muniment_json(&["user", "list"]),
        vault.muniment_json(&["branch", "list"]),
    );
    let (size, root) = vault.checkpoint();
    rebuild(&vault).ok();
    let after = (
        vault.evidence(),
        vault.muniment_json(&["user", "list"]),
        vault.muniment_json(&["branch", "list"]),
    );
    assert_eq!(before, after);
    vault.assert_sound();
    // The log goes on where it was.
    let entries = crate::support::log::entries(&vault.path.join("log"), vault.checkpoint().0);
    assert_eq!(crate::support::log::root(&entries[..size as usize]), root);
    vault.serve();
    let name = "000100012345_20260728_A0098877_IDF_01.jpg";
    vault.upload(CLERK, name, &media::jpeg(20_000, 4)).ok();
    vault.receipt(CLERK, name, "DUPLICATE");
    vault.upload(CLERK, name, &media::jpeg(20_000, 6)).ok();
    vault.receipt(CLERK, name, "ACCEPTED");
    assert_eq!(vault.evidence().last().unwrap()["version"].as_u64(), Some(3));
    vault.stop();
    vault.assert_sound();
}

#[test]
fn an_existing_catalogue_is_not_replaced() {
    let vault = filled();
    let identity = vault.identity();
    vault
        .muniment(&["rebuild", "--identity", identity.to_str().unwrap()])
        .fails();
    vault.assert_sound();
}

#[test]
fn missing_extra_and_altered_objects_are_named() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 6] = [
        ("missing record", |object| {
            crate::support::make_mutable(&object.join("record"));
            fs::remove_file(object.join("record")).unwrap();
        }),
        ("missing content", |object| {
            crate::support::make_mutable(&object.join("content"));
            fs::remove_file(object.join("content")).unwrap();
        }),
        ("altered record", |object| {
            let mut bytes = fs::read(object.join("record")).unwrap();
            bytes[40] ^= 1;
            crate::support::force_write(&object.join("record"), &bytes);
        }),
        ("altered content", |object| {
            let mut bytes = fs::read(object.join("content")).unwrap();
            bytes[5_000] ^= 1;
            crate::support::force_write(&object.join("content"), &bytes);
        }),
        ("cut content", |object| {
            let bytes = fs::read(object.join("content")).unwrap();
            crate::support::force_write(&object.join("content"), &bytes[..1_000]);
        }),
        ("extra version", |object| {
            let extra = object.parent().unwrap().join("v7");
            fs::create_dir_all(&extra).unwrap();
            fs::write(extra.join("content"), b"smuggled in").unwrap();
        }),
    ];
    for (what, damage) in cases {
        let vault = filled();
        let row = vault.evidence().remove(1);
        damage(&vault.object(&row));
        let ran = rebuild(&vault).exits(1);
        assert!(ran.said(row["id"].as_str().unwrap()), "{what} isn't named: {ran}");
    }
}
