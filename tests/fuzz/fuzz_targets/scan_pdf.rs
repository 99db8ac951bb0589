//! Any bytes as documents, decoded and described.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::inspect::scan::fuzz::pdf(data));
