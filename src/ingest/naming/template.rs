//! One naming template: its parts, its fitness, and how it cuts a path into fields.

use super::Field;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) source: String,
    components: Vec<Vec<Token>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(String),
    Field(Field),
}

/// Why a template in the configuration was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No template at all.
    #[error("there is no naming template; at least one is needed")]
    None,
    /// Braces that don't pair, or a field that doesn't exist.
    #[error("{0:?}: fields are {{customer}}, {{date}}, {{flow}}, {{doctype}}, {{seq}}, {{ext}} and {{any}}")]
    Field(String),
    /// Two fields with nothing between them, a field twice, or an empty component.
    #[error(
        "{0:?}: each field may stand once ({{any}} once in each component), with text or / between fields"
    )]
    Ambiguous(String),
    /// A template that could never say what a file is.
    #[error("{0:?}: {{customer}}, {{flow}}, {{doctype}} and {{ext}} are needed")]
    Missing(String),
}

const FIELDS: [(&str, Field); 7] = [
    ("customer", Field::Customer),
    ("date", Field::Date),
    ("flow", Field::Flow),
    ("doctype", Field::Doctype),
    ("seq", Field::Seq),
    ("ext", Field::Ext),
    ("any", Field::Any),
];

impl Template {
    pub(super) fn new(source: &str) -> Result<Self, TemplateError> {
        let ambiguous = || TemplateError::Ambiguous(source.to_owned());
        let mut components = Vec::new();
        let mut seen = Vec::new();
        for component in source.split('/') {
            let tokens = tokens(component).ok_or_else(|| TemplateError::Field(source.to_owned()))?;
            let adjacent = |pair: &[Token]| matches!(pair, [Token::Field(_), Token::Field(_)]);
            if tokens.is_empty() || tokens.windows(2).any(adjacent) {
                return Err(ambiguous());
            }
            if tokens
                .iter()
                .filter(|token| **token == Token::Field(Field::Any))
                .count()
                > 1
            {
                return Err(ambiguous());
            }
            for token in &tokens {
                match token {
                    Token::Field(field) if *field != Field::Any && seen.contains(field) => {
                        return Err(ambiguous());
                    }
                    Token::Field(field) => seen.push(*field),
                    Token::Literal(_) => {}
                }
            }
            components.push(tokens);
        }
        let needed = [Field::Customer, Field::Flow, Field::Doctype, Field::Ext];
        if !needed.iter().all(|field| seen.contains(field)) {
            return Err(TemplateError::Missing(source.to_owned()));
        }
        Ok(Self {
            source: source.to_owned(),
            components,
        })
    }

    /// Cuts the last components of a path into fields, if they have this shape.
    pub(super) fn split<'p, S: AsRef<str>>(&self, path: &'p [S]) -> Option<Vec<(Field, &'p str)>> {
        let tail = path.len().checked_sub(self.components.len())?;
        let mut values = Vec::new();
        for (tokens, component) in self.components.iter().zip(&path[tail..]) {
            values.extend(fit(tokens, component.as_ref())?);
        }
        Some(values)
    }
}

fn tokens(component: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = component;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('{') {
            let (name, after) = after.split_once('}')?;
            tokens.push(Token::Field(FIELDS.iter().find(|(known, _)| *known == name)?.1));
            rest = after;
        } else {
            let end = rest.find('{').unwrap_or(rest.len());
            if rest[..end].contains('}') {
                return None;
            }
            tokens.push(Token::Literal(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Some(tokens)
}

/// A field ends where the next literal first occurs; only `{any}` may contain it. So a name of n bytes costs at most n
/// passes.
fn fit<'n>(tokens: &[Token], name: &'n str) -> Option<Vec<(Field, &'n str)>> {
    match tokens {
        [] => name.is_empty().then(Vec::new),
        [Token::Literal(literal), rest @ ..] => fit(rest, name.strip_prefix(literal.as_str())?),
        [Token::Field(Field::Any), rest @ ..] => {
            let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
            ends.rev().find_map(|end| fit(rest, &name[end..]))
        }
        [Token::Field(field), Token::Literal(literal), rest @ ..] => {
            let (value, after) = name
                .split_once(literal.as_str())
                .filter(|(value, _)| !value.is_empty())?;
            let mut values = fit(rest, after)?;
            values.push((*field, value));
            Some(values)
        }
        [Token::Field(field), ..] => (!name.is_empty()).then(|| vec![(*field, name)]),
    }
}
