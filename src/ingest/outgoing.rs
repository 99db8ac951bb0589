//! The last stretch of a body's way: ciphertext is gathered into large pieces, and each piece is digested and written by a
//! disk thread while the next one is hashed and sealed.
//!
//! It must never see plaintext.
//!
//! Invariants: at most one piece is on its way; pieces are digested and written in order, each once. A body that stays
//! below one piece costs no hand-over, and no file unless somebody asks for one.

use crate::{
    blob::{BlobError, Disk, Layout, StagedBody, disk::Later, staging::DIRECT_ALIGNMENT_BYTES},
    crypto::{
        StoredDigest,
        body::{CHUNK_BYTES, TAG_BYTES},
    },
};
use std::io;

/// A piece is handed over when it has this many bytes.
const PIECE_BYTES: usize = 256 * 1024;
/// Plaintext that may be sealed into the buffer between two calls of [`Outgoing::pass_on`].
pub(super) const STEP_BYTES: usize = 256 * 1024;
/// What a step can become: its chunks, one that was begun before it, and their tags.
const STEP_SEALED_BYTES: usize = (STEP_BYTES / CHUNK_BYTES + 2) * (CHUNK_BYTES + TAG_BYTES);
/// Bytes of a buffer, its aligned beginning included.
const BUFFER_BYTES: usize = DIRECT_ALIGNMENT_BYTES + PIECE_BYTES + DIRECT_ALIGNMENT_BYTES + STEP_SEALED_BYTES;

/// A staged body with what is still on its way to it.
pub(super) struct Outgoing {
    layout: Layout,
    id: String,
    /// Made when the first byte goes there.
    staged: Option<StagedBody>,
    disk: Disk,
    /// Ciphertext that wasn't handed over, from `lead` on.
    buffer: Vec<u8>,
    /// Where the first aligned byte of the buffer's memory lies.
    lead: usize,
    state: State,
}

enum State {
    /// Everything handed over is written.
    Idle(StoredDigest),
    /// A piece is on its way.
    Writing(Later<Written>),
    /// A piece couldn't be written: it goes before everything else when that is tried again.
    Stuck(StoredDigest, Piece),
    /// A disk thread is gone with a piece.
    Lost,
}

/// A filled buffer.
struct Piece {
    buffer: Vec<u8>,
    lead: usize,
}

struct Written {
    piece: Piece,
    digest: StoredDigest,
    outcome: io::Result<()>,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.lead..).unwrap_or_default()
    }
}

impl Outgoing {
    pub(super) fn new(layout: Layout, id: String, disk: Disk) -> Self {
        Outgoing {
            layout,
            id,
            staged: None,
            disk,
            buffer: Vec::new(),
            lead: 0,
            state: State::Idle(StoredDigest::new()),
        }
    }

    /// Where the next ciphertext goes, with room for what `plaintext_bytes` (at most [`STEP_BYTES`]) become.
    pub(super) fn buffer(&mut self, plaintext_bytes: usize) -> &mut Vec<u8> {
        let wanted = self.buffer.len() + plaintext_bytes + 2 * (CHUNK_BYTES + TAG_BYTES);
        if wanted > PIECE_BYTES && self.buffer.capacity() < BUFFER_BYTES {
            // It has outgrown a small file's buffer: from here on in aligned memory that never moves.
            let (large, lead) = self.aligned_buffer(self.lead);
            (self.buffer, self.lead) = (large, lead);
        }
        &mut self.buffer
    }

    /// A buffer of full size that begins with what `self.buffer` holds from `from` on.
    fn aligned_buffer(&self, from: usize) -> (Vec<u8>, usize) {
        let mut buffer = self.disk.take_buffer();
        buffer.clear();
        if buffer.capacity() < BUFFER_BYTES {
            buffer = Vec::with_capacity(BUFFER_BYTES);
        }
        let lead = buffer.as_ptr().align_offset(DIRECT_ALIGNMENT_BYTES);
        // Where alignment can't be known it only isn't taken advantage of.
        let lead = if lead < DIRECT_ALIGNMENT_BYTES { lead } else { 0 };
        buffer.resize(lead, 0);
        buffer.extend_from_slice(self.buffer.get(from..).unwrap_or_default());
        (buffer, lead)
    }

