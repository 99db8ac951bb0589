//! What people search for: every kind of search with the product's own functions, and parameters from what is there.

use muniment::catalog::{
    Catalogue,
    search::{self, Filter},
};
use rusqlite::Connection;
use std::{
    error::Error,
    time::{Duration, Instant},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Rows of one answer, as `muniment evidence list` asks for by default.
pub(crate) const PAGE: usize = 50;

/// How long each search took, shortest first, and the rows found in all.
///
/// # Errors
/// When a search fails.
pub(crate) fn measure(
    catalogue: &Catalogue,
    kind: Kind,
    samples: &[Sample],
) -> Result<(Vec<Duration>, usize)> {
    let mut times = Vec::with_capacity(samples.len());
    let mut found = 0;
    for sample in samples {
        let began = Instant::now();
        found += catalogue.read(|connection| kind(connection, sample))?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok((times, found))
}

/// A percentile of times in their order.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// One row of the catalogue to take parameters from.
pub(crate) struct Sample {
    receipt: u64,
    id: String,
    customer: String,
    flow: String,
    branch: String,
    doctype: String,
    date: i64,
    sha256: [u8; 32],
}

/// The rows with these receipt numbers, to take parameters from.
///
/// # Errors
/// When one isn't there.
pub(crate) fn samples(catalogue: &Catalogue, receipts: impl IntoIterator<Item = u64>) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for receipt in receipts {
        let sample = catalogue.read(|connection| {
            let found = search::by_receipt(connection, receipt)?;
            let sha256 = connection.query_row(
                "SELECT sha256 FROM evidence WHERE leaf_index = ?1",
                [receipt as i64],
                |row| row.get(0),
            )?;
            Ok(found.map(|row| Sample {
                receipt,
                id: row.id,
                customer: row.customer,
                flow: row.flow,
                branch: row.branch,
                doctype: row.doctype,
                date: row.date,
                sha256,
            }))
        })?;
        samples.push(sample.ok_or("a row to take parameters from is missing")?);
    }
    Ok(samples)
}

/// One kind of search: how many rows it finds.
pub(crate) type Kind = fn(&Connection, &Sample) -> muniment::catalog::Result<usize>;

fn page(connection: &Connection, filter: &Filter) -> muniment::catalog::Result<usize> {
    Ok(search::search(connection, filter, PAGE)?.len())
}

/// A month from the sample's date on, as yyyymmdd: 100 is one month further.
fn month(sample: &Sample) -> (Option<i64>, Option<i64>) {
    (Some(sample.date), Some(sample.date + 100))
}

/// Every kind of search, by name.
pub(crate) const KINDS: [(&str, Kind); 15] = [
    ("everything, newest first", |c, _| page(c, &Filter::default())),
    ("customer", |c, s| {
        page(
            c,
            &Filter {
                customer: Some(s.customer.clone()),
                ..Filter::default()
            },
        )
    }),
    ("flow", |c, s| {
        page(
            c,
            &Filter {
                flow: Some(s.flow.clone()),
                ..Filter::default()
            },
        )
    }),
    ("branch", |c, s| {
        page(
            c,
            &Filter {
                branch: Some(s.branch.clone()),
                ..Filter::default()
            },
        )
    }),
    ("branch, month", |c, s| {
        let (date_from, date_to) = month(s);
        page(
            c,
            &Filter {
                branch: Some(s.branch.clone()),
                date_from,
                date_to,
                ..Filter::default()
            },
        )
    }),
    ("branch, type, month", |c, s| {
        let (date_from, date_to) = month(s);
        let (branch, doctype) = (Some(s.branch.clone()), Some(s.doctype.clone()));
        page(
            c,
            &Filter {
                branch,
                doctype,
                date_from,
                date_to,
                ..Filter::default()
            },
        )
    }),
    ("type, month", |c, s| {
        let (date_from, date_to) = month(s);
        page(
            c,
            &Filter {
                doctype: Some(s.doctype.clone()),
                date_from,
                date_to,
                ..Filter::default()
            },
        )
    }),
    ("one day", |c, s| {
        page(
            c,
            &Filter {
                date_from: Some(s.date),
                date_to: Some(s.date),
                ..Filter::default()
            },
        )
    }),
    ("customer, type", |c, s| {
        let (customer, doctype) = (Some(s.customer.clone()), Some(s.doctype.clone()));
        page(
            c,
            &Filter {
                customer,
                doctype,
                ..Filter::default()
            },
        )
    }),
    ("customer, branch, month", |c, s| {
        let (date_from, date_to) = month(s);
        let (customer, branch) = (Some(s.customer.clone()), Some(s.branch.clone()));
        page(
            c,
            &Filter {
                customer,
                branch,
                date_from,
                date_to,
                ..Filter::default()
            },
        )
    }),
    ("state (none of it)", |c, _| {
        page(
            c,
            &Filter {
                state: Some("returned".to_owned()),
                ..Filter::default()
            },
        )
    }),
    ("digest", |c, s| {
        page(
            c,
            &Filter {
                sha256: Some(s.sha256.into()),
                ..Filter::default()
            },
        )
    }),
    ("evidence id", |c, s| Ok(search::versions(c, &s.id)?.len())),
    ("branch, a later page", |c, s| {
        let after = Some((s.date, s.receipt));
        page(
            c,
            &Filter {
                branch: Some(s.branch.clone()),
                after,
                ..Filter::default()
            },
        )
    }),
    ("everything, a later page", |c, s| {
        page(
            c,
            &Filter {
                after: Some((s.date, s.receipt)),
                ..Filter::default()
            },
        )
    }),
];
