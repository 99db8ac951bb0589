//! `manifest.csv` as Excel writes it: UTF-8 with or without BOM, GB18030 or UTF-16; comma, semicolon or tab; columns in
//! any order under Chinese or English headings.
//!
//! Invariant: every declared path is a plain relative path, and stands in the manifest once.

mod cells;
mod columns;

use std::collections::{BTreeMap, HashMap};

use self::cells::{not_scientific, sha256, size, unguard};
pub use self::columns::Column;
use self::columns::meaning;
use crate::domain::customer::{CustomerNumber, FlowNumber, Numbers};
use crate::domain::doctype::DocumentTypes;
use crate::domain::reason::Reason;
use crate::ingest::naming::parse_seq;
use crate::ingest::text::{decode_document, fold, relative_path};

/// Largest manifest taken, in bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// Most rows taken, without the heading.
pub const MAX_ROWS: usize = 10_000;
/// Most columns taken.
pub const MAX_COLUMNS: usize = 64;

/// What one row says. Columns that were left out or left empty are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Path below the folder the manifest stands in, NFC, `/` between components.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: Option<u64>,
    /// SHA-256 of the content.
    pub sha256: Option<[u8; 32]>,
    /// Customer number.
    pub customer: Option<CustomerNumber>,
    /// Flow number.
    pub flow: Option<FlowNumber>,
    /// Code of a document type, upper-case.
    pub doctype: Option<String>,
    /// Sequence number, 1–9999.
    pub seq: Option<u32>,
    /// Everything else, as written: `witness1`, `witness2`, `mode`, `disc_number`, `recorded_at`, and columns the branch
    /// added under its own headings.
    pub extra: BTreeMap<String, String>,
}

/// Why a manifest was not taken, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ManifestError {
    /// Row as Excel counts, the heading being row 1; `None` for the manifest as a whole.
    pub row: Option<u64>,
    /// The column, if it is one cell that is wrong.
    pub column: Option<Column>,
    /// What is wrong; the texts name row and column too.
    pub reason: Reason,
}

