//! What people and scripts see.

use comfy_table::{Cell, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Where results and commentary go.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// The command's result: as JSON, or as `human` makes it.
    pub(super) fn result(self, value: &impl Serialize, human: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(value)?
        } else {
            human()
        };
        match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
            // Who closed the pipe has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// A remark that isn't the result.
    pub(super) fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Why the command didn't succeed.
    pub(super) fn failure(self, words: &str) {
        if self.json {
            let _ = writeln!(io::stdout().lock(), "{}", serde_json::json!({ "error": words }));
        }
        self.note(&format!("muniment: {words}"));
    }

    /// A bar on stderr for long work; none without a terminal.
    pub(super) fn progress(self, total: u64) -> ProgressBar {
        if self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % · {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(total).with_style(style)
    }
}

/// A table: ruled for people, plain columns for a pipe.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    let terminal = io::stdout().is_terminal();
    table.load_style(if terminal {
        presets::UTF8_BORDERS_ONLY
    } else {
        presets::NOTHING
    });
    table.set_header(header.map(Cell::new));
    table
}

/// `1.4 GiB`
pub(super) fn size(bytes: i64) -> String {
    indicatif::HumanBytes(bytes.unsigned_abs()).to_string()
}
