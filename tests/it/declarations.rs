//! What branches say about their uploads, in every form they say it: matched, graded, and refused when it differs.

use crate::support::{CLERK, TestVault, command::run, media, sha256};
use std::{fs, process::Command};

const PAGE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";

/// Uploads each file in order in one session.
fn put_all(vault: &TestVault, files: &[(&str, Vec<u8>)]) {
    let batch: String = files
        .iter()
        .zip(0..)
        .map(|((name, bytes), number)| {
            let local = vault.file(format!("declared-{number}-{}", &sha256(bytes)[..12]), bytes);
            format!("put {} \"/inbox/{name}\"\n", local.display())
        })
        .collect();
    vault.sftp(CLERK, &batch).ok();
}

#[test]
fn manifest_in_three_encodings() {
    let vault = TestVault::serving();
    for (number, encoding) in ["utf-8", "utf-8-bom", "gb18030"].into_iter().enumerate() {
        let content = media::jpeg(20_000, number as u64);
        let text = format!(
            "文件,大小,SHA-256,客户编号,流水号,文件类别,序号\r\n见证第{number}页.jpg,{},{},000100012345,A0098877,IDF,{}\r\n",
            content.len(),
            sha256(&content),
            number + 1
        );
        let manifest = match encoding {
            "gb18030" => encoding_rs::GB18030.encode(&text).0.into_owned(),
            "utf-8-bom" => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            _ => text.into_bytes(),
        };
        vault.sftp(CLERK, &format!("mkdir /inbox/{encoding}")).ok();
        let page = format!("见证第{number}页.jpg");
        put_all(
            &vault,
            &[
                (&format!("{encoding}/manifest.csv"), manifest),
                (&format!("{encoding}/{page}"), content.clone()),
            ],
        );
        let receipt = vault.receipt(CLERK, &page, "ACCEPTED");
        assert_eq!(receipt.fact("grade"), "declared", "{encoding}: {}", receipt.text);
        assert_eq!(receipt.fact("sha256"), sha256(&content));
        vault.verify_receipt(&receipt, None).ok();
    }
    assert_eq!(vault.evidence().len(), 3);
}

#[test]
fn manifest_after_its_files() {
    let vault = TestVault::serving();
    // Nothing but the manifest says what this is: it waits, and is accepted when the manifest comes.
    let content = media::jpeg(20_000, 1);
    put_all(&vault, &[("正面.jpg", content.clone())]);
    vault.receipt(CLERK, "正面.jpg", "WAITING");
    let text = format!(
        "file,sha256,customer,flow,doctype,seq\n正面.jpg,{},000100012345,A0098877,IDF,1\n",
        sha256(&content)
    );
    put_all(&vault, &[("manifest.csv", text.into_bytes())]);
    let receipt = vault.receipt(CLERK, "正面.jpg", "ACCEPTED");
    assert_eq!(receipt.fact("grade"), "declared", "{}", receipt.text);
}

#[test]
fn checksum_files_in_every_form() {
    let vault = TestVault::serving();
    let utf16 = |text: &str| -> Vec<u8> {
        [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect()
    };
    type Form = Box<dyn Fn(&str, &str) -> Vec<u8>>;
    let forms: Vec<(&str, Form)> = vec![
        (
            "sha256sum",
            Box::new(|name, digest| format!("{digest}  {name}\n").into_bytes()),
        ),
        (
            "sha256sum -b, CRLF",
            Box::new(|name, digest| format!("{digest} *{name}\r\n").into_bytes()),
        ),
        (
            "digest alone, upper case",
            Box::new(|_, digest| digest.to_uppercase().into_bytes()),
        ),
        (
            "certutil",
            Box::new(|name, digest| {
                format!("SHA256 的 {name} 哈希:\r\n{digest}\r\nCertUtil: -hashfile 命令成功完成。\r\n")
                    .into_bytes()
            }),
        ),
        (
            "certutil, UTF-16",
            Box::new(move |name, digest| {
                utf16(&format!(
                    "SHA256 hash of {name}:\r\n{digest}\r\nCertUtil: -hashfile command completed successfully.\r\n"
                ))
            }),
        ),
        (
            "certutil of Windows 7, spaced",
            Box::new(|name, digest| {
                let spaced: Vec<_> = digest
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| str::from_utf8(pair).unwrap())
                    .collect();
                format!(
                    "SHA256 hash of file {name}:\r\n{}\r\nCertUtil: -hashfile command completed successfully.\r\n",
                    spaced.join(" ")
                )
                .into_bytes()
            }),
        ),
    ];
    for (number, (form, write)) in forms.iter().enumerate() {
        let name = format!("000100012345_20260728_A0098877_IDF_{:02}.jpg", number + 1);
        let content = media::jpeg(20_000, 100 + number as u64);
        let declaration = write(&name, &sha256(&content));
        put_all(
            &vault,
            &[(&format!("{name}.sha256"), declaration), (&name, content)],
        );
        let receipt = vault.receipt(CLERK, &name, "ACCEPTED");
        assert_eq!(receipt.fact("grade"), "declared", "{form}: {}", receipt.text);
    }
}

