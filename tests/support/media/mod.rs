//! Files that play, show and unpack, unlike each other by their seeds: small ones by value, large ones streamed.
//!
//! Each has a real recording or page inside, so that inspection has nothing to object to, and noise where its format lets
//! it lie: the same seed gives the same bytes.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod cache;
pub mod document;
pub mod page;
pub mod recording;

pub use document::{pdf, zip};
pub use page::{jpeg, photo, png, tiff};
pub use recording::{avi, mkv, mp4, mp4_file, mp4_index_last};

/// A small generator with a seed (SplitMix64): the same seed, the same bytes, on every machine.
pub struct Noise(u64);

impl Noise {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Noise(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
    }

    /// Some bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }
}

/// Bytes without any structure.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    Noise::new(seed).bytes(length)
}
