//! Media that nobody here made: samples and broken files that packages in public registries ship, each with its verdict.
//!
//! `tests/corpus/fetch` brings them, `tests/corpus/expected.csv` says what must come of each, by the file's digest and
//! extension: names are for people. A file that the table doesn't know, a row without a file and any deviation fail; the
//! lines that are missing stand in `target/corpus/actual.csv` then. Its last column says why, where that isn't plain.
//!
//! Debian's sources come in the version that the machine's release has. Of a package whose version is another one than the
//! table's, files that the table knows keep their verdict; the others must only be inspected, and the test says so.
//!
//! Packages with more than [`MANY`] files are looked at in part: those whose digest begins with 0 to 3.
//! `MUNIMENT_CORPUS_ALL=1` looks at all.

use super::{each, judge, variable};
use crate::support::sha256;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/corpus/files");
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/expected.csv");
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/sources.txt");
const ACTUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/corpus/actual.csv");
/// Files of a package that are all looked at every time.
const MANY: usize = 200;
/// Digits of a digest that tell a file; the table has no more.
const DIGEST_DIGITS: usize = 16;

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

/// What a file is known by: digest and extension.
type Key = (String, String);

/// A file of the corpus, or a row of the table.
struct Known {
    /// `package-version/file`.
    name: String,
    package: String,
    key: Key,
    path: PathBuf,
}

impl Known {
    fn new(name: &str, digest: &str) -> Self {
        let path = Path::new(FILES).join(name);
        Known {
            name: name.to_owned(),
            package: name.split_once('/').expect("package/file").0.to_owned(),
            key: (digest.to_owned(), extension(&path)),
            path,
        }
    }
}

fn corpus() -> Vec<Known> {
    let files = files();
    let named = each(&files, |path| {
        let name = path.strip_prefix(FILES).unwrap().to_str().unwrap();
        Known::new(name, &sha256(&fs::read(path).unwrap())[..DIGEST_DIGITS])
    });
    let mut count = BTreeMap::<String, usize>::new();
    for file in &named {
        *count.entry(file.package.clone()).or_default() += 1;
    }
    let all = variable("MUNIMENT_CORPUS_ALL", 0) > 0;
    let looked_at = |file: &Known| all || count[&file.package] <= MANY || is_looked_at(&file.key.0);
    named.into_iter().filter(looked_at).collect()
}

fn is_looked_at(digest: &str) -> bool {
    matches!(digest.as_bytes().first(), Some(b'0'..=b'3'))
}

/// Rows of the table and their outcomes. Packages have every file there that they ship, looked at each time or not.
fn table() -> Vec<(Known, String)> {
    let text = fs::read_to_string(EXPECTED).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let mut columns = line.splitn(5, ',');
        let mut column = || columns.next().expect("sha256,file,verdict,codes,why");
        let (digest, name) = (column(), column());
        (Known::new(name, digest), format!("{},{}", column(), column()))
    });
    rows.collect()
}

/// Packages that Debian has in another version here than the table.
fn other_versions(files: &[Known], rows: &[(Known, String)]) -> BTreeSet<String> {
    let sources = fs::read_to_string(SOURCES).unwrap();
    let sources: Vec<String> = sources
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(format!("{}-", line.split_whitespace().next()?)))
        .collect();
    let here: BTreeSet<&String> = files.iter().map(|file| &file.package).collect();
    let known: BTreeSet<&String> = rows.iter().map(|(row, _)| &row.package).collect();
    here.symmetric_difference(&known)
        .filter(|package| sources.iter().any(|source| package.starts_with(source.as_str())))
        .map(|package| (*package).clone())
        .collect()
}

#[test]
fn each_file_gets_its_verdict() {
    let (files, rows) = (corpus(), table());
    let others = other_versions(&files, &rows);
    for package in &others {
        println!("{package}: the table knows another version of it, or this is another release of Debian");
    }
    let expected: BTreeMap<&Key, &String> = rows.iter().map(|(row, outcome)| (&row.key, outcome)).collect();
    let found = each(&files, |file| {
        let judged = judge(&file.path, doctype(&file.key.1), false);
        format!("{},{}", judged.verdict, judged.codes.join(" "))
    });
    let (mut actual, mut deviations) = (String::new(), Vec::new());
    for (file, outcome) in files.iter().zip(&found) {
        actual += &format!("{},{},{outcome},\n", file.key.0, file.name);
        match expected.get(&file.key) {
            Some(expected) if *expected == outcome => {}
            Some(expected) => deviations.push(format!("{}: expected {expected}, got {outcome}", file.name)),
            None if others.contains(&file.package) && !outcome.contains("inspection_failed") => {}
            None => deviations.push(format!(
                "{}: the table doesn't know it; look at it, and add\n    {},{},{outcome},",
                file.name, file.key.0, file.name
            )),
        }
    }
    fs::write(ACTUAL, format!("sha256,file,verdict,codes,why\n{actual}")).unwrap();
    let here: BTreeSet<&Key> = files.iter().map(|file| &file.key).collect();
    let mut rows_of = BTreeMap::<&String, usize>::new();
    for (row, _) in &rows {
        *rows_of.entry(&row.package).or_default() += 1;
    }
    for (row, _) in &rows {
        let left_out = rows_of[&row.package] > MANY && !is_looked_at(&row.key.0);
        if !here.contains(&row.key) && !left_out && !others.contains(&row.package) {
            deviations.push(format!("{}: a row without a file", row.name));
        }
    }
    println!("{} files", files.len());
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
}
