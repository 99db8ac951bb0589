//! Scans: pictures, documents and bundles, decoded whole and described.
//!
//! ```text
//! bytes ─ kind (by content) ─┬─ structure walk (is it all there?) ─┐
//!                            └─ decoder (every row, every page) ───┴─ faults, pages ─▶ report
//! ```
//!
//! Facts only; what they mean for a document type is `policy`'s business. It must never write anything, start a thread
//! (the sandbox allows none) or trust a length that a file declares.
//!
//! Invariants: every count, size and depth has a limit in [`limits`]; a decoder that panics is a fault, not a crash.

mod exif;
pub mod fuzz;
mod holes;
mod ink;
mod jpeg;
mod kind;
pub mod limits;
mod pdf;
mod png;
mod structure;
mod tiff;
mod zip;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use self::kind::Kind;
use super::{
    report::{Bundle, Fault, FaultCode, MAX_PAGES, MAX_REPORT_BYTES, Page, Report, Scan, Tier},
    wire::{Answer, Job, Worker},
};
use std::{
    io::{self, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What was seen of one file, before it becomes a report or a member of one.
#[derive(Default)]
struct Seen {
    faults: Vec<Fault>,
    scan: Option<Scan>,
}

/// A scan worker's work: reads the job's file and says what it saw.
pub fn work(worker: &mut Worker, job: &Job) -> Answer {
    match inspect(worker, &job.ext, job.size_bytes) {
        Ok(report) => Answer::Report(Box::new(report)),
        Err(error) => Answer::Failed {
            detail: error.to_string(),
        },
    }
}

/// Inspects a file of `size_bytes` whose name has the extension `ext` (lower case, no dot).
///
/// # Errors
/// When the source can't be read; that says nothing about the file.
pub fn inspect<R: Read + Seek>(mut source: R, ext: &str, size_bytes: u64) -> io::Result<Report> {
    let inspector = concat!("muniment-scan-inspector ", env!("CARGO_PKG_VERSION"));
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::with_capacity(kind::HEAD_BYTES);
    source
        .by_ref()
        .take(kind::HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let found = Kind::of(&head);
    let mut report = Report::new(inspector, Tier::Gate, found.code(), size_bytes);
    for fault in kind::faults(found, ext, &head, size_bytes) {
        report.fault(fault);
    }
    match found {
        Kind::Zip => zip::inspect(source, size_bytes, &mut report)?,
        kind if kind.is_scan() => {
            if size_bytes > limits::MAX_FILE_BYTES {
                report.fault(Fault::new(
                    FaultCode::LimitExceeded,
                    format!("{size_bytes} bytes are more than is looked at"),
                ));
            } else {
                let bytes = whole(source, size_bytes as usize)?;
                let seen = look(kind, bytes, &mut limits::Budget::default());
                seen.faults.into_iter().for_each(|fault| report.fault(fault));
                report.scan = seen.scan;
            }
        }
        _ => {}
    }
    report.faults.sort_by_key(|fault| gravity(fault.code));
    Ok(fit(report))
}

/// A source's first bytes, as many as there are of these: asked for at once, not in steps that begin small.
fn whole<R: Read + Seek>(mut source: R, size: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(0))?;
    let mut bytes = vec![0; size];
    let mut at = 0;
    while at < size {
        match source.read(&mut bytes[at..]) {
            Ok(0) => break,
            Ok(got) => at += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}

/// Decodes a picture or document that lies in memory.
fn look(kind: Kind, bytes: Vec<u8>, budget: &mut limits::Budget) -> Seen {
    let mut seen = Seen::default();
    seen.faults.extend(structure::faults(kind, &bytes));
    let decoded = guarded(|| match kind {
        Kind::Jpeg => jpeg::inspect(&bytes, budget),
        Kind::Png => png::inspect(&bytes, budget),
        Kind::Tiff => tiff::inspect(&bytes, budget),
        Kind::Pdf => pdf::inspect(bytes, budget),
        _ => Seen::default(),
    });
    match decoded {
        Ok(decoded) => {
            seen.faults.extend(decoded.faults);
            seen.scan = decoded.scan;
        }
        Err(detail) => seen.faults.push(Fault::new(FaultCode::Undecodable, detail)),
    }
    seen
}

/// Runs a decoder; a panic in it becomes its message.
fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        format!("the decoder gave up: {}", said.unwrap_or("no reason given"))
    })
}

impl Scan {
    /// A scan of one page.
    fn single(page: Page, created: Option<String>) -> Self {
        Scan {
            page_count: 1,
            pages: vec![page],
            created,
        }
    }
}

/// Order of faults in a report: what makes a file worthless or dangerous first.
fn gravity(code: FaultCode) -> u8 {
    use FaultCode as F;
    match code {
        F::Empty | F::Unreadable | F::Encrypted => 0,
        F::ArchiveBomb | F::ArchivePath | F::ArchiveLink | F::ArchiveDuplicate | F::ArchiveDamaged => 1,
        F::Truncated | F::DataMissing | F::Undecodable | F::IndexMissing => 2,
        F::WrongExtension | F::DecodeError | F::ArchiveNested | F::TimelineGap => 3,
        F::ActiveContent | F::Attachments | F::MemberUnknown => 4,
        F::LimitExceeded | F::Unsupported | F::TrailingBytes => 5,
    }
}

/// Cuts a report to what its parent takes. What is cut is a fault, so that it isn't waved through unseen.
fn fit(mut report: Report) -> Report {
    let mut cut = false;
    let fits = |report: &Report| {
        serde_json::to_vec(report)
            .is_ok_and(|json| json.len() + limits::REPORT_SLACK_BYTES <= MAX_REPORT_BYTES)
    };
    let mut pages = limits::MAX_LISTED_PAGES;
    if let Some(Bundle { members, .. }) = &mut report.bundle {
        for scan in members.iter_mut().filter_map(|member| member.scan.as_mut()) {
            let keep = scan.pages.len().min(pages).min(MAX_PAGES);
            cut |= keep < scan.pages.len();
            scan.pages.truncate(keep);
            pages -= keep;
        }
    }
    while !fits(&report) {
        let Some(Bundle { members, .. }) = &mut report.bundle else {
            break;
        };
        cut = true;
        let half = members.len() / 2;
        members.truncate(half);
    }
    if cut {
        report.fault(Fault::new(
            FaultCode::LimitExceeded,
            "more pages or members than a report holds",
        ));
    }
    report
}
