//! Checkpoints (c2sp.org/tlog-checkpoint): a log's signed word on its size and root, and witnesses' cosignatures.
//!
//! Invariant: [`open`] returns only what the log's own key signed under the log's own name.

use super::merkle::Hash;
use super::note::{Algorithm, Note, NoteError, SignerKey, Verified, VerifierKey};

/// A log's size and root at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, such as `muniment.example/vault-1`.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Further lines, which mean nothing here; Muniment writes none.
    pub extensions: Vec<String>,
}

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Syntax(&'static str),
    /// It is of another log.
    #[error("the checkpoint is of the log {0:?}, not of the one asked about")]
    Origin(String),
    /// No line of the log's own key is on it.
    #[error("the checkpoint is not signed by {0}")]
    Unsigned(String),
    /// A log's key must be a plain Ed25519 key, a witness's a cosignature key.
    #[error("the key {0} is not of the kind that its role needs")]
    KeyKind(String),
    /// A cosigned checkpoint to merge has another text.
    #[error("the cosigned checkpoint is not this one")]
    Other,
}

/// A checkpoint that the log signed, and the known witnesses who cosigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What the log signed.
    pub checkpoint: Checkpoint,
    /// The known witnesses whose cosignatures on it are right, each with its time.
    pub cosignatures: Vec<Verified>,
}

impl Checkpoint {
    /// Reads the text of a checkpoint's note; nothing vouches for it yet.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let syntax = CheckpointError::Syntax;
        let text = text.strip_suffix('\n').ok_or(syntax("no newline at its end"))?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(syntax("fewer than three lines"));
        let (origin, size, root) = (line()?.to_owned(), line()?, line()?);
        if origin.is_empty() {
            return Err(syntax("an empty origin"));
        }
        let size = parse_decimal(size).ok_or(syntax("a size that is not a plain number"))?;
        let root = Hash::from_base64(root).ok_or(syntax("a root that is not 32 bytes of base64"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(syntax("an empty extension line"));
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Signs as the log; the key's name must be the origin.
    pub fn sign(&self, log: &SignerKey) -> Result<Note, CheckpointError> {
        if log.verifier().name() != self.origin {
            return Err(CheckpointError::Origin(self.origin.clone()));
        }
        let note = Note::sign(self.to_text(), log)?;
        // A line break inside a field would have the log sign something else.
        if Self::parse(note.text())? != *self {
            return Err(CheckpointError::Syntax("a line break inside a line"));
        }
        Ok(note)
    }
}

/// Reads a signed checkpoint: `log` must have signed it, known `witnesses` may have; a wrong signature of either spoils it.
pub fn open(bytes: &[u8], log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Opened, CheckpointError> {
    open_note(&Note::parse(bytes)?, log, witnesses)
}

/// Like [`open`], for a note that is parsed already.
pub fn open_note(
    note: &Note,
    log: &VerifierKey,
    witnesses: &[VerifierKey],
) -> Result<Opened, CheckpointError> {
    let wrong_kind = |key: &VerifierKey| CheckpointError::KeyKind(key.to_string());
    if log.algorithm() != Algorithm::Ed25519 {
        return Err(wrong_kind(log));
    }
    if let Some(key) = witnesses
        .iter()
        .find(|key| key.algorithm() != Algorithm::CosignatureV1)
    {
        return Err(wrong_kind(key));
    }
    let checkpoint = Checkpoint::parse(note.text())?;
    if checkpoint.origin != log.name() {
        return Err(CheckpointError::Origin(checkpoint.origin));
    }
    let verified = note.verify(std::iter::once(log).chain(witnesses))?;
    let (own, cosignatures): (Vec<_>, Vec<_>) = verified.into_iter().partition(|line| line.time.is_none());
    if own.is_empty() {
        return Err(CheckpointError::Unsigned(log.to_string()));
    }
    Ok(Opened {
        checkpoint,
        cosignatures,
    })
}

/// A witness's cosignature added to a checkpoint that `log` signed. `time` is in seconds since 1970.
///
/// By cosigning, a witness says that this log grew from every checkpoint the witness cosigned before: the caller
/// must have checked that ([`super::merkle::verify_consistency`]), and keeps the result for the next time.
pub fn cosign(
    checkpoint: &[u8],
    log: &VerifierKey,
    witness: &SignerKey,
    time: u64,
) -> Result<Note, CheckpointError> {
    let mut note = Note::parse(checkpoint)?;
    open_note(&note, log, &[])?;
    note.add_signature(witness.cosign(note.text(), time).ok_or(NoteError::WrongKind)?)?;
    Ok(note)
}

/// Takes over from `cosigned` the cosignatures of known witnesses on the same checkpoint, and reports them.
pub fn merge_cosignatures(
    checkpoint: &mut Note,
    cosigned: &[u8],
    witnesses: &[VerifierKey],
) -> Result<Vec<Verified>, CheckpointError> {
    let cosigned = Note::parse(cosigned)?;
    if cosigned.text() != checkpoint.text() {
        return Err(CheckpointError::Other);
    }
    let verified: Vec<_> = cosigned
        .verify(witnesses)?
        .into_iter()
        .filter(|signature| signature.time.is_some())
        .collect();
    for known in &verified {
        // The first line of a key is the one that was checked.
        let line = cosigned
            .signatures()
            .iter()
            .find(|line| line.name == known.name && line.id == known.id);
        if let Some(line) = line {
            checkpoint.add_signature(line.clone())?;
        }
    }
    Ok(verified)
}

/// An ASCII decimal in its only spelling.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}
