//! Is this file all there? What its container's own structure can tell, when nobody declared anything.
//!
//! A port, [`StructureCheck`], and a default, [`ContainerWalk`], that follows declared sizes and indices without decoding
//! anything. It proves truncation, not integrity: a flipped bit inside a picture passes, and the inspector behind the
//! same port will know better. It must never know where content comes from or what is decided upon its answer.
//!
//! Invariants: no input panics; every loop and every read is bounded, and a walk over gigabytes of video reads kilobytes.

mod asf;
mod iso;
mod jpeg;
mod matroska;
mod mpeg;
mod pdf;
mod png;
mod riff;
mod tiff;
mod window;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek};

use serde::Serialize;

use self::window::{Stop, Window};
use super::declare::zip::{self, ZipFault, ZipLimits};
use crate::domain::reason::Reason;

/// Code of the answer for files that have no walk here.
pub const NO_STRUCTURE_CHECK: &str = "no_structure_check";

/// Content that can be read anywhere.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// What the structure of a file tells about its completeness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Structure {
    /// Every part the container announces is there.
    Whole {
        /// What it is.
        container: Container,
        /// A bag (RFC 8493) inside declares and proves every part of it.
        bag: bool,
    },
    /// Parts are missing that more bytes could still bring: wait for them.
    Incomplete {
        /// What is missing.
        reason: Reason,
    },
    /// Wrong in a way that more bytes won't mend.
    Damaged {
        /// What is wrong.
        reason: Reason,
    },
    /// The structure doesn't tell.
    Unknown {
        /// Why not.
        reason: Reason,
    },
}

impl Structure {
    /// Stable word for records: the container when it is whole, the reason's code otherwise.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Whole { container, .. } => container.code(),
            Self::Incomplete { reason } | Self::Damaged { reason } | Self::Unknown { reason } => reason.code,
        }
    }
}

/// Judges content of `size_bytes` under the extension `ext` (lower-case, without the dot).
pub trait StructureCheck: Send + Sync {
    /// Reads what it needs; a store that fails makes the answer [`Structure::Unknown`] with code `unreadable`.
    fn check(&self, content: &mut dyn ReadSeek, size_bytes: u64, ext: &str) -> Structure;
}

/// Container formats that are told apart by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// ISO base media and QuickTime: mp4, mov, m4a.
    Iso,
    /// Matroska and WebM.
    Matroska,
    /// AVI, with or without OpenDML.
    Avi,
    /// RIFF WAVE.
    Wav,
    /// ASF: wmv, wma.
    Asf,
    /// MPEG program, transport and elementary streams: mpg, vob.
    Mpeg,
    /// JPEG.
    Jpeg,
    /// TIFF and BigTIFF.
    Tiff,
    /// PNG.
    Png,
    /// PDF.
    Pdf,
    /// Zip.
    Zip,
}

impl Container {
    /// Stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Matroska => "matroska",
            Self::Avi => "avi",
            Self::Wav => "wav",
            Self::Asf => "asf",
            Self::Mpeg => "mpeg",
            Self::Jpeg => "jpeg",
            Self::Tiff => "tiff",
            Self::Png => "png",
            Self::Pdf => "pdf",
            Self::Zip => "zip",
        }
    }

    /// The container that files with this extension must have.
    pub fn expected(ext: &str) -> Option<Self> {
        Some(match ext {
            "mp4" | "mov" | "m4v" | "m4a" | "qt" | "3gp" => Self::Iso,
            "mkv" | "webm" | "mka" => Self::Matroska,
            "avi" => Self::Avi,
            "wav" => Self::Wav,
            "wmv" | "wma" | "asf" => Self::Asf,
            "mpg" | "mpeg" | "vob" | "ts" | "m2v" => Self::Mpeg,
            "jpg" | "jpeg" => Self::Jpeg,
            "tif" | "tiff" => Self::Tiff,
            "png" => Self::Png,
            "pdf" => Self::Pdf,
            "zip" => Self::Zip,
            _ => return None,
        })
    }

    /// What content that begins like this is.
    pub fn detect(head: &[u8]) -> Option<Self> {
        let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        let boxes: [&[u8]; 8] = [
            b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid",
        ];
        Some(match head {
            _ if boxes.iter().any(|kind| at(4, kind)) => Self::Iso,
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Self::Matroska,
            _ if at(0, b"RIFF") && at(8, b"AVI ") => Self::Avi,
            _ if at(0, b"RIFF") && at(8, b"WAVE") => Self::Wav,
            _ if at(0, &asf::HEADER) => Self::Asf,
            [0, 0, 1, 0xBA | 0xB3, ..] => Self::Mpeg,
            [0x47, ..] if at(188, &[0x47]) && at(376, &[0x47]) => Self::Mpeg,
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Self::Tiff,
            _ if at(0, &png::SIGNATURE) => Self::Png,
            _ if at(0, b"%PDF-") || at(0, b"\xef\xbb\xbf%PDF-") => Self::Pdf,
            _ if at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06") => Self::Zip,
            _ => return None,
        })
    }
}

