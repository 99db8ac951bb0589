//! Integrity: what was checked and when, what no check has seen, what inspections questioned, what is sealed and what waits.

use super::{Cell, Report, ReportError};
use crate::{
    catalog::reports::{self, Listed, Span},
    custody::log_view::LogView,
    domain::{event::Leaf, time::Zone},
    views::tasks,
};
use std::collections::HashMap;

/// Single checks of one evidence that are looked through for its versions.
const CHECKS_OF_ONE: usize = 100;

/// The last check of the whole store, and what came after it. What was sealed while that check ran counts as seen by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The last check that looked at everything: its position, its time in ms, its findings.
    pub last: Option<(u64, i64, i64)>,
    /// Versions sealed since.
    pub sealed_since: u64,
}

/// What the last check of the whole store covers.
///
/// # Errors
/// When the catalogue or the log can't be read.
pub fn coverage(log: &LogView) -> Result<Coverage, ReportError> {
    let last = last_complete(log)?;
    let since = last.map(|(leaf, ..)| leaf);
    let sealed_since = log
        .catalogue()
        .read(|connection| reports::count_since(connection, since))?;
    Ok(Coverage { last, sealed_since })
}

/// Pages of checks that are read at one time until a complete one is found.
const PAGE: usize = 100;

fn last_complete(log: &LogView) -> Result<Option<(u64, i64, i64)>, ReportError> {
    let mut before = None;
    loop {
        let span = Span {
            before,
            limit: PAGE,
            ..Span::default()
        };
        let checks = log
            .catalogue()
            .read(|connection| reports::listed(connection, Listed::Fixity, &span))?;
        for check in &checks {
            let leaf = read(log, check.leaf)?;
            // A check of one version is about its evidence; one of the store is about nothing but itself.
            if leaf.integer("complete") == Some(1) && leaf.text("evidence").is_none() {
                let findings = leaf.integer("findings").unwrap_or_default();
                return Ok(Some((check.leaf, check.time_ms, findings)));
            }
        }
        match checks.last() {
            Some(last) if checks.len() == PAGE => before = Some(last.leaf),
            _ => return Ok(None),
        }
    }
}

pub(super) fn read(log: &LogView, index: u64) -> Result<Leaf, ReportError> {
    let bytes = log.leaf(index)?;
    serde_json::from_slice(&bytes).map_err(|error| ReportError::Leaf(index, error))
}

pub(super) fn fixity(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let checks = log
        .catalogue()
        .read(|connection| reports::listed(connection, Listed::Fixity, span))?;
    let mut report = Report::new(&[
        ("时间", "Time"),
        ("日志位置", "Log index"),
        ("操作", "Actor"),
        ("对象数", "Objects"),
        ("字节", "Bytes"),
        ("问题数", "Findings"),
        ("使用身份密钥", "With identity"),
        ("完整", "Complete"),
        ("单件证据", "Single evidence"),
    ]);
    for check in checks {
        let leaf = read(log, check.leaf)?;
        let fact = |name: &str| Cell::number(leaf.integer(name));
        let findings = match leaf.integer("findings") {
            Some(found) if found > 0 => {
                let found = found.to_string();
                Cell::alert(&found, &found, &found)
            }
            other => Cell::number(other),
        };
        let flag = |name: &str| match leaf.integer(name) {
            Some(1) => Cell::word("1", "是", "yes"),
            Some(0) => Cell::word("0", "否", "no"),
            _ => Cell::Empty,
        };
        let evidence = leaf.text("evidence").map(str::to_owned);
        report.event(
            check.leaf,
            [
                Cell::Time(check.time_ms),
                Cell::Leaf(check.leaf),
                Cell::Text(check.actor),
                fact("objects"),
                fact("bytes"),
                findings,
                flag("with_identity"),
                flag("complete"),
                evidence.map_or(Cell::Empty, Cell::Evidence),
            ],
        );
    }
    Ok(report)
}

pub(super) fn unchecked(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let since = last_complete(log)?.map(|(leaf, ..)| leaf);
    let versions = log
        .catalogue()
        .read(|connection| reports::sealed_since(connection, since, span))?;
    let mut report = Report::new(&[
        ("封存时间", "Sealed"),
        ("回执编号", "Receipt"),
        ("证据", "Evidence"),
        ("版本", "Version"),
        ("机构", "Branch"),
        ("类别", "Type"),
        ("字节", "Bytes"),
        ("最近单独核验", "Last checked by itself"),
    ]);
    let mut seen: HashMap<String, HashMap<i64, i64>> = HashMap::new();
    for version in versions {
        if !seen.contains_key(&version.id) {
            seen.insert(version.id.clone(), single_checks(log, &version.id)?);
        }
        let alone = seen
            .get(&version.id)
            .and_then(|checks| checks.get(&version.version));
        report.event(
            version.leaf,
            [
                Cell::Time(version.sealed_ms),
                Cell::Leaf(version.leaf),
                Cell::Evidence(version.id.clone()),
                Cell::Number(version.version),
                Cell::Text(version.branch),
                Cell::Text(version.doctype),
                Cell::Number(version.size_bytes),
                alone.map_or_else(
                    || Cell::alert("never", "从未核验", "never"),
                    |at_ms| Cell::Time(*at_ms),
                ),
            ],
        );
    }
    Ok(report)
}

