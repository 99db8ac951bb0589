//! Forms that carry a file (`multipart/form-data`: RFC 7578, RFC 2046 clause 5.1, and how browsers write it, HTML standard clause
//! "multipart form data"), read from a body that is there as a whole and within its route's limit.
//!
//! Invariant: strict. What isn't exactly what browsers send, is cut off or goes on behind its end is no form.

use super::limits::{MAX_BOUNDARY_BYTES, MAX_PART_HEAD_BYTES};
use axum::body::Bytes;

/// One field of a form.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its name.
    pub(super) name: String,
    /// The file's name as the browser sent it, for a file.
    pub(super) file_name: Option<String>,
    /// What is in it.
    pub(super) content: Bytes,
}

/// The boundary that a content type names; `None` for what isn't such a form.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let bare = named
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(named);
    let is_plain = bare
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&c));
    (is_plain && (1..=MAX_BOUNDARY_BYTES).contains(&bare.len())).then_some(bare)
}

/// The fields of a form, at the most `limit` of them; `None` for what isn't one, or has more.
pub(super) fn parse(body: &Bytes, boundary: &str, limit: usize) -> Option<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut at = delimiter.len() - 2;
    // The first delimiter has no line before it.
    if !body.starts_with(&delimiter.as_bytes()[2..]) {
        return None;
    }
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..)?;
        if rest.starts_with(b"--") {
            return matches!(&rest[2..], b"" | b"\r\n").then_some(parts);
        }
        if parts.len() >= limit || !rest.starts_with(b"\r\n") {
            return None;
        }
        let start = at + 2;
        let within = &body[start..];
        let head_end = find(within.get(..MAX_PART_HEAD_BYTES).unwrap_or(within), b"\r\n\r\n")?;
        let content_start = start + head_end + 4;
        let content_end = content_start + find(body.get(content_start..)?, delimiter.as_bytes())?;
        let (name, file_name) = disposition(&within[..head_end])?;
        parts.push(Part {
            name,
            file_name,
            content: body.slice(content_start..content_end),
        });
        at = content_end + delimiter.len();
    }
}

/// The names that a part's head gives: the field's, and the file's.
fn disposition(head: &[u8]) -> Option<(String, Option<String>)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut found = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-disposition") {
            let value = value.trim().strip_prefix("form-data")?;
            // Twice is a riddle, not a form.
            if found.replace(parameters(value)?).is_some() {
                return None;
            }
        }
    }
    let (name, file_name) = found?;
    Some((name?, file_name))
}

/// `; name="…"; filename="…"`, in this order or the other.
fn parameters(mut rest: &str) -> Option<(Option<String>, Option<String>)> {
    let (mut name, mut file_name) = (None, None);
    while !rest.is_empty() {
        rest = rest.strip_prefix(';')?.trim_start();
        let (key, quoted) = rest.split_once("=\"")?;
        let (value, after) = quoted.split_once('"')?;
        let slot = match key {
            "name" => &mut name,
            "filename" => &mut file_name,
            _ => return None,
        };
        if slot.replace(unescape(value)).is_some() {
            return None;
        }
        rest = after;
    }
    Some((name, file_name))
}

/// The three characters that browsers escape in a name.
fn unescape(value: &str) -> String {
    value
        .replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%22", "\"")
}

/// Where a needle begins.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(step) = hay.get(from..)?.iter().position(|byte| *byte == first) {
        if hay[from + step..].starts_with(needle) {
            return Some(from + step);
        }
        from += step + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(head: &str, content: &str) -> String {
        format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    }

    type Parts = Vec<(String, Option<String>, Vec<u8>)>;

    fn read(body: &str) -> Option<Parts> {
        let parts = parse(&Bytes::from(body.to_owned()), "B", 3)?;
        let read = parts.into_iter();
        Some(
            read.map(|part| (part.name, part.file_name, part.content.to_vec()))
                .collect(),
        )
    }

    #[test]
    fn the_boundary_stands_in_the_content_type() {
        for (given, expected) in [
            (
                "multipart/form-data; boundary=----WebKitFormBoundaryA1",
                Some("----WebKitFormBoundaryA1"),
            ),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", None),
            ("multipart/form-data;boundary=\"a-b\"", Some("a-b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=a", None),
            ("application/x-www-form-urlencoded", None),
        ] {
            assert_eq!(boundary(given), expected, "{given}");
        }
        let long = format!(
            "multipart/form-data; boundary={}",
            "a".repeat(MAX_BOUNDARY_BYTES + 1)
        );
        assert_eq!(boundary(&long), None);
    }

    #[test]
    fn fields_and_files_are_read_as_browsers_write_them() {
        let file = "name=\"form\"; filename=\"审批单%22.pdf\"\r\nContent-Type: application/pdf";
        let body = [
            part("name=\"csrf\"", "abc"),
            part(file, "%PDF\r\n--b\r\n-\r\n\r\n"),
            part("name=\"empty\"", ""),
            "--B--\r\n".to_owned(),
        ];
        let read = read(&body.concat()).unwrap();
        assert_eq!(read[0], ("csrf".to_owned(), None, b"abc".to_vec()));
        assert_eq!(
            read[1],
            (
                "form".to_owned(),
                Some("审批单\".pdf".to_owned()),
                b"%PDF\r\n--b\r\n-\r\n\r\n".to_vec()
            )
        );
        assert_eq!(read[2], ("empty".to_owned(), None, Vec::new()));
        assert_eq!(
            super::parse(&Bytes::from_static(b"--B--"), "B", 3).map(|parts| parts.len()),
            Some(0)
        );
    }

    #[test]
    fn what_is_cut_off_ambiguous_or_too_much_is_no_form() {
        let good = part("name=\"a\"", "1");
        let whole = format!("{good}--B--\r\n");
        assert!(read(&whole).is_some());
        for end in 0..whole.len() - 2 {
            assert_eq!(read(&whole[..end]), None, "cut at {end}");
        }
        let head = "x".repeat(MAX_PART_HEAD_BYTES);
        for hostile in [
            good.clone(),
            format!("{whole}more"),
            format!("preamble\r\n{whole}"),
            format!("{}--B--", good.repeat(4)),
            format!("{}--B--", part("name=\"a\"; name=\"csrf\"", "1")),
            format!(
                "{}--B--",
                part("name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"", "1")
            ),
            format!("{}--B--", part("filename=\"a\"", "1")),
            format!("{}--B--", part("name=a", "1")),
            format!("{}--B--", part("name=\"a\"; filename*=UTF-8''x", "1")),
            format!("{}--B--", part(&format!("name=\"{head}\""), "1")),
            "--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--B--".to_owned(),
            "--B\r\n\r\n1\r\n--B--".to_owned(),
            "--B\nContent-Disposition: form-data; name=\"a\"\n\n1\n--B--".to_owned(),
            "--Bx\r\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(&hostile), None, "{hostile:.80}");
        }
        let binary = b"--B\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n1\r\n--B--";
        assert!(super::parse(&Bytes::from_static(binary), "B", 3).is_none());
    }
}
