//! Answers that a browser saves instead of showing.

use super::file_name;
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};

/// A file that is saved under this name.
pub fn attachment(name: &str, content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_DISPOSITION, file_name::attachment(name)),
    ];
    (headers, bytes.into()).into_response()
}
