//! A receipt's three files, found from any of them.

use super::Receipt;
use crate::{
    tlog::{proof::MAX_PROOF_BYTES, tile::MAX_ENTRY_BYTES},
    verify::input::{self, InputError},
};
use std::path::{Path, PathBuf};

/// Longest text beside a receipt that is looked at, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// The endings of a receipt's files.
const ENDINGS: [&str; 3] = [".tlog-proof", ".json", ".txt"];

/// A receipt's files, read.
#[derive(Clone, Debug)]
pub struct Files {
    name: String,
    leaf: Option<Vec<u8>>,
    proof: Option<Vec<u8>>,
    text: Option<Vec<u8>>,
}

/// The path of a receipt without its ending, from the path of any of its files.
pub fn stem(file: &Path) -> PathBuf {
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    match ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) {
        Some(stem) if !stem.is_empty() => file.with_file_name(stem),
        _ => file.to_owned(),
    }
}

impl Files {
    /// Reads the files of the receipt at `stem`, the leaf from elsewhere if `leaf` says so. What isn't there is left out.
    ///
    /// # Errors
    /// When a file can't be read, or is too long to be what it should be.
    pub fn read(stem: &Path, leaf: Option<&Path>) -> Result<Self, InputError> {
        let beside = |ending: &str| {
            let mut path = stem.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        };
        let leaf = match leaf {
            Some(leaf) => Some(input::read(leaf, MAX_ENTRY_BYTES)?),
            None => input::read_if_there(&beside(".json"), MAX_ENTRY_BYTES)?,
        };
        Ok(Files {
            name: stem
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            leaf,
            proof: input::read_if_there(&beside(".tlog-proof"), MAX_PROOF_BYTES)?,
            text: input::read_if_there(&beside(".txt"), MAX_TEXT_BYTES)?,
        })
    }

    /// The bytes, to check.
    pub fn as_receipt(&self) -> Receipt<'_> {
        Receipt {
            name: &self.name,
            leaf: self.leaf.as_deref(),
            proof: self.proof.as_deref(),
            text: self.text.as_deref(),
        }
    }
}
