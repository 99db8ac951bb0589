//! The half of the engine that may block: executes requests one after the other against the space.
//!
//! Invariant: each request that carries an id gets exactly one reply.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::shared::{Job, Shared, Writable};
use crate::sftp::codec::{Handle, OpenFlags, Reply, Request, StatusCode, encode_data};
use crate::sftp::limits::{
    LISTING_PAGE_BYTES, LISTING_PAGE_ENTRIES, MAX_HANDLES, MAX_OFFSET, MAX_TRANSFER_BYTES,
};
use crate::sftp::path::{resolve, to_bytes};
use crate::sftp::space::{
    Attributes, Entry, FileSpace, ReadFile, Result, SpaceError, SpaceErrorKind, VirtualPath, WriteFile,
    WriteMode, sftp_time,
};

/// The space and what is open in it. `space` is `None` once the channel has ended.
pub(super) struct Worker {
    space: Option<Box<dyn FileSpace>>,
    open: BTreeMap<u64, Open>,
    last_handle: u64,
}

pub(super) struct Open {
    pub(super) path: VirtualPath,
    pub(super) what: What,
}

pub(super) enum What {
    Reading(Box<dyn ReadFile>),
    Writing(Box<dyn WriteFile>, Arc<Writable>),
    Listing(std::vec::IntoIter<Entry>),
}

impl Worker {
    pub(super) fn new(space: Box<dyn FileSpace>) -> Worker {
        Worker {
            space: Some(space),
            open: BTreeMap::new(),
            last_handle: 0,
        }
    }

    /// Drops the files in the order of opening, then the space.
    pub(super) fn end(&mut self) {
        while self.open.pop_first().is_some() {}
        self.space = None;
    }

    /// Executes one job; its reply is appended to `out`.
    pub(super) fn execute(&mut self, job: Job, shared: &Shared, out: &mut Vec<u8>) {
        match job {
            Job::Write {
                handle,
                offset,
                bytes,
            } => {
                self.write(handle, offset, &bytes);
                shared.segments().keep(bytes);
            }
            Job::Read {
                id,
                handle,
                offset,
                length,
            } => {
                answer(id, out, |out| self.read(id, handle, offset, length, out));
            }
            Job::Packet(packet) => {
                // The front has decoded it before.
                if let Ok((id, request)) = Request::decode(&packet) {
                    answer(id, out, |out| self.request(id, request, shared, out));
                }
            }
            Job::End => self.end(),
        }
    }

    fn write(&mut self, handle: Handle, offset: u64, bytes: &[u8]) {
        if let Some(Open {
            what: What::Writing(file, writable),
            ..
        }) = self.open.get_mut(&handle.0)
            && writable.failure.get().is_none()
            && let Err(error) = file.write(offset, bytes)
        {
            // The first failure stands; `set` can't fail because only this thread sets it.
            let _ = writable.failure.set(error);
        }
    }

    /// The file's bytes go straight into the reply.
    fn read(&mut self, id: u32, handle: Handle, offset: u64, length: u32, out: &mut Vec<u8>) -> Result<()> {
        let length = length.min(MAX_TRANSFER_BYTES);
        let what = &mut self.opened(handle)?.what;
        let read = encode_data(id, length, out, |buffer| match what {
            _ if offset > MAX_OFFSET => Ok(0),
            What::Reading(file) => file.read(offset, buffer),
            What::Writing(file, _) => file.read(offset, buffer),
            What::Listing(_) => Err(bad_handle()),
        })?;
        if read == 0 && length > 0 {
            Reply::Status {
                code: StatusCode::Eof,
                message: "end of file",
            }
            .encode(id, out);
        }
        Ok(())
    }

