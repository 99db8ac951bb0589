//! Media that nobody here made: samples and broken files that packages in public registries ship, each with its verdict.
//!
//! `tests/corpus/fetch` brings them, `tests/corpus/expected.csv` says what must come of each. A file without a row, a row
//! without a file and any deviation fail. Its last column says why, where
//! that isn't plain. What came of it stands in `target/corpus/actual.csv` then.

use super::{each, judge};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/corpus/files");
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/expected.csv");
const ACTUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/corpus/actual.csv");

/// Every file of the corpus, in order.
pub(super) fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let packages = fs::read_dir(FILES).expect("run tests/corpus/fetch first");
    for package in packages {
        for file in fs::read_dir(package.unwrap().path()).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    files.sort();
    assert!(!files.is_empty(), "an empty corpus: run tests/corpus/fetch");
    files
}

/// Extension in lower case.
pub(super) fn extension(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase()
}

/// The document type that files with this extension are held against.
fn doctype(ext: &str) -> &'static str {
    match ext {
        "wav" | "mp3" | "m4a" | "wma" => "WAUD",
        "zip" => "CBND",
        "png" | "jpg" | "jpeg" | "tif" | "tiff" | "pdf" => "IDF",
        _ => "WVID",
    }
}

#[test]
fn each_file_gets_its_verdict() {
    let files = files();
    let found = each(&files, |path| {
        let name = path.strip_prefix(FILES).unwrap().to_str().unwrap().to_owned();
        let judged = judge(path, doctype(&extension(path)), false);
        (name, format!("{},{}", judged.verdict, judged.codes.join(" ")))
    });
    let found: BTreeMap<String, String> = found.into_iter().collect();
    let actual: String = found
        .iter()
        .map(|(name, outcome)| format!("{name},{outcome}\n"))
        .collect();
    fs::write(ACTUAL, format!("file,verdict,codes\n{actual}")).unwrap();
    let text = fs::read_to_string(EXPECTED).unwrap();
    let expected: BTreeMap<String, String> = text
        .lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.splitn(4, ',');
            let mut column = || columns.next().expect("file,verdict,codes,why");
            (column().to_owned(), format!("{},{}", column(), column()))
        })
        .collect();
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let deviations: Vec<String> = names
        .into_iter()
        .filter(|name| found.get(*name) != expected.get(*name))
        .map(|name| {
            let told = |table: &BTreeMap<String, String>| {
                table.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
            };
            format!("{name}: expected {}, got {}", told(&expected), told(&found))
        })
        .collect();
    println!("{} files", found.len());
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
}
