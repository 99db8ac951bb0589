use super::*;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::{
    consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion,
};
use crate::tlog::store::{Durability, LogDir, LogWriter, StoreError};
use crate::tlog::tile::{
    Content, TileError, TileId, decode_bundle, decode_hashes, encode_bundle, encode_hashes, width_in,
};
use crate::tlog::tree::TreeTail;
use proptest::prelude::*;
use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt, path::Path};

/// What the sequencer holds beside the files: entries, every tile hash, the right edge.
#[derive(Default)]
pub(super) struct Source {
    tail: TreeTail,
    hashes: HashMap<(u8, u64), Hash>,
}

pub(super) fn entry(index: u64) -> Vec<u8> {
    // Lengths differ, and every thousandth entry is empty.
    if index % 1000 == 999 {
        Vec::new()
    } else {
        format!("entry {index} {}", "x".repeat(index as usize % 7)).into()
    }
}

impl Source {
    pub(super) fn grow(&mut self, size: u64) {
        for index in self.tail.size()..size {
            self.tail.append(leaf_hash(&entry(index)), |level, index, hash| {
                self.hashes.insert((level, index), hash);
            });
        }
    }

    /// Brings the files from `from` leaves to all there are, and publishes the checkpoint.
    pub(super) fn publish(&self, writer: &mut LogWriter, from: u64) {
        let (mut hashes, entries) = (
            |level: u8, index: u64| self.hashes.get(&(level, index)).copied().ok_or(()),
            |index| Ok(entry(index)),
        );
        writer
            .extend(from, self.tail.size(), &mut hashes, entries, Durability::Lazy)
            .unwrap();
        let log = key(ORIGIN, Algorithm::Ed25519, 1);
        writer
            .write_checkpoint(
                &self.checkpoint().sign(&log).unwrap().to_string().into_bytes(),
                Durability::Lazy,
            )
            .unwrap();
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size: self.tail.size(),
            root: self.tail.root(),
            extensions: vec![],
        }
    }
}

/// A published log that grew to each of these sizes.
pub(super) fn log(root: &Path, sizes: &[u64]) -> Source {
    let mut source = Source::default();
    let mut writer = LogWriter::create(root).unwrap();
    for size in sizes {
        let from = source.tail.size();
        source.grow(*size);
        source.publish(&mut writer, from);
    }
    source
}

#[test]
fn paths_are_those_of_the_specification() {
    let hashes = |level, index, width| TileId {
        content: Content::Hashes(level),
        index,
        width,
    };
    let entries = |index, width| TileId {
        content: Content::Entries,
        index,
        width,
    };
    let known = [
        (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (hashes(2, 0, 1), "tile/2/000.p/1"),
        (hashes(7, 999, 255), "tile/7/999.p/255"),
        (entries(273, 112), "tile/entries/273.p/112"),
        (
            entries(u64::MAX, 256),
            "tile/entries/x018/x446/x744/x073/x709/x551/615",
        ),
    ];
    for (tile, path) in known {
        assert_eq!((tile.path().as_str(), TileId::parse(path)), (path, Ok(tile)));
    }
    let bad = [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/8/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/+01",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/x001//000",
        "tile/entries/x018/x446/x744/x073/x709/x551/616",
        "tile/0/é00",
    ];
    for path in bad {
        assert_eq!(TileId::parse(path), Err(TileError::Path), "{path}");
    }
}

/// The example of tlog-tiles: 70,000 leaves.
#[test]
fn widths_are_those_of_the_specification() {
    let width = |level, index| width_in(Content::Hashes(level), index, 70_000);
    assert_eq!(
        (width(0, 272), width(0, 273), width(0, 274)),
        (Some(256), Some(112), None)
    );
    assert_eq!(
        (width(1, 0), width(1, 1), width(1, 2)),
        (Some(256), Some(17), None)
    );
    assert_eq!((width(2, 0), width(2, 1), width(3, 0)), (Some(1), None, None));
    assert_eq!(width_in(Content::Hashes(1), 0, 256), Some(1));
    assert_eq!(width_in(Content::Entries, u64::MAX, u64::MAX), None);
    assert_eq!(width_in(Content::Hashes(255), 0, u64::MAX), None);
}

#[test]
fn bundles_and_tiles_are_bounded() {
    let entries = [b"".to_vec(), vec![7; 65_535], b"x".to_vec()];
    let bytes = encode_bundle(&entries).unwrap();
    assert_eq!(
        decode_bundle(&bytes, 3).unwrap(),
        entries.iter().map(Vec::as_slice).collect::<Vec<_>>()
    );
    assert_eq!(decode_bundle(&bytes, 2), Err(TileError::Trailing(3)));
    assert_eq!(decode_bundle(&bytes, 4), Err(TileError::Truncated { entry: 3 }));
    assert_eq!(
        decode_bundle(&bytes[..bytes.len() - 1], 3),
        Err(TileError::Truncated { entry: 2 })
    );
    assert_eq!(
        decode_bundle(&bytes[..1], 1),
        Err(TileError::Truncated { entry: 0 })
    );
    assert_eq!(
        encode_bundle(&[vec![0; 65_536]]),
        Err(TileError::EntryTooLong(65_536))
    );
    let hashes = leaves(3);
    assert_eq!(decode_hashes(&encode_hashes(&hashes), 3).unwrap(), hashes);
    assert_eq!(
        decode_hashes(&[0; 95], 3),
        Err(TileError::Length {
            expected: 96,
            found: 95
        })
    );
}

proptest! {
    #[test]
    fn bundles_from_anywhere_are_refused_or_spelled_alike(bytes in prop::collection::vec(0_u8..4, 0..40), width in 0_u16..9) {
        if let Ok(entries) = decode_bundle(&bytes, width) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }

    #[test]
    fn paths_from_anywhere_are_refused_or_spelled_alike(path in "tile/(entries|[0-9])/(x[0-9]{3}/){0,2}[0-9x]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = TileId::parse(&path) {
            prop_assert_eq!(tile.path(), path);
        }
    }
}

