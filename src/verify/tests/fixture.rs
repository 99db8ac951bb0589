//! A small vault's log and receipts, made with the writer that the server uses.

use crate::{
    crypto::body::body_bytes,
    domain::commitment::Opening,
    domain::{
        canonical::to_canonical,
        event::{Draft, EVENT_VERSION, Kind, Leaf, Openings},
        hex,
    },
    tlog::{
        checkpoint::{Checkpoint, cosign},
        merkle::{Hash, inclusion_proof, leaf_hash, root_of},
        note::{Algorithm, Note, SignerKey},
        proof::TlogProof,
        store::LogDir,
        writer::{Durability, LogWriter},
    },
    verify::Keys,
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
};
use std::{collections::BTreeMap, convert::Infallible, path::Path};
use zeroize::Zeroizing;

pub(super) const ORIGIN: &str = "muniment.example/vault-1";
pub(super) const ORIGINAL: &[u8] = b"a scanned page, as far as a verifier cares";
const PERSON: &str = "01j0000000000000000000pers";

/// A key from a seed that is one byte repeated.
pub(super) fn key(name: &str, algorithm: Algorithm, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, algorithm, Zeroizing::new([seed; 32])).unwrap()
}

/// An id that ends in a number.
pub(super) fn id(kind: &str, number: u64) -> String {
    format!("01j{:0>13}{number:0>10}", kind.to_lowercase())
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// A log in memory, with what opens each leaf.
pub(super) struct Fixture {
    pub(super) log: SignerKey,
    pub(super) witness: SignerKey,
    pub(super) leaves: Vec<Vec<u8>>,
    pub(super) openings: Vec<Openings>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Fixture {
            log: key(ORIGIN, Algorithm::Ed25519, 1),
            witness: key("witness.example/audit", Algorithm::CosignatureV1, 2),
            leaves: Vec::new(),
            openings: Vec::new(),
        }
    }

    /// The log that most tests use: created, a branch, a person, a first version, its duplicate, a second version,
    /// a late declaration, a refusal, and a waiting upload.
    pub(super) fn story() -> Self {
        let mut log = Fixture::new();
        log.push(Draft::new(Kind::VaultCreated, id("EV", 0), "operator").fact("origin", ORIGIN));
        log.push(
            Draft::new(Kind::BranchAdded, id("EV", 1), "operator")
                .fact("branch", "B001")
                .commit("name", "上海营业部"),
        );
        log.push(
            Draft::new(Kind::UserAdded, id("EV", 2), "operator")
                .fact("person", PERSON)
                .fact("branch", "B001")
                .fact("roles", vec!["uploader"])
                .fact("keys", vec!["SHA256:abc"])
                .commit("name", "张三")
                .commit("nda", "NDA-7"),
        );
        log.push(sealed(3, 1, 1, ORIGINAL));
        log.push(
            accession(Kind::AccessionDuplicate, 4, ORIGINAL)
                .fact("of", 3)
                .fact("evidence", id("E", 1))
                .fact("version", 1),
        );
        log.push(sealed(5, 1, 2, b"another scan").fact("previous", 3));
        log.push(declared(6, 5, 1, 2, b"another scan"));
        log.push(accession(Kind::AccessionRejected, 7, b"damaged").fact("reason", "digest_mismatch"));
        log.push(
            accession(Kind::AccessionReceived, 8, b"half")
                .fact("reason", "incomplete")
                .fact("expires_ms", 1_800_000_000_000_u64),
        );
        log
    }

    pub(super) fn push(&mut self, draft: Draft) -> u64 {
        let random = SystemRandom::new();
        let (mut commit, mut openings) = (BTreeMap::new(), Openings::new());
        for (field, value) in draft.committed {
            let opening = Opening::new(value, &random).unwrap();
            commit.insert(field.clone(), opening.commit(&field));
            openings.insert(field, opening);
        }
        let time_ms = 1_790_000_000_000 + 1_000 * self.leaves.len() as i64;
        let leaf = Leaf {
            actor: draft.actor,
            commit,
            data: draft.data,
            id: draft.id,
            kind: draft.kind,
            time_ms,
            v: EVENT_VERSION,
        };
        self.leaves
            .push(to_canonical(&serde_json::to_value(&leaf).unwrap()).unwrap());
        self.openings.push(openings);
        self.leaves.len() as u64 - 1
    }

    pub(super) fn keys(&self) -> Keys {
        Keys {
            log: Some(self.log.verifier().clone()),
            witnesses: Vec::new(),
        }
    }

    pub(super) fn keys_with_witness(&self) -> Keys {
        Keys {
            witnesses: vec![self.witness.verifier().clone()],
            ..self.keys()
        }
    }

    fn hash(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let span = 256_usize.pow(u32::from(level));
        let first = index as usize * span;
        let hashes: Vec<Hash> = self.leaves[first..first + span]
            .iter()
            .map(|leaf| leaf_hash(leaf))
            .collect();
        Ok(root_of(&hashes))
    }

    /// The signed checkpoint of the first `size` leaves.
    pub(super) fn checkpoint(&self, size: u64) -> Note {
        let hashes: Vec<Hash> = self.leaves[..size as usize]
            .iter()
            .map(|leaf| leaf_hash(leaf))
            .collect();
        let root = root_of(&hashes);
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        }
        .sign(&self.log)
        .unwrap()
    }

    /// The same, cosigned.
    pub(super) fn cosigned(&self, size: u64) -> Note {
        let note = self.checkpoint(size).to_string();
        cosign(note.as_bytes(), self.log.verifier(), &self.witness, 1_790_000_100).unwrap()
    }

    /// The proof of a leaf under a checkpoint, with its openings.
    pub(super) fn proof(&self, index: u64, checkpoint: Note) -> String {
        let size = Checkpoint::parse(checkpoint.text()).unwrap().size;
        let hashes = inclusion_proof(index, size, &mut |level, at| self.hash(level, at)).unwrap();
        let openings = &self.openings[index as usize];
        let extra = serde_json::to_vec(&BTreeMap::from([("openings", openings)])).unwrap();
        TlogProof {
            extra,
            index,
            hashes,
            checkpoint,
        }
        .to_string()
    }

    /// A text as receipts have it.
    pub(super) fn text(&self, index: u64) -> String {
        let leaf: Leaf = serde_json::from_slice(&self.leaves[index as usize]).unwrap();
        format!(
            "\u{feff}MUNIMENT  回执 RECEIPT\r\n回执编号 Receipt no.  {index}\r\nSHA-256: {}\r\n",
            leaf.text("sha256").unwrap_or_default()
        )
    }

    /// Writes a receipt's three files and gives their stem.
    pub(super) fn write_receipt(
        &self,
        folder: &Path,
        name: &str,
        index: u64,
        checkpoint: Note,
    ) -> std::path::PathBuf {
        let stem = folder.join(name);
        let write = |ending: &str, bytes: &[u8]| {
            std::fs::write(format!("{}{ending}", stem.display()), bytes).unwrap()
        };
        write(".json", &self.leaves[index as usize]);
        write(".tlog-proof", self.proof(index, checkpoint).as_bytes());
        write(".txt", self.text(index).as_bytes());
        stem
    }

    /// Writes the log's files, under its checkpoint of all leaves.
    pub(super) fn write_log(&self, folder: &Path) -> LogDir {
        let size = self.leaves.len() as u64;
        let mut writer = LogWriter::create(folder).unwrap();
        let mut hashes = |level, index| self.hash(level, index);
        let entry = |index: u64| Ok(self.leaves[index as usize].clone());
        writer
            .extend(0, size, &mut hashes, entry, Durability::Lazy)
            .unwrap();
        writer
            .write_checkpoint(self.checkpoint(size).to_string().as_bytes(), Durability::Lazy)
            .unwrap();
        writer.dir().clone()
    }
}

