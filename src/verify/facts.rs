//! What a leaf of each kind must say; the table of `docs/FORMAT.md`, section "Kinds of events".
//!
//! It judges one leaf by itself; how leaves follow each other is the history's part. Facts beyond the table are let
//! through: version 1 may gain facts, never lose or change one.

use crate::{
    crypto::{body::body_bytes, digest::CHUNK_ROOT_FROM_BYTES},
    domain::{
        canonical::{self, CanonicalError},
        category::Category,
        event::{EVENT_VERSION, Kind, Leaf},
        hex, id,
        role::Role,
    },
};
use serde::Deserialize;
use serde_json::Value;

/// Why bytes are no leaf that can be judged.
#[derive(Debug, thiserror::Error)]
pub enum LeafFault {
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Canonical, but not a leaf.
    #[error("not a leaf: {0}")]
    Shape(String),
    /// Of a later format: somebody else has to judge it.
    #[error("{0}, which this verifier doesn't know: use a later one")]
    Later(String),
}

/// Reads a leaf from its bytes as logged.
///
/// # Errors
/// When they aren't canonical, aren't a leaf, or are of a format this program doesn't know.
pub fn read(bytes: &[u8]) -> Result<Leaf, LeafFault> {
    let value = canonical::parse_canonical(bytes)?;
    match value.get("v").and_then(Value::as_u64) {
        Some(EVENT_VERSION) => {}
        Some(later) if later > EVENT_VERSION => {
            return Err(LeafFault::Later(format!("leaf version {later}")));
        }
        _ => return Err(LeafFault::Shape("it has no version".to_owned())),
    }
    if let Some(kind) = value
        .get("kind")
        .filter(|kind| kind.is_string() && Kind::deserialize(*kind).is_err())
    {
        return Err(LeafFault::Later(format!("an event of kind {kind}")));
    }
    Leaf::deserialize(value).map_err(|error| LeafFault::Shape(error.to_string()))
}

/// What a fact has to look like.
#[derive(Clone, Copy)]
enum Form {
    /// Text, not empty.
    Text,
    /// An id (a ULID).
    Id,
    /// 64 hexadecimal digits, lower case.
    Digest,
    /// An integer, 0 or more.
    Count,
    /// An integer, 1 or more.
    Ordinal,
    /// 0 or 1.
    Flag,
    /// Roles, at least one.
    Roles,
    /// Texts, any number.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of the six categories.
    Category,
}

use Form::{Count, Digest, Flag, Id, Ordinal, Roles, Text, Texts, Word};

type Facts = &'static [(&'static str, Form)];

/// What every event about an accession says.
const ACCESSION: Facts = &[
    ("person", Id),
    ("branch", Text),
    ("key", Text),
    ("size_bytes", Count),
    ("sha256", Digest),
    ("started_ms", Count),
];
const PURPOSES: Form = Word(&["view", "export"]);
const BASES: Form = Word(&["law", "regulator", "customer_consent", "due_diligence"]);
const GRADES: Form = Word(&["declared", "server_only"]);

/// What an event about credentials may rest on: a code of an app, an answer of a passkey, or an invitation.
const PROOF: Facts = &[
    ("totp_step", Count),
    ("passkey", Id),
    ("sign_count", Count),
    ("invitation", Id),
];

/// What a kind of event must say.
struct Rule {
    /// The event is about an accession and says what those say.
    accession: bool,
    required: Facts,
    optional: Facts,
    committed: &'static [&'static str],
}

const fn rule(required: Facts, optional: Facts, committed: &'static [&'static str]) -> Rule {
    Rule {
        accession: false,
        required,
        optional,
        committed,
    }
}

const fn accession(required: Facts, optional: Facts, committed: &'static [&'static str]) -> Rule {
    Rule {
        accession: true,
        required,
        optional,
        committed,
    }
}

