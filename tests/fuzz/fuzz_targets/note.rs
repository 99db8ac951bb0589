//! Any bytes as a signed note: what parses is written back byte for byte, and no stranger's signature verifies.
#![no_main]

use muniment::tlog::note::Note;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
    }
});
