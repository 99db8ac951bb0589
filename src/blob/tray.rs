//! The tray: small bodies on their way, many in one file, made durable by one sync for all who wait.
//!
//! To make a file of its own durable costs a small body more than everything else that is done with it. So it waits here,
//! under the id of its accession, until somebody has put it into a file of its own: the placer after a commit, or the sweep
//! when an upload waits for long. What is here is ciphertext, sealed sidecars, and ids.
//!
//! Bodies lie one behind the other in a few files, the segments. A segment is filled from front to back, and again from
//! the front once nothing in it is held any more; so disks see writes in a row into blocks that are there already. A crash
//! leaves bodies that nobody was promised; whoever opens the tray says which ones count ([`Tray::retain`]).
//!
//! Invariants: a body is durable when [`Tray::put`] returns; it stays until [`Tray::forget`]; what is read is what was put.

use super::{BlobError, Layout};
use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, IoSlice},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Bodies up to this size in bytes are taken.
pub const LARGEST_BODY_BYTES: usize = 256 * 1024;
/// Bytes of a segment.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Segments at the most. When all of them hold something, a body gets a file of its own at once.
const MOST_SEGMENTS: usize = 64;
/// From so many in use on, what waits for long is to be put elsewhere.
const CROWDED_SEGMENTS: usize = MOST_SEGMENTS / 4;
/// Segments that stay when the tray is opened anew and they hold nothing.
const KEPT_SEGMENTS: usize = 4;
/// Entries begin at multiples of this many bytes, so that no write has to read first.
const PAGE_BYTES: usize = 4096;
/// What an entry begins with.
const MAGIC: &[u8; 8] = b"tray/1\n\0";
/// Bytes of an accession's id.
const ID_BYTES: usize = 26;
/// Magic, id, lengths of sidecar and body, BLAKE3 of the body.
const HEAD_BYTES: usize = 8 + ID_BYTES + 2 + 4 + 4 + 32;
/// The longest sidecar: with the head it fits into the entry's first page.
const LONGEST_SIDECAR_BYTES: usize = PAGE_BYTES - HEAD_BYTES;

/// A body for the tray.
#[derive(Clone, Copy, Debug)]
pub struct Small<'a> {
    /// Its accession's id.
    pub id: &'a str,
    /// How to go on with it, sealed; empty for a body that nobody goes on with.
    pub sidecar: &'a [u8],
    /// The body.
    pub body: &'a Arc<Vec<u8>>,
    /// Its digest.
    pub blake3: [u8; 32],
}

/// The tray of one vault, cheap to clone.
#[derive(Clone, Debug)]
pub struct Tray(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    layout: Layout,
    state: Mutex<State>,
    /// A batch is durable, or failed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    segments: Vec<Segment>,
    /// The one that is being filled.
    current: usize,
    entries: HashMap<String, Entry>,
    queue: Vec<Queued>,
    /// What those in the queue wait for.
    batch: Arc<Batch>,
    /// Somebody is writing.
    writing: bool,
}

/// Bodies that become durable together; what came of it.
type Batch = OnceLock<Result<(), Failure>>;

/// An `io::Error` that several can be told of.
#[derive(Clone, Copy, Debug)]
struct Failure(Option<i32>, io::ErrorKind);

#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    filled: u64,
    /// Entries in it that aren't forgotten.
    held: usize,
    /// A sync of it failed, so nothing is known of what is written to it. Not used any more by this process.
    is_broken: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    segment: usize,
    offset: u64,
    sidecar_bytes: usize,
    body_bytes: usize,
    blake3: [u8; 32],
    /// Its sidecar is gone.
    is_wiped: bool,
}

#[derive(Debug)]
struct Queued {
    id: String,
    entry: Entry,
    sidecar: Vec<u8>,
    body: Arc<Vec<u8>>,
}

