//! Custody events: what the log keeps of everything that changes, in two halves.
//!
//! The **leaf** is public: ids, digests, counts and salted commitments, never a name (so that the log can be given to
//! witnesses, and outlives a lawful destruction). The **record** is private: the openings of those commitments and what
//! else is needed to rebuild the catalogue; it is encrypted to the vault's recipients. Layouts: `docs/FORMAT.md`.
//!
//! Invariant: the catalogue is a fold over (leaf, record) pairs; nothing changes it that isn't here.

use crate::domain::commitment::Opening;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};

/// Version of the leaf and record layouts.
pub const EVENT_VERSION: u64 = 1;

/// What happened. The text form is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The first leaf of every log: origin, recipients, format.
    #[serde(rename = "vault.created")]
    VaultCreated,
    /// What the store can enforce (immutable flag), said when it changes.
    #[serde(rename = "store.capability")]
    StoreCapability,
    /// A branch was added.
    #[serde(rename = "branch.added")]
    BranchAdded,
    /// A person was added with roles and keys.
    #[serde(rename = "user.added")]
    UserAdded,
    /// A person lost access at once.
    #[serde(rename = "user.disabled")]
    UserDisabled,
    /// A person logs in over SSH with one more key.
    #[serde(rename = "user.key_added")]
    UserKeyAdded,
    /// One of a person's keys lets nobody in any longer.
    #[serde(rename = "user.key_revoked")]
    UserKeyRevoked,
    /// A person was given a one-time code, with which they say how they will prove who they are.
    #[serde(rename = "user.invited")]
    UserInvited,
    /// A person has a password, another one, or the same one hashed better.
    #[serde(rename = "user.password_set")]
    UserPasswordSet,
    /// A person's authenticator app took a secret.
    #[serde(rename = "user.totp_enrolled")]
    UserTotpEnrolled,
    /// A person has one more passkey.
    #[serde(rename = "user.passkey_added")]
    UserPasskeyAdded,
    /// A passkey counts no longer.
    #[serde(rename = "user.passkey_removed")]
    UserPasskeyRemoved,
    /// A person proved who they are with two factors, and has a session.
    #[serde(rename = "user.signed_in")]
    UserSignedIn,
    /// A session ended.
    #[serde(rename = "user.signed_out")]
    UserSignedOut,
    /// A token of the API was issued to a person.
    #[serde(rename = "token.issued")]
    TokenIssued,
    /// A token of the API counts no longer.
    #[serde(rename = "token.revoked")]
    TokenRevoked,
    /// Bytes are durable, but not yet complete or not yet named.
    #[serde(rename = "accession.received")]
    AccessionReceived,
    /// Bytes became evidence.
    #[serde(rename = "evidence.sealed")]
    EvidenceSealed,
    /// Bytes were refused and are kept aside.
    #[serde(rename = "accession.rejected")]
    AccessionRejected,
    /// The same bytes stand sealed under the same identity already.
    #[serde(rename = "accession.duplicate")]
    AccessionDuplicate,
    /// The uploader withdrew bytes that were not sealed; they are kept aside.
    #[serde(rename = "accession.withdrawn")]
    AccessionWithdrawn,
    /// A manifest, checksum file or bag manifest arrived and is kept.
    #[serde(rename = "declaration.received")]
    DeclarationReceived,
    /// A declaration that came after sealing agreed or disagreed with what is sealed.
    #[serde(rename = "evidence.declared")]
    EvidenceDeclared,
    /// A sealed version was inspected in the background.
    #[serde(rename = "evidence.inspected")]
    EvidenceInspected,
    /// A contact sheet or playback copy was made from a sealed version. Never instead of the original.
    #[serde(rename = "derived.made")]
    DerivedMade,
    /// An operator asked for a background inspection, and the copies made with it, again.
    #[serde(rename = "inspection.requested")]
    InspectionRequested,
    /// Head office published a table of document types.
    #[serde(rename = "document_types.published")]
    DocumentTypesPublished,
    /// A fixity check ended.
    #[serde(rename = "fixity.checked")]
    FixityChecked,
    /// Somebody asked for access to evidence.
    #[serde(rename = "access.requested")]
    AccessRequested,
    /// The first of the two approvers that an emergency takes agreed; nothing is granted yet.
    #[serde(rename = "access.endorsed")]
    AccessEndorsed,
    /// An approver granted access. The event's id is the grant's.
    #[serde(rename = "access.approved")]
    AccessApproved,
    /// An approver declined a request.
    #[serde(rename = "access.declined")]
    AccessDeclined,
    /// Who asked took the request back.
    #[serde(rename = "access.withdrawn")]
    AccessWithdrawn,
    /// A grant was ended before its time.
    #[serde(rename = "access.revoked")]
    AccessRevoked,
    /// Content, metadata or an action was refused to somebody.
    #[serde(rename = "access.refused")]
    AccessRefused,
    /// Content is about to be read; committed before the first byte leaves.
    #[serde(rename = "access.read")]
    AccessRead,
    /// A reading ended: how much of it left.
    #[serde(rename = "access.read_ended")]
    AccessReadEnded,
    /// The decryption identities are in the server's memory from here on.
    #[serde(rename = "key.unlocked")]
    KeyUnlocked,
    /// They were wiped.
    #[serde(rename = "key.locked")]
    KeyLocked,
    /// A witness's cosignature of a checkpoint was taken in.
    #[serde(rename = "anchor")]
    Anchor,
    /// The catalogue was rebuilt from store and log.
    #[serde(rename = "recover")]
    Recover,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Openings by field name.
