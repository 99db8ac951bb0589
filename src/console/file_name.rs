//! How an answer says under which name a browser saves it (RFC 6266, RFC 8187).
//!
//! Invariant: the name is one harmless component: no folder, no control or direction character, nothing that closes its quotes.

use axum::http::HeaderValue;

/// Characters of a name at the most; file systems take 255 bytes.
const MAX_CHARS: usize = 80;

/// A file to be saved under the name it had.
pub(super) fn attachment(name: &str) -> HeaderValue {
    disposition("attachment", name)
}

/// Something to be shown, with the name it had.
pub(super) fn inline(name: &str) -> HeaderValue {
    disposition("inline", name)
}

fn disposition(kind: &'static str, name: &str) -> HeaderValue {
    let name = harmless(name);
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let extended: String = name
        .bytes()
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let text = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{extended}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(kind))
}

/// The name without what means something to a file system, a shell, a header or an eye that trusts its reading direction.
fn harmless(name: &str) -> String {
    let is_meant = |c: char| {
        c.is_control()
            || "/\\:*?\"<>|%;`$".contains(c)
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mapped: String = name.chars().map(|c| if is_meant(c) { '_' } else { c }).collect();
    // The end says what it is, so it stays.
    let from = mapped.chars().count().saturating_sub(MAX_CHARS);
    let cut: String = mapped.chars().skip(from).collect();
    let cut = cut.trim_matches([' ', '.']);
    match cut {
        "" => "evidence".to_owned(),
        cut => cut.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> String {
        attachment(name).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_is_kept_as_far_as_it_is_harmless() {
        assert_eq!(
            said("000100012345_20260728_A0098877_WVID_01.mp4"),
            "attachment; filename=\"000100012345_20260728_A0098877_WVID_01.mp4\"; \
             filename*=UTF-8''000100012345_20260728_A0098877_WVID_01.mp4"
        );
        assert_eq!(
            said("见证 1.mp4"),
            "attachment; filename=\"__ 1.mp4\"; filename*=UTF-8''%E8%A7%81%E8%AF%81%201.mp4"
        );
        assert!(inline("a.pdf").to_str().unwrap().starts_with("inline; "));
    }

    #[test]
    fn nothing_in_a_name_means_anything() {
        for hostile in [
            "../../etc/passwd",
            "a\"; filename=\"b.exe",
            "a\r\nSet-Cookie: x=1",
            "..\\..\\autorun.inf",
            "gpj.\u{202e}exe",
            "a%00b.mp4",
            "",
            "...",
            "\u{feff}",
            &"x".repeat(4_000),
        ] {
            let said = said(hostile);
            assert_eq!(said.matches('"').count(), 2, "{said}");
            assert!(!said.contains("\".") && said.len() < 400, "{said}");
            for meant in ['/', '\\', '\r', '\n', '\0'] {
                assert!(!said.contains(meant), "{said}");
            }
            assert!(!said.contains("%E2%80%AE") && !said.contains("%00"), "{said}");
        }
        assert!(said(&format!("{}.mp4", "长".repeat(300))).ends_with(".mp4"));
    }
}
