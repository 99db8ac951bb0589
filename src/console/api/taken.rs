//! What a program sends, parsed: a body of JSON, the fields of a query. What isn't as the document says is refused with the
//! field's name.

use super::{MAX_PAGE_ROWS, PAGE_ROWS};
use crate::console::{fault::Fault, visit::Visit, words::Words};
use axum::http::header;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use utoipa::{IntoParams, openapi::path::ParameterIn};

/// What a body is.
const JSON: &str = "application/json";
/// How the whole of a body stands in the path of an error.
const WHOLE: &str = ".";
/// Characters of a text in a query.
const MAX_TEXT: usize = 64;

/// A body.
///
/// # Errors
/// That it isn't JSON, or which of its fields isn't as the document says.
pub(super) fn body<T: DeserializeOwned>(visit: &Visit) -> Result<T, Fault> {
    let sent = visit.headers.get(header::CONTENT_TYPE);
    let sent = sent.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = sent.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(JSON) {
        return Err(Fault::BadRequest(Words::new(
            "请以 application/json 提交。",
            "Send it as application/json.",
        )));
    }
    let mut reader = serde_json::Deserializer::from_slice(&visit.body);
    let taken = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match named(&inner.to_string()) {
            Some(field) => wrong(&field, &inner),
            None if inner.is_data() && path != WHOLE => wrong(&path, &inner),
            None => not_json(&inner),
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(taken)
}

/// The field that serde names in its words: one that is missing, unknown or there twice isn't in the path.
fn named(words: &str) -> Option<String> {
    let about = ["unknown field `", "missing field `", "duplicate field `"];
    let rest = about.into_iter().find_map(|start| words.strip_prefix(start))?;
    rest.split('`').next().map(str::to_owned)
}

fn not_json(error: &serde_json::Error) -> Fault {
    Fault::BadRequest(Words::new(
        format!("提交的内容不是此处所需的 JSON：{error}"),
        format!("This isn't the JSON that is wanted here: {error}"),
    ))
}

/// A field that can't be taken, with the reason as the parser puts it.
pub(super) fn wrong(field: &str, reason: &impl std::fmt::Display) -> Fault {
    Fault::Field(
        field.to_owned(),
        Words::new(
            format!("字段 {field} 有误：{reason}"),
            format!("The field {field} can't be taken: {reason}"),
        ),
    )
}

/// The query of a route that takes none.
///
/// # Errors
/// The field that is there.
pub(super) fn no_query(visit: &Visit) -> Result<(), Fault> {
    match visit.query.names().next() {
        None => Ok(()),
        Some(name) => Err(wrong(name, &"there is no such field")),
    }
}

/// The query of a route, whose fields are those of `P`.
pub(super) struct Query<'v>(&'v Visit);

impl<'v> Query<'v> {
    /// Only of known fields, each at most once.
    ///
    /// # Errors
    /// The field that isn't.
    pub(super) fn of<P: IntoParams>(visit: &'v Visit) -> Result<Self, Fault> {
        let known = P::into_params(|| Some(ParameterIn::Query));
        let mut seen: Vec<&str> = Vec::new();
        for name in visit.query.names() {
            if !known.iter().any(|parameter| parameter.name == name) {
                return Err(wrong(name, &"there is no such field"));
            }
            if seen.contains(&name) {
                return Err(wrong(name, &"it is there twice"));
            }
            seen.push(name);
        }
        Ok(Query(visit))
    }

    /// A short text; `None` where it isn't there.
    ///
    /// # Errors
    /// When it is blank or too long.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        let Some(value) = self.0.query.get(name) else {
            return Ok(None);
        };
        if !(1..=MAX_TEXT).contains(&value.chars().count()) {
            return Err(wrong(name, &format!("it has 1 to {MAX_TEXT} characters")));
        }
        Ok(Some(value.to_owned()))
    }

    /// A value that reads itself; `None` where it isn't there.
    ///
    /// # Errors
    /// When it isn't one.
    pub(super) fn value<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.0.query.get(name) else {
            return Ok(None);
        };
        let value = value.parse().map_err(|_| wrong(name, &wanted))?;
        Ok(Some(value))
    }

    /// Whether a switch is on.
    ///
    /// # Errors
    /// When it is neither `true` nor `false`.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, Fault> {
        Ok(self.value(name, "true or false")?.unwrap_or_default())
    }

    /// Rows of a page.
    ///
    /// # Errors
    /// When it is none, or too many.
    pub(super) fn limit(&self) -> Result<usize, Fault> {
        let limit = self.value("limit", "a number")?.unwrap_or(PAGE_ROWS);
        if (1..=MAX_PAGE_ROWS).contains(&limit) {
            Ok(limit)
        } else {
            Err(wrong("limit", &format!("1 to {MAX_PAGE_ROWS}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_s_words_name_the_field() {
        for (words, field) in [
            ("unknown field `bassis`, expected one of `a`, `b`", Some("bassis")),
            ("missing field `evidence` at line 1 column 2", Some("evidence")),
            ("invalid type: integer `5`, expected a string", None),
        ] {
            assert_eq!(named(words).as_deref(), field);
        }
    }
}
