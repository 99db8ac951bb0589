//! The document against the table of routes, the file in the repository, and every answer that a test gets.

use super::*;
use crate::console::api::document::document;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The document as programs read it, and which operations were seen to succeed and to fail.
pub(super) struct Document {
    whole: Value,
    seen: Mutex<BTreeSet<(String, bool)>>,
}

impl Default for Document {
    fn default() -> Self {
        Document {
            whole: serde_json::to_value(document()).unwrap(),
            seen: Mutex::default(),
        }
    }
}

impl Document {
    /// Holds an answer, and a request that succeeded, against what the document says of the operation.
    pub(super) fn check(&self, method: &Method, path: &str, sent: Option<&Value>, answer: &Answer) {
        let said = format!("{method} {path}: {} {}", answer.status, answer.body);
        let Some((name, operation)) = self.operation(method, path) else {
            // Nothing is there, or not for this method.
            assert!(answer.status.is_client_error(), "{said}");
            return self.fits(
                &self.whole["components"]["schemas"]["Problem"],
                &answer.json(),
                &said,
            );
        };
        let succeeded = answer.status.is_success();
        self.seen.lock().unwrap().insert((name, succeeded));
        let responses = &operation["responses"];
        let response = responses
            .get(answer.status.as_str())
            .unwrap_or(&responses["default"]);
        assert!(
            !succeeded || responses.get(answer.status.as_str()).is_some(),
            "a success that isn't in the document: {said}"
        );
        let Some(content) = response.get("content") else {
            return assert!(answer.body.is_empty(), "{said}");
        };
        let media_type = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
        let media_type = media_type.split(';').next().unwrap();
        let described = content
            .get(media_type)
            .unwrap_or_else(|| panic!("no {media_type}: {said}"));
        if media_type.ends_with("json") {
            self.fits(&described["schema"], &answer.json(), &said);
        }
        if let (true, Some(sent)) = (succeeded, sent) {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "it takes no body: {said}");
            self.fits(schema, sent, &said);
        }
    }

    /// The operation that an address means, and its name.
    fn operation(&self, method: &Method, path: &str) -> Option<(String, &Value)> {
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (template, path) = (template.split('/'), path.split('/'));
            template.clone().count() == path.clone().count()
                && template
                    .zip(path)
                    .all(|(want, is)| want.starts_with('{') || want == is)
        };
        let (template, item) = self.whole["paths"]
            .as_object()
            .unwrap()
            .iter()
            .find(|(template, _)| fits(template))?;
        let operation = item.get(method.as_str().to_lowercase())?;
        Some((format!("{method} {template}"), operation))
    }

    fn fits(&self, schema: &Value, value: &Value, said: &str) {
        let mut whole = schema.as_object().unwrap().clone();
        whole.insert("components".to_owned(), self.whole["components"].clone());
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&Value::Object(whole))
            .unwrap();
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{said}\n{}", errors.join("\n"));
    }

    fn operations(&self) -> BTreeMap<String, &Value> {
        let items = self.whole["paths"].as_object().unwrap().iter();
        items
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().iter();
                methods
                    .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
            })
            .collect()
    }

    /// Every operation, with whether it was seen to succeed and to fail.
    pub(super) fn unseen(&self) -> Vec<(String, bool)> {
        let seen = self.seen.lock().unwrap();
        let wanted = self.operations().into_keys();
        wanted
            .flat_map(|name| [(name.clone(), true), (name, false)])
            .filter(|wanted| !seen.contains(wanted))
            .collect()
    }
}

#[test]
fn the_document_and_the_table_of_routes_name_the_same() {
    let document = Document::default();
    let documented: BTreeSet<String> = document.operations().into_keys().collect();
    let routed: BTreeSet<String> = routes()
        .iter()
        .filter(|route| route.path.starts_with("/api/"))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(documented, routed);
    for (name, operation) in document.operations() {
        assert!(
            operation["summary"].is_string() || operation["description"].is_string(),
            "{name} says nothing"
        );
        let in_path: BTreeSet<&str> = name
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let parameters = operation["parameters"].as_array();
        let described: BTreeSet<&str> = parameters
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(in_path, described, "{name}");
    }
}

#[test]
fn whatever_the_document_refers_to_is_in_it() {
    fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = Document::default();
    let mut found = Vec::new();
    references(&document.whole, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.whole.pointer(pointer).is_some(), "{reference}");
    }
}

/// `MUNIMENT_RENEW=1` writes it anew.
#[test]
fn the_file_in_the_repository_is_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let generated = document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("MUNIMENT_RENEW").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == generated,
        "docs/openapi.json isn't what the code says: MUNIMENT_RENEW=1 cargo test --lib the_file_in_the_repository"
    );
}

#[test]
fn nothing_of_the_api_decides_over_a_request_or_is_for_everybody() {
    for route in routes().iter().filter(|route| route.path.starts_with("/api/")) {
        assert!(route.need != Need::Public, "{}", route.path);
        if let Need::May(action) = route.need {
            assert!(crate::access::policy::by_token(action), "{}", route.path);
        }
        for word in ["approve", "decline", "revoke", "people", "sessions"] {
            assert!(!route.path.contains(word), "{}", route.path);
        }
    }
}
