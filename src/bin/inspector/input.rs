//! The recording as libav reads it: bytes on request from the parent, with read-ahead, behind white lists.
//!
//! It must never let libav open anything else: no protocols, no external references, no devices.
//!
//! Invariants: at most [`WINDOWS`] × 1 MiB are held; packets come out one at a time, each owning its bytes, and errors of
//! the demuxer end the reading after [`MAX_BAD_READS`].

use ffmpeg_next::{
    Dictionary, Error, Packet,
    codec::Id,
    format::{
        self,
        context::{Input, StreamIo},
    },
};
use muniment::inspect::wire::{MAX_READ_BYTES, Worker};
use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, Mutex},
};

use crate::log;

/// Pixels of a picture that a decoder accepts: 8K.
pub(crate) const MAX_PIXELS: u64 = 7_680 * 4_320;
/// Streams that libav may find before it gives up.
const MAX_STREAMS_OPENED: &str = "64";
/// Bytes and microseconds that libav may look at to know the streams.
const PROBE_BYTES: &str = "10485760";
const PROBE_MICROSECONDS: &str = "10000000";
/// Reads that fail in a row before the rest is given up.
const MAX_BAD_READS: u32 = 64;
/// Places that are read from at once: sound and picture may lie far apart.
const WINDOWS: usize = 4;
/// The first read at a new place; it doubles while reading goes on from there.
const FIRST_READ_BYTES: usize = 64 << 10;
/// Between libav and the windows.
const AVIO_BYTES: usize = 64 << 10;

/// By the names of libavformat's demuxers.
const DEMUXERS: &str = "mov,matroska,webm,avi,asf,mpeg,mpegts,mpegvideo,flv,wav,mp3,aac";
/// By the names of libavcodec's decoders.
const DECODERS: &str = "h264,hevc,mpeg4,mpeg1video,mpeg2video,mjpeg,msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,\
     h263,h263i,flv,vp6,vp6f,vp8,vp9,libdav1d,dvvideo,rawvideo,cinepak,svq1,svq3,prores,\
     aac,aac_latm,mp1,mp1float,mp2,mp2float,mp3,mp3float,ac3,eac3,wmav1,wmav2,wmapro,wmavoice,vorbis,opus,flac,alac,\
     amrnb,amrwb,nellymoser,speex,gsm,gsm_ms,pcm_alaw,pcm_mulaw,pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,\
     pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_dvd,pcm_bluray,adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,\
     adpcm_swf,adpcm_yamaha,adpcm_g726";

/// Once, before the sandbox closes: libav's tables, CPU flags and the log.
pub(crate) fn initialise() {
    // It only registers; an error is impossible in the releases that are supported and would show at the first open.
    let _ = ffmpeg_next::init();
    log::install();
}

/// Whether a decoder is on the list.
pub(crate) fn decoder_allowed(name: &str) -> bool {
    DECODERS.split(',').any(|allowed| allowed.trim() == name)
}

/// A codec by the name that reports use.
pub(crate) fn codec_name(id: Id) -> String {
    id.name().to_owned()
}

/// Follows the bytes of a file in order while libav reads them.
pub(crate) trait Follower: Send {
    /// The next bytes; the first call begins at byte 0, each next one where the last ended.
    fn bytes(&mut self, bytes: &[u8]);
}

/// What a [`Follower`] sees of what was read so far.
struct Following<F> {
    /// Taken at the end.
    follower: Option<F>,
    seen: u64,
}

struct Window {
    at: u64,
    bytes: Vec<u8>,
    next_read: usize,
    used: u64,
}

/// The parent's bytes with read-ahead.
struct Reader<F> {
    worker: Worker,
    position: u64,
    windows: Vec<Window>,
    clock: u64,
    following: Arc<Mutex<Following<F>>>,
}

impl<F: Follower> Reader<F> {
    fn new(worker: Worker, following: Arc<Mutex<Following<F>>>) -> Self {
        Reader {
            worker,
            position: 0,
            windows: Vec::with_capacity(WINDOWS),
            clock: 0,
            following,
        }
    }

    /// The window that holds the byte at `at`, filled if need be; none at the end.
    fn window(&mut self, at: u64) -> io::Result<Option<usize>> {
        self.clock += 1;
        let clock = self.clock;
        let holds = |window: &Window| at >= window.at && at - window.at < window.bytes.len() as u64;
        if let Some(index) = self.windows.iter().position(holds) {
            self.windows[index].used = clock;
            return Ok(Some(index));
        }
        if at >= self.worker.size_bytes() {
            return Ok(None);
        }
        let goes_on = |window: &Window| at == window.at + window.bytes.len() as u64;
        let index = match self.windows.iter().position(goes_on) {
            Some(index) => index,
            None if self.windows.len() < WINDOWS => {
                self.windows.push(Window {
                    at,
                    bytes: Vec::new(),
                    next_read: FIRST_READ_BYTES,
                    used: clock,
                });
                self.windows.len() - 1
            }
            None => {
                let oldest = self
                    .windows
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, window)| window.used);
                let index = oldest.map_or(0, |(index, _)| index);
                self.windows[index].next_read = FIRST_READ_BYTES;
                index
            }
        };
        let window = &mut self.windows[index];
        let wanted = window.next_read;
        window.at = at;
        window.used = clock;
        window.bytes.resize(wanted, 0);
        let got = self
            .worker
            .read_at(at, &mut window.bytes)
            .inspect_err(|_| window.bytes.clear())?;
        window.bytes.truncate(got);
        window.next_read = (wanted * 2).min(MAX_READ_BYTES);
        if let Ok(mut following) = self.following.lock() {
            following.take(at, &window.bytes);
        }
        Ok((got > 0).then_some(index))
    }
}

