//! What a parent and its worker say to each other over one socket: frames of a tag, a length and a payload.
//!
//! ```text
//! parent ─ 'J' job ────────────▶ worker      JSON, once, first
//! parent ◀─ 'R' offset, length ─ worker      wants bytes of the file; 'D' bytes answers (fewer only at the end)
//! parent ◀─ 'P' picture ──────── worker      raw pixels, for contact sheets
//! parent ◀─ 'O' bytes ────────── worker      a piece of a playback copy
//! parent ◀─ 'A' answer ───────── worker      JSON, once, last
//! ```
//!
//! Lengths are little-endian u32. The worker is not trusted: the parent bounds every frame, every sum and the time.
//! Invariant: the parent never answers with bytes that the source didn't give, and never waits beyond its deadline.

use super::report::{MAX_REPORT_BYTES, Report};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IoSlice, Read, Seek, SeekFrom, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

/// Bytes that a worker asks for at once, at the most.
pub const MAX_READ_BYTES: usize = 1 << 20;
/// Bytes of a picture's pixels at the most.
pub const MAX_PICTURE_BYTES: usize = 4 << 20;
/// Bytes of one piece of output at the most.
pub const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// Bytes of a job at the most.
const MAX_JOB_BYTES: usize = 64 << 10;
/// Bytes before the pixels of a picture: width, height, time.
const PICTURE_HEAD: usize = 16;

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What.
    pub task: Task,
    /// Extension of the file, lower case, without the dot.
    pub ext: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Kinds of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Task {
    /// Media: structure, timeline, key frames.
    Gate,
    /// Media: everything decoded and measured.
    Deep {
        /// What counts as black, frozen and so on.
        measures: Measures,
        /// Pictures wanted, spread over the length; 0 for none.
        pictures: u32,
        /// Their width in pixels; the height follows.
        picture_width: u32,
    },
    /// Media: a copy that browsers play, as fragmented MP4.
    Playback {
        /// How.
        plan: Plan,
    },
    /// Scans, documents and bundles.
    Scan,
    /// Says which layers of the sandbox hold. Needs no file.
    Probe,
    /// Tries something that the sandbox must refuse; for tests of the sandbox. Needs no file.
    Attempt {
        /// What.
        what: String,
    },
}

/// What counts as what in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measures {
    /// A pixel is black at this luma (0–255) and below.
    pub black_luma: u8,
    /// A picture is black when at least so many of its pixels, in per cent, are.
    pub black_share_percent: u8,
    /// A picture is too dark when its mean luma is below this, and not black.
    pub dark_luma: u8,
    /// A picture is too bright when its mean luma is above this.
    pub bright_luma: u8,
    /// Two pictures are the same when their mean difference of luma is below this, in thousandths of a step, and in no
    /// part of them above ten times this. Encoders make a still picture pulse by some tenths of a step.
    pub frozen_difference_milli: u32,
    /// Silence is below this, dBFS.
    pub silence_dbfs: i8,
    /// Stretches shorter than this aren't listed, milliseconds.
    pub shortest_ms: u32,
}

impl Default for Measures {
    fn default() -> Self {
        Measures {
            black_luma: 32,
            black_share_percent: 98,
            dark_luma: 40,
            bright_luma: 235,
            frozen_difference_milli: 500,
            silence_dbfs: -60,
            shortest_ms: 2_000,
        }
    }
}

/// How a playback copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Plan {
    /// The streams as they are in another container.
    Remux,
    /// Decoded and encoded again: H.264 and AAC, at most this high.
    Encode {
        /// Pixels.
        max_height: u32,
    },
}

/// A worker's last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// What it saw.
    Report(Box<Report>),
    /// The playback copy is complete.
    Made {
        /// Its length, milliseconds.
        duration_ms: i64,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// Whether it has sound.
        audio: bool,
    },
    /// It couldn't do it, and says why; for playback of what can't be decoded.
    Failed {
        /// For an engineer.
        detail: String,
    },
    /// Layers of the sandbox by name, and whether each holds; then why not.
    Probe {
        /// Name, holds, detail.
        layers: Vec<(String, bool, String)>,
    },
    /// What came of an attempt: whether it was refused, and how.
    Attempt {
        /// Whether it was refused.
        refused: bool,
        /// How: an error's name.
        detail: String,
    },
}

