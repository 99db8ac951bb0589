//! The rules that a document type may set: each a measured value with up to three limits, one a severity.
//!
//! Invariant: the keys are part of the tables that head office keeps; a rule keeps its key and its unit.

use super::kind::Kind;
use crate::domain::finding::{Code, Severity};
use std::fmt;

/// A value that can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Bytes, at least.
    SmallestBytes,
    /// Length in seconds, at least.
    ShortestSeconds,
    /// Length in seconds, at most.
    LongestSeconds,
    /// Pixels of a video's shorter side, at least.
    VideoShortSidePx,
    /// Frames a second, at least.
    FramesPerSecond,
    /// How far the lengths of container, picture and sound may lie apart, per cent of the longest.
    LengthDiffersPercent,
    /// Share of black, per cent at most.
    BlackPercent,
    /// Longest black stretch, seconds at most.
    BlackSeconds,
    /// Share without movement, per cent at most.
    FrozenPercent,
    /// Longest stretch without movement, seconds at most.
    FrozenSeconds,
    /// Share too dark to see, per cent at most.
    DarkPercent,
    /// Longest stretch too dark to see, seconds at most.
    DarkSeconds,
    /// Share blown out, per cent at most.
    BrightPercent,
    /// Longest blown-out stretch, seconds at most.
    BrightSeconds,
    /// Share without sound, per cent at most.
    SilentPercent,
    /// Longest silent stretch, seconds at most.
    SilentSeconds,
    /// Share of overdriven samples, per cent at most.
    ClippedPercent,
    /// Integrated loudness, LUFS at least.
    QuietestLufs,
    /// Dots per inch of a page, where the file says, at least.
    Dpi,
    /// Pixels of a page's shorter side, at least.
    PageShortSidePx,
    /// Pages, at least.
    FewestPages,
    /// Pages, at most.
    MostPages,
}

/// Whether a value may be too small or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A finding below the limit.
    Least,
    /// A finding above the limit.
    Most,
}

struct Row {
    rule: Rule,
    key: &'static str,
    code: Code,
    bound: Bound,
    /// Smallest and largest limit that makes sense.
    range: (i64, i64),
    kinds: &'static [Kind],
    zh: &'static str,
    en: &'static str,
}

const ALL: &[Kind] = &Kind::ALL;
const SEEN: &[Kind] = &[Kind::Recording, Kind::Bundle];
const HEARD: &[Kind] = &[Kind::Recording, Kind::Audio, Kind::Bundle];
const PAGES: &[Kind] = &[Kind::Scan, Kind::Bundle];
const PERCENT: (i64, i64) = (0, 100);
const SECONDS: (i64, i64) = (0, 1_000_000);
const PIXELS: (i64, i64) = (1, 100_000);
const COUNT: (i64, i64) = (1, 1_000_000);

macro_rules! rows {
    ($($rule:ident $key:literal $code:ident $bound:ident $range:expr, $kinds:expr, $zh:literal, $en:literal;)*) => {
        &[$(Row {
            rule: Rule::$rule,
            key: $key,
            code: Code::$code,
            bound: Bound::$bound,
            range: $range,
            kinds: $kinds,
            zh: $zh,
            en: $en,
        }),*]
    };
}

