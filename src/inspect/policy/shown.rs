//! Values as findings show them: short, the same in both languages.

use crate::inspect::report::{Stretch, printable};

/// Characters of a parser's words or a member's name at the most.
const MAX_SHOWN: usize = 80;

/// `mm:ss`, or `h:mm:ss` from an hour on; a time before the start is the start.
pub(super) fn time(at_ms: i64) -> String {
    let seconds = at_ms.max(0) / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// `00:10-05:18`
pub(super) fn stretch(stretch: &Stretch) -> String {
    format!("{}-{}", time(stretch.from_ms), time(stretch.to_ms))
}

/// A length: `9.4 s` below a minute, where tenths tell, else as [`time`].
pub(super) fn length(length_ms: i64) -> String {
    let length_ms = length_ms.max(0);
    if length_ms < 60_000 {
        tenths(length_ms / 100, "s")
    } else {
        time(length_ms)
    }
}

/// A number of tenths with its unit; whole ones without a decimal.
pub(super) fn tenths(tenths: i64, unit: &str) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, rest) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    match rest {
        0 => format!("{sign}{whole} {unit}"),
        _ => format!("{sign}{whole}.{rest} {unit}"),
    }
}

/// A share in per cent. Rounded up, so that what passed a limit also looks like it.
pub(super) fn percent(part: i64, whole: i64) -> String {
    let tenths_of_percent = (i128::from(part) * 1_000)
        .checked_div(i128::from(whole.max(1)))
        .unwrap_or_default();
    let exact = tenths_of_percent * i128::from(whole.max(1)) == i128::from(part) * 1_000;
    let rounded = tenths_of_percent + i128::from(!exact);
    tenths(i64::try_from(rounded).unwrap_or(i64::MAX), "%")
}

/// A parser's words, cut.
pub(super) fn cut(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    let head: String = text.chars().take(MAX_SHOWN - 1).collect();
    format!("{head}…")
}

/// A member's name, its end kept: that is where it differs from others.
pub(super) fn printable_name(name: &str) -> String {
    let name = printable(name);
    let length = name.chars().count();
    if length <= MAX_SHOWN {
        return name;
    }
    let tail: String = name.chars().skip(length - MAX_SHOWN + 1).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lengths_and_shares() {
        assert_eq!(
            [time(-1), time(61_999), time(3_600_000)],
            ["00:00", "01:01", "1:00:00"]
        );
        assert_eq!(
            [length(9_400), length(59_999), length(60_000)],
            ["9.4 s", "59.9 s", "01:00"]
        );
        assert_eq!(
            [percent(1, 3), percent(30, 100), percent(3_001, 10_000)],
            ["33.4 %", "30 %", "30.1 %"]
        );
        assert_eq!([percent(1, 0), percent(i64::MAX, 1)].len(), 2);
        assert_eq!([tenths(-521, "LUFS"), tenths(-5, "x")], ["-52.1 LUFS", "-0.5 x"]);
    }

    #[test]
    fn long_texts_keep_the_end_that_matters() {
        assert_eq!(cut(&"x".repeat(200)).chars().count(), MAX_SHOWN);
        let name = printable_name(&format!("{}/page.jpg", "客".repeat(200)));
        assert!(name.ends_with("/page.jpg") && name.chars().count() == MAX_SHOWN);
    }
}
