//! Kinds of documents: what sort of file a type takes, and so how it is inspected and which rules can apply.

/// What sort of file a document type takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A video with sound.
    Recording,
    /// Sound alone.
    Audio,
    /// Pictures and pages.
    Scan,
    /// A zip of scans and recordings.
    Bundle,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Recording, Self::Audio, Self::Scan, Self::Bundle];

    /// The stable code in tables.
    pub fn code(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Audio => "audio",
            Self::Scan => "scan",
            Self::Bundle => "bundle",
        }
    }

    /// The kind with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// File name extensions that there is an inspection for.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Recording => &[
                "mp4", "m4v", "mov", "avi", "wmv", "asf", "mpg", "mpeg", "vob", "mkv", "webm", "flv",
            ],
            Self::Audio => &["wav", "mp3", "m4a", "wma"],
            Self::Scan => &["jpg", "jpeg", "png", "tif", "tiff", "pdf"],
            Self::Bundle => &["zip"],
        }
    }
}
