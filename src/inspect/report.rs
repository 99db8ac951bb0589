//! What an inspector saw: facts only. What they mean for a document type is `policy`'s business.
//!
//! All numbers are integers (milliseconds, thousandths, hundredths), so a report is canonical JSON's subset. Texts are
//! cut and made printable by the side that makes them, and again where a report is taken in.
//!
//! Invariant: a report is bounded: [`Report::check`] refuses longer lists than the constants here allow.

use serde::{Deserialize, Serialize};

/// Version of this layout.
pub const REPORT_VERSION: u32 = 1;
/// Faults listed at the most; more only count.
pub const MAX_FAULTS: usize = 64;
/// Stretches listed of one kind at the most.
pub const MAX_STRETCHES: usize = 64;
/// Pages described one by one at the most.
pub const MAX_PAGES: usize = 1_000;
/// Members of a bundle at the most.
pub const MAX_MEMBERS: usize = 5_000;
/// Streams described at the most.
pub const MAX_STREAMS: usize = 16;
/// Bytes of a report as JSON at the most.
pub const MAX_REPORT_BYTES: usize = 1 << 20;
/// Characters of any text in it at the most.
pub const MAX_TEXT: usize = 256;

/// How thoroughly a file was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Before the receipt: everything demuxed, key frames decoded; scans wholly.
    Gate,
    /// In the background: everything decoded and measured.
    Deep,
}

/// Something wrong with a file whatever its document type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// Nothing in it.
    Empty,
    /// The content isn't of the kind that the extension says.
    WrongExtension,
    /// Of no kind that is known here, or its head is unreadable.
    Unreadable,
    /// It ends before its own structure says it does.
    Truncated,
    /// Its index (moov, idx1, Cues, cross-reference table) is missing.
    IndexMissing,
    /// Bytes inside are missing or overwritten: holes, zero runs, chunks that aren't what the structure says.
    DataMissing,
    /// Timestamps jump or stop.
    TimelineGap,
    /// A decoder reported damage.
    DecodeError,
    /// A picture, page or member can't be decoded at all.
    Undecodable,
    /// Bytes after the end.
    TrailingBytes,
    /// Can't be read without a password.
    Encrypted,
    /// A PDF that carries JavaScript or starts actions.
    ActiveContent,
    /// A PDF that carries files.
    Attachments,
    /// A bundle that expands beyond its limits.
    ArchiveBomb,
    /// A bundle's member with an absolute, drive or parent path, or a forbidden character.
    ArchivePath,
    /// A bundle's member that is a link or device.
    ArchiveLink,
    /// A bundle inside a bundle.
    ArchiveNested,
    /// Two members with one name (case and Unicode form aside).
    ArchiveDuplicate,
    /// A bundle whose directory contradicts itself.
    ArchiveDamaged,
    /// A member of a kind that isn't inspected.
    MemberUnknown,
    /// More streams, pages, pixels or members than are looked at.
    LimitExceeded,
    /// Valid, but of a variety that can't be judged here (old JPEG in TIFF, palette TIFF, exotic codec).
    Unsupported,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub code: FaultCode,
    /// When in the recording, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// Where in the file, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_byte: Option<u64>,
    /// On which page, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// In which member of a bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// For an engineer: what the parser said. Printable, at most [`MAX_TEXT`] characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How often, from 1.
    pub count: u32,
}

/// What an inspector saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub v: u32,
    /// Program and library versions, such as `muniment-inspector 0.1.0, libavcodec 59.37.100`.
    pub inspector: String,
    /// How thoroughly.
    pub tier: Tier,
    /// What the content is: `mp4`, `mov`, `matroska`, `webm`, `avi`, `asf`, `mpeg_ps`, `mpeg_ts`, `flv`, `wav`, `mp3`,
    /// `jpeg`, `png`, `tiff`, `pdf`, `zip`, `unknown`.
    pub container: String,
    /// Size of the original in bytes.
    pub size_bytes: u64,
    /// Faults, the gravest first, at most [`MAX_FAULTS`].
    pub faults: Vec<Fault>,
    /// Of a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Of a picture or document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// Of a bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
}

