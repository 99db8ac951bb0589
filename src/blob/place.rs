//! Placement: what enters `objects`, `kept`, `registry` or `headers` enters once.
//!
//! It must never decide what is placed or remember what was; the catalogue does, and replays after a crash.
//!
//! Invariant: an existing file is never written to, replaced or renamed. Each placement either puts its bytes where nothing
//! was, or finds the same there (a replay), or fails and changes nothing.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, IFlags, RenameFlags, ioctl_getflags, ioctl_setflags, renameat_with};

use super::{
    BlobError, Layout,
    staging::{begin_writing_out, temporary_for},
};

/// Permissions of what is placed: nobody writes.
const PLACED_MODE: u32 = 0o444;

/// Whether the vault's file system keeps the immutable flag (`chattr +i`). It is tamper evidence, not a lock: root can
/// take it off again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImmutableSupport {
    /// Contents and records get it.
    Supported,
    /// They don't, because of this. The log says so.
    Unsupported(String),
}

impl ImmutableSupport {
    /// Tries it on a temporary file in the vault.
    pub fn probe(layout: &Layout) -> Result<Self, BlobError> {
        let path = layout.root().join(".immutable.tmp");
        let failed = |error| BlobError::new(layout.label(&path), error);
        // A crash between the two flag changes below leaves an immutable file, which has to be freed to go.
        if let Ok(stale) = File::open(&path) {
            // Where flags can't be changed there is none to take off.
            let _ =
                ioctl_getflags(&stale).and_then(|flags| ioctl_setflags(&stale, flags - IFlags::IMMUTABLE));
            fs::remove_file(&path).map_err(failed)?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let tried = ioctl_getflags(&file).and_then(|flags| {
            ioctl_setflags(&file, flags | IFlags::IMMUTABLE)?;
            let kept = ioctl_getflags(&file)?.contains(IFlags::IMMUTABLE);
            ioctl_setflags(&file, flags)?;
            Ok(kept)
        });
        fs::remove_file(&path).map_err(failed)?;
        Ok(match tried {
            Ok(true) => Self::Supported,
            Ok(false) => {
                Self::Unsupported("the file system takes the immutable flag but doesn't keep it".into())
            }
            Err(error) => Self::Unsupported(error.to_string()),
        })
    }
}

/// What a placement found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is there now.
    Now,
    /// It was there already: this was a replay.
    Before,
}

/// The write-once part of a vault.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    immutable: ImmutableSupport,
}

impl Store {
    /// The store of a vault whose flag support was probed.
    pub fn new(layout: Layout, immutable: ImmutableSupport) -> Self {
        Self { layout, immutable }
    }

    /// Whether contents and records are made immutable here.
    pub fn immutable(&self) -> &ImmutableSupport {
        &self.immutable
    }

    /// Begins a batch of placements.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            store: self,
            nameless: Vec::new(),
            folders: BTreeSet::new(),
        }
    }

    /// The file at `path` if it holds exactly `bytes`; nothing if there is none; an error if it holds anything else.
    fn open_same(&self, path: &Path, bytes: &[u8]) -> Result<Option<File>, BlobError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(path, error)),
        };
        let mut found = Vec::with_capacity(bytes.len() + 1);
        (&file)
            .take(bytes.len() as u64 + 1)
            .read_to_end(&mut found)
            .map_err(|error| self.failed(path, error))?;
        if found != bytes {
            return Err(BlobError::AlreadyDifferent {
                place: self.layout.label(path),
            });
        }
        Ok(Some(file))
    }

    fn check_size(&self, file: &File, path: &Path, expected_bytes: u64) -> Result<(), BlobError> {
        let found_bytes = file.metadata().map_err(|error| self.failed(path, error))?.len();
        if found_bytes == expected_bytes {
            return Ok(());
        }
        Err(BlobError::WrongSize {
            place: self.layout.label(path),
            expected_bytes,
            found_bytes,
        })
    }

    /// Takes write permission away and, if asked and possible, makes the file immutable. Does nothing twice, because an
    /// immutable file refuses even the permissions it has.
    ///
    /// The folders' sync at the end of a batch makes both durable: journals commit in order.
    fn protect(&self, file: &File, path: &Path, immutable: bool) -> Result<(), BlobError> {
        let failed = |error| self.failed(path, error);
        if file.metadata().map_err(failed)?.permissions().mode() & 0o7777 != PLACED_MODE {
            file.set_permissions(fs::Permissions::from_mode(PLACED_MODE))
                .map_err(failed)?;
        }
        if immutable && self.immutable == ImmutableSupport::Supported {
            let flags = ioctl_getflags(file).map_err(|error| failed(error.into()))?;
            if !flags.contains(IFlags::IMMUTABLE) {
                ioctl_setflags(file, flags | IFlags::IMMUTABLE).map_err(|error| failed(error.into()))?;
            }
        }
        Ok(())
    }

    /// Makes the folders above `path` and tells which ones are new, deepest first.
    fn create_folder_of(&self, path: &Path) -> Result<Vec<PathBuf>, BlobError> {
        let above = path
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != self.layout.root());
        let missing: Vec<PathBuf> = above
            .take_while(|folder| !folder.is_dir())
            .map(Path::to_owned)
            .collect();
        for folder in missing.iter().rev() {
            match DirBuilder::new().mode(0o755).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.failed(folder, error));
                }
                _ => {}
            }
        }
        Ok(missing)
    }

    fn failed(&self, path: &Path, error: io::Error) -> BlobError {
        BlobError::new(self.layout.label(path), error)
    }
}

