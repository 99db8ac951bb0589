//! What an inspection comes to, as leaves, records and receipts keep it.

use super::report::Report;
use crate::domain::{
    event::Draft,
    finding::{Finding, Verdict},
};
use serde::{Deserialize, Serialize};

/// A judged inspection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspection {
    /// What was seen; nothing when no worker could say (`inspection_failed`).
    pub report: Option<Report>,
    /// What is held against it, the gravest first.
    pub findings: Vec<Finding>,
    /// Version of the document types that judged it.
    pub types_version: u32,
}

impl Inspection {
    /// What the findings come to.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.findings)
    }

    /// Writes it into an event: codes into the leaf, the whole of it into the record.
    pub fn write(&self, draft: Draft) -> Draft {
        let codes: Vec<&str> = self
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect();
        let mut draft = draft
            .fact("verdict", self.verdict().code())
            .fact("findings", codes)
            .fact("types_version", self.types_version);
        if let Some(report) = &self.report {
            let inspector: String = report.inspector.chars().filter(char::is_ascii).collect();
            draft = draft.fact("inspector", inspector);
        }
        match serde_json::to_value(self) {
            Ok(whole) => draft.private("inspection", whole),
            Err(_) => draft,
        }
    }
}
