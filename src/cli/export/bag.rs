//! A BagIt 1.0 bag (RFC 8493) as a folder.
//!
//! It must never know what it holds. Invariant: `bagit.txt`, without which no reader takes the folder for a bag, is the
//! last file written, after every other one is durable.

use anyhow::{Context as _, Result};
use muniment::domain::hex;
use ring::digest::{self, SHA256};
use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Names in `data/` that are the bag's own.
const RESERVED: [&str; 8] = [
    "derived",
    "record.json",
    "receipt.txt",
    "receipt.json",
    "receipt.tlog-proof",
    "custody.json",
    "log.pub",
    "verify.txt",
];

/// A file in the bag.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub(super) sha256: [u8; 32],
    pub(super) size_bytes: u64,
}

/// A bag being written.
pub(super) struct Bag {
    root: PathBuf,
    payload: BTreeMap<String, Written>,
    folders: Vec<PathBuf>,
}

impl Bag {
    /// Begins a bag in a folder that doesn't exist or is empty; only its owner can look inside.
    pub(super) fn create(root: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
        made.and_then(|()| DirBuilder::new().mode(0o700).create(root.join("data")))
            .with_context(|| format!("{} can't be written", root.display()))?;
        Ok(Bag {
            root: root.to_owned(),
            payload: BTreeMap::new(),
            folders: vec![root.join("data"), root.to_owned()],
        })
    }

    /// Makes a folder below `data/`.
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        let folder = self.root.join(path);
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("{} can't be written", folder.display()))?;
        self.folders.insert(0, folder);
        Ok(())
    }

    /// Adds a payload file that `write` fills; `path` begins with `data/`.
    pub(super) fn add(
        &mut self,
        path: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<Written> {
        let written = self.file(path, write)?;
        self.payload.insert(path.to_owned(), written);
        Ok(written)
    }

    /// Writes manifests and tags. The folder is a bag when this returns.
    pub(super) fn finish(self, info: &[(&str, &str)]) -> Result<()> {
        let octets: u64 = self.payload.values().map(|file| file.size_bytes).sum();
        let mut info_text: String = info
            .iter()
            .map(|(label, value)| format!("{label}: {value}\n"))
            .collect();
        info_text.push_str(&format!("Payload-Oxum: {octets}.{}\n", self.payload.len()));
        let manifest: String = self.payload.iter().map(|(path, file)| line(path, file)).collect();
        let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
        let declaration_digest = Written {
            sha256: digest::digest(&SHA256, declaration.as_bytes())
                .as_ref()
                .try_into()
                .context("a digest's length")?,
            size_bytes: declaration.len() as u64,
        };
        let mut tags = line("bagit.txt", &declaration_digest);
        for (path, text) in [("bag-info.txt", &info_text), ("manifest-sha256.txt", &manifest)] {
            tags.push_str(&line(
                path,
                &self.file(path, |out| Ok(out.write_all(text.as_bytes())?))?,
            ));
        }
        self.file(
            "tagmanifest-sha256.txt",
            |out| Ok(out.write_all(tags.as_bytes())?),
        )?;
        for folder in &self.folders {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .context("the bag can't be made durable")?;
        }
        self.file("bagit.txt", |out| Ok(out.write_all(declaration.as_bytes())?))?;
        Ok(())
    }

    fn file(&self, path: &str, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Written> {
        let target = self.root.join(path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&target)
            .with_context(|| format!("{} can't be written", target.display()))?;
        let mut out = Digesting {
            file: BufWriter::new(file),
            digest: digest::Context::new(&SHA256),
            size_bytes: 0,
        };
        write(&mut out)?;
        out.file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        let sha256 = out
            .digest
            .finish()
            .as_ref()
            .try_into()
            .context("a digest's length")?;
        Ok(Written {
            sha256,
            size_bytes: out.size_bytes,
        })
    }
}

struct Digesting {
    file: BufWriter<File>,
    digest: digest::Context,
    size_bytes: u64,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.size_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A manifest's line; a path's line breaks and percent signs are encoded (RFC 8493, 2.1.3).
fn line(path: &str, file: &Written) -> String {
    let path = path.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D");
    format!("{}  {path}\n", hex::encode(file.sha256))
}

/// The original's name in the bag: its own, unless that would leave the folder or is one of the bag's.
pub(super) fn payload_name(file_name: &str) -> String {
    let name: String = file_name
        .chars()
        .filter(|&character| character != '/' && character != '\0')
        .collect();
    if name.is_empty() || name == "." || name == ".." {
        "original".to_owned()
    } else if RESERVED.contains(&name.to_lowercase().as_str()) {
        format!("original-{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_bag_has_its_manifests_its_oxum_and_its_declaration() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("bag");
        let mut bag = Bag::create(&root).unwrap();
        bag.add("data/开户%1.mp4", |out| Ok(out.write_all(b"abc")?))
            .unwrap();
        bag.add("data/a.txt", |out| Ok(out.write_all(b"")?)).unwrap();
        assert!(!root.join("bagit.txt").exists());
        bag.finish(&[("External-Identifier", "e1 v1")]).unwrap();
        let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
        // SHA-256 of "" and of "abc": FIPS 180-4 examples.
        assert_eq!(
            read("manifest-sha256.txt"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  data/a.txt\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  data/开户%251.mp4\n"
        );
        assert!(read("bag-info.txt").contains("Payload-Oxum: 3.2\n"));
        let tags = read("tagmanifest-sha256.txt");
        for name in ["bagit.txt", "bag-info.txt", "manifest-sha256.txt"] {
            let digest = digest::digest(&SHA256, &fs::read(root.join(name)).unwrap());
            assert!(
                tags.contains(&format!("{}  {name}\n", hex::encode(digest.as_ref()))),
                "{name}"
            );
        }
    }

    #[test]
    fn no_original_leaves_the_folder_or_takes_a_name_of_the_bags() {
        assert_eq!(payload_name("a_b.mp4"), "a_b.mp4");
        assert_eq!(payload_name("../../x"), "....x");
        assert_eq!(payload_name(".."), "original");
        assert_eq!(payload_name("Receipt.JSON"), "original-Receipt.JSON");
    }
}
