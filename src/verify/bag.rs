//! An exported bag (BagIt 1.0, RFC 8493): its manifests, then the receipt in it with the original beside it.
//!
//! Invariant: the bag's own manifests only show that it is whole; what it is worth is shown by the receipt, under a key
//! that came from somewhere else than the bag.

use super::{
    Keys, Report,
    input::{self, InputError},
    receipt::{self, Checked, Files, check_commitments},
};
use crate::{
    domain::{event::Record, hex},
    tlog::merkle::leaf_hash,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Longest manifest or tag file that is read, in bytes.
const MAX_TAG_BYTES: usize = 4 * 1024 * 1024;
/// Longest record that is read, in bytes.
const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// What an export leaves in the folder until it is whole.
const INCOMPLETE: &str = "INCOMPLETE.txt";
/// The files of every bag; the one payload file besides them is the original.
const OWN: [&str; 7] = [
    "data/record.json",
    "data/receipt.json",
    "data/receipt.tlog-proof",
    "data/receipt.txt",
    "data/log.pub",
    "data/custody.json",
    "data/VERIFY.txt",
];
/// Where copies made from the original lie.
const DERIVED: &str = "data/derived/";
const DECLARATION: &[u8] = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// Checks the bag at `root`. `key_file` is where the log's key was read from.
///
/// # Errors
/// When the folder or a file in it can't be read.
pub fn check(
    root: &Path,
    keys: &Keys,
    key_file: Option<&Path>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, InputError> {
    let mut report = Report::new(root.display().to_string());
    let payload = manifests(root, progress, &mut report)?;
    let originals: Vec<&String> = payload
        .keys()
        .filter(|path| !OWN.contains(&path.as_str()) && !path.starts_with(DERIVED))
        .collect();
    let original = match originals.as_slice() {
        [path] => Some(input::digest_original(&root.join(path), progress)?),
        found => {
            report.failed(
                "original",
                format!("a bag has one original, this one has {}", found.len()),
            );
            None
        }
    };
    let files = Files::read(&root.join("data/receipt"), None)?;
    let checked = receipt::check(&files.as_receipt(), keys, original.as_ref());
    own_key(root, keys, key_file, &mut report)?;
    record(root, &files, &checked, &mut report)?;
    if root.join("data/custody.json").exists() {
        report.limit(
            "data/custody.json",
            "an extract that the vault made; this receipt doesn't prove it",
        );
    }
    if payload.keys().any(|path| path.starts_with(DERIVED)) {
        report.limit(
            "data/derived",
            "copies that the vault made for viewing; this receipt doesn't prove them",
        );
    }
    report.meaning = checked.report.meaning.clone();
    report.absorb(checked.report);
    Ok(report)
}

/// Manifests, tag manifest, declaration and Payload-Oxum. Gives the payload's files that are there and as listed.
fn manifests(
    root: &Path,
    progress: &mut dyn FnMut(u64),
    report: &mut Report,
) -> Result<BTreeMap<String, u64>, InputError> {
    if root.join(INCOMPLETE).exists() {
        report.failed(INCOMPLETE, "the export was not finished");
    }
    match input::read_if_there(&root.join("bagit.txt"), MAX_TAG_BYTES)? {
        Some(bytes) if bytes == DECLARATION => report.passed("bagit.txt", "BagIt 1.0"),
        Some(_) => report.failed("bagit.txt", "another declaration than BagIt 1.0 in UTF-8"),
        None => report.failed("bagit.txt", "missing: this folder is no bag"),
    }
    let mut whole = BTreeMap::new();
    for name in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        let Some(listed) = read_manifest(root, name, report)? else {
            continue;
        };
        let mut right = 0;
        for (path, sha256) in &listed {
            match input::digest_original(&root.join(path), progress) {
                Ok(found) if found.sha256 == *sha256 => {
                    right += 1;
                    whole.insert(path.clone(), found.size_bytes);
                }
                Ok(_) => report.failed(path, format!("damaged: its SHA-256 is not the one in {name}")),
                Err(InputError::Missing(_)) => report.failed(path, format!("missing: listed in {name}")),
                Err(error) => report.failed(path, error.to_string()),
            }
        }
        report.passed(name, format!("{right} of {} files are as listed", listed.len()));
        let wanted: &[&str] = if name.starts_with("tag") {
            &["bagit.txt", "bag-info.txt", "manifest-sha256.txt"]
        } else {
            &OWN
        };
        for path in wanted
            .iter()
            .filter(|path| !listed.contains_key(**path) && **path != "data/custody.json")
        {
            report.failed(*path, format!("not listed in {name}"));
        }
    }
    let mut present = BTreeSet::new();
    collect(root, root, 0, &mut present, report)?;
    let known =
        |path: &str| whole.contains_key(path) || path == "tagmanifest-sha256.txt" || path == INCOMPLETE;
    for path in present.iter().filter(|path| !known(path)) {
        if path.starts_with("data/") && !report.checks.iter().any(|check| check.what == *path) {
            report.failed(path, "extra: in no manifest");
        } else if !path.starts_with("data/") {
            report.limit(path, "no part of the bag, and not checked");
        }
    }
    whole.retain(|path, _| path.starts_with("data/"));
    oxum(root, &whole, report)?;
    Ok(whole)
}

/// The lines of a manifest: digest by path, line breaks and percent signs decoded (RFC 8493, section 2.1.3).
fn read_manifest(
    root: &Path,
    name: &str,
    report: &mut Report,
) -> Result<Option<BTreeMap<String, [u8; 32]>>, InputError> {
    let Some(bytes) = input::read_if_there(&root.join(name), MAX_TAG_BYTES)? else {
        report.failed(name, "missing");
        return Ok(None);
    };
    let mut listed = BTreeMap::new();
    let text = String::from_utf8_lossy(&bytes);
    for line in text.lines() {
        let parsed = line.split_once(' ').and_then(|(digest, path)| {
            let path = path
                .trim_start()
                .replace("%0A", "\n")
                .replace("%0D", "\r")
                .replace("%25", "%");
            let inside = path
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..");
            let fits = name.starts_with("tag") != path.starts_with("data/");
            (inside && fits).then_some((path, hex::decode_array::<32>(digest).ok()?))
        });
        match parsed {
            Some((path, digest)) if !listed.contains_key(&path) => {
                listed.insert(path, digest);
            }
            _ => report.failed(name, format!("a line that is wrong or stands twice: {line}")),
        }
    }
    Ok(Some(listed))
}

/// Every file below the bag's root, as a path from there; links and devices are findings.
fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    present: &mut BTreeSet<String>,
    report: &mut Report,
) -> Result<(), InputError> {
    for (path, kind) in input::list(folder)? {
        let below = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        if kind.is_dir() && depth < 8 {
            collect(root, &path, depth + 1, present, report)?;
        } else if kind.is_file() {
            present.insert(below);
        } else {
            report.failed(below, "not a regular file");
        }
    }
    Ok(())
}

