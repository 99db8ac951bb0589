//! A folder of files that are rendered when somebody looks: reports and task lists.
//!
//! A rendering is kept for a short while, so that listing, opening and reading one see the same bytes, and a client that
//! looks again and again doesn't have a large table counted each time.

use super::{
    file::RenderedFile,
    no_such_file,
    tree::{Node, Tree},
};
use crate::{
    domain::time::Clock,
    sftp::space::{ReadFile, Result},
};
use std::sync::Arc;

/// Renders one file.
pub type Render = Box<dyn Fn() -> Result<Vec<u8>> + Send>;

/// The folder.
pub struct Shelf {
    clock: Arc<dyn Clock>,
    fresh_ms: i64,
    files: Vec<Document>,
}

struct Document {
    name: &'static str,
    render: Render,
    kept: Option<(i64, Vec<u8>)>,
}

impl Shelf {
    /// An empty folder whose renderings are good for `fresh_ms` milliseconds.
    pub fn new(clock: Arc<dyn Clock>, fresh_ms: i64) -> Self {
        Shelf {
            clock,
            fresh_ms,
            files: Vec::new(),
        }
    }

    /// Adds a file.
    #[must_use]
    pub fn with(mut self, name: &'static str, render: impl Fn() -> Result<Vec<u8>> + Send + 'static) -> Self {
        self.files.push(Document {
            name,
            render: Box::new(render),
            kept: None,
        });
        self
    }

    fn document(&mut self, path: &[&str]) -> Result<(i64, &[u8])> {
        let now_ms = self.clock.now_ms();
        let [name] = path else { return Err(no_such_file()) };
        let document = self
            .files
            .iter_mut()
            .find(|document| document.name == *name)
            .ok_or_else(no_such_file)?;
        document.fresh(now_ms, self.fresh_ms)
    }
}

impl Document {
    fn fresh(&mut self, now_ms: i64, fresh_ms: i64) -> Result<(i64, &[u8])> {
        let stale = self
            .kept
            .as_ref()
            .is_none_or(|(at_ms, _)| !(0..fresh_ms).contains(&(now_ms - at_ms)));
        if stale {
            self.kept = None;
            self.kept = Some((now_ms, (self.render)()?));
        }
        self.kept
            .as_ref()
            .map(|(at_ms, bytes)| (*at_ms, bytes.as_slice()))
            .ok_or_else(no_such_file)
    }
}

impl Tree for Shelf {
    fn find(&mut self, path: &[&str]) -> Result<Node> {
        if path.is_empty() {
            return Ok(Node::Folder);
        }
        self.document(path)
            .map(|(time_ms, bytes)| Node::file(bytes.len(), time_ms))
    }

    fn list(&mut self, path: &[&str]) -> Result<Vec<(String, Node)>> {
        if !path.is_empty() {
            return Err(no_such_file());
        }
        let (now_ms, fresh_ms) = (self.clock.now_ms(), self.fresh_ms);
        self.files
            .iter_mut()
            .map(|document| {
                let name = document.name.to_owned();
                document
                    .fresh(now_ms, fresh_ms)
                    .map(|(time_ms, bytes)| (name, Node::file(bytes.len(), time_ms)))
            })
            .collect()
    }

    fn open(&mut self, path: &[&str]) -> Result<Box<dyn ReadFile>> {
        self.document(path)
            .map(|(time_ms, bytes)| RenderedFile::open(bytes.to_vec(), time_ms))
    }
}
