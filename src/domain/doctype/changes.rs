//! What differs between two tables, section by section, field by field, in the words of the table.

use super::{
    rule::severity_word,
    table::{Said, Severities, Table, size_text},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The section: `findings`, `kind scan`, `type WVID`, `business OPEN`.
    pub section: String,
    /// The field, or nothing where the whole section came or went.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What stood there; nothing for something new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What stands there now; nothing for something removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What changed from one table to another, in the order of sections and fields.
pub(super) fn between(before: &Table, after: &Table) -> Vec<Change> {
    let (before, after) = (flat(before), flat(after));
    let none = BTreeMap::new();
    let mut changes = Vec::new();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for section in names {
        let (old, new) = (before.get(section), after.get(section));
        let whole = |fields: &BTreeMap<String, String>| fields.get("name_en").cloned().unwrap_or_default();
        if old.is_none() || new.is_none() {
            changes.push(Change {
                section: section.clone(),
                field: String::new(),
                before: old.map(whole),
                after: new.map(whole),
            });
            continue;
        }
        let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
        let fields: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for field in fields
            .into_iter()
            .filter(|field| old.get(*field) != new.get(*field))
        {
            changes.push(Change {
                section: section.clone(),
                field: field.clone(),
                before: old.get(field).cloned(),
                after: new.get(field).cloned(),
            });
        }
    }
    changes
}

fn flat(table: &Table) -> Sections {
    let mut sections = Sections::new();
    let mut house = BTreeMap::new();
    findings(&mut house, "", &table.findings);
    sections.insert("findings".to_owned(), house);
    for (kind, said) in &table.kinds {
        sections.insert(format!("kind {}", kind.code()), fields(said));
    }
    for (code, section) in &table.types {
        let mut fields = fields(&section.said);
        fields.insert("category".to_owned(), section.category.code().to_owned());
        fields.insert("kind".to_owned(), section.kind.code().to_owned());
        fields.insert("name_zh".to_owned(), section.name_zh.clone());
        fields.insert("name_en".to_owned(), section.name_en.clone());
        sections.insert(format!("type {code}"), fields);
    }
    for (code, business) in &table.businesses {
        let fields = BTreeMap::from([
            ("name_zh".to_owned(), business.name_zh.clone()),
            ("name_en".to_owned(), business.name_en.clone()),
            ("types".to_owned(), business.types.join(", ")),
        ]);
        sections.insert(format!("business {code}"), fields);
    }
    sections
}

fn fields(said: &Said) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    if let Some(extensions) = &said.extensions {
        fields.insert("extensions".to_owned(), extensions.join(", "));
    }
    if let Some(size) = said.max_size_bytes {
        fields.insert("max_size".to_owned(), size_text(size));
    }
    for (rule, limit) in &said.rules {
        fields.insert(rule.key().to_owned(), limit.to_string());
    }
    findings(&mut fields, "findings.", &said.findings);
    fields
}

fn findings(fields: &mut BTreeMap<String, String>, prefix: &str, severities: &Severities) {
    for (code, severity) in severities {
        fields.insert(
            format!("{prefix}{}", code.text()),
            severity_word(*severity).to_owned(),
        );
    }
}