/// A picture as raw pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// When in the recording, milliseconds.
    pub at_ms: i64,
    /// RGB, 8 bits each, row by row without gaps.
    pub rgb: Vec<u8>,
}

/// Takes what a worker makes besides its answer. An error ends the worker.
pub trait Sink {
    /// A picture.
    ///
    /// # Errors
    /// When it isn't wanted.
    fn picture(&mut self, picture: Picture) -> io::Result<()>;
    /// A piece of output.
    ///
    /// # Errors
    /// When it can't be kept, or isn't wanted.
    fn output(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Wants neither pictures nor output.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn picture(&mut self, _: Picture) -> io::Result<()> {
        Err(io::Error::other("a picture that nobody asked for"))
    }
    fn output(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("output that nobody asked for"))
    }
}

/// Why a conversation ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The deadline passed.
    #[error("no answer in time")]
    Deadline,
    /// The worker's end closed.
    #[error("the worker ended without an answer")]
    Closed,
    /// It said something that isn't in the protocol, or too much.
    #[error("the worker broke the protocol: {0}")]
    Garbage(&'static str),
    /// The file's bytes can't be had: not the worker's fault.
    #[error("the source can't be read: {0}")]
    Source(io::Error),
    /// What it made can't be taken: not the worker's fault.
    #[error("what was made can't be kept: {0}")]
    Sink(io::Error),
    /// The socket failed.
    #[error("the worker's socket failed: {0}")]
    Socket(io::Error),
}

// --- the parent's side -------------------------------------------------------------------------------------------

/// Content that a worker may read anywhere.
pub trait Source: Read + Seek {}

impl<T: Read + Seek + ?Sized> Source for T {}

/// Gives a worker its job, its bytes on demand, and takes its answer.
///
/// # Errors
/// When there is none until the deadline, or the worker can't be trusted any more. The caller ends the process.
pub fn serve(
    socket: &UnixStream,
    job: &Job,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
    deadline: Instant,
) -> Result<Answer, WireError> {
    let mut line = Line { socket, deadline };
    let job_bytes = serde_json::to_vec(job).map_err(|_| WireError::Garbage("a job that is no JSON"))?;
    line.send(b'J', &[&job_bytes])?;
    let mut payload = Vec::new();
    loop {
        match line.receive(&mut payload, PICTURE_HEAD + MAX_PICTURE_BYTES)? {
            b'R' => {
                let (offset, wanted) = read_request(&payload)?;
                payload.resize(wanted, 0);
                let got = read_at(source, job.size_bytes, offset, &mut payload).map_err(WireError::Source)?;
                line.send(b'D', &[&payload[..got]])?;
            }
            b'P' => {
                let picture = picture(&payload)?;
                sink.picture(picture).map_err(WireError::Sink)?;
            }
            b'O' if payload.len() <= MAX_OUTPUT_BYTES => sink.output(&payload).map_err(WireError::Sink)?,
            b'A' if payload.len() <= MAX_REPORT_BYTES => {
                let answer: Answer = serde_json::from_slice(&payload)
                    .map_err(|_| WireError::Garbage("an answer that isn't one"))?;
                if let Answer::Report(report) = &answer {
                    report.check().map_err(|error| WireError::Garbage(error.0))?;
                }
                return Ok(answer);
            }
            _ => return Err(WireError::Garbage("an unknown or oversized frame")),
        }
    }
}

fn read_request(payload: &[u8]) -> Result<(u64, usize), WireError> {
    let request: [u8; 12] = payload
        .try_into()
        .map_err(|_| WireError::Garbage("a read request of the wrong size"))?;
    let (offset, wanted) = request.split_at(8);
    let offset = u64::from_le_bytes(offset.try_into().unwrap_or_default());
    let wanted = u32::from_le_bytes(wanted.try_into().unwrap_or_default()) as usize;
    if wanted > MAX_READ_BYTES {
        return Err(WireError::Garbage("a read request that is too long"));
    }
    Ok((offset, wanted))
}

fn picture(payload: &[u8]) -> Result<Picture, WireError> {
    let garbage = WireError::Garbage("a picture whose size isn't its pixels'");
    let Some((head, rgb)) = payload.split_at_checked(PICTURE_HEAD) else {
        return Err(garbage);
    };
    let word = |at: usize| {
        head[at..at + 4]
            .try_into()
            .map(u32::from_le_bytes)
            .unwrap_or_default()
    };
    let (width, height) = (word(0), word(4));
    if u64::from(width) * u64::from(height) * 3 != rgb.len() as u64 || rgb.is_empty() {
        return Err(garbage);
    }
    Ok(Picture {
        width,
        height,
        at_ms: i64::from_le_bytes(head[8..16].try_into().unwrap_or_default()),
        rgb: rgb.to_vec(),
    })
}

