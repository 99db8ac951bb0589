//! What can be told of a packet's damage without decoding it. Pure.
//!
//! A finding here refuses evidence, so each rule is one that a whole file can't break: lengths that must add up, marks that
//! must stand at the beginning, zeros that an encoder can't write.

use ffmpeg_next::codec::Id;

use crate::{follow::frame_bytes, raw::Shape};

/// How packets of a stream are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// H.264 or HEVC, each unit behind its length.
    Lengths {
        /// Bytes of a length.
        width: usize,
    },
    /// H.264 or HEVC, each unit behind a start code.
    StartCodes,
    /// MPEG-1 and MPEG-2 video: zeros only in front of a start code.
    MpegVideo,
    /// JPEG pictures.
    Jpeg {
        /// The longest run of zeros that a black picture makes.
        longest_zeros: usize,
    },
    /// MPEG audio.
    MpegAudio,
    /// AAC.
    Aac,
    /// AC-3.
    Ac3,
    /// WMA of every kind: packets of a fixed length, filled up with zeros where there is little to hear.
    Wma,
    /// Compressed in some other way.
    Compressed,
    /// Samples or pixels as they are: anything goes.
    Plain,
}

/// Zeros in a row that no encoder of H.264 writes: three already are impossible but as padding (ITU-T H.264, 7.4.1).
const ZEROS_IN_UNITS: usize = 512;
/// Zeros in a row in what else is compressed.
const ZEROS_COMPRESSED: usize = 2_048;
/// Zeros in a row in MPEG video that needn't be stuffing.
const ZEROS_MPEG: usize = 512;
/// Bytes at the beginning of a WMA packet that aren't all zero in a whole file, even in silence.
const WMA_HEAD: usize = 16;

impl Kind {
    /// By codec and configuration.
    pub(crate) fn of(id: Id, shape: &Shape) -> Kind {
        let pixels = shape.width as usize * shape.height as usize;
        match id {
            Id::H264 => match shape.extradata.as_slice() {
                [1, _, _, _, lengths, ..] => Kind::Lengths {
                    width: usize::from(lengths & 3) + 1,
                },
                _ => Kind::StartCodes,
            },
            Id::HEVC => match shape.extradata.as_slice() {
                [1, rest @ ..] if rest.len() > 21 => Kind::Lengths {
                    width: usize::from(rest[20] & 3) + 1,
                },
                _ => Kind::StartCodes,
            },
            Id::MPEG1VIDEO | Id::MPEG2VIDEO => Kind::MpegVideo,
            // One bit for "no change" and one for "nothing more" in each of six blocks of 16 x 16 pixels, and some more.
            Id::MJPEG => Kind::Jpeg {
                longest_zeros: (pixels / 128).max(1_024),
            },
            Id::MP1 | Id::MP2 | Id::MP3 => Kind::MpegAudio,
            Id::AAC => Kind::Aac,
            Id::AC3 => Kind::Ac3,
            Id::WMAV1 | Id::WMAV2 | Id::WMAPRO | Id::WMAVOICE | Id::WMALOSSLESS => Kind::Wma,
            Id::RAWVIDEO | Id::DVVIDEO | Id::ALAC | Id::FLAC | Id::SVQ1 | Id::SVQ3 | Id::CINEPAK => {
                Kind::Plain
            }
            _ if id.name().starts_with("pcm_") || id.name().starts_with("adpcm_") => Kind::Plain,
            _ => Kind::Compressed,
        }
    }
}

/// What is said of an audio frame that ends before its length: where a file was cut between two packets, often the only
/// sign.
pub(crate) const CUT: &str = "an audio frame is cut off";

