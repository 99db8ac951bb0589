//! A table as head office wrote it: for the house, for each kind, for each type only what differs. And what comes of it.
//!
//! Both written forms (TOML, CSV) are read into this and written from it. Invariant: a checked table has every finding code
//! that can be set and all four kinds, so that its meaning doesn't hang on the program that reads it later.

use super::{
    DocumentType, DocumentTypesError,
    kind::Kind,
    rule::{Limit, Rule},
};
use crate::domain::{
    category::Category,
    finding::{Code, Setting, Severity},
};
use std::collections::BTreeMap;

/// What findings do, as far as it is said.
pub(super) type Severities = BTreeMap<Code, Option<Severity>>;

/// Characters of a name at the most.
const MAX_NAME: usize = 60;
/// Types and businesses at the most, each.
const MAX_ENTRIES: usize = 1_000;

/// What a section says of files and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) extensions: Option<Vec<String>>,
    pub(super) max_size_bytes: Option<u64>,
    pub(super) rules: BTreeMap<Rule, Limit>,
    pub(super) findings: Severities,
}

/// A type's section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeSection {
    pub(super) category: Category,
    pub(super) kind: Kind,
    pub(super) name_zh: String,
    pub(super) name_en: String,
    pub(super) said: Said,
}

/// Which types a business needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Business {
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// Codes of the types that it needs, in the order given.
    pub types: Vec<String>,
}

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) findings: Severities,
    pub(super) kinds: BTreeMap<Kind, Said>,
    pub(super) types: BTreeMap<String, TypeSection>,
    pub(super) businesses: BTreeMap<String, Business>,
}

impl Table {
    /// Adds what a table may leave out: findings by the program's own word, kinds as they ship.
    pub(super) fn complete(&mut self, shipped_kinds: impl FnOnce() -> BTreeMap<Kind, Said>) {
        for code in Code::all() {
            if let Setting::Severity(default) = code.setting() {
                self.findings.entry(code).or_insert(Some(default));
            }
        }
        if Kind::ALL.iter().all(|kind| self.kinds.contains_key(kind)) {
            return;
        }
        for (kind, said) in shipped_kinds() {
            self.kinds.entry(kind).or_insert(said);
        }
    }

    /// Checks everything and resolves each type: its own word, else its kind's, else the house's.
    pub(super) fn resolve(&self) -> Result<BTreeMap<String, DocumentType>, DocumentTypesError> {
        for (kind, said) in &self.kinds {
            let at = format!("kind {}", kind.code());
            said.check(&at, *kind)?;
        }
        if self.types.is_empty() {
            return Err(DocumentTypesError::Empty);
        }
        if self.types.len().max(self.businesses.len()) > MAX_ENTRIES {
            return Err(field(
                "the table",
                "",
                format!("at most {MAX_ENTRIES} types and {MAX_ENTRIES} businesses are taken"),
            ));
        }
        let mut resolved = BTreeMap::new();
        for (code, section) in &self.types {
            resolved.insert(code.clone(), self.document_type(code, section)?);
        }
        for (code, business) in &self.businesses {
            business.check(code, &self.types)?;
        }
        Ok(resolved)
    }

    fn document_type(&self, code: &str, section: &TypeSection) -> Result<DocumentType, DocumentTypesError> {
        let at = format!("type {code}");
        check_code(&at, code)?;
        check_name(&at, "name_zh", &section.name_zh)?;
        check_name(&at, "name_en", &section.name_en)?;
        section.said.check(&at, section.kind)?;
        let none = Said::default();
        let kind = self.kinds.get(&section.kind).unwrap_or(&none);
        let missing = |name: &str| {
            field(
                &at,
                name,
                format!("is missing, here and in [kind.{}]", section.kind.code()),
            )
        };
        let extensions = section.said.extensions.as_ref().or(kind.extensions.as_ref());
        let max_size_bytes = section.said.max_size_bytes.or(kind.max_size_bytes);
        let mut rules = kind.rules.clone();
        rules.extend(&section.said.rules);
        let mut severities = self.findings.clone();
        severities.extend(&kind.findings);
        severities.extend(&section.said.findings);
        Ok(DocumentType {
            code: code.to_owned(),
            category: section.category,
            kind: section.kind,
            name_zh: section.name_zh.clone(),
            name_en: section.name_en.clone(),
            extensions: extensions.ok_or_else(|| missing("extensions"))?.clone(),
            max_size_bytes: max_size_bytes.ok_or_else(|| missing("max_size"))?,
            rules,
            severities,
        })
    }
}

