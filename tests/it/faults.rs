//! A store that fails: full, frozen, or unable to commit. The client hears it, nothing acknowledged is lost, and the
//! server goes on by itself when the cause is gone.

use crate::support::{CLERK, TestVault, command::run, media, server::wait_for};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system of its own, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(home: &Path, size: &str) -> Self {
        let point = home.join("store");
        fs::create_dir_all(&point).unwrap();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&point))
        .ok();
        Mount(point)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn on_a_small_store(reserve_bytes: i64) -> (TestVault, Mount) {
    let home = tempfile::Builder::new()
        .prefix("v")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap()
        .keep();
    let mount = Mount::new(&home, "96m");
    let mut vault = TestVault::at(home, mount.0.join("vault"));
    vault.set_config("vault", "reserve_bytes", reserve_bytes);
    vault.serve();
    (vault, mount)
}

fn page(seq: u32) -> String {
    format!("000100012345_20260728_A0098877_IDF_{seq:02}.jpg")
}

/// The server's words when this upload fails.
fn failure(vault: &TestVault, name: &str, bytes: &[u8]) -> String {
    let local = vault.file("failing", bytes);
    let script = format!(
        "s = sftp()\nprint(refused(s.put, '{}', '/inbox/{name}'))",
        local.display()
    );
    vault.python(CLERK, &script).ok().stdout
}

fn accepted(vault: &TestVault, seq: u32) {
    let path = vault.file(page(seq), &media::jpeg(20_000, u64::from(seq)));
    vault.sftp(CLERK, &format!("put {} /inbox/", path.display())).ok();
    vault.assert_accepted(CLERK, &page(seq), &path);
}

#[test]
fn a_full_disk_in_the_middle_of_an_upload() {
    let (mut vault, mount) = on_a_small_store(1 << 20);
    accepted(&vault, 1);
    let said = failure(
        &vault,
        "000100012345_20260728_A0098877_WVID_01.mp4",
        &media::mp4(120_000_000, 1),
    );
    assert!(said.contains("full") || said.contains("space"), "{said}");
    // Whatever the failed upload left, what was acknowledged stands, now and after a restart on the full disk.
    assert_eq!(vault.evidence().len(), 1);
    vault.log_verify().ok();
    vault.restart();
    assert_eq!(vault.evidence().len(), 1);
    vault.log_verify().ok();
    // Space returns: the clerk removes the part that didn't fit, and goes on.
    vault
        .python(
            CLERK,
            "s = sftp()\n[s.remove('/inbox/' + n) for n in s.listdir('/inbox') if 'WVID' in n]",
        )
        .ok();
    run(Command::new("mount")
        .args(["-o", "remount,size=300m"])
        .arg(&mount.0))
    .ok();
    accepted(&vault, 2);
    vault.assert_sound();
    vault.stop();
}

#[test]
fn a_disk_without_its_reserve_refuses_new_uploads_and_keeps_commits_going() {
    let (mut vault, mount) = on_a_small_store(24 << 20);
    accepted(&vault, 1);
    let ballast = mount.0.join("ballast");
    fs::write(&ballast, vec![1; 78 << 20]).unwrap();
    let said = failure(&vault, &page(2), &media::jpeg(20_000, 2));
    assert!(said.contains("full") || said.contains("space"), "{said}");
    // Administration still commits: that is what the reserve is for.
    vault.add_branch("0303", "广州天河营业部");
    fs::remove_file(ballast).unwrap();
    accepted(&vault, 2);
    vault.assert_sound();
    vault.stop();
}

#[test]
fn a_disk_filled_by_somebody_else_to_the_last_byte() {
    let (mut vault, mount) = on_a_small_store(1 << 20);
    accepted(&vault, 1);
    let ballast = mount.0.join("ballast");
    let _ = fs::write(&ballast, vec![1; 200 << 20]);
    failure(&vault, &page(2), &media::jpeg(20_000, 2));
    vault.kill9();
    let size = fs::metadata(&ballast).unwrap().len();
    assert!(size > 1 << 20);
    fs::remove_file(ballast).unwrap();
    vault.serve();
    accepted(&vault, 1 + 1);
    assert_eq!(vault.evidence().len(), 2);
    vault.assert_sound();
    vault.stop();
}

