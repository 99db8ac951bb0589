//! Fields that every answer carries, whoever made it.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

/// Nothing but our own scripts, styles, pictures and films; no inline script or style; no frame around us, no form to elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self'; frame-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Devices and features that no page here needs are off, for whatever a page is made to load too.
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
     microphone=(), midi=(), payment=(), usb=(), fullscreen=(self), publickey-credentials-create=(self), \
     publickey-credentials-get=(self)";

/// What every answer says.
const EVERYWHERE: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
];

/// For a file whose name changes with its content.
pub(super) const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// An answer that is content and no page of ours: which policy it carries instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentPolicy {
    /// Pictures and recordings, and what is saved: were it opened as a page, it could do nothing.
    Closed,
    /// Pages that a browser's own viewer shows inside one of ours. A sandbox would take that viewer away; no script runs.
    Framed,
}

impl ContentPolicy {
    fn text(self) -> &'static str {
        match self {
            ContentPolicy::Closed => "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox",
            ContentPolicy::Framed => {
                "default-src 'none'; object-src 'self'; frame-ancestors 'self'; base-uri 'none'"
            }
        }
    }
}

/// Puts them on. What an answer says itself about being kept stays; what says nothing isn't kept.
pub(super) fn apply(response: &mut Response) {
    let content = response.extensions_mut().remove::<ContentPolicy>();
    let headers = response.headers_mut();
    for (name, value) in EVERYWHERE {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(policy) = content {
        let policy = HeaderValue::from_static(policy.text());
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    #[test]
    fn every_answer_is_guarded_and_kept_nowhere_unless_it_says_so() {
        let mut plain = "text".into_response();
        apply(&mut plain);
        for (name, value) in EVERYWHERE {
            assert_eq!(plain.headers()[&name], value);
        }
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "no-store");
        let mut asset = ([(header::CACHE_CONTROL, FOREVER)], "text").into_response();
        apply(&mut asset);
        assert_eq!(asset.headers()[header::CACHE_CONTROL], FOREVER);
        for policy in [ContentPolicy::Closed, ContentPolicy::Framed] {
            let mut content = "text".into_response();
            content.extensions_mut().insert(policy);
            apply(&mut content);
            let said = content.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap();
            assert!(said.starts_with("default-src 'none';") && !said.contains("script-src"));
            assert_eq!(content.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
        for loose in ["unsafe", "*", "http:"] {
            assert!(!CONTENT_SECURITY_POLICY.contains(loose));
        }
    }
}