impl Said {
    fn check(&self, at: &str, kind: Kind) -> Result<(), DocumentTypesError> {
        if let Some(extensions) = &self.extensions {
            let allowed = kind.extensions();
            let fits = |ext: &String| allowed.contains(&ext.as_str());
            if extensions.is_empty() || !extensions.iter().all(fits) {
                return Err(field(
                    at,
                    "extensions",
                    format!(
                        "at least one of those that {} documents can be inspected in, lower-case and without the dot: {}",
                        kind.code(),
                        allowed.join(", ")
                    ),
                ));
            }
            if (1..extensions.len()).any(|at| extensions[..at].contains(&extensions[at])) {
                return Err(field(at, "extensions", "one stands in it twice"));
            }
        }
        if self
            .max_size_bytes
            .is_some_and(|size| size == 0 || i64::try_from(size).is_err())
        {
            return Err(field(at, "max_size", "must be above zero and below 8 EiB"));
        }
        for (rule, limit) in &self.rules {
            if !rule.applies_to(kind) {
                let allowed: Vec<&str> = Rule::all()
                    .filter(|rule| rule.applies_to(kind))
                    .map(Rule::key)
                    .collect();
                return Err(field(
                    at,
                    rule.key(),
                    format!(
                        "{} documents have no such value; rules for them are {}",
                        kind.code(),
                        allowed.join(", ")
                    ),
                ));
            }
            limit.check(*rule).map_err(|wrong| field(at, rule.key(), wrong))?;
        }
        Ok(())
    }
}

impl Business {
    fn check(&self, code: &str, types: &BTreeMap<String, TypeSection>) -> Result<(), DocumentTypesError> {
        let at = format!("business {code}");
        check_code(&at, code)?;
        check_name(&at, "name_zh", &self.name_zh)?;
        check_name(&at, "name_en", &self.name_en)?;
        if self.types.is_empty() {
            return Err(field(&at, "types", "must name at least one type"));
        }
        for (position, needed) in self.types.iter().enumerate() {
            if !types.contains_key(needed) {
                let allowed: Vec<&str> = types.keys().map(String::as_str).collect();
                return Err(field(
                    &at,
                    "types",
                    format!("{needed:?} is not in the table; types are {}", allowed.join(", ")),
                ));
            }
            if self.types[..position].contains(needed) {
                return Err(field(&at, "types", format!("{needed} stands in it twice")));
            }
        }
        Ok(())
    }
}

/// An error that names the section, the field and what is allowed.
pub(super) fn field(at: &str, name: &str, allowed: impl Into<String>) -> DocumentTypesError {
    DocumentTypesError::Field {
        at: at.to_owned(),
        field: name.to_owned(),
        allowed: allowed.into(),
    }
}

fn check_code(at: &str, code: &str) -> Result<(), DocumentTypesError> {
    let bytes = code.as_bytes();
    let well_formed = (2..=16).contains(&bytes.len())
        && bytes[0].is_ascii_uppercase()
        && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if well_formed {
        return Ok(());
    }
    Err(field(
        at,
        "code",
        "use 2 to 16 upper-case letters and digits, a letter first",
    ))
}

/// A name is shown in receipts and stands in spreadsheets: one line, and nothing that a spreadsheet would compute.
fn check_name(at: &str, name: &str, text: &str) -> Result<(), DocumentTypesError> {
    let plain = !text.trim().is_empty()
        && text.trim() == text
        && text.chars().count() <= MAX_NAME
        && !text.chars().any(char::is_control)
        && !text.starts_with(['=', '+', '-', '@']);
    if plain {
        return Ok(());
    }
    Err(field(
        at,
        name,
        format!("one line of at most {MAX_NAME} characters that doesn't begin with a space, =, +, - or @"),
    ))
}

/// Reads what a finding does.
pub(super) fn finding(
    at: &str,
    code: &str,
    word: &str,
) -> Result<(Code, Option<Severity>), DocumentTypesError> {
    let settable = || Code::all().filter(|code| matches!(code.setting(), Setting::Severity(_)));
    let Some(code) = Code::from_text(code) else {
        let known: Vec<&str> = settable().map(Code::text).collect();
        return Err(field(
            at,
            &format!("findings.{code}"),
            format!("no such finding; there are {}", known.join(", ")),
        ));
    };
    let name = format!("findings.{}", code.text());
    match code.setting() {
        Setting::Severity(_) => {}
        Setting::Limits => {
            let rules: Vec<&str> = Rule::all()
                .filter(|rule| rule.code() == code)
                .map(Rule::key)
                .collect();
            return Err(field(
                at,
                &name,
                format!("how grave it is stands with its limits: {}", rules.join(", ")),
            ));
        }
        Setting::Fixed(_) => return Err(field(at, &name, "no table can change it; take the line out")),
    }
    let severity = super::rule::severity_of(word)
        .ok_or_else(|| field(at, &name, "one of reject, review, note, ignore"))?;
    Ok((code, severity))
}

const UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads `20 MiB`.
pub(super) fn parse_size(at: &str, text: &str) -> Result<u64, DocumentTypesError> {
    let wrong = || {
        field(
            at,
            "max_size",
            "a whole number and a unit: B, KiB, MiB, GiB or TiB, such as \"20 MiB\"",
        )
    };
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS
        .iter()
        .find(|(name, _)| *name == unit.trim())
        .ok_or_else(wrong)?;
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(wrong)
}

/// Writes a size in the largest unit that it is a whole number of.
pub(super) fn size_text(bytes: u64) -> String {
    UNITS
        .iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(
            || format!("{bytes} B"),
            |(unit, factor)| format!("{} {unit}", bytes / factor),
        )
}
