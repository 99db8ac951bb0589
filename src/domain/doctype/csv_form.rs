//! The table as CSV for a spreadsheet: one row a type, a column for every rule; rows for kinds, findings and businesses too,
//! so that one file holds the whole table.
//!
//! The first column says what a row is: `findings`, `kind`, `type` or `business`. An empty cell says nothing, so a type keeps
//! what its kind says. Invariant: what is written reads back as the same table.

use super::{
    DocumentTypesError,
    kind::Kind,
    rule::{Limit, Rule, severity_word},
    table::{self, Business, Said, Severities, Table, TypeSection, field},
    toml_form::category_of,
};
use std::collections::BTreeMap;

/// Columns besides the rules: key, and what it is called for people.
const COLUMNS: [(&str, &str); 10] = [
    ("row", "行类型"),
    ("code", "代码"),
    ("kind", "种类"),
    ("category", "类别"),
    ("name_zh", "中文名称"),
    ("name_en", "英文名称"),
    ("extensions", "扩展名"),
    ("max_size", "大小上限"),
    ("types", "所需资料类型"),
    ("findings", "发现问题的处理"),
];

/// Writes a table, with the byte-order mark and line ends that Excel needs.
pub(super) fn write(table: &Table) -> Result<Vec<u8>, DocumentTypesError> {
    let keys = keys();
    let mut sheet = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let heading = keys.iter().map(|(key, zh)| format!("{key} {zh}"));
    sheet.write_record(heading).map_err(unwritable)?;
    let mut row = |cells: BTreeMap<&str, String>| {
        sheet
            .write_record(
                keys.iter()
                    .map(|(key, _)| cells.get(key).map_or("", String::as_str)),
            )
            .map_err(unwritable)
    };
    row(BTreeMap::from([
        ("row", "findings".to_owned()),
        ("findings", severities(&table.findings)),
    ]))?;
    for (kind, said) in &table.kinds {
        let mut cells = said_cells(said);
        cells.insert("row", "kind".to_owned());
        cells.insert("code", kind.code().to_owned());
        row(cells)?;
    }
    for (code, section) in &table.types {
        let mut cells = said_cells(&section.said);
        cells.insert("row", "type".to_owned());
        cells.insert("code", code.clone());
        cells.insert("kind", section.kind.code().to_owned());
        cells.insert("category", section.category.code().to_owned());
        cells.insert("name_zh", section.name_zh.clone());
        cells.insert("name_en", section.name_en.clone());
        row(cells)?;
    }
    for (code, business) in &table.businesses {
        row(BTreeMap::from([
            ("row", "business".to_owned()),
            ("code", code.clone()),
            ("name_zh", business.name_zh.clone()),
            ("name_en", business.name_en.clone()),
            ("types", business.types.join("; ")),
        ]))?;
    }
    sheet
        .into_inner()
        .map_err(|error| DocumentTypesError::Csv(error.to_string()))
}

/// Reads a table from text that was decoded already, without completing or checking it.
pub(super) fn read(text: &str) -> Result<Table, DocumentTypesError> {
    let delimiter = delimiter(text);
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
        .into_records();
    let unreadable = |error: csv::Error| DocumentTypesError::Csv(error.to_string());
    let heading = match rows.next() {
        Some(heading) => columns(&heading.map_err(unreadable)?)?,
        None => return Err(DocumentTypesError::Empty),
    };
    let mut read = Table::default();
    for (at, record) in rows.enumerate() {
        let record = record.map_err(unreadable)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        // As a spreadsheet counts, the heading being row 1.
        let row = format!("row {}", at + 2);
        let mut cells = Cells {
            at: row.clone(),
            cells: BTreeMap::new(),
        };
        for (position, cell) in record.iter().enumerate() {
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            match heading.get(position) {
                Some(key) => cells.cells.insert(*key, cell.to_owned()),
                None => return Err(field(&row, "", "has more cells than the heading")),
            };
        }
        cells.into_table(&mut read)?;
    }
    Ok(read)
}

fn keys() -> Vec<(&'static str, &'static str)> {
    let rules = Rule::all().map(|rule| (rule.key(), rule.meaning().0));
    COLUMNS.into_iter().chain(rules).collect()
}

/// The separator that the heading has most of: Excel writes what the system's settings say.
fn delimiter(text: &str) -> u8 {
    let heading = text.lines().next().unwrap_or_default().as_bytes();
    let count = |separator: &u8| heading.iter().filter(|byte| *byte == separator).count();
    b"\t;,".iter().copied().max_by_key(count).unwrap_or(b',')
}

/// Which column is what: the key is the first word of its heading.
fn columns(heading: &csv::StringRecord) -> Result<Vec<&'static str>, DocumentTypesError> {
    let keys = keys();
    let mut found = Vec::new();
    for title in heading {
        let word = title.split_whitespace().next().unwrap_or_default();
        let Some((key, _)) = keys.iter().find(|(key, _)| *key == word) else {
            let known: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            return Err(field(
                "the heading",
                word,
                format!("no such column; there are {}", known.join(", ")),
            ));
        };
        if found.contains(key) {
            return Err(field("the heading", key, "stands in it twice"));
        }
        found.push(*key);
    }
    for needed in ["row", "code"] {
        if !found.contains(&needed) {
            return Err(field("the heading", needed, "is missing"));
        }
    }
    Ok(found)
}

