//! BagIt bags: RFC 8493 (version 1.0), and 0.97 as older tools write it.
//!
//! Tag files in, a [`Bag`] out, which [`Bag::check`] compares with the files that are present. SHA-256 manifests are
//! required, because that is the digest everything else here speaks; other algorithms are noted and not checked.
//! `fetch.txt` is refused: evidence is what arrived, not what could be fetched.

mod tags;

use std::collections::BTreeMap;

use self::tags::{parse_declaration, parse_info, parse_manifest, parse_oxum};
use crate::domain::{hex, reason::Reason};

/// Largest tag file taken, in bytes.
pub const MAX_TAG_BYTES: usize = 4 << 20;
/// Most files in one bag.
pub const MAX_FILES: usize = 10_000;
/// Findings reported one by one; the rest are counted.
const MAX_FINDINGS: usize = 20;

/// The file that makes a folder a bag.
pub const DECLARATION: &str = "bagit.txt";

/// The tag files whose content [`Bag::parse`] reads; of others it only needs to know that they are there.
pub const TAG_FILES: [&str; 4] = [
    DECLARATION,
    "bag-info.txt",
    "manifest-sha256.txt",
    "tagmanifest-sha256.txt",
];

/// What the tag files of a bag declare. Paths are relative to the bag, NFC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bag {
    /// Version of BagIt.
    pub version: Version,
    /// Digest of every payload file (below `data/`).
    pub payload: BTreeMap<String, [u8; 32]>,
    /// Digests of tag files, from `tagmanifest-sha256.txt`; empty if there is none.
    pub tags: BTreeMap<String, [u8; 32]>,
    /// `Payload-Oxum` of `bag-info.txt`.
    pub oxum: Option<Oxum>,
    /// `bag-info.txt` in order, labels as written.
    pub info: Vec<(String, String)>,
    /// Algorithms of further payload manifests, which are not checked.
    pub other_algorithms: Vec<String>,
}

/// Versions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0.97: `%25` stands for itself.
    V0_97,
    /// 1.0, RFC 8493: `%25` is an escaped `%`.
    V1_0,
}

/// `Payload-Oxum`: size and number of payload files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oxum {
    /// Bytes of all payload files together.
    pub bytes: u64,
    /// Number of payload files.
    pub files: u64,
}

/// One file that is there, payload or tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Present {
    /// Its size.
    pub size_bytes: u64,
    /// The SHA-256 of what arrived.
    pub sha256: [u8; 32],
}

/// What was checked of a bag that is complete and valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagSummary {
    /// Payload files and their bytes: all digests match.
    pub payload: Oxum,
    /// Tag files whose digests match.
    pub tag_files: usize,
    /// Whether a `Payload-Oxum` was there to agree.
    pub oxum_checked: bool,
    /// Algorithms of manifests that were not checked.
    pub other_algorithms: Vec<String>,
}

