//! The closed list of finding codes, and what decides how grave each of them is.
//!
//! Invariant: a code that was ever written into a log keeps its text and its meaning; new ones are added.

use super::Severity;

/// What can be held against a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// It can't be read as anything that is known here.
    Unreadable,
    /// The content is of another kind than its extension says.
    WrongExtension,
    /// It ends before its own structure says it does.
    Truncated,
    /// Its index is missing.
    IndexMissing,
    /// Bytes inside are missing or overwritten.
    DataMissing,
    /// Its timestamps jump or stop.
    TimelineGap,
    /// A decoder reported damage.
    DecodeError,
    /// A picture, page or member can't be decoded at all.
    Undecodable,
    /// Bytes after the end.
    TrailingBytes,
    /// It can't be read without a password.
    Encrypted,
    /// A PDF that carries JavaScript or starts actions.
    ActiveContent,
    /// A PDF that carries files.
    Attachments,
    /// A bundle that expands beyond its limits.
    ArchiveBomb,
    /// A member of a bundle with an unsafe path.
    ArchivePath,
    /// A member of a bundle that is a link or device.
    ArchiveLink,
    /// A bundle inside a bundle.
    ArchiveNested,
    /// Two members of a bundle with one name.
    ArchiveDuplicate,
    /// A bundle whose directory contradicts itself.
    ArchiveDamaged,
    /// A member of a kind that isn't inspected.
    MemberUnknown,
    /// More of something than is looked at.
    LimitExceeded,
    /// Valid, but of a variety that can't be judged here.
    Unsupported,
    /// Nothing in it.
    Empty,
    /// A recording without a picture.
    NoVideo,
    /// A recording without sound.
    NoAudio,
    /// Shorter than its type allows.
    TooShort,
    /// Longer than its type allows.
    TooLong,
    /// Fewer bytes than its type allows.
    TooSmall,
    /// Fewer pixels in a video than its type allows.
    ResolutionLow,
    /// Fewer frames a second than its type allows.
    FrameRateLow,
    /// Lengths of container, picture and sound differ.
    DurationMismatch,
    /// Black picture.
    Black,
    /// Picture without movement.
    Frozen,
    /// Too dark to see.
    Underexposed,
    /// Blown out.
    Overexposed,
    /// No sound in it.
    Silent,
    /// Overdriven sound.
    Clipped,
    /// Too quiet.
    LoudnessLow,
    /// Scanned with fewer dots per inch than its type allows.
    DpiLow,
    /// The file doesn't say at how many dots per inch it was scanned.
    DpiUnknown,
    /// A page with fewer pixels than its type allows.
    PixelsLow,
    /// Nothing to see on a page.
    BlankPage,
    /// A page or picture that lies on its side or upside down as stored.
    Rotated,
    /// More pages than its type allows.
    TooManyPages,
    /// Fewer pages than its type allows.
    TooFewPages,
    /// No worker could inspect it.
    InspectionFailed,
    /// A malware scanner named something.
    Malware,
    /// Beyond a limit of the malware scanner.
    MalwareNotScanned,
}

/// Where the severity of a code comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A table of document types says; this where it says nothing.
    Severity(Severity),
    /// It comes with the limit that was passed.
    Limits,
    /// No table can change it.
    Fixed(Severity),
}