    fn request(&mut self, id: u32, request: Request<'_>, shared: &Shared, out: &mut Vec<u8>) -> Result<()> {
        match request {
            Request::Open {
                path,
                flags,
                attributes,
            } => {
                let path = self.resolve(path)?;
                let handle = self.open_file(path, flags, &attributes, shared)?;
                Reply::Handle(handle).encode(id, out);
                return Ok(());
            }
            Request::Opendir { path } => {
                let path = self.resolve(path)?;
                self.room_for_handle()?;
                let rows = self.space()?.list(&path)?;
                let handle = self.keep(Open {
                    path,
                    what: What::Listing(rows.into_iter()),
                });
                shared.opened(handle, None);
                Reply::Handle(handle).encode(id, out);
                return Ok(());
            }
            Request::Readdir { handle } => return self.list(id, handle, out),
            Request::Lstat { path } | Request::Stat { path } => {
                let path = self.resolve(path)?;
                Reply::Attributes(&self.space()?.stat(&path)?).encode(id, out);
                return Ok(());
            }
            Request::Fstat { handle } => {
                let open = self.open.get_mut(&handle.0).ok_or_else(bad_handle)?;
                let attributes = match &mut open.what {
                    What::Reading(file) => file.attributes()?,
                    What::Writing(file, _) => file.attributes()?,
                    What::Listing(_) => self.space.as_mut().ok_or_else(ended)?.stat(&open.path)?,
                };
                Reply::Attributes(&attributes).encode(id, out);
                return Ok(());
            }
            Request::Realpath { path } => {
                Reply::Name(&to_bytes(&self.resolve(path)?)).encode(id, out);
                return Ok(());
            }
            Request::Extended(extended) => return self.extended(id, extended, out),
            Request::Close { handle } => self.close(handle, shared)?,
            Request::Setstat { path, attributes } => {
                let path = self.resolve(path)?;
                self.space()?.set_attributes(&path, &attributes)?;
            }
            Request::Fsetstat { handle, attributes } => {
                let open = self.open.get_mut(&handle.0).ok_or_else(bad_handle)?;
                match &mut open.what {
                    What::Writing(file, _) => file.set_attributes(&attributes)?,
                    _ => self
                        .space
                        .as_mut()
                        .ok_or_else(ended)?
                        .set_attributes(&open.path, &attributes)?,
                }
            }
            Request::Remove { path } => {
                let path = self.resolve(path)?;
                self.space()?.remove(&path)?;
            }
            Request::Mkdir { path, .. } => {
                let path = self.resolve(path)?;
                self.space()?.make_directory(&path)?;
            }
            Request::Rmdir { path } => {
                let path = self.resolve(path)?;
                self.space()?.remove_directory(&path)?;
            }
            Request::Rename { from, to } => self.rename(from, to, false)?,
            Request::Readlink { .. } | Request::Symlink { .. } => {
                return Err(unsupported("links aren't offered here"));
            }
            // The first three never get here: the front answers or queues them in another form.
            Request::Init { .. } | Request::Read { .. } | Request::Write { .. } | Request::Unknown { .. } => {
                return Err(unsupported("this request isn't offered here"));
            }
        }
        done(id, out);
        Ok(())
    }

    fn open_file(
        &mut self,
        path: VirtualPath,
        flags: OpenFlags,
        attributes: &Attributes,
        shared: &Shared,
    ) -> Result<Handle> {
        self.room_for_handle()?;
        if !flags.has(OpenFlags::WRITE | OpenFlags::APPEND) {
            let file = self.space()?.open_read(&path)?;
            let handle = self.keep(Open {
                path,
                what: What::Reading(file),
            });
            shared.opened(handle, None);
            return Ok(handle);
        }
        let mode = WriteMode {
            create: flags.has(OpenFlags::CREATE),
            truncate: flags.has(OpenFlags::TRUNCATE),
            exclusive: flags.has(OpenFlags::EXCLUSIVE),
            append: flags.has(OpenFlags::APPEND),
            read: flags.has(OpenFlags::READ),
        };
        let file = self.space()?.open_write(&path, mode, attributes)?;
        let writable = Arc::new(Writable {
            append: mode.append,
            ..Writable::default()
        });
        let handle = self.keep(Open {
            path,
            what: What::Writing(file, writable.clone()),
        });
        shared.opened(handle, Some(writable));
        Ok(handle)
    }

