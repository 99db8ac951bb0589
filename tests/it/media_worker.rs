//! The media inspector as a process: what it reports of whole, damaged and poor recordings that `ffmpeg` makes here.

use crate::support::media::Noise;
use muniment::inspect::{
    process::{self, WorkerSettings},
    report::{FaultCode, Report},
    wire::{Answer, Job, Measures, Picture, Sink, Task},
};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Cursor},
    path::Path,
    process::Command,
    sync::LazyLock,
};

/// A file's name and how `ffmpeg` makes it from the two inputs.
const RECORDINGS: [(&str, &[&str]); 13] = [
    ("a.mp4", &["-c:v", "libx264", "-g", "25", "-c:a", "aac"]),
    (
        "fast.mp4",
        &[
            "-c:v",
            "libx264",
            "-g",
            "25",
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
        ],
    ),
    ("a.mov", &["-c:v", "libx264", "-g", "25", "-c:a", "aac"]),
    ("a.mkv", &["-c:v", "libx264", "-g", "25", "-c:a", "aac"]),
    ("a.flv", &["-c:v", "libx264", "-g", "25", "-c:a", "aac"]),
    ("a.ts", &["-c:v", "libx264", "-g", "25", "-c:a", "aac"]),
    (
        "xvid.avi",
        &["-c:v", "libxvid", "-q:v", "6", "-c:a", "libmp3lame"],
    ),
    ("jpeg.avi", &["-c:v", "mjpeg", "-q:v", "12", "-c:a", "pcm_s16le"]),
    ("a.wmv", &["-c:v", "wmv2", "-b:v", "800k", "-c:a", "wmav2"]),
    ("a.mpg", &["-c:v", "mpeg2video", "-b:v", "1M", "-c:a", "mp2"]),
    ("a.m4a", &["-vn", "-c:a", "aac", "-b:a", "256k"]),
    ("a.wav", &["-vn", "-c:a", "pcm_s16le"]),
    ("a.mp3", &["-vn", "-c:a", "libmp3lame", "-b:a", "256k"]),
];

fn ffmpeg(name: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join(name);
    let made = Command::new("ffmpeg")
        .args(["-y", "-nostdin", "-loglevel", "error"])
        .args(arguments)
        .arg(&path)
        .output()
        .expect("ffmpeg, which ./test installs");
    assert!(
        made.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    fs::read(path).unwrap()
}

/// Pictures and sound of eight seconds, then the arguments.
fn recorded(name: &str, video: &str, audio: &str, arguments: &[&str]) -> Vec<u8> {
    let inputs = ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio];
    ffmpeg(name, &[&inputs[..], arguments, &["-t", "8"]].concat())
}

const PICTURES: &str = "testsrc2=s=320x240:r=25:d=8";
const SOUND: &str = "anoisesrc=a=0.1:r=44100:d=8:seed=1";

static WHOLE: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
    RECORDINGS
        .iter()
        .map(|(name, arguments)| (*name, recorded(name, PICTURES, SOUND, arguments)))
        .collect()
});

#[derive(Default)]
struct Kept(Vec<Picture>);

impl Sink for Kept {
    fn picture(&mut self, picture: Picture) -> io::Result<()> {
        self.0.push(picture);
        Ok(())
    }
    fn output(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("nobody asked for output"))
    }
}

fn inspect(name: &str, bytes: &[u8], task: Task) -> (Report, Vec<Picture>) {
    let settings = WorkerSettings::new(
        env!("CARGO_BIN_EXE_muniment-inspector").into(),
        env!("CARGO_BIN_EXE_muniment-scan-inspector").into(),
    );
    let ext = Path::new(name).extension().unwrap().to_str().unwrap();
    let job = Job {
        task,
        ext: ext.to_owned(),
        size_bytes: bytes.len() as u64,
    };
    let mut kept = Kept::default();
    match process::run(&settings, &job, &mut Cursor::new(bytes), &mut kept).unwrap() {
        Answer::Report(report) => (*report, kept.0),
        other => panic!("{name}: {other:?}"),
    }
}

fn gate(name: &str, bytes: &[u8]) -> Report {
    inspect(name, bytes, Task::Gate).0
}

