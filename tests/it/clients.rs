//! Each client that branches use uploads to acceptance, the way its users run it, and gets a receipt that verifies.

use crate::support::{CLERK, TestVault, media};
use std::{fs, path::PathBuf, time::Instant};

/// A page that exists once: its name and its content.
fn page(vault: &TestVault, flow: &str, seq: u32) -> (String, PathBuf) {
    let name = format!("000100012345_20260728_{flow}_IDF_{seq:02}.jpg");
    let path = vault.file(
        &name,
        &media::jpeg(40_000, u64::from(seq) ^ name.len() as u64 ^ 0x51),
    );
    (name, path)
}

#[test]
fn openssh_put() {
    let vault = TestVault::serving();
    let (name, path) = page(&vault, "A0098877", 1);
    vault.sftp(CLERK, &format!("put {} /inbox/", path.display())).ok();
    let receipt = vault.assert_accepted(CLERK, &name, &path);
    assert_eq!(receipt.fact("grade"), "server_only", "{}", receipt.text);
    assert!(
        receipt.text.contains("接收") || receipt.text.contains("受理"),
        "no Chinese: {}",
        receipt.text
    );
    assert_eq!(vault.decrypted(&vault.evidence()[0]), fs::read(&path).unwrap());
    vault.assert_sound();
}

#[test]
fn openssh_put_of_each_container() {
    let vault = TestVault::serving();
    let files = [
        (
            "000100012345_20260728_A0098877_WVID_01.mp4",
            media::mp4(300_000, 1),
        ),
        (
            "000100012345_20260728_A0098877_WVID_02.mov",
            media::mp4_index_last(300_000, 2),
        ),
        (
            "000100012345_20260728_A0098877_WVID_03.avi",
            media::avi(300_000, 3),
        ),
        (
            "000100012345_20260728_A0098877_WVID_04.mkv",
            media::mkv(300_000, 4),
        ),
        (
            "000100012345_20260728_A0098877_IDF_01.jpg",
            media::jpeg(100_000, 5),
        ),
        (
            "000100012345_20260728_A0098877_IDF_02.png",
            media::png(100_000, 6),
        ),
        (
            "000100012345_20260728_A0098877_IDF_03.tif",
            media::tiff(100_001, 7),
        ),
        (
            "000100012345_20260728_A0098877_AGR_01.pdf",
            media::pdf(100_000, 8),
        ),
        (
            "000100012345_20260728_A0098877_CBND_01.zip",
            media::zip(&[("正面.jpg", &media::jpeg(9_000, 9))]),
        ),
    ];
    let paths: Vec<_> = files
        .iter()
        .map(|(name, bytes)| vault.file(name, bytes))
        .collect();
    let batch: String = paths
        .iter()
        .map(|path| format!("put {} /inbox/\n", path.display()))
        .collect();
    vault.sftp(CLERK, &batch).ok();
    for ((name, _), path) in files.iter().zip(&paths) {
        vault.assert_accepted(CLERK, name, path);
    }
}

#[test]
fn openssh_reput_after_an_interruption() {
    let vault = TestVault::serving();
    let name = "000100012345_20260728_A0098877_WVID_01.mp4";
    let whole = media::mp4(3_000_000, 11);
    let part = vault.file(format!("part/{name}"), &whole[..1_234_567]);
    vault.sftp(CLERK, &format!("put {} /inbox/", part.display())).ok();
    let waiting = vault.receipt(CLERK, name, "WAITING");
    vault.verify_receipt(&waiting, None).ok();

    let path = vault.file(name, &whole);
    vault
        .sftp(CLERK, &format!("reput {} /inbox/{name}", path.display()))
        .ok();
    vault.assert_accepted(CLERK, name, &path);
    assert_eq!(vault.decrypted(&vault.evidence()[0]), whole);
    vault.assert_sound();
}

