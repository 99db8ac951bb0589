//! Receipts as a clerk gets them: fetched over SFTP, read, and verified with the auditor's program.

use super::{AUDITOR, Ran, TestVault, server::wait_for};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

/// The three files of one receipt, fetched.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// `ACCEPTED`, `REJECTED`, `DUPLICATE` or `WAITING`.
    pub outcome: String,
    /// What a person reads.
    pub text: String,
    /// The leaf.
    pub leaf: serde_json::Value,
    /// The text, as a file.
    pub text_file: PathBuf,
    /// The leaf's bytes, as a file.
    pub json_file: PathBuf,
    /// The proof, as a file.
    pub proof_file: PathBuf,
}

impl Receipt {
    /// A public fact of the leaf, as text.
    pub fn fact(&self, name: &str) -> String {
        match &self.leaf["data"][name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl TestVault {
    /// Waits for a receipt of this file name with this outcome and fetches it. A name that was used before gets the
    /// newest one.
    #[track_caller]
    pub fn receipt(&self, user: &str, name: &str, outcome: &str) -> Receipt {
        let mut seen = Vec::new();
        let path = wait_for_receipt(self, user, name, outcome, &mut seen);
        self.fetch(user, &path, outcome)
    }

    /// Paths of all receipt texts that a person sees, in name order: a clerk's by day, an auditor's by branch and day.
    pub fn receipt_paths(&self, user: &str) -> Vec<String> {
        let (mut folders, mut paths) = (vec!["/receipts".to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            let listing = self.sftp(user, &format!("ls -1 {folder}")).ok().stdout;
            for path in remote_lines(&listing) {
                // Folders are days and branches: digits and dashes; receipts always have a suffix.
                let name = path.rsplit('/').next().unwrap_or_default();
                if path.ends_with(".txt") {
                    paths.push(path.to_owned());
                } else if name.chars().all(|c| c.is_ascii_digit() || c == '-') {
                    folders.push(path.to_owned());
                }
            }
        }
        paths.sort();
        paths
    }

    /// The day's `_summary.csv`.
    pub fn summary(&self, user: &str) -> String {
        let day = self.receipt_paths(user).pop().expect("a receipt");
        let day = day.rsplit_once('/').unwrap().0.to_owned();
        let local = self.home.join("summary.csv");
        self.sftp(user, &format!("get {day}/_summary.csv {}", local.display()))
            .ok();
        fs::read_to_string(local).unwrap()
    }

    /// Copies the custody log the way an auditor does, over SFTP, and gives the folder.
    pub fn copy_log(&self) -> PathBuf {
        let number = self.fetched.fetch_add(1, Ordering::Relaxed);
        let copy = self.home.join(format!("copy-{}", number));
        fs::create_dir_all(&copy).unwrap();
        self.sftp(AUDITOR, &format!("get -r /log {}", copy.display()))
            .ok();
        copy.join("log")
    }

    /// Verifies a receipt offline, with the log's public key only, against the original where it is given.
    pub fn verify_receipt(&self, receipt: &Receipt, original: Option<&Path>) -> Ran {
        let key = self.log_public_key();
        let mut words = vec![
            "receipt".as_ref(),
            receipt.json_file.as_os_str(),
            "--key".as_ref(),
            key.as_os_str(),
        ];
        if let Some(original) = original {
            words.extend(["--file".as_ref(), original.as_os_str()]);
        }
        self.verify(&words)
    }

    /// Verifies a copy of the log offline.
    pub fn verify_log_copy(&self, copy: &Path) -> Ran {
        let key = self.log_public_key();
        self.verify(&[
            "log".as_ref(),
            copy.as_os_str(),
            "--key".as_ref(),
            key.as_os_str(),
        ])
    }

    /// The usual end of an upload: accepted, its digest the original's, verified offline.
    #[track_caller]
    pub fn assert_accepted(&self, user: &str, name: &str, original: &Path) -> Receipt {
        let receipt = self.receipt(user, name, "ACCEPTED");
        assert_eq!(
            receipt.fact("sha256"),
            super::sha256_of_file(original),
            "{}",
            receipt.text
        );
        self.verify_receipt(&receipt, Some(original)).ok();
        receipt
    }

    fn fetch(&self, user: &str, text_path: &str, outcome: &str) -> Receipt {
        let number = self.fetched.fetch_add(1, Ordering::Relaxed);
        let folder = self.home.join(format!("fetched-{}", number));
        fs::create_dir_all(&folder).unwrap();
        let stem = text_path.strip_suffix(".txt").unwrap();
        let batch: String = ["txt", "json", "tlog-proof"]
            .iter()
            .map(|suffix| format!("get \"{stem}.{suffix}\" {}/\n", folder.display()))
            .collect();
        self.sftp(user, &batch).ok();
        let file = |suffix: &str| folder.join(format!("{}.{suffix}", stem.rsplit('/').next().unwrap()));
        Receipt {
            outcome: outcome.to_owned(),
            text: fs::read_to_string(file("txt")).unwrap(),
            leaf: serde_json::from_slice(&fs::read(file("json")).unwrap()).unwrap(),
            text_file: file("txt"),
            json_file: file("json"),
            proof_file: file("tlog-proof"),
        }
    }
}

#[track_caller]
fn wait_for_receipt(
    vault: &TestVault,
    user: &str,
    name: &str,
    outcome: &str,
    seen: &mut Vec<String>,
) -> String {
    wait_for(&format!("receipt {name}.{outcome}"), || {
        *seen = vault.receipt_paths(user);
        let suffix = format!(".{outcome}.txt");
        let of_name = |path: &&String| {
            let file = path.rsplit('/').next().unwrap_or_default();
            file.strip_suffix(&suffix)
                .is_some_and(|stem| stem == name || stem.starts_with(&format!("{name}~")))
        };
        // `name~12` comes after `name~7` in time, not in the alphabet.
        let number = |path: &&String| path.rsplit_once('~').map_or(0, |(_, rest)| digits(rest));
        let found = seen.iter().filter(of_name).max_by_key(number).cloned();
        if found.is_none() {
            // Said only when the wait fails: which receipts there were instead.
            eprintln!("not yet: {name}.{outcome}; there are {seen:?}");
        }
        found
    })
}

fn digits(text: &str) -> u64 {
    text.chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap_or(0)
}

/// Lines of a listing without the `sftp>` echo of the commands.
fn remote_lines(output: &str) -> impl Iterator<Item = &str> {
    output
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.starts_with("sftp>") && !line.is_empty())
}
