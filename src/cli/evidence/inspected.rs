//! What `muniment evidence show` says of inspections, the queue and derived copies.

use muniment::{
    catalog::{
        Result,
        inspections::{self, Derived, Due},
        search::Evidence,
    },
    domain::finding::{Finding, Severity},
    inspect::outcome::Inspection,
};
use rusqlite::Connection;
use serde::Serialize;

/// Of one version.
#[derive(Serialize)]
pub(super) struct Inspected {
    version: i64,
    inspections: Vec<Seen>,
    /// In the queue for the background inspection.
    due: Option<Due>,
    derived: Vec<Derived>,
}

#[derive(Serialize)]
struct Seen {
    leaf: u64,
    tier: String,
    verdict: String,
    types_version: i64,
    findings: Vec<Finding>,
}

/// What is known of these versions.
pub(super) fn of(catalogue: &Connection, versions: &[Evidence]) -> Result<Vec<Inspected>> {
    let one = |row: &Evidence| {
        let seen = inspections::of(catalogue, &row.id, row.version)?
            .into_iter()
            .map(|row| Seen {
                leaf: row.leaf,
                findings: serde_json::from_str::<Inspection>(&row.whole)
                    .map(|whole| whole.findings)
                    .unwrap_or_default(),
                tier: row.tier,
                verdict: row.verdict,
                types_version: row.types_version,
            })
            .collect();
        Ok(Inspected {
            version: row.version,
            inspections: seen,
            due: inspections::due_of(catalogue, row.receipt)?,
            derived: inspections::derived_of(catalogue, &row.id, row.version)?,
        })
    };
    versions.iter().map(one).collect()
}

impl Inspected {
    /// Labels and values, as `show` lists them.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for seen in &self.inspections {
            lines.push((
                format!("{} inspection", seen.tier),
                format!(
                    "{} (log position {}, document types {})",
                    seen.verdict, seen.leaf, seen.types_version
                ),
            ));
            for finding in &seen.findings {
                lines.push((String::new(), finding_line(finding)));
                for words in [&finding.zh, &finding.en] {
                    if !words.is_empty() {
                        lines.push((String::new(), format!("  {words}")));
                    }
                }
            }
        }
        if let Some(due) = &self.due {
            lines.push((
                "deep inspection".to_owned(),
                format!("still to come, due since log position {}", due.since),
            ));
        }
        for copy in &self.derived {
            lines.push((
                "derived copy".to_owned(),
                format!(
                    "{}, {} bytes, {}, id {}",
                    copy.form, copy.size_bytes, copy.media_type, copy.id
                ),
            ));
        }
        lines
    }
}

fn finding_line(finding: &Finding) -> String {
    let does = match finding.severity {
        Severity::Note => "note",
        Severity::Review => "review",
        Severity::Reject => "reject",
    };
    let mut line = format!("{} ({does})", finding.code);
    for (word, value) in [
        ("at", &finding.place),
        ("found", &finding.found),
        ("expected", &finding.expected),
    ] {
        if !value.is_empty() {
            line.push_str(&format!(", {word} {value}"));
        }
    }
    line
}
