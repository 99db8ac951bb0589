//! A tree in memory behind the port, for tests of the protocol and of the SSH server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::space::*;

/// Up to `length` bytes at `offset` of a file.
pub(crate) fn piece(file: &mut dyn ReadFile, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = file.read(offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

type Key = Vec<Vec<u8>>;

/// The tree, shared by every space that shows it.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<Key, Vec<u8>>,
    pub(crate) directories: BTreeSet<Key>,
    /// Files that were dropped without CLOSE, with what they held.
    pub(crate) parked: Vec<(Key, usize)>,
    pub(crate) closed: Vec<Key>,
    /// Spaces dropped so far, and the threads on which spaces and open files were dropped.
    pub(crate) spaces_dropped: usize,
    pub(crate) dropped_on: Vec<std::thread::ThreadId>,
    /// Writes at or past this offset fail.
    pub(crate) disk_full_at: Option<u64>,
    /// Writes wait while this is set.
    pub(crate) held: bool,
    /// Sizes of the runs passed on.
    pub(crate) runs: Vec<usize>,
}

#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Arc<(Mutex<Tree>, Condvar)>);

impl Memory {
    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.0.0.lock().unwrap()
    }

    pub(crate) fn hold(&self, held: bool) {
        self.tree().held = held;
        self.0.1.notify_all();
    }

    pub(crate) fn space(&self) -> Box<dyn FileSpace> {
        Box::new(MemorySpace(self.clone()))
    }

    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.tree().files.get(&key(path)).cloned()
    }
}

pub(crate) fn key(path: &str) -> Key {
    path.split('/')
        .filter(|name| !name.is_empty())
        .map(|name| name.as_bytes().to_vec())
        .collect()
}

struct MemorySpace(Memory);

impl Drop for MemorySpace {
    fn drop(&mut self) {
        let mut tree = self.0.tree();
        tree.spaces_dropped += 1;
        tree.dropped_on.push(std::thread::current().id());
    }
}

fn none() -> SpaceError {
    SpaceError::new(SpaceErrorKind::NoSuchFile, "no such file")
}

fn attributes(size: usize, directory: bool) -> Attributes {
    Attributes {
        size_bytes: Some(size as u64),
        uid_gid: Some((0, 0)),
        permissions: Some(if directory { 0o040_755 } else { 0o100_644 }),
        atime_mtime: Some((1_700_000_000, 1_700_000_000)),
    }
}