/// `Payload-Oxum: <bytes>.<files>` in `bag-info.txt`.
fn oxum(root: &Path, payload: &BTreeMap<String, u64>, report: &mut Report) -> Result<(), InputError> {
    let info = input::read_if_there(&root.join("bag-info.txt"), MAX_TAG_BYTES)?.unwrap_or_default();
    let info = String::from_utf8_lossy(&info);
    let said = info.lines().find_map(|line| line.strip_prefix("Payload-Oxum: "));
    let found = format!("{}.{}", payload.values().sum::<u64>(), payload.len());
    match said {
        Some(said) if said == found => report.passed("Payload-Oxum", found),
        Some(said) => report.failed(
            "Payload-Oxum",
            format!("bag-info.txt says {said}, the payload is {found}"),
        ),
        None => report.failed("Payload-Oxum", "bag-info.txt has none"),
    }
    Ok(())
}

/// The key in the bag must be the caller's, and the caller's must not be the one in the bag.
fn own_key(root: &Path, keys: &Keys, key_file: Option<&Path>, report: &mut Report) -> Result<(), InputError> {
    let inside = key_file.is_some_and(|key| input::lies_in(key, root));
    if inside {
        let why = "it lies in the bag itself, so it only shows that the bag agrees with itself: use a copy from elsewhere";
        report.unknown("key", why);
    }
    match (input::read_key(&root.join("data/log.pub")), &keys.log) {
        (Ok(own), Some(key)) if own == *key => report.passed("data/log.pub", "the key given"),
        (Ok(_), Some(_)) => report.failed("data/log.pub", "not the key given"),
        (Ok(_), None) => report.limit(
            "data/log.pub",
            "a key that comes with what it should prove proves nothing",
        ),
        (Err(error), _) => report.failed("data/log.pub", error.to_string()),
    }
    Ok(())
}

/// The record is tied to the leaf by its hash and its openings.
fn record(root: &Path, files: &Files, checked: &Checked, report: &mut Report) -> Result<(), InputError> {
    let Some(bytes) = input::read_if_there(&root.join("data/record.json"), MAX_RECORD_BYTES)? else {
        report.failed("data/record.json", "missing");
        return Ok(());
    };
    let record: Record = match serde_json::from_slice(&bytes) {
        Ok(record) => record,
        Err(error) => {
            report.failed("data/record.json", format!("not a record: {error}"));
            return Ok(());
        }
    };
    let mut lines = Report::new("record");
    let hash = files.as_receipt().leaf.map(|leaf| hex::encode(leaf_hash(leaf).0));
    if hash.as_deref() == Some(&record.leaf_hash) {
        lines.passed("leaf hash", "the leaf's");
    } else {
        lines.failed("leaf hash", "of another leaf");
    }
    if checked
        .proof
        .as_ref()
        .is_some_and(|proof| proof.index != record.leaf_index)
    {
        lines.failed(
            "leaf index",
            format!("{}, which is not the receipt's", record.leaf_index),
        );
    }
    if let Some(leaf) = &checked.leaf {
        check_commitments(leaf, &record.openings, &mut lines);
    }
    lines.limit(
        "private facts",
        "the vault's word: the leaf doesn't commit to them one by one",
    );
    report.absorb(lines);
    Ok(())
}
