//! The tag files of a bag, one parser each.

use std::collections::{BTreeMap, BTreeSet};

use super::{DECLARATION, MAX_FILES, Oxum, Version, fault, no_declaration};
use crate::domain::reason::Reason;
use crate::ingest::text::{decode_document, fold, relative_path, sha256_from_hex};

/// RFC 8493 §2.1.1: two lines, version and encoding.
pub(super) fn parse_declaration(bytes: &[u8]) -> Result<Version, Reason> {
    let text = utf8(DECLARATION, bytes)?;
    let mut lines = text.lines().map(|line| {
        line.split_once(':')
            .map(|(label, value)| (label.trim(), value.trim()))
    });
    let version = match lines.next().flatten() {
        Some(("BagIt-Version", "1.0")) => Version::V1_0,
        Some(("BagIt-Version", "0.97")) => Version::V0_97,
        Some(("BagIt-Version", other)) => {
            return Err(fault(
                "bag_version",
                format!("version {other:?} is not read; 1.0 and 0.97 are"),
                format!("不支持版本“{other}”，仅支持 1.0 与 0.97"),
            ));
        }
        _ => return Err(no_declaration()),
    };
    match lines.next().flatten() {
        Some(("Tag-File-Character-Encoding", encoding)) if encoding.eq_ignore_ascii_case("utf-8") => {
            Ok(version)
        }
        _ => Err(fault(
            "bag_encoding",
            "tag files must be declared as UTF-8",
            "标签文件编码必须声明为 UTF-8",
        )),
    }
}

/// RFC 8493 §2.1.3: digest, white space, path with CR, LF and % percent-encoded.
pub(super) fn parse_manifest(
    name: &str,
    bytes: &[u8],
    version: Version,
) -> Result<BTreeMap<String, [u8; 32]>, Reason> {
    let mut entries = BTreeMap::new();
    let mut folded = BTreeSet::new();
    for (line, number) in utf8(name, bytes)?.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |en: &str, zh: &str| {
            fault(
                "bag_manifest",
                format!("line {number} of {name}: {en}"),
                format!("{name} 第 {number} 行：{zh}"),
            )
        };
        let (digest, path) = line
            .split_once([' ', '\t'])
            .and_then(|(hex, path)| Some((sha256_from_hex(hex)?, path.trim_start().trim_start_matches('*'))))
            .ok_or_else(|| wrong("not a SHA-256 and a path", "不是 SHA-256 与路径"))?;
        let path =
            relative_path(&decode_path(path, version)).map_err(|reason| wrong(&reason.en, &reason.zh))?;
        if entries.len() == MAX_FILES {
            return Err(wrong("more than 10,000 files", "超过 10,000 个文件"));
        }
        if !folded.insert(fold(&path)) {
            return Err(wrong("the file stands in the manifest twice", "同一文件重复出现"));
        }
        entries.insert(path, digest);
    }
    Ok(entries)
}

/// A % that begins no escape stands for itself: the common Python writer never escapes it, in either version.
fn decode_path(path: &str, version: Version) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let (c, taken) = match after.get(..2).map(str::to_ascii_uppercase).as_deref() {
            Some("0A") => ('\n', 2),
            Some("0D") => ('\r', 2),
            Some("25") if version == Version::V1_0 => ('%', 2),
            _ => ('%', 0),
        };
        plain.push(c);
        rest = &after[taken..];
    }
    plain.push_str(rest);
    plain
}

/// RFC 8493 §2.2.2: `Label: value`, continued on lines that begin with white space.
pub(super) fn parse_info(bytes: &[u8]) -> Result<Vec<(String, String)>, Reason> {
    let mut info: Vec<(String, String)> = Vec::new();
    for (line, number) in utf8("bag-info.txt", bytes)?.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        match (
            line.starts_with([' ', '\t']),
            info.last_mut(),
            line.split_once(':'),
        ) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, _, Some((label, value))) => info.push((label.trim().to_owned(), value.trim().to_owned())),
            _ => {
                return Err(fault(
                    "bag_info",
                    format!("line {number} of bag-info.txt is not `Label: value`"),
                    format!("bag-info.txt 第 {number} 行不是“标签: 值”"),
                ));
            }
        }
    }
    Ok(info)
}

pub(super) fn parse_oxum(value: &str) -> Result<Oxum, Reason> {
    let parts = value
        .split_once('.')
        .and_then(|(bytes, files)| Some((bytes.parse().ok()?, files.parse().ok()?)));
    parts.map(|(bytes, files)| Oxum { bytes, files }).ok_or_else(|| {
        fault(
            "bag_info",
            "Payload-Oxum is not `bytes.files`",
            "Payload-Oxum 应为“字节数.文件数”",
        )
    })
}

fn utf8(name: &str, bytes: &[u8]) -> Result<String, Reason> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| decode_document(text.as_bytes()))
        .ok_or_else(|| {
            fault(
                "bag_encoding",
                format!("{name} is not UTF-8"),
                format!("{name} 不是 UTF-8 编码"),
            )
        })
}
