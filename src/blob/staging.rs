//! Bodies being received, and the sidecars that say how to go on with them after an interruption.
//!
//! It must never see plaintext or an open key: bodies come encrypted, sidecars come sealed.
//!
//! Invariant: `size_bytes` counts whole appends only. What a failed append left behind is cut off, or overwritten by the
//! next one, or refused when the body is placed, because its length is compared then.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{Advice, OFlags};

use super::{BlobError, Layout, layout::StagedFile};

/// The largest sidecar that is read, in bytes: a held-back chunk of 64 KiB and some bookkeeping fit well.
pub const MAX_SIDECAR_BYTES: u64 = 1024 * 1024;

/// What writes past the page cache has to begin, end and lie in memory at multiples of this many bytes: the largest block of
/// any file system that takes such writes.
pub const DIRECT_ALIGNMENT_BYTES: usize = 4096;

/// A body in `staging`, open for appending.
#[derive(Debug)]
pub struct StagedBody {
    file: Arc<File>,
    /// The same file past the page cache; `None` inside where the file system has no such thing.
    direct: Option<Option<Arc<File>>>,
    path: PathBuf,
    sidecar: PathBuf,
    layout: Layout,
    size_bytes: u64,
    name_durable: bool,
    sync_failed: bool,
}

impl StagedBody {
    /// Makes an empty body for a new accession. A crash leaves an empty or short file, which the listing shows.
    pub fn create(layout: &Layout, accession_id: &str) -> Result<Self, BlobError> {
        Self::at(
            layout,
            accession_id,
            OpenOptions::new().create_new(true).mode(0o600),
        )
    }

    /// Opens the body of an accession that goes on.
    pub fn open(layout: &Layout, accession_id: &str) -> Result<Self, BlobError> {
        Self::at(layout, accession_id, &mut OpenOptions::new())
    }

    fn at(layout: &Layout, accession_id: &str, options: &mut OpenOptions) -> Result<Self, BlobError> {
        let path = layout.staged(accession_id)?;
        let failed = |error| BlobError::new(layout.label(&path), error);
        let file = options.read(true).write(true).open(&path).map_err(failed)?;
        let size_bytes = file.metadata().map_err(failed)?.len();
        Ok(Self {
            file: Arc::new(file),
            direct: None,
            path,
            sidecar: layout.sidecar(accession_id)?,
            layout: layout.clone(),
            size_bytes,
            name_durable: false,
            sync_failed: false,
        })
    }

    /// Appends ciphertext. On an error nothing was appended, and appending may be tried again (the disk had no room).
    pub fn append(&mut self, ciphertext: &[u8]) -> Result<(), BlobError> {
        let written = self.buffered_tail().write(ciphertext);
        self.note(ciphertext.len(), written)
    }

    /// The end of the body as another thread can write to it, past the page cache where that is possible: a recording is
    /// read once more, by its inspection, and would push everything else out of the cache. Until [`Self::note`] has heard
    /// what came of it, nothing else may be appended.
    pub fn tail(&mut self) -> Tail {
        let path = &self.path;
        let opened = self.direct.get_or_insert_with(|| {
            let flags = OFlags::DIRECT.bits().cast_signed();
            let direct = OpenOptions::new().write(true).custom_flags(flags).open(path);
            direct.ok().map(Arc::new)
        });
        let aligned = self.size_bytes.is_multiple_of(DIRECT_ALIGNMENT_BYTES as u64);
        Tail {
            direct: opened.clone().filter(|_| aligned),
            ..self.buffered_tail()
        }
    }

    fn buffered_tail(&self) -> Tail {
        Tail {
            file: self.file.clone(),
            direct: None,
            offset: self.size_bytes,
        }
    }

    /// Takes note of what came of writing `bytes` bytes to the tail. On an error nothing was appended.
    pub fn note(&mut self, bytes: usize, written: io::Result<()>) -> Result<(), BlobError> {
        if let Err(error) = written {
            // Give back the room that the failed write took. If that fails too, the invariant above still holds.
            let _ = self.file.set_len(self.size_bytes);
            return Err(self.failed(error));
        }
        self.size_bytes += bytes as u64;
        Ok(())
    }

    /// Cuts the body back, to what a recovery found usable. It never grows.
    pub fn truncate(&mut self, size_bytes: u64) -> Result<(), BlobError> {
        if size_bytes < self.size_bytes {
            self.file
                .set_len(size_bytes)
                .map_err(|error| self.failed(error))?;
            self.size_bytes = size_bytes;
        }
        Ok(())
    }

