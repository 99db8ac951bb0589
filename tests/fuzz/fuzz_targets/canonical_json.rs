//! Any bytes as canonical JSON: what is accepted has one spelling.
#![no_main]

use muniment::domain::canonical::{parse_canonical, to_canonical};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(value) = parse_canonical(data) {
        assert_eq!(to_canonical(&value).expect("what was parsed can be written"), data);
    }
});
