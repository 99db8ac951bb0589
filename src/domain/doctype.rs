//! Document types: which kinds of document exist, in which category, in which file formats, and what makes one good (D6).
//!
//! The table is kept by head office, as TOML or CSV, and versioned by custody events; a branch can't edit it. It says what
//! differs: a type from its kind, a kind from the house. Invariant: a table that exists is checked and complete: codes are
//! unique, every finding has its severity, no limit contradicts itself.

mod changes;
mod csv_form;
mod current;
mod kind;
mod rule;
mod table;
#[cfg(test)]
mod tests;
mod toml_form;

pub use changes::Change;
pub use current::CurrentTypes;
pub use kind::Kind;
pub use rule::{Bound, Limit, Rule, severity_word};
pub use table::Business;

use super::{
    category::Category,
    finding::{Code, Setting, Severity},
    reason::Reason,
};
use std::collections::BTreeMap;
use table::Table;

/// The table that ships with the program.
pub const DEFAULT_TABLE: &str = include_str!("../../deploy/document-types.toml");
/// Bytes of a table at the most, as TOML or as CSV.
pub const MAX_TABLE_BYTES: usize = 512 * 1024;

/// One kind of document, with everything that its kind and the house say for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentType {
    /// Code in file names, such as `WVID`: 2–16 upper-case letters and digits, a letter first.
    pub code: String,
    /// The category it belongs to.
    pub category: Category,
    /// What sort of file it takes.
    pub kind: Kind,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// Allowed file name extensions, lower-case, without the dot.
    pub extensions: Vec<String>,
    /// Largest allowed size in bytes.
    pub max_size_bytes: u64,
    rules: BTreeMap<Rule, Limit>,
    severities: BTreeMap<Code, Option<Severity>>,
}

/// The versioned table of all document types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentTypes {
    version: u32,
    table: Table,
    by_code: BTreeMap<String, DocumentType>,
}

/// Why a table was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DocumentTypesError {
    /// Not TOML.
    #[error("the document type table isn't TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// Not CSV.
    #[error("the document type table isn't CSV: {0}")]
    Csv(String),
    /// More than a table may be.
    #[error("the document type table is larger than {MAX_TABLE_BYTES} bytes")]
    TooLarge,
    /// No types at all: nothing could ever be accepted.
    #[error("the document type table has no types: nothing could be accepted")]
    Empty,
    /// A field that is missing, unknown or wrong.
    #[error("document types, {at}: {field}{}{allowed}", if field.is_empty() { "" } else { ": " })]
    Field {
        /// The section, such as `type WVID`.
        at: String,
        /// The field in it; empty for the section itself.
        field: String,
        /// What is allowed.
        allowed: String,
    },
}

impl DocumentTypes {
    /// Parses and checks a table in TOML. Its version is 0 until it is published.
    ///
    /// # Errors
    /// Names the section, the field and what is allowed.
    pub fn from_toml(text: &str) -> Result<Self, DocumentTypesError> {
        bounded(text)?;
        Self::checked(toml_form::read(text)?)
    }

    /// Parses and checks a table in CSV, decoded already. Its version is 0 until it is published.
    ///
    /// # Errors
    /// Names the row, the column and what is allowed.
    pub fn from_csv(text: &str) -> Result<Self, DocumentTypesError> {
        bounded(text)?;
        Self::checked(csv_form::read(text)?)
    }

    fn checked(mut table: Table) -> Result<Self, DocumentTypesError> {
        // The shipped table has all kinds, so this goes no deeper; were it damaged, a kind would stay without rules and
        // the types of it without formats, which `resolve` refuses.
        table.complete(|| {
            toml_form::read(DEFAULT_TABLE)
                .map(|shipped| shipped.kinds)
                .unwrap_or_default()
        });
        Ok(Self {
            version: 0,
            by_code: table.resolve()?,
            table,
        })
    }

