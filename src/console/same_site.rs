//! Whether a request that changes something was caused by a page of ours (CSRF, first half; the form's token is the other).
//!
//! Our pages send no referrer, so browsers say `Origin: null` with their forms; then `Sec-Fetch-Site` has to vouch for it. A page
//! can set neither of the two.

use crate::config::console::WebOrigin;
use axum::http::{HeaderMap, HeaderName, header};

/// Where a request comes from (Fetch Metadata, clause 2.1).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How it was caused (clause 2.3).
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether it did. A request that says nothing about where it comes from didn't.
pub(super) fn is_ours(headers: &HeaderMap, ours: &WebOrigin) -> bool {
    let origin = headers.get(header::ORIGIN).map(|value| value.as_bytes());
    let site = headers.get(SITE).map(|value| value.as_bytes());
    let names_us = origin == Some(ours.to_string().as_bytes());
    match site {
        Some(site) => site == b"same-origin" && (names_us || matches!(origin, None | Some(b"null"))),
        None => names_us,
    }
}

/// Whether somebody follows a link from another site: then the browser has held the session's cookie back.
pub(super) fn is_link_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get(SITE)
        .is_some_and(|site| site == "cross-site" || site == "same-site")
        && headers.get(MODE).is_some_and(|mode| mode == "navigate")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_our_own_pages_may_change_anything() {
        let ours: WebOrigin = "https://vault.example:8443".parse().unwrap();
        let us = Some("https://vault.example:8443");
        let cases = [
            (us, None, true),
            (us, Some("same-origin"), true),
            (Some("null"), Some("same-origin"), true),
            (None, Some("same-origin"), true),
            (None, None, false),
            (Some("null"), None, false),
            (us, Some("cross-site"), false),
            (us, Some("same-site"), false),
            (us, Some("none"), false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://evil.example"), None, false),
            (Some("https://vault.example"), None, false),
            (Some("http://vault.example:8443"), None, false),
            (Some("https://vault.example:8443.evil.example"), None, false),
            (None, Some(""), false),
        ];
        for (origin, site, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::ORIGIN, origin), (SITE, site)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_ours(&headers, &ours), expected, "{origin:?} {site:?}");
        }
    }
}