const TABLE: [(Code, &str, Setting); 47] = [
    (
        Code::Unreadable,
        "unreadable",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::WrongExtension,
        "wrong_extension",
        Setting::Severity(Severity::Reject),
    ),
    (Code::Truncated, "truncated", Setting::Severity(Severity::Reject)),
    (
        Code::IndexMissing,
        "index_missing",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::DataMissing,
        "data_missing",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::TimelineGap,
        "timeline_gap",
        Setting::Severity(Severity::Review),
    ),
    (
        Code::DecodeError,
        "decode_error",
        Setting::Severity(Severity::Review),
    ),
    (
        Code::Undecodable,
        "undecodable",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::TrailingBytes,
        "trailing_bytes",
        Setting::Severity(Severity::Review),
    ),
    (Code::Encrypted, "encrypted", Setting::Severity(Severity::Reject)),
    (
        Code::ActiveContent,
        "active_content",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::Attachments,
        "attachments",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::ArchiveBomb,
        "archive_bomb",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::ArchivePath,
        "archive_path",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::ArchiveLink,
        "archive_link",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::ArchiveNested,
        "archive_nested",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::ArchiveDuplicate,
        "archive_duplicate",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::ArchiveDamaged,
        "archive_damaged",
        Setting::Severity(Severity::Reject),
    ),
    (
        Code::MemberUnknown,
        "member_unknown",
        Setting::Severity(Severity::Review),
    ),
    (
        Code::LimitExceeded,
        "limit_exceeded",
        Setting::Severity(Severity::Review),
    ),
    (
        Code::Unsupported,
        "unsupported",
        Setting::Severity(Severity::Review),
    ),
    (Code::Empty, "empty", Setting::Severity(Severity::Reject)),
    (Code::NoVideo, "no_video", Setting::Severity(Severity::Reject)),
    (Code::NoAudio, "no_audio", Setting::Severity(Severity::Reject)),
    (Code::TooShort, "too_short", Setting::Limits),
    (Code::TooLong, "too_long", Setting::Limits),
    (Code::TooSmall, "too_small", Setting::Limits),
    (Code::ResolutionLow, "resolution_low", Setting::Limits),
    (Code::FrameRateLow, "frame_rate_low", Setting::Limits),
    (Code::DurationMismatch, "duration_mismatch", Setting::Limits),
    (Code::Black, "black", Setting::Limits),
    (Code::Frozen, "frozen", Setting::Limits),
    (Code::Underexposed, "underexposed", Setting::Limits),
    (Code::Overexposed, "overexposed", Setting::Limits),
    (Code::Silent, "silent", Setting::Limits),
    (Code::Clipped, "clipped", Setting::Limits),
    (Code::LoudnessLow, "loudness_low", Setting::Limits),
    (Code::DpiLow, "dpi_low", Setting::Limits),
    (Code::DpiUnknown, "dpi_unknown", Setting::Severity(Severity::Note)),
    (Code::PixelsLow, "pixels_low", Setting::Limits),
    (Code::BlankPage, "blank_page", Setting::Severity(Severity::Review)),
    (Code::Rotated, "rotated", Setting::Severity(Severity::Note)),
    (Code::TooManyPages, "too_many_pages", Setting::Limits),
    (Code::TooFewPages, "too_few_pages", Setting::Limits),
    (
        Code::InspectionFailed,
        "inspection_failed",
        Setting::Fixed(Severity::Review),
    ),
    (Code::Malware, "malware", Setting::Fixed(Severity::Reject)),
    (
        Code::MalwareNotScanned,
        "malware_not_scanned",
        Setting::Fixed(Severity::Review),
    ),
];

impl Code {
    /// All codes in the order of the document.
    pub fn all() -> impl Iterator<Item = Code> {
        TABLE.iter().map(|(code, ..)| *code)
    }

    /// The text in leaves, records, receipts and tables.
    pub fn text(self) -> &'static str {
        self.row().1
    }

    /// Where its severity comes from.
    pub fn setting(self) -> Setting {
        self.row().2
    }

    /// The code with this text.
    pub fn from_text(text: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == text).map(|row| row.0)
    }

    fn row(self) -> &'static (Code, &'static str, Setting) {
        // In the order of the enumeration, which a test holds.
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_at_its_place_and_its_text_leads_back() {
        for (at, (code, text, _)) in TABLE.iter().enumerate() {
            assert_eq!(*code as usize, at, "{text}");
            assert_eq!((code.text(), Code::from_text(text)), (*text, Some(*code)));
        }
        assert_eq!(
            Code::all().last().map(|code| code as usize + 1),
            Some(TABLE.len())
        );
        assert_eq!(Code::from_text("ugly"), None);
    }
}