    fn close(&mut self, handle: Handle, shared: &Shared) -> Result<()> {
        let open = self.open.remove(&handle.0).ok_or_else(bad_handle)?;
        shared.closed();
        match open.what {
            What::Writing(file, writable) => match writable.failure.get() {
                Some(failure) => Err(failure.clone()),
                None => file.close(),
            },
            What::Reading(_) | What::Listing(_) => Ok(()),
        }
    }

    fn list(&mut self, id: u32, handle: Handle, out: &mut Vec<u8>) -> Result<()> {
        let What::Listing(rows) = &mut self.opened(handle)?.what else {
            return Err(bad_handle());
        };
        let mut bytes = 0;
        let mut page = Vec::new();
        while page.len() < LISTING_PAGE_ENTRIES
            && bytes < LISTING_PAGE_BYTES
            && let Some(row) = rows.next()
        {
            // The name stands in a row twice, beside some hundred bytes of attributes.
            bytes += row.name.len() * 2 + 128;
            page.push(row);
        }
        if page.is_empty() {
            Reply::Status {
                code: StatusCode::Eof,
                message: "end of folder",
            }
            .encode(id, out);
        } else {
            Reply::Listing {
                entries: &page,
                now: sftp_time(SystemTime::now()),
            }
            .encode(id, out);
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8], overwrite: bool) -> Result<()> {
        let (from, to) = (self.resolve(from)?, self.resolve(to)?);
        self.space()?.rename(&from, &to, overwrite)
    }

    fn keep(&mut self, open: Open) -> Handle {
        self.last_handle += 1;
        self.open.insert(self.last_handle, open);
        Handle(self.last_handle)
    }

    fn room_for_handle(&self) -> Result<()> {
        if self.open.len() < MAX_HANDLES {
            return Ok(());
        }
        let words = format!("too many open files: {MAX_HANDLES} at once; close some first");
        Err(SpaceError::new(SpaceErrorKind::Failure, words))
    }

    pub(super) fn opened(&mut self, handle: Handle) -> Result<&mut Open> {
        self.open.get_mut(&handle.0).ok_or_else(bad_handle)
    }

    pub(super) fn space(&mut self) -> Result<&mut Box<dyn FileSpace>> {
        self.space.as_mut().ok_or_else(ended)
    }

    pub(super) fn resolve(&mut self, raw: &[u8]) -> Result<VirtualPath> {
        resolve(&self.space()?.home(), raw)
    }
}

/// The reply to a failed request.
pub(super) fn failure_reply(error: &SpaceError) -> Reply<'_> {
    let code = match error.kind {
        SpaceErrorKind::NoSuchFile => StatusCode::NoSuchFile,
        SpaceErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        SpaceErrorKind::Failure => StatusCode::Failure,
        SpaceErrorKind::Unsupported => StatusCode::Unsupported,
        SpaceErrorKind::BadMessage => StatusCode::BadMessage,
    };
    Reply::Status {
        code,
        message: &error.message,
    }
}

fn answer(id: u32, out: &mut Vec<u8>, execute: impl FnOnce(&mut Vec<u8>) -> Result<()>) {
    if let Err(error) = execute(out) {
        failure_reply(&error).encode(id, out);
    }
}

pub(super) fn done(id: u32, out: &mut Vec<u8>) {
    Reply::Status {
        code: StatusCode::Ok,
        message: "",
    }
    .encode(id, out);
}

fn bad_handle() -> SpaceError {
    SpaceError::new(SpaceErrorKind::Failure, "this handle isn't open")
}

fn ended() -> SpaceError {
    SpaceError::new(SpaceErrorKind::Failure, "the session has ended")
}

pub(super) fn unsupported(message: &str) -> SpaceError {
    SpaceError::new(SpaceErrorKind::Unsupported, message)
}
