//! `<file>.sha256`: as `sha256sum` writes it (text, binary, escaped, BSD), as OpenSSL or Windows `certutil` prints it, or
//! bare hex digits.
//!
//! Names are reduced to a relative path and are for finding the file beside the checksum, never for opening anything.

use crate::domain::reason::Reason;
use crate::ingest::text::{decode_document, relative_path, sha256_from_hex};

/// Largest checksum file taken, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// Most entries in one checksum file.
pub const MAX_ENTRIES: usize = 10_000;

/// One declared digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// The file it names, NFC; `None` if it names none (the file it stands beside is meant).
    pub name: Option<String>,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Reads a checksum file. At least one digest, no name with two digests.
pub fn parse(bytes: &[u8]) -> Result<Vec<Checksum>, Reason> {
    if bytes.len() > MAX_BYTES {
        return Err(fault(0, "larger than 1 MiB", "超过 1 MiB"));
    }
    let text = decode_document(bytes).ok_or_else(|| {
        fault(
            0,
            "not text in UTF-8, UTF-16 or GBK",
            "编码不是 UTF-8、UTF-16 或 GBK",
        )
    })?;
    let mut found: Vec<Checksum> = Vec::new();
    // `Some` between certutil's header and the digest on its next line.
    let mut heading: Option<String> = None;
    for (line, number) in text.lines().map(|line| line.trim_end_matches('\r')).zip(1..) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if trimmed.starts_with("CertUtil") {
            // Printed after the digest on success, in place of it on failure.
            if found.is_empty() {
                return Err(fault(
                    number,
                    "certutil reported a failure",
                    "certutil 报告计算失败",
                ));
            }
            continue;
        }
        let checksum = match heading.take() {
            Some(name) => Checksum {
                name: Some(name),
                sha256: digest(trimmed, number)?,
            },
            None => match certutil_heading(trimmed, number)? {
                Some(name) => {
                    heading = Some(name);
                    continue;
                }
                None => checksum_line(line, number)?,
            },
        };
        match found.iter().find(|known| known.name == checksum.name) {
            Some(known) if known.sha256 != checksum.sha256 => {
                return Err(fault(
                    number,
                    "a second, different digest for the same file",
                    "同一文件出现两个不同的校验值",
                ));
            }
            Some(_) => {}
            None if found.len() == MAX_ENTRIES => {
                return Err(fault(number, "more than 10,000 entries", "超过 10,000 条记录"));
            }
            None => found.push(checksum),
        }
    }
    if heading.is_some() || found.is_empty() {
        return Err(fault(0, "there is no digest in it", "其中没有校验值"));
    }
    Ok(found)
}

/// `<hex>  name`, `<hex> *name`, `\<hex>  na\nme`, `SHA256 (name) = <hex>`, `SHA2-256(name)= <hex>`, `<hex>`.
fn checksum_line(line: &str, number: usize) -> Result<Checksum, Reason> {
    let line = line.trim_start();
    if let Some((algorithm, rest)) = line.split_once('(').filter(|_| !starts_with_hex(line)) {
        let (name, hex) = rest.rsplit_once(')').ok_or_else(|| unknown_line(number))?;
        let hex = hex
            .trim_start()
            .strip_prefix('=')
            .ok_or_else(|| unknown_line(number))?;
        require_sha256(algorithm.trim(), number)?;
        return Ok(Checksum {
            name: Some(file_name(name, number)?),
            sha256: digest(hex.trim(), number)?,
        });
    }
    let (escaped, line) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let Some((hex, name)) = line.split_once([' ', '\t']).filter(|(hex, _)| hex.len() >= 32) else {
        return Ok(Checksum {
            name: None,
            sha256: digest(line, number)?,
        });
    };
    let sha256 = digest(hex, number)?;
    // The second separator tells text from binary mode; some writers leave it out.
    let name = name.strip_prefix([' ', '*']).unwrap_or(name);
    if name.trim().is_empty() {
        return Ok(Checksum { name: None, sha256 });
    }
    let name = if escaped {
        unescape(name).ok_or_else(|| unknown_line(number))?
    } else {
        name.to_owned()
    };
    Ok(Checksum {
        name: Some(file_name(&name, number)?),
        sha256,
    })
}

