//! `muniment evidence`

mod again;
mod derived;
mod inspected;

use super::{
    Failure, Outcome,
    context::{Context, Reading},
    export::Export,
    output::{size, table},
};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use muniment::{
    catalog::{
        people,
        search::{self, Filter},
        timeline,
    },
    domain::{digest_prefix::DigestPrefix, id::is_id},
};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Subcommand)]
pub(super) enum Evidence {
    /// Find sealed evidence, newest business date first
    List(List),
    /// Show one piece of evidence: its versions and what happened to it
    Show {
        /// Evidence id or receipt number
        which: String,
    },
    /// Write one version, with everything needed to verify it, as a BagIt bag
    Export(Export),
    /// Have the server inspect one version again in the background, and make its copies again
    Inspect(again::Inspect),
    /// Write a contact sheet or playback copy of one version, decrypted
    Derived(derived::Derived),
}

#[derive(Args)]
pub(super) struct List {
    /// Customer number
    #[arg(long)]
    customer: Option<String>,
    /// Flow number
    #[arg(long)]
    flow: Option<String>,
    /// Branch code
    #[arg(long)]
    branch: Option<String>,
    /// Document type code
    #[arg(long)]
    doctype: Option<String>,
    /// First business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    from: Option<i64>,
    /// Last business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    to: Option<i64>,
    /// State, such as sealed
    #[arg(long)]
    state: Option<String>,
    /// SHA-256 of the original, as sha256sum prints it, or at least its first 8 digits
    #[arg(long, value_name = "HEX")]
    sha256: Option<DigestPrefix>,
    /// Rows at the most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Continue after this row: the cursor that the page before ended with
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    after: Option<(i64, u64)>,
}

impl Evidence {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match self {
            Evidence::List(list) => Ok(list.run(context)?),
            Evidence::Show { which } => show(context, &which),
            Evidence::Export(export) => export.run(context),
            Evidence::Inspect(inspect) => inspect.run(context),
            Evidence::Derived(derived) => derived.run(context),
        }
    }
}

#[derive(Serialize)]
struct Page {
    evidence: Vec<search::Evidence>,
    /// For `--after`; `None` on the last page.
    next: Option<String>,
}

impl List {
    fn run(self, context: &Context) -> anyhow::Result<()> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            bail!("--from is after --to: no day lies between them");
        }
        let filter = Filter {
            customer: self.customer,
            flow: self.flow,
            branch: self.branch,
            doctype: self.doctype,
            date_from: self.from,
            date_to: self.to,
            state: self.state,
            sha256: self.sha256,
            after: self.after,
        };
        let limit = usize::from(self.limit);
        let reading = context.reading()?;
        let evidence = reading
            .catalogue
            .read(|catalogue| search::search(catalogue, &filter, limit))?;
        let next = evidence
            .last()
            .filter(|_| evidence.len() == limit)
            .map(|row| format!("{}-{}", row.date, row.receipt));
        let page = Page { evidence, next };
        context.output.result(&page, || {
            let mut table = table([
                "receipt", "date", "customer", "flow", "type", "branch", "v", "size", "grade", "state", "id",
            ]);
            for row in &page.evidence {
                table.add_row([
                    row.receipt.to_string(),
                    dashed(row.date),
                    row.customer.clone(),
                    row.flow.clone(),
                    format!("{}-{}", row.doctype, row.seq),
                    row.branch.clone(),
                    row.version.to_string(),
                    size(row.size_bytes),
                    row.grade.clone(),
                    row.state.clone(),
                    row.id.clone(),
                ]);
            }
            table.to_string()
        })?;
        if let (Some(next), false) = (&page.next, context.output.json) {
            context.output.note(&format!("more: --after {next}"));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Shown {
    versions: Vec<search::Evidence>,
    /// Of each version: what inspections came to, what is still to come, and copies made from it.
    inspected: Vec<inspected::Inspected>,
    timeline: Vec<timeline::Entry>,
    /// Log-in names of the people in it, by id.
    people: BTreeMap<String, String>,
}

fn show(context: &Context, which: &str) -> Outcome {
    let reading = context.reading()?;
    let versions = find(&reading, which)?;
    let shown = reading.catalogue.read(|catalogue| {
        let subjects: Vec<&str> = versions
            .iter()
            .take(1)
            .map(|row| row.id.as_str())
            .chain(versions.iter().map(|row| row.accession.as_str()))
            .collect();
        let timeline = timeline::of(catalogue, &subjects)?;
        let mut names = BTreeMap::new();
        for id in timeline
            .iter()
            .map(|entry| &entry.actor)
            .chain(versions.iter().map(|row| &row.person))
        {
            if let Some(person) = people::by_id(catalogue, id)? {
                names.insert(person.id, person.name);
            }
        }
        Ok(Shown {
            versions: versions.clone(),
            inspected: inspected::of(catalogue, &versions)?,
            timeline,
            people: names,
        })
    })?;
    context.output.result(&shown, || human(&shown, &reading))?;
    Ok(())
}

/// Every version of the evidence that an id or a receipt number names.
pub(super) fn find(reading: &Reading, which: &str) -> Result<Vec<search::Evidence>, Failure> {
    let versions = reading.catalogue.read(|catalogue| {
        let id = match which.parse() {
            Ok(receipt) if !is_id(which) => search::by_receipt(catalogue, receipt)?.map(|row| row.id),
            _ => Some(which.to_owned()),
        };
        id.map_or(Ok(Vec::new()), |id| search::versions(catalogue, &id))
    })?;
    if versions.is_empty() {
        return Err(Failure::Finding(format!(
            "no evidence has the id or receipt number '{which}'; `muniment evidence list` finds it by customer, flow or date"
        )));
    }
    Ok(versions)
}

/// The version asked for; without a number the receipt's, or the newest.
fn pick<'a>(
    versions: &'a [search::Evidence],
    which: &str,
    version: Option<i64>,
) -> Result<&'a search::Evidence, Failure> {
    let by_receipt = versions.iter().find(|row| row.receipt.to_string() == which);
    match version {
        Some(version) => versions.iter().find(|row| row.version == version),
        None => by_receipt.or(versions.last()),
    }
    .ok_or_else(|| Failure::Finding(format!("{which} has versions 1 to {} only", versions.len())))
}

