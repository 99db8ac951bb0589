//! Recordings that play: made by the `ffmpeg` command line once, then filled up with noise where players skip it.

use super::{Noise, cache, noise};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// Length of a recording in seconds.
pub const SECONDS: u32 = 75;
/// Seconds of a frozen recording that stand still: a third and a little.
pub const FROZEN_SECONDS: u32 = 27;

/// What a recording is packed in, with the codecs that usually come in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Container {
    /// H.264 and AAC, index first.
    Mp4,
    /// H.264 and AAC, index last, as cameras write it.
    Mov,
    /// H.264 and AAC.
    Mkv,
    /// MPEG-4 part 2 (Xvid) and MP3.
    Avi,
    /// WMV 8 and WMA 2.
    Wmv,
    /// MPEG-2 and MP2 in a program stream.
    Mpg,
    /// H.264 and AAC.
    Flv,
}

impl Container {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Mp4,
        Self::Mov,
        Self::Mkv,
        Self::Avi,
        Self::Wmv,
        Self::Mpg,
        Self::Flv,
    ];

    /// Extension of its files.
    pub fn ext(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Mkv => "mkv",
            Self::Avi => "avi",
            Self::Wmv => "wmv",
            Self::Mpg => "mpg",
            Self::Flv => "flv",
        }
    }

    fn video(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 | Self::Mov | Self::Mkv | Self::Flv => {
                &["-c:v", "libx264", "-preset", "veryfast", "-crf", "32", "-g", "50"]
            }
            Self::Avi => &["-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "9", "-g", "50"],
            Self::Wmv => &["-c:v", "wmv2", "-q:v", "9", "-g", "50"],
            Self::Mpg => &["-c:v", "mpeg2video", "-q:v", "9", "-g", "15"],
        }
    }

    fn audio(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 | Self::Mov | Self::Mkv | Self::Flv => &["-c:a", "aac", "-b:a", "16k"],
            Self::Avi => &["-c:a", "libmp3lame", "-b:a", "24k"],
            Self::Wmv => &["-c:a", "wmav2", "-b:a", "24k"],
            Self::Mpg => &["-c:a", "mp2", "-b:a", "32k"],
        }
    }

    fn format(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 => &["-movflags", "+faststart", "-f", "mp4"],
            Self::Mov => &["-f", "mov"],
            Self::Mkv => &["-f", "matroska"],
            Self::Avi => &["-f", "avi"],
            Self::Wmv => &["-f", "asf"],
            Self::Mpg => &["-f", "vob"],
            Self::Flv => &["-f", "flv"],
        }
    }
}

/// What there is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// A test card with a moving strip and a counter.
    Moving,
    /// Black throughout.
    Black,
    /// Moving, then standing still for the last third.
    FrozenThird,
    /// No stream of pictures.
    Missing,
}

/// What there is to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A steady tone of -22 LUFS.
    Tone,
    /// A stream of silence.
    Silent,
    /// No stream of sound.
    Missing,
}

