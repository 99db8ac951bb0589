//! Placement: what enters `objects`, `kept`, `registry` or `headers` enters once.
//!
//! Files go in batches, because what costs is to make each durable by itself: all are written beside their places, then
//! synced together, then given their names, then synced again. It must never decide what is placed or remember what was;
//! the catalogue does, and replays after a crash.
//!
//! Invariants: an existing file is never written to, replaced or renamed. Each file either comes where nothing was, or is
//! found there the same (a replay), or fails and changes nothing. Under its name it is whole and durable, whenever a crash comes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, IFlags, RenameFlags, ioctl_getflags, ioctl_setflags, renameat_with, syncfs};

use super::{BlobError, Layout, Tray, staging::temporary_for};

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

/// A file that is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Where it goes.
    pub destination: &'a Path,
    /// Where it comes from.
    pub source: Source<'a>,
    /// Whether it gets the immutable flag where that is possible: everything but headers, the only part that may be erased
    /// one day.
    pub immutable: bool,
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The body of this accession, which must be durable: its staged file is moved, or it is copied from the tray.
    Body {
        /// The accession's id.
        accession: &'a str,
        /// Its size in bytes.
        size_bytes: u64,
    },
    /// These bytes are written.
    Bytes(&'a [u8]),
}

/// How far a file is.
enum Step {
    /// It lies here, whole, and lacks its name.
    Ready(PathBuf),
    /// It is in its place.
    Done(Placed),
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
    tray: Tray,
    immutable: ImmutableSupport,
}

impl Store {
    /// The store of a vault whose flag support was probed.
    pub fn new(layout: Layout, tray: Tray, immutable: ImmutableSupport) -> Self {
        Self {
            layout,
            tray,
            immutable,
        }
    }

    /// Whether contents and records are made immutable here.
    pub fn immutable(&self) -> &ImmutableSupport {
        &self.immutable
    }

