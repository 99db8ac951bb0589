//! Entries for fuzzing whatever a branch can put into a file: any bytes in, no panic, no runaway, and the invariants that
//! the callers build on. `tests/fuzz` and the property tests drive them.

use std::io::Cursor;

use crate::domain::customer::Numbers;
use crate::domain::doctype::{DEFAULT_TABLE, DocumentTypes};
use crate::ingest::declare::zip::ZipLimits;
use crate::ingest::declare::{bagit, checksum, manifest, zip};
use crate::ingest::naming::Templates;
use crate::ingest::structure::{ContainerWalk, StructureCheck};
use crate::ingest::text::{decode_name, relative_path};

/// Limits that let a fuzzer run at speed.
const SMALL: ZipLimits = ZipLimits {
    max_entries: 64,
    max_total_bytes: 1 << 20,
    max_ratio: 200,
    ratio_from_bytes: 1 << 16,
};

/// `manifest.csv`: declared paths are safe and in their final form.
pub fn manifest(data: &[u8]) {
    let Ok(types) = DocumentTypes::from_toml(DEFAULT_TABLE) else {
        return;
    };
    for declared in manifest::parse(data, &Numbers::default(), &types).unwrap_or_default() {
        assert_eq!(relative_path(&declared.path).as_ref(), Ok(&declared.path));
    }
}

/// Checksum files: at least one digest, names safe and in their final form.
pub fn checksum(data: &[u8]) {
    if let Ok(found) = checksum::parse(data) {
        assert!(!found.is_empty());
        for name in found.into_iter().filter_map(|checksum| checksum.name) {
            assert_eq!(relative_path(&name).as_ref(), Ok(&name));
        }
    }
}

/// Tag files of a bag, cut out of the data at NUL bytes.
pub fn bagit(data: &[u8]) {
    let names = [
        "bagit.txt",
        "manifest-sha256.txt",
        "bag-info.txt",
        "tagmanifest-sha256.txt",
    ];
    let parts = data.split(|&byte| byte == 0).map(<[u8]>::to_vec);
    if let Ok(bag) = bagit::Bag::parse(&names.into_iter().map(str::to_owned).zip(parts).collect()) {
        assert!(
            bag.payload
                .keys()
                .all(|path| path.starts_with("data/") && !path.contains(".."))
        );
        let complete = bag.check(&std::collections::BTreeMap::new()).is_ok();
        assert!(!complete || bag.payload.is_empty() && bag.tags.is_empty());
    }
}

/// Zips: members safe, within the limits.
pub fn zip(data: &[u8]) {
    if let Ok(report) = zip::check(Cursor::new(data), data.len() as u64, &SMALL) {
        assert!(
            report
                .members
                .keys()
                .all(|path| relative_path(path).as_ref() == Ok(path))
        );
        assert!(
            report
                .members
                .values()
                .map(|member| member.size_bytes)
                .sum::<u64>()
                <= SMALL.max_total_bytes
        );
    }
}

/// Every container walk; the magic decides which goes deep.
pub fn structure(data: &[u8]) {
    for ext in [
        "mp4", "mkv", "avi", "wav", "wmv", "mpg", "jpg", "tif", "png", "pdf",
    ] {
        ContainerWalk { zip: SMALL }.check(&mut Cursor::new(data), data.len() as u64, ext);
    }
}

/// Names and paths.
pub fn naming(data: &[u8]) {
    let Ok(types) = DocumentTypes::from_toml(DEFAULT_TABLE) else {
        return;
    };
    if let Ok(name) = decode_name(data) {
        assert!(!name.nfc.contains(['/', '\\', '\0']) && name.nfc != ".." && name.nfc != ".");
        let _ = Templates::default().parse(&[name.nfc.as_str()], &Numbers::default(), &types);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Starting points that reach deep, and room for change.
    fn seeds() -> Vec<Vec<u8>> {
        let hex = "ab".repeat(32);
        vec![
            format!("file,sha256,size,customer\na/b.mp4,{hex},1,000100\n").into_bytes(),
            format!("文件;大小\n视频.mp4;\"1,000\"\n{hex}").into_bytes(),
            format!("SHA256 hash of file C:\\v\\a.mp4:\r\n{hex}\r\nCertUtil: done").into_bytes(),
            format!("\\{hex} *a\\\\b\nSHA256 (x) = {hex}\n{hex}").into_bytes(),
            format!(
                "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\0{hex}  data/a%25\n\0Payload-Oxum: 1.1\n b\0{hex} bagit.txt"
            )
            .into_bytes(),
            "000100012345_20260728_A0098877_WVID_01.mp4".as_bytes().to_vec(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn changed_seeds_keep_the_invariants(
            seed in 0usize..6,
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 0..8),
        ) {
            let mut data = seeds()[seed].clone();
            for (index, value, kind) in edits {
                let at = index.index(data.len().max(1));
                match kind {
                    0 if at < data.len() => { data.remove(at); }
                    1 => data.insert(at.min(data.len()), value),
                    2 => data.truncate(at),
                    _ => if let Some(byte) = data.get_mut(at) { *byte = value },
                }
            }
            for entry in [super::manifest, super::checksum, super::bagit, super::zip, super::structure, super::naming] {
                entry(&data);
            }
        }
    }
}
