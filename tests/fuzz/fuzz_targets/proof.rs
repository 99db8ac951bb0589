//! Any bytes as a tlog-proof: what parses is written back byte for byte.
#![no_main]

use muniment::tlog::proof::TlogProof;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(proof) = TlogProof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
    }
});