    /// Puts files in their places. What is said of each is durable when this returns.
    ///
    /// A crash leaves files in staging, temporaries beside their places, which the replay overwrites, or files in their
    /// places, perhaps without their flag; the replay finishes any of it.
    pub fn place(&self, files: &[Incoming<'_>]) -> Vec<Result<Placed, BlobError>> {
        let mut steps: Vec<Result<Step, BlobError>> = files.iter().map(|file| self.prepare(file)).collect();
        let is_ready = |step: &Result<Step, BlobError>| matches!(step, Ok(Step::Ready(_)));
        if steps.iter().any(is_ready) {
            self.sync(&mut steps);
        }
        for (step, file) in steps.iter_mut().zip(files) {
            if let Ok(Step::Ready(from)) = step {
                let named = self.name(from, file);
                *step = named.map(|()| Step::Done(Placed::Now));
            }
        }
        if steps.iter().any(Result::is_ok) {
            self.sync(&mut steps);
        }
        let placed = |step| match step {
            Step::Done(placed) => placed,
            // Every one that was ready has its name.
            Step::Ready(_) => Placed::Now,
        };
        steps.into_iter().map(|step| step.map(placed)).collect()
    }

    /// One file, up to the point where it only lacks its name.
    fn prepare(&self, incoming: &Incoming<'_>) -> Result<Step, BlobError> {
        let destination = incoming.destination;
        match incoming.source {
            Source::Body {
                accession,
                size_bytes,
            } => {
                let staged = self.layout.staged(accession)?;
                let file = match File::open(&staged) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return match self.tray.body(accession)? {
                            Some(body) => self.copy(&body, destination, size_bytes),
                            None => self.found(destination, size_bytes),
                        };
                    }
                    Err(error) => return Err(self.failed(&staged, error)),
                };
                self.check_size(&file, &staged, size_bytes)?;
                // Read-only before it gets its name: no moment with a writable file among the placed ones.
                self.protect(&file, &staged, false)?;
                self.create_folder_of(destination)?;
                Ok(Step::Ready(staged))
            }
            Source::Bytes(bytes) => {
                if let Some(file) = self.open_same(destination, bytes)? {
                    self.protect(&file, destination, incoming.immutable)?;
                    return Ok(Step::Done(Placed::Before));
                }
                self.write_beside(destination, bytes)
            }
        }
    }

    /// A body from the tray, unless a replay finds that it was placed before.
    fn copy(&self, body: &[u8], destination: &Path, size_bytes: u64) -> Result<Step, BlobError> {
        if body.len() as u64 != size_bytes {
            return Err(BlobError::WrongSize {
                place: self.layout.label(&self.layout.tray()),
                expected_bytes: size_bytes,
                found_bytes: body.len() as u64,
            });
        }
        match self.found(destination, size_bytes) {
            Err(BlobError::Missing { .. }) => self.write_beside(destination, body),
            found => found,
        }
    }

    /// A body that a replay finds in its place.
    fn found(&self, destination: &Path, size_bytes: u64) -> Result<Step, BlobError> {
        let file = File::open(destination).map_err(|error| self.failed(destination, error))?;
        self.check_size(&file, destination, size_bytes)?;
        self.protect(&file, destination, true)?;
        Ok(Step::Done(Placed::Before))
    }

    fn write_beside(&self, destination: &Path, bytes: &[u8]) -> Result<Step, BlobError> {
        let temporary = temporary_for(destination);
        let written = match write_new(&temporary, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folder_of(destination)?;
                write_new(&temporary, bytes)
            }
            // What a crash left there.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&temporary).and_then(|()| write_new(&temporary, bytes))
            }
            written => written,
        };
        written.map_err(|error| {
            let _ = fs::remove_file(&temporary);
            self.failed(destination, error)
        })?;
        Ok(Step::Ready(temporary))
    }

    /// Gives a file its name, where nothing is yet.
    fn name(&self, from: &Path, incoming: &Incoming<'_>) -> Result<(), BlobError> {
        let destination = incoming.destination;
        renameat_with(CWD, from, CWD, destination, RenameFlags::NOREPLACE).map_err(|error| {
            // A staged body stays where it is.
            if from.parent() == destination.parent() {
                let _ = fs::remove_file(from);
            }
            self.failed(destination, error.into())
        })?;
        let file = File::open(destination).map_err(|error| self.failed(destination, error))?;
        self.protect(&file, destination, incoming.immutable)
    }

    /// Makes everything that was done on the vault's file system so far durable. If it fails, nothing is said to be placed.
    fn sync(&self, steps: &mut [Result<Step, BlobError>]) {
        let root = self.layout.root();
        let synced = File::open(root).and_then(|folder| Ok(syncfs(&folder)?));
        if let Err(error) = synced {
            for step in steps.iter_mut().filter(|step| step.is_ok()) {
                let again = error.raw_os_error().map_or_else(
                    || io::Error::from(error.kind()),
                    io::Error::from_raw_os_error,
                );
                *step = Err(self.failed(root, again));
            }
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
    /// The sync that follows makes both durable.
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

    /// Makes the folders above `path`.
    fn create_folder_of(&self, path: &Path) -> Result<(), BlobError> {
        let above = path
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != self.layout.root());
        let mut missing = Vec::new();
        for folder in above {
            match make_folder(folder) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder),
                Err(error) => return Err(self.failed(folder, error)),
            }
        }
        missing
            .into_iter()
            .rev()
            .try_for_each(|folder| make_folder(folder).map_err(|error| self.failed(folder, error)))
    }

    fn failed(&self, path: &Path, error: io::Error) -> BlobError {
        BlobError::new(self.layout.label(path), error)
    }
}

/// Writes a file that isn't there yet, for nobody to write to.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(PLACED_MODE)
        .open(path)?;
    file.write_all(bytes)?;
    // The process's umask may have taken bits away.
    if file.metadata()?.permissions().mode() & 0o7777 != PLACED_MODE {
        file.set_permissions(fs::Permissions::from_mode(PLACED_MODE))?;
    }
    Ok(())
}

/// Makes a folder unless it is there.
fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