impl FileSpace for MemorySpace {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        assert_ne!(path.components, key("defect"), "a defect, on purpose");
        let tree = self.0.tree();
        if let Some(bytes) = tree.files.get(&path.components) {
            return Ok(attributes(bytes.len(), false));
        }
        let there = path.components.is_empty() || tree.directories.contains(&path.components);
        if there {
            Ok(attributes(0, true))
        } else {
            Err(none())
        }
    }

    fn list(&mut self, path: &VirtualPath) -> Result<Vec<Entry>> {
        self.stat(path)?;
        let tree = self.0.tree();
        let inside = |key: &Key| key.len() == path.components.len() + 1 && key.starts_with(&path.components);
        let row = |key: &Key, size, directory| Entry {
            name: key.last().unwrap().clone(),
            attributes: attributes(size, directory),
        };
        let files = tree
            .files
            .iter()
            .filter(|(key, _)| inside(key))
            .map(|(key, bytes)| row(key, bytes.len(), false));
        let directories = tree
            .directories
            .iter()
            .filter(|key| inside(key))
            .map(|key| row(key, 0, true));
        Ok(files.chain(directories).collect())
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        let bytes = self
            .0
            .tree()
            .files
            .get(&path.components)
            .cloned()
            .ok_or_else(none)?;
        Ok(Box::new(MemoryRead(bytes)))
    }

    fn open_write(
        &mut self,
        path: &VirtualPath,
        mode: WriteMode,
        _: &Attributes,
    ) -> Result<Box<dyn WriteFile>> {
        let mut tree = self.0.tree();
        let key = path.components.clone();
        match tree.files.get_mut(&key) {
            Some(_) if mode.exclusive => return Err(SpaceError::new(SpaceErrorKind::Failure, "it exists")),
            Some(bytes) if mode.truncate => bytes.clear(),
            Some(_) => {}
            None if mode.create => {
                tree.files.insert(key.clone(), Vec::new());
            }
            None => return Err(none()),
        }
        drop(tree);
        Ok(Box::new(MemoryWrite {
            memory: self.0.clone(),
            key,
            append: mode.append,
            closed: false,
        }))
    }

    fn set_attributes(&mut self, path: &VirtualPath, _: &Attributes) -> Result<()> {
        self.stat(path).map(|_| ())
    }

    fn make_directory(&mut self, path: &VirtualPath) -> Result<()> {
        self.0.tree().directories.insert(path.components.clone());
        Ok(())
    }

    fn remove_directory(&mut self, path: &VirtualPath) -> Result<()> {
        if self.0.tree().directories.remove(&path.components) {
            Ok(())
        } else {
            Err(none())
        }
    }

    fn remove(&mut self, path: &VirtualPath) -> Result<()> {
        self.0
            .tree()
            .files
            .remove(&path.components)
            .map(|_| ())
            .ok_or_else(none)
    }

    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath, overwrite: bool) -> Result<()> {
        let mut tree = self.0.tree();
        if !overwrite && tree.files.contains_key(&to.components) {
            return Err(SpaceError::new(SpaceErrorKind::Failure, "the new name exists"));
        }
        let bytes = tree.files.remove(&from.components).ok_or_else(none)?;
        tree.files.insert(to.components.clone(), bytes);
        Ok(())
    }

    fn capacity(&mut self, _: &VirtualPath) -> Result<Capacity> {
        Ok(Capacity {
            block_size_bytes: 4096,
            blocks: (100, 50, 40),
            inodes: (10, 5, 4),
        })
    }

    fn digest_sha256(&mut self, path: &VirtualPath) -> Result<String> {
        let bytes = self
            .0
            .tree()
            .files
            .get(&path.components)
            .cloned()
            .ok_or_else(none)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        Ok(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}

struct MemoryRead(Vec<u8>);

impl ReadFile for MemoryRead {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(read_from(&self.0, offset, buffer))
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(attributes(self.0.len(), false))
    }
}

struct MemoryWrite {
    memory: Memory,
    key: Key,
    append: bool,
    closed: bool,
}

impl Drop for MemoryWrite {
    fn drop(&mut self) {
        if !self.closed {
            let mut tree = self.memory.tree();
            let size = tree.files.get(&self.key).map_or(0, Vec::len);
            tree.parked.push((self.key.clone(), size));
            tree.dropped_on.push(std::thread::current().id());
        }
    }
}

impl WriteFile for MemoryWrite {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut tree = self
            .memory
            .0
            .1
            .wait_while(self.memory.tree(), |tree| tree.held)
            .unwrap();
        if tree
            .disk_full_at
            .is_some_and(|limit| offset + bytes.len() as u64 > limit)
        {
            return Err(SpaceError::new(
                SpaceErrorKind::Failure,
                "the disk is full; try again later",
            ));
        }
        tree.runs.push(bytes.len());
        let file = tree.files.entry(self.key.clone()).or_default();
        let offset = if self.append {
            file.len()
        } else {
            usize::try_from(offset).unwrap()
        };
        if file.len() < offset + bytes.len() {
            file.resize(offset + bytes.len(), 0);
        }
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self
            .memory
            .tree()
            .files
            .get(&self.key)
            .cloned()
            .unwrap_or_default();
        MemoryRead(bytes).read(offset, buffer)
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(attributes(
            self.memory.tree().files.get(&self.key).map_or(0, Vec::len),
            false,
        ))
    }

    fn set_attributes(&mut self, attributes: &Attributes) -> Result<()> {
        if let Some(size) = attributes.size_bytes {
            self.memory
                .tree()
                .files
                .entry(self.key.clone())
                .or_default()
                .resize(usize::try_from(size).unwrap(), 0);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.closed = true;
        self.memory.tree().closed.push(self.key.clone());
        Ok(())
    }
}
