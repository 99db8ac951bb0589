//! `muniment-scan-inspector`: looks at one picture, document or bundle in the sandbox, and never links libav.

use muniment::inspect::{child, scan};
use std::process::ExitCode;

fn main() -> ExitCode {
    child::run(scan::work)
}
