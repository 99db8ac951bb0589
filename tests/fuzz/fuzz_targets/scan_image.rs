//! Any bytes as pictures, decoded and described.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::inspect::scan::fuzz::image(data));
