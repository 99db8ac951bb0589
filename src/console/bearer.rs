//! Tokens at the edge: `Authorization: Bearer …` (RFC 6750, clause 2.1), on addresses for programs and nowhere else.
//!
//! It must never know what a token may do, nor tell a stranger why one doesn't count.

use super::{Console, fault::Fault};
use crate::access::credentials::{CredentialError, token::Bearer};
use axum::http::{HeaderMap, header};
use std::net::IpAddr;
use zeroize::Zeroizing;

/// How the field's value begins, in any case.
const SCHEME: &str = "bearer";

/// What was sent as a token. Two of them are none.
pub(super) fn sent(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (fields.next()?, fields.next());
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    let is_one = second.is_none() && scheme.eq_ignore_ascii_case(SCHEME);
    is_one.then(|| Zeroizing::new(token.trim_matches(' ').to_owned()))
}

/// Whose token that is now. Blocks for the catalogue.
///
/// # Errors
/// That it doesn't count, or that too many from this address didn't.
pub(super) fn identify(console: &Console, token: &str, peer: IpAddr) -> Result<Bearer, Fault> {
    console
        .credentials
        .bearer(token, peer)
        .map_err(|error| match error {
            CredentialError::Refused => Fault::Token { sent: true },
            CredentialError::TooMany(wait) => {
                let seconds = wait.wait_ms.saturating_add(999) / 1_000;
                Fault::TooMany(u32::try_from(seconds).unwrap_or(u32::MAX))
            }
            error => Fault::internal(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn one_field_of_one_scheme_carries_a_token() {
        let sent_in = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            sent(&headers).map(|token| token.to_string())
        };
        assert_eq!(sent_in(&["Bearer mnt_a_b"]).as_deref(), Some("mnt_a_b"));
        assert_eq!(sent_in(&["bEARER   mnt_a_b "]).as_deref(), Some("mnt_a_b"));
        for none in [
            &[][..],
            &["mnt_a_b"],
            &["Basic mnt_a_b"],
            &["Bearer"],
            &["Bearer mnt_a_b", "Bearer mnt_a_b"],
        ] {
            assert_eq!(sent_in(none), None, "{none:?}");
        }
    }
}