#[test]
fn a_mismatch_is_rejected_with_both_digests_and_the_bytes_are_kept() {
    let vault = TestVault::serving();
    let (sent, declared) = (media::jpeg(20_000, 1), sha256(b"what the clerk has at home"));
    put_all(
        &vault,
        &[
            (
                &format!("{PAGE}.sha256"),
                format!("{declared}  {PAGE}\n").into_bytes(),
            ),
            (PAGE, sent.clone()),
        ],
    );
    let receipt = vault.receipt(CLERK, PAGE, "REJECTED");
    assert!(
        receipt.text.contains(&declared) && receipt.text.contains(&sha256(&sent)),
        "{}",
        receipt.text
    );
    vault.verify_receipt(&receipt, None).ok();
    assert!(vault.evidence().is_empty());
    // Kept aside, readable with the identity.
    let accession = receipt.leaf["id"].as_str().unwrap();
    let kept = vault.path.join("kept").join(accession).join("content");
    assert!(kept.exists(), "{}", kept.display());
    assert!(fs::metadata(kept).unwrap().len() > sent.len() as u64);
    vault.assert_sound();
}

#[test]
fn a_wrong_size_and_an_unknown_type_are_rejected_with_what_is_allowed() {
    let vault = TestVault::serving();
    let content = media::jpeg(20_000, 1);
    // Fewer bytes than declared may still come; more can't become fewer.
    let larger = PAGE.replace("_01.", "_02.");
    let (fewer, more) = (content.len() - 1, content.len() + 1);
    let manifest = format!("file,size,sha256\n{PAGE},{fewer},\n{larger},{more},\n");
    put_all(
        &vault,
        &[
            ("manifest.csv", manifest.into_bytes()),
            (PAGE, content.clone()),
            (&larger, content.clone()),
        ],
    );
    for (name, declared, outcome) in [(PAGE, fewer, "REJECTED"), (larger.as_str(), more, "WAITING")] {
        let receipt = vault.receipt(CLERK, name, outcome);
        assert!(receipt.text.contains(&declared.to_string()), "{}", receipt.text);
    }

    let unknown = "000100012345_20260728_A0098877_NOSUCH_01.jpg";
    put_all(&vault, &[(unknown, content.clone())]);
    let receipt = vault.receipt(CLERK, unknown, "REJECTED");
    assert!(
        receipt.text.contains("IDF") && receipt.text.contains("WVID"),
        "what is allowed: {}",
        receipt.text
    );

    let short = "0001_20260728_A0098877_IDF_01.jpg";
    put_all(&vault, &[(short, content)]);
    vault.receipt(CLERK, short, "REJECTED");
}

#[test]
fn a_citizen_id_number_in_a_name_is_refused_at_open() {
    let vault = TestVault::serving();
    // A made-up number: region 110101, birthday 1990-03-07, right check digit.
    let ran = vault.python(
        CLERK,
        "s = sftp()\n\
         print(refused(s.open, '/inbox/110101199003070070_20260728_A0098877_IDF_01.jpg', 'w'))\n\
         print(refused(s.mkdir, '/inbox/110101199003070070'))",
    );
    let said = ran.ok().stdout;
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.lines()
            .all(|line| line.to_lowercase().contains("citizen") || line.contains("身份证")),
        "{said}"
    );
    assert!(
        !said.contains("110101199003070070"),
        "the number isn't repeated: {said}"
    );
}

