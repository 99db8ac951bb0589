//! Containers followed byte by byte while libav reads them: demuxers step over damage in silence, this doesn't.
//!
//! A [`Chain`] asks its [`Rules`] at each header how far the next one is. Where no header stands it notes the place and
//! looks for the next one. It sees each byte once, in order, and keeps at most [`MAX_HEAD_BYTES`].
//!
//! It must never read by itself, and never judge what is inside a packet.

mod asf;
mod avi;
mod flv;
mod matroska;
mod mp3;
mod mpeg_ps;
mod mpeg_ts;

#[cfg(test)]
mod tests;

use crate::input::Follower;

pub(crate) use mp3::frame_bytes;

/// Bytes of a header that rules may ask for.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Places listed.
const MAX_LOSSES: usize = 64;
/// Bytes that are searched for the next header in all; then the chain is given up.
const MAX_SEARCH_BYTES: u64 = 16 << 20;

/// What rules say about the bytes where a header should be.
enum Step {
    /// So many bytes are needed to tell.
    Need(usize),
    /// The next header is so many bytes on, at least one.
    Next(u64),
    /// There is no header here.
    Lost,
    /// There is no header here, and the next one is so many bytes on.
    Skip(u64),
    /// From here on there is nothing to follow.
    End,
}

trait Rules: Send {
    /// Bytes needed at first at each header.
    fn head_bytes(&self) -> usize {
        4
    }
    /// Losses shorter than this are nothing: writers pad.
    fn least_loss(&self) -> u64 {
        1
    }
    fn step(&mut self, at: u64, head: &[u8]) -> Step;
    /// Whether a header may stand here, while searching. `head` has `head_bytes` bytes.
    fn may_begin(&mut self, head: &[u8]) -> bool;
    /// What can be said at the end.
    fn finish(&self, _seen: &mut Seen) {}
}

/// What following a file has shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Places in the file where the structure breaks: from, to.
    pub(crate) losses: Vec<(u64, u64)>,
    /// Places in all.
    pub(crate) loss_count: u32,
    /// It ends in the middle of an element or before the size that it declares.
    pub(crate) truncated: Option<&'static str>,
    /// An index that it promises isn't there.
    pub(crate) index_missing: bool,
    /// Headers that were followed.
    pub(crate) headers: u64,
}

struct Chain<R> {
    rules: R,
    /// Offset of the header to come; `head` holds bytes from there.
    at: u64,
    /// Bytes seen in all.
    position: u64,
    head: Vec<u8>,
    need: usize,
    searching_since: Option<u64>,
    search_left: u64,
    ended: bool,
    seen: Seen,
}

impl<R: Rules> Chain<R> {
    fn new(rules: R) -> Self {
        let need = rules.head_bytes();
        Chain {
            rules,
            at: 0,
            position: 0,
            head: Vec::new(),
            need,
            searching_since: None,
            search_left: MAX_SEARCH_BYTES,
            ended: false,
            seen: Seen::default(),
        }
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        while !self.ended {
            if self.position < self.at {
                let skipped = (self.at - self.position).min(bytes.len() as u64);
                self.position += skipped;
                bytes = &bytes[skipped as usize..];
            }
            let missing = self.need.saturating_sub(self.head.len());
            let taken = missing.min(bytes.len());
            self.head.extend_from_slice(&bytes[..taken]);
            self.position += taken as u64;
            bytes = &bytes[taken..];
            if taken < missing {
                return;
            }
            self.turn();
        }
        self.position += bytes.len() as u64;
    }

    /// At a header whose bytes are there.
    fn turn(&mut self) {
        if self.searching_since.is_some() && !self.rules.may_begin(&self.head) {
            self.search_left = self.search_left.saturating_sub(1);
            if self.search_left == 0 {
                self.ended = true;
            }
            return self.advance(1);
        }
        match self.rules.step(self.at, &self.head) {
            Step::Need(bytes) if bytes > self.head.len() && bytes <= MAX_HEAD_BYTES => self.need = bytes,
            Step::Next(length) => {
                self.found();
                self.seen.headers += 1;
                self.advance(length.max(1));
            }
            Step::Skip(length) => {
                self.lost(self.at, self.at.saturating_add(length));
                self.advance(length.max(1));
            }
            Step::End => {
                self.found();
                self.ended = true;
            }
            Step::Lost | Step::Need(_) => {
                self.searching_since.get_or_insert(self.at);
                self.advance(1);
            }
        }
    }

    fn advance(&mut self, length: u64) {
        self.at = self.at.saturating_add(length);
        let kept = self.head.len() as u64;
        self.head.drain(..length.min(kept) as usize);
        self.need = self.rules.head_bytes();
    }

    fn found(&mut self) {
        if let Some(since) = self.searching_since.take() {
            self.lost(since, self.at);
        }
    }

