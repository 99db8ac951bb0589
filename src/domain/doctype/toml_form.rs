//! The table as TOML: what head office edits, and the text that is published.
//!
//! Invariant: what is written reads back as the same table, and one table is always written the same way.

use super::{
    DocumentTypesError,
    kind::Kind,
    rule::{Limit, NONE, Rule, severity_word},
    table::{self, Business, Said, Severities, Table, TypeSection, field},
};
use crate::domain::category::Category;
use std::fmt::Write;
use toml::Value;

const SECTIONS: &str = "the table has the sections findings, kind, type and business";

/// Reads a table as it is written, without completing or checking it.
pub(super) fn read(text: &str) -> Result<Table, DocumentTypesError> {
    let mut read = Table::default();
    let whole: toml::Table = toml::from_str(text)?;
    for (name, value) in whole {
        match name.as_str() {
            "findings" => read.findings = findings("the table", value)?,
            "kind" => {
                for (code, value) in sections("kind", value)? {
                    let kind = Kind::from_code(&code).ok_or_else(|| {
                        let known = Kind::ALL.map(Kind::code).join(", ");
                        field(
                            &format!("kind {code}"),
                            "",
                            format!("no such kind; there are {known}"),
                        )
                    })?;
                    let mut fields = Fields::new(format!("kind {code}"), value);
                    read.kinds.insert(kind, fields.said()?);
                    fields.nothing_else(kind, &[])?;
                }
            }
            "type" => {
                for (code, value) in sections("type", value)? {
                    let section = type_section(Fields::new(format!("type {code}"), value))?;
                    read.types.insert(code, section);
                }
            }
            "business" => {
                for (code, value) in sections("business", value)? {
                    let business = business(Fields::new(format!("business {code}"), value))?;
                    read.businesses.insert(code, business);
                }
            }
            "version" => {
                return Err(field(
                    "the table",
                    "version",
                    "isn't written here: publishing gives the next number; take the line out",
                ));
            }
            other => return Err(field("the table", other, SECTIONS)),
        }
    }
    Ok(read)
}

fn sections(
    name: &str,
    value: Value,
) -> Result<impl Iterator<Item = (String, toml::Table)>, DocumentTypesError> {
    let wrong = |at: String| field(&at, "", format!("must be a section such as [{name}.CODE]"));
    let Value::Table(all) = value else {
        return Err(wrong(name.to_owned()));
    };
    let mut found = Vec::new();
    for (code, section) in all {
        match section {
            Value::Table(section) => found.push((code, section)),
            _ => return Err(wrong(format!("{name} {code}"))),
        }
    }
    Ok(found.into_iter())
}

fn type_section(mut fields: Fields) -> Result<TypeSection, DocumentTypesError> {
    let kind = fields.text("kind")?;
    let kind = Kind::from_code(&kind).ok_or_else(|| {
        field(
            &fields.at,
            "kind",
            format!("one of {}", Kind::ALL.map(Kind::code).join(", ")),
        )
    })?;
    let category = fields.text("category")?;
    let category = category_of(&fields.at, &category)?;
    let section = TypeSection {
        category,
        kind,
        name_zh: fields.text("name_zh")?,
        name_en: fields.text("name_en")?,
        said: fields.said()?,
    };
    fields.nothing_else(kind, &["category", "kind", "name_zh", "name_en"])?;
    Ok(section)
}

fn business(mut fields: Fields) -> Result<Business, DocumentTypesError> {
    let business = Business {
        name_zh: fields.text("name_zh")?,
        name_en: fields.text("name_en")?,
        types: fields
            .texts("types")?
            .ok_or_else(|| field(&fields.at, "types", "is missing: a list of type codes"))?,
    };
    match fields.rest.keys().next() {
        None => Ok(business),
        Some(other) => Err(field(
            &fields.at,
            other,
            "a business has name_zh, name_en and types",
        )),
    }
}

/// The category of a code, or an error with the closed list.
pub(super) fn category_of(at: &str, code: &str) -> Result<Category, DocumentTypesError> {
    Category::from_code(code).ok_or_else(|| {
        field(
            at,
            "category",
            format!("one of {}", Category::ALL.map(Category::code).join(", ")),
        )
    })
}

fn findings(at: &str, value: Value) -> Result<Severities, DocumentTypesError> {
    let Value::Table(all) = value else {
        return Err(field(
            at,
            "findings",
            "must be a section of codes, each with reject, review, note or ignore",
        ));
    };
    let mut found = Severities::new();
    for (code, word) in all {
        let (code, severity) = table::finding(at, &code, word.as_str().unwrap_or_default())?;
        found.insert(code, severity);
    }
    Ok(found)
}

/// The fields of a section; what was read is taken out.
struct Fields {
    at: String,
    rest: toml::Table,
}

impl Fields {
    fn new(at: String, rest: toml::Table) -> Self {
        Fields { at, rest }
    }