#[rustfmt::skip]
const TABLE: &[Row] = rows! {
    SmallestBytes "smallest_bytes" TooSmall Least (1, 1 << 40), ALL, "最小字节数", "bytes, at least";
    ShortestSeconds "shortest_seconds" TooShort Least SECONDS, HEARD, "最短时长（秒）", "length in seconds, at least";
    LongestSeconds "longest_seconds" TooLong Most SECONDS, HEARD, "最长时长（秒）", "length in seconds, at most";
    VideoShortSidePx "video_short_side_px" ResolutionLow Least PIXELS, SEEN, "视频短边像素下限", "pixels of the video's shorter side, at least";
    FramesPerSecond "frames_per_second" FrameRateLow Least (1, 1_000), SEEN, "帧率下限（帧/秒）", "frames a second, at least";
    LengthDiffersPercent "length_differs_percent" DurationMismatch Most PERCENT, HEARD, "容器、画面、声音时长相差上限（%）", "per cent by which the lengths of container, picture and sound may differ";
    BlackPercent "black_percent" Black Most PERCENT, SEEN, "黑屏占比上限（%）", "per cent black, at most";
    BlackSeconds "black_seconds" Black Most SECONDS, SEEN, "单段黑屏上限（秒）", "longest black stretch in seconds, at most";
    FrozenPercent "frozen_percent" Frozen Most PERCENT, SEEN, "画面静止占比上限（%）", "per cent without movement, at most";
    FrozenSeconds "frozen_seconds" Frozen Most SECONDS, SEEN, "单段静止上限（秒）", "longest stretch without movement in seconds, at most";
    DarkPercent "dark_percent" Underexposed Most PERCENT, SEEN, "画面过暗占比上限（%）", "per cent too dark to see, at most";
    DarkSeconds "dark_seconds" Underexposed Most SECONDS, SEEN, "单段过暗上限（秒）", "longest dark stretch in seconds, at most";
    BrightPercent "bright_percent" Overexposed Most PERCENT, SEEN, "画面过亮占比上限（%）", "per cent blown out, at most";
    BrightSeconds "bright_seconds" Overexposed Most SECONDS, SEEN, "单段过亮上限（秒）", "longest blown-out stretch in seconds, at most";
    SilentPercent "silent_percent" Silent Most PERCENT, HEARD, "静音占比上限（%）", "per cent without sound, at most";
    SilentSeconds "silent_seconds" Silent Most SECONDS, HEARD, "单段静音上限（秒）", "longest silent stretch in seconds, at most";
    ClippedPercent "clipped_percent" Clipped Most PERCENT, HEARD, "爆音采样占比上限（%）", "per cent of samples at full scale, at most";
    QuietestLufs "quietest_lufs" LoudnessLow Least (-70, 0), HEARD, "整体响度下限（LUFS）", "integrated loudness in LUFS, at least";
    Dpi "dpi" DpiLow Least (1, 10_000), PAGES, "扫描分辨率下限（dpi）", "dots per inch where the file says, at least";
    PageShortSidePx "page_short_side_px" PixelsLow Least PIXELS, PAGES, "页面短边像素下限", "pixels of a page's shorter side, at least";
    FewestPages "fewest_pages" TooFewPages Least COUNT, PAGES, "最少页数", "pages, at least";
    MostPages "most_pages" TooManyPages Most COUNT, PAGES, "最多页数", "pages, at most";
};

impl Rule {
    /// All rules in the order of tables.
    pub fn all() -> impl Iterator<Item = Rule> {
        TABLE.iter().map(|row| row.rule)
    }

    /// The key in tables, with its unit.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// The rule with this key.
    pub fn from_key(key: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.key == key).map(|row| row.rule)
    }

    /// What is found where a limit is passed.
    pub fn code(self) -> Code {
        self.row().code
    }

    /// Which side is wrong.
    pub fn bound(self) -> Bound {
        self.row().bound
    }

    /// Smallest and largest limit that makes sense.
    pub fn range(self) -> (i64, i64) {
        self.row().range
    }

    /// Whether documents of a kind have such a value.
    pub fn applies_to(self, kind: Kind) -> bool {
        self.row().kinds.contains(&kind)
    }

    /// What it limits, in Chinese and English.
    pub fn meaning(self) -> (&'static str, &'static str) {
        (self.row().zh, self.row().en)
    }

    fn row(self) -> &'static Row {
        // In the order of the enumeration, which a test holds.
        &TABLE[self as usize]
    }
}

/// Up to three limits on one value: the strictest that is passed decides. None at all: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Passing it is a rejection.
    pub reject: Option<i64>,
    /// Passing it calls for a person to look.
    pub review: Option<i64>,
    /// Passing it is worth a remark.
    pub note: Option<i64>,
}

/// The word for "no limit" in tables.
pub(super) const NONE: &str = "none";

impl Limit {
    /// The gravest limit that `passed` says yes to, with its severity.
    pub fn broken(&self, passed: impl Fn(i64) -> bool) -> Option<(Severity, i64)> {
        self.parts()
            .into_iter()
            .find_map(|(severity, limit)| Some((severity, limit.filter(|limit| passed(*limit))?)))
    }

    /// Its parts, gravest first.
    pub fn parts(&self) -> [(Severity, Option<i64>); 3] {
        [
            (Severity::Reject, self.reject),
            (Severity::Review, self.review),
            (Severity::Note, self.note),
        ]
    }

