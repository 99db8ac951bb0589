//! From a path as a client sends it to a [`VirtualPath`]. Pure; knows no tree.
//!
//! Invariant: what comes out is absolute, has no `.`, `..`, NUL or empty component, and is within the limits.

use super::limits::{MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PATH_DEPTH};
use super::space::{Result, SpaceError, SpaceErrorKind, VirtualPath};

/// Resolves `raw` from `home` unless it is absolute. `..` at the top stays at the top.
pub fn resolve(home: &VirtualPath, raw: &[u8]) -> Result<VirtualPath> {
    if raw.len() > MAX_PATH_BYTES {
        return Err(refusal(format!("the path is longer than {MAX_PATH_BYTES} bytes")));
    }
    if raw.contains(&0) {
        return Err(refusal("the path contains a NUL byte".to_owned()));
    }
    let mut path = if raw.starts_with(b"/") {
        VirtualPath::default()
    } else {
        home.clone()
    };
    for component in raw.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                path.components.pop();
            }
            name if name.len() > MAX_NAME_BYTES => {
                return Err(refusal(format!(
                    "a name in the path is longer than {MAX_NAME_BYTES} bytes"
                )));
            }
            name => {
                if path.components.len() == MAX_PATH_DEPTH {
                    return Err(refusal(format!(
                        "the path is deeper than {MAX_PATH_DEPTH} folders"
                    )));
                }
                path.components.push(name.to_vec());
            }
        }
    }
    Ok(path)
}

/// Resolves `~` and `~/…` from `home`, anything else as [`resolve`] does (`expand-path@openssh.com`).
pub fn expand(home: &VirtualPath, raw: &[u8]) -> Result<VirtualPath> {
    match raw {
        b"~" => Ok(home.clone()),
        [b'~', b'/', rest @ ..] => resolve(home, &[b"./", rest].concat()),
        _ => resolve(home, raw),
    }
}

/// The path as bytes, beginning with `/`.
pub fn to_bytes(path: &VirtualPath) -> Vec<u8> {
    if path.components.is_empty() {
        return b"/".to_vec();
    }
    path.components
        .iter()
        .flat_map(|name| std::iter::once(b'/').chain(name.iter().copied()))
        .collect()
}

fn refusal(message: String) -> SpaceError {
    SpaceError::new(SpaceErrorKind::Failure, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> VirtualPath {
        VirtualPath {
            components: vec![b"inbox".to_vec()],
        }
    }

    #[test]
    fn paths_are_normalised() {
        for (raw, expected) in [
            ("", "/inbox"),
            (".", "/inbox"),
            ("a//b/", "/inbox/a/b"),
            ("/", "/"),
            ("/../../etc", "/etc"),
            ("../receipts/./x", "/receipts/x"),
            ("/a/b/../c", "/a/c"),
            ("~", "/inbox/~"),
        ] {
            assert_eq!(
                to_bytes(&resolve(&home(), raw.as_bytes()).unwrap()),
                expected.as_bytes(),
                "{raw}"
            );
        }
        for (raw, expected) in [
            ("~", "/inbox"),
            ("~/x", "/inbox/x"),
            ("~//x", "/inbox/x"),
            ("/x", "/x"),
        ] {
            assert_eq!(
                to_bytes(&expand(&home(), raw.as_bytes()).unwrap()),
                expected.as_bytes(),
                "{raw}"
            );
        }
    }

    #[test]
    fn limits_hold() {
        let long_path = vec![b'/'; MAX_PATH_BYTES + 1];
        let long_name = vec![b'a'; MAX_NAME_BYTES + 1];
        let deep = b"/a".repeat(MAX_PATH_DEPTH + 1);
        for raw in [&long_path[..], &long_name, &deep, b"a\0b"] {
            assert!(resolve(&home(), raw).is_err());
        }
        assert!(resolve(&home(), &b"/a".repeat(MAX_PATH_DEPTH)).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn resolving_twice_changes_nothing(raw in proptest::collection::vec(0u8..128, 0..60)) {
            if let Ok(path) = resolve(&home(), &raw) {
                proptest::prop_assert_eq!(resolve(&home(), &to_bytes(&path)).unwrap(), path);
            }
        }
    }
}
