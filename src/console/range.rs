//! Which bytes a request asks for (RFC 9110, clauses 13.1.5 and 14.2).
//!
//! Invariant: what can't be understood, and more than one range, is no range: the answer is the whole, which is right for anybody.

use axum::http::{HeaderMap, HeaderValue, header};

/// Which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All.
    Whole,
    /// From the first to the last, both included, both there.
    Part { first: u64, last: u64 },
    /// None that are there.
    None,
}

/// The bytes that a GET asks for, of `size` bytes whose representation is called `tag`.
pub(super) fn asked(headers: &HeaderMap, tag: &HeaderValue, size: u64) -> Asked {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return Asked::Whole;
    };
    // A date never fits, since no answer has one.
    if headers.get_all(header::IF_RANGE).iter().any(|known| known != tag) {
        return Asked::Whole;
    }
    range.to_str().map_or(Asked::Whole, |range| parse(range, size))
}

fn parse(range: &str, size: u64) -> Asked {
    let Some((unit, set)) = range.split_once('=') else {
        return Asked::Whole;
    };
    let Some((first, last)) = set.trim().split_once('-').filter(|_| !set.contains(',')) else {
        return Asked::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    let (first, last) = (first.trim_end(), last.trim_start());
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Asked::Whole,
        (Some(first), _) if first >= size && is_end(last) => Asked::None,
        (Some(first), Some(last)) => Asked::Part {
            first,
            last: last.min(size - 1),
        },
        (Some(first), None) if last.is_empty() => Asked::Part {
            first,
            last: size - 1,
        },
        (None, Some(0)) if first.is_empty() => Asked::None,
        (None, Some(length)) if first.is_empty() && size > 0 => Asked::Part {
            first: size.saturating_sub(length),
            last: size - 1,
        },
        _ => Asked::Whole,
    }
}

/// Digits only. More than fit are more than there is of anything.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn is_end(last: &str) -> bool {
    last.is_empty() || number(last).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: HeaderValue = HeaderValue::from_static("\"r1\"");

    fn of(range: &str, size: u64) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::try_from(range).unwrap());
        asked(&headers, &TAG, size)
    }

    fn part(first: u64, last: u64) -> Asked {
        Asked::Part { first, last }
    }

    #[test]
    fn one_range_in_each_of_its_forms() {
        assert_eq!(of("bytes=0-0", 10), part(0, 0));
        assert_eq!(of("bytes=2-5", 10), part(2, 5));
        assert_eq!(of("Bytes = 2 - 5", 10), part(2, 5));
        assert_eq!(of("bytes=2-", 10), part(2, 9));
        assert_eq!(of("bytes=2-99999999999999999999999", 10), part(2, 9));
        assert_eq!(of("bytes=-3", 10), part(7, 9));
        assert_eq!(of("bytes=-30", 10), part(0, 9));
    }

    #[test]
    fn what_isnt_there_cant_be_given() {
        for beyond in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(of(beyond, 10), Asked::None, "{beyond}");
        }
        assert_eq!(of("bytes=0-", 0), Asked::None);
        assert_eq!(of("bytes=-5", 0), Asked::Whole, "all that there is of nothing");
    }

    #[test]
    fn nonsense_and_several_ranges_are_no_range() {
        for odd in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=0-1,4-5",
            "lines=0-5",
            "bytes=99-x",
            "0-5",
            "bytes=1-2,",
        ] {
            assert_eq!(of(odd, 10), Asked::Whole, "{odd}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        twice.append(header::RANGE, HeaderValue::from_static("bytes=2-3"));
        assert_eq!(asked(&twice, &TAG, 10), Asked::Whole);
        assert_eq!(asked(&HeaderMap::new(), &TAG, 10), Asked::Whole);
    }

    #[test]
    fn a_range_of_another_representation_is_none_of_this_one() {
        let with = |known: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static("bytes=2-5"));
            headers.insert(header::IF_RANGE, HeaderValue::from_static(known));
            asked(&headers, &TAG, 10)
        };
        assert_eq!(with("\"r1\""), part(2, 5));
        for other in ["\"r2\"", "W/\"r1\"", "Tue, 28 Jul 2026 07:42:07 GMT", ""] {
            assert_eq!(with(other), Asked::Whole, "{other}");
        }
    }
}
