use super::*;
use proptest::prelude::*;

const DECLARED: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

fn bag(files: &[(&str, &str)]) -> Result<Bag, Reason> {
    let owned = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    Bag::parse(&owned.collect())
}

fn line(byte: u8, path: &str) -> String {
    format!("{}  {path}\n", hex::encode([byte; 32]))
}

fn present(files: &[(&str, u8)]) -> BTreeMap<String, Present> {
    let file = |byte| Present {
        size_bytes: 10,
        sha256: [byte; 32],
    };
    files
        .iter()
        .map(|(path, byte)| ((*path).to_owned(), file(*byte)))
        .collect()
}

#[test]
fn a_whole_bag_is_valid() {
    let manifest = line(1, "data/视频.mp4")
        + &line(2, "data/a%25%0Db.pdf")
            .replace("%0D", "")
            .to_uppercase()
            .replace("DATA", "data");
    let tags = line(3, "bagit.txt");
    let bag = bag(&[
        ("bagit.txt", DECLARED),
        ("manifest-sha256.txt", &manifest),
        ("manifest-sha512.txt", "not read"),
        ("tagmanifest-sha256.txt", &tags),
        ("bag-info.txt", "Source: branch\n  eight\nPayload-Oxum: 20.2\n"),
    ])
    .unwrap();
    assert_eq!(bag.info[0], ("Source".to_owned(), "branch eight".to_owned()));
    assert_eq!(bag.other_algorithms, ["sha512"]);
    let files = [
        ("data/视频.mp4", 1),
        ("data/A%B.PDF", 2),
        ("bagit.txt", 3),
        ("manifest-sha256.txt", 9),
    ];
    let summary = bag.check(&present(&files)).unwrap();
    assert_eq!(
        (summary.payload, summary.tag_files),
        (Oxum { bytes: 20, files: 2 }, 1)
    );
    assert!(summary.oxum_checked);
}

#[test]
fn every_difference_is_found() {
    let manifest = line(1, "data/a") + &line(2, "data/b");
    let bag = bag(&[
        ("bagit.txt", DECLARED),
        ("manifest-sha256.txt", &manifest),
        ("bag-info.txt", "Payload-Oxum: 20.2"),
    ])
    .unwrap();
    let codes = |files: &[(&str, u8)]| match bag.check(&present(files)) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(|reason| reason.code).collect(),
    };
    assert!(codes(&[("data/a", 1), ("data/b", 2)]).is_empty());
    assert_eq!(codes(&[("data/a", 1)]), ["bag_missing", "bag_oxum"]);
    assert_eq!(codes(&[("data/a", 1), ("data/b", 7)]), ["bag_mismatch"]);
    assert_eq!(
        codes(&[("data/a", 2), ("data/b", 1)]),
        ["bag_mismatch", "bag_mismatch"]
    );
    assert_eq!(
        codes(&[("data/a", 1), ("data/b", 2), ("data/c", 3)]),
        ["bag_unlisted", "bag_oxum"]
    );
    let extras: Vec<String> = (0..40).map(|n| format!("data/x{n}")).collect();
    let extras: Vec<(&str, u8)> = extras.iter().map(|path| (path.as_str(), 0)).collect();
    assert_eq!(codes(&extras).len(), MAX_FINDINGS + 1);
}

#[test]
fn bags_that_cannot_be_trusted_are_refused() {
    let manifest = line(1, "data/a");
    let with = |name: &'static str, text: &str| {
        let mut files = BTreeMap::from([
            ("bagit.txt", DECLARED),
            ("manifest-sha256.txt", manifest.as_str()),
        ]);
        files.insert(name, text);
        bag(&files.into_iter().collect::<Vec<_>>()).map_or_else(|reason| reason.code, |_| "")
    };
    assert_eq!(with("bag-info.txt", "A: b"), "");
    assert_eq!(with("bagit.txt", "hello"), "bag_declaration");
    assert_eq!(with("bagit.txt", &DECLARED.replace("1.0", "2.0")), "bag_version");
    assert_eq!(
        with("bagit.txt", &DECLARED.replace("UTF-8", "GBK")),
        "bag_encoding"
    );
    assert_eq!(with("fetch.txt", ""), "bag_fetch");
    assert_eq!(with("bag-info.txt", "Payload-Oxum: many"), "bag_info");
    assert_eq!(with("bag-info.txt", " orphan"), "bag_info");
    for path in ["../a", "data/../../a", "/data/a", "other/a", "data/x%0Ay", "C:/a"] {
        assert_eq!(
            with("manifest-sha256.txt", &line(1, path)),
            "bag_manifest",
            "{path}"
        );
    }
    assert_eq!(
        with("manifest-sha256.txt", &(line(1, "data/a") + &line(1, "data/A"))),
        "bag_manifest"
    );
    assert_eq!(with("manifest-sha256.txt", "abc data/a"), "bag_manifest");
    assert_eq!(
        bag(&[("bagit.txt", DECLARED)]).unwrap_err().code,
        "bag_needs_sha256"
    );
    assert_eq!(bag(&[]).unwrap_err().code, "bag_declaration");
}

#[test]
fn version_0_97_keeps_percent_signs() {
    let bare = bag(&[
        ("bagit.txt", DECLARED),
        ("manifest-sha256.txt", &line(1, "data/100% x%2e.pdf")),
    ])
    .unwrap();
    assert!(bare.payload.contains_key("data/100% x%2e.pdf"));
    let old = DECLARED.replace("1.0", "0.97");
    let bag = bag(&[
        ("bagit.txt", &old),
        ("manifest-sha256.txt", &line(1, "*data/100%25 x.pdf")),
    ])
    .unwrap();
    assert!(bag.payload.contains_key("data/100%25 x.pdf"));
}

proptest! {
    #[test]
    fn no_tag_file_panics(
        declaration in "BagIt-Version: (1.0|0.97)\nTag-File-Character-Encoding: UTF-8|[a-z:\n]{0,20}",
        manifest in "([0-9a-f]{64} [ *]?[a-z/.%0-9\\\\]{0,20}\n){0,4}",
        info in "[A-Za-z:. \n0-9-]{0,60}",
    ) {
        let _ = bag(&[
            ("bagit.txt", &declaration), ("manifest-sha256.txt", &manifest), ("bag-info.txt", &info),
        ]);
    }
}
