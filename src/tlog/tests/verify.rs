use super::store::{Source, entry, log};
use super::*;
use crate::tlog::checkpoint::{Checkpoint, cosign};
use crate::tlog::store::{LogDir, LogWriter};
use crate::tlog::verify::{FindingKind, LogReport, Observer, OlderCheckpoint, verify_log};
use std::{collections::BTreeSet, fs, path::Path};

fn check(root: &Path, older: &[OlderCheckpoint<'_>]) -> LogReport {
    let log = key(ORIGIN, Algorithm::Ed25519, 1);
    verify_log(&LogDir::new(root), log.verifier(), &[], older, &mut ())
}

fn named(report: &LogReport) -> BTreeSet<&str> {
    report
        .findings
        .iter()
        .map(|finding| finding.path.as_str())
        .collect()
}

/// Paths of all files below the log's root.
fn files(root: &Path) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(&path);
    fs::write(path, bytes).unwrap();
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

/// Counts what it is told, and that it comes in order.
#[derive(Default)]
struct Counter {
    next: u64,
    proven: u64,
    progress: u64,
}

impl Observer for Counter {
    fn leaf(&mut self, index: u64, bytes: &[u8], proven: bool) {
        assert!(index >= self.next);
        self.next = index + 1;
        assert!(!proven || bytes == entry(index));
        self.proven += u64::from(proven);
    }

    fn progress(&mut self, leaves: u64, of: u64) {
        assert!(leaves > self.progress && leaves <= of);
        self.progress = leaves;
    }
}

#[test]
fn sound_logs_are_proven_whole() {
    let signer = key(ORIGIN, Algorithm::Ed25519, 1);
    for sizes in [
        &[0_u64][..],
        &[1],
        &[255],
        &[256],
        &[257],
        &[513, 514, 515],
        &[65_536 + 3],
    ] {
        let root = tempfile::tempdir().unwrap();
        let size = log(root.path(), sizes).checkpoint().size;
        let mut counter = Counter::default();
        let report = verify_log(
            &LogDir::new(root.path()),
            signer.verifier(),
            &[],
            &[],
            &mut counter,
        );
        assert!(report.is_sound(), "{sizes:?}: {report:?}");
        assert!(report.notices.is_empty());
        assert_eq!(
            (
                counter.next,
                counter.proven,
                counter.progress,
                report.leaves_proven
            ),
            (size, size, size, size)
        );
        assert_eq!(report.files_checked, files(root.path()).len() as u64 - 1);
    }
}

/// Every file, every kind of damage: found, and no other file blamed.
#[test]
fn each_damaged_file_is_named_and_only_it() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    log(root, &[513, 515]);
    let paths = files(root);
    assert!(
        paths.iter().any(|path| path == "tile/0/002.p/1"),
        "an older width is in the matrix"
    );
    for path in &paths {
        let good = fs::read(root.join(path)).unwrap();
        let last = good.len() - 1;
        let damages = [
            flipped(&good, 0),
            flipped(&good, last / 2),
            flipped(&good, last),
            good[..last].to_vec(),
            good[..last / 2].to_vec(),
            Vec::new(),
            [good.as_slice(), b"\0"].concat(),
        ];
        for (number, damage) in damages.iter().enumerate() {
            put(root, path, damage);
            let report = check(root, &[]);
            assert!(!report.is_sound(), "{path} damage {number}");
            assert!(
                named(&report).contains(path.as_str()),
                "{path} damage {number}: {report:?}"
            );
            if path != "checkpoint" {
                assert_eq!(named(&report).len(), 1, "{path} damage {number}: {report:?}");
            }
        }
        fs::remove_file(root.join(path)).unwrap();
        let report = check(root, &[]);
        // A smaller tree's tile may go once a larger one's is there.
        if path.ends_with(".p/1") && !path.starts_with("tile/2") {
            assert!(report.is_sound(), "{path}: {report:?}");
        } else {
            assert!(named(&report).contains(path.as_str()), "{path}: {report:?}");
            assert!(
                report
                    .findings
                    .iter()
                    .any(|finding| finding.kind == FindingKind::Missing)
            );
            assert!(!report.is_sound());
        }
        put(root, path, &good);
    }
    assert!(check(root, &[]).is_sound());
}

#[test]
fn swapped_files_are_both_named() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    log(root, &[600]);
    let paths: Vec<String> = files(root)
        .into_iter()
        .filter(|path| path != "checkpoint")
        .collect();
    for (position, one) in paths.iter().enumerate() {
        for other in &paths[..position] {
            let (a, b) = (
                fs::read(root.join(one)).unwrap(),
                fs::read(root.join(other)).unwrap(),
            );
            put(root, one, &b);
            put(root, other, &a);
            let report = check(root, &[]);
            let both = BTreeSet::from([one.as_str(), other.as_str()]);
            let mut named = named(&report);
            // Tile and bundle of the right edge both gone: then the root itself is not reached.
            if both == BTreeSet::from(["tile/0/002.p/88", "tile/entries/002.p/88"]) {
                assert!(named.remove("checkpoint"));
            }
            assert_eq!(named, both, "{report:?}");
            put(root, one, &a);
            put(root, other, &b);
        }
    }
    assert!(check(root, &[]).is_sound());
}

