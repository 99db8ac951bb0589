//! Evidence over SFTP, with the real server and real clients: what a grant covers and nothing else, each opening on record
//! before its first byte, and an end at once when the grant, the person or the key is gone.

use crate::support::{
    AUDITOR, CLERK, PASSPHRASE, Ran, TestVault, force_write, media, server::wait_for, sha256,
    visitor::Visitor,
};
use muniment::{
    config::Config,
    domain::event::{Draft, Kind},
    server::VaultHandle,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const RETRIEVER: &str = "chen.jing";
const OTHER: &str = "liu.yang";
const APPROVER: &str = "wang.fang";
const CUSTOMER: &str = "000100012345";
const PAGE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";
const VIDEO: &str = "000100012345_20260728_A0098877_WVID_01.mp4";
const HIDDEN: &str = "000100054321_20260728_B0098877_IDF_01.jpg";

/// A vault with an unlocked key, a console, a page and a video, and people who look, approve and audit.
struct Archive {
    vault: TestVault,
    page: Vec<u8>,
    video: Vec<u8>,
}

impl Archive {
    fn new() -> Self {
        let vault = TestVault::retrieving();
        vault.add_user(RETRIEVER, &["retriever"], None);
        vault.add_user(OTHER, &["retriever"], None);
        vault.add_user(APPROVER, &["approver"], None);
        let mut archive = Archive {
            vault,
            page: media::jpeg(300_000, 1),
            video: media::mp4(3_000_000, 2),
        };
        archive.serve();
        let upload = |name, bytes: &[u8]| archive.vault.upload(CLERK, name, bytes).ok();
        upload(PAGE, &archive.page);
        upload(VIDEO, &archive.video);
        upload(HIDDEN, &media::jpeg(30_000, 3));
        wait_for("everything to be sealed", || {
            (archive.vault.evidence().len() == 3).then_some(())
        });
        archive
    }

    fn serve(&mut self) {
        self.vault.serve_unlocked(&format!("{PASSPHRASE}\n"));
    }

    fn row(&self, name: &str) -> Value {
        let rows = self.vault.evidence();
        rows.into_iter().find(|row| row["file_name"] == name).unwrap()
    }

    /// The folder and the file of a name, as a grant shows them.
    fn at(&self, name: &str) -> String {
        let parts: Vec<&str> = name.split(['_', '.']).collect();
        let (flow, doctype) = (parts[2], parts[3]);
        format!("/evidence/{}/{flow}/{doctype}-1/v1/{name}", parts[0])
    }

    /// A grant for a person, asked for and given at the console. Its id.
    fn grant(&self, asking: &Visitor, approver: &Visitor, name: &str, purpose: &str) -> String {
        let id = self.row(name)["id"].as_str().unwrap().to_owned();
        let filed = asking.post(
            "/requests",
            &[
                ("evidence", &id),
                ("purpose", purpose),
                ("basis", "regulator"),
                ("reason", "监管调阅"),
                ("duration_s", "3600"),
            ],
        );
        assert_eq!(filed.status, 303, "{}", filed.text());
        let newest = |kind: &str| {
            let leaves = self.vault.leaves(kind);
            leaves.last().map(|leaf| leaf["id"].as_str().unwrap().to_owned())
        };
        let request = wait_for("the request in the log", || newest("access.requested"));
        let before = self.vault.leaves("access.approved").len();
        let approved = approver.post(&format!("/requests/{request}/approve"), &[]);
        assert_eq!(approved.status, 303, "{}", approved.text());
        wait_for("the grant in the log", || {
            (self.vault.leaves("access.approved").len() > before).then_some(())
        });
        newest("access.approved").unwrap()
    }

    fn taken(&self, name: &str) -> PathBuf {
        let path = self.vault.home.join(format!("taken-{name}"));
        let _ = fs::remove_file(&path);
        path
    }

    fn get(&self, user: &str, name: &str) -> Ran {
        let get = format!("get \"{}\" {}", self.at(name), self.taken(name).display());
        self.vault.sftp(user, &get)
    }

    /// A download by OpenSSH at about 100 KB/s, once its first bytes are here.
    fn slow_download(&self, user: &str, name: &str) -> (Child, PathBuf) {
        let (taken, batch) = (self.taken(name), self.vault.home.join("batch"));
        fs::write(&batch, format!("get \"{}\" {}\n", self.at(name), taken.display())).unwrap();
        let mut sftp = Command::new("sftp");
        sftp.args(["-l", "800", "-B", "32768", "-F"])
            .arg(self.vault.ssh_config(user))
            .arg("-b")
            .arg(&batch)
            .arg("muniment")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = sftp.spawn().unwrap();
        wait_for("the first bytes", || {
            (fs::metadata(&taken).is_ok_and(|metadata| metadata.len() > 0)).then_some(())
        });
        (child, taken)
    }

    /// Readings that ended: by which reason, and with how many bytes.
    fn ended(&self, count: usize) -> Vec<(String, u64)> {
        let leaves = wait_for("the ends of the readings", || {
            let leaves = self.vault.leaves("access.read_ended");
            (leaves.len() >= count).then_some(leaves)
        });
        assert_eq!(leaves.len(), count, "{leaves:?}");
        let said = |leaf: &Value| {
            let data = &leaf["data"];
            (
                data["why"].as_str().unwrap().to_owned(),
                data["bytes"].as_u64().unwrap(),
            )
        };
        leaves.iter().map(said).collect()
    }
}

/// It ended by itself, with an error, and what it took is a part of the original and no more.
fn broken_off(mut child: Child, taken: &PathBuf, original: &[u8]) {
    let status = wait_for("the client to end", || child.try_wait().unwrap());
    assert!(!status.success(), "the download came to its end");
    let bytes = fs::read(taken).unwrap();
    assert!(bytes.len() < original.len(), "everything was taken");
    // Clients ask for several ranges at a time, so there may be holes; what isn't a hole is what was sealed.
    let wrong = bytes
        .iter()
        .zip(original)
        .filter(|(taken, sealed)| taken != sealed && **taken != 0);
    assert_eq!(wrong.count(), 0, "wrong bytes");
}

#[test]
fn every_client_takes_what_an_export_grant_covers_and_sees_nothing_else() {
    let archive = Archive::new();
    let vault = &archive.vault;
    let empty = vault.sftp(RETRIEVER, "ls -la /evidence").ok();
    assert!(!empty.said(CUSTOMER), "{empty}");
    archive.get(RETRIEVER, VIDEO).fails();
    assert!(!archive.taken(VIDEO).exists());
    let (asking, approver) = (
        Visitor::signed_in(vault, RETRIEVER),
        Visitor::signed_in(vault, APPROVER),
    );
    archive.grant(&asking, &approver, VIDEO, "export");
    archive.grant(&asking, &approver, PAGE, "view");

    // What is covered, and only for whom it is.
    let listed = vault
        .sftp(
            RETRIEVER,
            "ls -la /evidence\nls -la /evidence/000100012345/A0098877",
        )
        .ok();
    assert!(
        listed.said(CUSTOMER) && listed.said("WVID-1") && listed.said("IDF-1"),
        "{listed}"
    );
    assert!(!listed.said("000100054321"), "{listed}");
    for (user, name) in [(OTHER, VIDEO), (AUDITOR, VIDEO), (RETRIEVER, HIDDEN)] {
        archive.get(user, name).fails();
        vault.sftp(user, &format!("ls \"{}\"", archive.at(name))).fails();
        vault
            .ssh(user, &format!("sha256sum {}", archive.at(name)))
            .fails()
            .says("no such file");
    }
    for write in [
        "put /etc/hostname /evidence/x",
        "rm /evidence/000100012345",
        "mkdir /evidence/x",
    ] {
        vault.sftp(RETRIEVER, write).fails();
    }
    vault
        .sftp(RETRIEVER, &format!("rm \"{}\"", archive.at(VIDEO)))
        .fails();

    // Under a grant to view: listed with size, time and digest, not given, with words that say what to do.
    let sealed_s = archive.row(PAGE)["sealed_ms"].as_i64().unwrap() / 1_000;
    vault
        .python(
            RETRIEVER,
            &format!(
                "s = sftp()\n\
                 told = s.stat('{at}')\n\
                 assert (told.st_size, told.st_mtime) == ({size}, {sealed_s}), told\n\
                 assert s.listdir('{folder}') == ['{PAGE}']\n\
                 words = refused(s.open, '{at}')\n\
                 assert 'export grant' in words and '导出授权' in words, words",
                at = archive.at(PAGE),
                folder = archive.at(PAGE).trim_end_matches(PAGE).trim_end_matches('/'),
                size = archive.page.len(),
            ),
        )
        .ok();
    vault
        .ssh(RETRIEVER, &format!("sha256sum {}", archive.at(PAGE)))
        .ok()
        .says(&sha256(&archive.page));
    assert!(vault.leaves("access.read").is_empty(), "nothing was read so far");

    // Whole, by each client.
    archive.get(RETRIEVER, VIDEO).ok();
    assert_eq!(
        fs::read(vault.home.join(format!("taken-{VIDEO}"))).unwrap(),
        archive.video
    );
    let copied = vault.home.join("copied");
    let from = format!(":sftp:{}", archive.at(VIDEO).trim_end_matches(VIDEO));
    vault
        .rclone(RETRIEVER, &["copy".as_ref(), from.as_ref(), copied.as_os_str()])
        .ok();
    assert_eq!(fs::read(copied.join(VIDEO)).unwrap(), archive.video);
    let lftp = vault.home.join("lftp.mp4");
    vault
        .lftp(
            RETRIEVER,
            &format!("get \"{}\" -o {}", archive.at(VIDEO), lftp.display()),
        )
        .ok();
    assert_eq!(fs::read(lftp).unwrap(), archive.video);
    let scp = vault.home.join("scp.mp4");
    let mut command = Command::new("scp");
    command
        .arg("-F")
        .arg(vault.ssh_config(RETRIEVER))
        .arg(format!("muniment:{}", archive.at(VIDEO)))
        .arg(&scp);
    crate::support::command::run(&mut command).ok();
    assert_eq!(fs::read(scp).unwrap(), archive.video);
    vault
        .ssh(RETRIEVER, &format!("sha256sum {}", archive.at(VIDEO)))
        .ok()
        .says(&sha256(&archive.video));
    // Each client opened it once, and every byte is counted.
    let whole = ("closed".to_owned(), archive.video.len() as u64);
    assert_eq!(archive.ended(4), vec![whole; 4]);

    // In parts, at any place.
    let original = vault.file("original", &archive.video);
    vault
        .python(
            RETRIEVER,
            &format!(
                "data = open('{}', 'rb').read()\n\
                 r = Raw()\n\
                 h = r.open('{}', READ_FLAG)\n\
                 for at, length in [(0, 10), (65530, 20), (len(data) - 5, 100), (5, 10), (1 << 20, 200000), (len(data), 9)]:\n\
                 \x20   kind, answer = r.ask(READ, string(h) + struct.pack('>QI', at, length))\n\
                 \x20   got = answer[4:] if kind == DATA else b''\n\
                 \x20   assert got == data[at:at + length], (at, kind)\n\
                 assert r.close(h) == OK\n\
                 f = sftp().open('{}', 'rb')\n\
                 f.seek(1234567)\n\
                 assert f.read(4321) == data[1234567:1234567 + 4321]",
                original.display(),
                archive.at(VIDEO),
                archive.at(VIDEO),
            ),
        )
        .ok();
    let ended = archive.ended(6);
    assert_eq!(ended[4], ("closed".to_owned(), 10 + 20 + 5 + 10 + 200_000));
    let leaves = vault.leaves("access.read_ended");
    assert_eq!(leaves[4]["data"]["ranges"], 4);
    for leaf in vault.leaves("access.read") {
        let data = &leaf["data"];
        assert_eq!(
            (&data["channel"], &data["purpose"], &data["part"]),
            (&json!("sftp"), &json!("export"), &json!("original"))
        );
        assert_eq!(data["evidence"], archive.row(VIDEO)["id"]);
    }
    // What was tried and refused is on record.
    let refused = vault.leaves("access.refused");
    let why = |why: &str, evidence: &Value| {
        let found = refused
            .iter()
            .find(|leaf| leaf["data"]["why"] == why && leaf["data"]["evidence"] == *evidence);
        assert!(found.is_some(), "no {why} in {refused:?}");
    };
    why("view_only", &archive.row(PAGE)["id"]);
    why("no_grant", &archive.row(HIDDEN)["id"]);
    why("no_grant", &archive.row(VIDEO)["id"]);
    vault.assert_sound();
}

#[test]
fn a_revoked_grant_and_a_disabled_person_end_a_download_that_runs() {
    let archive = Archive::new();
    let vault = &archive.vault;
    let (asking, approver) = (
        Visitor::signed_in(vault, RETRIEVER),
        Visitor::signed_in(vault, APPROVER),
    );
    let grant = archive.grant(&asking, &approver, VIDEO, "export");
    let (child, taken) = archive.slow_download(RETRIEVER, VIDEO);
    let revoked = approver.post(&format!("/grants/{grant}/revoke"), &[("reason", "不再需要")]);
    assert_eq!(revoked.status, 303, "{}", revoked.text());
    broken_off(child, &taken, &archive.video);
    let listed = vault.sftp(RETRIEVER, "ls -la /evidence").ok();
    assert!(!listed.said(CUSTOMER), "{listed}");
    archive.get(RETRIEVER, VIDEO).fails();
    let (why, bytes) = archive.ended(1).remove(0);
    assert!(
        why == "revoked" && bytes < archive.video.len() as u64,
        "{why} {bytes}"
    );

    archive.grant(&asking, &approver, VIDEO, "export");
    let (child, taken) = archive.slow_download(RETRIEVER, VIDEO);
    vault.muniment(&["user", "disable", RETRIEVER]).ok();
    broken_off(child, &taken, &archive.video);
    let (why, bytes) = archive.ended(2).remove(1);
    assert!(
        why == "withdrawn" && bytes < archive.video.len() as u64,
        "{why} {bytes}"
    );
    vault.sftp(RETRIEVER, "ls /evidence").fails();
    // A reader who hangs up ends the reading, too.
    let other = Visitor::signed_in(vault, OTHER);
    archive.grant(&other, &approver, VIDEO, "export");
    let (mut child, _) = archive.slow_download(OTHER, VIDEO);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(archive.ended(3).remove(2).0, "closed");
    // So does an administrator who ends the session.
    let (child, taken) = archive.slow_download(OTHER, VIDEO);
    let sessions = vault.muniment_json(&["session", "list"]);
    let of_other = |session: &&Value| session["name"] == OTHER && session["edge"] == "sftp";
    let session = sessions.as_array().unwrap().iter().rfind(of_other).unwrap();
    vault
        .muniment(&["session", "end", session["id"].as_str().unwrap()])
        .ok();
    broken_off(child, &taken, &archive.video);
    assert_eq!(archive.ended(4).remove(3).0, "session_over");
    vault.assert_sound();
}

#[test]
fn a_lock_damage_and_the_grants_own_end_stop_a_download() {
    let mut archive = Archive::new();
    let (page, video) = (archive.row(PAGE), archive.row(VIDEO));
    {
        let vault = &archive.vault;
        let (asking, approver) = (
            Visitor::signed_in(vault, RETRIEVER),
            Visitor::signed_in(vault, APPROVER),
        );
        archive.grant(&asking, &approver, VIDEO, "export");
        archive.get(RETRIEVER, VIDEO).ok();
        let (child, taken) = archive.slow_download(RETRIEVER, VIDEO);
        vault.muniment(&["key", "lock"]).ok();
        broken_off(child, &taken, &archive.video);
        let said = vault.python(
            RETRIEVER,
            &format!("print(refused(sftp().open, '{}'))", archive.at(VIDEO)),
        );
        assert!(said.ok().says("key custodians").said("解密密钥未解锁"));
        vault
            .muniment_told(&format!("{PASSPHRASE}\n"), &["key", "unlock"])
            .ok();
        archive.get(RETRIEVER, VIDEO).ok();

        // One bit of the thirtieth chunk of 64 KiB.
        let content = vault.object(&video).join("content");
        let mut stored = fs::read(&content).unwrap();
        stored[16 + 30 * 65_552 + 4_711] ^= 16;
        force_write(&content, &stored);
        archive.get(RETRIEVER, VIDEO).fails();
        let taken = fs::read(vault.home.join(format!("taken-{VIDEO}"))).unwrap();
        assert!(taken.len() <= archive.video.len());
        let wrong = taken
            .iter()
            .zip(&archive.video)
            .filter(|(taken, sealed)| taken != sealed && **taken != 0);
        assert_eq!(wrong.count(), 0, "a wrong byte was delivered");
        let damaged = vault.python(
            RETRIEVER,
            &format!(
                "r = Raw()\n\
                 h = r.open('{}', READ_FLAG)\n\
                 kind, answer = r.ask(READ, string(h) + struct.pack('>QI', 29 * 65536, 65536))\n\
                 assert kind == DATA and len(answer) == 4 + 65536\n\
                 kind, answer = r.ask(READ, string(h) + struct.pack('>QI', 29 * 65536, 65537))\n\
                 assert kind == STATUS and answer[:4] == struct.pack('>I', FAILURE)\n\
                 print(answer[8:].decode(errors='replace'))",
                archive.at(VIDEO)
            ),
        );
        assert!(damaged.ok().says("chunk 30 ").said("存储的对象缺失或损坏"));
        let why: Vec<String> = archive.ended(5).into_iter().map(|(why, _)| why).collect();
        assert_eq!(why, ["closed", "locked", "closed", "damaged", "damaged"]);
    }
    // A grant that was given as any other and is over in some seconds.
    archive.vault.stop();
    let asked = |id: String, kind| {
        Draft::new(kind, id, "operator")
            .fact("basis", "law")
            .fact("emergency", 0)
    };
    {
        let config = Config::load(&archive.vault.config_file()).unwrap();
        let handle = VaultHandle::open(config, "a test").unwrap();
        let person: String = archive.vault.leaves("access.read")[0]["data"]["person"]
            .as_str()
            .unwrap()
            .to_owned();
        let evidence = vec![page["id"].as_str().unwrap().to_owned()];
        let request = handle.new_id().unwrap();
        let common = |draft: Draft| {
            draft
                .fact("person", person.as_str())
                .fact("purpose", "export")
                .fact("evidence_items", 1)
                .private("evidence", evidence.clone())
        };
        let filed = common(asked(request.clone(), Kind::AccessRequested)).fact("duration_s", 30);
        handle.commit(filed.commit("reason", "a short look")).unwrap();
        let given = common(asked(handle.new_id().unwrap(), Kind::AccessApproved))
            .fact("request", request)
            .fact("approver", "p-somebody")
            .fact("expires_ms", handle.clock.now_ms() + 30_000);
        handle.commit(given).unwrap();
        handle.close();
    }
    archive.serve();
    let vault = &archive.vault;
    archive.get(RETRIEVER, PAGE).ok();
    let reading = vault.home.join("reading");
    let script = format!(
        "r = Raw()\n\
         h = r.open('{}', READ_FLAG)\n\
         kind, answer = r.ask(READ, string(h) + struct.pack('>QI', 0, 10))\n\
         assert kind == DATA, answer\n\
         open('{}', 'w').close()\n\
         while kind == DATA:\n\
         \x20   time.sleep(0.05)\n\
         \x20   kind, answer = r.ask(READ, string(h) + struct.pack('>QI', 0, 10))\n\
         assert answer[:4] == struct.pack('>I', PERMISSION_DENIED)\n\
         print(answer[8:].decode(errors='replace'))",
        archive.at(PAGE),
        reading.display()
    );
    let expired = vault.python(RETRIEVER, &script).ok();
    assert!(expired.said("授权已到期"), "{expired}");
    let listed = vault
        .sftp(RETRIEVER, "ls -la /evidence/000100012345/A0098877")
        .ok();
    assert!(listed.said("WVID-1") && !listed.said("IDF-1"), "{listed}");
    archive.get(RETRIEVER, PAGE).fails();
    let why: Vec<String> = archive.ended(7).into_iter().map(|(why, _)| why).collect();
    assert_eq!(why[5..], ["closed", "expired"]);
    vault.log_verify().ok();
}
