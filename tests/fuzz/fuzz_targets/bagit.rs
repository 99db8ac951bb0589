//! Any bytes as tag files of a bag.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::ingest::fuzz::bagit(data));
