//! Receipts' proofs (c2sp.org/tlog-proof@v1): one leaf's place in one signed checkpoint, checkable offline.
//!
//! Invariant: the `extra` bytes are nobody's word; a caller who uses them proves them against the leaf.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;

use super::checkpoint::{CheckpointError, Opened, open_note, parse_decimal};
use super::merkle::{Hash, MerkleError, leaf_hash, verify_inclusion};
use super::note::{MAX_NOTE_BYTES, Note, NoteError, VerifierKey};

/// Largest proof in bytes that is looked at: a checkpoint, the hashes, and as much again of extra data.
pub const MAX_PROOF_BYTES: usize = 3 * MAX_NOTE_BYTES;
/// Most hashes an inclusion proof can have in a tree of fewer than 2^64 leaves.
pub const MAX_PROOF_HASHES: usize = 64;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A leaf's index, the hashes from it to the root, and the checkpoint with that root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque bytes beside the proof, empty for none; a receipt keeps its openings here. Not authenticated.
    pub extra: Vec<u8>,
    /// The leaf's index in the log, from zero.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling upwards.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: Note,
}

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Longer than [`MAX_PROOF_BYTES`] or with more hashes than [`MAX_PROOF_HASHES`].
    #[error("the proof is too large")]
    TooLarge,
    /// Not a tlog-proof.
    #[error("not a tlog-proof: {0}")]
    Syntax(&'static str),
    /// Its checkpoint is refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its hashes don't lead from the leaf to the checkpoint's root.
    #[error("the leaf is not in the log at that index: {0}")]
    Inclusion(#[from] MerkleError),
}

impl TlogProof {
    /// Reads a proof; it proves nothing before [`Self::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let syntax = ProofError::Syntax;
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|_| syntax("not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(syntax("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(syntax("another first line than c2sp.org/tlog-proof@v1"));
        }
        let mut line = lines.next();
        let mut extra = Vec::new();
        if let Some(encoded) = line.and_then(|line| line.strip_prefix("extra ")) {
            extra = STANDARD
                .decode(encoded)
                .map_err(|_| syntax("extra data that is not base64"))?;
            if extra.is_empty() {
                return Err(syntax("an extra line without data"));
            }
            line = lines.next();
        }
        let index = line
            .and_then(|line| line.strip_prefix("index "))
            .ok_or(syntax("no index line"))?;
        let index = parse_decimal(index).ok_or(syntax("an index that is not a plain number"))?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_PROOF_HASHES {
                return Err(ProofError::TooLarge);
            }
            hashes.push(Hash::from_base64(line).ok_or(syntax("a hash that is not 32 bytes of base64"))?);
        }
        let checkpoint = Note::parse(checkpoint.as_bytes()).map_err(|error| match error {
            NoteError::TooLarge => ProofError::TooLarge,
            other => ProofError::Checkpoint(other.into()),
        })?;
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint,
        })
    }

    /// Checks that the log whose key is `log` holds the entry `leaf` at this index, and says which witnesses saw that tree.
    /// How many witnesses are enough is the caller's policy.
    pub fn verify(
        &self,
        leaf: &[u8],
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<Opened, ProofError> {
        let opened = open_note(&self.checkpoint, log, witnesses)?;
        let (size, root) = (opened.checkpoint.size, &opened.checkpoint.root);
        verify_inclusion(&leaf_hash(leaf), self.index, size, &self.hashes, root)?;
        Ok(opened)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
