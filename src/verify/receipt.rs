//! One receipt: leaf, proof, openings, text, original, each held against the others and against the log's signature.
//!
//! [`check`] reads no file and believes no name: bytes in, lines out. Invariant: a sound report means that the log whose
//! key was given holds this leaf, that every commitment in it was opened, and that the original, if given, is the one.

mod files;
mod text;
mod words;

pub use files::{Files, stem};

use super::{Keys, Report, facts, signatures};
use crate::{
    crypto::digest::OriginalDigests,
    domain::{
        event::{Kind, Leaf, Openings},
        hex,
    },
    tlog::{
        checkpoint::Checkpoint,
        merkle::{leaf_hash, verify_inclusion},
        proof::TlogProof,
    },
};
use serde::{Deserialize, Serialize};

/// What a receipt's name ends in, before `.txt`, `.json` and `.tlog-proof`.
const OUTCOMES: [&str; 5] = ["ACCEPTED", "NEEDS_REVIEW", "REJECTED", "DUPLICATE", "WAITING"];

/// The bytes of one receipt, as far as they are there.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// Its name without the ending, such as `photo.jpg.ACCEPTED`.
    pub name: &'a str,
    /// The `.json`: the leaf's bytes as logged.
    pub leaf: Option<&'a [u8]>,
    /// The `.tlog-proof`.
    pub proof: Option<&'a [u8]>,
    /// The `.txt`, which proves nothing.
    pub text: Option<&'a [u8]>,
}

/// A receipt and what was found about it.
#[derive(Clone)]
pub struct Checked {
    /// The lines.
    pub report: Report,
    /// The leaf, if it is one. Proven only if the report is sound.
    pub leaf: Option<Leaf>,
    /// The proof, if it is one.
    pub proof: Option<TlogProof>,
    /// The openings in the proof, each of which fits its commitment or failed in the report.
    pub openings: Openings,
}

/// Checks a receipt. `original` is what was computed of the original, if the caller has it.
pub fn check(receipt: &Receipt<'_>, keys: &Keys, original: Option<&OriginalDigests>) -> Checked {
    let mut report = Report::new(receipt.name);
    let leaf = receipt.leaf.and_then(|bytes| check_leaf(bytes, &mut report));
    if receipt.leaf.is_none() {
        report.unknown(
            "leaf",
            "the .json with the leaf is missing, so nothing can be proved",
        );
    }
    let proof = receipt.proof.and_then(|bytes| match TlogProof::parse(bytes) {
        Ok(proof) => Some(proof),
        Err(error) => {
            report.failed("proof", error.to_string());
            None
        }
    });
    if receipt.proof.is_none() {
        report.unknown(
            "proof",
            "the .tlog-proof is missing, so that the leaf was ever logged is not shown",
        );
    }
    if let Some(proof) = &proof {
        check_proof(receipt.leaf, proof, keys, &mut report);
    }
    let openings = match (&leaf, &proof) {
        (Some(leaf), Some(proof)) => check_openings(leaf, &proof.extra, &mut report),
        _ => Openings::new(),
    };
    if let Some(leaf) = &leaf {
        check_name(receipt.name, leaf, &mut report);
        check_original(leaf, original, &mut report);
    } else if original.is_some() {
        report.unknown("original", "there is no leaf to compare it with");
    }
    if let (Some(text), Some(leaf)) = (receipt.text, &leaf) {
        text::check(
            text,
            leaf,
            proof.as_ref().map(|proof| proof.index),
            &openings,
            &mut report,
        );
    }
    if let (Some(leaf), Some(proof)) = (&leaf, &proof) {
        report.meaning = Some(words::meaning(leaf, proof.index));
    }
    Checked {
        report,
        leaf,
        proof,
        openings,
    }
}

fn check_leaf(bytes: &[u8], report: &mut Report) -> Option<Leaf> {
    let leaf = match facts::read(bytes) {
        Ok(leaf) => leaf,
        Err(facts::LeafFault::Later(why)) => {
            report.unknown(
                "leaf",
                format!("it is {why}, which this verifier doesn't know: use a later one"),
            );
            return None;
        }
        Err(error) => {
            report.failed("leaf", error.to_string());
            return None;
        }
    };
    let faults = facts::faults(&leaf);
    for fault in &faults {
        report.failed("leaf", fault);
    }
    if faults.is_empty() {
        report.passed(
            "leaf",
            format!("canonical JSON with every fact that {} has", leaf.kind),
        );
    }
    Some(leaf)
}