    fn lost(&mut self, from: u64, to: u64) {
        if to - from < self.rules.least_loss() {
            return;
        }
        self.seen.loss_count = self.seen.loss_count.saturating_add(1);
        if self.seen.losses.len() < MAX_LOSSES {
            self.seen.losses.push((from, to));
        }
    }

    fn finish(mut self) -> Seen {
        let size = self.position;
        if let Some(since) = self.searching_since.take() {
            self.lost(since, size);
        } else if !self.ended && self.at > size {
            self.seen.truncated = Some("its last element is cut off");
        } else if !self.ended && self.at < size {
            self.seen.truncated = Some("the head of its last element is cut off");
        }
        self.rules.finish(&mut self.seen);
        self.seen
    }
}

/// Follows whatever container a file begins with, or nothing.
pub(crate) enum Containers {
    /// Until the first bytes are there.
    Unknown(Vec<u8>, u64),
    /// Nothing to follow, or followed elsewhere (`muniment::ingest::structure`).
    None,
    Avi(Followed<avi::Avi>),
    Asf(Followed<asf::Asf>),
    Flv(Followed<flv::Flv>),
    Matroska(Followed<matroska::Matroska>),
    Mp3(Followed<mp3::Mp3>),
    MpegPs(Followed<mpeg_ps::MpegPs>),
    MpegTs(Followed<mpeg_ts::MpegTs>),
}

/// One container.
pub(crate) struct Followed<R>(Box<Chain<R>>);

/// Bytes that tell containers apart.
const DETECT_BYTES: usize = 1_024;

impl Containers {
    /// For a file of this size.
    pub(crate) fn new(size_bytes: u64) -> Self {
        Containers::Unknown(Vec::new(), size_bytes)
    }

    fn detect(head: &[u8], size_bytes: u64) -> Self {
        let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        macro_rules! follow {
            ($kind:ident, $rules:expr) => {
                Containers::$kind(Followed(Box::new(Chain::new($rules))))
            };
        }
        match head {
            _ if at(0, b"RIFF") && at(8, b"AVI ") => follow!(Avi, avi::Avi::new(size_bytes)),
            _ if at(0, &asf::HEADER) => follow!(Asf, asf::Asf::default()),
            [b'F', b'L', b'V', 1, ..] => follow!(Flv, flv::Flv::new(size_bytes)),
            [0x1A, 0x45, 0xDF, 0xA3, ..] => follow!(Matroska, matroska::Matroska::new(size_bytes)),
            [0, 0, 1, 0xBA, ..] => follow!(MpegPs, mpeg_ps::MpegPs),
            _ if at(0, &[0x47]) && at(188, &[0x47]) && at(376, &[0x47]) => {
                follow!(MpegTs, mpeg_ts::MpegTs::new(188))
            }
            _ if at(4, &[0x47]) && at(196, &[0x47]) && at(388, &[0x47]) => {
                follow!(MpegTs, mpeg_ts::MpegTs::new(192))
            }
            _ if at(0, b"ID3") || mp3::frame_bytes(head).is_some() => follow!(Mp3, mp3::Mp3::default()),
            _ => Containers::None,
        }
    }

    /// What following has shown; nothing when nothing was followed.
    pub(crate) fn finish(mut self) -> Option<Seen> {
        if let Containers::Unknown(head, size_bytes) = &mut self {
            let mut found = Self::detect(head, *size_bytes);
            found.bytes(head);
            self = found;
        }
        match self {
            Containers::Unknown(..) | Containers::None => None,
            Containers::Avi(chain) => Some(chain.0.finish()),
            Containers::Asf(chain) => Some(chain.0.finish()),
            Containers::Flv(chain) => Some(chain.0.finish()),
            Containers::Matroska(chain) => Some(chain.0.finish()),
            Containers::Mp3(chain) => Some(chain.0.finish()),
            Containers::MpegPs(chain) => Some(chain.0.finish()),
            Containers::MpegTs(chain) => Some(chain.0.finish()),
        }
    }
}

impl Follower for Containers {
    fn bytes(&mut self, bytes: &[u8]) {
        match self {
            Containers::Unknown(head, size_bytes) => {
                head.extend_from_slice(bytes);
                if head.len() >= DETECT_BYTES {
                    let mut found = Self::detect(head, *size_bytes);
                    found.bytes(head);
                    *self = found;
                }
            }
            Containers::None => {}
            Containers::Avi(chain) => chain.0.bytes(bytes),
            Containers::Asf(chain) => chain.0.bytes(bytes),
            Containers::Flv(chain) => chain.0.bytes(bytes),
            Containers::Matroska(chain) => chain.0.bytes(bytes),
            Containers::Mp3(chain) => chain.0.bytes(bytes),
            Containers::MpegPs(chain) => chain.0.bytes(bytes),
            Containers::MpegTs(chain) => chain.0.bytes(bytes),
        }
    }
}

/// Up to eight bytes, most significant first.
fn be(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Up to eight bytes, least significant first.
fn le(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}
