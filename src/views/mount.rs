//! One login's root: views under their names, a README, and nothing else.
//!
//! Invariant: a request reaches at most one view; nothing is moved from one to another.

use super::{denied, file::RenderedFile, no_such_file, tree::Node, unavailable};
use crate::{
    blob::{Layout, capacity},
    domain::hex,
    sftp::space::{
        Attributes, Capacity, Entry, FileSpace, ReadFile, Result, SpaceError, SpaceErrorKind, VirtualPath,
        WriteFile, WriteMode,
    },
};
use std::collections::BTreeMap;

/// Name of the README in every root.
pub const README: &str = "README.txt";

/// The root of a login.
pub struct Mount {
    spaces: BTreeMap<&'static str, Mounted>,
    readme: Vec<u8>,
    time_ms: i64,
    layout: Layout,
}

struct Mounted {
    space: Box<dyn FileSpace>,
    listed: bool,
}

/// Where a path leads.
enum Place<'a> {
    Root,
    Readme,
    Inside(&'a mut dyn FileSpace, VirtualPath),
}

impl Mount {
    /// A root with a README and nothing else yet. `time_ms` dates the README; `layout` says how much room there is.
    pub fn new(readme: Vec<u8>, time_ms: i64, layout: Layout) -> Self {
        Mount {
            spaces: BTreeMap::new(),
            readme,
            time_ms,
            layout,
        }
    }

    /// Puts a view under a name.
    pub fn add(&mut self, name: &'static str, space: impl FileSpace + 'static) {
        self.spaces.insert(
            name,
            Mounted {
                space: Box::new(space),
                listed: true,
            },
        );
    }

    /// Puts a view under a name that no listing shows.
    pub fn add_unlisted(&mut self, name: &'static str, space: impl FileSpace + 'static) {
        self.spaces.insert(
            name,
            Mounted {
                space: Box::new(space),
                listed: false,
            },
        );
    }

    fn place(&mut self, path: &VirtualPath) -> Result<Place<'_>> {
        let Some((first, rest)) = path.components.split_first() else {
            return Ok(Place::Root);
        };
        if first == README.as_bytes() && rest.is_empty() {
            return Ok(Place::Readme);
        }
        let mounted = std::str::from_utf8(first)
            .ok()
            .and_then(|name| self.spaces.get_mut(name));
        let mounted = mounted.ok_or_else(no_such_file)?;
        Ok(Place::Inside(
            mounted.space.as_mut(),
            VirtualPath {
                components: rest.to_vec(),
            },
        ))
    }

    /// The view that a change goes to; the root and what stands in it aren't changed.
    fn change(&mut self, path: &VirtualPath) -> Result<(&mut dyn FileSpace, VirtualPath)> {
        let writable = self.writable();
        match self.place(path) {
            Ok(Place::Inside(space, inside)) if !inside.components.is_empty() => Ok((space, inside)),
            // A file put beside the folders: say where it belongs.
            Err(error) if path.components.len() > 1 => Err(error),
            _ => Err(denied(match writable {
                Some(name) => format!("nothing can be changed here; use the folder /{name}"),
                None => "nothing can be changed here".to_owned(),
            })),
        }
    }

    fn writable(&self) -> Option<&'static str> {
        ["inbox", "witness"]
            .into_iter()
            .find(|name| self.spaces.get(name).is_some_and(|mounted| mounted.listed))
    }
}

