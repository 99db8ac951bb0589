//! Who sees what: branches, roles, sealed files, and a person who left in the middle of a session.

use crate::support::{AUDITOR, BRANCH, CLERK, TestVault, media};

const PAGE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";
const OTHER: &str = "li.na";

#[test]
fn two_branches_do_not_see_each_other() {
    let vault = TestVault::serving();
    vault.add_branch("0202", "上海陆家嘴营业部");
    vault.add_user(OTHER, &["uploader"], Some("0202"));
    vault.sftp(CLERK, "mkdir /inbox/ours").ok();
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    vault
        .upload(
            CLERK,
            "ours/000100012345_20260728_A0098877_WVID_01.mp4",
            &media::mp4(90_000, 1)[..50_000],
        )
        .ok();
    vault.receipt(CLERK, PAGE, "ACCEPTED");

    let seen = vault
        .sftp(OTHER, "ls -la /inbox\nls -la /receipts\nls -la /")
        .ok();
    assert!(!seen.said("000100012345") && !seen.said("ours"), "{seen}");
    assert!(vault.receipt_paths(OTHER).is_empty());
    for path in [
        "/inbox/ours",
        &format!("/inbox/{PAGE}"),
        "/log",
        "/reports",
        "/evidence",
    ] {
        vault.sftp(OTHER, &format!("ls {path}")).fails();
    }
    // The same name in another branch is another upload, not a look at the first.
    vault
        .upload(
            OTHER,
            "000100054321_20260728_A0098877_IDF_01.jpg",
            &media::jpeg(20_000, 2),
        )
        .ok();
    vault.receipt(OTHER, "000100054321_20260728_A0098877_IDF_01.jpg", "ACCEPTED");
    assert!(
        !vault
            .receipt_paths(CLERK)
            .iter()
            .any(|path| path.contains("000100054321"))
    );
}

#[test]
fn clerks_of_one_branch_share_receipts_not_inboxes() {
    let vault = TestVault::serving();
    vault.add_user(OTHER, &["uploader"], Some(BRANCH));
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, PAGE, "ACCEPTED");
    vault.receipt(OTHER, PAGE, "ACCEPTED");
    let seen = vault.sftp(OTHER, "ls -la /inbox").ok();
    assert!(!seen.said(PAGE), "{seen}");
}

#[test]
fn what_was_sealed_is_not_read_back_removed_or_overwritten() {
    let vault = TestVault::serving();
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    let receipt = vault.receipt(CLERK, PAGE, "ACCEPTED");
    let said = vault
        .python(
            CLERK,
            &format!(
                "s = sftp()\n\
                 path = '/inbox/{PAGE}'\n\
                 print(refused(lambda: s.open(path, 'rb').read()))\n\
                 print(refused(s.remove, path))\n\
                 print(refused(s.rename, path, '/inbox/elsewhere.jpg'))\n\
                 print(refused(s.posix_rename, path, '/inbox/elsewhere.jpg'))\n\
                 print(refused(s.open, path, 'r+'))\n\
                 print(refused(s.truncate, path, 10))"
            ),
        )
        .ok()
        .stdout;
    let number = receipt
        .text
        .lines()
        .find(|line| line.contains("编号"))
        .unwrap_or(&receipt.text);
    assert!(
        said.lines().all(|line| line.contains("sealed")),
        "{said}\n{number}"
    );
    assert_eq!(vault.evidence().len(), 1);
    vault.assert_sound();
}

#[test]
fn an_auditor_reads_log_and_receipts_and_writes_nothing() {
    let vault = TestVault::serving();
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, PAGE, "ACCEPTED");
    let receipt = vault.receipt(AUDITOR, PAGE, "ACCEPTED");
    vault.verify_receipt(&receipt, None).ok();
    let copy = vault.copy_log();
    vault.verify_log_copy(&copy).ok();
    for batch in [
        "ls /inbox",
        "put /etc/hostname /inbox/x.jpg",
        "put /etc/hostname /log/checkpoint",
        "rm /log/checkpoint",
        "mkdir /log/x",
        "rename /log/checkpoint /log/y",
        "put /etc/hostname /evidence/x",
        "mkdir /evidence/x",
        "ls /objects",
    ] {
        vault.sftp(AUDITOR, batch).fails();
    }
    // Content takes a grant, an auditor's too.
    let listed = vault.sftp(AUDITOR, "ls -la /evidence").ok();
    assert!(!listed.said("000100012345"), "{listed}");
    vault.log_verify().ok();
}

