//! Policy: facts held against the rules of a document type.
//!
//! Pure: no clock, no file, no catalogue. Which facts a report carries is a worker's business, how grave a finding is the
//! document type's; here stands what is compared with what, and what a clerk is told.
//!
//! Invariant: what a report can't say isn't taken for good: a file of which nothing is known, and nothing is said to be
//! wrong, is `unreadable`.

mod faults;
mod media;
mod pages;
mod shown;
#[cfg(test)]
mod tests;
mod words;

use super::report::{FaultCode, Report};
use crate::domain::{
    doctype::{DocumentType, Kind, Rule},
    finding::{Code, Finding, Setting, Severity},
    reason::Reason,
};
use std::collections::BTreeMap;

/// Places, and values found, that one finding names at the most; more are only counted.
const MAX_NAMED: usize = 6;

/// Facts held against the rules of a document type. Pure. Findings come gravest first, one a code.
pub fn judge(report: &Report, doctype: &DocumentType) -> Vec<Finding> {
    let mut hits = Hits::new(doctype);
    hits.faults(report);
    hits.least(Rule::SmallestBytes, report.size_bytes, "", |bytes| {
        format!("{bytes} bytes")
    });
    let told = |code| report.faults.iter().any(|fault| fault.code == code);
    if let Some(media) = &report.media {
        hits.media(media, "", told(FaultCode::DecodeError));
    }
    if let Some(scan) = &report.scan {
        hits.scan(scan, "");
        hits.page_count(u64::from(scan.page_count));
    }
    if let Some(bundle) = &report.bundle {
        hits.bundle(bundle, told(FaultCode::MemberUnknown));
    }
    if !is_described(report, doctype.kind) && !report.faults.iter().any(|fault| explains(fault.code)) {
        hits.add(
            Code::Unreadable,
            Severity::Reject,
            "",
            "nothing is known of it",
            "",
        );
    }
    hits.into_findings()
}

/// Whether there is anything in the report that rules could be held against.
fn is_described(report: &Report, kind: Kind) -> bool {
    match kind {
        Kind::Recording | Kind::Audio => report.media.is_some(),
        Kind::Scan => report.scan.as_ref().is_some_and(|scan| scan.page_count > 0),
        Kind::Bundle => report.bundle.is_some(),
    }
}

/// Whether a fault can be the reason that there is nothing to describe.
fn explains(code: FaultCode) -> bool {
    !matches!(
        code,
        FaultCode::TrailingBytes
            | FaultCode::TimelineGap
            | FaultCode::DecodeError
            | FaultCode::ActiveContent
            | FaultCode::Attachments
            | FaultCode::MemberUnknown
    )
}

/// The finding for a file that no worker could inspect: severity [`Severity::Review`], `inspection_failed`.
pub fn inspection_failed(detail: &str) -> Finding {
    fixed(Code::InspectionFailed, Severity::Review, detail)
}

/// The finding for a file that a malware scanner named something in: severity [`Severity::Reject`], `malware`.
pub fn malware(signature: &str) -> Finding {
    fixed(Code::Malware, Severity::Reject, signature)
}

/// The finding for a file that is beyond a limit of the malware scanner.
pub fn malware_not_scanned() -> Finding {
    fixed(Code::MalwareNotScanned, Severity::Review, "not scanned")
}

/// The reason that a rejection carries: the first finding's code; texts of all rejecting findings.
pub fn reason(findings: &[Finding]) -> Reason {
    let rejecting = || {
        findings
            .iter()
            .filter(|finding| finding.severity == Severity::Reject)
    };
    let code = rejecting()
        .chain(findings)
        .next()
        .and_then(|finding| Code::from_text(&finding.code))
        .unwrap_or(Code::InspectionFailed);
    Reason::new(
        code.text(),
        rejecting()
            .map(|finding| finding.en.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        rejecting().map(|finding| finding.zh.as_str()).collect::<String>(),
    )
}

/// A finding that no table sets.
fn fixed(code: Code, severity: Severity, found: &str) -> Finding {
    let (en, zh) = words::of(code, None);
    Finding {
        code: code.text().to_owned(),
        severity,
        place: String::new(),
        found: super::report::printable(found),
        expected: String::new(),
        en,
        zh,
    }
}

/// What is held against a file so far, by code.
struct Hits<'d> {
    doctype: &'d DocumentType,
    by_code: BTreeMap<Code, Hit>,
}

struct Hit {
    severity: Severity,
    places: Named,
    found: Named,
    expected: Named,
}

/// The first few of many texts, each once.
#[derive(Default)]
struct Named {
    texts: Vec<String>,
    more: usize,
}

impl Named {
    fn add(&mut self, text: &str) {
        if text.is_empty() || self.texts.iter().any(|known| known == text) {
            return;
        }
        if self.texts.len() < MAX_NAMED {
            self.texts.push(text.to_owned());
        } else {
            self.more += 1;
        }
    }

    fn join(&self) -> String {
        let all = self.texts.join("; ");
        match self.more {
            0 => all,
            more => format!("{all}; +{more}"),
        }
    }
}

impl<'d> Hits<'d> {
    fn new(doctype: &'d DocumentType) -> Self {
        Hits {
            doctype,
            by_code: BTreeMap::new(),
        }
    }

    fn add(&mut self, code: Code, severity: Severity, place: &str, found: &str, expected: &str) {
        let hit = self.by_code.entry(code).or_insert_with(|| Hit {
            severity,
            places: Named::default(),
            found: Named::default(),
            expected: Named::default(),
        });
        hit.severity = hit.severity.max(severity);
        hit.places.add(place);
        hit.found.add(found);
        hit.expected.add(expected);
    }

    /// Something that the type's own word decides on.
    fn set(&mut self, code: Code, place: &str, found: &str, expected: &str) {
        debug_assert!(matches!(code.setting(), Setting::Severity(_)));
        if let Some(severity) = self.doctype.severity(code) {
            self.add(code, severity, place, found, expected);
        }
    }

    /// A value that may be too small, compared as it is.
    fn least(&mut self, rule: Rule, value: u64, place: &str, shown: impl Fn(u64) -> String) {
        let under = |limit: i64| u64::try_from(limit).is_ok_and(|limit| value < limit);
        if let Some((severity, limit)) = self.doctype.limit(rule).broken(under) {
            let expected = format!("≥ {}", shown(limit.unsigned_abs()));
            self.add(rule.code(), severity, place, &shown(value), &expected);
        }
    }

    /// A value that may be too large, compared as it is.
    fn most(&mut self, rule: Rule, value: u64, place: &str, shown: impl Fn(u64) -> String) {
        let over = |limit: i64| u64::try_from(limit).is_ok_and(|limit| value > limit);
        if let Some((severity, limit)) = self.doctype.limit(rule).broken(over) {
            let expected = format!("≤ {}", shown(limit.unsigned_abs()));
            self.add(rule.code(), severity, place, &shown(value), &expected);
        }
    }

    fn into_findings(self) -> Vec<Finding> {
        let kind = self.doctype.kind;
        let mut findings: Vec<Finding> = self
            .by_code
            .into_iter()
            .map(|(code, hit)| {
                let (en, zh) = words::of(code, Some(kind));
                Finding {
                    code: code.text().to_owned(),
                    severity: hit.severity,
                    place: hit.places.join(),
                    found: hit.found.join(),
                    expected: hit.expected.join(),
                    en,
                    zh,
                }
            })
            .collect();
        // Stable: codes of one severity stay in the order of the list.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }
}
