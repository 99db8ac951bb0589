//! What a file is, by its first bytes, in the words of a report; and whether its extension says the same.

use crate::{
    ingest::structure::Container,
    inspect::report::{Fault, FaultCode},
};

/// Bytes of the head that are looked at.
pub(super) const HEAD_BYTES: usize = 1_024;

/// Kinds told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    Tiff,
    Pdf,
    Zip,
    /// A recording; another worker's business.
    Recording(&'static str),
    Unknown,
}

impl Kind {
    pub(super) fn of(head: &[u8]) -> Self {
        let has = |text: &[u8], within: usize| {
            head[..head.len().min(within)]
                .windows(text.len())
                .any(|window| window == text)
        };
        match Container::detect(head) {
            Some(Container::Jpeg) => Self::Jpeg,
            Some(Container::Png) => Self::Png,
            Some(Container::Tiff) => Self::Tiff,
            Some(Container::Pdf) => Self::Pdf,
            Some(Container::Zip) => Self::Zip,
            Some(Container::Iso) if head.get(4..8) == Some(b"ftyp") && head.get(8..12) != Some(b"qt  ") => {
                Self::Recording("mp4")
            }
            Some(Container::Iso) => Self::Recording("mov"),
            Some(Container::Matroska) if has(b"webm", 64) => Self::Recording("webm"),
            Some(Container::Matroska) => Self::Recording("matroska"),
            Some(Container::Avi) => Self::Recording("avi"),
            Some(Container::Wav) => Self::Recording("wav"),
            Some(Container::Asf) => Self::Recording("asf"),
            Some(Container::Mpeg) if head.first() == Some(&0x47) => Self::Recording("mpeg_ts"),
            Some(Container::Mpeg) => Self::Recording("mpeg_ps"),
            None if head.starts_with(b"FLV\x01") => Self::Recording("flv"),
            None if head.starts_with(b"ID3") || matches!(head, [0xFF, 0xFB | 0xF3 | 0xF2, ..]) => {
                Self::Recording("mp3")
            }
            // ISO 32000 annex H: readers take a header anywhere in the first kilobyte.
            None if has(b"%PDF-", HEAD_BYTES) => Self::Pdf,
            None => Self::Unknown,
        }
    }

    /// The word in a report.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Tiff => "tiff",
            Self::Pdf => "pdf",
            Self::Zip => "zip",
            Self::Recording(code) => code,
            Self::Unknown => "unknown",
        }
    }

    /// An extension that the structure walk knows this kind by.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Tiff => "tif",
            other => other.code(),
        }
    }

    /// Whether it is a picture or document.
    pub(super) fn is_scan(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Tiff | Self::Pdf)
    }

    /// Whether a file of this kind may bear this extension; recordings aren't told apart finely.
    fn may_be_called(self, ext: &str) -> bool {
        match (self, Container::expected(ext)) {
            (Self::Jpeg, Some(Container::Jpeg))
            | (Self::Png, Some(Container::Png))
            | (Self::Tiff, Some(Container::Tiff))
            | (Self::Pdf, Some(Container::Pdf))
            | (Self::Zip, Some(Container::Zip)) => true,
            (Self::Recording("mp4" | "mov"), Some(Container::Iso))
            | (Self::Recording("matroska" | "webm"), Some(Container::Matroska))
            | (Self::Recording("avi"), Some(Container::Avi))
            | (Self::Recording("wav"), Some(Container::Wav))
            | (Self::Recording("asf"), Some(Container::Asf))
            | (Self::Recording("mpeg_ts" | "mpeg_ps"), Some(Container::Mpeg)) => true,
            (Self::Recording(code @ ("flv" | "mp3")), None) => code == ext,
            _ => false,
        }
    }
}

/// What the head alone says against a file.
pub(super) fn faults(kind: Kind, ext: &str, head: &[u8], size_bytes: u64) -> Vec<Fault> {
    if size_bytes == 0 {
        return vec![Fault::new(FaultCode::Empty, "0 bytes")];
    }
    if kind == Kind::Unknown {
        if head.iter().all(|&byte| byte == 0) {
            return vec![Fault::new(FaultCode::DataMissing, "it begins with nothing but zeros").at_byte(0)];
        }
        return vec![Fault::new(FaultCode::Unreadable, "of no kind that is known here")];
    }
    let mut faults = Vec::new();
    if !kind.may_be_called(ext) {
        let detail = format!("named .{ext}, but it is {}", kind.code());
        faults.push(Fault::new(FaultCode::WrongExtension, detail));
    } else if let Kind::Recording(code) = kind {
        let detail = format!("{code} isn't for the inspector of scans");
        faults.push(Fault::new(FaultCode::Unsupported, detail));
    }
    faults
}