pub type Openings = BTreeMap<String, Opening>;

/// A custody event as the log keeps it, encoded as RFC 8785 canonical JSON (integers and ASCII only).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Who caused it: a person's id, `operator` (command line on the host) or `system`.
    pub actor: String,
    /// Commitments by field name: lower-case hex of HMAC-SHA-256(salt, field ‖ 0 ‖ value).
    pub commit: BTreeMap<String, String>,
    /// Public facts, by kind of event.
    pub data: Map<String, Value>,
    /// The event's id (a ULID); an accession's id where the event is about one.
    pub id: String,
    /// What happened.
    pub kind: Kind,
    /// When it was committed, milliseconds since 1970.
    pub time_ms: i64,
    /// [`EVENT_VERSION`].
    pub v: u64,
}

/// The private half of an event, JSON before encryption.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Position of the leaf in the log.
    pub leaf_index: u64,
    /// What opens the leaf's commitments.
    pub openings: Openings,
    /// Private facts that the leaf doesn't commit to one by one.
    pub private: Map<String, Value>,
    /// RFC 6962 leaf hash, lower-case hex: ties the record to its leaf.
    pub leaf_hash: String,
    /// [`EVENT_VERSION`].
    pub v: u64,
}

/// An event before it has its place in the log.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What happened.
    pub kind: Kind,
    /// The event's id.
    pub id: String,
    /// Who caused it.
    pub actor: String,
    /// Public facts.
    pub data: Map<String, Value>,
    /// Private values that the leaf commits to, by field name.
    pub committed: BTreeMap<String, String>,
    /// Private facts for the record alone.
    pub private: Map<String, Value>,
}

impl Draft {
    /// An event without any facts yet.
    pub fn new(kind: Kind, id: impl Into<String>, actor: impl Into<String>) -> Self {
        Draft {
            kind,
            id: id.into(),
            actor: actor.into(),
            data: Map::new(),
            committed: BTreeMap::new(),
            private: Map::new(),
        }
    }

    /// Adds a public fact (ASCII text or an integer).
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a private text that the leaf commits to.
    pub fn commit(mut self, name: &str, value: impl Into<String>) -> Self {
        self.committed.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a private fact for the record.
    pub fn private(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.private.insert(name.to_owned(), value.into());
        self
    }

    /// Whether the event has a private half to keep.
    pub fn has_record(&self) -> bool {
        !self.committed.is_empty() || !self.private.is_empty()
    }
}

impl Leaf {
    /// A text fact, or `None` when it is absent or no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }

    /// An integer fact, or `None` when it is absent or no integer.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.data.get(name).and_then(Value::as_i64)
    }
}

impl Record {
    /// The committed value of a field.
    pub fn opened(&self, name: &str) -> Option<&str> {
        self.openings.get(name).map(|opening| opening.value.as_str())
    }

    /// A private text fact.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.private.get(name).and_then(Value::as_str)
    }
}