    /// The same table with the version that its publication gave it.
    pub fn published_as(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The version its publication gave it; 0 for a table that isn't published.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The table as TOML: complete, ordered, always the same for the same table.
    pub fn to_toml(&self) -> String {
        toml_form::write(&self.table)
    }

    /// The table as CSV for a spreadsheet: UTF-8 with a byte-order mark, CRLF.
    ///
    /// # Errors
    /// When it can't be written as CSV.
    pub fn to_csv(&self) -> Result<Vec<u8>, DocumentTypesError> {
        csv_form::write(&self.table)
    }

    /// Whether another table says the same, whatever its version.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.table == other.table
    }

    /// What `later` says differently, section by section, field by field.
    pub fn changes_to(&self, later: &Self) -> Vec<Change> {
        changes::between(&self.table, &later.table)
    }

    /// How many types it has.
    pub fn count(&self) -> usize {
        self.by_code.len()
    }

    /// All types in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &DocumentType> {
        self.by_code.values()
    }

    /// Businesses with the types that each needs, in the order of their codes.
    pub fn businesses(&self) -> impl Iterator<Item = (&str, &Business)> {
        self.table
            .businesses
            .iter()
            .map(|(code, business)| (code.as_str(), business))
    }

    /// The type with this code in any case, or `document_type` with the list of those that exist.
    pub fn find(&self, code: &str) -> Result<&DocumentType, Reason> {
        self.by_code.get(&code.to_ascii_uppercase()).ok_or_else(|| {
            let allowed: Vec<&str> = self.by_code.keys().map(String::as_str).collect();
            let allowed = allowed.join(", ");
            Reason::new(
                "document_type",
                format!("{code:?} is not a document type; allowed are {allowed}"),
                format!("“{code}”不是规定的文件类别；可用类别：{allowed}"),
            )
        })
    }
}

impl DocumentType {
    /// The extension in lower case if this type allows it, or `extension` with the list of those it does.
    pub fn extension(&self, ext: &str) -> Result<String, Reason> {
        let lower = ext.to_ascii_lowercase();
        if self.extensions.contains(&lower) {
            return Ok(lower);
        }
        let allowed = self.extensions.join(", ");
        Err(Reason::new(
            "extension",
            format!(
                "{} ({}) does not take .{ext} files; allowed are {allowed}",
                self.code, self.name_en
            ),
            format!(
                "{}（{}）不接受 .{ext} 文件；可用格式：{allowed}",
                self.code, self.name_zh
            ),
        ))
    }

    /// Refuses a size above the limit with `too_large`.
    pub fn size(&self, size_bytes: u64) -> Result<(), Reason> {
        if size_bytes <= self.max_size_bytes {
            return Ok(());
        }
        let (code, limit) = (&self.code, self.max_size_bytes);
        Err(Reason::new(
            "too_large",
            format!("{size_bytes} bytes are more than {code} allows ({limit} bytes)"),
            format!("文件大小 {size_bytes} 字节，超过 {code} 的上限 {limit} 字节"),
        ))
    }

    /// The limits of a rule; none at all where nothing is said.
    pub fn limit(&self, rule: Rule) -> Limit {
        self.rules.get(&rule).copied().unwrap_or_default()
    }

    /// Rules that are limited, in the order of tables.
    pub fn limits(&self) -> impl Iterator<Item = (Rule, Limit)> {
        self.rules
            .iter()
            .filter(|(_, limit)| **limit != Limit::default())
            .map(|(rule, limit)| (*rule, *limit))
    }

    /// What a finding does; `None` where it is ignored, and for codes whose limits say it.
    pub fn severity(&self, code: Code) -> Option<Severity> {
        match code.setting() {
            Setting::Severity(default) => self.severities.get(&code).copied().unwrap_or(Some(default)),
            Setting::Fixed(severity) => Some(severity),
            Setting::Limits => None,
        }
    }
}

fn bounded(text: &str) -> Result<(), DocumentTypesError> {
    if text.len() > MAX_TABLE_BYTES {
        return Err(DocumentTypesError::TooLarge);
    }
    Ok(())
}