#[test]
fn logs_of_every_shape_come_back() {
    for sizes in [
        &[0_u64][..],
        &[1],
        &[255],
        &[256],
        &[257],
        &[1, 255, 256, 257, 300],
        &[65_536 + 3],
    ] {
        let root = tempfile::tempdir().unwrap();
        let source = log(root.path(), sizes);
        let (dir, size) = (LogDir::new(root.path()), source.tail.size());
        let opened = crate::tlog::checkpoint::open(
            &dir.checkpoint().unwrap().unwrap(),
            key(ORIGIN, Algorithm::Ed25519, 1).verifier(),
            &[],
        );
        assert_eq!(opened.unwrap().checkpoint, source.checkpoint());
        let mut expected = 0;
        for leaf in dir.leaves(0..size, size) {
            assert_eq!(leaf.unwrap(), (expected, entry(expected)));
            expected += 1;
        }
        assert_eq!(expected, size);
        let mut reader = dir.reader(size);
        assert_eq!(root_at(size, &mut reader).unwrap(), source.tail.root());
        assert_eq!(TreeTail::read(size, &mut reader).unwrap(), source.tail);
        for index in [0, size / 3, size.saturating_sub(1)]
            .into_iter()
            .filter(|index| *index < size)
        {
            let proof = inclusion_proof(index, size, &mut reader).unwrap();
            verify_inclusion(
                &leaf_hash(&entry(index)),
                index,
                size,
                &proof,
                &source.tail.root(),
            )
            .unwrap();
            let old = root_at(index, &mut reader).unwrap();
            let proof = consistency_proof(index, size, &mut reader).unwrap();
            verify_consistency(index, &old, size, &source.tail.root(), &proof).unwrap();
        }
        assert!(!root.path().join(".writing").exists());
        // Nothing lies on disk that the sizes did not call for, and what is full has no partial tiles left.
        assert_eq!(root.path().join("tile/entries/000").exists(), size >= 256);
        assert!(size < 256 || !root.path().join("tile/entries/000.p").exists());
    }
}

#[test]
fn ranges_of_leaves_start_and_end_anywhere() {
    let root = tempfile::tempdir().unwrap();
    log(root.path(), &[600]);
    let dir = LogDir::new(root.path());
    for range in [0..0, 5..6, 250..260, 255..513, 599..600] {
        let read: Vec<u64> = dir
            .leaves(range.clone(), 600)
            .map(|leaf| leaf.unwrap().0)
            .collect();
        assert_eq!(read, range.collect::<Vec<_>>());
    }
    let beyond: Vec<_> = dir.leaves(598..700, 600).collect();
    assert!(matches!(
        beyond.as_slice(),
        [Ok(_), Ok(_), Err(StoreError::OutOfRange)]
    ));
    fs::remove_file(root.path().join("tile/entries/001")).unwrap();
    let broken: Vec<_> = dir.leaves(255..600, 600).collect();
    assert!(
        matches!(broken.as_slice(), [Ok(_), Err(StoreError::Missing { path })] if path == "tile/entries/001")
    );
}

