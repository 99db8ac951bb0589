use super::*;
use crate::domain::hex;
use crate::tlog::merkle::{
    MerkleError, consistency_proof, inclusion_proof, root_at, root_of, verify_consistency, verify_inclusion,
};
use crate::tlog::tree::{TailError, TreeTail};
use proptest::prelude::*;

/// The eight inputs of the RFC 6962 test trees, in hexadecimal, and the root after each
/// (transparency-dev/merkle, testonly/constants.go; first published with Google's Certificate Transparency).
const REFERENCE: [(&str, &str); 8] = [
    (
        "",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        "00",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        "10",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ),
    (
        "2021",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (
        "3031",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    ),
    (
        "40414243",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ),
    (
        "5051525354555657",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

fn hash(text: &str) -> Hash {
    Hash(hex::decode_array(text).unwrap())
}

fn reference_leaves() -> Vec<Hash> {
    REFERENCE
        .iter()
        .map(|(input, _)| leaf_hash(&hex::decode(input).unwrap()))
        .collect()
}

#[test]
fn reference_roots() {
    let leaves = reference_leaves();
    let mut tail = TreeTail::new();
    assert_eq!(tail.root(), EMPTY_ROOT);
    for (count, (leaf, (_, root))) in leaves.iter().zip(REFERENCE).enumerate() {
        tail.append(*leaf, |_, _, _| ());
        let so_far = &leaves[..=count];
        let size = so_far.len() as u64;
        let computed = [
            tail.root(),
            naive_root(so_far),
            root_of(so_far),
            root_at(size, &mut reader(so_far)).unwrap(),
        ];
        assert_eq!(computed, [hash(root); 4], "{size} leaves");
    }
}

/// Paths over the same eight leaves, as in the transparency-dev/merkle proof tests.
#[test]
fn reference_proofs() {
    let leaves = reference_leaves();
    let inclusion = inclusion_proof(5, 8, &mut reader(&leaves)).unwrap();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(inclusion, expected.map(hash));
    let consistency = consistency_proof(6, 8, &mut reader(&leaves)).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(consistency, expected.map(hash));
}

#[test]
fn every_small_proof_verifies_and_every_change_of_it_fails() {
    let all = leaves(20);
    for size in 1..=20_u64 {
        let tree = &all[..size as usize];
        let root = naive_root(tree);
        for index in 0..size {
            let proof = inclusion_proof(index, size, &mut reader(tree)).unwrap();
            let verify = |index, size, proof: &[Hash]| {
                verify_inclusion(&tree[index as usize % tree.len()], index, size, proof, &root)
            };
            assert_eq!(verify(index, size, &proof), Ok(()));
            assert_eq!(
                verify_inclusion(&EMPTY_ROOT, index, size, &proof, &root),
                Err(MerkleError::Root)
            );
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(
                    verify(other, size, &proof).is_err(),
                    "{index} as {other} of {size}"
                );
            }
            for changed in changes(&proof) {
                assert!(verify(index, size, &changed).is_err());
            }
        }
        for old in 0..=size {
            let old_root = naive_root(&tree[..old as usize]);
            let proof = consistency_proof(old, size, &mut reader(tree)).unwrap();
            assert_eq!(
                verify_consistency(old, &old_root, size, &root, &proof),
                Ok(()),
                "{old} of {size}"
            );
            for changed in changes(&proof) {
                assert!(
                    verify_consistency(old, &old_root, size, &root, &changed).is_err(),
                    "{old} of {size}"
                );
            }
            let wrong = leaf_hash(b"wrong");
            assert!(verify_consistency(old, &wrong, size, &root, &proof).is_err());
            assert!(old == 0 || verify_consistency(old, &old_root, size, &wrong, &proof).is_err());
            assert!(old == size || verify_consistency(size, &root, old, &old_root, &proof).is_err());
        }
    }
}

/// Every way to spoil a proof by one step: flip, drop, add, swap.
fn changes(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut changes = Vec::new();
    for position in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[position].0[position % 32] ^= 1 << (position % 8);
        let mut dropped = proof.to_vec();
        dropped.remove(position);
        changes.extend([flipped, dropped]);
        if position > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(position, position - 1);
            changes.push(swapped);
        }
    }
    for position in 0..=proof.len() {
        let mut added = proof.to_vec();
        added.insert(position, leaf_hash(b"added"));
        changes.push(added);
    }
    changes
}

#[test]
fn provers_refuse_what_lies_outside() {
    let tree = leaves(3);
    assert!(inclusion_proof(3, 3, &mut reader(&tree)).is_err());
    assert!(inclusion_proof(0, 0, &mut reader(&tree)).is_err());
    assert!(inclusion_proof(0, 9, &mut reader(&tree)).is_err());
    assert!(consistency_proof(4, 3, &mut reader(&tree)).is_err());
    assert!(consistency_proof(0, 0, &mut reader(&tree)).unwrap().is_empty());
}

#[test]
fn provers_reach_the_largest_tree() {
    let mut any =
        |level: u8, index: u64| Ok::<_, ()>(leaf_hash(&[&[level], index.to_be_bytes().as_slice()].concat()));
    let proof = inclusion_proof(u64::MAX - 1, u64::MAX, &mut any).unwrap();
    assert_eq!(proof.len(), 63);
    assert_eq!(consistency_proof(1 << 63, u64::MAX, &mut any).unwrap().len(), 1);
}