#[test]
fn a_sysadmin_reads_no_content() {
    let vault = TestVault::serving();
    vault.add_user("ops", &["sysadmin"], None);
    vault.upload(CLERK, PAGE, &media::jpeg(20_000, 1)).ok();
    vault.receipt(CLERK, PAGE, "ACCEPTED");
    for path in [
        "/inbox",
        "/receipts",
        "/evidence",
        "/log",
        "/objects",
        &format!("/inbox/{PAGE}"),
    ] {
        vault.sftp("ops", &format!("ls {path}")).fails();
    }
    // On the host: nothing in the vault has the original's bytes or a customer's file name in the clear, keys aside.
    let marker = "000100012345_20260728";
    let found = crate::support::command::run(
        std::process::Command::new("grep")
            .args(["-rlaF", marker, "--exclude=catalog.db*", "--exclude-dir=keys"])
            .arg(&vault.path),
    );
    assert!(
        found.stdout.is_empty(),
        "names in the clear outside the catalogue: {found}"
    );
}

#[test]
fn forbidden_roles_and_missing_agreements_are_refused() {
    let vault = TestVault::new();
    let key = vault.home.join(format!("{CLERK}.key.pub"));
    let key = key.to_str().unwrap();
    let base = ["user", "add", "wang", "--key", key];
    for (why, words) in [
        (
            "S7",
            vec!["--nda", "N1", "--role", "sysadmin", "--role", "auditor"],
        ),
        (
            "self-review",
            vec![
                "--nda", "N1", "--role", "uploader", "--role", "reviewer", "--branch", BRANCH,
            ],
        ),
        ("no agreement", vec!["--role", "auditor"]),
        ("empty agreement", vec!["--role", "auditor", "--nda", ""]),
        ("no branch", vec!["--nda", "N1", "--role", "uploader"]),
        (
            "unknown branch",
            vec!["--nda", "N1", "--role", "uploader", "--branch", "9999"],
        ),
        ("key in use", vec!["--nda", "N1", "--role", "auditor"]),
    ] {
        let ran = vault.muniment(&[&base[..], &words].concat());
        assert!(ran.code != Some(0), "{why}: {ran}");
    }
    let listed = vault.muniment(&["user", "list", "--json"]).ok();
    assert!(!listed.said("wang"), "{listed}");
    // `init` doesn't touch a vault that is there.
    crate::support::command::run(
        crate::support::muniment()
            .arg("init")
            .arg("--vault")
            .arg(&vault.path),
    )
    .fails();
    vault.assert_sound();
}

#[test]
fn disabling_a_person_ends_their_live_session() {
    let mut vault = TestVault::serving();
    vault.add_user(OTHER, &["uploader"], Some(BRANCH));
    let ready = vault.home.join("ready");
    let script = format!(
        "r = Raw()\n\
         h = r.open('/inbox/000100012345_20260728_A0098877_WVID_07.mp4')\n\
         assert r.write(h, 0, b'x' * 30000) == OK\n\
         open('{}', 'w').close()\n\
         begun = time.monotonic()\n\
         try:\n\
         \x20   while r.lives():\n\
         \x20       time.sleep(0.05)\n\
         \x20       assert time.monotonic() - begun < 50, 'still alive'\n\
         except (EOFError, OSError, paramiko.SSHException):\n\
         \x20   print('ended')",
        ready.display()
    );
    let session = vault
        .python_command(OTHER, &script)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let gone = session.id();
    crate::support::server::wait_for("the session", || ready.exists().then_some(()));
    vault.muniment(&["user", "disable", OTHER]).ok();
    let output = session.wait_with_output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("ended"),
        "process {gone}: {output:?}"
    );
    vault.sftp(OTHER, "ls /").fails();
    // Their history stays, and others go on.
    vault.muniment(&["user", "list", "--json"]).ok().says(OTHER);
    vault.sftp(CLERK, "ls /").ok();
    vault.restart();
    vault.sftp(OTHER, "ls /").fails();
    vault.assert_sound();
}
