//! Inspection with the real workers: what is good passes, and each kind of damage gets its own code.
//!
//! Files are made (`recordings`, `scans`), found in other people's packages (`foreign`), or mutated (`mutations`).

mod foreign;
mod mutations;
mod recordings;
mod scans;
mod statistics;

use crate::support::{command::run, muniment};
use muniment::inspect::process::WorkerSettings;
use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What `muniment inspect --json` said.
struct Judged {
    verdict: String,
    /// Codes of the findings that aren't mere notes, sorted, each once.
    codes: Vec<String>,
    whole: serde_json::Value,
}

impl Judged {
    fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|known| known == code)
    }
}

/// Holds a file against a document type, as a branch or an engineer would.
fn judge(path: &Path, doctype: &str, deep: bool) -> Judged {
    let mut command = muniment();
    command
        .arg("inspect")
        .arg(path)
        .args(["--type", doctype, "--json"]);
    if deep {
        command.arg("--deep");
    }
    let ran = run(command.env_remove("MUNIMENT_CONFIG"));
    let whole: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {ran}"));
    let verdict = whole["verdict"].as_str().unwrap().to_owned();
    assert_eq!(ran.code, Some(i32::from(verdict != "accepted")), "{ran}");
    let mut codes: Vec<String> = whole["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] != "note")
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    codes.sort();
    codes.dedup();
    Judged {
        verdict,
        codes,
        whole,
    }
}

/// The workers that were built with these tests.
fn settings() -> WorkerSettings {
    WorkerSettings::new(
        env!("CARGO_BIN_EXE_muniment-inspector").into(),
        env!("CARGO_BIN_EXE_muniment-scan-inspector").into(),
    )
}

/// Does the same with each item on every core; answers come in the order of the items.
fn each<T: Sync, A: Send>(items: &[T], work: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, A)>> = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, item)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    let answer = work(item);
                    answers.lock().unwrap().push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap();
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A number from the environment, so that a run can be repeated or made larger.
fn variable(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise);
    println!("{name}={value}");
    value
}

/// A case of a matrix: a file, what it is held against, and what must come of it.
struct Case {
    what: String,
    name: String,
    bytes: Vec<u8>,
    doctype: &'static str,
    deep: bool,
    /// `accepted`, `needs_review`, `rejected`, or `!accepted`.
    verdict: &'static str,
    /// One of these codes must be among the findings; none at all for a good file.
    codes: &'static [&'static str],
}

/// Runs all cases and fails with everything that deviates, not only the first.
fn run_matrix(cases: &[Case]) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let numbered: Vec<(usize, &Case)> = cases.iter().enumerate().collect();
    let deviations: Vec<String> = each(&numbered, |(number, case)| {
        let place = folder.path().join(number.to_string());
        std::fs::create_dir(&place).unwrap();
        let path = place.join(&case.name);
        std::fs::write(&path, &case.bytes).unwrap();
        let judged = judge(&path, case.doctype, case.deep);
        std::fs::remove_dir_all(&place).unwrap();
        let verdict_fits = match case.verdict {
            "!accepted" => judged.verdict != "accepted",
            verdict => judged.verdict == verdict,
        };
        let codes_fit = if case.codes.is_empty() {
            judged.codes.is_empty()
        } else {
            case.codes.iter().any(|code| judged.has(code))
        };
        (!verdict_fits || !codes_fit).then(|| {
            format!(
                "{}: expected {} with one of {:?}, got {} with {:?}\n    {}",
                case.what,
                case.verdict,
                case.codes,
                judged.verdict,
                judged.codes,
                judged.whole["report"]["faults"]
            )
        })
    })
    .into_iter()
    .flatten()
    .collect();
    println!("{} cases", cases.len());
    assert!(
        deviations.is_empty(),
        "{} of {} deviate:\n{}",
        deviations.len(),
        cases.len(),
        deviations.join("\n")
    );
}
