//! The structure walk of `ingest` as faults: truncation, trailing bytes, chunks that fail their sums.

use super::kind::Kind;
use crate::{
    ingest::structure::{ContainerWalk, Structure, StructureCheck},
    inspect::report::{Fault, FaultCode},
};
use std::io::Cursor;

/// What the walk holds against a picture or document.
pub(super) fn faults(kind: Kind, bytes: &[u8]) -> Option<Fault> {
    let size = bytes.len() as u64;
    let reason = match ContainerWalk::default().check(&mut Cursor::new(bytes), size, kind.extension()) {
        Structure::Whole { .. } => return None,
        Structure::Incomplete { reason } | Structure::Damaged { reason } | Structure::Unknown { reason } => {
            reason
        }
    };
    let code = match reason.code {
        "empty" => FaultCode::Empty,
        "truncated" | "not_finished" => FaultCode::Truncated,
        "trailing_data" => FaultCode::TrailingBytes,
        "too_complex" => FaultCode::LimitExceeded,
        "damaged_structure" => FaultCode::DataMissing,
        // A PDF whose header doesn't stand first, or whose table stands elsewhere: the parser says more.
        "wrong_extension" | "cannot_tell" => return None,
        _ => FaultCode::Unreadable,
    };
    Some(Fault::new(code, reason.en))
}
