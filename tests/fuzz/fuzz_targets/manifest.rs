//! Any bytes as `manifest.csv` of a branch.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::ingest::fuzz::manifest(data));