/// The default check: magic, then a walk along what the container declares.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContainerWalk {
    /// What a zip may cost.
    pub zip: ZipLimits,
}

impl StructureCheck for ContainerWalk {
    fn check(&self, content: &mut dyn ReadSeek, size_bytes: u64, ext: &str) -> Structure {
        if size_bytes == 0 {
            let reason = Reason::new(
                "empty",
                "the file is empty; nothing has arrived yet",
                "文件为空，尚未收到内容",
            );
            return Structure::Incomplete { reason };
        }
        match self.walk(content, size_bytes, &ext.to_ascii_lowercase()) {
            Ok((container, bag)) => Structure::Whole { container, bag },
            Err(stop) => stop.into_structure(),
        }
    }
}

impl ContainerWalk {
    fn walk(
        &self,
        content: &mut dyn ReadSeek,
        size_bytes: u64,
        ext: &str,
    ) -> Result<(Container, bool), Stop> {
        let Some(expected) = Container::expected(ext) else {
            return Err(Stop::unknown(
                NO_STRUCTURE_CHECK,
                format!(
                    "completeness of .{ext} files can't be judged by their structure; declare a checksum"
                ),
                format!("无法依据结构判断 .{ext} 文件是否完整；请提供校验值"),
            ));
        };
        let mut window = Window::new(content, size_bytes);
        let head = window.bytes(0, size_bytes.min(400) as usize)?;
        match Container::detect(&head) {
            Some(found) if found == expected => {}
            None if size_bytes < 16 => return Err(Stop::truncated("header", "文件头")),
            // Clients that write out of order leave a hole at the beginning for a while.
            None if head.iter().all(|&byte| byte == 0) => {
                return Err(Stop::truncated("beginning", "开头部分"));
            }
            found => return Err(wrong_extension(ext, found)),
        }
        match expected {
            Container::Iso => iso::walk(&mut window)?,
            Container::Matroska => matroska::walk(&mut window)?,
            Container::Avi | Container::Wav => riff::walk(&mut window)?,
            Container::Asf => asf::walk(&mut window)?,
            Container::Mpeg => mpeg::walk(&mut window)?,
            Container::Jpeg => jpeg::walk(&mut window)?,
            Container::Tiff => tiff::walk(&mut window)?,
            Container::Png => png::walk(&mut window)?,
            Container::Pdf => pdf::walk(&mut window)?,
            Container::Zip => match zip::check(content, size_bytes, &self.zip) {
                Ok(report) => return Ok((expected, report.bag.is_some())),
                Err(ZipFault::Incomplete(reason)) => return Err(Stop::Incomplete(reason)),
                Err(ZipFault::Refused(reason)) => return Err(Stop::Damaged(reason)),
                Err(ZipFault::Io(_)) => return Err(Stop::unreadable()),
            },
        }
        Ok((expected, false))
    }
}

fn wrong_extension(ext: &str, found: Option<Container>) -> Stop {
    let found = found.map_or("?", Container::code);
    Stop::Damaged(Reason::new(
        "wrong_extension",
        format!("the name says .{ext}, the content is something else ({found}); give it the right extension"),
        format!("扩展名为 .{ext}，但内容是其他格式（{found}）；请使用正确的扩展名"),
    ))
}
