//! Plaintext in memory of its own, wiped when it is dropped.

use std::ops::{Deref, DerefMut};
use zeroize::Zeroize;

/// A buffer that is wiped whole, at the speed of memory: `Zeroizing` writes what a vector holds byte by byte, which for a chunk takes
/// as long as encrypting it.
pub(super) struct Wiped(pub(super) Vec<u8>);

impl Deref for Wiped {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.clear();
        self.0.spare_capacity_mut().zeroize();
    }
}
