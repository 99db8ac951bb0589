//! Read-only trees: a view says what there is, [`ReadOnly`] makes a file space of it that refuses every change.

use super::{denied, no_such_file};
use crate::{
    domain::hex,
    ingest::text::decode_path,
    sftp::space::{
        Attributes, Capacity, Entry, FileSpace, ReadFile, Result, SpaceError, SpaceErrorKind, VirtualPath,
        WriteFile, WriteMode,
    },
};
use ring::digest::{Context, SHA256};

/// Owner-writable, or a folder that a client copies (`get -r`) couldn't be copied into a second time.
const FOLDER_MODE: u32 = 0o040_750;
const FILE_MODE: u32 = 0o100_440;
/// Bytes digested at a time.
const DIGEST_BYTES: usize = 256 * 1024;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its true size: clients compare it with what they read.
        size_bytes: u64,
        /// Milliseconds since 1970.
        time_ms: i64,
    },
}

impl Node {
    /// A file of so many bytes in memory.
    pub fn file(size_bytes: usize, time_ms: i64) -> Self {
        Node::File {
            size_bytes: size_bytes as u64,
            time_ms,
        }
    }

    /// As the protocol carries it.
    pub fn attributes(self) -> Attributes {
        match self {
            Node::Folder => Attributes {
                permissions: Some(FOLDER_MODE),
                ..Attributes::default()
            },
            Node::File { size_bytes, time_ms } => {
                let time = u32::try_from(time_ms / 1000).unwrap_or_default();
                Attributes {
                    size_bytes: Some(size_bytes),
                    uid_gid: None,
                    permissions: Some(FILE_MODE),
                    atime_mtime: Some((time, time)),
                }
            }
        }
    }
}

/// A tree that is only read. Paths are relative to it, in NFC; the empty path is its root.
pub trait Tree: Send {
    /// What stands there.
    fn find(&mut self, path: &[&str]) -> Result<Node>;
    /// What a folder holds, in a stable order.
    fn list(&mut self, path: &[&str]) -> Result<Vec<(String, Node)>>;
    /// Opens a file.
    fn open(&mut self, path: &[&str]) -> Result<Box<dyn ReadFile>>;
    /// The SHA-256 of a file, in hex, where it is known without reading it.
    fn known_sha256(&mut self, _path: &[&str]) -> Result<Option<String>> {
        Ok(None)
    }
}

/// A file space over a tree.
pub struct ReadOnly<T>(pub T);

impl<T: Tree> ReadOnly<T> {
    fn at<R>(
        &mut self,
        path: &VirtualPath,
        use_tree: impl FnOnce(&mut T, &[&str]) -> Result<R>,
    ) -> Result<R> {
        let names = decode_path(&path.components).map_err(|_| no_such_file())?;
        let names: Vec<&str> = names.iter().map(|name| name.nfc.as_str()).collect();
        use_tree(&mut self.0, &names)
    }
}

fn read_only() -> SpaceError {
    denied("this folder is read-only")
}

impl<T: Tree> FileSpace for ReadOnly<T> {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        self.at(path, |tree, path| tree.find(path)).map(Node::attributes)
    }

    fn list(&mut self, path: &VirtualPath) -> Result<Vec<Entry>> {
        let rows = self.at(path, |tree, path| tree.list(path))?;
        Ok(rows
            .into_iter()
            .map(|(name, node)| Entry {
                name: name.into_bytes(),
                attributes: node.attributes(),
            })
            .collect())
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        self.at(path, |tree, path| tree.open(path))
    }

    fn open_write(&mut self, _: &VirtualPath, _: WriteMode, _: &Attributes) -> Result<Box<dyn WriteFile>> {
        Err(read_only())
    }

    fn set_attributes(&mut self, _: &VirtualPath, _: &Attributes) -> Result<()> {
        Err(read_only())
    }

    fn make_directory(&mut self, _: &VirtualPath) -> Result<()> {
        Err(read_only())
    }

    fn remove_directory(&mut self, _: &VirtualPath) -> Result<()> {
        Err(read_only())
    }

    fn remove(&mut self, _: &VirtualPath) -> Result<()> {
        Err(read_only())
    }

    fn rename(&mut self, _: &VirtualPath, _: &VirtualPath, _: bool) -> Result<()> {
        Err(read_only())
    }

    fn capacity(&mut self, _: &VirtualPath) -> Result<Capacity> {
        Err(SpaceError::new(SpaceErrorKind::Unsupported, "not offered here"))
    }

    fn digest_sha256(&mut self, path: &VirtualPath) -> Result<String> {
        if let Some(known) = self.at(path, |tree, path| tree.known_sha256(path))? {
            return Ok(known);
        }
        let mut file = self.open_read(path)?;
        let mut context = Context::new(&SHA256);
        let (mut offset, mut buffer) = (0, vec![0; DIGEST_BYTES]);
        loop {
            let read = file.read(offset, &mut buffer)?;
            if read == 0 {
                return Ok(hex::encode(context.finish()));
            }
            context.update(buffer.get(..read).unwrap_or_default());
            offset += read as u64;
        }
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}
