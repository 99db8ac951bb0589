//! What a file name says: customer, flow, document type, sequence, date.
//!
//! Names are parsed by templates such as `{customer}_{date}_{flow}_{doctype}_{seq}.{ext}`, matched against the last
//! components of a path. A name that no template fits is *unrecognised* and may still be mapped by a manifest; a name
//! that fits but says something impossible is *refused*, with what would have been allowed.

mod template;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use self::template::Template;
pub use self::template::TemplateError;
use crate::domain::customer::{CustomerNumber, FlowNumber, Numbers};
use crate::domain::doctype::DocumentTypes;
use crate::domain::reason::Reason;

/// What a name said, every field valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Whose record it is.
    pub customer: CustomerNumber,
    /// The business flow it belongs to.
    pub flow: FlowNumber,
    /// Code of the document type, upper-case.
    pub doctype: String,
    /// Sequence within the flow and type, 1–9999; 1 if the template has none.
    pub seq: u32,
    /// The date in the name, if the template has one.
    pub date: Option<Date>,
    /// Extension, lower-case.
    pub ext: String,
}

/// A part of a name that a template can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `{customer}`: the customer number.
    Customer,
    /// `{date}`: `YYYYMMDD`.
    Date,
    /// `{flow}`: the flow number.
    Flow,
    /// `{doctype}`: a code of the document type table.
    Doctype,
    /// `{seq}`: 1–9999.
    Seq,
    /// `{ext}`: the extension.
    Ext,
    /// `{any}`: text that means nothing here; at most one in each component.
    Any,
}

/// Why a path was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamingFault {
    /// No template fits; a manifest may still say what it is.
    #[error("{0}")]
    Unrecognised(Reason),
    /// A template fits and this field of it is wrong.
    #[error("{reason}")]
    Refused {
        /// The wrong field.
        field: Field,
        /// What is wrong and what is allowed.
        reason: Reason,
    },
}

impl NamingFault {
    /// The words for the receipt.
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Unrecognised(reason) | Self::Refused { reason, .. } => reason,
        }
    }
}

/// The templates of this installation, tried in order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Templates(Vec<Template>);

impl Default for Templates {
    fn default() -> Self {
        Self::new([
            "{customer}_{date}_{flow}_{doctype}_{seq}.{ext}",
            "{customer}/{flow}/{doctype}_{seq}.{ext}",
        ])
        .unwrap_or_else(|_| unreachable!("literals that the tests parse"))
    }
}

impl TryFrom<Vec<String>> for Templates {
    type Error = TemplateError;

    fn try_from(sources: Vec<String>) -> Result<Self, TemplateError> {
        Self::new(sources)
    }
}

impl Templates {
    /// Parses the templates of a configuration.
    pub fn new<S: AsRef<str>>(sources: impl IntoIterator<Item = S>) -> Result<Self, TemplateError> {
        let templates: Result<Vec<_>, _> = sources.into_iter().map(|s| Template::new(s.as_ref())).collect();
        match templates? {
            templates if templates.is_empty() => Err(TemplateError::None),
            templates => Ok(Self(templates)),
        }
    }

    /// Reads the decoded, NFC components of a path, the file name last.
    pub fn parse<S: AsRef<str>>(
        &self,
        components: &[S],
        numbers: &Numbers,
        types: &DocumentTypes,
    ) -> Result<Naming, NamingFault> {
        let mut refused = None;
        for template in &self.0 {
            let Some(values) = template.split(components).map(Values) else {
                continue;
            };
            match values.validate(numbers, types) {
                Ok(naming) => return Ok(naming),
                Err(fault) if values.is_plausible(numbers, types) => {
                    refused.get_or_insert(fault);
                }
                Err(_) => {}
            }
        }
        Err(refused.unwrap_or_else(|| NamingFault::Unrecognised(self.unrecognised())))
    }

    fn unrecognised(&self) -> Reason {
        let sources: Vec<&str> = self.0.iter().map(|template| template.source.as_str()).collect();
        let sources = sources.join("  |  ");
        Reason::new(
            "name_unrecognised",
            format!(
                "the name says neither customer nor flow; name files like {sources}, or map them in manifest.csv"
            ),
            format!("无法从文件名识别客户与流水；请按 {sources} 命名，或在 manifest.csv 中说明"),
        )
    }
}