/// Placements that become durable together, so that the disk is waited for a few times and not a few times for each. None of them
/// counts before [`Batch::finish`] said so. A crash before that leaves what a replay finishes.
pub struct Batch<'s> {
    store: &'s Store,
    /// In the order in which they are to appear.
    nameless: Vec<Nameless>,
    /// Those in which names appear.
    folders: BTreeSet<PathBuf>,
}

/// A file on its way to its name.
struct Nameless {
    file: File,
    /// Where it is until then.
    from: PathBuf,
    destination: PathBuf,
    immutable: bool,
    /// Bytes of this batch under a temporary name; a staged body otherwise, which is durable already.
    written: bool,
}

impl Batch<'_> {
    /// Moves a staged body of `size_bytes` bytes, which must be synced, to its place.
    ///
    /// A crash leaves it in staging, or in place without flag and durable name; the replay finishes either.
    ///
    /// # Errors
    /// When it isn't there or something else is in its place; the rest of the batch is as it was.
    pub fn content(
        &mut self,
        staged: &Path,
        destination: &Path,
        size_bytes: u64,
    ) -> Result<Placed, BlobError> {
        let store = self.store;
        let file = match File::open(staged) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = File::open(destination).map_err(|error| store.failed(destination, error))?;
                store.check_size(&file, destination, size_bytes)?;
                store.protect(&file, destination, true)?;
                self.named(destination, &[]);
                return Ok(Placed::Before);
            }
            Err(error) => return Err(store.failed(staged, error)),
        };
        store.check_size(&file, staged, size_bytes)?;
        if destination.symlink_metadata().is_ok() {
            return Err(BlobError::AlreadyDifferent {
                place: store.layout.label(destination),
            });
        }
        // Read-only before it gets its name: no moment with a writable file among the placed ones.
        store.protect(&file, staged, false)?;
        let created = store.create_folder_of(destination)?;
        self.named(destination, &created);
        self.nameless.push(Nameless {
            file,
            from: staged.to_owned(),
            destination: destination.to_owned(),
            immutable: true,
            written: false,
        });
        Ok(Placed::Now)
    }

    /// Places a record or another sealed text, immutable where possible.
    ///
    /// # Errors
    /// When something else stands there, or it can't be written; the rest of the batch is as it was.
    pub fn record(&mut self, destination: &Path, sealed: &[u8]) -> Result<Placed, BlobError> {
        self.bytes(destination, sealed, true)
    }

    /// Places a header, the only part that may be erased one day: read-only but never immutable.
    ///
    /// # Errors
    /// As [`Batch::record`].
    pub fn header(&mut self, destination: &Path, header: &[u8]) -> Result<Placed, BlobError> {
        self.bytes(destination, header, false)
    }

    /// A crash leaves a temporary beside the place, which the replay overwrites, or the file in its place, whole.
    fn bytes(&mut self, destination: &Path, bytes: &[u8], immutable: bool) -> Result<Placed, BlobError> {
        let store = self.store;
        if let Some(file) = store.open_same(destination, bytes)? {
            store.protect(&file, destination, immutable)?;
            self.named(destination, &[]);
            return Ok(Placed::Before);
        }
        let created = store.create_folder_of(destination)?;
        self.named(destination, &created);
        let temporary = temporary_for(destination);
        let write = || {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(PLACED_MODE)
                .open(&temporary)?;
            file.write_all(bytes)?;
            // The process's umask may have taken bits away.
            file.set_permissions(fs::Permissions::from_mode(PLACED_MODE))?;
            begin_writing_out(&file);
            Ok(file)
        };
        let file = write().map_err(|error| {
            let _ = fs::remove_file(&temporary);
            store.failed(destination, error)
        })?;
        self.nameless.push(Nameless {
            file,
            from: temporary,
            destination: destination.to_owned(),
            immutable,
            written: true,
        });
        Ok(Placed::Now)
    }

    /// Takes note of a name that appears, and of the folders that were made for it.
    fn named(&mut self, path: &Path, created: &[PathBuf]) {
        let paths = created.iter().map(PathBuf::as_path).chain([path]);
        self.folders
            .extend(paths.map(|path| path.parent().unwrap_or(path).to_owned()));
    }

    /// Everything in the batch is in its place and survives a power cut when this returns.
    ///
    /// # Errors
    /// When something isn't: all of it has to be placed again then, and what is there already is found.
    pub fn finish(self) -> Result<(), BlobError> {
        self.name_all().inspect_err(|_| {
            for nameless in self.nameless.iter().filter(|nameless| nameless.written) {
                let _ = fs::remove_file(&nameless.from);
            }
        })?;
        self.folders.iter().try_for_each(|folder| {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| self.store.failed(folder, error))
        })
    }

    /// A name appears only when its bytes are safe: a replay must find all of them or nothing. Names appear in order, a version's header
    /// before its content.
    fn name_all(&self) -> Result<(), BlobError> {
        for nameless in self.nameless.iter().filter(|nameless| nameless.written) {
            let synced = nameless.file.sync_all();
            synced.map_err(|error| self.store.failed(&nameless.destination, error))?;
        }
        for nameless in &self.nameless {
            let (from, to) = (&nameless.from, &nameless.destination);
            renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
                .map_err(|error| self.store.failed(to, error.into()))?;
            self.store.protect(&nameless.file, to, nameless.immutable)?;
        }
        Ok(())
    }
}
