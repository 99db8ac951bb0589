//! The one command that exec offers: `sha256sum FILE…`, answered from the stored digests.
//!
//! There is no shell: the command line is split here, and what a shell would have to interpret is refused.

use super::limits::{MAX_COMMAND_BYTES, MAX_COMMAND_FILES};
use crate::sftp::path::resolve;
use crate::sftp::space::FileSpace;

/// What a command leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) status: u32,
}

/// Files to digest, or `None` for everything that isn't offered.
pub(super) fn parse(command: &[u8]) -> Option<Vec<Vec<u8>>> {
    if command.len() > MAX_COMMAND_BYTES {
        return None;
    }
    let mut words = split(command)?.into_iter();
    if words.next()? != b"sha256sum" {
        return None;
    }
    let mut files = Vec::new();
    let mut options = true;
    for word in words {
        match word.as_slice() {
            b"--" if options => options = false,
            b"-b" | b"-t" | b"--binary" | b"--text" if options => {}
            [b'-', _, ..] if options => return None,
            b"-" => return None,
            _ => files.push(word),
        }
    }
    (!files.is_empty() && files.len() <= MAX_COMMAND_FILES).then_some(files)
}

/// The answer to a command that isn't offered: what a shell says of an unknown command.
pub(super) fn not_offered() -> Outcome {
    let words = "This server offers SFTP, and 'sha256sum FILE'. Other commands aren't run here.\n";
    Outcome {
        stdout: Vec::new(),
        stderr: words.into(),
        status: 127,
    }
}

/// Digests each file, in the format of `sha256sum`. Blocks.
pub(super) fn sha256sum(space: &mut dyn FileSpace, files: &[Vec<u8>]) -> Outcome {
    let mut outcome = Outcome::default();
    for file in files {
        let digest = resolve(&space.home(), file).and_then(|path| space.digest_sha256(&path));
        match digest {
            Ok(digest) => outcome.stdout.extend(line(&digest, file)),
            Err(error) => {
                outcome.stderr.extend(b"sha256sum: ");
                outcome.stderr.extend(file);
                outcome.stderr.extend(format!(": {}\n", error.message).bytes());
                outcome.status = 1;
            }
        }
    }
    outcome
}

/// As GNU does it: a name with a backslash or a line break is escaped, and the line marked with a backslash.
fn line(digest: &str, name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    let mark: &[u8] = if escaped.len() == name.len() { b"" } else { b"\\" };
    [mark, digest.as_bytes(), b"  ", &escaped, b"\n"].concat()
}

/// Splits as a POSIX shell does (Shell Command Language, clause 2.2). `None` when a quote is open, or when something
/// stands there that only a shell could carry out.
fn split(command: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = command.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => words.extend(word.take()),
            b'\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next()? {
                        b'\'' => break,
                        byte => word.push(byte),
                    }
                }
            }
            b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next()? {
                        b'"' => break,
                        b'$' | b'`' => return None,
                        b'\\' => match bytes.next()? {
                            b'\n' => {}
                            byte @ (b'$' | b'`' | b'"' | b'\\') => word.push(byte),
                            byte => word.extend([b'\\', byte]),
                        },
                        byte => word.push(byte),
                    }
                }
            }
            b'\\' => {
                let escaped = bytes.next()?;
                if escaped != b'\n' {
                    word.get_or_insert_default().push(escaped);
                }
            }
            b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')' | b'$' | b'`' | b'*' | b'?' | b'[' | b'#'
            | b'\n' => return None,
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sftp::testing::{Memory, key};

    fn files(command: &str) -> Option<Vec<String>> {
        let files = parse(command.as_bytes())?;
        Some(
            files
                .into_iter()
                .map(|file| String::from_utf8(file).unwrap())
                .collect(),
        )
    }

    #[test]
    fn quoting_is_understood() {
        for (command, expected) in [
            ("sha256sum a", vec!["a"]),
            ("sha256sum -b -- -a 'b c'", vec!["-a", "b c"]),
            (r#"sha256sum "a \"b\" \\ \x" c\ d"#, vec![r#"a "b" \ \x"#, "c d"]),
            (r"sha256sum 'it'\''s'", vec!["it's"]),
            ("  sha256sum\t''", vec![""]),
            ("sha256sum '$(x)|*'", vec!["$(x)|*"]),
        ] {
            assert_eq!(files(command).unwrap(), expected, "{command}");
        }
    }

    #[test]
    fn everything_else_is_not_offered() {
        for command in [
            "",
            "sha256sum",
            "sha256sum -",
            "sha256sum -c x",
            "md5sum x",
            "echo ${ShellId}%ComSpec%",
            "echo 'abc' | sha256sum",
            "sha256sum a; rm b",
            "sha256sum $(x)",
            "sha256sum \"`x`\"",
            "sha256sum a*",
            "sha256sum 'open",
            "sha256sum a\\",
            "scp -t /",
            "sha256sum a > b",
        ] {
            assert_eq!(files(command), None, "{command}");
        }
    }

    #[test]
    fn output_is_that_of_sha256sum() {
        let memory = Memory::default();
        memory.tree().files.insert(key("a"), Vec::new());
        memory.tree().files.insert(vec![b"b\nc".to_vec()], Vec::new());
        let outcome = sha256sum(
            &mut *memory.space(),
            &[b"a".to_vec(), b"b\nc".to_vec(), b"none".to_vec()],
        );
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            String::from_utf8(outcome.stdout).unwrap(),
            format!("{empty}  a\n\\{empty}  b\\nc\n")
        );
        assert_eq!(
            String::from_utf8(outcome.stderr).unwrap(),
            "sha256sum: none: no such file\n"
        );
        assert_eq!(outcome.status, 1);
    }
}