    /// Hands a piece over if there is a whole one. Waits while the one before is written.
    ///
    /// # Errors
    /// When the piece before couldn't be written. Nothing is lost; it may be tried again.
    pub(super) fn pass_on(&mut self) -> Result<(), BlobError> {
        let filled = self.buffer.len() - self.lead;
        if filled < PIECE_BYTES {
            return Ok(());
        }
        self.staged()?;
        let mut digest = self.settle()?;
        let cut = self.lead + filled / DIRECT_ALIGNMENT_BYTES * DIRECT_ALIGNMENT_BYTES;
        let (next, next_lead) = self.aligned_buffer(cut);
        let mut piece = Piece {
            buffer: std::mem::replace(&mut self.buffer, next),
            lead: std::mem::replace(&mut self.lead, next_lead),
        };
        piece.buffer.truncate(cut);
        let tail = self.staged()?.tail();
        self.state = State::Writing(self.disk.run(move || {
            let outcome = tail.write(piece.bytes());
            if outcome.is_ok() {
                digest.update(piece.bytes());
            }
            Written {
                piece,
                digest,
                outcome,
            }
        }));
        Ok(())
    }

    /// Waits for the piece on its way, tries again what couldn't be written, and gives the digest of all that is. The caller puts
    /// it back.
    fn settle(&mut self) -> Result<StoredDigest, BlobError> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(digest) => Ok(digest),
            State::Writing(later) => {
                let Some(written) = later.wait() else {
                    return Err(self.lost());
                };
                match self.staged()?.note(written.piece.bytes().len(), written.outcome) {
                    Ok(()) => {
                        self.disk.keep_buffer(written.piece.buffer);
                        Ok(written.digest)
                    }
                    Err(error) => {
                        self.state = State::Stuck(written.digest, written.piece);
                        Err(error)
                    }
                }
            }
            State::Stuck(mut digest, piece) => match self.staged()?.append(piece.bytes()) {
                Ok(()) => {
                    digest.update(piece.bytes());
                    Ok(digest)
                }
                Err(error) => {
                    self.state = State::Stuck(digest, piece);
                    Err(error)
                }
            },
            State::Lost => Err(self.lost()),
        }
    }

    fn lost(&self) -> BlobError {
        BlobError::Io {
            place: "staging".to_owned(),
            source: io::Error::other("a thread that was writing is gone"),
        }
    }

    /// Everything taken so far is written when this returns.
    ///
    /// # Errors
    /// When it can't be. Nothing is lost; it may be tried again.
    pub(super) fn flush(&mut self) -> Result<(), BlobError> {
        self.staged()?;
        let mut digest = self.settle()?;
        let rest = self.buffer.get(self.lead..).unwrap_or_default();
        let appended = match &mut self.staged {
            Some(staged) => staged.append(rest),
            None => Err(self.lost()),
        };
        if appended.is_ok() {
            digest.update(rest);
            self.buffer.truncate(self.lead);
        }
        self.state = State::Idle(digest);
        appended
    }

    /// Everything taken so far survives a power cut when this returns.
    ///
    /// # Errors
    /// When it can't be written, or the store can't promise that.
    pub(super) fn sync(&mut self) -> Result<(), BlobError> {
        self.flush()?;
        self.staged()?.sync()
    }

    /// The body as it lies in its file, with the digest of it, after everything was written.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn finish(mut self) -> Result<(StagedBody, [u8; 32]), BlobError> {
        self.flush()?;
        let digest = self.settle()?.finish();
        if self.buffer.capacity() >= BUFFER_BYTES {
            self.disk.keep_buffer(self.buffer);
        }
        let staged = match self.staged {
            Some(staged) => staged,
            None => StagedBody::create(&self.layout, &self.id)?,
        };
        Ok((staged, digest))
    }

    /// The body itself, with the digest of it, if it is so small that nothing of it has been written.
    pub(super) fn finish_small(self) -> Result<(Vec<u8>, [u8; 32]), Outgoing> {
        match self.state {
            State::Idle(mut digest) if self.staged.is_none() && self.lead == 0 => {
                digest.update(&self.buffer);
                Ok((self.buffer, digest.finish()))
            }
            _ => Err(self),
        }
    }

    fn staged(&mut self) -> Result<&mut StagedBody, BlobError> {
        match &mut self.staged {
            Some(staged) => Ok(staged),
            none => Ok(none.insert(StagedBody::create(&self.layout, &self.id)?)),
        }
    }

    /// Removes the body. Nothing of it was promised to anybody.
    pub(super) fn discard(self) {
        if let Some(staged) = self.staged {
            let _ = staged.discard();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hex;
    use std::fs;

    fn outgoing(layout: &Layout, id: &str) -> Outgoing {
        Outgoing::new(layout.clone(), id.to_owned(), Disk::start().unwrap())
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    #[test]
    fn what_lies_there_is_what_was_given_in_whatever_steps_and_the_digest_is_of_that() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let given = bytes(3 * PIECE_BYTES + 12_345);
        // Steps; and after how many bytes everything is made durable, from where on nothing is aligned any more.
        let cases = [
            (STEP_BYTES, None),
            (65_552, None),
            (1_000, None),
            (99_999, Some(400_000)),
            (STEP_BYTES, Some(1)),
        ];
        for (number, (step, synced_at)) in cases.into_iter().enumerate() {
            let id = format!("A{number}");
            let mut out = outgoing(&layout, &id);
            let (mut sent, mut synced) = (0, synced_at.is_none());
            for piece in given.chunks(step) {
                out.buffer(piece.len()).extend_from_slice(piece);
                out.pass_on().unwrap();
                sent += piece.len();
                if !synced && synced_at.is_some_and(|at| sent >= at) {
                    out.sync().unwrap();
                    assert_eq!(fs::read(layout.staged(&id).unwrap()).unwrap(), given[..sent]);
                    synced = true;
                }
            }
            let (staged, digest) = out.finish().unwrap();
            assert_eq!(staged.size_bytes(), given.len() as u64);
            assert!(fs::read(staged.path()).unwrap() == given, "{step}");
            assert_eq!(hex::encode(digest), blake3::hash(&given).to_hex().as_str());
        }
    }

    #[test]
    fn a_small_body_takes_no_large_buffer_and_a_large_one_lies_aligned() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let mut out = outgoing(&layout, "A1");
        out.buffer(60_000).extend_from_slice(&bytes(60_000));
        out.pass_on().unwrap();
        assert!(out.buffer.capacity() < PIECE_BYTES && out.staged.is_none());
        for _ in 0..20 {
            out.buffer(STEP_BYTES)
                .extend_from_slice(&bytes(STEP_BYTES + CHUNK_BYTES));
            out.pass_on().unwrap();
            let begins = out.buffer[out.lead..].as_ptr().addr();
            assert_eq!(
                (begins % DIRECT_ALIGNMENT_BYTES, out.buffer.capacity()),
                (0, BUFFER_BYTES)
            );
        }
        assert!(out.finish_small().is_err());
    }

    #[test]
    fn a_small_body_is_given_back_unless_it_has_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let given = bytes(60_000);
        for asked in [false, true] {
            let mut out = outgoing(&layout, "A1");
            out.buffer(given.len()).extend_from_slice(&given);
            out.pass_on().unwrap();
            if asked {
                out.sync().unwrap();
            }
            assert_eq!(layout.staged("A1").unwrap().exists(), asked);
            match out.finish_small() {
                Ok((held, digest)) => {
                    assert!(!asked && held == given);
                    assert_eq!(digest, *blake3::hash(&given).as_bytes());
                }
                Err(out) => {
                    let (staged, digest) = out.finish().unwrap();
                    assert!(asked && staged.size_bytes() == given.len() as u64);
                    assert_eq!(digest, *blake3::hash(&given).as_bytes());
                }
            }
        }
    }
}