/// A folder or file that refuses writes even to root, until dropped.
struct Frozen(PathBuf);

impl Frozen {
    fn new(path: PathBuf) -> Self {
        run(Command::new("chattr").arg("+i").arg(&path)).ok();
        Frozen(path)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(&self.0).output();
    }
}

#[test]
fn staging_that_can_not_be_written() {
    let vault = TestVault::serving();
    accepted(&vault, 1);
    let frozen = Frozen::new(vault.path.join("staging"));
    let said = failure(&vault, &page(2), &media::jpeg(20_000, 2));
    assert!(
        !said.trim().is_empty() && !said.contains("staging"),
        "words for a clerk, no server paths: {said}"
    );
    vault.sftp(CLERK, "ls /inbox").ok();
    drop(frozen);
    accepted(&vault, 2);
    vault.assert_sound();
}

#[test]
fn objects_that_can_not_be_placed_are_placed_later() {
    let mut vault = TestVault::serving();
    accepted(&vault, 1);
    let customer = vault.path.join("objects/000100012345");
    let frozen = Frozen::new(customer);
    // Acknowledged or refused: either is honest, but what was acknowledged must be there in the end.
    let ran = vault.upload(CLERK, &page(2), &media::jpeg(20_000, 2));
    let promised = ran.code == Some(0);
    vault.kill9();
    drop(frozen);
    vault.serve();
    if promised {
        wait_for("the object", || (vault.evidence().len() == 2).then_some(()));
        let row = vault.evidence().pop().unwrap();
        wait_for("its place", || {
            vault.object(&row).join("content").exists().then_some(())
        });
    }
    accepted(&vault, 3);
    vault.assert_sound();
}

#[test]
fn a_catalogue_that_can_not_commit() {
    let mut vault = TestVault::serving();
    accepted(&vault, 1);
    let before = vault.checkpoint();
    for file in ["catalog.db-wal", "log"] {
        let frozen = Frozen::new(vault.path.join(file));
        if file == "log" {
            // Tiles come after the commit: an upload may be acknowledged, its checkpoint is published later.
            let _ = vault.upload(CLERK, &page(3), &media::jpeg(20_000, 3));
        } else {
            let said = failure(&vault, &page(2), &media::jpeg(20_000, 2));
            assert!(!said.trim().is_empty(), "{said}");
            assert_eq!(
                vault.checkpoint(),
                before,
                "a checkpoint was published for a commit that failed"
            );
        }
        drop(frozen);
    }
    // The same session or the next start: it must go on without an operator.
    wait_for("commits to work again", || {
        (vault.upload(CLERK, &page(2), &media::jpeg(20_000, 2)).code == Some(0)).then_some(())
    });
    vault.receipt(CLERK, &page(2), "ACCEPTED");
    vault.restart();
    vault.assert_sound();
}

#[test]
fn a_catalogue_locked_by_somebody_else() {
    let vault = TestVault::serving();
    accepted(&vault, 1);
    let catalogue = vault.path.join("catalog.db");
    let holder = rusqlite::Connection::open(&catalogue).unwrap();
    if holder.execute_batch("BEGIN IMMEDIATE").is_err() {
        // The server doesn't share its catalogue at all: nobody can lock it.
        return;
    }
    let ran = vault.upload(CLERK, &page(2), &media::jpeg(20_000, 2));
    assert!(ran.code != Some(124), "the client hangs: {ran}");
    assert!(ran.code != Some(0), "acknowledged without a commit: {ran}");
    holder.execute_batch("ROLLBACK").unwrap();
    accepted(&vault, 2);
    vault.assert_sound();
}

#[test]
fn a_second_server_on_one_vault_is_refused() {
    let vault = TestVault::serving();
    let mut serve = crate::support::muniment();
    serve.arg("serve").arg("--config").arg(vault.config_file());
    let ran = crate::support::command::run_within(&mut serve, std::time::Duration::from_secs(20)).fails();
    assert!(ran.code != Some(137), "{ran}");
    accepted(&vault, 1);
}
