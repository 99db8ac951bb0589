//! The custody log read without the program's code: entry bundles, RFC 6962 hashes, roots at any size.
//!
//! A second implementation on purpose, so that a mistake in the first can't hide in its own mirror.

use ring::digest::{SHA256, digest};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the bundle of entries `256·index…` lies when the log has `size` entries.
pub fn bundle_path(log: &Path, index: u64, size: u64) -> PathBuf {
    tile_path(log, "entries", index, (size - index * 256).min(256))
}

/// Where a hash tile lies that is `width` hashes wide.
pub fn tile_path(log: &Path, level: &str, index: u64, width: u64) -> PathBuf {
    // C2SP tlog-tiles: three digits a component, all but the last marked with an x.
    let name = if index < 1_000 {
        format!("{index:03}")
    } else {
        format!("x{:03}/{:03}", index / 1_000, index % 1_000)
    };
    let suffix = if width == 256 {
        String::new()
    } else {
        format!(".p/{width}")
    };
    log.join(format!("tile/{level}/{name}{suffix}"))
}

/// The first `size` entries of a log on disk.
pub fn entries(log: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for index in 0..size.div_ceil(256) {
        let path = bundle_path(log, index, size);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        entries.extend(split_bundle(&bytes));
    }
    assert_eq!(
        entries.len() as u64,
        size,
        "the bundles don't hold what the checkpoint covers"
    );
    entries
}

/// The entries of one bundle: each behind its length in two bytes, big-endian.
pub fn split_bundle(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        bytes = rest;
    }
    entries
}

/// A bundle of these entries.
pub fn join_bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|entry| [&(entry.len() as u16).to_be_bytes(), entry.as_slice()].concat())
        .collect()
}

/// The root of the first `size` entries, base64 as a checkpoint shows it.
pub fn root(entries: &[Vec<u8>]) -> String {
    use base64::Engine;
    // RFC 6962, 2.1, as it is written there.
    fn tree(entries: &[Vec<u8>]) -> Vec<u8> {
        match entries {
            [] => digest(&SHA256, b"").as_ref().to_vec(),
            [entry] => digest(&SHA256, &[&[0], entry.as_slice()].concat())
                .as_ref()
                .to_vec(),
            _ => {
                let middle = entries.len().next_power_of_two() / 2;
                let (left, right) = (tree(&entries[..middle]), tree(&entries[middle..]));
                digest(&SHA256, &[&[1], left.as_slice(), &right].concat())
                    .as_ref()
                    .to_vec()
            }
        }
    }
    base64::engine::general_purpose::STANDARD.encode(tree(entries))
}

/// Size and root that a signed checkpoint names.
pub fn parse_checkpoint(note: &str) -> Option<(u64, String)> {
    let mut lines = note.lines().skip(1);
    let size = lines.next()?.parse().ok()?;
    let root = lines.next()?;
    // A whole note has a signature after the empty line.
    lines.find(|line| line.starts_with("— "))?;
    Some((size, root.to_owned()))
}
