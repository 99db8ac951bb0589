//! The directory of a zip, judged before any member is opened.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

use super::{
    ZipFault, ZipLimits, bomb, check_expansion, damaged, duplicate, extra_data, no_directory, refused,
};
use crate::domain::reason::Reason;
use crate::ingest::text::{decode_name, fold, relative_path};

/// Largest directory taken, in bytes.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;

/// APPNOTE 4.3.16: finds the end record, which must end the file, and checks that the directory it names ends where the
/// record begins. Returns the number of entries.
pub(super) fn find_directory<R: Read + Seek>(content: &mut R, size_bytes: u64) -> Result<u64, ZipFault> {
    const END: &[u8] = b"PK\x05\x06";
    const END_BYTES: usize = 22;
    let tail_start = size_bytes.saturating_sub(END_BYTES as u64 + 0xFFFF);
    content.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    content.take(size_bytes - tail_start).read_to_end(&mut tail)?;
    let records: Vec<usize> = (0..tail.len())
        .rev()
        .filter(|&at| tail[at..].starts_with(END) && tail.len() - at >= END_BYTES)
        .collect();
    let ends_file = |at: usize| at + END_BYTES + usize::from(u16_at(&tail[at..], 20)) == tail.len();
    let at = match records.as_slice() {
        [] => return Err(no_directory()),
        [last, earlier @ ..] if ends_file(*last) && !earlier.iter().any(|&at| ends_file(at)) => *last,
        [last, ..] if last + END_BYTES + usize::from(u16_at(&tail[*last..], 20)) > tail.len() => {
            return Err(no_directory());
        }
        _ => return Err(extra_data()),
    };
    let record = &tail[at..];
    let record_start = tail_start + at as u64;
    let mut entries = u64::from(u16_at(record, 10));
    let mut size = u64::from(u32_at(record, 12));
    let mut start = u64::from(u32_at(record, 16));
    let mut end = record_start;
    if u16_at(record, 4) != 0 && u16_at(record, 4) != 0xFFFF {
        return Err(refused(
            "zip_method",
            "is split into several parts",
            "是分卷压缩包",
        ));
    }
    if entries == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
        let zip64 = end64(content, record_start)?;
        if let Some((record64_start, record64)) = zip64 {
            (entries, size, start) = (
                u64_at(&record64, 32),
                u64_at(&record64, 40),
                u64_at(&record64, 48),
            );
            end = record64_start;
        }
    }
    if start.checked_add(size) != Some(end) {
        return Err(extra_data());
    }
    // Every entry is held in memory with its name, extra fields and comment.
    if size > MAX_DIRECTORY_BYTES {
        return Err(bomb(
            format!("a directory of {size} bytes"),
            format!("目录大小 {size} 字节"),
        ));
    }
    if entries == 0 {
        return Err(refused("zip_empty", "contains no files", "不含任何文件"));
    }
    Ok(entries)
}

/// APPNOTE 4.3.14 and 4.3.15: the zip64 end record, through the locator that stands before the end record.
fn end64<R: Read + Seek>(content: &mut R, record_start: u64) -> Result<Option<(u64, [u8; 56])>, ZipFault> {
    let Some(locator_start) = record_start.checked_sub(20) else {
        return Ok(None);
    };
    let mut locator = [0; 20];
    content.seek(SeekFrom::Start(locator_start))?;
    content.read_exact(&mut locator).map_err(|_| damaged())?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let start = u64_at(&locator, 8);
    let mut record = [0; 56];
    content.seek(SeekFrom::Start(start)).map_err(|_| damaged())?;
    content.read_exact(&mut record).map_err(|_| damaged())?;
    let ends = start
        .checked_add(12)
        .and_then(|at| at.checked_add(u64_at(&record, 4)));
    if !record.starts_with(b"PK\x06\x06") || ends != Some(locator_start) {
        return Err(extra_data());
    }
    Ok(Some((start, record)))
}

/// Judges every entry by the directory alone. `None` stands for a folder.
pub(super) fn check_directory<R: Read + Seek>(
    archive: &ZipArchive<R>,
    limits: &ZipLimits,
) -> Result<Vec<Option<String>>, ZipFault> {
    let mut names = Vec::with_capacity(archive.len());
    let (mut seen, mut files, mut folders) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut total_bytes = 0u64;
    let mut first_start = u64::MAX;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|_| damaged())?;
        let (path, folder) = member_path(entry.name_raw()).map_err(|reason| {
            refused(
                reason.code,
                &format!("contains a bad name: {}", reason.en),
                &format!("含有不合规的名称：{}", reason.zh),
            )
        })?;
        // Regular files and folders only; zero stands for systems without these bits.
        let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
        if entry.is_symlink() || !matches!(kind, 0 | 0o100_000 | 0o040_000) {
            return Err(refused(
                "zip_link",
                "contains a link or a device",
                "含有链接或设备文件",
            ));
        }
        if entry.encrypted() {
            return Err(refused(
                "zip_encrypted",
                "is encrypted; send it without a password",
                "已加密；请去除密码后重新上传",
            ));
        }
        if !matches!(
            entry.compression(),
            CompressionMethod::Stored | CompressionMethod::Deflated
        ) {
            return Err(refused(
                "zip_method",
                "uses a method other than Store and Deflate",
                "使用了 Store 与 Deflate 以外的压缩方式",
            ));
        }
        let (size, compressed) = (entry.size(), entry.compressed_size());
        total_bytes = total_bytes.saturating_add(size);
        check_expansion(size, compressed, total_bytes, limits)?;
        first_start = first_start.min(entry.header_start());
        if folder && size > 0 {
            return Err(damaged());
        }
        let folded = fold(&path);
        if !seen.insert(folded.clone()) {
            return Err(duplicate(&path));
        }
        folders.extend(folded.match_indices('/').map(|(at, _)| folded[..at].to_owned()));
        if !folder {
            files.insert(folded);
        }
        names.push((!folder).then_some(path));
    }
    if let Some(path) = files.intersection(&folders).next() {
        return Err(duplicate(path));
    }
    if first_start != 0 {
        return Err(extra_data());
    }
    Ok(names)
}

/// The path of a member and whether it is a folder. Old Windows tools write GBK and backslashes.
fn member_path(raw: &[u8]) -> Result<(String, bool), Reason> {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        // Backslash may be the second byte of a GBK character, so decode first and split afterwards.
        Err(_) => encoding_rs::GB18030
            .decode_without_bom_handling_and_without_replacement(raw)
            .map(|text| text.into_owned())
            .ok_or_else(|| {
                Reason::new(
                    "name_encoding",
                    "neither UTF-8 nor GBK",
                    "既不是 UTF-8 也不是 GBK",
                )
            })?,
    };
    let slashed = text.replace('\\', "/");
    let path = relative_path(slashed.strip_suffix('/').unwrap_or(&slashed))?;
    for component in path.split('/') {
        decode_name(component.as_bytes())?;
    }
    Ok((path, slashed.ends_with('/')))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