    /// Has the kernel begin with what [`Self::sync`] will wait for.
    pub fn begin_sync(&self) {
        begin_writing_out(&self.file);
    }

    /// Makes everything appended, and the body's name, survive a power cut.
    ///
    /// A failure is final for this body: the kernel drops the pages it couldn't write and says so once, so a second try
    /// would lie.
    pub fn sync(&mut self) -> Result<(), BlobError> {
        if self.sync_failed {
            return Err(self.failed(io::Error::other(
                "an earlier sync failed, so parts of this body may be lost",
            )));
        }
        let synced = self.file.sync_data().and_then(|()| match self.name_durable {
            true => Ok(()),
            false => File::open(self.layout.staging())?.sync_all(),
        });
        self.sync_failed = synced.is_err();
        synced.map_err(|error| self.failed(error))?;
        self.name_durable = true;
        Ok(())
    }

    /// As [`Self::sync`], and writes the body's sidecar. After [`Self::begin_sync`] both go to the disk together, which takes about as
    /// long as one of them.
    ///
    /// A crash leaves the sidecar whole, or so that it can't be opened, or not at all: before this returns nobody was promised
    /// anything. One that is there already may be all that a crash would leave of the upload, so it goes when its successor is safe.
    pub fn sync_with_sidecar(&mut self, sealed: &[u8]) -> Result<(), BlobError> {
        let mut options = OpenOptions::new();
        let opened = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.sidecar);
        let mut sidecar = match opened {
            Ok(sidecar) => sidecar,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.sync()?;
                return write_whole(&self.layout, &self.sidecar, sealed, true);
            }
            Err(error) => return Err(BlobError::new(self.layout.label(&self.sidecar), error)),
        };
        let written = sidecar.write_all(sealed).and_then(|()| sidecar.sync_data());
        // Its name stands in the same folder.
        self.name_durable = false;
        written
            .map_err(|error| BlobError::new(self.layout.label(&self.sidecar), error))
            .and_then(|()| self.sync())
            .inspect_err(|_| {
                let _ = fs::remove_file(&self.sidecar);
            })
    }

    /// Bytes of body so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle on the same file, for a `BodyReader` (which reads by offset and disturbs nothing).
    pub fn reader(&self) -> Result<File, BlobError> {
        self.file.try_clone().map_err(|error| self.failed(error))
    }

    /// Removes it. Nothing of it was ever acknowledged as sealed, so no trace is owed on disk.
    pub fn discard(self) -> Result<(), BlobError> {
        fs::remove_file(&self.path).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> BlobError {
        BlobError::new(self.layout.label(&self.path), error)
    }
}

/// The end of a staged body, for the thread that writes there.
pub struct Tail {
    file: Arc<File>,
    direct: Option<Arc<File>>,
    offset: u64,
}

impl Tail {
    /// Writes there; past the page cache if `ciphertext` is aligned and the device takes it.
    pub fn write(&self, ciphertext: &[u8]) -> io::Result<()> {
        if let Some(direct) = self.direct.as_ref().filter(|_| is_aligned(ciphertext)) {
            match direct.write_all_at(ciphertext, self.offset) {
                // A device with larger blocks, or a short write: through the page cache then, from the beginning.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                written => return written,
            }
        }
        self.file.write_all_at(ciphertext, self.offset)
    }
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(DIRECT_ALIGNMENT_BYTES)
        && bytes.as_ptr().addr().is_multiple_of(DIRECT_ALIGNMENT_BYTES)
}

/// Writes the sidecar of an accession, in place of the one before. A crash leaves the old or the new one, whole; with
/// `durable` it is the new one as soon as this returns.
pub fn write_sidecar(
    layout: &Layout,
    accession_id: &str,
    sealed: &[u8],
    durable: bool,
) -> Result<(), BlobError> {
    write_whole(layout, &layout.sidecar(accession_id)?, sealed, durable)
}

/// The sidecar of an accession, if there is one.
pub fn read_sidecar(layout: &Layout, accession_id: &str) -> Result<Option<Vec<u8>>, BlobError> {
    read_whole(layout, &layout.sidecar(accession_id)?)
}

/// Removes the sidecar of an accession, if there is one.
pub fn remove_sidecar(layout: &Layout, accession_id: &str) -> Result<(), BlobError> {
    remove(layout, &layout.sidecar(accession_id)?)
}