    fn text(&mut self, name: &str) -> Result<String, DocumentTypesError> {
        match self.rest.remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(field(&self.at, name, "must be a text in quotes")),
            None => Err(field(&self.at, name, "is missing")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, DocumentTypesError> {
        let Some(value) = self.rest.remove(name) else {
            return Ok(None);
        };
        let texts = value.as_array().and_then(|list| {
            list.iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        texts.map(Some).ok_or_else(|| {
            field(
                &self.at,
                name,
                "must be a list of texts, such as [\"pdf\", \"jpg\"]",
            )
        })
    }

    /// What kinds and types can both say.
    fn said(&mut self) -> Result<Said, DocumentTypesError> {
        let mut said = Said {
            extensions: self.texts("extensions")?,
            ..Said::default()
        };
        if self.rest.contains_key("max_size") {
            let size = self.text("max_size")?;
            said.max_size_bytes = Some(table::parse_size(&self.at, &size)?);
        }
        if let Some(value) = self.rest.remove("findings") {
            said.findings = findings(&self.at, value)?;
        }
        for rule in Rule::all() {
            if let Some(value) = self.rest.remove(rule.key()) {
                let limit = limit(&value).map_err(|wrong| field(&self.at, rule.key(), wrong))?;
                said.rules.insert(rule, limit);
            }
        }
        Ok(said)
    }

    fn nothing_else(&self, kind: Kind, own: &[&'static str]) -> Result<(), DocumentTypesError> {
        let Some(other) = self.rest.keys().next() else {
            return Ok(());
        };
        let rules = Rule::all().filter(|rule| rule.applies_to(kind)).map(Rule::key);
        let allowed: Vec<&str> = own
            .iter()
            .copied()
            .chain(["extensions", "max_size", "findings"])
            .chain(rules)
            .collect();
        Err(field(
            &self.at,
            other,
            format!("no such field; there are {}", allowed.join(", ")),
        ))
    }
}

fn limit(value: &Value) -> Result<Limit, String> {
    match value {
        Value::String(text) if text == NONE => Ok(Limit::default()),
        Value::Table(parts) if !parts.is_empty() => {
            let mut limit = Limit::default();
            for (word, number) in parts {
                let number = number
                    .as_integer()
                    .ok_or_else(|| format!("{word} must be a whole number"))?;
                limit.set(word, number)?;
            }
            Ok(limit)
        }
        _ => Err("write it as { reject = 10, review = 60 }, with at least one of reject, review and note, or as \"none\"".to_owned()),
    }
}

const HEAD: &str = "\
# 资料类型 Document types, as published. Comments of an imported file aren't kept.
#
# [findings]            what each finding does, unless a kind or a type says otherwise: reject, review, note, ignore
# [kind.recording]      what holds for every type of that kind: recording, audio, scan, bundle
# [type.CODE]           a type, and what differs from its kind
# [business.CODE]       which types a business needs
#
# Limits: { reject = 10, review = 60, note = 90 }, any of the three; \"none\" lifts a limit that the kind sets.
";

/// Writes a table.
pub(super) fn write(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    for rule in Rule::all() {
        let (zh, en) = rule.meaning();
        put(&mut text, format_args!("#   {:<24}{zh}; {en}\n", rule.key()));
    }
    text.push_str("\n[findings]\n");
    severities(&mut text, &table.findings);
    for (kind, said) in &table.kinds {
        put(&mut text, format_args!("\n[kind.{}]\n", kind.code()));
        write_said(&mut text, said);
        if !said.findings.is_empty() {
            put(&mut text, format_args!("\n[kind.{}.findings]\n", kind.code()));
            severities(&mut text, &said.findings);
        }
    }
    for (code, section) in &table.types {
        put(&mut text, format_args!("\n[type.{code}]\n"));
        put(
            &mut text,
            format_args!("category = {}\n", quoted(section.category.code())),
        );
        put(
            &mut text,
            format_args!("kind = {}\n", quoted(section.kind.code())),
        );
        put(
            &mut text,
            format_args!("name_zh = {}\n", quoted(&section.name_zh)),
        );
        put(
            &mut text,
            format_args!("name_en = {}\n", quoted(&section.name_en)),
        );
        write_said(&mut text, &section.said);
        if !section.said.findings.is_empty() {
            put(&mut text, format_args!("\n[type.{code}.findings]\n"));
            severities(&mut text, &section.said.findings);
        }
    }
    for (code, business) in &table.businesses {
        put(&mut text, format_args!("\n[business.{code}]\n"));
        put(
            &mut text,
            format_args!("name_zh = {}\n", quoted(&business.name_zh)),
        );
        put(
            &mut text,
            format_args!("name_en = {}\n", quoted(&business.name_en)),
        );
        put(&mut text, format_args!("types = {}\n", list(&business.types)));
    }
    text
}

fn write_said(text: &mut String, said: &Said) {
    if let Some(extensions) = &said.extensions {
        put(text, format_args!("extensions = {}\n", list(extensions)));
    }
    if let Some(size) = said.max_size_bytes {
        put(
            text,
            format_args!("max_size = {}\n", quoted(&table::size_text(size))),
        );
    }
    for (rule, limit) in &said.rules {
        put(text, format_args!("{} = {}\n", rule.key(), limit_value(limit)));
    }
}

fn severities(text: &mut String, findings: &Severities) {
    for (code, severity) in findings {
        put(
            text,
            format_args!("{} = {}\n", code.text(), quoted(severity_word(*severity))),
        );
    }
}

fn limit_value(limit: &Limit) -> String {
    let parts: Vec<String> = limit
        .parts()
        .into_iter()
        .filter_map(|(severity, limit)| Some(format!("{} = {}", severity_word(Some(severity)), limit?)))
        .collect();
    if parts.is_empty() {
        return quoted(NONE);
    }
    format!("{{ {} }}", parts.join(", "))
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A basic string of TOML; names have no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing into a string can't fail.
    let _ = text.write_fmt(what);
}
