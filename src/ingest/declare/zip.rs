//! Zip bundles and bags: read whole, without ever unpacking anything to disk.
//!
//! A zip is taken only if every reader of it would see the same files: one directory, exactly at the end, that agrees
//! with every member's own header; plain relative names, no two alike; no links, no encryption, nothing before, after or
//! beside the members. Every member is read through against its CRC, under limits that count real bytes.
//!
//! A zip inside a zip is an ordinary member: it is named in the report and never opened, so it can't expand here.

mod directory;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use ring::digest::{Context, SHA256};
use serde::Deserialize;
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use self::directory::{check_directory, find_directory};
use super::bagit::{Bag, BagSummary, DECLARATION, MAX_TAG_BYTES, Present, TAG_FILES};
use crate::domain::reason::Reason;

/// What one zip may cost to read.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZipLimits {
    /// Most members, folders included.
    pub max_entries: u64,
    /// Most bytes of all members together, uncompressed.
    pub max_total_bytes: u64,
    /// Largest ratio of uncompressed to compressed size of one member…
    pub max_ratio: u64,
    /// …that has at least this many bytes uncompressed.
    pub ratio_from_bytes: u64,
}

impl Default for ZipLimits {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_total_bytes: 8 << 30,
            max_ratio: 200,
            ratio_from_bytes: 1 << 20,
        }
    }
}

/// A zip that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipReport {
    /// Its files by path, with what was read of them.
    pub members: BTreeMap<String, Present>,
    /// Members that are zips themselves; not opened.
    pub nested: Vec<String>,
    /// If it contains a bag, at the top or in its only folder: the bag, verified.
    pub bag: Option<BagSummary>,
}

/// Why a zip was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ZipFault {
    /// The end is missing: more bytes would mend it.
    #[error("{0}")]
    Incomplete(Reason),
    /// Damaged, dangerous, or not what its bag declares: more bytes won't mend it.
    #[error("{0}")]
    Refused(Reason),
    /// The content could not be read, which says nothing about the zip.
    #[error("the zip could not be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a zip of `size_bytes` from beginning to end.
pub fn check<R: Read + Seek>(content: R, size_bytes: u64, limits: &ZipLimits) -> Result<ZipReport, ZipFault> {
    let failure = Cell::new(None);
    let content = Watched {
        inner: content,
        failure: &failure,
    };
    match read(content, size_bytes, limits) {
        // A failing store looks like a damaged zip from inside the library: what the store said comes first.
        Err(_) if failure.get().is_some() => {
            Err(io::Error::from(failure.get().unwrap_or(ErrorKind::Other)).into())
        }
        outcome => outcome,
    }
}

fn read<R: Read + Seek>(mut content: R, size_bytes: u64, limits: &ZipLimits) -> Result<ZipReport, ZipFault> {
    let entries = find_directory(&mut content, size_bytes)?;
    if entries > limits.max_entries {
        return Err(bomb(format!("{entries} members"), format!("{entries} 个成员")));
    }
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut archive = ZipArchive::with_config(config, content).map_err(|_| damaged())?;
    if archive.len() as u64 != entries {
        return Err(duplicate("?"));
    }
    archive.validate_header_consistency().map_err(|_| damaged())?;
    let names = check_directory(&archive, limits)?;
    let bag_root = bag_root(names.iter().flatten());
    read_members(&mut archive, &names, bag_root, limits)
}

/// The folder of the bag, with its slash, if there is one: the top, or the only folder at the top.
fn bag_root<'n>(paths: impl Iterator<Item = &'n String> + Clone) -> Option<String> {
    if paths.clone().any(|path| path == DECLARATION) {
        return Some(String::new());
    }
    let (top, _) = paths.clone().next()?.split_once('/')?;
    let root = format!("{top}/");
    let only = paths.clone().all(|path| path.starts_with(&root));
    (only && paths.into_iter().any(|path| path[root.len()..] == *DECLARATION)).then_some(root)
}

/// Reads every file through: CRC, limits on real bytes, SHA-256; and the bag, if it is one.
fn read_members<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    names: &[Option<String>],
    bag_root: Option<String>,
    limits: &ZipLimits,
) -> Result<ZipReport, ZipFault> {
    let mut report = ZipReport {
        members: BTreeMap::new(),
        nested: Vec::new(),
        bag: None,
    };
    let mut tag_files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut total_bytes = 0u64;
    let mut buffer = vec![0; 64 << 10];
    let mut extents = Vec::with_capacity(names.len());
    for (index, path) in names.iter().enumerate() {
        let mut member = archive.by_index(index).map_err(|_| damaged())?;
        let compressed = member.compressed_size();
        let data_end = member
            .data_start()
            .and_then(|start| start.checked_add(compressed));
        extents.push((member.header_start(), data_end.ok_or_else(damaged)?));
        let Some(path) = path else { continue };
        let tag = bag_root
            .as_deref()
            .and_then(|root| path.strip_prefix(root))
            .filter(|name| !name.contains('/') && name.ends_with(".txt"));
        let keeps = tag.is_some_and(|name| TAG_FILES.contains(&name));
        let (mut digest, mut size_bytes, mut kept, mut start) =
            (Context::new(&SHA256), 0u64, Vec::new(), [0; 4]);
        loop {
            let read = match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(member_damaged(path)),
            };
            for (slot, byte) in start.iter_mut().skip(size_bytes.min(4) as usize).zip(read) {
                *slot = *byte;
            }
            size_bytes += read.len() as u64;
            total_bytes += read.len() as u64;
            check_expansion(size_bytes, compressed, total_bytes, limits)?;
            digest.update(read);
            if keeps && kept.len() <= MAX_TAG_BYTES {
                kept.extend_from_slice(read);
            }
        }
        if size_bytes != member.size() {
            return Err(member_damaged(path));
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.finish().as_ref());
        if start == *b"PK\x03\x04" {
            report.nested.push(path.clone());
        }
        report
            .members
            .insert(path.clone(), Present { size_bytes, sha256 });
        if let Some(name) = tag {
            tag_files.insert(name.to_owned(), kept);
        }
    }
    check_gaps(extents, archive.central_directory_start())?;
    if let Some(root) = bag_root {
        let bag = Bag::parse(&tag_files).map_err(ZipFault::Refused)?;
        let below = report
            .members
            .iter()
            .filter_map(|(path, file)| Some((path.strip_prefix(&root)?.to_owned(), *file)));
        report.bag = Some(bag.check(&below.collect()).map_err(joined)?);
    }
    Ok(report)
}