#[test]
fn high_tiles_are_judged_and_what_lies_below_stays_proven() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let size = 65_536 + 259;
    log(root, &[size]);
    let expect = |damaged: &[&str], flipped_proves: u64, deleted_proves: u64| {
        let good: Vec<_> = damaged
            .iter()
            .map(|path| fs::read(root.join(path)).unwrap())
            .collect();
        for deleted in [false, true] {
            for (path, good) in damaged.iter().zip(&good) {
                put(root, path, &flipped(good, good.len() - 1));
                if deleted {
                    fs::remove_file(root.join(path)).unwrap();
                }
            }
            let report = check(root, &[]);
            assert_eq!(named(&report), damaged.iter().copied().collect(), "{report:?}");
            let proven = if deleted { deleted_proves } else { flipped_proves };
            assert_eq!(report.leaves_proven, proven, "{damaged:?}");
        }
        for (path, good) in damaged.iter().zip(&good) {
            put(root, path, good);
        }
    };
    expect(&["tile/2/000.p/1"], size, size);
    expect(&["tile/1/000"], size, size);
    expect(&["tile/1/001.p/1"], size, size);
    expect(&["tile/0/017"], size, size);
    expect(&["tile/0/257.p/3"], size, size);
    expect(&["tile/1/000", "tile/2/000.p/1"], size, size);
    expect(&["tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"], size, size);
    expect(&["tile/entries/017"], size - 1, size - 256);
    expect(&["tile/entries/017", "tile/1/000"], size - 1, size - 256);
    expect(
        &["tile/entries/017", "tile/1/000", "tile/2/000.p/1"],
        size - 1,
        size - 256,
    );
}

/// An entry changed, and the tile under it made to fit: the tile above still knows.
#[test]
fn an_entry_changed_together_with_its_tile_is_found() {
    let root = tempfile::tempdir().unwrap();
    log(root.path(), &[600]);
    let forger = tempfile::tempdir().unwrap();
    let mut entries: Vec<Vec<u8>> = (0..600).map(entry).collect();
    entries.swap(7, 8);
    forge(forger.path(), &entries);
    let paths = ["tile/0/000", "tile/entries/000"];
    for path in paths {
        put(root.path(), path, &fs::read(forger.path().join(path)).unwrap());
    }
    let report = check(root.path(), &[]);
    assert_eq!(named(&report), paths.into_iter().collect());
    assert_eq!(report.leaves_proven, 600 - 256);
    // Every tile made to fit: nothing leads to the signed root.
    put(
        root.path(),
        "tile/1/000.p/2",
        &fs::read(forger.path().join("tile/1/000.p/2")).unwrap(),
    );
    let report = check(root.path(), &[]);
    assert_eq!((report.leaves_proven, report.is_sound()), (0, false));
    assert_eq!(report.findings[0].kind, FindingKind::Unproven);
}

/// A whole log over these entries, signed with the real key.
fn forge(root: &Path, entries: &[Vec<u8>]) {
    let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let size = entries.len() as u64;
    let mut writer = LogWriter::create(root).unwrap();
    let entry = |index: u64| Ok(entries[index as usize].clone());
    writer
        .extend(
            0,
            size,
            &mut reader(&hashes),
            entry,
            crate::tlog::store::Durability::Lazy,
        )
        .unwrap();
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root: naive_root(&hashes),
        extensions: vec![],
    };
    let note = checkpoint
        .sign(&key(ORIGIN, Algorithm::Ed25519, 1))
        .unwrap()
        .to_string();
    writer
        .write_checkpoint(note.as_bytes(), crate::tlog::store::Durability::Lazy)
        .unwrap();
}

