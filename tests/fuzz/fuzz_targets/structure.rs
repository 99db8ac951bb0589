//! Any bytes as walks through every container.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::ingest::fuzz::structure(data));