/// The proof's three claims: who signed the checkpoint, who saw it, and that the leaf is under it.
fn check_proof(leaf: Option<&[u8]>, proof: &TlogProof, keys: &Keys, report: &mut Report) {
    let checkpoint = match Checkpoint::parse(proof.checkpoint.text()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return report.failed("checkpoint", error.to_string()),
    };
    signatures::check(&proof.checkpoint, keys, report);
    if let Some(leaf) = leaf {
        let size = checkpoint.size;
        let inclusion = verify_inclusion(
            &leaf_hash(leaf),
            proof.index,
            size,
            &proof.hashes,
            &checkpoint.root,
        );
        let passed = format!("leaf {} of the {size} that the checkpoint covers", proof.index);
        report.result("place in the log", passed, inclusion);
    }
}

/// The proof's extra data: `{"openings":{…}}`, keys in order, no spaces.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    openings: Openings,
}

fn check_openings(leaf: &Leaf, extra: &[u8], report: &mut Report) -> Openings {
    let parsed = if extra.is_empty() {
        Ok(Extra::default())
    } else {
        serde_json::from_slice(extra)
    };
    let opened: Extra = match parsed {
        Ok(opened) => opened,
        Err(error) => {
            report.failed("openings", format!("not openings: {error}"));
            return Openings::new();
        }
    };
    // A second spelling could show people another value than the one that is checked here.
    if !extra.is_empty() && serde_json::to_vec(&opened).ok().as_deref() != Some(extra) {
        report.failed("openings", "not in the spelling that receipts have");
    }
    check_commitments(leaf, &opened.openings, report);
    opened.openings
}

/// Holds openings against the commitments of a leaf, both ways.
pub fn check_commitments(leaf: &Leaf, openings: &Openings, report: &mut Report) {
    for (field, commitment) in &leaf.commit {
        let what = format!("commitment {field}");
        match openings.get(field) {
            Some(opening) if opening.verify(field, commitment) => {
                report.passed(what, format!("opens to {}", opening.value))
            }
            Some(opening) => report.failed(what, format!("is not to {}", opening.value)),
            None => report.unknown(
                what,
                "nothing opens it here, so what the leaf commits to is not shown",
            ),
        }
    }
    for field in openings.keys().filter(|field| !leaf.commit.contains_key(*field)) {
        report.failed(format!("opening {field}"), "the leaf commits to no such field");
    }
}

/// The name says an outcome, too; it must not say another one than the leaf.
fn check_name(name: &str, leaf: &Leaf, report: &mut Report) {
    let said = OUTCOMES
        .into_iter()
        .find(|outcome| name.ends_with(&format!(".{outcome}")));
    if let (Some(said), Some(is)) = (said, outcome(leaf))
        && said != is
    {
        report.failed(
            "name",
            format!("it says {said}, but the leaf is the receipt of an upload that is {is}"),
        );
    }
}

/// The outcome that a receipt's name shows, by kind; `None` for events that give no receipt.
pub fn outcome(leaf: &Leaf) -> Option<&'static str> {
    match leaf.kind {
        Kind::EvidenceSealed | Kind::EvidenceInspected if leaf.text("verdict") == Some("needs_review") => {
            Some("NEEDS_REVIEW")
        }
        Kind::EvidenceSealed | Kind::DeclarationReceived => Some("ACCEPTED"),
        Kind::EvidenceDeclared if leaf.text("result") == Some("match") => Some("ACCEPTED"),
        Kind::EvidenceDeclared | Kind::AccessionRejected => Some("REJECTED"),
        Kind::AccessionDuplicate => Some("DUPLICATE"),
        Kind::AccessionReceived => Some("WAITING"),
        _ => None,
    }
}

fn check_original(leaf: &Leaf, original: Option<&OriginalDigests>, report: &mut Report) {
    let Some(original) = original else {
        let why = "not given (--original): that some file is the one uploaded is not shown";
        return report.limit("original", why);
    };
    let (Some(sha256), Some(size_bytes)) = (leaf.text("sha256"), facts::count(leaf, "size_bytes")) else {
        return report.unknown("original", format!("{} speaks of no file", leaf.kind));
    };
    let found = hex::encode(original.sha256);
    if original.size_bytes == size_bytes && found == sha256 {
        report.passed("original", format!("{size_bytes} bytes with SHA-256 {sha256}"));
    } else {
        let has = format!("it has {} bytes with SHA-256 {found}", original.size_bytes);
        report.failed(
            "original",
            format!("{has}; the leaf says {size_bytes} bytes with {sha256}"),
        );
    }
    if let Some(root) = leaf.text("chunk_root") {
        match original.chunk_root.map(hex::encode) {
            Some(found) if found == root => {
                report.passed("chunk root", format!("{root} over chunks of 1 MiB"))
            }
            Some(found) => report.failed("chunk root", format!("it is {found}; the leaf says {root}")),
            None => report.failed("chunk root", "the leaf has one, but the original is below 64 MiB"),
        }
    }
}