/// Members follow each other without a gap, but for the data descriptor that may stand behind each (APPNOTE 4.3.9: 12 or
/// 20 bytes, with its optional signature 16 or 24).
fn check_gaps(mut extents: Vec<(u64, u64)>, directory_start: u64) -> Result<(), ZipFault> {
    extents.sort_unstable();
    let next_starts = extents
        .iter()
        .skip(1)
        .map(|(start, _)| *start)
        .chain([directory_start]);
    let mut gaps = extents
        .iter()
        .zip(next_starts)
        .map(|((_, end), next)| next.checked_sub(*end));
    if gaps.all(|gap| matches!(gap, Some(0 | 12 | 16 | 20 | 24))) {
        return Ok(());
    }
    Err(extra_data())
}

fn check_expansion(size: u64, compressed: u64, total: u64, limits: &ZipLimits) -> Result<(), ZipFault> {
    if total > limits.max_total_bytes {
        let limit = limits.max_total_bytes;
        return Err(bomb(
            format!("more than {limit} bytes"),
            format!("超过 {limit} 字节"),
        ));
    }
    if size >= limits.ratio_from_bytes && size > compressed.saturating_mul(limits.max_ratio) {
        let limit = limits.max_ratio;
        return Err(bomb(
            format!("a member packed more than {limit}:1"),
            format!("压缩比超过 {limit}:1"),
        ));
    }
    Ok(())
}

fn joined(findings: Vec<Reason>) -> ZipFault {
    let code = findings.first().map_or("bag_mismatch", |reason| reason.code);
    let texts = |text: fn(&Reason) -> &str| findings.iter().map(text).collect::<Vec<_>>().join("; ");
    ZipFault::Refused(Reason::new(
        code,
        texts(|reason| &reason.en),
        texts(|reason| &reason.zh),
    ))
}

/// Remembers that the store itself failed.
struct Watched<'a, R> {
    inner: R,
    failure: &'a Cell<Option<ErrorKind>>,
}

impl<R> Watched<'_, R> {
    fn note<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|fault| {
            if fault.kind() != ErrorKind::Interrupted && fault.kind() != ErrorKind::InvalidInput {
                self.failure.set(Some(fault.kind()));
            }
        })
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.inner.read(buffer);
        self.note(outcome)
    }
}

impl<R: Seek> Seek for Watched<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // Seeking before the start is the zip's fault, not the store's.
        let outcome = self.inner.seek(to);
        self.note(outcome)
    }
}

fn no_directory() -> ZipFault {
    ZipFault::Incomplete(Reason::new(
        "zip_no_directory",
        "the zip has no directory at its end; the upload is not complete",
        "压缩包末尾缺少目录，文件未传完",
    ))
}

fn damaged() -> ZipFault {
    refused(
        "zip_damaged",
        "is damaged: its directory and its members don't agree",
        "已损坏：目录与成员不一致",
    )
}

fn member_damaged(path: &str) -> ZipFault {
    refused(
        "zip_damaged",
        &format!("is damaged: {path:?} can't be read or fails its CRC"),
        &format!("已损坏：“{path}”无法读取或 CRC 不符"),
    )
}

fn duplicate(path: &str) -> ZipFault {
    refused(
        "zip_duplicate",
        &format!("contains a name twice ({path})"),
        &format!("含有重复名称（{path}）"),
    )
}

fn extra_data() -> ZipFault {
    refused(
        "zip_extra_data",
        "has data before, after or beside its members",
        "在成员之外含有多余数据",
    )
}

fn bomb(en: String, zh: String) -> ZipFault {
    refused(
        "zip_bomb",
        &format!("unpacks beyond the limits: {en}"),
        &format!("解压后超出限制：{zh}"),
    )
}

fn refused(code: &'static str, en: &str, zh: &str) -> ZipFault {
    ZipFault::Refused(Reason::new(code, format!("the zip {en}"), format!("压缩包{zh}")))
}

#[cfg(test)]
mod tests;
