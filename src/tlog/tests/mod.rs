//! Tests of the log's mechanism, a file for each idea; the known answers name their source.

mod merkle;
mod note;
mod store;
mod verify;

use super::merkle::{EMPTY_ROOT, Hash, HashReader, leaf_hash, node_hash};
use super::note::{Algorithm, SignerKey};
use zeroize::Zeroizing;

/// A log's name in tests.
pub(super) const ORIGIN: &str = "muniment.example/vault-1";

/// A key from a seed that is one byte repeated.
pub(super) fn key(name: &str, algorithm: Algorithm, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, algorithm, Zeroizing::new([seed; 32])).unwrap()
}

/// Distinct leaf hashes.
pub(super) fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

/// RFC 6962 §2.1 word for word: the oracle that everything quicker is compared with.
pub(super) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let left = leaves.len().next_power_of_two() / 2;
            node_hash(&naive_root(&leaves[..left]), &naive_root(&leaves[left..]))
        }
    }
}

/// Reads tile hashes straight from a list of leaf hashes; fails on what a tree of these leaves has no tile for.
pub(super) fn reader(leaves: &[Hash]) -> impl HashReader<Error = String> {
    move |level: u8, index: u64| {
        let span = 1_usize << (8 * u32::from(level));
        let start = index as usize * span;
        leaves
            .get(start..start + span)
            .map(naive_root)
            .ok_or(format!("no hash {level}/{index}"))
    }
}
