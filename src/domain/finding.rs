//! Findings: what an inspection holds against a file, in stable codes for machines and two languages for people.
//!
//! A finding is a judgement: facts (`inspect::report`) held against the rules of a document type. Invariant: the text of
//! a code is stable (leaves, receipts, reports and scripts depend on it); the sentences are not.

mod code;

pub use code::{Code, Setting};

use serde::{Deserialize, Serialize};

/// What a finding does to an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; changes nothing.
    Note,
    /// Accepted, but a person must look at it.
    Review,
    /// Not evidence as it is.
    Reject,
}

/// What all findings of an inspection come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is held against it.
    Accepted,
    /// A person must look at it.
    NeedsReview,
    /// Not evidence as it is.
    Rejected,
}

impl Verdict {
    /// The strictest of the findings decides.
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Reject) => Self::Rejected,
            Some(Severity::Review) => Self::NeedsReview,
            Some(Severity::Note) | None => Self::Accepted,
        }
    }

    /// Stable word in leaves.
    pub fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NeedsReview => "needs_review",
            Self::Rejected => "rejected",
        }
    }
}

/// One thing that an inspection holds against a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stable snake_case code, such as `no_audio`.
    pub code: String,
    /// What it does.
    pub severity: Severity,
    /// Where: `page 3`, `12.480 s`, `scans/a.jpg`; empty for the whole file. ASCII digits and units, or a member's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What was found, short: `0 audio streams`, `96 dpi`.
    pub found: String,
    /// What was expected, short; empty where nothing in the rules says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What is wrong and how to mend it, in English.
    pub en: String,
    /// The same in Chinese.
    pub zh: String,
}
