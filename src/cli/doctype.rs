//! `muniment doctype`: the table of document types, its versions, and what differs between them.

use super::{
    Failure, Outcome,
    context::{Context, Reading, request},
    output::{size, table},
};
use anyhow::{Context as _, anyhow, bail};
use clap::{Subcommand, ValueEnum};
use muniment::{
    admin::{Request, Response},
    catalog::doctypes::{self, Published},
    domain::{
        doctype::{Change, DocumentType, DocumentTypes, MAX_TABLE_BYTES, severity_word},
        finding::{Code, Setting},
    },
    ingest::text::decode_document,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Versions listed at the most.
const MAX_HISTORY: usize = 10_000;

#[derive(Subcommand)]
pub(super) enum Doctype {
    /// List document types and what businesses need
    List,
    /// Show one type with all its rules
    Show {
        /// Its code, for instance WVID
        code: String,
    },
    /// Check a table (TOML, or CSV from a spreadsheet), say what it changes, and publish it as the next version
    Import {
        /// The table
        file: PathBuf,
        /// Only check it and say what it would change
        #[arg(long)]
        check: bool,
    },
    /// Write a version of the table
    Export {
        /// Which version; the newest when absent
        #[arg(long)]
        version: Option<u32>,
        /// As what
        #[arg(long, value_enum, default_value_t = Format::Toml)]
        format: Format,
        /// Where to; it must not exist. On stdout when absent
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List published versions, the newest first
    History,
    /// Say what differs between two versions
    Diff {
        /// The earlier version
        a: u32,
        /// The later version
        b: u32,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// As published, for a text editor
    Toml,
    /// For a spreadsheet
    Csv,
}

/// What an import comes to.
#[derive(Serialize)]
struct Imported {
    /// `published`, `unchanged` or `checked`.
    result: &'static str,
    /// The version that holds now.
    version: u32,
    /// Position of the event in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<u64>,
    /// How many types the table has.
    types: usize,
    changes: Vec<Change>,
}

impl Doctype {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match self {
            Doctype::List => list(context)?,
            Doctype::Show { code } => return show(context, &code),
            Doctype::Import { file, check } => return import(context, &file, check),
            Doctype::Export {
                version,
                format,
                output,
            } => export(context, version, format, output.as_deref())?,
            Doctype::History => history(context)?,
            Doctype::Diff { a, b } => diff(context, a, b)?,
        }
        Ok(())
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    let types = newest(&context.reading()?)?;
    let needs: Vec<Value> = types
        .businesses()
        .map(|(code, needs)| {
            json!({ "code": code, "name_zh": needs.name_zh, "name_en": needs.name_en, "types": needs.types })
        })
        .collect();
    let listed: Vec<Value> = types.iter().map(described).collect();
    let whole = json!({ "version": types.version(), "types": listed, "businesses": needs });
    context.output.result(&whole, || {
        let mut kinds = table(["code", "category", "kind", "name", "extensions", "up to"]);
        for doctype in types.iter() {
            kinds.add_row([
                doctype.code.clone(),
                doctype.category.code().to_owned(),
                doctype.kind.code().to_owned(),
                format!("{} {}", doctype.name_zh, doctype.name_en),
                doctype.extensions.join(" "),
                size(i64::try_from(doctype.max_size_bytes).unwrap_or(i64::MAX)),
            ]);
        }
        let mut businesses = table(["business", "name", "needs"]);
        for (code, needs) in types.businesses() {
            businesses.add_row([
                code.to_owned(),
                format!("{} {}", needs.name_zh, needs.name_en),
                needs.types.join(" "),
            ]);
        }
        format!("version {}\n{kinds}\n\n{businesses}", types.version())
    })
}

fn show(context: &Context, code: &str) -> Outcome {
    let types = newest(&context.reading()?)?;
    let doctype = types
        .find(code)
        .map_err(|reason| Failure::Finding(format!("{}: {}", reason.code, reason.en)))?;
    let mut whole = described(doctype);
    whole["version"] = types.version().into();
    context.output.result(&whole, || {
        let mut rows = table(["rule", "limits", "meaning"]);
        for (rule, limit) in doctype.limits() {
            let (zh, en) = rule.meaning();
            rows.add_row([rule.key().to_owned(), limit.to_string(), format!("{zh} {en}")]);
        }
        let mut findings = table(["finding", "does"]);
        for (code, severity) in severities(doctype) {
            findings.add_row([code.text(), severity]);
        }
        format!(
            "{} {} {} (version {})\n{} · {} · {} · up to {}\n\n{rows}\n\n{findings}",
            doctype.code,
            doctype.name_zh,
            doctype.name_en,
            types.version(),
            doctype.category.code(),
            doctype.kind.code(),
            doctype.extensions.join(" "),
            size(i64::try_from(doctype.max_size_bytes).unwrap_or(i64::MAX)),
        )
    })?;
    Ok(())
}

fn import(context: &Context, file: &Path, check: bool) -> Outcome {
    let types = read(file)?;
    let config = context.config()?;
    let reading = context.reading()?;
    // A vault that was never opened by this program has none: publishing gives it the shipped one first.
    let base = match reading.catalogue.read(doctypes::newest)? {
        Some(published) => parsed(&published)?,
        None => DocumentTypes::from_toml(muniment::domain::doctype::DEFAULT_TABLE)?.published_as(1),
    };
    let mut imported = Imported {
        result: "checked",
        version: base.version(),
        leaf: None,
        types: types.count(),
        changes: base.changes_to(&types),
    };
    if imported.changes.is_empty() {
        imported.result = "unchanged";
    } else if !check {
        for line in imported.changes.iter().map(line) {
            context.output.note(&line);
        }
        let last = reading
            .catalogue
            .read(doctypes::last_version)?
            .max(base.version());
        let request_publish = Request::DocumentTypesPublish {
            text: types.to_toml(),
            base: last,
        };
        match request(&config, request_publish)? {
            Response::DocumentTypesPublished { version, leaf } => {
                imported.result = "published";
                imported.version = version;
                imported.leaf = Some(leaf);
            }
            Response::DocumentTypesUnchanged { version } => {
                imported.result = "unchanged";
                imported.version = version;
            }
            other => return Err(anyhow!("the server answered something else: {other:?}").into()),
        }
    }
    context.output.result(&imported, || match imported.result {
        "published" => format!(
            "version {} published with {} types and {} changes (log position {}); it judges every upload from now on",
            imported.version,
            imported.types,
            imported.changes.len(),
            imported.leaf.unwrap_or_default()
        ),
        "unchanged" => format!(
            "it says what version {} says already; nothing was published",
            imported.version
        ),
        _ => {
            let lines: Vec<String> = imported.changes.iter().map(line).collect();
            format!(
                "{}\nvalid: {} types, {} changes from version {}; nothing was published",
                lines.join("\n"),
                imported.types,
                imported.changes.len(),
                imported.version
            )
        }
    })?;
    Ok(())
}

fn export(
    context: &Context,
    version: Option<u32>,
    format: Format,
    output: Option<&Path>,
) -> anyhow::Result<()> {
    let published = which(&context.reading()?, version)?;
    let bytes = match format {
        // Exactly what was published: its SHA-256 stands in the log.
        Format::Toml => published.text.clone().unwrap_or_default().into_bytes(),
        Format::Csv => parsed(&published)?.to_csv()?,
    };
    let Some(path) = output else {
        if context.output.json {
            let text = String::from_utf8_lossy(&bytes);
            return context.output.result(
                &json!({ "version": published.version, "sha256": published.sha256, "text": text }),
                String::new,
            );
        }
        std::io::stdout().lock().write_all(&bytes)?;
        return Ok(());
    };
    let failed = || format!("{} can't be written", path.display());
    File::create_new(path)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .with_context(failed)?;
    let written = json!({ "version": published.version, "sha256": published.sha256, "file": path });
    context.output.result(&written, || {
        format!("version {} written to {}", published.version, path.display())
    })
}

fn history(context: &Context) -> anyhow::Result<()> {
    let reading = context.reading()?;
    let versions = reading
        .catalogue
        .read(|connection| doctypes::history(connection, MAX_HISTORY))?;
    let zone = reading.config.zone();
    context.output.result(&versions, || {
        let mut rows = table(["version", "published", "by", "log position", "sha256"]);
        for one in &versions {
            rows.add_row([
                one.version.to_string(),
                zone.date_time(one.time_ms),
                one.actor.clone(),
                one.leaf.to_string(),
                one.sha256.clone(),
            ]);
        }
        rows.to_string()
    })
}

fn diff(context: &Context, a: u32, b: u32) -> anyhow::Result<()> {
    let reading = context.reading()?;
    let (before, after) = (
        parsed(&which(&reading, Some(a))?)?,
        parsed(&which(&reading, Some(b))?)?,
    );
    let changes = before.changes_to(&after);
    context.output.result(&changes, || {
        if changes.is_empty() {
            return format!("versions {a} and {b} say the same");
        }
        changes.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

/// A change in one line.
fn line(change: &Change) -> String {
    let Change {
        section,
        field,
        before,
        after,
    } = change;
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    match (field.as_str(), before, after) {
        ("", None, _) => format!("+ {section} ({})", said(after)),
        ("", _, None) => format!("- {section} ({})", said(before)),
        _ => format!("~ {section}: {field}: {} -> {}", said(before), said(after)),
    }
}

/// Reads a table from a file: CSV by its extension, else TOML; in any encoding that Excel writes.
fn read(path: &Path) -> Result<DocumentTypes, Failure> {
    let name = path.display();
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_TABLE_BYTES as u64 * 2 + 1).read_to_end(&mut bytes))
        .with_context(|| format!("{name} can't be read"))?;
    let text = decode_document(&bytes)
        .ok_or_else(|| Failure::Finding(format!("{name} is no text in UTF-8, UTF-16 or GB18030")))?;
    let is_csv = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let read = if is_csv {
        DocumentTypes::from_csv(&text)
    } else {
        DocumentTypes::from_toml(&text)
    };
    read.map_err(|error| Failure::Finding(format!("{name}: {error}")))
}

fn newest(reading: &Reading) -> anyhow::Result<DocumentTypes> {
    parsed(&which(reading, None)?)
}

fn which(reading: &Reading, version: Option<u32>) -> anyhow::Result<Published> {
    let found = reading.catalogue.read(|connection| match version {
        Some(version) => doctypes::by_version(connection, version),
        None => doctypes::newest(connection),
    })?;
    match (found, version) {
        (Some(published), _) if published.text.is_some() => Ok(published),
        (Some(published), _) => bail!(
            "the text of version {} was lost with its record; its digest is {}",
            published.version,
            published.sha256
        ),
        (None, Some(version)) => {
            bail!("there is no version {version}: `muniment doctype history` lists them")
        }
        (None, None) => {
            bail!("no document types are published yet: the server publishes those that ship when it starts")
        }
    }
}

fn parsed(published: &Published) -> anyhow::Result<DocumentTypes> {
    let text = published.text.as_deref().unwrap_or_default();
    Ok(DocumentTypes::from_toml(text)
        .with_context(|| format!("version {}", published.version))?
        .published_as(published.version))
}

/// A type with everything that holds for it.
fn described(doctype: &DocumentType) -> Value {
    let rules: Map<String, Value> = doctype
        .limits()
        .map(|(rule, limit)| {
            let parts: Map<String, Value> = limit
                .parts()
                .into_iter()
                .filter_map(|(severity, limit)| {
                    Some((severity_word(Some(severity)).to_owned(), limit?.into()))
                })
                .collect();
            (rule.key().to_owned(), parts.into())
        })
        .collect();
    let findings: Map<String, Value> = severities(doctype)
        .map(|(code, severity)| (code.text().to_owned(), severity.into()))
        .collect();
    json!({
        "code": doctype.code,
        "category": doctype.category.code(),
        "kind": doctype.kind.code(),
        "name_zh": doctype.name_zh,
        "name_en": doctype.name_en,
        "extensions": doctype.extensions,
        "max_size_bytes": doctype.max_size_bytes,
        "rules": rules,
        "findings": findings,
    })
}

/// What each finding does that isn't decided by limits.
fn severities(doctype: &DocumentType) -> impl Iterator<Item = (Code, &'static str)> {
    Code::all()
        .filter(|code| matches!(code.setting(), Setting::Severity(_)))
        .map(|code| (code, severity_word(doctype.severity(code))))
}