impl Bag {
    /// Reads the tag files at the top of a bag, by name.
    pub fn parse(tag_files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Reason> {
        if let Some((name, _)) = tag_files.iter().find(|(_, bytes)| bytes.len() > MAX_TAG_BYTES) {
            return Err(fault(
                "bag_too_large",
                format!("{name} is larger than 4 MiB"),
                format!("{name} 超过 4 MiB"),
            ));
        }
        let declaration = tag_files.get(DECLARATION).ok_or_else(no_declaration)?;
        let version = parse_declaration(declaration)?;
        if tag_files.contains_key("fetch.txt") {
            return Err(fault(
                "bag_fetch",
                "fetch.txt is not taken; send the files themselves",
                "不接受 fetch.txt；请直接上传文件本身",
            ));
        }
        let Some(manifest) = tag_files.get("manifest-sha256.txt") else {
            return Err(fault(
                "bag_needs_sha256",
                "manifest-sha256.txt is missing; make the bag with SHA-256",
                "缺少 manifest-sha256.txt；请用 SHA-256 生成数据包",
            ));
        };
        let payload = parse_manifest("manifest-sha256.txt", manifest, version)?;
        if let Some(path) = payload.keys().find(|path| !path.starts_with("data/")) {
            return Err(fault(
                "bag_manifest",
                format!("payload {path:?} is not below data/"),
                format!("“{path}”不在 data/ 目录下"),
            ));
        }
        let tags = match tag_files.get("tagmanifest-sha256.txt") {
            Some(bytes) => parse_manifest("tagmanifest-sha256.txt", bytes, version)?,
            None => BTreeMap::new(),
        };
        let info = tag_files
            .get("bag-info.txt")
            .map_or(Ok(Vec::new()), |bytes| parse_info(bytes))?;
        let oxum = info
            .iter()
            .find(|(label, _)| label.eq_ignore_ascii_case("payload-oxum"));
        let oxum = oxum.map(|(_, value)| parse_oxum(value)).transpose()?;
        let algorithm =
            |name: &String| Some(name.strip_prefix("manifest-")?.strip_suffix(".txt")?.to_owned());
        let other_algorithms = tag_files
            .keys()
            .filter_map(algorithm)
            .filter(|name| name != "sha256")
            .collect();
        Ok(Self {
            version,
            payload,
            tags,
            oxum,
            info,
            other_algorithms,
        })
    }

    /// Compares what is declared with all files that are present (paths relative to the bag, NFC): nothing missing, nothing
    /// that isn't listed below `data/`, every digest and the Oxum equal. Otherwise every finding, at most twenty in words.
    pub fn check(&self, present: &BTreeMap<String, Present>) -> Result<BagSummary, Vec<Reason>> {
        let mut findings = Vec::new();
        for (path, declared) in self.payload.iter().chain(&self.tags) {
            match present.get(path) {
                None => findings.push(fault(
                    "bag_missing",
                    format!("{path:?} is listed and not there"),
                    format!("清单中的“{path}”不存在"),
                )),
                Some(file) if file.sha256 != *declared => findings.push(fault(
                    "bag_mismatch",
                    format!(
                        "{path:?}: declared {}, received {}",
                        hex::encode(declared),
                        hex::encode(file.sha256)
                    ),
                    format!(
                        "“{path}”：声明值 {}，实收值 {}",
                        hex::encode(declared),
                        hex::encode(file.sha256)
                    ),
                )),
                Some(_) => {}
            }
        }
        let mut received = Oxum { bytes: 0, files: 0 };
        for (path, file) in present.iter().filter(|(path, _)| path.starts_with("data/")) {
            received.bytes = received.bytes.saturating_add(file.size_bytes);
            received.files += 1;
            if !self.payload.contains_key(path) {
                findings.push(fault(
                    "bag_unlisted",
                    format!("{path:?} is there and not listed"),
                    format!("“{path}”未列入清单"),
                ));
            }
        }
        if let Some(declared) = self.oxum.filter(|declared| *declared != received) {
            findings.push(fault(
                "bag_oxum",
                format!(
                    "Payload-Oxum says {}.{}, received {}.{}",
                    declared.bytes, declared.files, received.bytes, received.files
                ),
                format!(
                    "Payload-Oxum 为 {}.{}，实收 {}.{}",
                    declared.bytes, declared.files, received.bytes, received.files
                ),
            ));
        }
        if findings.is_empty() {
            return Ok(BagSummary {
                payload: received,
                tag_files: self.tags.len(),
                oxum_checked: self.oxum.is_some(),
                other_algorithms: self.other_algorithms.clone(),
            });
        }
        let more = findings.len().saturating_sub(MAX_FINDINGS);
        findings.truncate(MAX_FINDINGS);
        if more > 0 {
            findings.push(fault(
                "bag_more",
                format!("and {more} more findings"),
                format!("另有 {more} 处问题"),
            ));
        }
        Err(findings)
    }
}

fn no_declaration() -> Reason {
    fault(
        "bag_declaration",
        "bagit.txt is missing or has no BagIt-Version",
        "缺少 bagit.txt 或其中没有 BagIt-Version",
    )
}

fn fault(code: &'static str, en: impl AsRef<str>, zh: impl AsRef<str>) -> Reason {
    Reason::new(
        code,
        format!("the bag: {}", en.as_ref()),
        format!("BagIt 数据包：{}", zh.as_ref()),
    )
}

#[cfg(test)]
mod tests;