#[test]
fn tails_are_validated() {
    let hashes = leaves(300);
    let mut tail = TreeTail::new();
    let mut gained = Vec::new();
    for leaf in &hashes {
        tail.append(*leaf, |level, index, hash| gained.push((level, index, hash)));
    }
    assert_eq!(gained.len(), 301);
    assert_eq!(gained[256], (1, 0, naive_root(&hashes[..256])));
    assert_eq!(gained[300], (0, 299, hashes[299]));
    let parts = tail.tails().to_vec();
    assert_eq!(TreeTail::from_parts(300, parts.clone()).unwrap(), tail);
    let width = |size, level, expected, found| {
        Err(TailError::Width {
            size,
            level,
            expected,
            found,
        })
    };
    assert_eq!(TreeTail::from_parts(301, parts.clone()), width(301, 0, 45, 44));
    assert_eq!(TreeTail::from_parts(44, parts.clone()), width(44, 1, 0, 1));
    assert_eq!(
        TreeTail::from_parts(300, parts[..1].to_vec()),
        width(300, 1, 1, 0)
    );
    assert_eq!(TreeTail::from_parts(0, vec![vec![]; 9]), Ok(TreeTail::new()));
    assert_eq!(
        TreeTail::from_parts(u64::MAX, vec![]),
        Err(TailError::Size(u64::MAX))
    );
    assert_eq!(TreeTail::read(300, &mut reader(&hashes)).unwrap(), tail);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tail_equals_naive_tree_and_proofs_verify(size in 1_u64..1400, at in any::<u64>(), then in any::<u64>()) {
        let tree = leaves(size);
        let mut tail = TreeTail::new();
        let mut gained = 0;
        for leaf in &tree {
            tail.append(*leaf, |_, _, _| gained += 1);
        }
        prop_assert_eq!(gained, size + size / 256);
        let root = naive_root(&tree);
        prop_assert_eq!(tail.root(), root);
        prop_assert_eq!(&TreeTail::read(size, &mut reader(&tree)).unwrap(), &tail);

        let index = at % size;
        let proof = inclusion_proof(index, size, &mut reader(&tree)).unwrap();
        prop_assert_eq!(verify_inclusion(&tree[index as usize], index, size, &proof, &root), Ok(()));
        for changed in changes(&proof) {
            prop_assert!(verify_inclusion(&tree[index as usize], index, size, &changed, &root).is_err());
        }
        let old = then % (size + 1);
        let old_root = naive_root(&tree[..old as usize]);
        let proof = consistency_proof(old, size, &mut reader(&tree)).unwrap();
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
        for changed in changes(&proof) {
            prop_assert!(verify_consistency(old, &old_root, size, &root, &changed).is_err());
        }
    }

    #[test]
    fn checks_are_total(
        sizes in (any::<u64>(), any::<u64>()),
        shifts in (0_u32..64, 0_u32..64),
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
        for (a, b) in [sizes, (sizes.0 >> shifts.0, sizes.1 >> shifts.1), (u64::MAX, u64::MAX - 1), (0, u64::MAX)] {
            prop_assert!(verify_inclusion(&EMPTY_ROOT, a, b, &proof, &EMPTY_ROOT).is_err());
            prop_assert!(a == b || a == 0 || verify_consistency(a, &EMPTY_ROOT, b, &EMPTY_ROOT, &proof).is_err());
        }
    }
}

/// Distinct tiles and hashes that something asks for, of any tree: what they hold doesn't matter to where it looks.
#[derive(Default)]
struct Asked {
    tiles: std::collections::BTreeSet<(u8, u64)>,
    hashes: usize,
}

impl crate::tlog::merkle::HashReader for Asked {
    type Error = std::convert::Infallible;

    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        self.tiles.insert((level, index / 256));
        self.hashes += 1;
        Ok(Hash([level; 32]))
    }
}

/// A proof looks at one tile a level on the leaf's way up and one a level at the right edge, of 256 hashes each: the levels are the
/// logarithm of the size to the base 256.
#[test]
fn proofs_read_two_tiles_a_level_whatever_the_size() {
    for size in [10_000_u64, 1_000_000, 10_000_000, 730_000_000, 1 << 40] {
        let levels = (1..8).find(|level| size >> (8 * level) == 0).unwrap();
        let within = |what: &str, at: u64, asked: &Asked| {
            assert!(
                asked.tiles.len() <= 2 * levels && asked.hashes <= 2 * levels * 256,
                "{what} of {at} in {size}: {} tiles, {} hashes",
                asked.tiles.len(),
                asked.hashes
            );
        };
        let mut at = 1;
        while at < size {
            let mut asked = Asked::default();
            inclusion_proof(at, size, &mut asked).unwrap();
            within("inclusion", at, &asked);
            let mut asked = Asked::default();
            consistency_proof(at, size, &mut asked).unwrap();
            within("consistency", at, &asked);
            let mut asked = Asked::default();
            root_at(at, &mut asked).unwrap();
            within("root", at, &asked);
            at += 1 + size / 61 + at % 7;
        }
    }
}

/// Appending keeps what is incomplete and nothing else, and hands on what tiles gain: the leaf, and 1/255 more.
#[test]
fn an_edge_holds_no_more_than_its_incomplete_tiles() {
    let (mut tail, mut gained) = (TreeTail::new(), 0);
    for at in 0..200_000_u64 {
        tail.append(Hash([at as u8; 32]), |_, _, _| gained += 1);
        assert!(tail.tails().iter().all(|level| level.len() < 256) && tail.tails().len() <= 3);
    }
    assert_eq!(gained, 200_000 + 200_000 / 256 + 200_000 / 65_536);
}
