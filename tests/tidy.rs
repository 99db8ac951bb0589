//! Holds the code to its map: imports point down, documents name what exists, every dependency has its reason, and the
//! auditor's program carries no server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Layers from the top; a module imports from its own line and from lines below it, never from above.
const LAYERS: [&[&str]; 8] = [
    &["main", "cli", "bin"],
    &["server", "admin"],
    &["ssh", "sftp", "console"],
    &["ingest", "inspect", "seal", "access", "retain", "verify", "views"],
    &["custody"],
    &["blob", "catalog", "tlog", "crypto", "turns"],
    &["config"],
    &["domain"],
];

/// Ports and their errors that stand with the engine which calls them, so that use cases can implement them.
const PORTS: [&str; 4] = ["sftp::space", "ssh::Doorkeeper", "ssh::Login", "ssh::certificate"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The module below `src` that a file belongs to.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).unwrap();
    below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

/// The code before the file's tests.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let module = module_of(&path);
        // The root names its modules; tests may reach anywhere.
        if module == "lib"
            || path
                .strip_prefix(root())
                .unwrap()
                .components()
                .any(|part| part.as_os_str() == "tests")
            || path
                .file_stem()
                .is_some_and(|stem| stem == "tests" || stem == "testing")
        {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("src/{module} has no place in LAYERS"));
        let text = fs::read_to_string(&path).unwrap();
        for prefix in ["crate::", "muniment::"] {
            for (at, _) in shipped(&text).match_indices(prefix) {
                let rest = &text[at + prefix.len()..];
                for used in names_after(rest) {
                    let is_port = PORTS
                        .iter()
                        .any(|port| used.starts_with(port) || rest.starts_with(port));
                    let target = used.split("::").next().unwrap_or_default();
                    if let Some(target_layer) = layer(target)
                        && target_layer < own
                        && !is_port
                    {
                        wrong.push(format!(
                            "{} imports {used}",
                            path.strip_prefix(root()).unwrap().display()
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up:\n{}", wrong.join("\n"));
}

/// Paths that follow `crate::`, `{…}` spelled out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn names_after(rest: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    let Some(inner) = tail.strip_prefix('{') else {
        return vec![head.to_owned()];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        let ends = depth == 0 && (c == ',' || c == '}');
        if ends {
            names.extend(
                names_after(inner[start..at].trim())
                    .iter()
                    .map(|name| format!("{head}{name}")),
            );
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

#[test]
fn every_module_says_what_it_is_for() {
    for path in files(&root().join("src"), "rs")
        .iter()
        .chain(&files(&root().join("tests"), "rs"))
    {
        let is_built = path.components().any(|part| part.as_os_str() == "target");
        let is_test_of_src = path.starts_with(root().join("src"))
            && path.iter().any(|part| part == "tests" || part == "tests.rs");
        if is_built || is_test_of_src {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} doesn't begin with what it is for",
            path.display()
        );
    }
}

#[test]
fn documents_name_what_exists() {
    let docs = root().join("docs");
    let mut texts = if docs.exists() {
        files(&docs, "md")
    } else {
        Vec::new()
    };
    texts.extend(["README.md", "keys/README.md"].map(|name| root().join(name)));
    for text in texts.iter().filter(|text| text.exists()) {
        let content = fs::read_to_string(text).unwrap();
        for quoted in content.split('`').skip(1).step_by(2) {
            let is_path = ["src/", "tests/", "docs/", "deploy/", "keys/"]
                .iter()
                .any(|start| quoted.starts_with(start))
                && !quoted.contains(['*', '<', '…', ' ', '{']);
            // In the vault's own layout `keys/` is a folder of the vault, not of this repository.
            if !is_path || (quoted.starts_with("keys/") && quoted != "keys/README.md") {
                continue;
            }
            let file = quoted.split("::").next().unwrap().trim_end_matches(['/', ':']);
            assert!(
                root().join(file).exists(),
                "{} names {quoted}, which isn't there",
                text.display()
            );
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (mut inside, mut reason) = (false, false);
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if line.trim().is_empty() {
            reason = false;
        } else if inside {
            assert!(reason, "Cargo.toml: no reason above `{line}`");
        }
    }
}

#[test]
fn the_auditors_program_carries_no_server() {
    let program = fs::read(env!("CARGO_BIN_EXE_muniment-verify")).unwrap();
    let forbidden: [&[u8]; 4] = [b"sqlite3_open_v2", b"SSH-2.0-", b"PRAGMA ", b"libcrypto.so"];
    for needle in forbidden {
        let found = program.windows(needle.len()).any(|window| window == needle);
        assert!(
            !found,
            "muniment-verify links {:?}",
            String::from_utf8_lossy(needle)
        );
    }
}

#[test]
fn the_example_configuration_is_valid_and_says_every_field() {
    let path = root().join("deploy/muniment.toml");
    let config = muniment::config::Config::load(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let all = toml::Table::try_from(&config).unwrap();
    for (section, fields) in &all {
        assert!(text.contains(&format!("[{section}]")), "no section {section}");
        for field in fields.as_table().unwrap().keys() {
            let said = text
                .lines()
                .any(|line| line.trim_start_matches("# ").starts_with(&format!("{field} = ")));
            assert!(said, "{section}.{field} isn't in the example");
        }
    }
}

/// Taking the patches back from `patches/russh` gives the published release, file by file.
#[test]
fn the_patched_russh_is_the_published_one_and_the_patches() {
    let folder = root().join("patches");
    let crate_folder = folder.join("russh");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut crate_files = BTreeMap::new();
    for path in files_below(&crate_folder) {
        let name = path.strip_prefix(&crate_folder).unwrap().to_str().unwrap();
        // What running its own tests leaves behind.
        if name != "Cargo.lock" && !name.starts_with("target/") {
            crate_files.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
        }
    }
    for patch in files(&folder, "patch").iter().rev() {
        let name = patch.file_name().unwrap().to_str().unwrap();
        assert!(
            readme.contains(&format!("`{name}`")),
            "patches/README.md doesn't explain {name}"
        );
        take_back(&fs::read_to_string(patch).unwrap(), &mut crate_files)
            .unwrap_or_else(|place| panic!("{name} isn't what was done to patches/russh: {place}"));
    }
    let digests: Vec<String> = crate_files
        .iter()
        .map(|(name, text)| {
            let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}  {name}")
        })
        .collect();
    let published = fs::read_to_string(folder.join("russh.sha256")).unwrap();
    let published: Vec<&str> = published.lines().collect();
    for line in &digests {
        assert!(published.contains(&line.as_str()), "not as published: {line}");
    }
    assert_eq!(digests.len(), published.len(), "a published file is missing");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Undoes a patch in the form of `git diff`, exactly where it says. The error is the place that is otherwise.
fn take_back(patch: &str, files: &mut BTreeMap<String, String>) -> Result<(), String> {
    for of_file in patch.split("diff --git ").skip(1) {
        let (head, hunks) = of_file.split_once("\n@@ ").unwrap_or((of_file, ""));
        let name_after = |mark: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(mark));
            line.and_then(|name| name.split_once('/'))
                .map(|(_, name)| name.to_owned())
        };
        let is_new = head.contains("\n--- /dev/null");
        let name = name_after(if is_new { "+++ " } else { "--- " }).ok_or(head)?;
        let text = files.remove(&name).unwrap_or_default();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let hunks: Vec<&str> = hunks.split("\n@@ ").filter(|hunk| !hunk.is_empty()).collect();
        for hunk in hunks.iter().rev() {
            let (place, body) = hunk.split_once('\n').ok_or(name.clone())?;
            let after_plus = place
                .split(['+', ',', ' '])
                .skip_while(|part| !part.is_empty())
                .nth(1);
            let start = after_plus.and_then(|line| line.parse::<usize>().ok());
            let start = start.ok_or(place)?.saturating_sub(1);
            let side = |marks: [char; 2]| -> Vec<&str> {
                let lines = body.split_inclusive('\n').filter(|line| line.starts_with(marks));
                lines.map(|line| &line[1..]).collect()
            };
            let (before, after) = (side([' ', '-']), side([' ', '+']));
            let found = lines.get(start..start + after.len());
            let is_there = found.is_some_and(|found| {
                // The last line of a hunk has lost its end to the separator.
                found
                    .iter()
                    .zip(&after)
                    .all(|(found, after)| found.trim_end_matches('\n') == after.trim_end_matches('\n'))
            });
            if !is_there {
                return Err(format!("{name} at {place}"));
            }
            lines.splice(start..start + after.len(), before);
        }
        if !is_new {
            let whole: String = lines
                .iter()
                .map(|line| format!("{}\n", line.trim_end_matches('\n')))
                .collect();
            files.insert(name, whole);
        }
    }
    Ok(())
}