/// A recording of [`SECONDS`], 320 × 240, without anything to object to but what `picture` and `sound` say.
pub fn recording(container: Container, picture: Picture, sound: Sound) -> PathBuf {
    // MPEG-2 knows no 10 frames a second.
    let rate = if container == Container::Mpg { 25 } else { 10 };
    let size = format!("size=320x240:rate={rate}");
    let source = match picture {
        Picture::Moving => format!("testsrc={size}:duration={SECONDS}"),
        Picture::Black => format!("color=black:{size}:duration={SECONDS}"),
        Picture::FrozenThird => format!(
            "testsrc={size}:duration={},tpad=stop_mode=clone:stop_duration={}",
            SECONDS - FROZEN_SECONDS,
            FROZEN_SECONDS
        ),
        Picture::Missing => String::new(),
    };
    let tone = match sound {
        Sound::Tone => format!("sine=frequency=440:sample_rate=16000:duration={SECONDS}"),
        Sound::Silent => format!("anullsrc=r=16000:cl=mono:duration={SECONDS}"),
        Sound::Missing => String::new(),
    };
    let mut words = Vec::new();
    for input in [&source, &tone] {
        if !input.is_empty() {
            words.extend(["-f", "lavfi", "-i", input]);
        }
    }
    if picture != Picture::Missing {
        words.extend(container.video());
        words.extend(["-pix_fmt", "yuv420p"]);
    }
    if sound != Sound::Missing {
        words.extend(container.audio());
    }
    words.extend(["-threads", "1", "-fflags", "+bitexact"]);
    words.extend(["-metadata", "creation_time=2026-07-28T02:03:04Z"]);
    words.extend(container.format());
    cache::shared(&words.join(" "), container.ext(), |path| {
        let ran = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(&words)
            .arg(path)
            .output()
            .expect("the tests need the ffmpeg command line");
        assert!(
            ran.status.success(),
            "ffmpeg {words:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    })
}

/// A good recording's bytes.
pub fn good(container: Container) -> Vec<u8> {
    fs::read(recording(container, Picture::Moving, Sound::Tone)).unwrap()
}

/// Noise that fills `base` bytes up to `size` when `head` bytes come before it; never less than makes a file its own.
fn filling(base: usize, head: usize, size: usize) -> usize {
    size.saturating_sub(base + head).max(16)
}

/// An MP4, index first, of `size` bytes or as many as a recording needs; noise in a `free` box.
pub fn mp4(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_mp4(&mut bytes, size as u64, seed);
    bytes
}

/// The same streamed to a file, for sizes that don't belong in memory.
pub fn mp4_file(path: &Path, size: u64, seed: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    write_mp4(&mut file, size, seed);
    file.flush().unwrap();
}

fn write_mp4(out: &mut impl Write, size: u64, seed: u64) {
    let mut bytes = good(Container::Mp4);
    let filling = size.saturating_sub(bytes.len() as u64 + 8).max(16);
    let box_size = u32::try_from(filling + 8).expect("a box of less than 4 GiB");
    let (start, end) = top_box(&bytes, b"moov");
    shift_samples(&mut bytes[start + 8..end], box_size);
    out.write_all(&bytes[..end]).unwrap();
    out.write_all(&box_size.to_be_bytes()).unwrap();
    out.write_all(b"free").unwrap();
    let mut noise = Noise::new(seed);
    let mut block = vec![0; 1 << 20];
    let mut left = filling;
    while left > 0 {
        let length = left.min(block.len() as u64) as usize;
        noise.fill(&mut block[..length]);
        out.write_all(&block[..length]).unwrap();
        left -= length as u64;
    }
    out.write_all(&bytes[end..]).unwrap();
}

/// A QuickTime file as cameras write it: media first, then a `free` box of noise, the index last.
pub fn mp4_index_last(size: usize, seed: u64) -> Vec<u8> {
    let bytes = good(Container::Mov);
    let (at, _) = top_box(&bytes, b"moov");
    let filling = filling(bytes.len(), 8, size);
    let head = [&(filling as u32 + 8).to_be_bytes()[..], b"free"].concat();
    [&bytes[..at], &head, &noise(filling, seed), &bytes[at..]].concat()
}

/// Where a box at the top level begins and ends.
pub fn top_box(bytes: &[u8], kind: &[u8; 4]) -> (usize, usize) {
    let mut at = 0;
    while at + 8 <= bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if &bytes[at + 4..at + 8] == kind {
            return (at, at + length);
        }
        assert!(length >= 8, "a plain box at {at}");
        at += length;
    }
    panic!("no box {}", String::from_utf8_lossy(kind));
}

/// Moves where the samples lie (`stco`) by `by` bytes, in the boxes of a `moov`.
fn shift_samples(boxes: &mut [u8], by: u32) {
    let mut at = 0;
    while at + 8 <= boxes.len() {
        let length = u32::from_be_bytes(boxes[at..at + 4].try_into().unwrap()) as usize;
        let kind: [u8; 4] = boxes[at + 4..at + 8].try_into().unwrap();
        let body = &mut boxes[at + 8..at + length];
        match &kind {
            b"trak" | b"mdia" | b"minf" | b"stbl" => shift_samples(body, by),
            b"co64" => panic!("a small recording has stco"),
            b"stco" => body[8..].chunks_exact_mut(4).for_each(|offset| {
                let old = u32::from_be_bytes(offset.try_into().unwrap());
                offset.copy_from_slice(&old.checked_add(by).unwrap().to_be_bytes());
            }),
            _ => {}
        }
        at += length;
    }
}

/// A Matroska file; noise in a Void element at its end, every size known.
pub fn mkv(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = good(Container::Mkv);
    let segment = bytes
        .windows(5)
        .position(|window| window == [0x18, 0x53, 0x80, 0x67, 0x01])
        .expect("a segment with a size of eight bytes");
    let filling = filling(bytes.len(), 9, size);
    bytes.push(0xec);
    bytes.extend((filling as u64 | 1 << 56).to_be_bytes());
    bytes.extend(noise(filling, seed));
    let length = (bytes.len() - segment - 12) as u64 | 1 << 56;
    bytes[segment + 4..segment + 12].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// An AVI; noise in a JUNK chunk behind its index.
pub fn avi(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = good(Container::Avi);
    let filling = filling(bytes.len(), 8, size).next_multiple_of(2);
    bytes.extend(b"JUNK");
    bytes.extend((filling as u32).to_le_bytes());
    bytes.extend(noise(filling, seed));
    let length = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes
}
