//! Files that cost time to make, made once for all tests and kept between runs, below the folder of the tests.
//!
//! A file is named by the digest of its recipe, so a changed recipe makes a new file and an old one is never mistaken.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// The file that `make` writes for `recipe`; made by whichever test comes first, while the others wait for it.
pub fn shared(recipe: &str, ext: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media");
    fs::create_dir_all(&folder).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, recipe.as_bytes());
    let name: String = digest.as_ref()[..10]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = folder.join(format!("{name}.{ext}"));
    if path.exists() {
        return path;
    }
    let lock = File::create(folder.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !path.exists() {
        let unfinished = folder.join(format!("{name}.part.{ext}"));
        make(&unfinished);
        fs::rename(&unfinished, &path).unwrap();
    }
    path
}
