//! An uploader's inbox: what they are sending now, what waits, and what was settled lately. One value a login.
//!
//! Folders exist because files are in them, or because this login made them. It shows nothing of anybody else: the
//! catalogue is only ever asked for this person's accessions.

use super::{
    Ingest, citizen_id,
    settle::{Arrival, SettleError},
    taken::{Claim, Taken},
    text::decode_path,
    upload::{Underlay, Upload, UploadError},
};
use crate::{
    blob::{BlobError, StagedBody, capacity},
    catalog::accessions::{self, Accession, View},
    crypto::BodyReader,
    domain::{hex, time::Zone},
    sftp::space::{
        Attributes, Capacity, Entry, FileSpace, ReadFile, Result, SpaceError, SpaceErrorKind, VirtualPath,
        WriteFile, WriteMode,
    },
    turns,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Folders one login may make and leave empty.
const FOLDER_LIMIT: usize = 10_000;
/// Plaintext after which an upload in flight leaves a sidecar, so that a crash doesn't cost it all.
const SIDECAR_FROM_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes between two looks at the room that is left.
const ROOM_CHECK_BYTES: usize = 1024 * 1024;

const STORE_FULL: &str =
    "the vault's store is full; what arrived so far is kept. Tell your IT, and resume when there is room";

const FOLDER_MODE: u32 = 0o040_770;
const OPEN_FILE_MODE: u32 = 0o100_660;
const SEALED_FILE_MODE: u32 = 0o100_440;

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploader {
    /// The person's id.
    pub person: String,
    /// Their branch.
    pub branch: String,
    /// Fingerprint of the key they logged in with.
    pub key_fingerprint: String,
}

/// Inbox paths that are open for writing, over all sessions: two writers of one file would destroy each other's work.
#[derive(Default)]
pub struct OpenPaths {
    open: Mutex<HashSet<(String, String)>>,
    /// Each person's uploads that wait can't be more than this: what was counted last, and every file opened since.
    waiting_at_most: Mutex<HashMap<String, u64>>,
}

struct OpenPath {
    paths: Arc<OpenPaths>,
    key: (String, String),
}

impl OpenPaths {
    fn open(self: &Arc<Self>, person: &str, path: &str) -> Option<OpenPath> {
        let key = (person.to_owned(), path.to_owned());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(key.clone()).then(|| OpenPath {
            paths: self.clone(),
            key,
        })
    }

    /// Whether one more of a person's uploads may wait. Counts what does only when it could be too many.
    fn may_wait(&self, person: &str, limit: u64, count: impl FnOnce() -> Result<u64>) -> Result<bool> {
        let bounds = || {
            self.waiting_at_most
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = bounds()
            .get_mut(person)
            .filter(|bound| **bound < limit)
            .map(|bound| *bound += 1);
        if known.is_some() {
            return Ok(true);
        }
        let waiting = count()?;
        bounds().insert(person.to_owned(), waiting.saturating_add(1));
        Ok(waiting < limit)
    }
}

impl Drop for OpenPath {
    fn drop(&mut self) {
        self.paths
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// The inbox of one login.
pub struct Inbox {
    ingest: Arc<Ingest>,
    open: Arc<OpenPaths>,
    uploader: Uploader,
    folders: HashSet<String>,
}

/// What stands at a path.
enum Found {
    File(Box<Accession>),
    Folder,
    Nothing,
}

/// A path as text for the catalogue and as bytes for the client.
struct InboxPath {
    text: String,
    raw: String,
}

impl Inbox {
    /// The inbox of a login.
    pub fn new(ingest: Arc<Ingest>, open: Arc<OpenPaths>, uploader: Uploader) -> Self {
        Inbox {
            ingest,
            open,
            uploader,
            folders: HashSet::new(),
        }
    }

    fn path(&self, path: &VirtualPath) -> Result<InboxPath> {
        let names = decode_path(&path.components)
            .map_err(|reason| SpaceError::new(SpaceErrorKind::PermissionDenied, reason.en))?;
        let text = names
            .iter()
            .map(|name| name.nfc.as_str())
            .collect::<Vec<_>>()
            .join("/");
        Ok(InboxPath {
            text,
            raw: hex::encode(path.components.join(&b'/')),
        })
    }

    fn all(&self) -> Result<Vec<Accession>> {
        let since = self.ingest.settled_since_ms();
        let rows = self
            .ingest
            .catalogue
            .read(|connection| accessions::inbox(connection, &self.uploader.person, since))
            .map_err(internal)?;
        // Ordered by path and time: the last of each path is what it is now.
        let latest: BTreeMap<String, Accession> =
            rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        Ok(latest.into_values().collect())
    }

    fn find(&self, path: &str) -> Result<Option<Accession>> {
        let since = self.ingest.settled_since_ms();
        self.ingest
            .catalogue
            .read(|connection| accessions::at_path(connection, &self.uploader.person, path, since))
            .map_err(internal)
    }

    /// What stands at a path, in one snapshot.
    fn look(&self, path: &str) -> Result<Found> {
        if path.is_empty() || self.folders.contains(path) {
            return Ok(self
                .find(path)?
                .map_or(Found::Folder, |row| Found::File(Box::new(row))));
        }
        let since = self.ingest.settled_since_ms();
        let person = &self.uploader.person;
        let found = self.ingest.catalogue.read(|connection| {
            if let Some(row) = accessions::at_path(connection, person, path, since)? {
                return Ok(Found::File(Box::new(row)));
            }
            Ok(match accessions::any_below(connection, person, path, since)? {
                true => Found::Folder,
                false => Found::Nothing,
            })
        });
        match found.map_err(internal)? {
            Found::Nothing if self.made_below(path) => Ok(Found::Folder),
            found => Ok(found),
        }
    }

    /// Whether this login made a folder below this one.
    fn made_below(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.folders.iter().any(|folder| folder.starts_with(&below))
    }

    fn has_below(&self, path: &str) -> Result<bool> {
        if self.made_below(path) {
            return Ok(true);
        }
        let since = self.ingest.settled_since_ms();
        self.ingest
            .catalogue
            .read(|connection| accessions::any_below(connection, &self.uploader.person, path, since))
            .map_err(internal)
    }

    fn claim(&self, path: &InboxPath, attributes: &Attributes) -> Claim {
        Claim {
            person: self.uploader.person.clone(),
            branch: self.uploader.branch.clone(),
            key_fingerprint: self.uploader.key_fingerprint.clone(),
            path: path.text.clone(),
            path_raw: path.raw.clone(),
            mtime_s: claimed_mtime(attributes),
            started_ms: self.ingest.clock.now_ms(),
        }
    }

    /// A citizen id number in a name would stand in listings, logs and backups for ever.
    fn refuse_citizen_id(&self, path: &InboxPath) -> Result<()> {
        let today = self.ingest.zone.day(self.ingest.clock.now_ms());
        citizen_id::refuse(&path.text, today)
            .map_err(|reason| SpaceError::new(SpaceErrorKind::PermissionDenied, reason.en))
    }

    fn underlay(&self, row: &Accession) -> Result<Underlay> {
        let taken = self.ingest.read_sidecar(&row.id).map_err(settle_error)?;
        let file_key = taken.file_key().map_err(internal)?;
        let body = StagedBody::open(&self.ingest.layout, &row.id)
            .and_then(|body| body.reader())
            .map_err(internal)?;
        let reader = BodyReader::open(&file_key, body).map_err(internal)?;
        Ok(Underlay::new(reader, row.size_bytes))
    }

    fn waiting_count(&self) -> Result<u64> {
        self.ingest
            .catalogue
            .read(|connection| accessions::waiting_count(connection, &self.uploader.person))
            .map_err(internal)
    }
}

impl FileSpace for Inbox {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        let path = self.path(path)?;
        match self.look(&path.text)? {
            Found::File(row) => Ok(file_attributes(&row)),
            Found::Folder => Ok(folder_attributes()),
            Found::Nothing => Err(no_such_file()),
        }
    }

    fn list(&mut self, path: &VirtualPath) -> Result<Vec<Entry>> {
        let path = self.path(path)?;
        let prefix = if path.text.is_empty() {
            String::new()
        } else {
            format!("{}/", path.text)
        };
        let depth = prefix.matches('/').count();
        let mut entries: BTreeMap<Vec<u8>, Attributes> = BTreeMap::new();
        let mut found = path.text.is_empty() || self.folders.contains(&path.text);
        for row in self.all()? {
            let Some(rest) = row.path.strip_prefix(&prefix) else {
                continue;
            };
            found = true;
            let name = row
                .path_raw
                .split(|byte| *byte == b'/')
                .nth(depth)
                .unwrap_or_default()
                .to_vec();
            let attributes = if rest.contains('/') {
                folder_attributes()
            } else {
                file_attributes(&row)
            };
            entries.insert(name, attributes);
        }
        for folder in &self.folders {
            let Some(rest) = folder.strip_prefix(&prefix) else {
                continue;
            };
            found = true;
            let name = rest.split('/').next().unwrap_or(rest);
            entries
                .entry(name.as_bytes().to_vec())
                .or_insert_with(folder_attributes);
        }
        if !found {
            return Err(no_such_file());
        }
        Ok(entries
            .into_iter()
            .map(|(name, attributes)| Entry { name, attributes })
            .collect())
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        let path = self.path(path)?;
        match self.find(&path.text)? {
            None => Err(no_such_file()),
            Some(row) => Err(SpaceError::new(
                SpaceErrorKind::PermissionDenied,
                format!(
                    "the inbox only takes in: what was sent can't be read back here. State: {}; see /receipts",
                    row.state
                ),
            )),
        }
    }

    fn open_write(
        &mut self,
        path: &VirtualPath,
        mode: WriteMode,
        attributes: &Attributes,
    ) -> Result<Box<dyn WriteFile>> {
        let path = self.path(path)?;
        self.refuse_citizen_id(&path)?;
        refuse_when_full(&self.ingest)?;
        let open = self.open.open(&self.uploader.person, &path.text).ok_or_else(|| {
            SpaceError::new(
                SpaceErrorKind::Failure,
                "this file is being uploaded by another of your connections; wait until it ends, or close it",
            )
        })?;
        let existing = match self.look(&path.text)? {
            Found::File(row) => Some(row),
            Found::Nothing => None,
            Found::Folder => {
                return Err(SpaceError::new(
                    SpaceErrorKind::Failure,
                    "that is a folder; give a file name",
                ));
            }
        };
        if existing.is_some() && mode.exclusive {
            return Err(SpaceError::new(
                SpaceErrorKind::Failure,
                "there is a file of this name already",
            ));
        }
        if existing.is_none() && !mode.create {
            return Err(no_such_file());
        }
        let mut resumed = None;
        let mut overwritten = None;
        let mut under = None;
        match existing {
            Some(row) if row.state == "received" => {
                if mode.truncate {
                    overwritten = Some(row.id);
                } else {
                    under = Some(self.underlay(&row)?);
                    resumed = Some(row.id);
                }
            }
            // A new version begins from nothing, also when `scp` creates without truncating first. What is sealed isn't
            // gone on with or changed in part.
            Some(row) if row.state == "sealed" && !mode.truncate && (mode.append || !mode.create) => {
                return Err(sealed_refusal(&row, self.ingest.zone));
            }
            Some(_) => {}
            None => {
                let limit = u64::from(self.ingest.rules.max_waiting_per_person);
                let person = &self.uploader.person;
                if !self.open.may_wait(person, limit, || self.waiting_count())? {
                    return Err(SpaceError::new(
                        SpaceErrorKind::Failure,
                        format!(
                            "{limit} of your uploads wait to be completed; finish or remove some first (see /tasks)"
                        ),
                    ));
                }
            }
        }
        let upload = Upload::start(self.ingest.tools.clone(), under).map_err(upload_error)?;
        Ok(Box::new(InboxFile {
            ingest: self.ingest.clone(),
            claim: self.claim(&path, attributes),
            upload: Some(upload),
            touched: resumed.is_none(),
            resumed,
            overwritten,
            append: mode.append,
            sidecar_for: None,
            unchecked_bytes: 0,
            failed: None,
            _open: open,
        }))
    }

    fn set_attributes(&mut self, path: &VirtualPath, attributes: &Attributes) -> Result<()> {
        let parsed = self.path(path)?;
        let row = match self.look(&parsed.text)? {
            Found::File(row) => row,
            Found::Folder => return Ok(()),
            Found::Nothing => return Err(no_such_file()),
        };
        match attributes.size_bytes {
            Some(size_bytes) if size_bytes != row.size_bytes => {
                let mode = WriteMode::default();
                let mut file = self.open_write(path, mode, &Attributes::default())?;
                file.set_attributes(&Attributes {
                    size_bytes: Some(size_bytes),
                    ..Attributes::default()
                })?;
                file.close()
            }
            // Clients set the time after their last rename, and compare it when they synchronise.
            _ => {
                if let Some(mtime_s) = claimed_mtime(attributes) {
                    self.ingest.custody.view(View::Time {
                        accession: row.id,
                        mtime_s,
                    });
                }
                Ok(())
            }
        }
    }

    fn make_directory(&mut self, path: &VirtualPath) -> Result<()> {
        let path = self.path(path)?;
        self.refuse_citizen_id(&path)?;
        if !matches!(self.look(&path.text)?, Found::Nothing) {
            return Err(SpaceError::new(SpaceErrorKind::Failure, "it exists already"));
        }
        if self.folders.len() >= FOLDER_LIMIT {
            return Err(SpaceError::new(
                SpaceErrorKind::Failure,
                "too many empty folders in this session",
            ));
        }
        self.folders.insert(path.text);
        Ok(())
    }

    fn remove_directory(&mut self, path: &VirtualPath) -> Result<()> {
        let path = self.path(path)?;
        if self.has_below(&path.text)? {
            return Err(SpaceError::new(SpaceErrorKind::Failure, "the folder isn't empty"));
        }
        if self.folders.remove(&path.text) {
            Ok(())
        } else {
            Err(no_such_file())
        }
    }

    fn remove(&mut self, path: &VirtualPath) -> Result<()> {
        let path = self.path(path)?;
        let Some(row) = self.find(&path.text)? else {
            return Err(no_such_file());
        };
        match row.state.as_str() {
            "sealed" | "declaration" => Err(sealed_refusal(&row, self.ingest.zone)),
            "received" => {
                let _open = self.open.open(&self.uploader.person, &path.text).ok_or_else(|| {
                    SpaceError::new(
                        SpaceErrorKind::Failure,
                        "this file is being uploaded; wait until it ends",
                    )
                })?;
                let taken = self.ingest.read_sidecar(&row.id).map_err(settle_error)?;
                self.ingest.withdraw(&taken, "removed").map_err(settle_error)?;
                Ok(())
            }
            _ => {
                self.ingest.custody.view(View::Hide { accession: row.id });
                Ok(())
            }
        }
    }

    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath, overwrite: bool) -> Result<()> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        let row = match self.look(&from.text)? {
            Found::File(row) => row,
            Found::Folder => return self.rename_folder(&from.text, &to),
            Found::Nothing => return Err(no_such_file()),
        };
        self.refuse_citizen_id(&to)?;
        if row.state != "received" {
            return Err(sealed_refusal(&row, self.ingest.zone));
        }
        let _from = self.open.open(&self.uploader.person, &from.text);
        let _to = self.open.open(&self.uploader.person, &to.text);
        if _from.is_none() || (_to.is_none() && from.text != to.text) {
            return Err(SpaceError::new(
                SpaceErrorKind::Failure,
                "this file is being uploaded; wait until it ends",
            ));
        }
        let target = self.find(&to.text)?.filter(|target| target.id != row.id);
        if let Some(target) = &target {
            // WinSCP and rclone rename their temporary over the final name. Over something that waits, that replaces it;
            // over something sealed it is a new version.
            if target.state == "received" && !overwrite {
                return Err(SpaceError::new(
                    SpaceErrorKind::Failure,
                    "there is a file of this name already",
                ));
            }
        }
        let claim = Claim {
            path: to.text,
            path_raw: to.raw,
            ..self.claim(&from, &Attributes::default())
        };
        self.ingest.rename(&row.id, claim).map_err(settle_error)?;
        if let Some(target) = target.filter(|target| target.state == "received") {
            let old = self.ingest.read_sidecar(&target.id).map_err(settle_error)?;
            self.ingest.withdraw(&old, "overwritten").map_err(settle_error)?;
        }
        Ok(())
    }

    fn capacity(&mut self, _path: &VirtualPath) -> Result<Capacity> {
        let store = capacity(&self.ingest.layout).map_err(internal)?;
        Ok(Capacity {
            block_size_bytes: store.block_size_bytes,
            blocks: (store.blocks, store.blocks_free, store.blocks_available),
            inodes: (store.inodes, store.inodes_free, store.inodes_available),
        })
    }

    fn digest_sha256(&mut self, path: &VirtualPath) -> Result<String> {
        let path = self.path(path)?;
        self.find(&path.text)?
            .map(|row| hex::encode(row.sha256))
            .ok_or_else(no_such_file)
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}

impl Inbox {
    /// Folders are names of files: renaming one that holds files would judge each of them again, so only empty ones go.
    fn rename_folder(&mut self, from: &str, to: &InboxPath) -> Result<()> {
        if !self.folders.contains(from) || self.has_below(from)? {
            return Err(SpaceError::new(
                SpaceErrorKind::Unsupported,
                "a folder with files in it can't be renamed; rename the files",
            ));
        }
        self.refuse_citizen_id(to)?;
        self.folders.remove(from);
        self.folders.insert(to.text.clone());
        Ok(())
    }
}

/// The reserve keeps room for commits, so that what came before the store was full can be parked and resumed.
fn refuse_when_full(ingest: &Ingest) -> Result<()> {
    let free = capacity(&ingest.layout).map_err(internal)?.available_bytes();
    if free < ingest.rules.reserve_bytes {
        return Err(SpaceError::new(SpaceErrorKind::Failure, STORE_FULL));
    }
    Ok(())
}

/// A file of the inbox open for writing.
struct InboxFile {
    ingest: Arc<Ingest>,
    claim: Claim,
    upload: Option<Upload>,
    resumed: Option<String>,
    overwritten: Option<String>,
    /// False until a resumed file gets its first change: opening and closing it must not make it new.
    touched: bool,
    append: bool,
    /// The body that has a sidecar for crashes.
    sidecar_for: Option<String>,
    /// Bytes taken since the store's room was looked at.
    unchecked_bytes: usize,
    failed: Option<SpaceError>,
    _open: OpenPath,
}

impl InboxFile {
    fn upload(&mut self) -> Result<&mut Upload> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.upload
            .as_mut()
            .ok_or_else(|| SpaceError::new(SpaceErrorKind::Failure, "the file is closed"))
    }

    fn fail<T>(&mut self, error: UploadError) -> Result<T> {
        let error = upload_error(error);
        self.failed = Some(error.clone());
        Err(error)
    }

    fn check_room(&mut self, arriving: usize) -> Result<()> {
        self.unchecked_bytes += arriving;
        if self.unchecked_bytes < ROOM_CHECK_BYTES || self.failed.is_some() {
            return Ok(());
        }
        self.unchecked_bytes = 0;
        refuse_when_full(&self.ingest).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Once an upload is long enough to hurt, its key and name are kept beside it: what a crash leaves is resumable then.
    fn leave_sidecar(&mut self) {
        let Some(upload) = &self.upload else { return };
        if upload.written_bytes() < SIDECAR_FROM_BYTES || self.sidecar_for.as_deref() == Some(upload.id()) {
            return;
        }
        let id = upload.id().to_owned();
        let taken = Taken::in_flight(&id, upload.file_key(), self.claim.clone(), self.resumed.clone());
        match self.ingest.leave_sidecar(&taken) {
            Ok(()) => {
                if let Some(old) = self.sidecar_for.replace(id) {
                    self.ingest.remove_sidecar(&old);
                }
            }
            Err(error) => tracing::warn!(%error, "an upload in flight has no sidecar; a crash would cost it"),
        }
    }

    fn finish(&mut self, arrival: Arrival) -> Result<()> {
        let Some(upload) = self.upload.take() else {
            return Ok(());
        };
        let id = upload.id().to_owned();
        if !self.touched {
            upload.discard();
            return Ok(());
        }
        let _turns = (upload.size_bytes() <= turns::SMALL_BYTES).then(turns::short);
        if upload.size_bytes() > 0 && upload.available_bytes() == 0 {
            let error = UploadError::Gap {
                from: 0,
                to: upload.first_island().unwrap_or(0),
            };
            upload.discard();
            return Err(upload_error(error));
        }
        let mut gap = None;
        let finished = match upload.finish() {
            Ok(finished) => Ok(finished),
            Err((error @ UploadError::Gap { .. }, Some(upload))) => {
                gap = Some(upload_error(error));
                upload.finish_prefix()
            }
            Err((error, _)) => Err(error),
        };
        let finished = finished.map_err(|error| {
            let _ = StagedBody::open(&self.ingest.layout, &id).and_then(StagedBody::discard);
            upload_error(error)
        })?;
        if let Some(other) = self.sidecar_for.take().filter(|other| *other != finished.id) {
            self.ingest.remove_sidecar(&other);
        }
        let arrival = if gap.is_some() {
            Arrival::Interrupted
        } else {
            arrival
        };
        let taken = Taken::new(&finished, self.claim.clone());
        let settled = self
            .ingest
            .settle(taken, Some(finished.body), self.resumed.as_deref(), arrival);
        if settled.is_err() {
            // Nothing was committed: the client will send it again, and what it resumed is still there.
            self.ingest.forget_staged(&id);
        }
        settled.map_err(settle_error)?;
        if let Some(old) = self.overwritten.take() {
            let withdrawn = self
                .ingest
                .read_sidecar(&old)
                .and_then(|taken| self.ingest.withdraw(&taken, "overwritten"));
            if let Err(error) = withdrawn {
                tracing::warn!(%error, "an overwritten upload stays in the inbox");
            }
        }
        gap.map_or(Ok(()), Err)
    }
}

impl WriteFile for InboxFile {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.touched = true;
        self.check_room(bytes.len())?;
        let append = self.append;
        let upload = self.upload()?;
        let offset = if append { upload.size_bytes() } else { offset };
        match upload.write(offset, bytes) {
            Ok(()) => {
                self.leave_sidecar();
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    fn read(&mut self, _offset: u64, _buffer: &mut [u8]) -> Result<usize> {
        Err(SpaceError::new(
            SpaceErrorKind::Unsupported,
            "the inbox only takes in; open the file for writing alone",
        ))
    }

    fn attributes(&mut self) -> Result<Attributes> {
        let mtime = self.claim.mtime_s.and_then(|time| u32::try_from(time).ok());
        let size_bytes = self.upload()?.size_bytes();
        Ok(Attributes {
            size_bytes: Some(size_bytes),
            permissions: Some(OPEN_FILE_MODE),
            atime_mtime: mtime.map(|time| (time, time)),
            uid_gid: None,
        })
    }

    fn set_attributes(&mut self, attributes: &Attributes) -> Result<()> {
        if let Some(mtime_s) = claimed_mtime(attributes) {
            self.claim.mtime_s = Some(mtime_s);
        }
        let upload = self.upload()?;
        match attributes.size_bytes {
            Some(size_bytes) if size_bytes != upload.size_bytes() => match upload.truncate(size_bytes) {
                Ok(()) => {
                    self.touched = true;
                    Ok(())
                }
                // A client that announces the size beforehand loses nothing by the refusal.
                Err(error @ UploadError::Extend) => Err(upload_error(error)),
                Err(error) => self.fail(error),
            },
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<()> {
        match self.upload()?.sync() {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error),
        }
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        match self.failed.clone() {
            Some(error) => {
                // What came before the failure is parked, as after a lost connection.
                self.park();
                Err(error)
            }
            None => self.finish(Arrival::Closed),
        }
    }
}

impl InboxFile {
    fn park(&mut self) {
        let empty = self.upload.as_ref().is_none_or(|upload| upload.size_bytes() == 0);
        if empty {
            if let Some(upload) = self.upload.take() {
                upload.discard();
            }
            return;
        }
        if let Err(error) = self.finish(Arrival::Interrupted) {
            tracing::warn!(%error, "an interrupted upload couldn't be parked whole");
        }
    }
}

impl Drop for InboxFile {
    fn drop(&mut self) {
        self.park();
    }
}

fn claimed_mtime(attributes: &Attributes) -> Option<i64> {
    attributes.atime_mtime.map(|(_, mtime)| i64::from(mtime))
}

fn file_attributes(row: &Accession) -> Attributes {
    let time = row.mtime_s.unwrap_or(row.time_ms / 1000);
    let time = u32::try_from(time).unwrap_or(0);
    Attributes {
        size_bytes: Some(row.size_bytes),
        uid_gid: None,
        permissions: Some(if row.state == "received" {
            OPEN_FILE_MODE
        } else {
            SEALED_FILE_MODE
        }),
        atime_mtime: Some((time, time)),
    }
}

fn folder_attributes() -> Attributes {
    Attributes {
        permissions: Some(FOLDER_MODE),
        ..Attributes::default()
    }
}

fn no_such_file() -> SpaceError {
    SpaceError::new(SpaceErrorKind::NoSuchFile, "no such file")
}

fn sealed_refusal(row: &Accession, zone: Zone) -> SpaceError {
    let at = zone.hour_minute(row.time_ms);
    let number = row.leaf_index;
    let words = match row.state.as_str() {
        "sealed" => format!(
            "sealed at {at}, receipt {number}; it can't be changed or removed. Upload it again to add a version"
        ),
        "declaration" => {
            format!("kept at {at}, receipt {number}, as a declaration; upload it again to add to it")
        }
        state => format!("{state} at {at}, receipt {number}; upload the file again"),
    };
    SpaceError::new(SpaceErrorKind::PermissionDenied, words)
}

fn upload_error(error: UploadError) -> SpaceError {
    let (kind, words) = match &error {
        UploadError::Extend => (SpaceErrorKind::Unsupported, error.to_string()),
        UploadError::Store(store) => {
            tracing::error!(%error, "an upload failed on the store");
            let words = match store {
                BlobError::NoSpace { .. } => STORE_FULL,
                _ => {
                    "the vault's store can't take it now; what arrived so far is kept. Tell your IT, and resume later"
                }
            };
            (SpaceErrorKind::Failure, words.to_owned())
        }
        UploadError::Body(_) | UploadError::Random(_) => {
            tracing::error!(%error, "an upload failed inside the vault");
            (
                SpaceErrorKind::Failure,
                "the vault has a fault and can't go on with this upload; tell your IT".to_owned(),
            )
        }
        _ => (SpaceErrorKind::Failure, error.to_string()),
    };
    SpaceError::new(kind, words)
}

fn settle_error(error: SettleError) -> SpaceError {
    tracing::error!(%error, "an upload couldn't be settled");
    SpaceError::new(
        SpaceErrorKind::Failure,
        "the vault couldn't commit this upload, so it doesn't count as received; try again, and tell your IT if it goes on",
    )
}

fn internal(error: impl std::fmt::Display) -> SpaceError {
    tracing::error!(%error, "a request failed inside the vault");
    SpaceError::new(
        SpaceErrorKind::Failure,
        "the vault has a fault and can't answer now; tell your IT",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_waits_is_counted_only_when_it_could_be_too_much() {
        let (paths, counted) = (OpenPaths::default(), Cell::new(0));
        let may = |waiting: u64| {
            let count = || {
                counted.set(counted.get() + 1);
                Ok(waiting)
            };
            paths.may_wait("P1", 10, count).unwrap()
        };
        // Counted once; then eight more can't be too many, whatever became of them.
        assert!((0..9).all(|_| may(1)));
        assert_eq!(counted.get(), 1);
        // Two of those still wait, so there is room for eight again.
        assert!((0..8).all(|_| may(2)));
        assert_eq!(counted.get(), 2);
        // At the limit each one is counted, and there is room as soon as something was finished.
        assert!(!may(10) && !may(11) && may(9) && !may(10));
        assert_eq!(counted.get(), 6);
        assert!(paths.may_wait("P2", 10, || Ok(0)).unwrap());
    }
}
