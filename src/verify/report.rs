//! Reports: one line for each thing that was checked, failed or could not be checked, and the verdict that follows.
//!
//! Knows nothing of logs and receipts. Invariant: the verdict is computed from the lines, never set.

use serde::Serialize;
use std::fmt::{self, Write};

/// Most failed lines, and most others, that a report keeps; further ones are counted.
pub const MAX_CHECKS: usize = 10_000;

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Recomputed, and right.
    Passed,
    /// Recomputed, and wrong.
    Failed,
    /// Not recomputed; the detail says why and what follows from it.
    NotChecked,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: a property, or the file that is at fault.
    pub what: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was found, for people.
    pub detail: String,
    /// Whether the caller asked for it. What was asked and not checked keeps the report from being sound.
    pub asked: bool,
}

/// What all lines together allow to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was asked was checked and is right.
    Sound,
    /// Something is wrong.
    Finding,
    /// Nothing is known to be wrong, but something that was asked could not be checked.
    Unknown,
}

impl Verdict {
    /// Exit code of a program: 0 ok, 1 finding, 2 could not tell.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Sound => 0,
            Verdict::Finding => 1,
            Verdict::Unknown => 2,
        }
    }

    /// The verdict on two things: a finding outweighs what is unknown.
    pub fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Finding, _) | (_, Verdict::Finding) => Verdict::Finding,
            (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
            (Verdict::Sound, Verdict::Sound) => Verdict::Sound,
        }
    }
}

/// What a sound report shows, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meaning {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// The lines on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was checked: a receipt's name, a folder.
    pub subject: String,
    /// The lines, in the order in which they were made.
    pub checks: Vec<Check>,
    /// Failed lines beyond [`MAX_CHECKS`].
    pub failed_omitted: u64,
    /// Other lines beyond [`MAX_CHECKS`].
    pub others_omitted: u64,
    /// What it shows if it is sound.
    pub meaning: Option<Meaning>,
    failed: usize,
    unknown: bool,
    passed: bool,
}

impl Report {
    /// A report without lines; as nothing was checked, its verdict is [`Verdict::Unknown`].
    pub fn new(subject: impl AsRef<str>) -> Self {
        Report {
            subject: printable(subject.as_ref()),
            checks: Vec::new(),
            failed_omitted: 0,
            others_omitted: 0,
            meaning: None,
            failed: 0,
            unknown: false,
            passed: false,
        }
    }

    /// Adds what was recomputed and is right.
    pub fn passed(&mut self, what: impl AsRef<str>, detail: impl AsRef<str>) {
        self.add(what.as_ref(), Outcome::Passed, detail.as_ref(), true);
    }

    /// Adds what is wrong.
    pub fn failed(&mut self, what: impl AsRef<str>, detail: impl AsRef<str>) {
        self.add(what.as_ref(), Outcome::Failed, detail.as_ref(), true);
    }

    /// Adds what was asked and could not be checked.
    pub fn unknown(&mut self, what: impl AsRef<str>, detail: impl AsRef<str>) {
        self.add(what.as_ref(), Outcome::NotChecked, detail.as_ref(), true);
    }

    /// Adds what nobody asked for and what therefore isn't shown.
    pub fn limit(&mut self, what: impl AsRef<str>, detail: impl AsRef<str>) {
        self.add(what.as_ref(), Outcome::NotChecked, detail.as_ref(), false);
    }

    /// Adds what passed, or failed with what the error says.
    pub fn result<E: fmt::Display>(
        &mut self,
        what: impl AsRef<str>,
        passed: impl AsRef<str>,
        result: Result<(), E>,
    ) {
        match result {
            Ok(()) => self.passed(what, passed),
            Err(error) => self.failed(what, error.to_string()),
        }
    }

    /// Takes over the lines of another report, its subject in front of each.
    pub fn absorb(&mut self, other: Report) {
        for check in other.checks {
            self.add(
                &format!("{}: {}", other.subject, check.what),
                check.outcome,
                &check.detail,
                check.asked,
            );
        }
        self.failed_omitted += other.failed_omitted;
        self.others_omitted += other.others_omitted;
        self.unknown |= other.unknown;
        self.passed |= other.passed;
    }

    /// Counts failed lines that somebody else left out.
    pub fn omit_failed(&mut self, count: u64) {
        self.failed_omitted += count;
    }

    /// Counts other lines that somebody else left out.
    pub fn omit_others(&mut self, count: u64) {
        self.others_omitted += count;
    }

    fn add(&mut self, what: &str, outcome: Outcome, detail: &str, asked: bool) {
        let (what, detail) = (printable(what), printable(detail));
        let is_failed = outcome == Outcome::Failed;
        self.passed |= outcome == Outcome::Passed;
        self.unknown |= outcome == Outcome::NotChecked && asked;
        let (kept, omitted) = if is_failed {
            (self.failed, &mut self.failed_omitted)
        } else {
            (self.checks.len() - self.failed, &mut self.others_omitted)
        };
        if kept == MAX_CHECKS {
            *omitted += 1;
            return;
        }
        self.failed += usize::from(is_failed);
        self.checks.push(Check {
            what,
            outcome,
            detail,
            asked,
        });
    }

    /// What the lines together allow to be said.
    pub fn verdict(&self) -> Verdict {
        if self.failed > 0 || self.failed_omitted > 0 {
            Verdict::Finding
        } else if self.unknown || !self.passed {
            Verdict::Unknown
        } else {
            Verdict::Sound
        }
    }

    /// The report as machines read it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "subject": self.subject,
            "verdict": self.verdict(),
            "meaning": self.meaning.as_ref().filter(|_| self.verdict() == Verdict::Sound),
            "checks": self.checks,
            "failed_omitted": self.failed_omitted,
            "others_omitted": self.others_omitted,
        })
    }
}

impl fmt::Display for Report {
    /// The report as people read it; the verdict's last line is in Chinese.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        for Check {
            what,
            outcome,
            detail,
            ..
        } in &self.checks
        {
            let mark = match outcome {
                Outcome::Passed => '✔',
                Outcome::Failed => '✘',
                Outcome::NotChecked => '–',
            };
            writeln!(f, "  {mark} {what}: {detail}")?;
        }
        for (omitted, name) in [(self.failed_omitted, "failed"), (self.others_omitted, "other")] {
            if omitted > 0 {
                writeln!(f, "  … and {omitted} more {name} lines")?;
            }
        }
        let (mut en, mut zh) = match self.verdict() {
            Verdict::Sound => ("VERIFIED".to_owned(), "验证通过".to_owned()),
            Verdict::Finding => (
                "NOT VERIFIED: see the lines marked ✘".to_owned(),
                "验证不通过：见标 ✘ 的各行".to_owned(),
            ),
            Verdict::Unknown => (
                "COULD NOT TELL: something that was asked could not be checked, see the lines marked –"
                    .to_owned(),
                "无法判断：部分内容未能核验，见标 – 的各行".to_owned(),
            ),
        };
        if let Some(meaning) = self.meaning.as_ref().filter(|_| self.verdict() == Verdict::Sound) {
            write!(en, ": {}", meaning.en)?;
            write!(zh, "：{}", meaning.zh)?;
        }
        writeln!(f, "{en}\n{zh}")
    }
}

/// A text from a file that nobody vouches for, safe to show on a terminal: controls and what turns the direction of
/// writing around are spelled out.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A time in milliseconds since 1970, as a person reads it.
pub(super) fn utc(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(|time_ms| jiff::Timestamp::from_millisecond(time_ms).ok())
        .map_or_else(|| format!("{time_ms} ms"), |time| time.to_string())
}