impl Tray {
    /// Opens the tray with everything that was put into it and may still count. Only for the one process that writes.
    ///
    /// # Errors
    /// When its folder can't be made or read.
    pub fn open(layout: &Layout) -> Result<Self, BlobError> {
        let folder = layout.tray();
        let failed = |error| BlobError::new(layout.label(&folder), error);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let mut state = State::default();
        while let Some(file) = open_segment(layout, state.segments.len(), false).map_err(failed)? {
            let found = scan(&file, state.segments.len()).map_err(failed)?;
            state.segments.push(Segment {
                file: Arc::new(file),
                filled: SEGMENT_BYTES,
                held: 0,
                is_broken: false,
            });
            for (id, entry) in found {
                state.keep(id, entry);
            }
        }
        Ok(Tray(Arc::new(Inner {
            layout: layout.clone(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        })))
    }

    /// Forgets everything but these, and gives the room of it back.
    ///
    /// # Errors
    /// When segments can't be removed.
    pub fn retain(&self, ids: &HashSet<String>) -> Result<(), BlobError> {
        let mut state = self.lock();
        let forgotten: Vec<String> = state.entries.keys().filter(|id| !ids.contains(*id)).cloned().collect();
        for id in &forgotten {
            state.wipe_sidecar(id);
            state.forget(id);
        }
        while state.segments.len() > KEPT_SEGMENTS && state.segments.last().is_some_and(|last| last.held == 0) {
            state.segments.pop();
            let path = self.0.layout.tray_segment(state.segments.len());
            fs::remove_file(&path).map_err(|error| BlobError::new(self.0.layout.label(&path), error))?;
        }
        state.current = 0;
        Ok(())
    }

    /// Takes a body; it is durable when this returns. False when there is no room for it: then it needs a file of its own.
    ///
    /// # Errors
    /// When the store fails. Then nothing was taken.
    pub fn put(&self, small: Small<'_>) -> Result<bool, BlobError> {
        let mut state = self.lock();
        let Some(entry) = self.reserve(&mut state, small)? else {
            return Ok(false);
        };
        state.queue.push(Queued {
            id: small.id.to_owned(),
            entry,
            sidecar: small.sidecar.to_vec(),
            body: small.body.clone(),
        });
        let batch = state.batch.clone();
        loop {
            if let Some(outcome) = batch.get() {
                return match *outcome {
                    Ok(()) => Ok(true),
                    Err(failure) => Err(self.failed(failure.into())),
                };
            }
            // Whoever comes while nobody writes, writes for everybody who waits.
            state = if state.writing {
                self.0
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.write_batch(state)
            };
        }
    }

    fn write_batch<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writing = true;
        let queue = std::mem::take(&mut state.queue);
        let batch = std::mem::take(&mut state.batch);
        let mut files: Vec<(usize, Arc<File>)> = Vec::new();
        for queued in &queue {
            let number = queued.entry.segment;
            if !files.iter().any(|(known, _)| *known == number) {
                files.push((number, state.segments[number].file.clone()));
            }
        }
        drop(state);
        let written = write(&queue, &files);
        let synced = written.is_ok().then(|| files.iter().try_for_each(|(_, file)| file.sync_data()));
        let is_broken = matches!(synced, Some(Err(_)));
        let outcome = synced.unwrap_or(written);
        let mut state = self.lock();
        state.writing = false;
        for queued in queue {
            if outcome.is_ok() {
                state.enter(queued.id, queued.entry);
            } else {
                let segment = &mut state.segments[queued.entry.segment];
                // What would follow a gap couldn't be found again after a crash.
                segment.filled = SEGMENT_BYTES;
                segment.held -= 1;
                segment.is_broken |= is_broken;
            }
        }
        // Nobody else has it: it was taken from the state above.
        let _ = batch.set(outcome.map_err(|error| Failure(error.raw_os_error(), error.kind())));
        self.0.changed.notify_all();
        state
    }

