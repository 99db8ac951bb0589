//! The console's cookies: how they are read, and the flags each carries.
//!
//! Invariant: what identifies somebody is `__Host-` (this host only, TLS only, the whole site), never readable by a script, and
//! never sent along with a request that another site caused.

use super::words::Lang;
use axum::http::{HeaderMap, HeaderValue, header};

/// Carries a session's secret.
pub(super) const SESSION: &str = "__Host-muniment";
/// Ties a form that nobody is signed in for to the browser it was given to.
pub(super) const GUEST: &str = "__Host-muniment-guest";
/// Shows that somebody signed in from this browser before; it opens nothing.
pub(super) const DEVICE: &str = "__Host-muniment-device";
/// Remembers the language.
pub(super) const LANG: &str = "muniment-lang";

/// A year in seconds: how long the language is remembered.
const YEAR_SECONDS: u32 = 365 * 24 * 3600;

/// The value of the first cookie of this name (RFC 6265, clause 5.4).
pub(super) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let sent = headers.get_all(header::COOKIE).iter();
    sent.filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// A `Set-Cookie` that lasts until the browser closes. The value is hexadecimal.
pub(super) fn private(name: &str, value: &str) -> HeaderValue {
    of(format!(
        "{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict"
    ))
}

/// A `Set-Cookie` for the device, which lasts longer than any session. The value is hexadecimal and dots.
pub(super) fn device(value: &str) -> HeaderValue {
    of(format!(
        "{DEVICE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={YEAR_SECONDS}"
    ))
}

/// A `Set-Cookie` that takes one away.
pub(super) fn gone(name: &str) -> HeaderValue {
    of(format!(
        "{name}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
    ))
}

/// A `Set-Cookie` for the language.
pub(super) fn language(lang: Lang) -> HeaderValue {
    let code = lang.code();
    of(format!(
        "{LANG}={code}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={YEAR_SECONDS}"
    ))
}

/// Names and values here are ASCII by construction; anything else sets nothing.
fn of(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_identifies_somebody_carries_every_flag() {
        for cookie in [
            private(SESSION, "00ff"),
            private(GUEST, "00ff"),
            device("00ff.00ff"),
            gone(SESSION),
        ] {
            let text = cookie.to_str().unwrap();
            assert!(text.starts_with("__Host-muniment"), "{text}");
            for flag in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
                assert!(text.split("; ").any(|part| part == flag), "{text} lacks {flag}");
            }
            assert!(!text.contains("Domain"), "{text}");
        }
        assert!(gone(SESSION).to_str().unwrap().ends_with("Max-Age=0"));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; __Host-muniment-guest=g"),
        );
        headers.append(
            header::COOKIE,
            HeaderValue::from_static(" __Host-muniment=s;muniment-lang=en"),
        );
        assert_eq!(value(&headers, SESSION), Some("s"));
        assert_eq!(value(&headers, GUEST), Some("g"));
        assert_eq!(value(&headers, LANG), Some("en"));
        assert_eq!(value(&headers, "b"), None);
    }
}