    /// Reads `reject=10; review=60`, or `none`.
    ///
    /// # Errors
    /// Says what is allowed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut limit = Limit::default();
        if text.trim() == NONE {
            return Ok(limit);
        }
        for part in text.split([';', '；']).filter(|part| !part.trim().is_empty()) {
            let (word, number) = part.split_once('=').ok_or_else(wrong_form)?;
            let number = number.trim().parse().map_err(|_| wrong_form())?;
            limit.set(word.trim(), number)?;
        }
        if limit == Limit::default() {
            return Err(wrong_form());
        }
        Ok(limit)
    }

    /// Sets one part by its word.
    pub(super) fn set(&mut self, word: &str, number: i64) -> Result<(), String> {
        let part = match word {
            "reject" => &mut self.reject,
            "review" => &mut self.review,
            "note" => &mut self.note,
            _ => return Err(wrong_form()),
        };
        match part.replace(number) {
            None => Ok(()),
            Some(_) => Err(format!("'{word}' stands in it twice")),
        }
    }

    /// Says what is wrong with it as a limit of a rule.
    pub(super) fn check(&self, rule: Rule) -> Result<(), String> {
        let (low, high) = rule.range();
        let given: Vec<i64> = self.parts().into_iter().filter_map(|(_, limit)| limit).collect();
        if given.iter().any(|limit| !(low..=high).contains(limit)) {
            return Err(format!("limits go from {low} to {high}"));
        }
        let in_order = given.windows(2).all(|pair| match rule.bound() {
            Bound::Least => pair[0] < pair[1],
            Bound::Most => pair[0] > pair[1],
        });
        if in_order {
            return Ok(());
        }
        let order = match rule.bound() {
            Bound::Least => "reject below review, review below note",
            Bound::Most => "reject above review, review above note",
        };
        Err(format!("the limits contradict each other; put {order}"))
    }
}

fn wrong_form() -> String {
    "give whole numbers for reject, review or note, at least one of them, or \"none\"".to_owned()
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (severity, limit) in self.parts() {
            if let Some(limit) = limit {
                write!(f, "{separator}{}={limit}", severity_word(Some(severity)))?;
                separator = "; ";
            }
        }
        if separator.is_empty() {
            f.write_str(NONE)?;
        }
        Ok(())
    }
}

/// The word of a severity in tables; `ignore` for none.
pub fn severity_word(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Reject) => "reject",
        Some(Severity::Review) => "review",
        Some(Severity::Note) => "note",
        None => "ignore",
    }
}

/// The severity of a word.
pub(super) fn severity_of(word: &str) -> Option<Option<Severity>> {
    [
        Some(Severity::Reject),
        Some(Severity::Review),
        Some(Severity::Note),
        None,
    ]
    .into_iter()
    .find(|severity| severity_word(*severity) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_stands_at_its_place_and_its_key_leads_back() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.rule as usize, at, "{}", row.key);
            assert_eq!(Rule::from_key(row.key), Some(row.rule));
            assert_eq!(row.rule.code().setting(), crate::domain::finding::Setting::Limits);
        }
        assert_eq!(Rule::from_key("colour"), None);
    }

    #[test]
    fn every_code_that_comes_with_limits_has_a_rule() {
        for code in Code::all().filter(|code| code.setting() == crate::domain::finding::Setting::Limits) {
            assert!(Rule::all().any(|rule| rule.code() == code), "{}", code.text());
        }
    }

    #[test]
    fn the_gravest_limit_that_is_passed_decides() {
        let limit = Limit::parse("review=60; reject=10").unwrap();
        let shorter = |seconds: i64| limit.broken(|least| seconds < least);
        assert_eq!(shorter(9), Some((Severity::Reject, 10)));
        assert_eq!(shorter(10), Some((Severity::Review, 60)));
        assert_eq!(shorter(60), None);
        assert_eq!(Limit::parse("none").unwrap().broken(|_| true), None);
    }

    #[test]
    fn limits_lead_back_from_their_text_and_nonsense_is_refused() {
        for text in ["none", "reject=10", "reject=10; review=60; note=-3", "note=0"] {
            assert_eq!(Limit::parse(text).unwrap().to_string(), text);
        }
        for bad in [
            "",
            ";",
            "10",
            "reject",
            "reject=x",
            "reject=1;reject=2",
            "forbid=1",
            "reject=1.5",
        ] {
            assert!(Limit::parse(bad).is_err(), "{bad}");
        }
        let check = |text: &str, rule| Limit::parse(text).unwrap().check(rule);
        assert!(check("reject=10; review=60", Rule::ShortestSeconds).is_ok());
        assert!(check("reject=60; review=10", Rule::ShortestSeconds).is_err());
        assert!(check("reject=60; review=60", Rule::ShortestSeconds).is_err());
        assert!(check("reject=98; review=30", Rule::BlackPercent).is_ok());
        assert!(check("reject=30; review=98", Rule::BlackPercent).is_err());
        assert!(check("review=101", Rule::BlackPercent).is_err());
        assert!(check("review=-24; note=1", Rule::QuietestLufs).is_err());
    }
}