    /// Room for a body in the segment at hand, or in another one that holds nothing.
    fn reserve(&self, state: &mut State, small: Small<'_>) -> Result<Option<Entry>, BlobError> {
        let too_large = small.body.len() > LARGEST_BODY_BYTES || small.sidecar.len() > LONGEST_SIDECAR_BYTES;
        if too_large || small.id.len() != ID_BYTES {
            return Ok(None);
        }
        let length = room_bytes(small.sidecar.len(), small.body.len()) as u64;
        let fits = |segment: &Segment| !segment.is_broken && segment.filled + length <= SEGMENT_BYTES;
        if !state.segments.get(state.current).is_some_and(fits) {
            let count = state.segments.len();
            let is_free = |segment: &Segment| !segment.is_broken && segment.held == 0;
            state.current = match state.segments.iter().position(is_free) {
                Some(free) => free,
                None if count < MOST_SEGMENTS => {
                    let file = open_segment(&self.0.layout, count, true).map_err(|error| self.failed(error))?;
                    let Some(file) = file else { return Ok(None) };
                    state.segments.push(Segment {
                        file: Arc::new(file),
                        filled: 0,
                        held: 0,
                        is_broken: false,
                    });
                    count
                }
                None => return Ok(None),
            };
            state.segments[state.current].filled = 0;
        }
        let segment = state.current;
        let offset = state.segments[segment].filled;
        state.segments[segment].filled += length;
        state.segments[segment].held += 1;
        Ok(Some(Entry {
            segment,
            offset,
            sidecar_bytes: small.sidecar.len(),
            body_bytes: small.body.len(),
            blake3: small.blake3,
            is_wiped: false,
        }))
    }

    /// Whether a body is here.
    pub fn holds(&self, id: &str) -> bool {
        self.lock().entries.contains_key(id)
    }

    /// A body; nothing if it isn't here.
    ///
    /// # Errors
    /// When it can't be read, or isn't what was put.
    pub fn body(&self, id: &str) -> Result<Option<Vec<u8>>, BlobError> {
        let state = self.lock();
        let Some(entry) = state.entries.get(id) else {
            return Ok(None);
        };
        let (wanted, at) = (entry.blake3, (HEAD_BYTES + entry.sidecar_bytes) as u64);
        let mut body = vec![0; entry.body_bytes];
        // Under the lock: a forgotten one may be written over.
        let read = state.segments[entry.segment].file.read_exact_at(&mut body, entry.offset + at);
        drop(state);
        let checked = read.and_then(|()| match *blake3::hash(&body).as_bytes() == wanted {
            true => Ok(body),
            false => Err(io::Error::from(io::ErrorKind::InvalidData)),
        });
        checked.map(Some).map_err(|error| self.failed(error))
    }

    /// How to go on with a body; nothing if it isn't here, or was put without.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sidecar(&self, id: &str) -> Result<Option<Vec<u8>>, BlobError> {
        let state = self.lock();
        let has_one = |entry: &&Entry| entry.sidecar_bytes > 0 && !entry.is_wiped;
        let Some(entry) = state.entries.get(id).filter(has_one) else {
            return Ok(None);
        };
        let mut sidecar = vec![0; entry.sidecar_bytes];
        let read = state.segments[entry.segment]
            .file
            .read_exact_at(&mut sidecar, entry.offset + HEAD_BYTES as u64);
        read.map(|()| Some(sidecar)).map_err(|error| self.failed(error))
    }

    /// Lets go of a body.
    pub fn forget(&self, id: &str) {
        let mut state = self.lock();
        state.wipe_sidecar(id);
        state.forget(id);
    }

    /// Lets go of what opens a body: it is sealed.
    pub fn forget_sidecar(&self, id: &str) {
        self.lock().wipe_sidecar(id);
    }

    /// Ids of all bodies here once there are so many that room may become scarce, oldest first; else none.
    pub fn crowd(&self) -> Vec<String> {
        let state = self.lock();
        let used = state.segments.iter().filter(|segment| segment.held > 0).count();
        if used < CROWDED_SEGMENTS {
            return Vec::new();
        }
        let mut ids: Vec<String> = state.entries.keys().cloned().collect();
        // Ids begin with a time.
        ids.sort_unstable();
        ids
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: io::Error) -> BlobError {
        BlobError::new(self.0.layout.label(&self.0.layout.tray()), error)
    }
}