/// GNU coreutils, "md5sum invocation": `\\`, `\n` and `\r` in lines that begin with a backslash.
fn unescape(name: &str) -> Option<String> {
    let mut chars = name.chars();
    let mut plain = String::with_capacity(name.len());
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

/// What stands around the name in `certutil`'s first line, after the algorithm: English and Chinese, newer and older.
const HEADINGS: [(&str, &str); 6] = [
    ("hash of file ", ""),
    ("hash of ", ""),
    ("的 ", " 哈希"),
    ("的", "哈希"),
    ("哈希(文件 ", ")"),
    ("哈希(", ")"),
];

/// The name in `SHA256 hash of file X:` and its like; `None` if the line is no heading.
fn certutil_heading(line: &str, number: usize) -> Result<Option<String>, Reason> {
    let Some(body) = line.strip_suffix([':', '：']).filter(|_| !starts_with_hex(line)) else {
        return Ok(None);
    };
    let end = body
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .unwrap_or(body.len());
    let (algorithm, rest) = body.split_at(end);
    let rest = rest.trim_start();
    let name = HEADINGS
        .iter()
        .find_map(|(before, after)| rest.strip_prefix(before)?.strip_suffix(after));
    let Some(name) = name else { return Ok(None) };
    require_sha256(algorithm, number)?;
    file_name(name.trim(), number).map(Some)
}

/// An absolute path is where the file lay on the clerk's machine: only its last component says anything here.
fn file_name(name: &str, number: usize) -> Result<String, Reason> {
    let absolute = name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':');
    let name = if absolute {
        name.rsplit(['/', '\\', ':']).next().unwrap_or(name)
    } else {
        name
    };
    relative_path(name).map_err(|reason| fault(number, &reason.en, &reason.zh))
}

/// 64 hex digits, in pairs with spaces between as older `certutil` prints them.
fn digest(text: &str, number: usize) -> Result<[u8; 32], Reason> {
    let hex: String = text.split_whitespace().collect();
    if let Some(sha256) = sha256_from_hex(&hex) {
        return Ok(sha256);
    }
    if hex.bytes().all(|b| b.is_ascii_hexdigit()) && matches!(hex.len(), 8 | 32 | 40 | 56 | 96 | 128) {
        return Err(not_sha256(number));
    }
    Err(unknown_line(number))
}

fn starts_with_hex(line: &str) -> bool {
    line.bytes().take(32).filter(u8::is_ascii_hexdigit).count() == 32
}

fn require_sha256(algorithm: &str, number: usize) -> Result<(), Reason> {
    match algorithm.to_ascii_uppercase().as_str() {
        "SHA256" | "SHA-256" | "SHA2-256" => Ok(()),
        "MD2" | "MD4" | "MD5" | "SHA1" | "SHA-1" | "SHA224" | "SHA2-224" | "SHA384" | "SHA-384"
        | "SHA2-384" | "SHA512" | "SHA-512" | "SHA2-512" | "SM3" => Err(not_sha256(number)),
        _ => Err(unknown_line(number)),
    }
}

fn not_sha256(number: usize) -> Reason {
    Reason::new(
        "checksum_algorithm",
        format!(
            "line {number} of the checksum file is not SHA-256; use `sha256sum` or `certutil -hashfile NAME SHA256`"
        ),
        format!("校验文件第 {number} 行不是 SHA-256；请使用 certutil -hashfile 文件名 SHA256"),
    )
}

fn unknown_line(number: usize) -> Reason {
    fault(
        number,
        "neither a digest nor a form that is known",
        "不是可识别的校验值格式",
    )
}

/// Line 0 is the file as a whole.
fn fault(number: usize, en: &str, zh: &str) -> Reason {
    match number {
        0 => Reason::new(
            "checksum_file",
            format!("the checksum file: {en}"),
            format!("校验文件：{zh}"),
        ),
        _ => Reason::new(
            "checksum_file",
            format!("line {number} of the checksum file: {en}"),
            format!("校验文件第 {number} 行：{zh}"),
        ),
    }
}

#[cfg(test)]
mod tests;