fn human(shown: &Shown, reading: &Reading) -> String {
    let zone = reading.config.zone();
    let name = |id: &str| shown.people.get(id).map_or(id.to_owned(), Clone::clone);
    let mut text = String::new();
    for (row, inspected) in shown.versions.iter().zip(&shown.inspected) {
        let fields = [
            ("evidence", format!("{} version {}", row.id, row.version)),
            ("receipt", row.receipt.to_string()),
            ("customer, flow", format!("{} {}", row.customer, row.flow)),
            ("type", format!("{}-{} ({})", row.doctype, row.seq, row.category)),
            ("date", dashed(row.date)),
            ("file", row.file_name.clone()),
            ("size", format!("{} bytes", row.size_bytes)),
            ("sha256", row.sha256.clone()),
            ("grade, state", format!("{}, {}", row.grade, row.state)),
            ("sealed", zone.date_time(row.sealed_ms)),
            (
                "sender",
                format!(
                    "{} of {}, key {}",
                    name(&row.person),
                    row.branch,
                    row.key_fingerprint
                ),
            ),
        ];
        for (label, value) in fields {
            text.push_str(&format!("{label:<15} {value}\n"));
        }
        for (label, value) in inspected.lines() {
            text.push_str(&format!("{label:<15} {value}\n"));
        }
        text.push('\n');
    }
    let mut table = table(["log position", "when", "what", "by"]);
    for entry in &shown.timeline {
        table.add_row([
            entry.leaf.to_string(),
            zone.date_time(entry.time_ms),
            entry.kind.clone(),
            name(&entry.actor),
        ]);
    }
    text + &table.to_string()
}

/// `2026-07-28` from 20260728
fn dashed(date: i64) -> String {
    format!("{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100)
}

fn date(text: &str) -> anyhow::Result<i64> {
    let date: jiff::civil::Date = text.parse().context("a day is written YYYY-MM-DD")?;
    Ok(i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day()))
}

fn cursor(text: &str) -> anyhow::Result<(i64, u64)> {
    let words = "the cursor that the page before ended with looks like 20260728-8812";
    let (date, receipt) = text.split_once('-').context(words)?;
    Ok((date.parse().context(words)?, receipt.parse().context(words)?))
}