/// What is wrong with a packet.
pub(crate) fn damage(kind: &Kind, data: &[u8]) -> Option<&'static str> {
    let zeros = |length| zeros(data, length).map(|_| "a run of zeros in compressed data");
    match kind {
        Kind::Plain => None,
        Kind::Lengths { width } => lengths(data, *width).or_else(|| zeros(ZEROS_IN_UNITS)),
        Kind::StartCodes => start_code(data).or_else(|| zeros(ZEROS_IN_UNITS)),
        Kind::MpegVideo => mpeg_video(data),
        Kind::Jpeg { longest_zeros } => jpeg(data).or_else(|| zeros(*longest_zeros)),
        Kind::MpegAudio => match data {
            [0xFF, second, ..] if second & 0xE0 == 0xE0 => match frame_bytes(data) {
                Some(length) if length > data.len() as u64 => Some(CUT),
                _ => zeros(ZEROS_COMPRESSED),
            },
            _ => Some("an audio frame without its mark"),
        },
        Kind::Aac if data.len() >= 4 && data.iter().all(|&byte| byte == 0) => Some("an audio frame of zeros"),
        // With its own head (ISO/IEC 14496-3, 1.A.2.2), as in transport streams.
        Kind::Aac => match data {
            &[0xFF, second, _, high, middle, low, ..] if second & 0xF6 == 0xF0 => {
                let length = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low >> 5);
                (length > data.len()).then_some(CUT)
            }
            _ => None,
        },
        Kind::Ac3 => match ac3_frame_bytes(data) {
            None => Some("an audio frame without its mark"),
            Some(length) if length > data.len() => Some(CUT),
            Some(_) => zeros(ZEROS_COMPRESSED),
        },
        // Silence is all zeros but for the packet's head.
        Kind::Wma => match data.split_at_checked(WMA_HEAD) {
            Some((head, _)) if head.iter().all(|&byte| byte == 0) => Some("an audio packet without its head"),
            _ => None,
        },
        Kind::Compressed => zeros(ZEROS_COMPRESSED),
    }
}

/// Length of an AC-3 frame (ATSC A/52, 5.4.1); none when none begins here.
fn ac3_frame_bytes(data: &[u8]) -> Option<usize> {
    const KILOBITS: [usize; 19] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
    ];
    let &[0x0B, 0x77, _, _, code, ..] = data else {
        return None;
    };
    let kilobits = KILOBITS.get(usize::from(code & 0x3F) / 2)?;
    match code >> 6 {
        0 => Some(kilobits * 4),
        1 => Some((kilobits * 320 / 147 + usize::from(code & 1)) * 2),
        2 => Some(kilobits * 6),
        _ => None,
    }
}

/// Units fill the packet to its last byte, and none has the forbidden bit.
fn lengths(data: &[u8], width: usize) -> Option<&'static str> {
    let mut rest = data;
    while !rest.is_empty() {
        // Padding of fewer bytes than a length, and units of no length, do no harm.
        let Some((length, unit)) = rest.split_at_checked(width) else {
            return rest
                .iter()
                .any(|&byte| byte != 0)
                .then_some("a unit's length is cut off");
        };
        let length = length
            .iter()
            .fold(0usize, |length, &byte| length << 8 | usize::from(byte));
        let Some((unit, behind)) = unit.split_at_checked(length) else {
            return Some("a unit is longer than its packet");
        };
        if unit.first().is_some_and(|first| first & 0x80 != 0) {
            return Some("a unit with the forbidden bit");
        }
        rest = behind;
    }
    None
}

fn start_code(data: &[u8]) -> Option<&'static str> {
    let first = data.iter().take(64).position(|&byte| byte != 0);
    match first {
        Some(at) if at >= 2 && data[at] == 1 => None,
        // A unit that a demuxer cut in two.
        _ if data.len() < 64 => None,
        _ => Some("a picture without its start code"),
    }
}

/// Stuffing stands in front of a start code or at the end; zeros followed by anything else are a hole.
fn mpeg_video(data: &[u8]) -> Option<&'static str> {
    let mut from = 0;
    while let Some((_, end)) = zeros(&data[from..], ZEROS_MPEG) {
        match data.get(from + end) {
            Some(1) | None => from += end,
            Some(_) => return Some("a run of zeros in compressed data"),
        }
    }
    None
}

/// In JPEG's entropy-coded data 0xFF is followed by a stuffed zero, a restart or a marker (ITU-T T.81, B.1.1.5).
fn jpeg(data: &[u8]) -> Option<&'static str> {
    if data.len() < 4 || data[..2] != [0xFF, 0xD8] {
        return Some("a picture without its mark");
    }
    // Segments in front of the data have lengths; some cameras write several fields in one packet.
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = data.get(at..at + 4) {
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let length = usize::from(high) << 8 | usize::from(low);
        at += 2 + length;
        if marker == 0xDA {
            return entropy(data.get(at..).unwrap_or_default());
        }
    }
    Some("a picture's segments don't follow each other")
}

