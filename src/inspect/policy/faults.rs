//! Faults that a worker reported, as findings.

use super::{
    Hits,
    shown::{self, printable_name},
};
use crate::{
    domain::finding::Code,
    inspect::report::{Fault, FaultCode, Report},
};

impl Hits<'_> {
    pub(super) fn faults(&mut self, report: &Report) {
        for fault in &report.faults {
            let code = code_of(fault.code);
            self.set(code, &place(fault), &found(code, fault), "");
        }
    }
}

/// The finding code of a fault.
pub(super) fn code_of(fault: FaultCode) -> Code {
    match fault {
        FaultCode::Empty => Code::Empty,
        FaultCode::WrongExtension => Code::WrongExtension,
        FaultCode::Unreadable => Code::Unreadable,
        FaultCode::Truncated => Code::Truncated,
        FaultCode::IndexMissing => Code::IndexMissing,
        FaultCode::DataMissing => Code::DataMissing,
        FaultCode::TimelineGap => Code::TimelineGap,
        FaultCode::DecodeError => Code::DecodeError,
        FaultCode::Undecodable => Code::Undecodable,
        FaultCode::TrailingBytes => Code::TrailingBytes,
        FaultCode::Encrypted => Code::Encrypted,
        FaultCode::ActiveContent => Code::ActiveContent,
        FaultCode::Attachments => Code::Attachments,
        FaultCode::ArchiveBomb => Code::ArchiveBomb,
        FaultCode::ArchivePath => Code::ArchivePath,
        FaultCode::ArchiveLink => Code::ArchiveLink,
        FaultCode::ArchiveNested => Code::ArchiveNested,
        FaultCode::ArchiveDuplicate => Code::ArchiveDuplicate,
        FaultCode::ArchiveDamaged => Code::ArchiveDamaged,
        FaultCode::MemberUnknown => Code::MemberUnknown,
        FaultCode::LimitExceeded => Code::LimitExceeded,
        FaultCode::Unsupported => Code::Unsupported,
    }
}

fn place(fault: &Fault) -> String {
    let mut parts = Vec::new();
    if let Some(member) = &fault.member {
        parts.push(printable_name(member));
    }
    if let Some(page) = fault.page {
        parts.push(format!("page {page}"));
    }
    if let Some(at_ms) = fault.at_ms {
        parts.push(shown::time(at_ms));
    }
    // Bytes say nothing to a clerk who has a time or a page.
    if let Some(at_byte) = fault
        .at_byte
        .filter(|_| fault.at_ms.is_none() && fault.page.is_none())
    {
        parts.push(format!("byte {at_byte}"));
    }
    parts.join(", ")
}

fn found(code: Code, fault: &Fault) -> String {
    let what = if fault.detail.is_empty() {
        code.text().replace('_', " ")
    } else {
        shown::cut(&fault.detail)
    };
    match fault.count {
        0 | 1 => what,
        count => format!("{what} ({count} times)"),
    }
}
