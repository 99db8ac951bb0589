//! Where a person goes after signing in: back to a page of ours, never to another site.

use super::limits::MAX_NEXT_BYTES;

/// Where who has nowhere to go back to goes.
pub(super) const HOME: &str = "/";

/// The path, if it is one of ours: absolute, on this host, in visible ASCII.
pub fn local(next: &str) -> Option<&str> {
    let is_path = next.starts_with('/') && !next[1..].starts_with(['/', '\\']);
    let is_plain = next.bytes().all(|c| c.is_ascii_graphic() && c != b'\\');
    (is_path && is_plain && next.len() <= MAX_NEXT_BYTES).then_some(next)
}

/// The sign-in page that leads back to `next`; without it where that isn't a path of ours.
pub(super) fn sign_in(next: Option<&str>) -> String {
    match next.and_then(local).filter(|next| *next != HOME) {
        None => "/sign-in".to_owned(),
        Some(next) => {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            format!("/sign-in?next={next}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_lead_back() {
        for ours in [
            "/",
            "/search?customer=000100012345&state=sealed",
            "/evidence/01j/v1#custody",
        ] {
            assert_eq!(local(ours), Some(ours));
        }
        let long = format!("/{}", "a".repeat(MAX_NEXT_BYTES));
        for theirs in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "evil",
            "/a\r\nSet-Cookie: x=1",
            "/a\tb",
            "/a\\..\\b",
            "/页",
            " /",
            &long,
        ] {
            assert_eq!(local(theirs), None, "{theirs:?}");
        }
        assert_eq!(
            sign_in(Some("/search?a=b&c=d")),
            "/sign-in?next=%2Fsearch%3Fa%3Db%26c%3Dd"
        );
        for nowhere in [None, Some("/"), Some("//evil.example")] {
            assert_eq!(sign_in(nowhere), "/sign-in");
        }
    }
}