/// When each version of a piece of evidence was last checked by itself, without finding anything.
fn single_checks(log: &LogView, evidence: &str) -> Result<HashMap<i64, i64>, ReportError> {
    let checks = log
        .catalogue()
        .read(|connection| reports::checks_of(connection, evidence, CHECKS_OF_ONE))?;
    let mut newest = HashMap::new();
    for check in checks {
        let leaf = read(log, check.leaf)?;
        if let (Some(version), Some(0)) = (leaf.integer("version"), leaf.integer("findings")) {
            newest.entry(version).or_insert(check.time_ms);
        }
    }
    Ok(newest)
}

pub(super) fn findings(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let questioned = log
        .catalogue()
        .read(|connection| reports::questioned(connection, span))?;
    let mut report = Report::new(&[
        ("时间", "Time"),
        ("日志位置", "Log index"),
        ("机构", "Branch"),
        ("证据或接收编号", "Evidence or accession"),
        ("版本", "Version"),
        ("检查", "Inspection"),
        ("结论", "Verdict"),
        ("问题", "Findings"),
        ("目前状态", "State now"),
    ]);
    for row in questioned {
        let tier = match row.tier.as_str() {
            "deep" => Cell::word("deep", "深度检查", "in depth"),
            _ => Cell::word("gate", "接收检查", "at the gate"),
        };
        let verdict = match row.verdict.as_str() {
            "rejected" => Cell::word("rejected", "拒收", "rejected"),
            _ => Cell::alert("needs_review", "需人工查看", "needs a look"),
        };
        let state = match row.state.as_deref() {
            None => Cell::Empty,
            Some("sealed") => Cell::word("sealed", "已封存", "sealed"),
            Some("needs_review") => Cell::alert("needs_review", "需人工查看", "needs a look"),
            Some(other) => Cell::Text(other.to_owned()),
        };
        let subject = match row.version {
            0 => Cell::Text(row.subject.clone()),
            _ => Cell::Evidence(row.subject.clone()),
        };
        report.event(
            row.leaf,
            [
                Cell::Time(row.time_ms),
                Cell::Leaf(row.leaf),
                Cell::text(row.branch),
                subject,
                Cell::number(Some(row.version).filter(|version| *version > 0)),
                tier,
                verdict,
                findings_cell(&row.findings, &row.whole),
                state,
            ],
        );
    }
    Ok(report)
}

/// The codes, and for people the gravest one's sentence.
fn findings_cell(codes: &str, whole: &str) -> Cell {
    let codes: Vec<String> = serde_json::from_str(codes).unwrap_or_default();
    let codes = codes.join(" ");
    let whole: serde_json::Value = serde_json::from_str(whole).unwrap_or_default();
    let sentence = |lang: &str| {
        let first = whole.get("findings").and_then(|all| all.get(0));
        let said = first
            .and_then(|finding| finding.get(lang))
            .and_then(|said| said.as_str());
        said.map_or_else(|| codes.clone(), str::to_owned)
    };
    Cell::word(&codes, &sentence("zh"), &sentence("en"))
}

pub(super) fn evidence_by_branch(log: &LogView) -> Result<Report, ReportError> {
    let rows = log.catalogue().read(reports::evidence_by_branch)?;
    let mut report = Report::new(&[
        ("机构", "Branch"),
        ("名称", "Name"),
        ("证据件数", "Evidence"),
        ("版本数", "Versions"),
        ("字节", "Bytes"),
        ("已按申报核对", "Declared"),
        ("仅服务器计算", "Server only"),
        ("首次封存", "First sealed"),
        ("最近封存", "Last sealed"),
    ]);
    for row in rows {
        report.row([
            Cell::Text(row.branch),
            Cell::Text(row.name),
            Cell::Number(row.evidence),
            Cell::Number(row.versions),
            Cell::Number(row.size_bytes),
            Cell::Number(row.declared),
            Cell::Number(row.versions - row.declared),
            Cell::time(row.sealed_ms.map(|(first, _)| first)),
            Cell::time(row.sealed_ms.map(|(_, last)| last)),
        ]);
    }
    Ok(report)
}

pub(super) fn waiting(log: &LogView, zone: Zone) -> Result<Report, ReportError> {
    let rows = log.catalogue().read(reports::waiting)?;
    let columns: Vec<(&str, &str)> = [
        ("机构", "Branch"),
        ("上传人", "Uploader"),
        ("接收编号", "Accession"),
    ]
    .into_iter()
    .chain(tasks::COLUMNS.map(|column| match column.split_once(' ') {
        Some((zh, en)) if !zh.is_ascii() => (zh, en),
        _ => ("", column),
    }))
    .collect();
    let mut report = Report::new(&columns);
    for row in &rows {
        let own = [&row.branch, &row.name, &row.id].map(|text| Cell::Text(text.clone()));
        let rest = tasks::cells(row, zone).into_iter().map(Cell::Text);
        report.row(own.into_iter().chain(rest));
    }
    Ok(report)
}
