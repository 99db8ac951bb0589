//! What an auditor reads about the vault as a whole: over SFTP under `/reports`, at the console on screen, on paper and as CSV.
//! All of them show the same rows.
//!
//! It must never know pages, nor decide who may read. Invariant: a report is bounded by its span; where rows were left out it
//! says from where on.

mod access;
mod integrity;
mod people;
mod refused;
mod table;

pub use integrity::{Coverage, coverage};
pub use table::{Cell, Heading, Report, Word};

use super::{shelf::Shelf, unavailable};
use crate::{
    catalog::{CatalogueError, reports::Span},
    custody::log_view::{LogView, LogViewError},
    domain::time::{Clock, Zone},
};
use std::sync::Arc;

/// How long a rendered report is good for: some have thousands of rows.
const FRESH_MS: i64 = 10_000;
/// Rows of a report as a file, newest first.
pub const FILE_ROWS: usize = 10_000;

/// Why a report can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogViewError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A leaf isn't one.
    #[error("leaf {0} isn't an event: {1}")]
    Leaf(u64, serde_json::Error),
}

/// A report by what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Fixity checks: when what was looked at, and what was found.
    Fixity,
    /// Versions that no check of the whole store has seen yet.
    Unchecked,
    /// Inspections that weren't simply passed.
    Findings,
    /// What each branch has sealed.
    EvidenceByBranch,
    /// Uploads that wait to be completed.
    Waiting,
    /// Requests for access.
    Requests,
    /// Grants, live and past.
    Grants,
    /// Readings of content under a grant.
    Readings,
    /// Refusals.
    Refusals,
    /// What an operator read on the host without a grant.
    HostReads,
    /// People and their roles, with combinations that nobody may hold.
    Users,
}

impl Subject {
    /// All of them, integrity first.
    pub const ALL: [Subject; 11] = [
        Subject::Fixity,
        Subject::Unchecked,
        Subject::Findings,
        Subject::EvidenceByBranch,
        Subject::Waiting,
        Subject::Requests,
        Subject::Grants,
        Subject::Readings,
        Subject::Refusals,
        Subject::HostReads,
        Subject::Users,
    ];

    /// Its name in addresses and, with `.csv`, of its file.
    pub fn id(self) -> &'static str {
        match self {
            Subject::Fixity => "fixity",
            Subject::Unchecked => "unchecked",
            Subject::Findings => "findings",
            Subject::EvidenceByBranch => "evidence-by-branch",
            Subject::Waiting => "waiting",
            Subject::Requests => "requests",
            Subject::Grants => "grants",
            Subject::Readings => "readings",
            Subject::Refusals => "refusals",
            Subject::HostReads => "host-reads",
            Subject::Users => "users",
        }
    }

    /// Whether it lists what happened, so that a span of dates makes sense; the others show what is.
    pub fn has_dates(self) -> bool {
        !matches!(
            self,
            Subject::EvidenceByBranch | Subject::Waiting | Subject::Users
        )
    }

    /// Whether it can be about one person.
    pub fn has_person(self) -> bool {
        matches!(
            self,
            Subject::Requests | Subject::Grants | Subject::Readings | Subject::Refusals
        )
    }

    /// Whether it can be about one grant, and about emergencies alone.
    pub fn has_grant(self) -> bool {
        matches!(self, Subject::Requests | Subject::Grants | Subject::Readings)
    }
}

impl std::str::FromStr for Subject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Subject::ALL
            .into_iter()
            .find(|subject| subject.id() == text)
            .ok_or(())
    }
}

/// The rows of a report in a span, newest first. `now_ms` says which grants are live.
///
/// # Errors
/// When the catalogue or the log can't be read.
pub fn report(
    subject: Subject,
    log: &LogView,
    zone: Zone,
    now_ms: i64,
    span: &Span,
) -> Result<Report, ReportError> {
    // One row more than asked for says whether there are others.
    let wider = Span {
        limit: span.limit.saturating_add(1),
        ..span.clone()
    };
    let mut report = match subject {
        Subject::Fixity => integrity::fixity(log, &wider),
        Subject::Unchecked => integrity::unchecked(log, &wider),
        Subject::Findings => integrity::findings(log, &wider),
        Subject::EvidenceByBranch => integrity::evidence_by_branch(log),
        Subject::Waiting => integrity::waiting(log, zone),
        Subject::Requests => access::requests(log, &wider),
        Subject::Grants => access::grants(log, now_ms, &wider),
        Subject::Readings => access::readings(log, &wider),
        Subject::Refusals => access::refusals(log, &wider),
        Subject::HostReads => access::host_reads(log, &wider),
        Subject::Users => people::users(log),
    }?;
    report.cut(span.limit);
    Ok(report)
}

/// The reports as files.
pub fn reports(log: LogView, zone: Zone, clock: Arc<dyn Clock>) -> Shelf {
    let file = |subject: Subject| {
        let (log, clock) = (log.clone(), clock.clone());
        move || {
            let span = Span {
                limit: FILE_ROWS,
                ..Span::default()
            };
            let report = report(subject, &log, zone, clock.now_ms(), &span).map_err(unavailable)?;
            Ok(report.csv(zone))
        }
    };
    Shelf::new(clock.clone(), FRESH_MS)
        .with("evidence-by-branch.csv", file(Subject::EvidenceByBranch))
        .with("findings.csv", file(Subject::Findings))
        .with("fixity.csv", file(Subject::Fixity))
        .with("grants.csv", file(Subject::Grants))
        .with("host-reads.csv", file(Subject::HostReads))
        .with("readings.csv", file(Subject::Readings))
        .with("refusals.csv", file(Subject::Refusals))
        .with("requests.csv", file(Subject::Requests))
        .with("unchecked.csv", file(Subject::Unchecked))
        .with("users.csv", file(Subject::Users))
        .with("waiting.csv", file(Subject::Waiting))
}