#[test]
fn openssh_put_of_a_folder() {
    let vault = TestVault::serving();
    let mut files = Vec::new();
    for (flow, seq) in [("A0098877", 1), ("A0098877", 2), ("B0098878", 1)] {
        let name = format!("000100012345/{flow}/IDF_{seq:02}.jpg");
        files.push((
            format!("IDF_{seq:02}.jpg"),
            vault.file(&name, &media::jpeg(20_000, seq + flow.len() as u64 * 7)),
        ));
    }
    let folder = vault.home.join("files/000100012345");
    vault
        .sftp(CLERK, &format!("put -r {} /inbox/", folder.display()))
        .ok();
    vault.receipt(CLERK, "IDF_01.jpg", "ACCEPTED");
    vault.receipt(CLERK, "IDF_02.jpg", "ACCEPTED");
    let rows = vault.evidence();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(
        rows.iter().all(|row| row["customer"] == "000100012345"),
        "{rows:?}"
    );
    vault.assert_sound();
}

#[test]
fn openssh_rename_before_sealing() {
    let vault = TestVault::serving();
    let (name, path) = page(&vault, "A0098877", 1);
    let temporary = format!("{name}.filepart");
    vault
        .sftp(
            CLERK,
            &format!(
                "put {} /inbox/{temporary}\nrename /inbox/{temporary} /inbox/{name}",
                path.display()
            ),
        )
        .ok();
    vault.assert_accepted(CLERK, &name, &path);
    assert_eq!(vault.evidence().len(), 1, "the temporary name is no evidence");
}

#[test]
fn scp_file_and_folder() {
    let vault = TestVault::serving();
    let (name, path) = page(&vault, "A0098877", 1);
    vault.scp(CLERK, &[path.as_os_str()], "/inbox/").ok();
    vault.assert_accepted(CLERK, &name, &path);

    // `scp` writes in place, without truncating: again it is a duplicate, and other bytes are a version.
    vault.scp(CLERK, &[path.as_os_str()], "/inbox/").ok();
    vault.receipt(CLERK, &name, "DUPLICATE");
    fs::write(&path, media::jpeg(9_000, 77)).unwrap();
    vault.scp(CLERK, &[path.as_os_str()], "/inbox/").ok();
    assert_eq!(vault.evidence().len(), 2);

    let inner = vault.file("000100054321/C0000001/IDB_01.jpg", &media::jpeg(20_000, 21));
    vault
        .scp(
            CLERK,
            &["-r".as_ref(), vault.home.join("files/000100054321").as_os_str()],
            "/inbox/",
        )
        .ok();
    vault.assert_accepted(CLERK, "IDB_01.jpg", &inner);
}

#[test]
fn rclone_copy() {
    let vault = TestVault::serving();
    let names: Vec<_> = (1..=5)
        .map(|seq| format!("000100012345_20260728_A0098877_IDF_{seq:02}.jpg"))
        .collect();
    let paths: Vec<_> = names
        .iter()
        .zip(1u64..)
        .map(|(name, seed)| vault.file(format!("day/{name}"), &media::jpeg(30_000 * seed as usize, seed)))
        .collect();
    let day = vault.home.join("files/day");
    vault
        .rclone(
            CLERK,
            &["copy".as_ref(), day.as_os_str(), ":sftp:/inbox".as_ref()],
        )
        .ok();
    for (name, path) in names.iter().zip(&paths) {
        vault.assert_accepted(CLERK, name, path);
    }
    assert_eq!(vault.evidence().len(), 5);
    // What is there already isn't sent again.
    vault
        .rclone(
            CLERK,
            &["copy".as_ref(), day.as_os_str(), ":sftp:/inbox".as_ref()],
        )
        .ok();
    assert_eq!(vault.evidence().len(), 5);
    assert!(
        !vault
            .receipt_paths(CLERK)
            .iter()
            .any(|path| path.ends_with(".DUPLICATE.txt"))
    );
}