impl State {
    /// Takes note of an entry that a segment holds.
    fn keep(&mut self, id: String, entry: Entry) {
        self.segments[entry.segment].held += 1;
        self.enter(id, entry);
    }

    fn enter(&mut self, id: String, entry: Entry) {
        if let Some(old) = self.entries.insert(id, entry) {
            self.segments[old.segment].held -= 1;
        }
    }

    fn forget(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            self.segments[entry.segment].held -= 1;
        }
    }

    /// Writes zeros over a sidecar. If that fails, the next body there does it.
    fn wipe_sidecar(&mut self, id: &str) {
        if let Some(entry) = self.entries.get_mut(id)
            && entry.sidecar_bytes > 0
            && !entry.is_wiped
        {
            entry.is_wiped = true;
            let file = &self.segments[entry.segment].file;
            let _ = file.write_all_at(&vec![0; entry.sidecar_bytes], entry.offset + HEAD_BYTES as u64);
        }
    }
}

impl From<Failure> for io::Error {
    fn from(Failure(number, kind): Failure) -> Self {
        number.map_or_else(|| kind.into(), io::Error::from_raw_os_error)
    }
}

fn write(queue: &[Queued], files: &[(usize, Arc<File>)]) -> io::Result<()> {
    for queued in queue {
        let file = files.iter().find(|(number, _)| *number == queued.entry.segment);
        let Some((_, file)) = file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut head = [0; HEAD_BYTES];
        write_head(&mut head, queued);
        let used = HEAD_BYTES + queued.sidecar.len() + queued.body.len();
        let padding = [0; PAGE_BYTES];
        let padding = &padding[..used.next_multiple_of(PAGE_BYTES) - used];
        let parts = [&head[..], &queued.sidecar, &queued.body, padding];
        write_all_at(file, queued.entry.offset, &parts)?;
    }
    Ok(())
}

fn write_all_at(file: &File, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let written = rustix::io::pwritev(file, &slices, offset)?;
    // Nearly always everything; a full disk takes a part.
    let (mut done, mut begins) = (written, 0);
    for part in parts {
        let from = done.saturating_sub(begins).min(part.len());
        if from < part.len() {
            file.write_all_at(&part[from..], offset + (begins + from) as u64)?;
            done = begins + part.len();
        }
        begins += part.len();
    }
    Ok(())
}

/// Bytes that an entry takes up.
fn room_bytes(sidecar_bytes: usize, body_bytes: usize) -> usize {
    (HEAD_BYTES + sidecar_bytes + body_bytes).next_multiple_of(PAGE_BYTES)
}

fn write_head(head: &mut [u8; HEAD_BYTES], queued: &Queued) {
    let entry = &queued.entry;
    let lengths = [entry.sidecar_bytes, entry.body_bytes].map(|length| (length as u32).to_le_bytes());
    let parts: [&[u8]; 6] = [MAGIC, queued.id.as_bytes(), &[0; 2], &lengths[0], &lengths[1], &entry.blake3];
    let mut rest = &mut head[..];
    for part in parts {
        let (here, behind) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = behind;
    }
}

