//! What a program gets instead of an answer: a problem (RFC 9457) with the one word that it can go by.

use crate::{
    access::refusal::Refusal,
    console::{fault::Fault, words::Lang},
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// The media type of problems.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// What a problem's type begins with; its word follows.
const TYPE: &str = "urn:muniment:problem:";
/// What an answer without authentication asks for (RFC 6750, clause 3).
const CHALLENGE: &str = "Bearer realm=\"muniment\"";
const CHALLENGE_AGAIN: &str = "Bearer realm=\"muniment\", error=\"invalid_token\"";

/// Words for what is wrong with a request, besides the refusals.
const WORDS: [&str; 13] = [
    "bad_request",
    "bad_field",
    "no_token",
    "bad_token",
    "signed_out",
    "denied",
    "forged",
    "method_not_allowed",
    "too_slow",
    "too_large",
    "too_many",
    "busy",
    "internal",
];

/// Why a request wasn't answered as asked (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `urn:muniment:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    kind: String,
    /// What went wrong, in the language of `Accept-Language`: Chinese, or English.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What to do about it, in the same language.
    detail: String,
    code: Code,
    /// The field of the request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The number of a failure of ours: tell it to the administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
}

/// A word for programs to go by. New ones may be added.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Code(&'static str);

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let mut words: Vec<&str> = Refusal::ALL
            .iter()
            .map(|refusal| refusal.id())
            .chain(WORDS)
            .collect();
        words.sort_unstable();
        words.dedup();
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A word for programs to go by. New ones may be added."))
            .enum_values(Some(words));
        schema.into()
    }
}

impl ToSchema for Code {}

/// The answer for a fault.
pub(in crate::console) fn answer(fault: &Fault, lang: Lang, incident: Option<String>) -> Response {
    let code = fault.code();
    let problem = Problem {
        kind: format!("{TYPE}{code}"),
        title: fault.heading(lang),
        status: fault.status().as_u16(),
        detail: fault.explanation(lang),
        code: Code(code),
        field: match fault {
            Fault::Field(field, _) => Some(field.clone()),
            Fault::Refused(refusal) => field_of(*refusal).map(str::to_owned),
            _ => None,
        },
        incident,
    };
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::CONTENT_LANGUAGE, lang.code()),
        (header::VARY, "accept-language"),
    ];
    let mut response = (fault.status(), headers, body).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = match fault {
            Fault::Token { sent: true } => CHALLENGE_AGAIN,
            _ => CHALLENGE,
        };
        let challenge = HeaderValue::from_static(challenge);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Which field of a request a refusal is about.
fn field_of(refusal: Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::NoBasis => Some("basis"),
        Refusal::NoReason => Some("reason"),
        Refusal::NoRecords | Refusal::TooManyRecords => Some("evidence"),
        Refusal::BadDuration => Some("duration_s"),
        Refusal::BadForm => Some("form"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::words::Words;

    #[test]
    fn every_fault_has_a_word_of_the_list_and_a_challenge_where_a_token_is_missing() {
        let words = || Words::new("字段有误", "the field is wrong");
        let faults = [
            Fault::BadRequest(words()),
            Fault::Field("reason".to_owned(), words()),
            Fault::SignedOut,
            Fault::Token { sent: false },
            Fault::Token { sent: true },
            Fault::Denied(words()),
            Fault::Refused(Refusal::ViewOnly),
            Fault::Damaged("chunk 3".to_owned()),
            Fault::Forged,
            Fault::NotFound,
            Fault::Method,
            Fault::TooSlow,
            Fault::TooLarge(5),
            Fault::TooMany(5),
            Fault::Busy,
            Fault::internal("secret"),
        ];
        for fault in faults {
            let is_known = WORDS.contains(&fault.code()) || Refusal::from_id(fault.code()).is_some();
            assert!(is_known, "{}", fault.code());
            let answer = answer(&fault, Lang::En, None);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
            let challenged = answer.headers().contains_key(header::WWW_AUTHENTICATE);
            assert_eq!(challenged, answer.status() == StatusCode::UNAUTHORIZED);
        }
    }
}
