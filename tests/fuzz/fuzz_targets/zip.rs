//! Any bytes as zips of a branch.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::ingest::fuzz::zip(data));
