//! Any bytes as `.sha256` files of a branch.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::ingest::fuzz::checksum(data));
