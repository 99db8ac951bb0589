//! Names: every file under the log's root is one that a tree of this size has, or is reported.

use std::{fs, path::Path};

use super::super::store::{CHECKPOINT, LogDir, UNFINISHED};
use super::super::tile::{TileId, width_in};
use super::{FindingKind, LogReport};

/// Deepest directory that a tile can lie in: `tile`, its level, seven groups of its number, its partial directory.
const MAX_DEPTH: usize = 10;

/// Reports each file that is no part of a log, and each that lies beyond the `size` leaves that were checked.
pub(super) fn check_names(dir: &LogDir, size: u64, report: &mut LogReport) {
    check_directory(dir.root(), "", 0, size, report);
}

fn check_directory(directory: &Path, path: &str, depth: usize, size: u64, report: &mut LogReport) {
    let shown = if path.is_empty() { "." } else { path };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return report.find(shown, FindingKind::Unreadable, error.to_string()),
    };
    for entry in entries {
        let (entry, kind) = match entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind))) {
            Ok(entry) => entry,
            Err(error) => {
                report.find(shown, FindingKind::Unreadable, error.to_string());
                continue;
            }
        };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = if path.is_empty() {
            name.into_owned()
        } else {
            format!("{path}/{name}")
        };
        if kind.is_dir() && depth < MAX_DEPTH {
            check_directory(&entry.path(), &path, depth + 1, size, report);
        } else {
            check_file(&path, kind.is_file(), size, report);
        }
    }
}

fn check_file(path: &str, is_file: bool, size: u64, report: &mut LogReport) {
    if path == CHECKPOINT {
        return;
    }
    if path == UNFINISHED {
        return report.notice(path, "a write that was not finished; no part of the log");
    }
    let Ok(tile) = TileId::parse(path) else {
        return report.find(path, FindingKind::Extra, "no part of a log");
    };
    let covered = width_in(tile.content, tile.index, size);
    if covered.is_none_or(|width| tile.width > width) {
        report.notice(
            path,
            format!("reaches beyond the {size} leaves of the checkpoint, so it was not proven whole"),
        );
    } else if !is_file {
        report.find(path, FindingKind::Damaged, "not a regular file");
    }
}