impl FileSpace for Mount {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        let readme = Node::file(self.readme.len(), self.time_ms);
        match self.place(path)? {
            Place::Root => Ok(Node::Folder.attributes()),
            Place::Readme => Ok(readme.attributes()),
            Place::Inside(space, path) => space.stat(&path),
        }
    }

    fn list(&mut self, path: &VirtualPath) -> Result<Vec<Entry>> {
        match self.place(path)? {
            Place::Root => {}
            Place::Readme => return Err(SpaceError::new(SpaceErrorKind::Failure, "that is a file")),
            Place::Inside(space, path) => return space.list(&path),
        }
        let readme = Entry {
            name: README.as_bytes().to_vec(),
            attributes: Node::file(self.readme.len(), self.time_ms).attributes(),
        };
        let mut entries = vec![readme];
        for (name, mounted) in self.spaces.iter_mut().filter(|(_, mounted)| mounted.listed) {
            let attributes = mounted.space.stat(&VirtualPath::default())?;
            entries.push(Entry {
                name: name.as_bytes().to_vec(),
                attributes,
            });
        }
        Ok(entries)
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        let (readme, time_ms) = (self.readme.clone(), self.time_ms);
        match self.place(path)? {
            Place::Root => Err(SpaceError::new(SpaceErrorKind::Failure, "that is a folder")),
            Place::Readme => Ok(RenderedFile::open(readme, time_ms)),
            Place::Inside(space, path) => space.open_read(&path),
        }
    }

    fn open_write(
        &mut self,
        path: &VirtualPath,
        mode: WriteMode,
        attributes: &Attributes,
    ) -> Result<Box<dyn WriteFile>> {
        let (space, path) = self.change(path)?;
        space.open_write(&path, mode, attributes)
    }

    fn set_attributes(&mut self, path: &VirtualPath, attributes: &Attributes) -> Result<()> {
        let (space, path) = self.change(path)?;
        space.set_attributes(&path, attributes)
    }

    fn make_directory(&mut self, path: &VirtualPath) -> Result<()> {
        // Clients make every folder of a target path; one that is there is there already.
        if let Ok(Place::Inside(_, inside)) = self.place(path)
            && inside.components.is_empty()
        {
            return Err(SpaceError::new(SpaceErrorKind::Failure, "it exists already"));
        }
        let (space, path) = self.change(path)?;
        space.make_directory(&path)
    }

    fn remove_directory(&mut self, path: &VirtualPath) -> Result<()> {
        let (space, path) = self.change(path)?;
        space.remove_directory(&path)
    }

    fn remove(&mut self, path: &VirtualPath) -> Result<()> {
        let (space, path) = self.change(path)?;
        space.remove(&path)
    }

    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath, overwrite: bool) -> Result<()> {
        let same = from.components.first() == to.components.first();
        let shown = |path: &VirtualPath| String::from_utf8_lossy(&path.components[0]).into_owned();
        let (space, from_inside) = self.change(from)?;
        if !same {
            // The source must be there, or the words would say that it is.
            space.stat(&from_inside)?;
            self.change(to)?;
            return Err(denied(format!(
                "files aren't moved from /{} to /{}",
                shown(from),
                shown(to)
            )));
        }
        let Some((_, to_inside)) = to
            .components
            .split_first()
            .filter(|(_, inside)| !inside.is_empty())
        else {
            return Err(denied("the folders of the root keep their names"));
        };
        space.rename(
            &from_inside,
            &VirtualPath {
                components: to_inside.to_vec(),
            },
            overwrite,
        )
    }

    fn capacity(&mut self, path: &VirtualPath) -> Result<Capacity> {
        self.place(path)?;
        let room = capacity(&self.layout).map_err(unavailable)?;
        Ok(Capacity {
            block_size_bytes: room.block_size_bytes,
            blocks: (room.blocks, room.blocks_free, room.blocks_available),
            inodes: (room.inodes, room.inodes_free, room.inodes_available),
        })
    }

    fn digest_sha256(&mut self, path: &VirtualPath) -> Result<String> {
        let readme = ring::digest::digest(&ring::digest::SHA256, &self.readme);
        match self.place(path)? {
            Place::Root => Err(SpaceError::new(SpaceErrorKind::Failure, "that is a folder")),
            Place::Readme => Ok(hex::encode(readme)),
            Place::Inside(space, path) => space.digest_sha256(&path),
        }
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}
