//! Administration: what an operator on the host may ask of a vault, and the one function that does it.
//!
//! The same [`execute`] runs in the server, for requests that come over the [`control`] socket, and in a command that
//! holds the vault alone. It must never know the command line, its words on screen, or SSH.
//!
//! Invariant: every change is one custody event, checked inside the transaction that commits it; a refused request
//! changes nothing and says what to do instead.

mod access;
pub mod control;
mod credentials;
pub(crate) mod doctypes;
mod execute;
mod inspect;
pub mod keyring;

pub use execute::execute;

use crate::{
    access::{credentials::CredentialError, people::PeopleError},
    catalog::CatalogueError,
    custody::sequencer::CommitError,
    domain::hex,
};
use serde::{Deserialize, Serialize};

pub use crate::access::{
    OPERATOR,
    logins::{LiveSession, LiveSessions, NoSessions},
    people::{KeyFile, KeyRefused},
};

/// Something an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A new branch.
    BranchAdd {
        /// 2 to 12 letters and digits.
        code: String,
        /// As people call it.
        name: String,
    },
    /// A new person.
    UserAdd {
        /// Log-in name.
        name: String,
        /// Role ids.
        roles: Vec<String>,
        /// Branch code, for branch roles.
        branch: Option<String>,
        /// Texts of public key files, each with the name to call it in a refusal.
        keys: Vec<KeyFile>,
        /// Confidentiality agreement reference (D33).
        nda: String,
    },
    /// A person loses access at once (D34).
    UserDisable {
        /// Log-in name.
        name: String,
        /// Why, for the record.
        reason: Option<String>,
    },
    /// A person logs in over SSH with one more key.
    UserKeyAdd {
        /// Log-in name.
        name: String,
        /// Text of the public key file, with the name to call it in a refusal.
        key: KeyFile,
    },
    /// A key lets nobody in any longer.
    UserKeyRevoke {
        /// Log-in name.
        name: String,
        /// Its fingerprint.
        key: String,
    },
    /// A person gets a code with which they say how they will prove who they are at the console.
    UserInvite {
        /// Log-in name.
        name: String,
    },
    /// A person gets a token for the API.
    TokenIssue {
        /// Log-in name.
        name: String,
        /// Role ids: some of the person's.
        roles: Vec<String>,
        /// Days that it counts.
        days: u32,
        /// What it is for.
        label: String,
    },
    /// A token counts no longer.
    TokenRevoke {
        /// The token's id.
        token: String,
    },
    /// Content is about to be read; granted only when the event is committed (D32).
    AccessRead {
        /// Evidence id.
        evidence: String,
        /// Version, from 1.
        version: i64,
        /// Id of a [`crate::domain::access::Basis`], as given.
        basis: String,
        /// Why, in the requester's words.
        reason: String,
        /// Who asked.
        requester: String,
    },
    /// Content was refused outside of here, for instance because an identity doesn't open it.
    AccessRefused {
        /// What was asked for, a word such as `export`.
        what: String,
        /// Evidence id, when there is such evidence.
        evidence: Option<String>,
        /// Why it was refused.
        reason: String,
        /// Who asked.
        requester: String,
    },
    /// A fixity check ended.
    FixityChecked {
        /// Objects looked at.
        objects: u64,
        /// Stored bytes read.
        bytes: u64,
        /// Findings.
        findings: u64,
        /// Whether contents were decrypted and compared with the digests of the originals.
        with_identity: bool,
        /// Whether everything was looked at.
        complete: bool,
    },
    /// The catalogue was made again from log and store.
    Recovered {
        /// Events in the log.
        leaves: u64,
        /// Sealed versions brought back.
        evidence: u64,
        /// What was missing, extra or altered.
        findings: u64,
    },
    /// A sealed version is inspected in the background again, with the copies made on the way.
    InspectAgain {
        /// Evidence id.
        evidence: String,
        /// Version, from 1.
        version: i64,
        /// Opens it, where the server doesn't hold what does.
        file_key: Option<KeyText>,
    },
    /// A table of document types that is to judge from now on.
    DocumentTypesPublish {
        /// The table as TOML.
        text: String,
        /// The version that it was compared with.
        base: u32,
    },
    /// Who is logged in.
    Sessions,
    /// One session ends at once.
    SessionEnd {
        /// Its id.
        session: String,
    },
    /// A key custodian brings the identities that open what is sealed.
    KeyUnlock {
        /// One `AGE-SECRET-KEY-1…` each.
        identities: Vec<IdentityText>,
    },
    /// The identities are wiped.
    KeyLock,
    /// Whether what is sealed can be read now.
    KeyStatus,
}