fn rule_of(kind: Kind) -> Rule {
    match kind {
        Kind::VaultCreated => rule(&[], &[("origin", Text), ("recipients", Texts)], &[]),
        Kind::StoreCapability => rule(&[("immutable_flag", Text)], &[], &[]),
        Kind::BranchAdded => rule(&[("branch", Text)], &[], &["name"]),
        Kind::UserAdded => rule(
            &[("person", Id), ("roles", Roles), ("keys", Texts)],
            &[
                ("branch", Text),
                ("totp_step", Count),
                ("passkey", Id),
                ("sign_count", Count),
            ],
            &["name", "nda"],
        ),
        Kind::UserDisabled => rule(&[("person", Id)], PROOF, &[]),
        Kind::UserKeyAdded | Kind::UserKeyRevoked => rule(&[("person", Id), ("key", Text)], PROOF, &[]),
        Kind::UserInvited => rule(&[("person", Id), ("expires_ms", Count)], PROOF, &["code_sha256"]),
        Kind::UserPasswordSet => rule(
            &[("person", Id), ("by", Word(&["invitation", "person", "upgrade"]))],
            PROOF,
            &["verifier"],
        ),
        Kind::UserTotpEnrolled => rule(
            &[
                ("person", Id),
                ("by", Word(&["invitation", "person"])),
                ("first_step", Count),
            ],
            PROOF,
            &["secret"],
        ),
        Kind::UserPasskeyAdded => rule(
            &[
                ("person", Id),
                ("by", Word(&["invitation", "person"])),
                ("first_count", Count),
            ],
            PROOF,
            &["credential", "public_key", "label"],
        ),
        Kind::UserPasskeyRemoved => rule(&[("person", Id), ("removed", Id)], PROOF, &[]),
        Kind::UserSignedIn => rule(
            &[
                ("person", Id),
                ("session", Id),
                ("factor", Word(&["password_totp", "passkey"])),
            ],
            PROOF,
            &["address", "agent"],
        ),
        Kind::UserSignedOut => rule(&[("person", Id), ("session", Id), ("how", Text)], &[], &[]),
        Kind::TokenIssued => rule(
            &[("person", Id), ("roles", Roles), ("expires_ms", Count)],
            PROOF,
            &["label", "secret_sha256"],
        ),
        Kind::TokenRevoked => rule(&[("person", Id), ("token", Id)], &[], &[]),
        Kind::AccessionReceived => accession(
            &[("reason", Text), ("expires_ms", Count)],
            &[("replaces", Id)],
            &["path"],
        ),
        Kind::EvidenceSealed => accession(
            &[
                ("evidence", Id),
                ("version", Ordinal),
                ("category", Form::Category),
                ("doctype", Text),
                ("grade", GRADES),
                ("stored_size_bytes", Count),
                ("stored_blake3", Digest),
            ],
            &[
                ("replaces", Id),
                ("previous", Count),
                ("chunk_root", Digest),
                ("date", Ordinal),
                ("declaration", Id),
                ("verdict", Word(&["accepted", "needs_review"])),
                ("findings", Texts),
                ("types_version", Count),
                ("inspector", Text),
                ("deep", Word(&["due"])),
            ],
            &["path", "customer", "flow", "seq"],
        ),
        Kind::AccessionRejected => accession(
            &[("reason", Text)],
            &[
                ("replaces", Id),
                ("verdict", Word(&["rejected"])),
                ("findings", Texts),
                ("types_version", Count),
                ("inspector", Text),
            ],
            &["path"],
        ),
        Kind::AccessionDuplicate => accession(
            &[("of", Count), ("evidence", Id), ("version", Ordinal)],
            &[("replaces", Id)],
            &["path"],
        ),
        Kind::AccessionWithdrawn => accession(&[("reason", Text)], &[("replaces", Id)], &["path"]),
        Kind::DeclarationReceived => {
            accession(&[("form", Text), ("rows", Count)], &[("replaces", Id)], &["path"])
        }
        Kind::EvidenceDeclared => rule(
            &[
                ("evidence", Id),
                ("version", Ordinal),
                ("of", Count),
                ("result", Word(&["match", "mismatch"])),
                ("declaration", Id),
                ("declared_sha256", Digest),
                ("sha256", Digest),
                ("size_bytes", Count),
                ("grade", GRADES),
                ("branch", Text),
                ("person", Id),
                ("key", Text),
            ],
            &[("reason", Text)],
            &["path"],
        ),
        Kind::EvidenceInspected => rule(
            &[
                ("evidence", Id),
                ("version", Ordinal),
                ("of", Count),
                ("due", Count),
                ("tier", Word(&["deep"])),
                ("verdict", Word(&["accepted", "needs_review"])),
                ("findings", Texts),
                ("types_version", Count),
                ("sha256", Digest),
                ("size_bytes", Count),
                ("branch", Text),
                ("person", Id),
                ("key", Text),
            ],
            &[("inspector", Text), ("sm3", Digest)],
            &["path"],
        ),
        Kind::DerivedMade => rule(
            &[
                ("evidence", Id),
                ("version", Ordinal),
                ("of", Count),
                ("form", Word(&["contact_sheet", "playback"])),
                ("media_type", Text),
                ("original_sha256", Digest),
                ("size_bytes", Count),
                ("sha256", Digest),
                ("stored_size_bytes", Count),
                ("stored_blake3", Digest),
                ("made_by", Text),
            ],
            &[],
            &[],
        ),
        Kind::InspectionRequested => rule(&[("evidence", Id), ("version", Ordinal), ("of", Count)], &[], &[]),
        Kind::DocumentTypesPublished => rule(
            &[("version", Ordinal), ("sha256", Digest), ("types", Ordinal)],
            &[],
            &[],
        ),
        Kind::FixityChecked => rule(
            &[
                ("objects", Count),
                ("bytes", Count),
                ("findings", Count),
                ("with_identity", Flag),
                ("complete", Flag),
            ],
            &[],
            &[],
        ),
        Kind::AccessRefused => rule(
            &[("what", Text)],
            &[("evidence", Id), ("person", Id), ("times", Ordinal)],
            &[],
        ),
        Kind::AccessRequested => rule(
            &[
                ("person", Id),
                ("purpose", PURPOSES),
                ("basis", BASES),
                ("duration_s", Ordinal),
                ("evidence_items", Ordinal),
                ("emergency", Flag),
            ],
            &[("branch", Text), ("form_sha256", Digest)],
            &["reason"],
        ),
        Kind::AccessEndorsed => rule(&[("request", Id), ("approver", Id)], &[], &[]),
        Kind::AccessApproved => rule(
            &[
                ("request", Id),
                ("person", Id),
                ("approver", Id),
                ("purpose", PURPOSES),
                ("basis", BASES),
                ("expires_ms", Count),
                ("evidence_items", Ordinal),
                ("emergency", Flag),
            ],
            &[("endorser", Id)],
            &[],
        ),
        Kind::AccessDeclined => rule(&[("request", Id), ("approver", Id)], &[], &["reason"]),
        Kind::AccessWithdrawn => rule(&[("request", Id)], &[], &[]),
        Kind::AccessRevoked => rule(&[("grant", Id)], &[], &["reason"]),
        Kind::AccessRead => rule(
            &[
                ("evidence", Id),
                ("version", Ordinal),
                ("purpose", PURPOSES),
                ("basis", BASES),
            ],
            &[
                ("grant", Id),
                ("person", Id),
                ("part", Word(&["original", "contact_sheet", "playback"])),
                ("channel", Word(&["sftp", "console", "api"])),
            ],
            &["reason", "requester"],
        ),
        Kind::AccessReadEnded => rule(
            &[
                ("evidence", Id),
                ("version", Ordinal),
                ("read", Id),
                ("bytes", Count),
                ("ranges", Count),
            ],
            &[
                ("watched_s", Count),
                (
                    "why",
                    Word(&[
                        "closed",
                        "idle",
                        "revoked",
                        "expired",
                        "withdrawn",
                        "administrator",
                        "session_over",
                        "locked",
                        "damaged",
                        "stopped",
                    ]),
                ),
            ],
            &[],
        ),
        Kind::KeyUnlocked => rule(
            &[("how", Word(&["start", "command"])), ("recipients", Texts)],
            &[],
            &[],
        ),
        Kind::KeyLocked => rule(&[("how", Word(&["command", "stop"]))], &[], &[]),
        Kind::Anchor => rule(
            &[("witness", Text), ("size", Count), ("cosignature", Text)],
            &[],
            &[],
        ),
        Kind::Recover => rule(
            &[("evidence", Count), ("leaves", Count), ("findings", Count)],
            &[],
            &[],
        ),
    }
}