fn deep(name: &str, bytes: &[u8]) -> (Report, Vec<Picture>) {
    let task = Task::Deep {
        measures: Measures::default(),
        pictures: 4,
        picture_width: 96,
    };
    inspect(name, bytes, task)
}

fn codes(report: &Report) -> BTreeSet<FaultCode> {
    report.faults.iter().map(|fault| fault.code).collect()
}

fn overwritten(bytes: &[u8], from: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let end = (from + with.len()).min(bytes.len());
    bytes[from..end].copy_from_slice(&with[..end - from]);
    bytes
}

#[test]
fn whole_recordings_have_no_faults_in_either_tier() {
    for (name, bytes) in WHOLE.iter() {
        let at_gate = gate(name, bytes);
        assert_eq!(at_gate.faults, [], "{name}");
        let media = at_gate.media.unwrap();
        let length = 7_900..8_200;
        assert!(
            length.contains(&media.measured_ms),
            "{name}: {} ms",
            media.measured_ms
        );
        assert_eq!(media.audio.len(), 1, "{name}");
        if let Some(video) = media.video.first() {
            assert_eq!(
                (video.width, video.height, video.frame_rate_milli),
                (320, 240, 25_000),
                "{name}"
            );
            assert!(video.key_frames_decoded > 0, "{name}");
        }
        let (in_depth, pictures) = deep(name, bytes);
        assert_eq!(in_depth.faults, [], "{name}");
        let media = in_depth.media.unwrap();
        let expected = if media.video.is_empty() { 0 } else { 4 };
        assert_eq!(pictures.len(), expected, "{name}");
        assert!(
            pictures
                .iter()
                .all(|picture| (picture.width, picture.height) == (96, 72)),
            "{name}"
        );
        let measured = media.deep.unwrap();
        assert_eq!(
            measured.silent.total_ms + measured.black.total_ms + measured.frozen.total_ms,
            0,
            "{name}"
        );
        assert!(
            measured
                .loudness_lufs_centi
                .is_some_and(|loudness| loudness > -4_000),
            "{name}"
        );
    }
}

#[test]
fn truncation_loss_of_head_or_index_and_holes_are_told_apart() {
    use FaultCode::{DataMissing, DecodeError, IndexMissing, Truncated, Unreadable};
    for (name, bytes) in WHOLE.iter() {
        for part in [100, 500, 900, 999] {
            let found = codes(&gate(name, &bytes[..bytes.len() * part / 1_000]));
            // A stream of packets without an index may end between two of them.
            let streamed = matches!(*name, "a.ts" | "a.mpg");
            let told = found.contains(&Truncated) || streamed && !found.is_empty();
            assert!(told, "{name} cut at {part} per mille: {found:?}");
        }
        let found = codes(&gate(name, &overwritten(bytes, 0, &[0; 4_096])));
        assert!(found.contains(&Unreadable), "{name} without its head: {found:?}");
        // Samples as they are can be anything.
        if *name != "a.wav" {
            for hole in [vec![0; 64 << 10], Noise::new(7).bytes(64 << 10)] {
                let found = codes(&gate(name, &overwritten(bytes, bytes.len() / 2, &hole)));
                let told = found.contains(&DataMissing) || found.contains(&DecodeError);
                assert!(told, "{name} with a hole: {found:?}");
            }
        }
    }
    let whole = |name: &str| WHOLE.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    for (name, index, instead) in [
        ("a.mp4", "moov", "free"),
        ("a.mov", "moov", "free"),
        ("xvid.avi", "idx1", "JUNK"),
    ] {
        let bytes = whole(name);
        let at = bytes
            .windows(4)
            .rposition(|word| word == index.as_bytes())
            .unwrap();
        let found = codes(&gate(name, &overwritten(&bytes, at, instead.as_bytes())));
        assert!(found.contains(&IndexMissing), "{name}: {found:?}");
    }
    let bytes = whole("a.mkv");
    let cues = bytes
        .windows(4)
        .rposition(|word| word == [0x1C, 0x53, 0xBB, 0x6B])
        .unwrap();
    let found = codes(&gate("a.mkv", &bytes[..cues]));
    assert!(
        found.contains(&IndexMissing) && found.contains(&Truncated),
        "{found:?}"
    );
}