/// An identity on its way to the server of the same host: one line without its end, wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[serde(transparent)]
pub struct IdentityText(String);

impl IdentityText {
    /// The text of an identity.
    pub fn of(identity: &crate::crypto::Identity) -> Self {
        let file = identity.to_file();
        let line = file
            .lines()
            .find(|line| !line.starts_with('#'))
            .unwrap_or_default();
        IdentityText(line.to_owned())
    }

    /// The identity, or nothing if it is none.
    pub fn identity(&self) -> Option<crate::crypto::Identity> {
        let mut parsed = crate::crypto::Identity::parse_file(&self.0).ok()?;
        parsed.pop().filter(|_| parsed.is_empty())
    }
}

impl std::fmt::Debug for IdentityText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityText(…)")
    }
}

/// A file key on its way to the server of the same host: lower-case hex, wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[serde(transparent)]
pub struct KeyText(String);

impl KeyText {
    /// The text of a key.
    pub fn of(file_key: &crate::crypto::FileKey) -> Self {
        KeyText(hex::encode(file_key.expose()))
    }

    /// The key, or nothing if it is none.
    pub fn file_key(&self) -> Option<crate::crypto::FileKey> {
        let bytes = hex::decode_array(&self.0).ok()?;
        Some(crate::crypto::FileKey::from_bytes(bytes))
    }
}

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// A secret on its way to whoever asked for it: wiped when dropped, never shown by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// The secret, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        SecretText(text.to_owned())
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// A branch was added.
    BranchAdded {
        /// Its code.
        code: String,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// A person was added.
    UserAdded {
        /// What the log calls them.
        id: String,
        /// Log-in name.
        name: String,
        /// Fingerprints of their keys.
        keys: Vec<String>,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// A person was disabled.
    UserDisabled {
        /// Log-in name.
        name: String,
        /// Live sessions that were ended.
        sessions_ended: usize,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// A person has one more key.
    UserKeyAdded {
        /// Log-in name.
        name: String,
        /// Its fingerprint.
        key: String,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// A key lets nobody in any longer.
    UserKeyRevoked {
        /// Log-in name.
        name: String,
        /// Its fingerprint.
        key: String,
        /// Live sessions that were ended.
        sessions_ended: usize,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// A person is invited.
    UserInvited {
        /// Log-in name.
        name: String,
        /// What they type into the console's page for the invited.
        code: SecretText,
        /// Until when it counts, milliseconds since 1970.
        expires_ms: i64,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// A token was issued.
    TokenIssued {
        /// Its id.
        id: String,
        /// Whose it is.
        name: String,
        /// The whole of it, which is kept nowhere.
        token: SecretText,
        /// Until when it counts, milliseconds since 1970.
        expires_ms: i64,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// The event is in the log.
    Logged {
        /// Its position.
        leaf: u64,
    },
    /// A table of document types judges from now on.
    DocumentTypesPublished {
        /// Its version.
        version: u32,
        /// Position of the event in the log.
        leaf: u64,
    },
    /// The table says what the newest version says already; nothing was published.
    DocumentTypesUnchanged {
        /// The version that holds.
        version: u32,
    },
    /// A session was ended.
    SessionEnded {
        /// Its id.
        session: String,
    },
    /// Who is logged in.
    Sessions {
        /// One entry a session, oldest first.
        sessions: Vec<LiveSession>,
    },
    /// Whether what is sealed can be read now.
    Keyring {
        /// Open, closed, or never to be opened here.
        state: keyring::KeyState,
        /// Public halves of the identities at hand.
        recipients: Vec<String>,
        /// Position of the event in the log, where the request made one.
        leaf: Option<u64>,
    },
}

/// Why a request wasn't done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It isn't permitted or possible: what, and what to do instead.
    #[error("{0}")]
    Refused(String),
    /// The catalogue or the log couldn't take it; nothing was changed.
    #[error(transparent)]
    Commit(CommitError),
    /// The catalogue couldn't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The system has no randomness for a new id.
    #[error("the system has no randomness to give")]
    Random,
}

impl From<CommitError> for AdminError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(words) => AdminError::Refused(words),
            other => AdminError::Commit(other),
        }
    }
}

impl From<PeopleError> for AdminError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Commit(error) => error.into(),
            PeopleError::Catalogue(error) => error.into(),
            PeopleError::Credential(CredentialError::Failed(words)) => {
                AdminError::Commit(CommitError::Storage(words))
            }
            PeopleError::Random => AdminError::Random,
            other => AdminError::Refused(other.to_string()),
        }
    }
}