/// An event about an accession with these bytes.
pub(super) fn accession(kind: Kind, number: u64, bytes: &[u8]) -> Draft {
    Draft::new(kind, id("A", number), PERSON)
        .fact("person", PERSON)
        .fact("branch", "B001")
        .fact("key", "SHA256:abc")
        .fact("size_bytes", bytes.len())
        .fact("sha256", sha256(bytes))
        .fact("started_ms", 1_789_999_999_000_u64)
        .commit(
            "path",
            format!("扫描/000100012345_20260728_A0098877_WVID_01.{number}.jpg"),
        )
}

/// A sealed version, without `previous`. Its stored body is [`stored`].
pub(super) fn sealed(number: u64, evidence: u64, version: u64, bytes: &[u8]) -> Draft {
    let stored = stored(bytes);
    accession(Kind::EvidenceSealed, number, bytes)
        .fact("evidence", id("E", evidence))
        .fact("version", version)
        .fact("category", "customer")
        .fact("doctype", "WVID")
        .fact("grade", "server_only")
        .fact("stored_size_bytes", stored.len())
        .fact("stored_blake3", blake3::hash(&stored).to_hex().to_string())
        .commit("customer", "000100012345")
        .commit("flow", "A0098877")
        .commit("seq", "1")
}

/// A declaration that came after version `version` was sealed by leaf `of`, and agrees.
pub(super) fn declared(number: u64, of: u64, evidence: u64, version: u64, bytes: &[u8]) -> Draft {
    Draft::new(Kind::EvidenceDeclared, id("A", number), PERSON)
        .fact("evidence", id("E", evidence))
        .fact("version", version)
        .fact("of", of)
        .fact("result", "match")
        .fact("declaration", id("D", number))
        .fact("declared_sha256", sha256(bytes))
        .fact("sha256", sha256(bytes))
        .fact("size_bytes", bytes.len())
        .fact("grade", "declared")
        .fact("branch", "B001")
        .fact("person", PERSON)
        .fact("key", "SHA256:abc")
        .commit("path", "扫描/page.jpg")
}

/// A copy made from version `version`, which leaf `of` sealed. Its stored body is [`stored`].
pub(super) fn derived(
    number: u64,
    of: u64,
    evidence: u64,
    version: u64,
    original: &[u8],
    copy: &[u8],
) -> Draft {
    let body = stored(copy);
    Draft::new(Kind::DerivedMade, id("C", number), "system")
        .fact("evidence", id("E", evidence))
        .fact("version", version)
        .fact("of", of)
        .fact("form", "contact_sheet")
        .fact("media_type", "image/jpeg")
        .fact("original_sha256", sha256(original))
        .fact("size_bytes", copy.len())
        .fact("sha256", sha256(copy))
        .fact("stored_size_bytes", body.len())
        .fact("stored_blake3", blake3::hash(&body).to_hex().to_string())
        .fact("made_by", "a test")
}

/// What stands for an encrypted body: as long as one, other bytes than the original.
pub(super) fn stored(bytes: &[u8]) -> Vec<u8> {
    let size_bytes = body_bytes(bytes.len() as u64) as usize;
    bytes
        .iter()
        .map(|byte| !byte)
        .chain(std::iter::repeat(0x5a))
        .take(size_bytes)
        .collect()
}