#[test]
fn lftp_mirror_and_continue() {
    let vault = TestVault::serving();
    let names = [
        "000100012345_20260728_A0098877_IDF_01.jpg",
        "000100012345_20260728_A0098877_IDF_02.jpg",
    ];
    let paths: Vec<_> = names
        .iter()
        .zip(31u64..)
        .map(|(name, seed)| vault.file(format!("mirror/{name}"), &media::jpeg(50_000, seed)))
        .collect();
    let folder = vault.home.join("files/mirror");
    vault
        .lftp(CLERK, &format!("mirror -R {} /inbox", folder.display()))
        .ok();
    for (name, path) in names.iter().zip(&paths) {
        vault.assert_accepted(CLERK, name, path);
    }

    let name = "000100012345_20260728_A0098877_WVID_01.mp4";
    let whole = media::mp4(2_000_000, 33);
    let part = vault.file(format!("part/{name}"), &whole[..777_777]);
    vault
        .lftp(CLERK, &format!("put {} -o /inbox/{name}", part.display()))
        .ok();
    vault.receipt(CLERK, name, "WAITING");
    let path = vault.file(name, &whole);
    vault
        .lftp(CLERK, &format!("put -c {} -o /inbox/{name}", path.display()))
        .ok();
    vault.assert_accepted(CLERK, name, &path);
    vault.assert_sound();
}

#[test]
fn paramiko_put_and_out_of_order_writes() {
    let vault = TestVault::serving();
    let (first, path) = page(&vault, "A0098877", 1);
    vault
        .python(
            CLERK,
            &format!(
                "s = sftp()\n\
                 told = s.put('{}', '/inbox/{first}', confirm=True)\n\
                 assert told.st_size == {}, told",
                path.display(),
                fs::metadata(&path).unwrap().len()
            ),
        )
        .ok();
    vault.assert_accepted(CLERK, &first, &path);

    let name = "000100012345_20260728_A0098877_WVID_02.mp4";
    let path = vault.file(name, &media::mp4(700_000, 41));
    vault
        .python(
            CLERK,
            &format!(
                "data = open('{}', 'rb').read()\n\
                 r = Raw()\n\
                 h = r.open('/inbox/{name}')\n\
                 pieces = [(at, data[at:at + 32768]) for at in range(0, len(data), 32768)]\n\
                 for pair in range(0, len(pieces), 2):\n\
                 \x20   for at, piece in reversed(pieces[pair:pair + 2]):\n\
                 \x20       assert r.write(h, at, piece) == OK\n\
                 assert r.close(h) == OK",
                path.display()
            ),
        )
        .ok();
    vault.assert_accepted(CLERK, name, &path);
}

#[test]
fn chinese_names_in_utf8_and_gbk() {
    let vault = TestVault::serving();
    let folder = "开户资料";
    let utf8 = "000100012345_20260728_A0098877_IDF_01.jpg";
    let path = vault.file(format!("{folder}/{utf8}"), &media::jpeg(20_000, 51));
    vault
        .sftp(
            CLERK,
            &format!(
                "put -r {} /inbox/",
                vault.home.join("files").join(folder).display()
            ),
        )
        .ok();
    vault.assert_accepted(CLERK, utf8, &path);

    // A manifest maps names that say nothing by themselves; the client is an old one and speaks GBK.
    let named = vault.file("身份证正面.jpg", &media::jpeg(20_000, 52));
    let manifest = format!(
        "文件,SHA-256,客户编号,流水号,文件类别,序号\n身份证正面.jpg,{},000100012345,A0098877,IDF,2\n",
        crate::support::sha256_of_file(&named)
    );
    let manifest = vault.file("manifest.csv", manifest.as_bytes());
    vault
        .python(
            CLERK,
            &format!(
                "s = sftp()\n\
                 folder = '/inbox/七月'.encode('gbk')\n\
                 s.mkdir(folder)\n\
                 for local, remote in [('{}', 'manifest.csv'), ('{}', '身份证正面.jpg')]:\n\
                 \x20   with s.open(folder + b'/' + remote.encode('gbk'), 'wb') as f:\n\
                 \x20       f.write(open(local, 'rb').read())",
                manifest.display(),
                named.display()
            ),
        )
        .ok();
    let receipt = vault.assert_accepted(CLERK, "身份证正面.jpg", &named);
    assert_eq!(receipt.fact("grade"), "declared", "{}", receipt.text);
    assert_eq!(vault.evidence().len(), 2);
}

