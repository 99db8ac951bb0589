//! A folder that refuses everything and tells that it was tried.

use crate::sftp::space::{
    Attributes, Capacity, Entry, FileSpace, ReadFile, Result, SpaceError, SpaceErrorKind, VirtualPath,
    WriteFile, WriteMode,
};

/// The folder; the function is called for each try.
pub(super) struct Refusing(pub(super) Box<dyn Fn() + Send>);

impl Refusing {
    fn refuse<T>(&self) -> Result<T> {
        (self.0)();
        Err(SpaceError::new(
            SpaceErrorKind::PermissionDenied,
            "who runs the system reads and writes no content (S7); such tries go on record",
        ))
    }
}

impl FileSpace for Refusing {
    fn stat(&mut self, _: &VirtualPath) -> Result<Attributes> {
        self.refuse()
    }

    fn list(&mut self, _: &VirtualPath) -> Result<Vec<Entry>> {
        self.refuse()
    }

    fn open_read(&mut self, _: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        self.refuse()
    }

    fn open_write(&mut self, _: &VirtualPath, _: WriteMode, _: &Attributes) -> Result<Box<dyn WriteFile>> {
        self.refuse()
    }

    fn set_attributes(&mut self, _: &VirtualPath, _: &Attributes) -> Result<()> {
        self.refuse()
    }

    fn make_directory(&mut self, _: &VirtualPath) -> Result<()> {
        self.refuse()
    }

    fn remove_directory(&mut self, _: &VirtualPath) -> Result<()> {
        self.refuse()
    }

    fn remove(&mut self, _: &VirtualPath) -> Result<()> {
        self.refuse()
    }

    fn rename(&mut self, _: &VirtualPath, _: &VirtualPath, _: bool) -> Result<()> {
        self.refuse()
    }

    fn capacity(&mut self, _: &VirtualPath) -> Result<Capacity> {
        self.refuse()
    }

    fn digest_sha256(&mut self, _: &VirtualPath) -> Result<String> {
        self.refuse()
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}
