//! Files that a browser saves instead of showing.

use axum::http::HeaderValue;
use std::fmt::Write;

/// Bytes of a name at the most, as file systems take it.
const MAX_NAME_BYTES: usize = 255;

/// `Content-Disposition` for a file of this name (RFC 6266): the name as it is in UTF-8 (RFC 8187), and one in ASCII for old
/// clients. What could be a path, a control or turn the reading direction is replaced in both.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let safe = safe_name(name);
    let (mut ascii, mut encoded) = (String::new(), String::new());
    for c in safe.chars() {
        ascii.push(if is_plain(c) { c } else { '_' });
        if is_plain(c) {
            encoded.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    let value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A name without anything that means something to a system or turns the text around.
fn safe_name(name: &str) -> String {
    let is_format = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let safe = |c: char| match c {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        c if c.is_control() || is_format(c) => '_',
        c => c,
    };
    let mut safe: String = name.chars().map(safe).collect();
    if safe.starts_with('.') || safe.is_empty() {
        safe.insert(0, '_');
    }
    while safe.len() > MAX_NAME_BYTES {
        // From the front, so that the suffixes stay.
        safe.remove(0);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names_whatever_they_hold() {
        let value = |name: &str| attachment(name).to_str().unwrap().to_owned();
        assert_eq!(
            value("a.mp4.ACCEPTED.txt"),
            "attachment; filename=\"a.mp4.ACCEPTED.txt\"; filename*=UTF-8''a.mp4.ACCEPTED.txt"
        );
        assert_eq!(
            value("张 3.txt"),
            "attachment; filename=\"__3.txt\"; filename*=UTF-8''%E5%BC%A0%203.txt"
        );
        assert_eq!(
            value("../a\"\r\nSet-Cookie: x=1;\u{202e}gpj.exe"),
            "attachment; filename=\"_.._a___Set-Cookie__x_1__gpj.exe\"; \
             filename*=UTF-8''_.._a___Set-Cookie_%20x%3D1%3B_gpj.exe"
        );
        assert!(value("").contains("filename=\"_\""));
        assert!(value(&format!("{}.txt", "张".repeat(200))).ends_with(".txt"));
    }
}