/// Fills the buffer from `offset` as far as the file goes.
fn read_at(source: &mut dyn Source, size_bytes: u64, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let left = size_bytes.saturating_sub(offset);
    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    if wanted == 0 {
        return Ok(0);
    }
    source.seek(SeekFrom::Start(offset))?;
    source.read_exact(&mut buffer[..wanted])?;
    Ok(wanted)
}

struct Line<'a> {
    socket: &'a UnixStream,
    deadline: Instant,
}

impl Line<'_> {
    fn left(&self) -> Result<Duration, WireError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(WireError::Deadline)
        } else {
            Ok(left)
        }
    }

    fn send(&mut self, tag: u8, parts: &[&[u8]]) -> Result<(), WireError> {
        self.socket
            .set_write_timeout(Some(self.left()?))
            .map_err(WireError::Socket)?;
        send(&mut self.socket, tag, parts).map_err(broken)
    }

    fn receive(&mut self, payload: &mut Vec<u8>, limit: usize) -> Result<u8, WireError> {
        let mut head = [0; 5];
        self.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > limit {
            return Err(WireError::Garbage("a frame that is too long"));
        }
        payload.resize(length, 0);
        self.read_exact(payload)?;
        Ok(head[0])
    }

    /// A peer that sends a byte now and then doesn't move the deadline.
    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), WireError> {
        while !buffer.is_empty() {
            self.socket
                .set_read_timeout(Some(self.left()?))
                .map_err(WireError::Socket)?;
            match self.socket.read(buffer) {
                Ok(0) => return Err(WireError::Closed),
                Ok(got) => buffer = &mut buffer[got..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(())
    }
}

fn broken(error: io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => WireError::Deadline,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            WireError::Closed
        }
        _ => WireError::Socket(error),
    }
}

/// In one piece, as long as the socket takes it: a peer that has the head waits for the rest.
fn send(socket: &mut impl Write, tag: u8, parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).map_err(|_| io::Error::other("a frame that is too long"))?;
    let mut head = [tag, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_le_bytes());
    let mut pieces = vec![IoSlice::new(&head)];
    pieces.extend(parts.iter().map(|part| IoSlice::new(part)));
    let mut left = &mut pieces[..];
    while !left.is_empty() {
        match socket.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => IoSlice::advance_slices(&mut left, sent),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

// --- the worker's side -------------------------------------------------------------------------------------------

/// A worker's end: the file as something to read and seek in, and the way back.
pub struct Worker {
    /// Shared by [`Worker::second`]'s ends: a request and its answer are one step under the lock.
    socket: Arc<Mutex<UnixStream>>,
    size_bytes: u64,
    position: u64,
}

impl Worker {
    /// Takes the job.
    ///
    /// # Errors
    /// When the parent is gone or says something else.
    pub fn start(mut socket: UnixStream) -> io::Result<(Self, Job)> {
        let mut head = [0; 5];
        socket.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if head[0] != b'J' || length > MAX_JOB_BYTES {
            return Err(io::Error::other("no job"));
        }
        let mut bytes = vec![0; length];
        socket.read_exact(&mut bytes)?;
        let job: Job = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        let worker = Worker {
            socket: Arc::new(Mutex::new(socket)),
            size_bytes: job.size_bytes,
            position: 0,
        };
        Ok((worker, job))
    }

    /// Another end of the same conversation with a position of its own, for a reader that must own what it reads from.
    pub fn second(&self) -> Self {
        Worker {
            socket: Arc::clone(&self.socket),
            size_bytes: self.size_bytes,
            position: 0,
        }
    }

    /// One step of the conversation at a time; a step that panicked leaves the stream out of step, so nothing follows.
    fn line(&self) -> io::Result<MutexGuard<'_, UnixStream>> {
        self.socket
            .lock()
            .map_err(|_| io::Error::other("the conversation broke off"))
    }

    /// Size of the file in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads at an offset, as much as one request brings; 0 at the end.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(MAX_READ_BYTES);
        if wanted == 0 || offset >= self.size_bytes {
            return Ok(0);
        }
        let mut socket = self.line()?;
        send(
            &mut *socket,
            b'R',
            &[&offset.to_le_bytes(), &(wanted as u32).to_le_bytes()],
        )?;
        let mut head = [0; 5];
        socket.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if head[0] != b'D' || length > wanted {
            return Err(io::Error::other("the parent broke the protocol"));
        }
        socket.read_exact(&mut buffer[..length])?;
        Ok(length)
    }

    /// Sends a picture.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn picture(&mut self, picture: &Picture) -> io::Result<()> {
        send(
            &mut *self.line()?,
            b'P',
            &[
                &picture.width.to_le_bytes(),
                &picture.height.to_le_bytes(),
                &picture.at_ms.to_le_bytes(),
                &picture.rgb,
            ],
        )
    }

    /// Sends output, in pieces.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut socket = self.line()?;
        bytes
            .chunks(MAX_OUTPUT_BYTES)
            .try_for_each(|piece| send(&mut *socket, b'O', &[piece]))
    }

    /// Sends the answer; nothing may follow.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn answer(self, answer: &Answer) -> io::Result<()> {
        let bytes = serde_json::to_vec(answer).map_err(io::Error::other)?;
        send(&mut *self.line()?, b'A', &[&bytes])
    }
}