/// What is wrong with the facts of one leaf, nothing for a right one.
pub fn faults(leaf: &Leaf) -> Vec<String> {
    let rule = rule_of(leaf.kind);
    let mut faults = Vec::new();
    let required = rule
        .required
        .iter()
        .chain(if rule.accession { ACCESSION } else { &[] });
    for (name, form) in required {
        match leaf.data.get(*name) {
            None => faults.push(format!("{} has no '{name}'", leaf.kind)),
            Some(value) if !fits(*form, value) => {
                faults.push(format!("'{name}' is not what it should be: {value}"))
            }
            Some(_) => {}
        }
    }
    for (name, form) in rule.optional {
        if let Some(value) = leaf.data.get(*name).filter(|value| !fits(*form, value)) {
            faults.push(format!("'{name}' is not what it should be: {value}"));
        }
    }
    for name in rule
        .committed
        .iter()
        .filter(|name| !leaf.commit.contains_key(**name))
    {
        faults.push(format!("{} has no commitment to '{name}'", leaf.kind));
    }
    for (name, commitment) in &leaf.commit {
        if hex::decode_array::<32>(commitment).is_err() {
            faults.push(format!("the commitment to '{name}' is not 64 hexadecimal digits"));
        }
    }
    if !id::is_id(&leaf.id) {
        faults.push("the event's id is not an id".to_owned());
    }
    if leaf.time_ms < 0 {
        faults.push("its time is before 1970".to_owned());
    }
    if !id::is_id(&leaf.actor) && leaf.actor != "operator" && leaf.actor != "system" {
        faults.push(format!("'{}' is nobody who can act", leaf.actor));
    }
    match leaf.kind {
        Kind::EvidenceSealed => sealed_faults(leaf, &mut faults),
        Kind::UserSignedIn => {
            let used = match leaf.text("factor") {
                Some("passkey") => leaf.data.contains_key("passkey") && leaf.data.contains_key("sign_count"),
                _ => leaf.data.contains_key("totp_step"),
            };
            if !used {
                faults.push("it doesn't say which code or passkey it rests on".to_owned());
            }
        }
        Kind::EvidenceDeclared => {
            let agrees = leaf.text("declared_sha256") == leaf.text("sha256");
            if agrees != (leaf.text("result") == Some("match")) {
                faults.push("'result' contradicts the two digests".to_owned());
            }
        }
        Kind::EvidenceInspected => {
            let accepted = leaf.text("verdict") == Some("accepted");
            let none = leaf
                .data
                .get("findings")
                .and_then(Value::as_array)
                .is_some_and(Vec::is_empty);
            if none && !accepted {
                faults.push("'verdict' asks for a person's look, but there are no 'findings'".to_owned());
            }
        }
        Kind::DerivedMade => {
            let (size, stored) = (count(leaf, "size_bytes"), count(leaf, "stored_size_bytes"));
            if size.map(body_bytes) != stored {
                faults.push("'stored_size_bytes' isn't the size of the body of such a copy".to_owned());
            }
        }
        _ => {}
    }
    faults
}