/// Fields as they stand in the name, not yet judged.
struct Values<'p>(Vec<(Field, &'p str)>);

impl Values<'_> {
    fn text(&self, field: Field) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, value)| *value)
    }

    /// Five words with four underscores between them aren't yet a name of ours: one field at least must be right before
    /// the others are called wrong.
    fn is_plausible(&self, numbers: &Numbers, types: &DocumentTypes) -> bool {
        self.text(Field::Customer)
            .is_some_and(|text| numbers.customer.matches(text))
            || self
                .text(Field::Doctype)
                .is_some_and(|text| types.find(text).is_ok())
            || self
                .text(Field::Date)
                .is_some_and(|text| parse_date(text).is_ok())
    }

    fn validate(&self, numbers: &Numbers, types: &DocumentTypes) -> Result<Naming, NamingFault> {
        let required = |field| self.text(field).unwrap_or_default();
        let refused = |field| move |reason| NamingFault::Refused { field, reason };
        let customer = numbers
            .customer(required(Field::Customer))
            .map_err(refused(Field::Customer))?;
        let date = self
            .text(Field::Date)
            .map(parse_date)
            .transpose()
            .map_err(refused(Field::Date))?;
        let flow = numbers
            .flow(required(Field::Flow))
            .map_err(refused(Field::Flow))?;
        let doctype = types
            .find(required(Field::Doctype))
            .map_err(refused(Field::Doctype))?;
        let seq = self
            .text(Field::Seq)
            .map_or(Ok(1), parse_seq)
            .map_err(refused(Field::Seq))?;
        let ext = doctype
            .extension(required(Field::Ext))
            .map_err(refused(Field::Ext))?;
        Ok(Naming {
            customer,
            flow,
            doctype: doctype.code.clone(),
            seq,
            date,
            ext,
        })
    }
}

/// A sequence number 1–9999, leading zeros allowed; else `sequence`.
pub fn parse_seq(text: &str) -> Result<u32, Reason> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&seq| digits && seq > 0).ok_or_else(|| {
        Reason::new(
            "sequence",
            format!("{text:?} is not a sequence number; use 01 to 9999"),
            format!("“{text}”不是有效序号；应为 01 至 9999"),
        )
    })
}

/// A date `YYYYMMDD` from 1990 on; else `date`.
pub fn parse_date(text: &str) -> Result<Date, Reason> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    let date = digits.then(|| {
        Date::new(
            text[..4].parse().ok()?,
            text[4..6].parse().ok()?,
            text[6..].parse().ok()?,
        )
        .ok()
    });
    date.flatten().filter(|date| date.year() >= 1990).ok_or_else(|| {
        Reason::new(
            "date",
            format!("{text:?} is not a date; use YYYYMMDD, for example 20260728"),
            format!("“{text}”不是有效日期；应为 YYYYMMDD，例如 20260728"),
        )
    })
}

/// The final name behind a client's temporary one (WinSCP `.filepart`, rclone `.<hash>.partial`, browsers' and others'
/// `.part`, `.tmp`, `.crdownload`), or `None` if the name is not temporary.
pub fn final_name(name: &str) -> Option<&str> {
    const SUFFIXES: [&str; 5] = [".filepart", ".partial", ".part", ".tmp", ".crdownload"];
    let stem = SUFFIXES.iter().find_map(|suffix| {
        let at = name.len().checked_sub(suffix.len()).filter(|&at| at > 0)?;
        (name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(suffix)).then(|| (&name[..at], *suffix))
    });
    match stem {
        // rclone puts eight hex digits of a hash between the name and its suffix.
        Some((stem, ".partial")) => match stem.rsplit_once('.') {
            Some((name, hash)) if hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some(name)
            }
            _ => Some(stem),
        },
        other => other.map(|(stem, _)| stem),
    }
}

/// Whether a client will still rename this: such a name is not judged.
pub fn is_temporary_name(name: &str) -> bool {
    final_name(name).is_some()
}

#[cfg(test)]
mod tests;