#[test]
fn damage_of_one_per_cent_and_more_is_caught_wherever_it_is() {
    let seed = 20_261_124;
    println!("seed {seed}");
    let mut noise = Noise::new(seed);
    let (mut tried, mut missed) = (0, Vec::new());
    for (name, bytes) in WHOLE.iter().filter(|(name, _)| *name != "a.wav") {
        let size = bytes.len();
        for round in 0..10 {
            let length = size / 100 + noise.below(size as u64 / 25) as usize;
            let at = noise.below((size - length) as u64) as usize;
            let (what, damaged) = match round % 3 {
                0 => ("cut", bytes[..at.max(64)].to_vec()),
                1 => ("zeros", overwritten(bytes, at, &vec![0; length])),
                _ => ("noise", overwritten(bytes, at, &noise.bytes(length))),
            };
            tried += 1;
            if gate(name, &damaged).faults.is_empty() {
                missed.push(format!("{name}: {what} at {at} of {size}, {length} bytes"));
            }
        }
    }
    assert!(
        missed.len() * 100 <= tried,
        "{} of {tried}: {missed:#?}",
        missed.len()
    );
}

#[test]
fn what_is_missing_black_still_or_silent_is_measured() {
    let h264: &[&str] = &["-c:v", "libx264", "-c:a", "aac"];
    let mute = gate(
        "a.mp4",
        &recorded("a.mp4", PICTURES, SOUND, &["-an", "-c:v", "libx264"]),
    );
    assert_eq!(mute.faults, []);
    let media = mute.media.unwrap();
    assert_eq!((media.video.len(), media.audio.len()), (1, 0));
    let blind = gate(
        "a.mp4",
        &recorded("a.mp4", PICTURES, SOUND, &["-vn", "-c:a", "aac"]),
    );
    let media = blind.media.unwrap();
    assert_eq!((media.video.len(), media.audio.len()), (0, 1));

    let measured = |bytes: &[u8]| {
        let (report, _) = deep("a.mp4", bytes);
        assert_eq!(report.faults, []);
        report.media.unwrap().deep.unwrap()
    };
    let black = measured(&recorded("a.mp4", "color=black:s=320x240:r=25:d=8", SOUND, h264));
    assert!(black.black.total_ms >= 7_900, "{black:?}");
    assert_eq!(black.underexposed.total_ms, 0);
    let white = measured(&recorded("a.mp4", "color=white:s=320x240:r=25:d=8", SOUND, h264));
    assert!(white.overexposed.total_ms >= 7_900, "{white:?}");
    let silent = measured(&recorded("a.mp4", PICTURES, "anullsrc=r=44100:d=8", h264));
    assert!(silent.silent.total_ms >= 7_800, "{silent:?}");
    assert_eq!(silent.loudness_lufs_centi, None);
    let filter = ["-vf", "trim=end=5.3,tpad=stop_mode=clone:stop_duration=2.7"];
    let still = measured(&recorded("a.mp4", PICTURES, SOUND, &[&filter[..], h264].concat()));
    assert!((2_500..2_900).contains(&still.frozen.total_ms), "{still:?}");
    assert!(
        (5_100..5_500).contains(&still.frozen.first[0].from_ms),
        "{still:?}"
    );
    let over: &[&str] = &["-c:v", "libx264", "-c:a", "pcm_s16le"];
    let loud = recorded("a.mov", PICTURES, "sine=f=440:r=44100:d=8,volume=40dB", over);
    let loud = deep("a.mov", &loud).0.media.unwrap().deep.unwrap();
    assert!(loud.clipped_ppm > 500_000, "{loud:?}");
    assert_eq!(loud.peak_dbfs_centi, Some(0));
}

#[test]
fn a_wrong_extension_an_empty_file_and_noise_are_named() {
    let (_, mp4) = &WHOLE[0];
    assert!(codes(&gate("a.avi", mp4)).contains(&FaultCode::WrongExtension));
    assert_eq!(codes(&gate("a.mp4", &[])), BTreeSet::from([FaultCode::Empty]));
    let report = gate("a.mp4", &Noise::new(3).bytes(200_000));
    assert!(codes(&report).contains(&FaultCode::Unreadable), "{report:?}");
    assert_eq!(report.container, "unknown");
}
