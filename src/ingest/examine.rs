//! Examining: a candidate goes through the gate, and what was seen is held against its document type.
//!
//! A client waits for the answer for a while; then its upload is WAITING with reason `inspecting`, and the answer settles
//! it when it comes. When nobody can look (the malware scanner is away, say), the upload waits, and the sweep asks again:
//! it is never waved through, and never given up for it.

use super::{
    Ingest,
    judge::{Candidate, Verdict},
    settle::{Arrival, SettleError},
    taken::Taken,
};
use crate::{
    blob::staging::StagedBody,
    catalog::accessions,
    crypto::BodyReader,
    domain::{
        finding::{Finding, Verdict as Findings},
        reason::Reason,
    },
    inspect::{
        gate::{LateAnswer, Look, Looked, Seen, Subject, Unavailable},
        outcome::Inspection,
        policy,
        report::{FaultCode, Report},
        wire::Source,
    },
};
use std::{io, time::Duration};

/// Reasons for which an upload waits on us, not on its client: it doesn't expire.
pub const WAITS_ON_US: [&str; 3] = [INSPECTING, "scanner_unavailable", "inspector_unavailable"];
/// The reason while an inspection goes on.
const INSPECTING: &str = "inspecting";

/// A candidate that was examined.
#[derive(Clone, Debug)]
pub(super) enum Examined {
    /// It is evidence, perhaps to be reviewed.
    Evidence(Inspection),
    /// It isn't.
    Reject(Reason, Inspection),
    /// It waits: for its client, or for us.
    Wait(Reason),
}

impl Ingest {
    /// Has a candidate looked at, for as long as `patience`, and does something else meanwhile.
    pub(super) fn look(
        &self,
        taken: &Taken,
        ext: &str,
        patience: Duration,
        meanwhile: impl FnOnce(),
    ) -> Result<Look, SettleError> {
        let file_key = taken.file_key()?;
        let (layout, id) = (self.layout.clone(), taken.id.clone());
        let open = move || -> io::Result<Box<dyn Source>> {
            let body = StagedBody::open(&layout, &id)
                .and_then(|body| body.reader())
                .map_err(io::Error::other)?;
            let content = BodyReader::open(&file_key, body).map_err(io::Error::other)?;
            Ok(Box::new(content.into_stream()))
        };
        let subject = Subject {
            id: taken.id.clone(),
            place: (taken.claim.person.clone(), taken.claim.path.clone()),
            ext: ext.to_owned(),
            size_bytes: taken.size_bytes,
            open: Box::new(open),
        };
        Ok(self.gate.look(subject, patience, meanwhile))
    }

    /// What a candidate is, by what was seen of it.
    pub(super) fn examined(&self, candidate: &Candidate, looked: Looked) -> Examined {
        let seen = match looked {
            Ok(seen) => seen,
            Err(unavailable) => return Examined::Wait(waits_on_us(&unavailable)),
        };
        let (report, findings) = match seen {
            Seen::Report(report) => {
                if let Some(reason) = unfinished(candidate, &report) {
                    return Examined::Wait(reason);
                }
                let findings = self.held_against(candidate, &report);
                (Some(*report), findings)
            }
            Seen::NotScanned(report) => {
                let mut findings = self.held_against(candidate, &report);
                findings.push(policy::malware_not_scanned());
                (Some(*report), findings)
            }
            Seen::Malware(signature) => (None, vec![policy::malware(&signature)]),
            // What nobody could look at can't be proved complete either.
            Seen::Failed(detail) => match &candidate.unproved {
                Some(reason) => return Examined::Wait(reason.clone()),
                None => (None, vec![policy::inspection_failed(&detail)]),
            },
        };
        let mut findings = findings;
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let inspection = Inspection {
            report,
            findings,
            types_version: candidate.types.version(),
        };
        match inspection.verdict() {
            Findings::Rejected => Examined::Reject(policy::reason(&inspection.findings), inspection),
            Findings::Accepted | Findings::NeedsReview => Examined::Evidence(inspection),
        }
    }

    fn held_against(&self, candidate: &Candidate, report: &Report) -> Vec<Finding> {
        match candidate.types.find(&candidate.identity.doctype) {
            Ok(doctype) => policy::judge(report, doctype),
            // The judge found the type in this very table.
            Err(reason) => vec![policy::inspection_failed(reason.code)],
        }
    }