fn entropy(data: &[u8]) -> Option<&'static str> {
    let mut rest = data;
    while let Some(at) = rest.iter().position(|&byte| byte == 0xFF) {
        match rest.get(at + 1) {
            None => return None,
            Some(0xD9) => return None,
            Some(0 | 0xD0..=0xD7 | 0xFF) => rest = &rest[at + 1..],
            // Tables, another scan, comments: allowed by the standard, and what follows has a length.
            Some(0xC4 | 0xDA..=0xDD | 0xE0..=0xEF | 0xFE) => {
                let length = rest
                    .get(at + 2..at + 4)
                    .map_or(0, |pair| usize::from(pair[0]) << 8 | usize::from(pair[1]));
                rest = rest.get(at + 2 + length..).unwrap_or_default();
            }
            Some(_) => return Some("a picture's data hold a mark that can't be there"),
        }
    }
    None
}

/// The first run of at least `length` zeros: from, to. Looks at one byte in `length`.
pub(crate) fn zeros(data: &[u8], length: usize) -> Option<(usize, usize)> {
    let mut at = length - 1;
    while let Some(&byte) = data.get(at) {
        if byte != 0 {
            at += length;
            continue;
        }
        let from = data[..at]
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        let to = data[at..]
            .iter()
            .position(|&byte| byte != 0)
            .map_or(data.len(), |next| at + next);
        if to - from >= length {
            return Some((from, to));
        }
        at = to + length - 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Kind = Kind::Lengths { width: 4 };

    #[test]
    fn units_must_fill_their_packet() {
        let good = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41];
        assert_eq!(damage(&UNITS, &good), None);
        assert_eq!(damage(&UNITS, &[&good[..], &[0, 0]].concat()), None);
        assert!(damage(&UNITS, &good[..good.len() - 1]).is_some());
        assert!(damage(&UNITS, &[0, 0, 0, 1, 0xE5]).is_some());
        assert!(damage(&UNITS, &[0xFF; 8]).is_some());
    }

    #[test]
    fn runs_of_zeros_are_found_wherever_they_begin() {
        for at in [0, 1, 99, 511, 512, 1_000, 1_488] {
            let mut data = [1; 2_000];
            data[at..at + 512].fill(0);
            assert_eq!(zeros(&data, 512), Some((at, at + 512)), "{at}");
            data[at + 511] = 1;
            assert_eq!(zeros(&data, 512), None, "{at}");
        }
        assert_eq!(zeros(&[], 512), None);
        assert_eq!(zeros(&[0; 512], 512), Some((0, 512)));
    }

    #[test]
    fn mpeg_video_may_be_stuffed_only_in_front_of_a_start_code() {
        let packet = |behind: &[u8]| [&[1; 100][..], &[0; 600], behind].concat();
        assert_eq!(damage(&Kind::MpegVideo, &packet(&[1, 0, 9])), None);
        assert_eq!(damage(&Kind::MpegVideo, &packet(&[])), None);
        assert!(damage(&Kind::MpegVideo, &packet(&[7])).is_some());
    }

    #[test]
    fn a_jpeg_with_foreign_bytes_in_its_data_shows_it() {
        let kind = Kind::Jpeg { longest_zeros: 1_024 };
        let picture = |data: &[u8]| [&[0xFF, 0xD8, 0xFF, 0xDA, 0, 2][..], data, &[0xFF, 0xD9]].concat();
        assert_eq!(damage(&kind, &picture(&[1, 0xFF, 0, 2, 0xFF, 0xD3, 9])), None);
        assert!(damage(&kind, &picture(&[1, 0xFF, 0x17, 2])).is_some());
        assert!(damage(&kind, &picture(&[0; 2_000])).is_some());
        assert!(damage(&kind, &[0x12; 50]).is_some());
    }

    #[test]
    fn audio_frames_have_marks_and_lengths() {
        let mut frame = vec![0x11; 417];
        frame[..4].copy_from_slice(&[0xFF, 0xFB, 0x90, 0]);
        assert_eq!(damage(&Kind::MpegAudio, &frame), None);
        assert_eq!(damage(&Kind::MpegAudio, &frame[..416]), Some(CUT));
        assert!(damage(&Kind::MpegAudio, &frame[1..]).is_some());
        assert!(damage(&Kind::Aac, &[0; 32]).is_some());
        // 48 kHz, 192 kbit/s.
        assert_eq!(ac3_frame_bytes(&[0x0B, 0x77, 0, 0, 20]), Some(768));
        assert_eq!(damage(&Kind::Plain, &[0; 5_000]), None);
    }
}