/// Reads the head of an entry; nothing when there is none.
fn read_head(head: &[u8; HEAD_BYTES], segment: usize, offset: u64) -> Option<(String, Entry)> {
    let rest = head.strip_prefix(MAGIC)?;
    let (id, rest) = rest.split_at(ID_BYTES);
    let number = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?) as usize);
    let entry = Entry {
        segment,
        offset,
        sidecar_bytes: number(2)?,
        body_bytes: number(6)?,
        blake3: rest.get(10..)?.try_into().ok()?,
        is_wiped: false,
    };
    let fits = entry.sidecar_bytes <= LONGEST_SIDECAR_BYTES && entry.body_bytes <= LARGEST_BODY_BYTES;
    let id = String::from_utf8(id.to_vec()).ok()?;
    fits.then_some((id, entry))
}

/// The entries of a segment, from its front as far as they follow one another. Behind the newest there may be old ones.
fn scan(file: &File, segment: usize) -> io::Result<Vec<(String, Entry)>> {
    let mut found = Vec::new();
    let (mut offset, end) = (0, file.metadata()?.len());
    let mut head = [0; HEAD_BYTES];
    while offset + HEAD_BYTES as u64 <= end {
        file.read_exact_at(&mut head, offset)?;
        let Some((id, entry)) = read_head(&head, segment, offset) else {
            break;
        };
        offset += room_bytes(entry.sidecar_bytes, entry.body_bytes) as u64;
        if offset <= end {
            found.push((id, entry));
        }
    }
    Ok(found)
}