/// A recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Length that the container declares, milliseconds.
    pub declared_ms: Option<i64>,
    /// Length from the first to the end of the last packet, milliseconds.
    pub measured_ms: i64,
    /// Average over the file, bits a second.
    pub bit_rate: u64,
    /// Creation time that the container claims, as it stands there.
    pub created: Option<String>,
    /// Video streams.
    pub video: Vec<Video>,
    /// Audio streams.
    pub audio: Vec<Audio>,
    /// Streams of other kinds.
    pub other_streams: u32,
    /// What the full decode measured; deep tier only.
    pub deep: Option<Deep>,
}

/// A video stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Video {
    /// Codec as libavcodec names it.
    pub codec: String,
    /// Pixels, before rotation.
    pub width: u32,
    /// Pixels, before rotation.
    pub height: u32,
    /// Degrees clockwise that a player turns it by.
    pub rotation: u32,
    /// Average frames in 1,000 seconds.
    pub frame_rate_milli: u32,
    /// Bits a second; 0 when unknown.
    pub bit_rate: u64,
    /// Length from packets, milliseconds.
    pub duration_ms: i64,
    /// Packets demuxed.
    pub packets: u64,
    /// Key frames seen.
    pub key_frames: u64,
    /// Key frames decoded.
    pub key_frames_decoded: u64,
    /// Frames decoded; deep tier only.
    pub frames: u64,
}

/// An audio stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audio {
    /// Codec as libavcodec names it.
    pub codec: String,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Channels.
    pub channels: u32,
    /// Bits a second; 0 when unknown.
    pub bit_rate: u64,
    /// Length from packets, milliseconds.
    pub duration_ms: i64,
    /// Packets demuxed.
    pub packets: u64,
}

/// A stretch of time, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Begin.
    pub from_ms: i64,
    /// End.
    pub to_ms: i64,
}

/// Stretches of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stretches {
    /// All of them together, milliseconds.
    pub total_ms: i64,
    /// The first ones, at most [`MAX_STRETCHES`].
    pub first: Vec<Stretch>,
}

/// What a full decode measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deep {
    /// Frames whose decoder concealed damage.
    pub damaged_frames: u64,
    /// Black.
    pub black: Stretches,
    /// No movement at all.
    pub frozen: Stretches,
    /// Too dark to see.
    pub underexposed: Stretches,
    /// Blown out.
    pub overexposed: Stretches,
    /// No sound.
    pub silent: Stretches,
    /// Samples at full scale, of a million.
    pub clipped_ppm: u32,
    /// Integrated loudness (EBU R128), hundredths of LUFS; nothing for silence or no audio.
    pub loudness_lufs_centi: Option<i32>,
    /// Highest sample peak, hundredths of dBFS.
    pub peak_dbfs_centi: Option<i32>,
}

/// A picture or document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scan {
    /// Pages in all.
    pub page_count: u32,
    /// The first ones, at most [`MAX_PAGES`].
    pub pages: Vec<Page>,
    /// Creation time that the file claims (EXIF, PDF), as it stands there.
    pub created: Option<String>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Pixels; of a PDF page, of its largest image, else 0.
    pub width_px: u32,
    /// Pixels.
    pub height_px: u32,
    /// Dots per inch, the lower of the two directions; nothing when the file doesn't say.
    pub dpi: Option<u32>,
    /// Degrees clockwise that a viewer turns it by (EXIF, TIFF orientation, PDF /Rotate).
    pub rotation: u32,
    /// Bits a pixel.
    pub bits_per_pixel: u32,
    /// Nothing to see on it.
    pub blank: bool,
    /// Drawn by text and lines rather than by an image; dpi means nothing then.
    pub vector: bool,
}

/// A bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bundle {
    /// Members in all, folders aside.
    pub member_count: u32,
    /// Each of them.
    pub members: Vec<Member>,
}