/// Reads a manifest whole: one wrong row refuses it, since half a declaration would be worse than none.
pub fn parse(bytes: &[u8], numbers: &Numbers, types: &DocumentTypes) -> Result<Vec<Declared>, ManifestError> {
    if bytes.len() > MAX_BYTES {
        return Err(whole(
            "manifest_too_large",
            "larger than 4 MiB; split it",
            "超过 4 MiB，请拆分",
        ));
    }
    let text = decode_document(bytes).ok_or_else(|| {
        whole(
            "manifest_encoding",
            "not text in UTF-8, UTF-16 or GBK",
            "编码不是 UTF-8、UTF-16 或 GBK",
        )
    })?;
    let (delimiter, heading_row, text) = delimiter(&text);
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
        .into_records();
    let unreadable = || whole("manifest_unreadable", "not a CSV file", "不是有效的 CSV 文件");
    let heading = match rows.next() {
        Some(heading) => columns(&heading.map_err(|_| unreadable())?)?,
        None => return Err(whole("manifest_empty", "empty", "为空")),
    };

    let mut declared: Vec<Declared> = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut row = heading_row;
    for record in rows {
        let record = record.map_err(|_| unreadable())?;
        row += 1 + blank_lines(text.as_bytes(), record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if declared.len() == MAX_ROWS {
            return Err(whole(
                "manifest_too_large",
                "longer than 10,000 rows; split it",
                "超过 10,000 行，请拆分",
            ));
        }
        let entry = read_row(&heading, &record, row, numbers, types)?;
        if let Some(first) = seen.insert(fold(&entry.path), row) {
            return Err(cell(
                row,
                Column::File,
                "manifest_duplicate",
                &format!("{:?} stands in row {first} already", entry.path),
                &format!("“{}”已出现在第 {first} 行", entry.path),
            ));
        }
        declared.push(entry);
    }
    if declared.is_empty() {
        return Err(whole("manifest_empty", "without a single row", "没有任何数据行"));
    }
    Ok(declared)
}

/// The separator, the row of the heading, and the text from there. Excel's own `sep=` line decides; else the separator
/// that the first line has most of, outside quotes.
fn delimiter(text: &str) -> (u8, u64, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let title = first.trim_end_matches('\r').as_bytes();
    if let [s, e, p, b'=', separator @ (b',' | b';' | b'\t')] = title
        && [*s, *e, *p].eq_ignore_ascii_case(b"sep")
    {
        return (*separator, 2, rest);
    }
    let outside_quotes = || first.split('"').step_by(2).flat_map(str::bytes);
    let count = |separator: &u8| outside_quotes().filter(|byte| byte == separator).count();
    // `max_by_key` takes the last of equals: the comma.
    (b"\t;,".iter().copied().max_by_key(count).unwrap_or(b','), 1, text)
}

/// Blank lines that the reader passed over before the record it found from `at` on.
fn blank_lines(text: &[u8], at: u64) -> u64 {
    let (before, rest) = text.split_at(text.len().min(at as usize));
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let blank = breaks.filter(|&&byte| byte == b'\n').count() as u64;
    // The second half of the line break of the record before is no blank line.
    blank - u64::from(before.ends_with(b"\r") && rest.starts_with(b"\n"))
}

/// What each column of the file means: a known column, or the branch's own heading.
type Heading = Vec<Result<Column, String>>;

fn columns(record: &csv::StringRecord) -> Result<Heading, ManifestError> {
    if record.len() > MAX_COLUMNS {
        return Err(whole("manifest_too_large", "wider than 64 columns", "超过 64 列"));
    }
    let mut heading = Heading::new();
    for title in record {
        let meaning = meaning(title).ok_or_else(|| title.trim().to_owned());
        let known = meaning.is_ok() || meaning.as_ref().is_err_and(|title| !title.is_empty());
        if known && heading.contains(&meaning) {
            return Err(whole(
                "manifest_heading",
                &format!("ambiguous: two columns mean {:?}", title.trim()),
                &format!("有两列含义相同：“{}”", title.trim()),
            ));
        }
        heading.push(meaning);
    }
    if !heading.contains(&Ok(Column::File)) {
        return Err(whole(
            "manifest_heading",
            "without a column `file` (文件) in its first row",
            "第一行缺少“文件”（file）列",
        ));
    }
    Ok(heading)
}

fn read_row(
    heading: &Heading,
    record: &csv::StringRecord,
    row: u64,
    numbers: &Numbers,
    types: &DocumentTypes,
) -> Result<Declared, ManifestError> {
    let mut entry = Declared {
        path: String::new(),
        size_bytes: None,
        sha256: None,
        customer: None,
        flow: None,
        doctype: None,
        seq: None,
        extra: BTreeMap::new(),
    };
    for (at, value) in record
        .iter()
        .map(unguard)
        .enumerate()
        .filter(|(_, value)| !value.is_empty())
    {
        let Some(meaning) = heading.get(at) else {
            return Err(ManifestError {
                row: Some(row),
                column: None,
                reason: located(
                    "manifest_row",
                    &format!("row {row}"),
                    &format!("第 {row} 行"),
                    "more cells than there are headings; put names that contain a separator in quotes",
                    "单元格多于标题列；含分隔符的文件名请加引号",
                ),
            });
        };
        let column = match meaning {
            Ok(column) => *column,
            Err(title) => {
                if !title.is_empty() {
                    entry.extra.insert(title.clone(), value.to_owned());
                }
                continue;
            }
        };
        let wrong = |reason: Reason| cell(row, column, reason.code, &reason.en, &reason.zh);
        match column {
            Column::File => entry.path = relative_path(value).map_err(wrong)?,
            Column::Size => entry.size_bytes = Some(size(value).map_err(wrong)?),
            Column::Sha256 => entry.sha256 = Some(sha256(value).map_err(wrong)?),
            Column::Customer => {
                entry.customer = Some(
                    not_scientific(value)
                        .and_then(|v| numbers.customer(v))
                        .map_err(wrong)?,
                );
            }
            Column::Flow => {
                entry.flow = Some(
                    not_scientific(value)
                        .and_then(|v| numbers.flow(v))
                        .map_err(wrong)?,
                )
            }
            Column::Doctype => entry.doctype = Some(types.find(value).map_err(wrong)?.code.clone()),
            Column::Seq => entry.seq = Some(parse_seq(value).map_err(wrong)?),
            Column::DiscNumber => {
                entry.extra.insert(
                    column.code().to_owned(),
                    not_scientific(value).map_err(wrong)?.to_owned(),
                );
            }
            Column::Witness1 | Column::Witness2 | Column::Mode | Column::RecordedAt => {
                entry.extra.insert(column.code().to_owned(), value.to_owned());
            }
        }
    }
    if entry.path.is_empty() {
        return Err(cell(
            row,
            Column::File,
            "manifest_row",
            "no file is named",
            "未填写文件名",
        ));
    }
    Ok(entry)
}

fn whole(code: &'static str, en: &str, zh: &str) -> ManifestError {
    let reason = Reason::new(code, format!("the manifest is {en}"), format!("清单文件{zh}"));
    ManifestError {
        row: None,
        column: None,
        reason,
    }
}

fn cell(row: u64, column: Column, code: &'static str, en: &str, zh: &str) -> ManifestError {
    let name = column.code();
    let reason = located(
        code,
        &format!("row {row}, column {name}"),
        &format!("第 {row} 行“{name}”列"),
        en,
        zh,
    );
    ManifestError {
        row: Some(row),
        column: Some(column),
        reason,
    }
}

fn located(code: &'static str, at_en: &str, at_zh: &str, en: &str, zh: &str) -> Reason {
    Reason::new(
        code,
        format!("manifest, {at_en}: {en}"),
        format!("清单{at_zh}：{zh}"),
    )
}

#[cfg(test)]
mod tests;
