//! The fields of a form or a query (URL standard, clause 5.1), in the order they were sent.

use super::{fault::Fault, limits::MAX_FIELDS, words::Words};

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. What isn't UTF-8 becomes U+FFFD, which no field of ours takes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if fields.len() >= MAX_FIELDS {
                return Err(Fault::BadRequest(Words::new(
                    "提交的字段过多。",
                    "There are too many fields.",
                )));
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Fields(fields))
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The first value of this name without white space around it; `None` when nothing is left.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Every value of this name, for boxes that can be ticked together.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The same fields with one replaced or, by `None`, taken out; as a query, for links that change one thing.
    pub fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (found, kept) in self.0.iter().filter(|(found, _)| found != name) {
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
}
