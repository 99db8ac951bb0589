//! `/receipts/<YYYY-MM-DD>/…` of one branch, or `/receipts/<branch>/<YYYY-MM-DD>/…` of all.
//!
//! Invariant: a receipt shows only when the checkpoint that proves it is published, and only to its own branch or to an
//! auditor.

use super::{
    file::RenderedFile,
    no_such_file,
    tree::{Node, Tree},
    unavailable,
};
use crate::{
    catalog::{
        people,
        receipts::{self, ReceiptRow},
    },
    custody::{
        log_view::LogView,
        receipt::{self, Form, Receipt, ReceiptError},
    },
    domain::time::Zone,
    sftp::space::{ReadFile, Result},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The day's table.
const SUMMARY: &str = "_summary.csv";
/// Receipts whose sizes and table rows are remembered: they never change, and a listing needs them all. About 500 bytes each.
const REMEMBERED: usize = 16_384;

/// All receipts, shared by all logins.
pub struct ReceiptBook {
    log: LogView,
    zone: Zone,
    shown: Mutex<HashMap<u64, Arc<Shown>>>,
}

/// What a listing says of one receipt.
struct Shown {
    sizes: [(Form, usize); 3],
    summary_line: String,
    time_ms: i64,
}

impl ReceiptBook {
    /// The receipts of this log, dated in this zone.
    pub fn new(log: LogView, zone: Zone) -> Self {
        ReceiptBook {
            log,
            zone,
            shown: Mutex::default(),
        }
    }

    fn shown(&self, row: &ReceiptRow) -> Result<Arc<Shown>> {
        let remembered = || self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = remembered().get(&row.leaf_index) {
            return Ok(shown.clone());
        }
        let receipt = Receipt::load(&self.log, row.clone()).map_err(unavailable)?;
        let mut sizes = Form::ALL.map(|form| (form, 0));
        for (form, size_bytes) in &mut sizes {
            *size_bytes = self.render(&receipt, *form).map_err(unavailable)?.len();
        }
        let shown = Arc::new(Shown {
            sizes,
            summary_line: receipt::summary_line(&receipt, self.zone),
            time_ms: receipt.time_ms(),
        });
        let mut all = remembered();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(row.leaf_index, shown.clone());
        Ok(shown)
    }

    fn render(&self, receipt: &Receipt, form: Form) -> std::result::Result<Vec<u8>, ReceiptError> {
        receipt.render(form, &self.log, self.zone)
    }

    fn day(&self, branch: &str, date: i64) -> Result<Vec<ReceiptRow>> {
        // Before the rows: whatever is published later is simply not in this answer yet.
        let published = self.log.published_size().map_err(unavailable)?;
        let mut rows = self
            .log
            .catalogue()
            .read(|connection| receipts::of_day(connection, branch, date))
            .map_err(unavailable)?;
        rows.retain(|row| row.commit_size <= published);
        Ok(rows)
    }

    fn row(&self, branch: &str, date: i64, stem: &str, outcome: &str) -> Result<Option<ReceiptRow>> {
        let named = self
            .log
            .catalogue()
            .read(|connection| receipts::by_name(connection, branch, date, stem, outcome))
            .map_err(unavailable)?;
        if let Some(row) = named {
            let published = self.log.published_size().map_err(unavailable)?;
            return Ok(
                Some(row).filter(|row| row.commit_size <= published && receipt::file_stem(row) == stem)
            );
        }
        // A name too long for a file system is listed under a shorter one.
        if !stem.contains('~') {
            return Ok(None);
        }
        let fits = |row: &ReceiptRow| row.outcome == outcome && receipt::file_stem(row) == stem;
        Ok(self.day(branch, date)?.into_iter().find(fits))
    }
}

/// Whose receipts a login sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One branch's.
    Branch(String),
    /// All branches', each in a folder.
    All,
}

/// The receipts that one login sees.
pub struct Receipts {
    book: Arc<ReceiptBook>,
    scope: Scope,
}