impl<F: Follower> Following<F> {
    fn take(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        if at <= self.seen && self.seen < end {
            if let Some(follower) = &mut self.follower {
                follower.bytes(&bytes[(self.seen - at) as usize..]);
            }
            self.seen = end;
        }
    }
}

impl<F: Follower> Read for Reader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(index) = self.window(self.position)? else {
            return Ok(0);
        };
        let window = &self.windows[index];
        let from = (self.position - window.at) as usize;
        let length = buffer.len().min(window.bytes.len() - from);
        buffer[..length].copy_from_slice(&window.bytes[from..from + length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl<F: Follower> Seek for Reader<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, step) = match to {
            SeekFrom::Start(offset) => (offset, 0),
            SeekFrom::End(step) => (self.worker.size_bytes(), step),
            SeekFrom::Current(step) => (self.position, step),
        };
        self.position = base
            .checked_add_signed(step)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// Nobody follows.
#[allow(dead_code, reason = "playback copies are read so")]
pub(crate) struct Nobody;

impl Follower for Nobody {
    fn bytes(&mut self, _: &[u8]) {}
}

/// An open recording.
pub(crate) struct Recording<F> {
    /// libav's view of it.
    pub(crate) context: Input,
    following: Arc<Mutex<Following<F>>>,
    worker: Worker,
    bad_reads: u32,
    /// Reads that failed in all.
    pub(crate) failed_reads: u64,
}

/// Opens a recording with nobody following its bytes: for a playback copy.
///
/// # Errors
/// Those of libav.
#[allow(dead_code, reason = "playback copies are read so")]
pub(crate) fn open(worker: &Worker, ext: &str) -> Result<Recording<Nobody>, Error> {
    open_following(worker, ext, Nobody).map_err(|(error, _)| error)
}

/// Opens a recording; `follower` sees its bytes from the first to the last, if [`Recording::follow_to_the_end`] is called.
///
/// # Errors
/// Those of libav, with the follower as far as it came, all of the file included.
pub(crate) fn open_following<F: Follower + 'static>(
    worker: &Worker,
    ext: &str,
    follower: F,
) -> Result<Recording<F>, (Error, Option<F>)> {
    let following = Arc::new(Mutex::new(Following {
        follower: Some(follower),
        seen: 0,
    }));
    let reader = Reader::new(worker.second(), Arc::clone(&following));
    let opened = StreamIo::from_read_seek_with_capacity(reader, AVIO_BYTES)
        .and_then(|io| format::input_from_stream(io, Some(&format!("recording.{ext}")), Some(options())));
    match opened {
        Ok(context) => Ok(Recording {
            context,
            following,
            worker: worker.second(),
            bad_reads: 0,
            failed_reads: 0,
        }),
        Err(error) => {
            follow(&following, &mut worker.second());
            Err((error, into_follower(&following)))
        }
    }
}

fn options<'a>() -> Dictionary<'a> {
    [
        ("format_whitelist", DEMUXERS),
        ("codec_whitelist", DECODERS),
        ("protocol_whitelist", "none"),
        ("max_streams", MAX_STREAMS_OPENED),
        ("probesize", PROBE_BYTES),
        ("analyzeduration", PROBE_MICROSECONDS),
        ("enable_drefs", "0"),
        ("use_absolute_path", "0"),
    ]
    .into_iter()
    .collect()
}

fn follow<F: Follower>(following: &Mutex<Following<F>>, worker: &mut Worker) {
    let Ok(mut following) = following.lock() else {
        return;
    };
    let mut block = vec![0; MAX_READ_BYTES];
    while let Ok(got @ 1..) = worker.read_at(following.seen, &mut block) {
        let at = following.seen;
        following.take(at, &block[..got]);
    }
}

/// What is left of a reader that libav may still hold sees nothing any more.
fn into_follower<F>(following: &Mutex<Following<F>>) -> Option<F> {
    following.lock().ok()?.follower.take()
}

impl<F: Follower> Recording<F> {
    /// The next packet, in a fresh one; none at the end, or when reading on makes no sense.
    ///
    /// `Packet::read` doesn't let go of what a packet held before, and the crate's iterator retries for ever; hence this.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        loop {
            let mut packet = Packet::empty();
            match packet.read(&mut self.context) {
                Ok(()) => {
                    self.bad_reads = 0;
                    return Some(packet);
                }
                Err(Error::Eof) => return None,
                Err(_) => {
                    self.bad_reads += 1;
                    self.failed_reads += 1;
                    if self.bad_reads > MAX_BAD_READS {
                        return None;
                    }
                }
            }
        }
    }

    /// Lets the follower see what libav didn't read, closes, and gives it back.
    pub(crate) fn follow_to_the_end(self) -> Option<F> {
        let Recording {
            context,
            following,
            mut worker,
            ..
        } = self;
        follow(&following, &mut worker);
        drop(context);
        into_follower(&following)
    }
}
