//! The deep queue with the real server and real clients: restarts, verdicts, copies, damage. The worker is `worker.py`,
//! which waits and crashes when it is told to; what a real decoder finds is shown in `inspection`.

use crate::support::{
    AUDITOR, CLERK, TestVault,
    command::run,
    force_write, log, make_mutable,
    media::recording::{Container, good},
    server::wait_for,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// A vault whose recordings `worker.py` looks at, its server running.
fn vault() -> TestVault {
    let mut vault = TestVault::new();
    let worker = vault.home.join("worker.py");
    fs::write(&worker, include_str!("worker.py")).unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    // The worker runs as nobody in particular and leaves word here.
    fs::write(vault.home.join("jobs"), "").unwrap();
    vault.set_config("inspect", "media_worker", worker.to_str().unwrap());
    vault.set_config("inspect", "deep", true);
    vault.set_config("inspect", "playback", true);
    vault.serve();
    vault
}

fn name(flow: u32, ext: &str) -> String {
    format!("000100012345_20260728_B{flow:07}_WVID_01.{ext}")
}

fn upload(vault: &TestVault, flow: u32, container: Container) {
    let name = name(flow, container.ext());
    vault.upload(CLERK, &name, &good(container)).ok();
}

fn show(vault: &TestVault, row: &Value) -> Value {
    vault.muniment_json(&["evidence", "show", row["id"].as_str().unwrap()])
}

/// Waits until nothing is due any more.
fn until_inspected(vault: &TestVault) -> Vec<Value> {
    wait_for("the queue to be empty", || {
        let shown: Vec<Value> = vault.evidence().iter().map(|row| show(vault, row)).collect();
        let is_due = |shown: &Value| {
            shown["inspected"]
                .as_array()
                .unwrap()
                .iter()
                .any(|seen| !seen["due"].is_null())
        };
        (!shown.is_empty() && !shown.iter().any(is_due)).then_some(shown)
    })
}

fn jobs(vault: &TestVault, task: &str) -> usize {
    let jobs = fs::read_to_string(vault.home.join("jobs")).unwrap();
    jobs.lines().filter(|line| line.starts_with(task)).count()
}

fn forms(shown: &Value) -> Vec<&str> {
    let copies = shown["inspected"][0]["derived"].as_array().unwrap();
    copies.iter().map(|copy| copy["form"].as_str().unwrap()).collect()
}

fn kinds(shown: &Value) -> Vec<&str> {
    let entries = shown["timeline"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect()
}

/// Names in staging.
fn staged(vault: &TestVault) -> Vec<String> {
    fs::read_dir(vault.path.join("staging"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The file of a copy.
fn copy_path(vault: &TestVault, shown: &Value, at: usize) -> PathBuf {
    let id = shown["inspected"][0]["derived"][at]["id"].as_str().unwrap();
    vault.object(&shown["versions"][0]).join("derived").join(id)
}

#[test]
fn a_power_cut_in_the_middle_of_the_queue_loses_nothing() {
    let mut vault = vault();
    fs::write(vault.home.join("hold"), "").unwrap();
    for (flow, container) in [(1, Container::Mp4), (2, Container::Avi), (3, Container::Mov)] {
        upload(&vault, flow, container);
    }
    wait_for("the first deep job", || (jobs(&vault, "deep") > 0).then_some(()));
    // The receipts don't wait for it.
    assert_eq!(vault.evidence().len(), 3);
    assert_eq!(
        staged(&vault)
            .iter()
            .filter(|name| name.ends_with(".deep"))
            .count(),
        3
    );
    vault.kill9();
    // What such a crash leaves of a copy: a body that nobody was promised.
    fs::write(
        vault.path.join("staging/01k1zzzzzzzzzzzzzzzzzzzzzz"),
        b"half a copy",
    )
    .unwrap();
    vault.serve();
    wait_for("the first deep job again", || {
        (jobs(&vault, "deep") > 1).then_some(())
    });
    // A stop doesn't wait for a film either.
    vault.stop();
    assert_eq!(
        staged(&vault)
            .iter()
            .filter(|name| name.ends_with(".deep"))
            .count(),
        3
    );
    fs::remove_file(vault.home.join("hold")).unwrap();
    vault.serve();

    let shown = until_inspected(&vault);
    for shown in &shown {
        let is_old = shown["versions"][0]["file_name"]
            .as_str()
            .unwrap()
            .ends_with(".avi");
        let expected: &[&str] = if is_old {
            &["contact_sheet", "playback"]
        } else {
            &["contact_sheet"]
        };
        assert_eq!(forms(shown), expected, "{shown}");
        assert_eq!(kinds(shown).last(), Some(&"evidence.inspected"));
        assert_eq!(shown["versions"][0]["state"], "sealed");
    }
    wait_for("staging to be empty", || staged(&vault).is_empty().then_some(()));
    vault.assert_sound();

    // The log tells the same story as the catalogue, in this order.
    let (size, _) = vault.checkpoint();
    let leaves: Vec<Value> = log::entries(&vault.path.join("log"), size)
        .iter()
        .map(|entry| serde_json::from_slice(entry).unwrap())
        .collect();
    let about = |shown: &Value| -> Vec<String> {
        let id = &shown["versions"][0]["id"];
        let about = leaves.iter().filter(|leaf| leaf["data"]["evidence"] == *id);
        about
            .map(|leaf| leaf["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    for shown in &shown {
        assert_eq!(about(shown), kinds(shown));
    }
    let mut words = vec!["objects".into(), vault.path.join("objects").into_os_string()];
    words.extend(["--log".into(), vault.path.join("log").into_os_string()]);
    words.extend(["--key".into(), vault.log_public_key().into_os_string()]);
    vault.verify(&words).ok();
}

#[test]
fn a_crash_of_the_worker_is_for_a_person_and_every_look_is_logged() {
    let vault = vault();
    fs::write(vault.home.join("crash-mov"), "").unwrap();
    upload(&vault, 1, Container::Mp4);
    upload(&vault, 2, Container::Mov);
    until_inspected(&vault);
    assert_eq!(jobs(&vault, "deep mov"), 2, "once more, and no more");
    let listed = vault.muniment_json(&["evidence", "list", "--state", "needs_review"]);
    let listed = listed["evidence"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1);
    assert!(listed[0]["file_name"].as_str().unwrap().ends_with(".mov"));
    vault
        .muniment(&["evidence", "show", listed[0]["id"].as_str().unwrap()])
        .ok()
        .says("inspection_failed (review)")
        .says("needs_review");
    let paths = vault.receipt_paths(CLERK).join("\n");
    assert!(
        paths.contains(&format!("{}.ACCEPTED.txt", name(2, "mov"))),
        "{paths}"
    );
    assert!(
        paths.contains(&format!("{}.NEEDS_REVIEW.txt", name(2, "mov"))),
        "{paths}"
    );
    let receipt = vault.receipt(CLERK, &name(2, "mov"), "NEEDS_REVIEW");
    vault.verify_receipt(&receipt, None).ok();

    // Asked again, it is well this time; a person's task stays a person's.
    fs::remove_file(vault.home.join("crash-mov")).unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    vault
        .muniment(&["evidence", "inspect", id])
        .exits(1)
        .says("--identity");
    let identity = vault.identity();
    let identity = identity.to_str().unwrap();
    vault
        .muniment(&[
            "evidence",
            "inspect",
            id,
            "--identity",
            vault.key(CLERK).to_str().unwrap(),
        ])
        .fails();
    vault
        .muniment(&["evidence", "inspect", id, "--identity", identity])
        .ok();
    until_inspected(&vault);
    let shown = show(&vault, &listed[0]);
    let verdicts: Vec<&str> = shown["inspected"][0]["inspections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seen| seen["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["accepted", "needs_review", "accepted"]);
    assert_eq!(shown["versions"][0]["state"], "needs_review");

    // Its sheet, for an operator who may: logged before the first byte.
    let out = vault.home.join("sheet.jpg");
    let mut words = vec![
        "evidence",
        "derived",
        id,
        "--form",
        "contact-sheet",
        "--identity",
        identity,
    ];
    words.extend([
        "--out",
        out.to_str().unwrap(),
        "--reason",
        "a look",
        "--requester",
        AUDITOR,
    ]);
    let refused = [&words[..], &["--basis", "curiosity"]].concat();
    vault.muniment(&refused).exits(1);
    assert!(!out.exists());
    let granted = [&words[..], &["--basis", "law"]].concat();
    vault.muniment(&granted).ok();
    run(Command::new("file").arg("-b").arg(&out))
        .ok()
        .says("JPEG image data");
    let after = show(&vault, &listed[0]);
    assert!(
        kinds(&after).ends_with(&["access.refused", "access.read"]),
        "{:?}",
        kinds(&after)
    );
    vault.muniment(&granted).fails();

    // An export leaves copies out unless they are asked for, and the verifier says what they are worth.
    let bag = |name: &str, more: &[&str]| {
        let folder = vault.home.join(name);
        let mut words = vec![
            "evidence",
            "export",
            id,
            "--identity",
            identity,
            "--reason",
            "a look",
        ];
        words.extend(["--basis", "law", "--out", folder.to_str().unwrap()]);
        words.extend(more);
        vault.muniment(&words).ok();
        let key = vault.log_public_key();
        let words = ["bundle", folder.to_str().unwrap(), "--key", key.to_str().unwrap()];
        (vault.verify(&words).ok(), folder.join("data/derived"))
    };
    let (_, copies) = bag("plain", &[]);
    assert!(!copies.exists());
    let (verified, copies) = bag("with-copies", &["--derived"]);
    verified.says("copies that the vault made");
    assert_eq!(
        fs::read(copies.join("contact_sheet.jpg")).unwrap(),
        fs::read(&out).unwrap()
    );
    vault.assert_sound();
}

#[test]
fn a_damaged_copy_is_found_and_an_erased_header_takes_it_along() {
    let mut vault = vault();
    upload(&vault, 1, Container::Avi);
    let shown = until_inspected(&vault).remove(0);
    wait_for("the copies in their places", || {
        (0..2)
            .all(|at| copy_path(&vault, &shown, at).exists())
            .then_some(())
    });
    vault.stop();
    vault.assert_sound();
    let identity = vault.identity();
    let identity = identity.to_str().unwrap();
    for at in 0..2 {
        let path = copy_path(&vault, &shown, at);
        let id = path.file_name().unwrap().to_str().unwrap();
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        force_write(&path, &flipped);
        vault.fixity_check().exits(1).says(id);
        force_write(&path, &whole);
    }
    vault.muniment(&["fixity", "check", "--identity", identity]).ok();

    // Made again from log and store, on a host that holds nothing else.
    let before = show(&vault, &shown["versions"][0]);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", vault.path.join("catalog.db").display()));
    }
    vault.muniment(&["rebuild", "--identity", identity]).ok();
    let after = show(&vault, &shown["versions"][0]);
    assert_eq!(after["inspected"], before["inspected"]);
    assert_eq!(after["versions"], before["versions"]);

    let header = vault.header(&shown["versions"][0]);
    make_mutable(&header);
    fs::remove_file(&header).unwrap();
    let out = vault.home.join("copy.mp4");
    let id = shown["versions"][0]["id"].as_str().unwrap();
    let mut words = vec![
        "evidence",
        "derived",
        id,
        "--form",
        "playback",
        "--identity",
        identity,
    ];
    words.extend([
        "--out",
        out.to_str().unwrap(),
        "--reason",
        "a look",
        "--basis",
        "law",
    ]);
    vault.muniment(&words).fails();
    assert!(!out.exists());
    vault.fixity_check().exits(1).says(id);
}

#[test]
fn the_real_inspector_leaves_a_real_sheet() {
    let mut vault = TestVault::new();
    vault.set_config("inspect", "deep", true);
    vault.set_config("inspect", "sm3", true);
    vault.serve();
    upload(&vault, 1, Container::Mp4);
    upload(&vault, 2, Container::Avi);
    for shown in until_inspected(&vault) {
        let seen = shown["inspected"][0]["inspections"]
            .as_array()
            .unwrap()
            .last()
            .unwrap();
        assert_eq!(seen["tier"], "deep");
        assert_eq!(
            (seen["verdict"].as_str(), &seen["findings"]),
            (Some("accepted"), &Value::Array(Vec::new()))
        );
        assert_eq!(forms(&shown), ["contact_sheet"], "playback is switched off");
        let id = shown["versions"][0]["id"].as_str().unwrap();
        let out = vault.home.join(format!("{id}.jpg"));
        let identity = vault.identity();
        let mut words = vec![
            "evidence",
            "derived",
            id,
            "--form",
            "contact-sheet",
            "--out",
            out.to_str().unwrap(),
        ];
        words.extend([
            "--identity",
            identity.to_str().unwrap(),
            "--reason",
            "a look",
            "--basis",
            "law",
        ]);
        vault.muniment(&words).ok();
        // Twelve pictures in a grid of four by three, as somebody else's decoder sees it.
        let probe = [
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,width",
            "-of",
            "csv=p=0",
        ];
        run(Command::new("ffprobe").args(probe).arg(&out))
            .ok()
            .says("mjpeg,1300");
    }
    vault.assert_sound();
}
