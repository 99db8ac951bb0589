//! Canonical JSON: RFC 8785 narrowed to what a leaf may hold, so that a value has one spelling.
//!
//! Objects, arrays, strings, booleans, null and integers within ±(2^53 − 1); ASCII only; no floats. In this
//! profile sorting keys by UTF-16 units, as RFC 8785 §3.2.3 asks, is sorting them by bytes.
//! Invariant: what [`parse_canonical`] accepts, [`to_canonical`] writes back byte for byte.

use serde_json::Value;

/// Deepest nesting of objects and arrays, the outermost included.
pub const MAX_DEPTH: usize = 16;
/// Largest magnitude of an integer: what every JSON reader holds exactly (RFC 7493 §2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a value or a text is outside the profile.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// A string or key holds a character outside ASCII.
    #[error("a string or key is not ASCII")]
    NotAscii,
    /// A number with a fraction or exponent, or beyond [`MAX_INTEGER`].
    #[error("a number is not an integer within ±(2^53-1)")]
    Number,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Not JSON at all.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but in another spelling than the canonical one: spaces, key order, repeated keys, escapes.
    #[error("JSON, but not in its canonical spelling")]
    Spelling,
}

/// The canonical bytes of `value`.
pub fn to_canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write_value(&mut out, value, 0)?;
    Ok(out)
}

/// The value that `bytes` spell, provided that they are its canonical bytes.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, CanonicalError> {
    // serde_json stops at 128 levels by itself, so the recursion here is bounded on any input.
    let value: Value = serde_json::from_slice(bytes)?;
    // A repeated key is lost in parsing and so shows as a difference here.
    if to_canonical(&value)? != bytes {
        return Err(CanonicalError::Spelling);
    }
    Ok(value)
}

fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            if magnitude.is_none_or(|magnitude| magnitude > MAX_INTEGER) {
                return Err(CanonicalError::Number);
            }
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::String(text) => write_string(out, text)?,
        Value::Array(items) => {
            let depth = deeper(depth)?;
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(out, item, depth)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let depth = deeper(depth)?;
            // Sorted here: the map's own order depends on a feature any crate in the build may switch on.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (position, (key, member)) in members.into_iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_string(out, key)?;
                out.push(b':');
                write_value(out, member, depth)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, CanonicalError> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(CanonicalError::Depth)
    }
}

/// Escapes as RFC 8785 §3.2.2.2 has it: the short forms, `\u00xx` for other controls, nothing else.
fn write_string(out: &mut Vec<u8>, text: &str) -> Result<(), CanonicalError> {
    if !text.is_ascii() {
        return Err(CanonicalError::NotAscii);
    }
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x00..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn writes_sorted_escaped_and_without_spaces() {
        let value =
            json!({"b": [1, -2, null], "a": {"z": true, "A": "\"\\/\u{8}\t\n\u{c}\r\u{1}\u{7f}"}, "": 0});
        let bytes = to_canonical(&value).unwrap();
        let text =
            r#"{"":0,"a":{"A":"\"\\/\b\t\n\f\r\u0001X","z":true},"b":[1,-2,null]}"#.replace('X', "\u{7f}");
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
        assert_eq!(parse_canonical(&bytes).unwrap(), value);
    }

    #[test]
    fn integers_end_at_two_to_the_53() {
        for edge in [9_007_199_254_740_991_i64, -9_007_199_254_740_991, 0] {
            assert_eq!(parse_canonical(edge.to_string().as_bytes()).unwrap(), json!(edge));
        }
        for bad in [
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551615",
            "1.0",
            "1e2",
            "-0",
            "1.5",
        ] {
            assert!(
                matches!(parse_canonical(bad.as_bytes()), Err(CanonicalError::Number)),
                "{bad}"
            );
        }
    }

    #[test]
    fn refuses_every_other_spelling() {
        let spellings = [
            r#"{"b":1,"a":2}"#, // order
            r#"{"a":1,"a":1}"#, // repeated key
            r#"{"a": 1}"#,
            "{\"a\":1}\n",
            " 1", // spaces
            r#""\u0041""#,
            r#""\/""#,
            r#""\u000A""#, // escapes
        ];
        for bad in spellings {
            assert!(
                matches!(parse_canonical(bad.as_bytes()), Err(CanonicalError::Spelling)),
                "{bad}"
            );
        }
        assert!(matches!(
            parse_canonical("\"é\"".as_bytes()),
            Err(CanonicalError::NotAscii)
        ));
        assert!(matches!(
            parse_canonical(br#"{"\u00e9":1}"#),
            Err(CanonicalError::NotAscii)
        ));
        for bad in ["", "{", "01", "+1", "nul", "[1,]", "\"\t\"", "1 2"] {
            assert!(
                matches!(parse_canonical(bad.as_bytes()), Err(CanonicalError::Json(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
        assert!(parse_canonical(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(
            parse_canonical(&nested(MAX_DEPTH + 1)),
            Err(CanonicalError::Depth)
        ));
        assert!(matches!(
            parse_canonical(&nested(100_000)),
            Err(CanonicalError::Json(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in "[\\[\\]{}\",:0-9a-e \\\\-]{0,24}") {
            if let Ok(value) = parse_canonical(bytes.as_bytes()) {
                prop_assert_eq!(to_canonical(&value).unwrap(), bytes.into_bytes());
            }
        }
    }
}