    /// Settles an upload whose inspection outlasted its client. What was renamed, resumed or withdrawn meanwhile isn't
    /// this upload any more, or is looked at under its new name.
    ///
    /// # Errors
    /// When nothing could be committed; the sweep asks again.
    pub fn settle_late(&self, late: LateAnswer) -> Result<(), SettleError> {
        let LateAnswer {
            id,
            place: (person, mut path),
            looked,
        } = late;
        loop {
            let turn = self.locks.take(&person, &path);
            let row = self
                .catalogue
                .read(|connection| accessions::by_id(connection, &id))?;
            let Some(row) = row.filter(|row| row.state == "received") else {
                return Ok(());
            };
            if row.path != path {
                drop(turn);
                path = row.path;
                continue;
            }
            let taken = self.read_sidecar(&id)?;
            // Judged again: what was declared or renamed while it was looked at counts.
            let verdict = self.judge(&taken)?;
            if let (Verdict::Candidate(candidate), Err(unavailable)) = (&verdict, &looked) {
                let reason = waits_on_us(unavailable);
                if row.reason.as_deref() == Some(reason.code) {
                    return Ok(());
                }
                tracing::warn!(accession = id, doctype = candidate.identity.doctype, %unavailable, "an upload waits on us");
            }
            self.settle_judged(&taken, None, verdict, None, Arrival::Closed, |_, _| {
                Ok(Look::Done(looked))
            })?;
            return Ok(());
        }
    }

    /// Asks again about uploads that wait on us.
    ///
    /// # Errors
    /// When the catalogue can't be read or nothing could be committed.
    pub(super) fn look_again(&self, batch: usize) -> Result<(), SettleError> {
        let waiting = self
            .catalogue
            .read(|connection| accessions::waiting_for(connection, &WAITS_ON_US, batch))?;
        for row in waiting {
            if self.gate.holds(&row.id) {
                continue;
            }
            let taken = self.read_sidecar(&row.id)?;
            match self.judge(&taken)? {
                Verdict::Candidate(candidate) => {
                    let look = self.look(&taken, &candidate.identity.ext, Duration::ZERO, || ())?;
                    if let Look::Done(looked) = look {
                        self.settle_late(LateAnswer {
                            id: row.id,
                            place: (row.person, row.path),
                            looked,
                        })?;
                    }
                }
                // The rules changed under it: it is judged like a new one.
                _ => drop(self.settle(taken, None, None, Arrival::Closed)?),
            }
        }
        Ok(())
    }
}

/// Where structure couldn't tell, a truncated recording isn't damaged: the rest may come.
fn unfinished(candidate: &Candidate, report: &Report) -> Option<Reason> {
    let reason = candidate.unproved.as_ref()?;
    let cut = |code| {
        matches!(
            code,
            FaultCode::Truncated | FaultCode::IndexMissing | FaultCode::Unsupported
        )
    };
    let proved = report.media.is_some() || report.scan.is_some() || report.bundle.is_some();
    (!proved || report.faults.iter().any(|fault| cut(fault.code))).then(|| reason.clone())
}

/// The reason while an inspection goes on.
pub(super) fn inspecting() -> Reason {
    Reason::new(
        INSPECTING,
        "it is all here and is being looked at; the result follows in a receipt of its own, there is nothing to do",
        "文件已全部收到，正在检查；结果将另出回执，无需任何操作",
    )
}

fn waits_on_us(unavailable: &Unavailable) -> Reason {
    match unavailable {
        Unavailable::Scanner(_) => Reason::new(
            "scanner_unavailable",
            "it is all here, but the malware scanner can't be reached; it is checked as soon as it can. There is nothing to do; \
             if this lasts, tell the IT department",
            "文件已全部收到，但病毒扫描服务暂不可用，恢复后将自动检查；无需任何操作，如长时间未恢复请联系信息技术部门",
        ),
        Unavailable::Inspector(_) => Reason::new(
            "inspector_unavailable",
            "it is all here, but can't be inspected now; that is tried again. There is nothing to do; if this lasts, tell the \
             IT department",
            "文件已全部收到，但暂时无法检查，系统将自动重试；无需任何操作，如长时间未恢复请联系信息技术部门",
        ),
    }
}
