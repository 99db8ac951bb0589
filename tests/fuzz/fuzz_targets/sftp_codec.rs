//! Any bytes as packets cut from a stream in any slicing decode alike.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muniment::sftp::codec::fuzz_decode(data));
