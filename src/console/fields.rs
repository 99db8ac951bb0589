//! The fields of a form or a query (URL standard, clause 5.1), in the order they were sent; of a form with files, these too.

use super::{fault::Fault, limits::MAX_FIELDS, multipart, words::Words};
use axum::body::Bytes;
use std::fmt;

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    values: Vec<(String, String)>,
    files: Vec<(String, Upload)>,
}

/// A file that came with a form.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its name as the browser sent it: anything at all.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a file of {} bytes", self.bytes.len())
    }
}

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. What isn't UTF-8 becomes U+FFFD, which no field of ours takes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut values = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if values.len() >= MAX_FIELDS {
                return Err(Fault::BadRequest(Words::new(
                    "提交的字段过多。",
                    "There are too many fields.",
                )));
            }
            values.push((name.into_owned(), value.into_owned()));
        }
        Ok(Fields {
            values,
            files: Vec::new(),
        })
    }

    /// Reads `multipart/form-data`. A file field in which no file was chosen is none.
    pub(super) fn parse_with_files(body: &Bytes, boundary: &str) -> Result<Self, Fault> {
        let parts = multipart::parse(body, boundary, MAX_FIELDS).ok_or_else(|| {
            Fault::BadRequest(Words::new(
                "提交的表单不完整或字段过多。",
                "The form isn't complete, or has too many fields.",
            ))
        })?;
        let mut fields = Fields::default();
        for part in parts {
            match part.file_name {
                None => {
                    let value = String::from_utf8_lossy(&part.content).into_owned();
                    fields.values.push((part.name, value));
                }
                Some(name) if name.is_empty() && part.content.is_empty() => {}
                Some(name) => {
                    let bytes = part.content;
                    fields.files.push((part.name, Upload { name, bytes }));
                }
            }
        }
        Ok(fields)
    }

    /// The first file of this name.
    pub fn file(&self, name: &str) -> Option<&Upload> {
        let named = self.files.iter().find(|(found, _)| found == name);
        named.map(|(_, file)| file)
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = self.values.iter().find(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The first value of this name without white space around it; `None` when nothing is left.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Every value of this name, for boxes that can be ticked together.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.values.iter().filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The names of all fields, as often as they were sent.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// The same fields with one replaced or, by `None`, taken out; as a query, for links that change one thing.
    pub fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (found, kept) in self.values.iter().filter(|(found, _)| found != name) {
            query.append_pair(found, kept);
        }
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_bounded_and_written_again() {
        let fields = Fields::parse("a=1&b=%E5%BC%A0+%3D&a=2&c=%20%20&d=%ff".as_bytes()).unwrap();
        assert_eq!(fields.get("a"), Some("1"));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.get("b"), Some("张 ="));
        assert_eq!((fields.get("c"), fields.text("c")), (Some("  "), None));
        assert_eq!(fields.get("d"), Some("\u{fffd}"));
        assert_eq!(
            fields.with("a", Some("x&y")),
            "b=%E5%BC%A0+%3D&c=++&d=%EF%BF%BD&a=x%26y"
        );
        assert_eq!(Fields::parse(b"a=1&b=2").unwrap().with("a", None), "b=2");
        assert!(Fields::parse("a&".repeat(MAX_FIELDS + 1).as_bytes()).is_err());
    }

    #[test]
    fn a_form_with_a_file_has_both_and_says_nothing_of_the_file_in_a_log() {
        let part = |head: &str, content: &str| {
            format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
        };
        let body = [
            part("name=\"reason\"", "张三"),
            part("name=\"form\"; filename=\"a.pdf\"", "secret"),
            part("name=\"none\"; filename=\"\"", ""),
        ];
        let whole = Bytes::from(format!("{}--B--\r\n", body.concat()));
        let fields = Fields::parse_with_files(&whole, "B").unwrap();
        assert_eq!(fields.get("reason"), Some("张三"));
        let file = fields.file("form").unwrap();
        assert_eq!((file.name.as_str(), &file.bytes[..]), ("a.pdf", &b"secret"[..]));
        assert_eq!(
            (fields.get("form"), fields.file("reason"), fields.file("none")),
            (None, None, None)
        );
        assert!(!format!("{fields:?}").contains("secret"));
        let many = part("name=\"a\"", "").repeat(MAX_FIELDS + 1);
        assert!(Fields::parse_with_files(&Bytes::from(format!("{many}--B--")), "B").is_err());
    }
}
