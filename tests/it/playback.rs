//! Playback copies by the real worker, in its sandbox, judged by FFmpeg's own command line.

use muniment::inspect::{
    process::{self, WorkerSettings},
    wire::{Answer, Job, Picture, Plan, Sink, Task},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// What ffmpeg is told to make, by name: five seconds of a moving picture with a tone.
const MADE: [(&str, &str, Plan); 8] = [
    (
        "h264.mkv",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
        Plan::Remux,
    ),
    (
        "h264.flv",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
        Plan::Remux,
    ),
    (
        "silent.mkv",
        "-an -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
        Plan::Remux,
    ),
    (
        "a.wmv",
        "-c:v wmv2 -b:v 1M -c:a wmav2",
        Plan::Encode { max_height: 480 },
    ),
    (
        "mjpeg.avi",
        "-c:v mjpeg -q:v 6 -c:a pcm_s16le",
        Plan::Encode { max_height: 480 },
    ),
    (
        "xvid.avi",
        "-c:v mpeg4 -vtag xvid -q:v 5 -c:a libmp3lame",
        Plan::Encode { max_height: 480 },
    ),
    (
        "a.mpg",
        "-c:v mpeg2video -b:v 2M -c:a mp2",
        Plan::Encode { max_height: 480 },
    ),
    (
        "mute.avi",
        "-an -c:v mpeg4 -q:v 5",
        Plan::Encode { max_height: 480 },
    ),
];

struct Kept(Vec<u8>);

impl Sink for Kept {
    fn picture(&mut self, _: Picture) -> io::Result<()> {
        Err(io::Error::other("nobody asked for pictures"))
    }
    fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn copy(path: &Path, plan: Plan) -> (Answer, Vec<u8>) {
    let settings = WorkerSettings::new(
        env!("CARGO_BIN_EXE_muniment-inspector").into(),
        env!("CARGO_BIN_EXE_muniment-scan-inspector").into(),
    );
    let mut file = File::open(path).unwrap();
    let job = Job {
        task: Task::Playback { plan },
        ext: path.extension().unwrap().to_str().unwrap().to_owned(),
        size_bytes: file.metadata().unwrap().len(),
    };
    let mut kept = Kept(Vec::new());
    let answer = process::run(&settings, &job, &mut file, &mut kept).unwrap();
    (answer, kept.0)
}

fn ran(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn make(folder: &Path, name: &str, how: &str) -> PathBuf {
    let path = folder.join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args([
        "-loglevel",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=1280x720:r=25:d=5",
    ]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=f=440:r=44100:d=5"]);
    ran(ffmpeg.args(how.split(' ')).arg(&path));
    path
}

#[test]
fn what_browsers_do_not_play_becomes_what_they_do() {
    let folder = tempfile::tempdir().unwrap();
    for (name, how, plan) in MADE {
        let original = make(folder.path(), name, how);
        let (answer, bytes) = copy(&original, plan);
        let with_sound = !how.contains("-an");
        let height = if plan == Plan::Remux { 720 } else { 480 };
        match answer {
            Answer::Made {
                duration_ms,
                height: said,
                audio,
                ..
            } => {
                assert!((4_500..5_600).contains(&duration_ms), "{name}: {duration_ms} ms");
                assert_eq!((said, audio), (height, with_sound), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
        let path = folder.path().join(format!("{name}.mp4"));
        fs::write(&path, bytes).unwrap();
        ran(Command::new("ffmpeg")
            .args(["-xerror", "-v", "error", "-i"])
            .arg(&path)
            .args(["-f", "null", "-"]));
        let seen = ran(Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "stream=codec_name,height,pix_fmt:format=duration",
                "-of",
                "json",
            ])
            .arg(&path));
        let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
        let streams = seen["streams"].as_array().unwrap();
        assert_eq!(streams.len(), 1 + usize::from(with_sound), "{name}: {seen}");
        assert_eq!(streams[0]["codec_name"], "h264", "{name}");
        assert_eq!(streams[0]["pix_fmt"], "yuv420p", "{name}");
        assert_eq!(streams[0]["height"], height, "{name}");
        if with_sound {
            assert_eq!(streams[1]["codec_name"], "aac", "{name}");
        }
        let length: f64 = seen["format"]["duration"].as_str().unwrap().parse().unwrap();
        assert!((4.5..5.6).contains(&length), "{name}: {length} s");
    }
}

#[test]
fn what_is_no_recording_has_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.mkv");
    fs::write(&path, crate::support::media::noise(100_000, 7)).unwrap();
    for plan in [Plan::Remux, Plan::Encode { max_height: 480 }] {
        let (answer, bytes) = copy(&path, plan);
        assert!(
            matches!(answer, Answer::Failed { .. }) && bytes.is_empty(),
            "{answer:?}"
        );
    }
}
