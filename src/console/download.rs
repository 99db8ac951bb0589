//! Answers that a browser saves instead of showing.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};

/// A file that is saved under this name: one of ours, in plain ASCII, never a stranger's.
pub fn attachment(file_name: &str, content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Response {
    let plain: String = file_name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
        .collect();
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{plain}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes.into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_its_header() {
        let response = attachment("a\"; x=\r\n../b.csv", "text/csv", "1");
        assert_eq!(
            response.headers()[header::CONTENT_DISPOSITION],
            "attachment; filename=\"ax..b.csv\""
        );
    }
}