#[test]
fn checkpoints_kept_elsewhere_expose_another_history() {
    let root = tempfile::tempdir().unwrap();
    let signer = key(ORIGIN, Algorithm::Ed25519, 1);
    let mut source = Source::default();
    let mut kept = Vec::new();
    for size in [0, 1, 200, 256, 300, 600] {
        source.grow(size);
        kept.push(source.checkpoint().sign(&signer).unwrap().to_string());
    }
    let older: Vec<_> = kept
        .iter()
        .map(|note| OlderCheckpoint {
            name: "kept",
            note: note.as_bytes(),
        })
        .collect();
    log(root.path(), &[600]);
    let report = check(root.path(), &older);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.extends.len(), 6);

    // Leaf 250 rewritten and all of it signed again: only what saw that leaf can tell.
    let forger = tempfile::tempdir().unwrap();
    let mut entries: Vec<Vec<u8>> = (0..600).map(entry).collect();
    entries[250] = b"rewritten".to_vec();
    forge(forger.path(), &entries);
    assert!(check(forger.path(), &[]).is_sound());
    let report = check(forger.path(), &older);
    assert_eq!(report.extends.len(), 3);
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Forked; 3]);

    // The end cut off: an old copy put back.
    let rolled = tempfile::tempdir().unwrap();
    log(rolled.path(), &[300]);
    let report = check(rolled.path(), &older);
    assert_eq!(
        (report.extends.len(), report.findings[0].kind),
        (5, FindingKind::RolledBack)
    );
    // Only the checkpoint put back: the rest lies there unproven, and is said to.
    put(root.path(), "checkpoint", kept[4].as_bytes());
    let report = check(root.path(), &older);
    assert_eq!(
        (report.findings.len(), report.findings[0].kind),
        (1, FindingKind::RolledBack)
    );
    assert_eq!((report.leaves_proven, report.notices.is_empty()), (300, false));

    // A lost checkpoint: the newest one kept elsewhere judges.
    fs::remove_file(root.path().join("checkpoint")).unwrap();
    let report = check(root.path(), &older);
    assert_eq!(
        (report.leaves_proven, named(&report), report.is_sound()),
        (600, BTreeSet::from(["checkpoint"]), false)
    );
    let report = check(root.path(), &[]);
    assert_eq!(
        (report.leaves_proven, report.checkpoint, report.findings.len()),
        (0, None, 2)
    );

    let stranger = source
        .checkpoint()
        .sign(&key(ORIGIN, Algorithm::Ed25519, 9))
        .unwrap()
        .to_string();
    let older = [OlderCheckpoint {
        name: "stranger",
        note: stranger.as_bytes(),
    }];
    let report = check(rolled.path(), &older);
    assert_eq!(
        (report.findings[0].kind, named(&report)),
        (FindingKind::BadSignature, BTreeSet::from(["stranger"]))
    );
}

#[test]
fn files_that_do_not_belong_are_named() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    log(root, &[300]);
    for path in [
        "notes.txt",
        "tile/0/000.bak",
        "tile/0/0001",
        "tile/9/000",
        "tile/entries/000.gz",
        "a/b/c/d/e/f/g/h/i/j/k/l/m",
    ] {
        put(root, path, b"x");
        let report = check(root, &[]);
        assert_eq!(
            report
                .findings
                .iter()
                .filter(|finding| finding.kind == FindingKind::Extra)
                .count(),
            1,
            "{path}"
        );
        assert!(
            named(&report).iter().all(|name| path.starts_with(name)),
            "{report:?}"
        );
        fs::remove_file(root.join(path)).unwrap();
    }
    fs::remove_dir_all(root.join("a")).unwrap();
    for path in [".writing", "tile/0/001.p/200", "tile/0/002", "tile/3/000.p/1"] {
        put(root, path, b"x");
        let report = check(root, &[]);
        assert!(!report.notices.is_empty(), "{path}");
        fs::remove_file(root.join(path)).unwrap();
    }
    // Something else in a tile's place: the entries below still make it up.
    fs::remove_file(root.join("tile/0/000")).unwrap();
    fs::create_dir(root.join("tile/0/000")).unwrap();
    let report = check(root, &[]);
    assert_eq!(
        (named(&report), report.leaves_proven),
        (BTreeSet::from(["tile/0/000"]), 300)
    );
}

#[test]
fn witnesses_are_reported_and_a_wrong_one_does_not_hide_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let source = log(root.path(), &[10]);
    let signer = key(ORIGIN, Algorithm::Ed25519, 1);
    let witness = key("witness.example/w", Algorithm::CosignatureV1, 3);
    let witnesses = [witness.verifier().clone()];
    let note = source.checkpoint().sign(&signer).unwrap().to_string();
    let cosigned = cosign(note.as_bytes(), signer.verifier(), &witness, 42).unwrap();
    put(root.path(), "checkpoint", cosigned.to_string().as_bytes());
    let dir = LogDir::new(root.path());
    let report = verify_log(&dir, signer.verifier(), &witnesses, &[], &mut ());
    assert!(report.is_sound());
    assert_eq!(report.cosignatures[0].time, Some(42));

    let mut line = cosigned.signatures()[1].clone();
    line.bytes[20] ^= 1;
    let mut wrong = cosigned.clone();
    wrong.add_signature(line).unwrap();
    put(root.path(), "checkpoint", wrong.to_string().as_bytes());
    let report = verify_log(&dir, signer.verifier(), &witnesses, &[], &mut ());
    assert_eq!(
        (report.leaves_proven, report.cosignatures.len(), report.is_sound()),
        (10, 0, false)
    );
    assert_eq!(report.findings[0].kind, FindingKind::BadSignature);
}