/// The cells of a row that aren't empty; what was read is taken out.
struct Cells {
    at: String,
    cells: BTreeMap<&'static str, String>,
}

impl Cells {
    fn into_table(mut self, table: &mut Table) -> Result<(), DocumentTypesError> {
        let row = self.needed("row")?;
        match row.as_str() {
            "findings" => {
                table.findings.extend(self.findings()?);
                self.nothing_else("findings")
            }
            "kind" => {
                let code = self.needed("code")?;
                let kind = self.kind("code", &code)?;
                self.at = format!("{}, kind {code}", self.at);
                let said = self.said()?;
                self.nothing_else("kind")?;
                self.once(table.kinds.insert(kind, said).is_some())
            }
            "type" => {
                let code = self.needed("code")?;
                self.at = format!("{}, type {code}", self.at);
                let kind = self.needed("kind")?;
                let category = self.needed("category")?;
                let section = TypeSection {
                    kind: self.kind("kind", &kind)?,
                    category: category_of(&self.at, &category)?,
                    name_zh: self.needed("name_zh")?,
                    name_en: self.needed("name_en")?,
                    said: self.said()?,
                };
                self.nothing_else("type")?;
                self.once(table.types.insert(code, section).is_some())
            }
            "business" => {
                let code = self.needed("code")?;
                self.at = format!("{}, business {code}", self.at);
                let business = Business {
                    name_zh: self.needed("name_zh")?,
                    name_en: self.needed("name_en")?,
                    types: items(&self.needed("types")?),
                };
                self.nothing_else("business")?;
                self.once(table.businesses.insert(code, business).is_some())
            }
            _ => Err(field(&self.at, "row", "one of findings, kind, type, business")),
        }
    }

    fn needed(&mut self, name: &str) -> Result<String, DocumentTypesError> {
        self.cells
            .remove(name)
            .ok_or_else(|| field(&self.at, name, "is missing"))
    }

    fn kind(&self, name: &str, code: &str) -> Result<Kind, DocumentTypesError> {
        Kind::from_code(code).ok_or_else(|| {
            field(
                &self.at,
                name,
                format!("one of {}", Kind::ALL.map(Kind::code).join(", ")),
            )
        })
    }

    fn said(&mut self) -> Result<Said, DocumentTypesError> {
        let mut said = Said {
            extensions: self.cells.remove("extensions").map(|cell| items(&cell)),
            findings: self.findings()?,
            ..Said::default()
        };
        if let Some(size) = self.cells.remove("max_size") {
            said.max_size_bytes = Some(table::parse_size(&self.at, &size)?);
        }
        for rule in Rule::all() {
            if let Some(cell) = self.cells.remove(rule.key()) {
                let limit = Limit::parse(&cell).map_err(|wrong| {
                    field(
                        &self.at,
                        rule.key(),
                        format!("{wrong}, such as \"reject=10; review=60\""),
                    )
                })?;
                said.rules.insert(rule, limit);
            }
        }
        Ok(said)
    }

    fn findings(&mut self) -> Result<Severities, DocumentTypesError> {
        let mut found = Severities::new();
        for item in items(&self.cells.remove("findings").unwrap_or_default()) {
            let (code, word) = item
                .split_once('=')
                .ok_or_else(|| field(&self.at, "findings", "write code=severity; code=severity"))?;
            let (code, severity) = table::finding(&self.at, code.trim(), word.trim())?;
            if found.insert(code, severity).is_some() {
                return Err(field(
                    &self.at,
                    "findings",
                    format!("{} stands in it twice", code.text()),
                ));
            }
        }
        Ok(found)
    }

    fn once(&self, again: bool) -> Result<(), DocumentTypesError> {
        if again {
            return Err(field(&self.at, "code", "stands in the table twice"));
        }
        Ok(())
    }

    fn nothing_else(&self, row: &str) -> Result<(), DocumentTypesError> {
        match self.cells.keys().next() {
            None => Ok(()),
            Some(other) => Err(field(&self.at, other, format!("must be empty in a {row} row"))),
        }
    }
}

fn said_cells(said: &Said) -> BTreeMap<&'static str, String> {
    let mut cells = BTreeMap::new();
    if let Some(extensions) = &said.extensions {
        cells.insert("extensions", extensions.join("; "));
    }
    if let Some(size) = said.max_size_bytes {
        cells.insert("max_size", table::size_text(size));
    }
    for (rule, limit) in &said.rules {
        cells.insert(rule.key(), limit.to_string());
    }
    cells.insert("findings", severities(&said.findings));
    cells
}

fn severities(findings: &Severities) -> String {
    let items: Vec<String> = findings
        .iter()
        .map(|(code, severity)| format!("{}={}", code.text(), severity_word(*severity)))
        .collect();
    items.join("; ")
}

/// The items of a list in a cell.
fn items(cell: &str) -> Vec<String> {
    cell.split([';', '；'])
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn unwritable(error: csv::Error) -> DocumentTypesError {
    DocumentTypesError::Csv(error.to_string())
}
