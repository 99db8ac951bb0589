//! Receipts: what a branch gets back about one upload, in three forms rendered from the same leaf.
//!
//! The text is for people; the JSON is the leaf exactly as logged; the proof ties that leaf to a signed checkpoint and
//! opens its commitments. Invariant: nothing here reads a clock or anything that changes later, so a receipt is the same
//! bytes whenever it is fetched.

mod inspection;
mod page;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use super::log_view::{LogView, LogViewError};
use crate::{
    catalog::{CatalogueError, people, receipts::ReceiptRow},
    domain::{
        event::{Leaf, Openings},
        time::Zone,
    },
    tlog::proof::TlogProof,
};
use serde::Serialize;
use serde_json::{Map, Value};

pub use inspection::looked_at;
pub use summary::{summary_csv, summary_line};

/// Longest file name in bytes that clients' file systems take.
const NAME_LIMIT_BYTES: usize = 255;

/// Why a receipt can't be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogViewError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Leaf, openings or private facts aren't what the program writes.
    #[error("receipt {number}: {error}")]
    Damaged {
        /// Its number.
        number: u64,
        /// What serde said.
        error: serde_json::Error,
    },
}

/// The form of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// The leaf's bytes.
    Json,
    /// Openings, inclusion proof, checkpoint.
    Proof,
}

impl Form {
    /// All forms, in the order of the listing.
    pub const ALL: [Form; 3] = [Form::Json, Form::Proof, Form::Text];

    /// The form with this suffix.
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        Form::ALL.into_iter().find(|form| form.suffix() == suffix)
    }

    /// The file's suffix.
    pub fn suffix(self) -> &'static str {
        match self {
            Form::Text => "txt",
            Form::Json => "json",
            Form::Proof => "tlog-proof",
        }
    }
}

/// Everything that a receipt is rendered from.
pub struct Receipt {
    number: u64,
    name: String,
    outcome: String,
    commit_size: u64,
    leaf_bytes: Vec<u8>,
    leaf: Leaf,
    openings: Openings,
    private: Map<String, Value>,
    uploader: String,
    origin: String,
}

impl Receipt {
    /// Gathers a receipt from the log and the catalogue.
    ///
    /// # Errors
    /// When either can't be read.
    pub fn load(log: &LogView, row: ReceiptRow) -> Result<Self, ReceiptError> {
        let number = row.leaf_index;
        let damaged = |error| ReceiptError::Damaged { number, error };
        let leaf_bytes = log.leaf(number)?;
        let leaf: Leaf = serde_json::from_slice(&leaf_bytes).map_err(damaged)?;
        let person = leaf.text("person").unwrap_or(&leaf.actor);
        let known = log
            .catalogue()
            .read(|connection| people::by_id(connection, person))?;
        Ok(Receipt {
            number,
            name: file_stem(&row),
            commit_size: row.commit_size,
            openings: serde_json::from_str(&row.openings).map_err(damaged)?,
            private: serde_json::from_str(&row.private).map_err(damaged)?,
            uploader: known.map_or_else(|| person.to_owned(), |known| known.name),
            origin: log.verifier().name().to_owned(),
            outcome: row.outcome,
            leaf_bytes,
            leaf,
        })
    }

    /// The name of its file in one form, as the listing has it: `x.mp4.ACCEPTED.txt`.
    pub fn file_name(&self, form: Form) -> String {
        format!("{}.{}.{}", self.name, self.outcome, form.suffix())
    }

    /// Its bytes in one form.
    ///
    /// # Errors
    /// When the log's files don't hold the tree that the proof is of.
    pub fn render(&self, form: Form, log: &LogView, zone: Zone) -> Result<Vec<u8>, ReceiptError> {
        match form {
            Form::Text => Ok(self.text(zone)),
            Form::Json => Ok(self.json().to_vec()),
            Form::Proof => self.proof(log),
        }
    }

    /// When its event was committed, milliseconds since 1970.
    pub fn time_ms(&self) -> i64 {
        self.leaf.time_ms
    }

    /// What people read: UTF-8 with a byte-order mark, CRLF.
    pub fn text(&self, zone: Zone) -> Vec<u8> {
        text::render(self, zone)
    }

    /// The leaf's bytes exactly as logged.
    pub fn json(&self) -> &[u8] {
        &self.leaf_bytes
    }

    /// A c2sp.org/tlog-proof@v1 against the checkpoint of the receipt's own commit, with the openings as its extra data.
    ///
    /// # Errors
    /// When the log's files don't hold the tree.
    pub fn proof(&self, log: &LogView) -> Result<Vec<u8>, ReceiptError> {
        #[derive(Serialize)]
        struct Extra<'a> {
            openings: &'a Openings,
        }
        // Keys in order and no spaces: a sorted map of structs whose fields stand in order.
        let extra = serde_json::to_vec(&Extra {
            openings: &self.openings,
        })
        .map_err(|error| ReceiptError::Damaged {
            number: self.number,
            error,
        })?;
        let proof = TlogProof {
            extra,
            index: self.number,
            hashes: log.inclusion(self.number, self.commit_size)?,
            checkpoint: log.checkpoint(self.commit_size)?,
        };
        Ok(proof.to_string().into_bytes())
    }

    fn opened(&self, name: &str) -> Option<&str> {
        self.openings.get(name).map(|opening| opening.value.as_str())
    }

    fn private(&self, name: &str) -> Option<&str> {
        self.private.get(name).and_then(Value::as_str)
    }

    fn size_bytes(&self) -> i64 {
        self.leaf.integer("size_bytes").unwrap_or_default()
    }
}

/// A receipt's file name in the listing: `x.mp4.ACCEPTED.txt`.
pub fn file_name(row: &ReceiptRow, form: Form) -> String {
    format!("{}.{}.{}", file_stem(row), row.outcome, form.suffix())
}

/// Takes a receipt's file name apart: stem, outcome, form.
pub fn parse_file_name(name: &str) -> Option<(&str, &str, Form)> {
    let (form, rest) = Form::ALL
        .into_iter()
        .find_map(|form| Some((form, name.strip_suffix(form.suffix())?.strip_suffix('.')?)))?;
    let (stem, outcome) = rest.rsplit_once('.')?;
    (!stem.is_empty()).then_some((stem, outcome, form))
}

/// The uploaded name, cut where the suffixes would make it longer than a file system takes; then the receipt's number
/// keeps it apart from others.
pub fn file_stem(row: &ReceiptRow) -> String {
    let room = NAME_LIMIT_BYTES - row.outcome.len() - Form::Proof.suffix().len() - 2;
    if row.name.len() <= room {
        return row.name.clone();
    }
    let number = format!("~{}", row.leaf_index);
    let cut = (0..=room - number.len())
        .rev()
        .find(|at| row.name.is_char_boundary(*at))
        .unwrap_or_default();
    format!("{}{number}", &row.name[..cut])
}
