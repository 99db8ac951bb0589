//! Why something was not taken as it is, in words a clerk can act on.
//!
//! A reason never carries a secret, a citizen id or a local path. Invariant: `code` is stable (receipts, tests and
//! scripts depend on it), the texts are not.

use std::fmt;

use serde::Serialize;

/// A refusal or a finding: a stable code for machines, a sentence in English and one in Chinese for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Stable snake_case code.
    pub code: &'static str,
    /// What is wrong and what to do about it, in English.
    pub en: String,
    /// The same in Chinese.
    pub zh: String,
}

impl Reason {
    /// A reason from its parts.
    pub fn new(code: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self {
            code,
            en: en.into(),
            zh: zh.into(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} / {}", self.code, self.en, self.zh)
    }
}

impl std::error::Error for Reason {}