#[test]
fn two_thousand_small_files() {
    let vault = TestVault::serving();
    for number in 0..2_000u64 {
        let name = format!(
            "many/000100012345_20260728_F{:05}_PHOTO_{:02}.jpg",
            number / 20,
            number % 20 + 1
        );
        vault.file(name, &media::photo(4_000, 6_000 + number));
    }
    vault
        .sftp(
            CLERK,
            &format!("put {}/* /inbox/", vault.home.join("files/many").display()),
        )
        .ok();
    let name = "000100012345_20260728_F00099_PHOTO_20.jpg";
    let path = vault.home.join("files/many").join(name);
    vault.assert_accepted(CLERK, name, &path);
    assert_eq!(vault.evidence().len(), 2_000);
    let accepted = vault
        .receipt_paths(CLERK)
        .iter()
        .filter(|path| path.ends_with(".ACCEPTED.txt"))
        .count();
    assert_eq!(accepted, 2_000);
    let rows = vault
        .summary(CLERK)
        .lines()
        .filter(|line| line.contains("_PHOTO_"))
        .count();
    assert_eq!(rows, 2_000, "the day's summary has a line for each");
    vault.assert_sound();
}

#[test]
fn receipts_come_within_two_seconds() {
    let vault = TestVault::serving();
    let mut times: Vec<_> = (1..=9)
        .map(|seq| {
            let (name, path) = page(&vault, "T0000001", seq);
            vault.sftp(CLERK, &format!("put {} /inbox/", path.display())).ok();
            let closed = Instant::now();
            vault.receipt(CLERK, &name, "ACCEPTED");
            closed.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[4].as_secs_f64() < 2.0, "median of {times:?}");
}

#[test]
fn the_same_again_is_a_duplicate_and_other_bytes_a_version() {
    let vault = TestVault::serving();
    let (name, path) = page(&vault, "A0098877", 1);
    vault.upload(CLERK, &name, &fs::read(&path).unwrap()).ok();
    let first = vault.receipt(CLERK, &name, "ACCEPTED");
    vault.upload(CLERK, &name, &fs::read(&path).unwrap()).ok();
    let again = vault.receipt(CLERK, &name, "DUPLICATE");
    vault.verify_receipt(&again, None).ok();
    assert_eq!(vault.evidence().len(), 1);

    vault.upload(CLERK, &name, &media::jpeg(30_000, 99)).ok();
    crate::support::server::wait_for("the second version", || {
        (vault.evidence().len() == 2).then_some(())
    });
    let rows = vault.evidence();
    assert_eq!(rows[0]["id"], rows[1]["id"]);
    assert_eq!(
        (rows[0]["version"].as_u64(), rows[1]["version"].as_u64()),
        (Some(1), Some(2))
    );
    assert_eq!(
        vault.decrypted(&rows[0]),
        fs::read(&path).unwrap(),
        "version 1 stays: {}",
        first.text
    );
    vault.assert_sound();
}

#[test]
fn extensions_and_digests_that_clients_ask_for() {
    let vault = TestVault::serving();
    let (name, path) = page(&vault, "A0098877", 1);
    vault.upload(CLERK, &name, &fs::read(&path).unwrap()).ok();
    vault.receipt(CLERK, &name, "ACCEPTED");
    let digest = crate::support::sha256_of_file(&path);
    vault
        .ssh(CLERK, &format!("sha256sum /inbox/{name}"))
        .ok()
        .says(&digest);
    vault.ssh(CLERK, "rm -rf /").fails();
    vault.sftp(CLERK, "df /inbox").ok();
    vault
        .python(
            CLERK,
            "r = Raw(init=False)\n\
             r.send(INIT, struct.pack('>I', 3))\n\
             kind, body = r.receive()\n\
             for name in ['limits@openssh.com', 'fsync@openssh.com', 'posix-rename@openssh.com',\n\
             \x20            'statvfs@openssh.com', 'expand-path@openssh.com', 'check-file']:\n\
             \x20   assert name.encode() in body, name",
        )
        .ok();
}