/// A member of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Member {
    /// Its path in the bundle, decoded (UTF-8, else GB18030).
    pub name: String,
    /// Its size in bytes, expanded.
    pub size_bytes: u64,
    /// What it is, as in [`Report::container`].
    pub container: String,
    /// Of a picture or document.
    pub scan: Option<Scan>,
    /// Of a recording, which another worker looked at.
    pub media: Option<Media>,
    /// Where its bytes lie when they are stored as they are: offset in the bundle.
    pub stored_at: Option<u64>,
}

/// Why a report isn't taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the report {0}")]
pub struct ReportError(pub &'static str);

impl Report {
    /// A report with nothing in it yet.
    pub fn new(
        inspector: impl Into<String>,
        tier: Tier,
        container: impl Into<String>,
        size_bytes: u64,
    ) -> Self {
        Report {
            v: REPORT_VERSION,
            inspector: inspector.into(),
            tier,
            container: container.into(),
            size_bytes,
            faults: Vec::new(),
            media: None,
            scan: None,
            bundle: None,
        }
    }

    /// Notes a fault; one of the same code, page and member is counted, not listed again. The list stays bounded.
    pub fn fault(&mut self, fault: Fault) {
        let same = |known: &&mut Fault| {
            known.code == fault.code && known.page == fault.page && known.member == fault.member
        };
        if let Some(known) = self.faults.iter_mut().find(same) {
            known.count = known.count.saturating_add(fault.count);
        } else if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    /// Refuses what is longer than a report may be.
    ///
    /// # Errors
    /// Says which part is too long.
    pub fn check(&self) -> Result<(), ReportError> {
        let stretches = |deep: &Deep| {
            [
                &deep.black,
                &deep.frozen,
                &deep.underexposed,
                &deep.overexposed,
                &deep.silent,
            ]
            .iter()
            .any(|kind| kind.first.len() > MAX_STRETCHES)
        };
        let media = |media: &Media| {
            media.video.len() + media.audio.len() > MAX_STREAMS || media.deep.as_ref().is_some_and(stretches)
        };
        let pages = |scan: &Scan| scan.pages.len() > MAX_PAGES;
        let members: &[Member] = self.bundle.as_ref().map_or(&[], |bundle| &bundle.members);
        if self.v != REPORT_VERSION {
            return Err(ReportError("is of another version"));
        }
        if self.faults.len() > MAX_FAULTS {
            return Err(ReportError("has too many faults"));
        }
        if self
            .media
            .iter()
            .chain(members.iter().filter_map(|member| member.media.as_ref()))
            .any(media)
        {
            return Err(ReportError("has too many streams or stretches"));
        }
        if self
            .scan
            .iter()
            .chain(members.iter().filter_map(|member| member.scan.as_ref()))
            .any(pages)
        {
            return Err(ReportError("has too many pages"));
        }
        if members.len() > MAX_MEMBERS {
            return Err(ReportError("has too many members"));
        }
        Ok(())
    }
}

impl Fault {
    /// A fault of the whole file.
    pub fn new(code: FaultCode, detail: impl AsRef<str>) -> Self {
        Fault {
            code,
            at_ms: None,
            at_byte: None,
            page: None,
            member: None,
            detail: printable(detail.as_ref()),
            count: 1,
        }
    }

    /// At a time in the recording.
    pub fn at_ms(mut self, at_ms: i64) -> Self {
        self.at_ms = Some(at_ms);
        self
    }

    /// At a byte of the file.
    pub fn at_byte(mut self, at_byte: u64) -> Self {
        self.at_byte = Some(at_byte);
        self
    }

    /// On a page, from 1.
    pub fn on_page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// In a member of a bundle.
    pub fn in_member(mut self, member: impl AsRef<str>) -> Self {
        self.member = Some(printable(member.as_ref()));
        self
    }
}

/// Cuts a text to [`MAX_TEXT`] characters and takes control characters out.
pub fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_TEXT).map(shown).collect()
}