/// A path's meaning.
enum Place<'a> {
    Branches,
    Days(&'a str),
    Day(&'a str, i64),
    File(&'a str, i64, &'a str),
}

impl Receipts {
    /// The receipts in this scope.
    pub fn new(book: Arc<ReceiptBook>, scope: Scope) -> Self {
        Receipts { book, scope }
    }

    fn place<'a>(&'a self, path: &[&'a str]) -> Result<Place<'a>> {
        let (branch, path) = match (&self.scope, path) {
            (Scope::Branch(branch), path) => (branch.as_str(), path),
            (Scope::All, []) => return Ok(Place::Branches),
            (Scope::All, [branch, path @ ..]) => {
                let known = self
                    .book
                    .log
                    .catalogue()
                    .read(|connection| people::has_branch(connection, branch))
                    .map_err(unavailable)?;
                if !known {
                    return Err(no_such_file());
                }
                (*branch, path)
            }
        };
        Ok(match path {
            [] => Place::Days(branch),
            [day] => Place::Day(branch, parse_day(day).ok_or_else(no_such_file)?),
            [day, name] => Place::File(branch, parse_day(day).ok_or_else(no_such_file)?, name),
            _ => return Err(no_such_file()),
        })
    }

    fn summary(&self, rows: &[ReceiptRow]) -> Result<(Vec<u8>, i64)> {
        let shown: Vec<Arc<Shown>> = rows
            .iter()
            .map(|row| self.book.shown(row))
            .collect::<Result<_>>()?;
        let time_ms = shown.last().map_or(0, |last| last.time_ms);
        Ok((
            receipt::summary_csv(shown.iter().map(|shown| shown.summary_line.as_str())),
            time_ms,
        ))
    }

    /// The rows of a day that has any.
    fn rows(&self, branch: &str, date: i64) -> Result<Vec<ReceiptRow>> {
        let rows = self.book.day(branch, date)?;
        if rows.is_empty() {
            Err(no_such_file())
        } else {
            Ok(rows)
        }
    }

    fn receipt(&self, branch: &str, date: i64, name: &str) -> Result<(ReceiptRow, Form)> {
        let (stem, outcome, form) = receipt::parse_file_name(name).ok_or_else(no_such_file)?;
        let row = self
            .book
            .row(branch, date, stem, outcome)?
            .ok_or_else(no_such_file)?;
        Ok((row, form))
    }
}

impl Tree for Receipts {
    fn find(&mut self, path: &[&str]) -> Result<Node> {
        match self.place(path)? {
            Place::Branches | Place::Days(_) => Ok(Node::Folder),
            Place::Day(branch, date) => {
                let there = self
                    .book
                    .log
                    .catalogue()
                    .read(|connection| receipts::has_day(connection, branch, date))
                    .map_err(unavailable)?;
                if there {
                    Ok(Node::Folder)
                } else {
                    Err(no_such_file())
                }
            }
            Place::File(branch, date, SUMMARY) => {
                let (bytes, time_ms) = self.summary(&self.rows(branch, date)?)?;
                Ok(Node::file(bytes.len(), time_ms))
            }
            Place::File(branch, date, name) => {
                let (row, form) = self.receipt(branch, date, name)?;
                let shown = self.book.shown(&row)?;
                let size = shown
                    .sizes
                    .iter()
                    .find(|(of, _)| *of == form)
                    .map_or(0, |(_, size)| *size);
                Ok(Node::file(size, shown.time_ms))
            }
        }
    }

    fn list(&mut self, path: &[&str]) -> Result<Vec<(String, Node)>> {
        let folders = |names: Vec<String>| Ok(names.into_iter().map(|name| (name, Node::Folder)).collect());
        let catalogue = self.book.log.catalogue();
        match self.place(path)? {
            Place::Branches => {
                let branches = catalogue.read(people::branches).map_err(unavailable)?;
                folders(branches.into_iter().map(|branch| branch.code).collect())
            }
            Place::Days(branch) => {
                let dates = catalogue
                    .read(|connection| receipts::dates(connection, branch))
                    .map_err(unavailable)?;
                folders(dates.into_iter().map(show_day).collect())
            }
            Place::Day(branch, date) => {
                let rows = self.book.day(branch, date)?;
                // A day whose only receipts were superseded is an empty folder, not a missing one.
                if rows.is_empty() {
                    return self.find(path).map(|_| Vec::new());
                }
                let (summary, time_ms) = self.summary(&rows)?;
                let mut entries = vec![(SUMMARY.to_owned(), Node::file(summary.len(), time_ms))];
                for row in &rows {
                    let shown = self.book.shown(row)?;
                    entries.extend(shown.sizes.iter().map(|(form, size)| {
                        (receipt::file_name(row, *form), Node::file(*size, shown.time_ms))
                    }));
                }
                Ok(entries)
            }
            Place::File(..) => Err(no_such_file()),
        }
    }

    fn open(&mut self, path: &[&str]) -> Result<Box<dyn ReadFile>> {
        let Place::File(branch, date, name) = self.place(path)? else {
            return Err(no_such_file());
        };
        if name == SUMMARY {
            let (bytes, time_ms) = self.summary(&self.rows(branch, date)?)?;
            return Ok(RenderedFile::open(bytes, time_ms));
        }
        let (row, form) = self.receipt(branch, date, name)?;
        let receipt = Receipt::load(&self.book.log, row).map_err(unavailable)?;
        let bytes = self.book.render(&receipt, form).map_err(unavailable)?;
        Ok(RenderedFile::open(bytes, receipt.time_ms()))
    }
}

/// `20260728` as `2026-07-28`.
fn show_day(date: i64) -> String {
    format!("{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100)
}

/// The other way, in its only spelling.
fn parse_day(text: &str) -> Option<i64> {
    let digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = text.replace('-', "").parse().ok()?;
    (digits && show_day(date) == text).then_some(date)
}
