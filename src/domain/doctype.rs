//! Document types: which kinds of document exist, in which category, with which file formats (D6).
//!
//! The table is kept by head office as a TOML file and versioned; a branch can't edit it. Invariant: a table that
//! exists is not empty, its codes are unique and upper-case, its extensions lower-case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::category::Category;
use super::reason::Reason;

/// The table that ships with the program.
pub const DEFAULT_TABLE: &str = include_str!("../../deploy/document-types.toml");

/// One kind of document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentType {
    /// Code in file names, such as `WVID`: 2–16 upper-case letters and digits, a letter first.
    pub code: String,
    /// The category it belongs to.
    pub category: Category,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// Allowed file name extensions, lower-case, without the dot.
    pub extensions: Vec<String>,
    /// Largest allowed size in bytes.
    pub max_size_bytes: u64,
}

/// The versioned table of all document types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentTypes {
    version: u32,
    by_code: BTreeMap<String, DocumentType>,
}

/// Why a table was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DocumentTypesError {
    /// Not TOML, or fields missing or unknown.
    #[error("the document type table can't be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// No types at all: nothing could ever be accepted.
    #[error("the document type table has no [[document_type]]")]
    Empty,
    /// A code of the wrong form.
    #[error("document type code {0:?}: use 2 to 16 upper-case letters and digits, a letter first")]
    Code(String),
    /// The same code twice.
    #[error("document type {0} stands in the table twice")]
    Duplicate(String),
    /// Extensions missing or of the wrong form.
    #[error(
        "document type {0}: extensions are 1 to 8 lower-case letters and digits, without the dot, at least one"
    )]
    Extensions(String),
    /// A size limit of zero.
    #[error("document type {0}: max_size_bytes must be above zero")]
    Size(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    #[serde(default)]
    document_type: Vec<DocumentType>,
}

impl DocumentTypes {
    /// Parses and validates a table.
    pub fn from_toml(text: &str) -> Result<Self, DocumentTypesError> {
        let table: Table = toml::from_str(text)?;
        let mut by_code = BTreeMap::new();
        for entry in table.document_type {
            entry.validate()?;
            let code = entry.code.clone();
            if by_code.insert(code.clone(), entry).is_some() {
                return Err(DocumentTypesError::Duplicate(code));
            }
        }
        if by_code.is_empty() {
            return Err(DocumentTypesError::Empty);
        }
        Ok(Self {
            version: table.version,
            by_code,
        })
    }

    /// The version head office gave this table.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// All types in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &DocumentType> {
        self.by_code.values()
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

    fn validate(&self) -> Result<(), DocumentTypesError> {
        let code = self.code.as_bytes();
        let well_formed = (2..=16).contains(&code.len())
            && code[0].is_ascii_uppercase()
            && code.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !well_formed {
            return Err(DocumentTypesError::Code(self.code.clone()));
        }
        let extension = |ext: &String| {
            (1..=8).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if self.extensions.is_empty() || !self.extensions.iter().all(extension) {
            return Err(DocumentTypesError::Extensions(self.code.clone()));
        }
        if self.max_size_bytes == 0 {
            return Err(DocumentTypesError::Size(self.code.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_table_is_valid_and_covers_every_category() {
        let types = DocumentTypes::from_toml(DEFAULT_TABLE).unwrap();
        for category in Category::ALL {
            assert!(
                types.iter().any(|t| t.category == category),
                "{}",
                category.code()
            );
        }
        let video = types.find("wvid").unwrap();
        assert_eq!(video.category, Category::AssetAccount);
        for ext in ["mp4", "MOV", "avi", "wmv", "mpg", "vob"] {
            assert_eq!(video.extension(ext).unwrap(), ext.to_ascii_lowercase());
        }
        assert!(video.size(4 << 30).is_ok());
    }

    #[test]
    fn refusals_list_what_is_allowed() {
        let types = DocumentTypes::from_toml(DEFAULT_TABLE).unwrap();
        let unknown = types.find("HOLIDAY").unwrap_err();
        assert!(
            unknown.code == "document_type" && unknown.en.contains("WVID") && unknown.zh.contains("WVID")
        );
        let exe = types.find("WVID").unwrap().extension("exe").unwrap_err();
        assert!(exe.code == "extension" && exe.en.contains("mp4"));
        assert_eq!(
            types.find("WVID").unwrap().size(u64::MAX).unwrap_err().code,
            "too_large"
        );
    }

    #[test]
    fn bad_tables_are_refused() {
        let row = |code: &str, ext: &str, size: u64| {
            format!(
                "[[document_type]]\ncode={code:?}\ncategory=\"customer\"\nname_zh=\"x\"\nname_en=\"x\"\n\
                 extensions=[{ext}]\nmax_size_bytes={size}\n"
            )
        };
        let load = |rows: &str| DocumentTypes::from_toml(&format!("version = 1\n{rows}"));
        assert!(load(&row("AB", "\"pdf\"", 1)).is_ok());
        assert!(matches!(load(""), Err(DocumentTypesError::Empty)));
        assert!(matches!(
            load(&row("ab", "\"pdf\"", 1)),
            Err(DocumentTypesError::Code(_))
        ));
        assert!(matches!(
            load(&row("A_B", "\"pdf\"", 1)),
            Err(DocumentTypesError::Code(_))
        ));
        assert!(matches!(
            load(&row("AB", "", 1)),
            Err(DocumentTypesError::Extensions(_))
        ));
        assert!(matches!(
            load(&row("AB", "\".pdf\"", 1)),
            Err(DocumentTypesError::Extensions(_))
        ));
        assert!(matches!(
            load(&row("AB", "\"pdf\"", 0)),
            Err(DocumentTypesError::Size(_))
        ));
        assert!(matches!(
            load(&row("AB", "\"pdf\"", 1).repeat(2)),
            Err(DocumentTypesError::Duplicate(_))
        ));
        assert!(matches!(load("colour = 1"), Err(DocumentTypesError::Toml(_))));
        let other = row("AB", "\"pdf\"", 1).replace("\"customer\"", "\"misc\"");
        assert!(matches!(load(&other), Err(DocumentTypesError::Toml(_))));
    }
}
