use super::*;
use proptest::prelude::*;

const HEX: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; // "hello"

fn names(text: &str) -> Vec<Option<String>> {
    let digest = sha256_from_hex(HEX).unwrap();
    let found = parse(text.as_bytes()).unwrap_or_else(|reason| panic!("{text:?}: {reason}"));
    assert!(found.iter().all(|checksum| checksum.sha256 == digest));
    found.into_iter().map(|checksum| checksum.name).collect()
}

#[test]
fn every_form_that_branches_send_is_read() {
    let spaced = HEX
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect::<Vec<_>>()
        .join(" ");
    let done = "CertUtil: -hashfile command completed successfully.";
    for (text, name) in [
        (format!("{HEX}  a.mp4\n"), Some("a.mp4")),
        (format!("{HEX} *a.mp4\r\n"), Some("a.mp4")),
        (format!("{}  ./d/a.mp4", HEX.to_uppercase()), Some("d/a.mp4")),
        (format!("{HEX} a.mp4"), Some("a.mp4")),
        (format!("{HEX}\t视频 1.mp4"), Some("视频 1.mp4")),
        (format!("{HEX}  /home/clerk/a.mp4"), Some("a.mp4")),
        (format!("\\{HEX}  d\\\\a.mp4"), Some("d/a.mp4")),
        (format!("SHA256 (a (1).mp4) = {HEX}"), Some("a (1).mp4")),
        (format!("SHA2-256(a.mp4)= {HEX}\n"), Some("a.mp4")),
        (format!("{HEX}\n"), None),
        (format!("\u{feff}# made by a script\n\n{HEX}"), None),
        (
            format!("SHA256 hash of a.mp4:\r\n{HEX}\r\n{done}\r\n"),
            Some("a.mp4"),
        ),
        (
            format!("SHA256 hash of file D:\\video\\a.mp4:\r\n{spaced}\r\n{done}"),
            Some("a.mp4"),
        ),
        (
            format!("SHA256 的 D:\\视频\\a.mp4 哈希:\r\n{HEX}\r\nCertUtil: -hashfile 命令成功完成。\r\n"),
            Some("a.mp4"),
        ),
        (
            format!("SHA256 哈希(文件 a.mp4):\r\n{spaced}\r\nCertUtil: -hashfile 命令成功完成。"),
            Some("a.mp4"),
        ),
        (format!("SHA256 的 a.mp4 哈希：\n{HEX}"), Some("a.mp4")),
        (
            format!("SHA256 hash of filename.pdf:\n{HEX}"),
            Some("filename.pdf"),
        ),
    ] {
        assert_eq!(names(&text), [name.map(str::to_owned)], "{text}");
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(
            parse(&[b"\xff\xfe".as_slice(), &utf16].concat()),
            parse(text.as_bytes()),
            "{text}"
        );
        let gbk = encoding_rs::GB18030.encode(&text).0;
        assert_eq!(parse(&gbk), parse(text.as_bytes()), "{text}");
    }
    assert_eq!(names(&format!("{HEX}  a\n{HEX}  b\n{HEX}  a\n")).len(), 2);
}

#[test]
fn what_proves_nothing_is_refused() {
    let other = HEX.replace('2', "3");
    for (text, code) in [
        (String::new(), "checksum_file"),
        ("SHA256 hash of a.mp4:\n".to_owned(), "checksum_file"),
        (format!("{HEX}  a\n{other}  a\n"), "checksum_file"),
        (format!("{}  a\n", &HEX[..63]), "checksum_file"),
        (format!("{HEX}0  a\n"), "checksum_file"),
        (format!("{HEX}  ../a\n"), "checksum_file"),
        (format!("\\{HEX}  a\\nb\n"), "checksum_file"),
        (
            "CertUtil: -hashfile command FAILED: 0x80070002\n".to_owned(),
            "checksum_file",
        ),
        (
            "d41d8cd98f00b204e9800998ecf8427e  a.mp4".to_owned(),
            "checksum_algorithm",
        ),
        (
            "da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned(),
            "checksum_algorithm",
        ),
        (
            "MD5 的 a.mp4 哈希:\nd41d8cd98f00b204e9800998ecf8427e".to_owned(),
            "checksum_algorithm",
        ),
        ("SHA1 hash of a.mp4:\nx".to_owned(), "checksum_algorithm"),
        ("SHA512 (a) = 00".to_owned(), "checksum_algorithm"),
        ("hello".to_owned(), "checksum_file"),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap_err().code, code, "{text}");
    }
    assert_eq!(
        parse(&vec![b'#'; MAX_BYTES + 1]).unwrap_err().code,
        "checksum_file"
    );
    assert_eq!(parse(b"\xff\xff\xff").unwrap_err().code, "checksum_file");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_text_panics(text in "[SHAhash256 的哈希:()=*\\\\\r\n0-9a-f./]{0,160}") {
        let _ = parse(text.as_bytes());
    }
}
