//! Bundles: a zip that every reader sees alike (`ingest::declare::zip` judges that), then each of its members.
//!
//! Nothing is unpacked to disk, and nothing inside a member is opened as a bundle again. Recordings are named, with their
//! place where they are stored as they are; another worker looks at them there.

use super::{
    kind::{self, Kind},
    limits::{Budget, MAX_BUNDLE_BYTES, MAX_FILE_BYTES},
    look,
};
use crate::{
    ingest::{
        declare::zip::{ZipFault, ZipLimits, check},
        text::decode_name,
    },
    inspect::report::{Bundle, Fault, FaultCode, MAX_MEMBERS, Member, Report, printable},
};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use zip::{
    CompressionMethod, ZipArchive,
    read::{ArchiveOffset, Config},
};

/// Members that bundles carry about themselves; their content is others' business.
const CARRIED: [&str; 12] = [
    "csv", "txt", "json", "xml", "sha256", "sha512", "sha1", "md5", "sm3", "sfv", "log", "md",
];

/// Judges a bundle and looks at its members.
///
/// # Errors
/// When the source can't be read.
pub(super) fn inspect<R: Read + Seek>(source: R, size_bytes: u64, report: &mut Report) -> io::Result<()> {
    let mut source = BufReader::with_capacity(256 << 10, source);
    let limits = ZipLimits {
        max_total_bytes: MAX_BUNDLE_BYTES,
        ..ZipLimits::default()
    };
    source.seek(SeekFrom::Start(0))?;
    match check(&mut source, size_bytes, &limits) {
        Ok(_) => {}
        Err(ZipFault::Io(error)) => return Err(error),
        Err(ZipFault::Incomplete(reason)) => {
            report.fault(Fault::new(FaultCode::Truncated, reason.en));
            return Ok(());
        }
        Err(ZipFault::Refused(reason)) => {
            report.fault(Fault::new(code_of(reason.code), reason.en));
            return Ok(());
        }
    }
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut archive = match ZipArchive::with_config(config, source) {
        Ok(archive) => archive,
        Err(error) => {
            report.fault(Fault::new(FaultCode::ArchiveDamaged, error.to_string()));
            return Ok(());
        }
    };
    let mut bundle = Bundle::default();
    let mut budget = Budget::default();
    for index in 0..archive.len() {
        let (member, faults) = match look_at(&mut archive, index, &mut budget) {
            Ok(Some(seen)) => seen,
            Ok(None) => continue,
            Err(error) => {
                report.fault(Fault::new(FaultCode::ArchiveDamaged, error.to_string()));
                continue;
            }
        };
        for fault in faults {
            report.fault(fault.in_member(&member.name));
        }
        bundle.member_count += 1;
        if bundle.members.len() < MAX_MEMBERS {
            bundle.members.push(member);
        } else if bundle.member_count as usize == MAX_MEMBERS + 1 {
            let detail = format!("more than {MAX_MEMBERS} members");
            report.fault(Fault::new(FaultCode::LimitExceeded, detail));
        }
    }
    report.bundle = Some(bundle);
    Ok(())
}

/// Looks at one member; nothing for a folder.
fn look_at<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    budget: &mut Budget,
) -> zip::result::ZipResult<Option<(Member, Vec<Fault>)>> {
    let mut entry = archive.by_index(index)?;
    let name = name_of(entry.name_raw());
    if name.ends_with('/') {
        return Ok(None);
    }
    let mut member = Member {
        name: printable(&name),
        size_bytes: entry.size(),
        ..Member::default()
    };
    let stored = entry.compression() == CompressionMethod::Stored;
    let start = entry.data_start();
    let ext = extension(&name);
    let mut bytes = Vec::new();
    entry
        .by_ref()
        .take(kind::HEAD_BYTES as u64)
        .read_to_end(&mut bytes)?;
    let found = Kind::of(&bytes);
    found.code().clone_into(&mut member.container);
    // Tag files of a bag have no extension of their own.
    if found == Kind::Unknown && CARRIED.contains(&ext.as_str()) {
        return Ok(Some((member, Vec::new())));
    }
    let mut faults = kind::faults(found, &ext, &bytes, member.size_bytes);
    match found {
        Kind::Zip => faults.push(Fault::new(FaultCode::ArchiveNested, "a bundle inside a bundle")),
        Kind::Unknown if member.size_bytes > 0 => {
            faults = vec![Fault::new(
                FaultCode::MemberUnknown,
                "of a kind that isn't inspected",
            )];
        }
        Kind::Recording(_) => {
            faults.retain(|fault| fault.code != FaultCode::Unsupported);
            member.stored_at = start.filter(|_| stored);
            if member.stored_at.is_none() {
                faults.push(Fault::new(
                    FaultCode::MemberUnknown,
                    "a recording packed by Deflate can't be inspected in its place; store recordings (zip -0), or upload them by themselves",
                ));
            }
        }
        _ if !found.is_scan() => {}
        _ if member.size_bytes > MAX_FILE_BYTES => faults.push(Fault::new(
            FaultCode::LimitExceeded,
            format!("{} bytes are more than is looked at", member.size_bytes),
        )),
        _ => {
            entry.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
            let seen = look(found, bytes, budget);
            faults.extend(seen.faults);
            member.scan = seen.scan;
        }
    }
    Ok(Some((member, faults)))
}

/// A member's path: UTF-8, else GB18030, with slashes, each part in its final form.
fn name_of(raw: &[u8]) -> String {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::GB18030
            .decode_without_bom_handling(raw)
            .0
            .into_owned(),
    };
    let parts: Vec<String> = text
        .replace('\\', "/")
        .split('/')
        .map(|part| decode_name(part.as_bytes()).map_or_else(|_| part.to_owned(), |name| name.nfc))
        .collect();
    parts.join("/")
}

fn extension(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.')
        .map(|(_, ext)| ext.to_ascii_lowercase())
        .unwrap_or_default()
}

/// A refusal's code as a fault's.
fn code_of(reason: &str) -> FaultCode {
    match reason {
        "zip_bomb" => FaultCode::ArchiveBomb,
        "zip_duplicate" => FaultCode::ArchiveDuplicate,
        "zip_encrypted" => FaultCode::Encrypted,
        "zip_link" => FaultCode::ArchiveLink,
        "zip_method" => FaultCode::Unsupported,
        "zip_empty" => FaultCode::Empty,
        code if code.starts_with("name_") || code.starts_with("path_") => FaultCode::ArchivePath,
        // A damaged directory, a member that fails its sum, a bag that isn't what it declares, data that no member owns:
        // programs differ in what they make of it.
        _ => FaultCode::ArchiveDamaged,
    }
}