#[test]
fn smaller_trees_are_read_from_wider_tiles() {
    let root = tempfile::tempdir().unwrap();
    let source = log(root.path(), &[5, 9]);
    let dir = LogDir::new(root.path());
    let old = naive_root(&(0..5).map(|index| leaf_hash(&entry(index))).collect::<Vec<_>>());
    for path in ["tile/0/000.p/5", "tile/entries/000.p/5"] {
        assert_eq!(root_at(5, &mut dir.reader(5)).unwrap(), old);
        assert_eq!(dir.leaves(0..5, 5).count(), 5);
        fs::remove_file(root.path().join(path)).unwrap();
    }
    assert_eq!(root_at(5, &mut dir.reader(5)).unwrap(), old);
    assert_eq!(dir.leaves(0..5, 5).filter_map(Result::ok).count(), 5);
    assert_eq!(source.tail.size(), 9);
}

#[test]
fn writing_again_heals_and_never_replaces_a_full_tile() {
    let root = tempfile::tempdir().unwrap();
    let mut source = log(root.path(), &[300]);
    let mut writer = LogWriter::create(root.path()).unwrap();
    let full = root.path().join("tile/0/000");
    let edge = root.path().join("tile/0/001.p/44");
    assert_eq!(fs::metadata(&full).unwrap().permissions().mode() & 0o777, 0o444);
    // A power cut may leave a partial tile empty, an unfinished file, and a partial directory beside a full tile.
    fs::remove_file(&edge).unwrap();
    fs::write(&edge, b"").unwrap();
    fs::write(root.path().join(".writing"), b"half").unwrap();
    fs::create_dir(root.path().join("tile/0/000.p")).unwrap();
    fs::write(root.path().join("tile/0/000.p/1"), b"").unwrap();
    source.publish(&mut writer, 0);
    assert_eq!(
        root_at(300, &mut writer.dir().reader(300)).unwrap(),
        source.tail.root()
    );
    assert!(!root.path().join("tile/0/000.p").exists());
    // Growing after that goes on as ever.
    source.grow(600);
    source.publish(&mut writer, 300);
    assert!(!root.path().join("tile/0/001.p").exists());

    let bytes = fs::read(&full).unwrap();
    let tile = TileId {
        content: Content::Hashes(0),
        index: 0,
        width: 256,
    };
    writer.write_tile(tile, &bytes, Durability::Durable).unwrap();
    let mut other = bytes.clone();
    other[0] ^= 1;
    let conflict = writer.write_tile(tile, &other, Durability::Durable);
    assert!(matches!(conflict, Err(StoreError::Conflict { path }) if path == "tile/0/000"));
    assert_eq!(fs::read(&full).unwrap(), bytes);
}

#[test]
fn odd_files_are_refused_not_followed() {
    let root = tempfile::tempdir().unwrap();
    log(root.path(), &[3]);
    let dir = LogDir::new(root.path());
    let tile = root.path().join("tile/0/000.p/3");
    let kept = fs::read(&tile).unwrap();
    fs::remove_file(&tile).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &tile).unwrap();
    assert!(matches!(dir.hashes(0, 0, 3), Err(StoreError::NotAFile { .. })));
    fs::remove_file(&tile).unwrap();
    fs::write(&tile, &kept[..95]).unwrap();
    assert!(matches!(
        dir.hashes(0, 0, 3),
        Err(StoreError::Tile {
            source: TileError::Length { .. },
            ..
        })
    ));
    fs::write(&tile, vec![0; 256 * 32 + 1]).unwrap();
    assert!(matches!(dir.hashes(0, 0, 3), Err(StoreError::TooLarge { .. })));
    assert!(matches!(dir.hashes(0, 1, 3), Err(StoreError::OutOfRange)));
    assert!(
        LogDir::new(root.path().join("nowhere"))
            .checkpoint()
            .unwrap()
            .is_none()
    );
}
