//! What a recording's container is, what its extension promises, and what the structure walk says of it.

use muniment::{
    ingest::structure::{Container, ContainerWalk, Structure, StructureCheck},
    inspect::{
        report::{Fault, FaultCode, Report},
        wire::Worker,
    },
};

use crate::follow::Seen;

/// Bytes at the beginning that tell containers apart.
const HEAD_BYTES: usize = 4 << 10;

/// No container begins with so many zeros.
const ZERO_HEAD_BYTES: usize = 400;

/// The first bytes of a file.
pub(crate) fn head(worker: &Worker) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES];
    let got = worker.second().read_at(0, &mut head).unwrap_or(0);
    head.truncate(got);
    head
}

/// A container by the name of libavformat's demuxer and the file's first bytes, as reports name it.
pub(crate) fn name(demuxer: Option<&str>, head: &[u8]) -> &'static str {
    let says = |word: &[u8]| head.windows(word.len()).take(64).any(|window| window == word);
    let detected = match Container::detect(head) {
        Some(Container::Iso) => "mov,",
        Some(Container::Matroska) => "matroska,",
        Some(Container::Avi) => "avi",
        Some(Container::Wav) => "wav",
        Some(Container::Asf) => "asf",
        Some(Container::Jpeg) => return "jpeg",
        Some(Container::Tiff) => return "tiff",
        Some(Container::Png) => return "png",
        Some(Container::Pdf) => return "pdf",
        Some(Container::Zip) => return "zip",
        Some(Container::Mpeg) if head.first() == Some(&0x47) => "mpegts",
        Some(Container::Mpeg) => "mpeg",
        None => "",
    };
    match demuxer.unwrap_or(detected) {
        name if name.starts_with("mov,") => match head.get(4..12) {
            Some(b"ftypqt  ") => "mov",
            Some(begin) if begin.starts_with(b"ftyp") => "mp4",
            _ => "mov",
        },
        name if name.starts_with("matroska") => {
            if says(b"webm") {
                "webm"
            } else {
                "matroska"
            }
        }
        "avi" => "avi",
        "asf" => "asf",
        "mpeg" | "mpegvideo" => "mpeg_ps",
        "mpegts" => "mpeg_ts",
        "flv" => "flv",
        "wav" => "wav",
        "mp3" => "mp3",
        "aac" => "aac",
        _ => "unknown",
    }
}

/// Containers that an extension may have; none for an extension that isn't known here.
fn promised(ext: &str) -> Option<&'static [&'static str]> {
    Some(match ext {
        "mp4" | "mov" | "m4v" | "m4a" | "qt" | "3gp" | "3g2" | "f4v" => &["mp4", "mov"],
        "mkv" | "mka" => &["matroska", "webm"],
        "webm" => &["webm", "matroska"],
        "avi" => &["avi"],
        "wav" => &["wav"],
        "wmv" | "wma" | "asf" => &["asf"],
        "mpg" | "mpeg" | "vob" | "m2v" | "dat" => &["mpeg_ps", "mpeg_ts"],
        "ts" | "mts" | "m2ts" => &["mpeg_ts"],
        "flv" => &["flv"],
        "mp3" => &["mp3"],
        "aac" => &["aac"],
        _ => return None,
    })
}

/// Notes it when the content isn't what the extension says.
pub(crate) fn check_extension(report: &mut Report, ext: &str) {
    let container = report.container.as_str();
    if container == "unknown" {
        return;
    }
    if promised(ext).is_some_and(|promised| !promised.contains(&container)) {
        let detail = format!("the name says .{ext}, the content is {container}");
        report.fault(Fault::new(FaultCode::WrongExtension, detail));
    }
}

/// Notes what the walk along declared sizes finds.
pub(crate) fn walk(worker: &Worker, report: &mut Report, ext: &str, head: &[u8]) {
    let size_bytes = worker.size_bytes();
    if head.iter().take(ZERO_HEAD_BYTES).all(|&byte| byte == 0) {
        report.fault(Fault::new(FaultCode::Unreadable, "its beginning is zeros"));
        return;
    }
    match ContainerWalk::default().check(&mut worker.second(), size_bytes, ext) {
        Structure::Whole { .. } => {}
        Structure::Incomplete { reason } | Structure::Damaged { reason } | Structure::Unknown { reason } => {
            let code = match reason.code {
                "empty" => FaultCode::Empty,
                "truncated" => FaultCode::Truncated,
                "not_finished" => FaultCode::IndexMissing,
                "damaged_structure" => FaultCode::DataMissing,
                "trailing_data" => FaultCode::TrailingBytes,
                // The extension is checked against what libav found; the rest says nothing about the file.
                _ => return,
            };
            report.fault(Fault::new(code, reason.en));
        }
    }
}

/// Notes what following the container has shown.
pub(crate) fn followed(report: &mut Report, seen: &Seen) {
    let has = |report: &Report, code| report.faults.iter().any(|fault: &Fault| fault.code == code);
    if let Some(what) = seen.truncated
        && !has(report, FaultCode::Truncated)
    {
        report.fault(Fault::new(FaultCode::Truncated, what));
    }
    if seen.index_missing && !has(report, FaultCode::IndexMissing) {
        report.fault(Fault::new(
            FaultCode::IndexMissing,
            "it promises an index that isn't there",
        ));
    }
    if seen.loss_count > 0 {
        let place = seen.losses.first().copied();
        let detail = match place {
            Some((from, to)) => format!("{} bytes that aren't {}", to - from, report.container),
            None => "packets are missing by their counters".to_owned(),
        };
        let mut fault = Fault::new(FaultCode::DataMissing, detail);
        fault.at_byte = place.map(|(from, _)| from);
        fault.count = seen.loss_count;
        report.fault(fault);
    }
}