/// Writes what opens an accession's body after it is sealed, for its deep inspection; durable when this returns.
pub fn write_deep_sidecar(layout: &Layout, accession_id: &str, sealed: &[u8]) -> Result<(), BlobError> {
    write_whole(layout, &layout.deep_sidecar(accession_id)?, sealed, true)
}

/// What opens an accession's sealed body, if it is still there.
pub fn read_deep_sidecar(layout: &Layout, accession_id: &str) -> Result<Option<Vec<u8>>, BlobError> {
    read_whole(layout, &layout.deep_sidecar(accession_id)?)
}

/// Removes what opens an accession's sealed body: from then on only the recipients can.
pub fn remove_deep_sidecar(layout: &Layout, accession_id: &str) -> Result<(), BlobError> {
    remove(layout, &layout.deep_sidecar(accession_id)?)
}

/// Has the kernel begin to write a file out, so that a sync that follows finds the work begun, together with that of other files.
pub(super) fn begin_writing_out(file: &File) {
    // What isn't written yet is written because of this advice, and then need not be kept in the cache. It promises nothing, so its
    // failure is none.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
}

fn write_whole(layout: &Layout, path: &Path, sealed: &[u8], durable: bool) -> Result<(), BlobError> {
    let temporary = temporary_for(path);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(sealed)?;
        if durable {
            file.sync_data()?;
        }
        fs::rename(&temporary, path)?;
        if durable {
            File::open(layout.staging())?.sync_all()
        } else {
            Ok(())
        }
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        BlobError::new(layout.label(path), error)
    })
}

fn read_whole(layout: &Layout, path: &Path) -> Result<Option<Vec<u8>>, BlobError> {
    let mut sealed = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_SIDECAR_BYTES + 1).read_to_end(&mut sealed));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BlobError::new(layout.label(path), error)),
        Ok(size) if size as u64 > MAX_SIDECAR_BYTES => Err(BlobError::WrongSize {
            place: layout.label(path),
            expected_bytes: MAX_SIDECAR_BYTES,
            found_bytes: size as u64,
        }),
        Ok(_) => Ok(Some(sealed)),
    }
}

fn remove(layout: &Layout, path: &Path) -> Result<(), BlobError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BlobError::new(layout.label(path), error))
        }
        _ => Ok(()),
    }
}

/// One accession found in `staging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its id.
    pub accession_id: String,
    /// Length of its body in bytes, if it has one.
    pub body_bytes: Option<u64>,
    /// Whether it has a sidecar.
    pub has_sidecar: bool,
    /// Whether it has what opens it after it is sealed.
    pub has_deep_sidecar: bool,
}

/// Everything in `staging`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Accessions by id.
    pub accessions: Vec<Staged>,
    /// Names that nothing here writes.
    pub strays: Vec<String>,
}

/// Lists `staging` and removes temporaries that a crash left there. Only for the one process that writes, at its start.
pub fn list(layout: &Layout) -> Result<Listing, BlobError> {
    let folder = layout.staging();
    let failed = |error| BlobError::new(layout.label(&folder), error);
    let mut found = std::collections::BTreeMap::<String, Staged>::new();
    let mut strays = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // The placer moved it to its place meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        if metadata.is_file() && name.starts_with('.') && name.ends_with(TEMPORARY) {
            fs::remove_file(entry.path()).map_err(failed)?;
            continue;
        }
        let Some((id, kind)) = Layout::staged_name(&name).filter(|_| metadata.is_file()) else {
            strays.push(name);
            continue;
        };
        let staged = found.entry(id.to_owned()).or_insert_with(|| Staged {
            accession_id: id.to_owned(),
            body_bytes: None,
            has_sidecar: false,
            has_deep_sidecar: false,
        });
        match kind {
            StagedFile::Body => staged.body_bytes = Some(metadata.len()),
            StagedFile::Sidecar => staged.has_sidecar = true,
            StagedFile::Deep => staged.has_deep_sidecar = true,
        }
    }
    strays.sort();
    Ok(Listing {
        accessions: found.into_values().collect(),
        strays,
    })
}

/// Suffix of files that are not yet what they will be. With the dot in front no id can have such a name.
const TEMPORARY: &str = ".tmp";