fn open_segment(layout: &Layout, number: usize, create: bool) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).mode(0o600);
    match options.open(layout.tray_segment(number)) {
        Ok(file) => {
            if create {
                // Its name has to last as long as what is in it.
                File::open(layout.tray())?.sync_all()?;
            }
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !create => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn vault() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        (folder, layout)
    }

    fn id(number: usize) -> String {
        format!("{number:026}")
    }

    fn body(number: usize, bytes: usize) -> Arc<Vec<u8>> {
        Arc::new((0..bytes).map(|at| (at * 31 + number) as u8).collect())
    }

    fn put(tray: &Tray, number: usize, sidecar: &[u8], body: &Arc<Vec<u8>>) -> Result<bool, BlobError> {
        tray.put(Small {
            id: &id(number),
            sidecar,
            body,
            blake3: *blake3::hash(body).as_bytes(),
        })
    }

    fn keep(tray: &Tray, numbers: impl IntoIterator<Item = usize>) {
        tray.retain(&numbers.into_iter().map(id).collect()).unwrap();
    }

    #[test]
    fn what_many_put_at_once_is_there_after_a_crash() {
        let (_folder, layout) = vault();
        let tray = Tray::open(&layout).unwrap();
        thread::scope(|scope| {
            for number in 0..40 {
                let tray = &tray;
                scope.spawn(move || assert!(put(tray, number, b"key", &body(number, 1000 * number)).unwrap()));
            }
        });
        // A crash: nothing is closed, and another process opens it.
        let tray = Tray::open(&layout).unwrap();
        keep(&tray, 0..39);
        for number in 0..39 {
            assert_eq!(tray.body(&id(number)).unwrap().unwrap(), *body(number, 1000 * number));
            assert_eq!(tray.sidecar(&id(number)).unwrap().unwrap(), b"key");
        }
        assert!(!tray.holds(&id(39)));
        assert_eq!(tray.body(&id(39)).unwrap(), None);
    }

    #[test]
    fn a_segment_is_filled_again_when_nothing_in_it_is_held() {
        let (_folder, layout) = vault();
        let tray = Tray::open(&layout).unwrap();
        let large = body(0, LARGEST_BODY_BYTES);
        let in_one = SEGMENT_BYTES as usize / room_bytes(0, large.len());
        for number in 0..2 * in_one {
            assert!(put(&tray, number, b"", &large).unwrap());
        }
        assert!(layout.tray_segment(1).exists() && !layout.tray_segment(2).exists());
        // All of the first but one: it can't be used yet.
        (1..in_one).for_each(|number| tray.forget(&id(number)));
        let next = body(1, 100_000);
        assert!(put(&tray, 1000, b"", &next).unwrap());
        assert!(layout.tray_segment(2).exists());
        tray.forget(&id(0));
        for number in 1001..1001 + 3 * in_one {
            assert!(put(&tray, number, b"", &next).unwrap());
        }
        assert!(!layout.tray_segment(3).exists());
        for (number, wanted) in [(in_one, &large), (2 * in_one - 1, &large), (1000, &next), (1000 + 3 * in_one, &next)] {
            assert_eq!(tray.body(&id(number)).unwrap().unwrap(), **wanted, "{number}");
        }
        // What the first filling left behind the second isn't taken for anything.
        let tray = Tray::open(&layout).unwrap();
        keep(&tray, (in_one..2 * in_one).chain(1000..1001 + 3 * in_one));
        assert_eq!(tray.body(&id(1000 + 3 * in_one)).unwrap().unwrap(), *next);
        assert_eq!(tray.body(&id(in_one)).unwrap().unwrap(), *large);
        assert!(!tray.holds(&id(1)));
    }

    #[test]
    fn a_full_tray_says_so_and_gives_room_back() {
        let (_folder, layout) = vault();
        let tray = Tray::open(&layout).unwrap();
        let none = body(0, 0);
        assert!(!put(&tray, 0, &[1; PAGE_BYTES], &none).unwrap(), "too long a sidecar");
        assert!(!put(&tray, 0, b"", &body(0, LARGEST_BODY_BYTES + 1)).unwrap(), "too long a body");
        {
            let mut state = tray.lock();
            let file = Arc::new(open_segment(&layout, 0, true).unwrap().unwrap());
            let full = |_| Segment { file: file.clone(), filled: SEGMENT_BYTES, held: 1, is_broken: false };
            state.segments = (0..MOST_SEGMENTS).map(full).collect();
        }
        assert!(!put(&tray, 1, b"", &none).unwrap(), "no room");
        tray.lock().segments[7].held = 0;
        assert!(put(&tray, 2, b"", &none).unwrap());
        assert_eq!(tray.body(&id(2)).unwrap().unwrap(), b"");
    }

    #[test]
    fn empty_segments_go_when_it_is_opened_and_what_opens_a_body_when_that_is_forgotten() {
        let (_folder, layout) = vault();
        let tray = Tray::open(&layout).unwrap();
        assert!(put(&tray, 1, b"a secret key", &body(1, 10)).unwrap());
        let has_secret = || fs::read(layout.tray_segment(0)).unwrap().windows(12).any(|part| part == b"a secret key");
        assert!(has_secret());
        tray.forget(&id(1));
        assert!(!has_secret());
        for number in 1..KEPT_SEGMENTS + 2 {
            fs::write(layout.tray_segment(number), b"old").unwrap();
        }
        keep(&Tray::open(&layout).unwrap(), []);
        assert!(layout.tray_segment(KEPT_SEGMENTS - 1).exists() && !layout.tray_segment(KEPT_SEGMENTS).exists());
    }

    #[test]
    fn damage_is_noticed() {
        let (_folder, layout) = vault();
        let tray = Tray::open(&layout).unwrap();
        assert!(put(&tray, 1, b"", &body(1, 10_000)).unwrap());
        assert!(put(&tray, 2, b"", &body(2, 10_000)).unwrap());
        let file = OpenOptions::new().write(true).open(layout.tray_segment(0)).unwrap();
        file.write_all_at(b"?", 5000).unwrap();
        assert!(tray.body(&id(1)).is_err());
        assert_eq!(tray.body(&id(2)).unwrap().unwrap(), *body(2, 10_000));
        // A head that is none hides itself and what is behind it, and nothing else happens.
        file.write_all_at(b"?", 0).unwrap();
        let tray = Tray::open(&layout).unwrap();
        assert!(!tray.holds(&id(1)));
    }
}