#[test]
fn bags_as_folder_and_as_zip() {
    let vault = TestVault::serving();
    let make = |folder: &str, seed: u64| {
        let page = vault.file(format!("{folder}/{PAGE}"), &media::jpeg(20_000, seed));
        let bag = page.parent().unwrap().to_owned();
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/bagit.py");
        run(
            Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/python"))
                .args([python, "--sha256", "--quiet"])
                .arg(&bag),
        )
        .ok();
        bag
    };
    let bag = make("bag-1", 1);
    let page = bag.join("data").join(PAGE);
    vault
        .sftp(CLERK, &format!("put -r {} /inbox/", bag.display()))
        .ok();
    let receipt = vault.assert_accepted(CLERK, PAGE, &page);
    assert_eq!(receipt.fact("grade"), "declared", "{}", receipt.text);

    // The zip itself stays the evidence.
    let bag = make("bag-2", 2);
    let name = "000100012345_20260728_A0098877_CBND_01.zip";
    let zipped = vault.home.join("files").join(name);
    run(Command::new("zip")
        .args(["-q", "-r"])
        .arg(&zipped)
        .arg("bag-2")
        .current_dir(bag.parent().unwrap()))
    .ok();
    vault
        .sftp(CLERK, &format!("put {} /inbox/", zipped.display()))
        .ok();
    let receipt = vault.assert_accepted(CLERK, name, &zipped);
    assert_eq!(receipt.fact("grade"), "declared", "{}", receipt.text);

    // A bag whose content isn't what its manifest says.
    let bag = make("bag-3", 3);
    fs::write(bag.join("data").join(PAGE), media::jpeg(20_000, 4)).unwrap();
    let name = "000100012345_20260728_A0098877_CBND_02.zip";
    let zipped = vault.home.join("files").join(name);
    run(Command::new("zip")
        .args(["-q", "-r"])
        .arg(&zipped)
        .arg("bag-3")
        .current_dir(bag.parent().unwrap()))
    .ok();
    vault
        .sftp(CLERK, &format!("put {} /inbox/", zipped.display()))
        .ok();
    vault.receipt(CLERK, name, "REJECTED");
}

#[test]
fn hostile_zips_are_rejected() {
    let vault = TestVault::serving();
    let bomb = media::zip(&[("zeros.bin", &vec![0; 64 << 20])]);
    let page = media::jpeg(2_000, 1);
    // The zip writer won't write one name twice, so one of two equally long names is changed afterwards.
    let rename = |bytes: Vec<u8>, from: &str, to: &str| -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut bytes = bytes;
        while let Some(at) = bytes
            .windows(from.len())
            .position(|window| window == from.as_bytes())
        {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
        bytes
    };
    let link = {
        let folder = vault.home.join("link");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("page.jpg")).unwrap();
        let out = vault.home.join("link.zip");
        run(Command::new("zip")
            .args(["-q", "-y"])
            .arg(&out)
            .arg("page.jpg")
            .current_dir(&folder))
        .ok();
        fs::read(out).unwrap()
    };
    let cases = [
        ("bomb", bomb),
        (
            "traversal",
            rename(
                media::zip(&[("aaaaaaa.jpg", &page)]),
                "aaaaaaa.jpg",
                "../../a.jpg",
            ),
        ),
        (
            "absolute",
            rename(
                media::zip(&[("aaaaaaa.jpg", &page)]),
                "aaaaaaa.jpg",
                "/etc/aa.jpg",
            ),
        ),
        (
            "drive",
            rename(
                media::zip(&[("aaaaaaa.jpg", &page)]),
                "aaaaaaa.jpg",
                "C:\\aaaa.jpg",
            ),
        ),
        (
            "duplicate",
            rename(
                media::zip(&[("a1.jpg", &page), ("a2.jpg", &page)]),
                "a2.jpg",
                "a1.jpg",
            ),
        ),
        ("link", link),
    ];
    for (number, (what, bytes)) in cases.into_iter().enumerate() {
        let name = format!("000100012345_20260728_A0098877_CBND_{:02}.zip", number + 1);
        put_all(&vault, &[(&name, bytes)]);
        let receipt = vault.receipt(CLERK, &name, "REJECTED");
        vault.verify_receipt(&receipt, None).ok();
        println!("{what}: {}", receipt.text);
    }
    assert!(vault.evidence().is_empty());
    vault.assert_sound();
}

#[test]
fn an_incomplete_upload_waits_and_expires_by_policy() {
    let mut vault = TestVault::new();
    vault.set_config("ingest", "waiting_hours", 0);
    vault.serve();
    let name = "000100012345_20260728_A0098877_WVID_01.mp4";
    put_all(&vault, &[(name, media::mp4(500_000, 1)[..200_000].to_vec())]);
    // Given up at once by this configuration, at the latest when the server starts again; kept aside, not lost.
    vault.restart();
    let receipt = vault.receipt(CLERK, name, "REJECTED");
    assert!(
        vault
            .path
            .join("kept")
            .join(receipt.leaf["id"].as_str().unwrap())
            .exists()
    );
    vault.assert_sound();
}