/// The temporary beside `path`: always the same name, so that a replay cleans up what a crash left.
pub(super) fn temporary_for(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{TEMPORARY}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn vault() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        (folder, layout)
    }

    #[test]
    fn a_body_grows_goes_on_and_goes() {
        let (_folder, layout) = vault();
        let mut body = StagedBody::create(&layout, "A1").unwrap();
        assert_eq!(body.path().metadata().unwrap().mode() & 0o777, 0o600);
        assert!(matches!(
            StagedBody::create(&layout, "A1"),
            Err(BlobError::AlreadyDifferent { .. })
        ));
        body.append(b"one ").unwrap();
        body.append(b"two").unwrap();
        body.sync().unwrap();
        drop(body);
        let mut body = StagedBody::open(&layout, "A1").unwrap();
        assert_eq!(body.size_bytes(), 7);
        body.truncate(100).unwrap();
        body.truncate(4).unwrap();
        body.append(b"three").unwrap();
        body.sync().unwrap();
        let mut text = String::new();
        File::open(body.path())
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "one three");
        let mut middle = [0; 5];
        body.reader().unwrap().read_exact_at(&mut middle, 4).unwrap();
        assert_eq!(&middle, b"three");
        body.discard().unwrap();
        assert!(matches!(
            StagedBody::open(&layout, "A1"),
            Err(BlobError::Missing { .. })
        ));
        assert!(matches!(
            StagedBody::open(&layout, "../A1"),
            Err(BlobError::Layout(_))
        ));
    }

    #[test]
    fn a_body_goes_to_the_disk_with_its_sidecar_whether_it_had_one_or_not() {
        let (_folder, layout) = vault();
        let mut body = StagedBody::create(&layout, "A1").unwrap();
        body.append(b"body").unwrap();
        body.begin_sync();
        for sealed in [&b"first and long"[..], b"second"] {
            body.sync_with_sidecar(sealed).unwrap();
            assert_eq!(read_sidecar(&layout, "A1").unwrap().unwrap(), sealed);
            let mode = layout.sidecar("A1").unwrap().metadata().unwrap().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read(body.path()).unwrap(), b"body");
        assert_eq!(
            fs::read_dir(layout.staging()).unwrap().count(),
            2,
            "no temporaries"
        );
    }

    #[test]
    fn a_sidecar_is_replaced_whole() {
        let (_folder, layout) = vault();
        assert_eq!(read_sidecar(&layout, "A1").unwrap(), None);
        write_sidecar(&layout, "A1", b"first and long", true).unwrap();
        write_sidecar(&layout, "A1", b"second", false).unwrap();
        assert_eq!(read_sidecar(&layout, "A1").unwrap().unwrap(), b"second");
        assert_eq!(
            layout.sidecar("A1").unwrap().metadata().unwrap().mode() & 0o777,
            0o600
        );
        remove_sidecar(&layout, "A1").unwrap();
        remove_sidecar(&layout, "A1").unwrap();
        assert_eq!(read_sidecar(&layout, "A1").unwrap(), None);
        write_sidecar(&layout, "A1", &vec![0; MAX_SIDECAR_BYTES as usize + 1], false).unwrap();
        assert!(matches!(
            read_sidecar(&layout, "A1"),
            Err(BlobError::WrongSize { .. })
        ));
    }

    #[test]
    fn the_listing_pairs_bodies_with_sidecars_and_names_strays() {
        let (_folder, layout) = vault();
        StagedBody::create(&layout, "A2")
            .unwrap()
            .append(b"12345")
            .unwrap();
        write_sidecar(&layout, "A2", b"x", false).unwrap();
        write_sidecar(&layout, "A1", b"x", false).unwrap();
        write_deep_sidecar(&layout, "A1", b"x").unwrap();
        fs::write(temporary_for(&layout.sidecar("A1").unwrap()), b"half").unwrap();
        fs::write(layout.staging().join("not ours"), b"").unwrap();
        fs::create_dir(layout.staging().join("folder")).unwrap();
        let staged = |id: &str, body_bytes| Staged {
            accession_id: id.into(),
            body_bytes,
            has_sidecar: true,
            has_deep_sidecar: body_bytes.is_none(),
        };
        let expected = Listing {
            accessions: vec![staged("A1", None), staged("A2", Some(5))],
            strays: vec!["folder".into(), "not ours".into()],
        };
        assert_eq!(list(&layout).unwrap(), expected);
        assert_eq!(fs::read_dir(layout.staging()).unwrap().count(), 6);
    }
}