/// How the facts of a sealed version hang together.
fn sealed_faults(leaf: &Leaf, faults: &mut Vec<String>) {
    let (Some(size_bytes), Some(version)) = (count(leaf, "size_bytes"), count(leaf, "version")) else {
        return;
    };
    if count(leaf, "stored_size_bytes").is_some_and(|stored| stored != body_bytes(size_bytes)) {
        faults.push(format!(
            "an original of {size_bytes} bytes has a body of another size than 'stored_size_bytes'"
        ));
    }
    if leaf.data.contains_key("chunk_root") && size_bytes < CHUNK_ROOT_FROM_BYTES {
        faults.push("'chunk_root' goes with originals of 64 MiB and more only".to_owned());
    }
    if leaf.data.contains_key("previous") != (version > 1) {
        faults.push("'previous' goes with versions after the first, and only with those".to_owned());
    }
}

/// An integer fact, 0 or more.
pub fn count(leaf: &Leaf, name: &str) -> Option<u64> {
    leaf.data.get(name).and_then(Value::as_u64)
}

fn fits(form: Form, value: &Value) -> bool {
    let text = value.as_str();
    let is_word = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match form {
        Text => is_word(value),
        Id => text.is_some_and(id::is_id),
        Digest => text.is_some_and(|text| hex::decode_array::<32>(text).is_ok()),
        Count => value.is_u64(),
        Ordinal => value.as_u64().is_some_and(|number| number > 0),
        Flag => value.as_u64().is_some_and(|number| number < 2),
        Roles => value.as_array().is_some_and(|roles| {
            !roles.is_empty()
                && roles
                    .iter()
                    .all(|role| role.as_str().is_some_and(|role| role.parse::<Role>().is_ok()))
        }),
        Texts => value.as_array().is_some_and(|texts| texts.iter().all(is_word)),
        Word(words) => text.is_some_and(|text| words.contains(&text)),
        Form::Category => text.is_some_and(|text| Category::from_code(text).is_some()),
    }
}