impl Read for Worker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.read_at(self.position, buffer)?;
        self.position += got as u64;
        Ok(got)
    }
}

impl Seek for Worker {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, step) = match to {
            SeekFrom::Start(offset) => (offset, 0),
            SeekFrom::End(step) => (self.size_bytes, step),
            SeekFrom::Current(step) => (self.position, step),
        };
        self.position = base
            .checked_add_signed(step)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Cursor, thread};

    fn job() -> Job {
        Job {
            task: Task::Scan,
            ext: "png".to_owned(),
            size_bytes: 10,
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_worker_reads_anywhere_and_answers() {
        let (parent, child) = UnixStream::pair().unwrap();
        let worker = thread::spawn(move || {
            let (mut worker, job) = Worker::start(child).unwrap();
            assert_eq!(job.ext, "png");
            let mut bytes = Vec::new();
            worker.seek(SeekFrom::End(-4)).unwrap();
            worker.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"6789");
            worker.rewind().unwrap();
            let mut two = [0; 2];
            worker.read_exact(&mut two).unwrap();
            assert_eq!(&two, b"01");
            let report = Report::new("test", super::super::report::Tier::Gate, "png", 10);
            worker.answer(&Answer::Report(Box::new(report))).unwrap();
        });
        let mut source = Cursor::new(b"0123456789".to_vec());
        let answer = serve(&parent, &job(), &mut source, &mut NoSink, soon()).unwrap();
        assert!(matches!(answer, Answer::Report(report) if report.container == "png"));
        worker.join().unwrap();
    }

    #[test]
    fn a_parent_believes_nothing() {
        let say = |bytes: &'static [u8]| {
            let (parent, mut child) = UnixStream::pair().unwrap();
            child.write_all(bytes).unwrap();
            child.shutdown(std::net::Shutdown::Write).unwrap();
            let mut source = Cursor::new(vec![0; 10]);
            serve(&parent, &job(), &mut source, &mut NoSink, soon()).unwrap_err()
        };
        assert!(matches!(say(b""), WireError::Closed));
        assert!(matches!(say(b"A\x02\0\0\0{}"), WireError::Garbage(_)));
        assert!(matches!(say(b"A\xff\xff\xff\xff"), WireError::Garbage(_)));
        assert!(matches!(say(b"R\x01\0\0\0x"), WireError::Garbage(_)));
        assert!(matches!(
            say(b"R\x0c\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff"),
            WireError::Garbage(_)
        ));
        assert!(matches!(say(b"O\x01\0\0\0x"), WireError::Sink(_)));
        assert!(matches!(say(b"P\x01\0\0\0x"), WireError::Garbage(_)));
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let (parent, _child) = UnixStream::pair().unwrap();
        let deadline = Instant::now() + Duration::from_millis(50);
        let mut source = Cursor::new(Vec::new());
        let error = serve(&parent, &job(), &mut source, &mut NoSink, deadline).unwrap_err();
        assert!(matches!(error, WireError::Deadline));
    }
}
