//! Any bytes as file names and paths.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::ingest::fuzz::naming(data));
