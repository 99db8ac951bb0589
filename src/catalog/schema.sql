-- The catalogue, schema 4, with access.sql, credentials.sql and growth.sql. An index: `muniment rebuild` makes it again from the store, the log and the records.
-- Times are milliseconds since 1970 (UTC); dates are yyyymmdd integers in the vault's zone; digests are 32-byte blobs.

CREATE TABLE vault (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    origin          TEXT    NOT NULL,             -- the log's origin line
    immutable_flag  TEXT                          -- what the store could enforce when last asked
) STRICT;

-- The custody log's right edge. Full tiles live on disk; what they hold is pruned here once it is durable there.
CREATE TABLE log_leaf (
    leaf_index  INTEGER PRIMARY KEY,              -- position in the log
    bytes       BLOB    NOT NULL                  -- canonical JSON exactly as hashed
) STRICT;
CREATE TABLE log_hash (
    level       INTEGER NOT NULL,                 -- tile level: 0 holds leaf hashes
    position    INTEGER NOT NULL,                 -- position within the level
    hash        BLOB    NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_checkpoint (
    size        INTEGER PRIMARY KEY,              -- leaves covered
    note        TEXT    NOT NULL                  -- the signed checkpoint
) STRICT;
CREATE TABLE log_published (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    size        INTEGER NOT NULL                  -- full tiles below this size are durable on disk
) STRICT;

CREATE TABLE branch (
    code        TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    leaf_index  INTEGER NOT NULL                  -- the event that added it
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    id              TEXT    PRIMARY KEY,          -- what the log calls them
    name            TEXT    NOT NULL UNIQUE,      -- log-in name
    branch          TEXT    REFERENCES branch (code),
    nda             TEXT    NOT NULL,             -- confidentiality agreement reference (D33)
    added_index     INTEGER NOT NULL,
    added_ms        INTEGER NOT NULL,
    disabled_index  INTEGER,                      -- the event that disabled them, or NULL
    disabled_ms     INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE person_role (
    person  TEXT NOT NULL REFERENCES person (id),
    role    TEXT NOT NULL,
    PRIMARY KEY (person, role)
) STRICT, WITHOUT ROWID;
CREATE TABLE person_key (
    fingerprint TEXT NOT NULL PRIMARY KEY,        -- SHA256:… as ssh-keygen -l prints it
    person      TEXT NOT NULL REFERENCES person (id),
    public_key  TEXT NOT NULL                     -- one line as in authorized_keys
) STRICT, WITHOUT ROWID;

-- Everything an uploader closed, in its latest state.
CREATE TABLE accession (
    id          TEXT    PRIMARY KEY,
    person      TEXT    NOT NULL,
    branch      TEXT    NOT NULL,
    path        TEXT    NOT NULL,                 -- inbox path, NFC, components joined by '/'
    path_raw    BLOB    NOT NULL,                 -- as the client sent it
    state       TEXT    NOT NULL CHECK (state IN
                ('received', 'sealed', 'rejected', 'duplicate', 'withdrawn', 'declaration', 'replaced')),
    size_bytes  INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    mtime_s     INTEGER,                          -- as claimed by the client
    leaf_index  INTEGER NOT NULL,                 -- the event that put it in this state
    time_ms     INTEGER NOT NULL,
    expires_ms  INTEGER,                          -- when a received one is given up
    reason      TEXT,                             -- why it waits, or was refused
    hidden      INTEGER NOT NULL DEFAULT 0        -- the uploader removed it from view
) STRICT, WITHOUT ROWID;
CREATE INDEX accession_recent ON accession (person, time_ms);
CREATE INDEX accession_waiting ON accession (expires_ms) WHERE state = 'received';
CREATE INDEX accession_waiting_reason ON accession (reason, leaf_index) WHERE state = 'received';

-- What branches declared about their files.
CREATE TABLE declared (
    declaration TEXT    NOT NULL,                 -- accession id of the manifest, checksum file or bag manifest
    person      TEXT    NOT NULL,
    path        TEXT    NOT NULL,                 -- inbox path it speaks of
    size_bytes  INTEGER,
    sha256      BLOB,
    fields      TEXT    NOT NULL,                 -- JSON: customer, flow, doctype, seq and the rest
    leaf_index  INTEGER NOT NULL,
    PRIMARY KEY (declaration, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX declared_path ON declared (person, path, leaf_index);

-- One row a sealed version. Identity (customer, flow, doctype, seq) is repeated so that a search reads one table.
CREATE TABLE evidence (
    leaf_index      INTEGER PRIMARY KEY,          -- the evidence.sealed event; also the receipt number
    id              TEXT    NOT NULL,             -- evidence id, the same for every version
    version         INTEGER NOT NULL,
    customer        TEXT    NOT NULL,
    flow            TEXT    NOT NULL,
    doctype         TEXT    NOT NULL,
    seq             TEXT    NOT NULL,
    category        TEXT    NOT NULL,
    branch          TEXT    NOT NULL,
    person          TEXT    NOT NULL,
    key_fingerprint TEXT    NOT NULL,
    accession       TEXT    NOT NULL,
    date            INTEGER NOT NULL,             -- business date: from the name, else of sealing
    sealed_ms       INTEGER NOT NULL,
    started_ms      INTEGER NOT NULL,
    size_bytes      INTEGER NOT NULL,
    sha256          BLOB    NOT NULL,
    chunk_root      BLOB,                         -- RFC 6962 root over 1 MiB chunks, 64 MiB and more
    stored_size_bytes INTEGER NOT NULL,           -- of the encrypted body
    stored_blake3   BLOB    NOT NULL,
    grade           TEXT    NOT NULL CHECK (grade IN ('declared', 'server_only')),
    state           TEXT    NOT NULL,             -- 'sealed' until another stage says more
    file_name       TEXT    NOT NULL,
    UNIQUE (id, version),
    UNIQUE (customer, flow, doctype, seq, version)
) STRICT;
CREATE INDEX evidence_flow ON evidence (flow, date, leaf_index);
CREATE INDEX evidence_customer ON evidence (customer, date, leaf_index);
CREATE INDEX evidence_branch ON evidence (branch, date, leaf_index);
CREATE INDEX evidence_branch_doctype ON evidence (branch, doctype, date, leaf_index);
CREATE INDEX evidence_doctype ON evidence (doctype, date, leaf_index);
CREATE INDEX evidence_date ON evidence (date, leaf_index);
CREATE INDEX evidence_sha256 ON evidence (sha256);
CREATE INDEX evidence_state ON evidence (state, date, leaf_index) WHERE state <> 'sealed';

-- What branches get back. Text, JSON and proof are rendered from this row, the leaf and the checkpoint.
CREATE TABLE receipt (
    leaf_index  INTEGER PRIMARY KEY,              -- the receipt's number
    accession   TEXT    NOT NULL,
    branch      TEXT    NOT NULL,
    date        INTEGER NOT NULL,
    name        TEXT    NOT NULL,                 -- file name without the outcome's suffix, unique in its day
    outcome     TEXT    NOT NULL CHECK (outcome IN ('ACCEPTED', 'NEEDS_REVIEW', 'REJECTED', 'DUPLICATE', 'WAITING')),
    commit_size INTEGER NOT NULL,                 -- log size of the commit that holds it
    openings    TEXT    NOT NULL,                 -- JSON
    private     TEXT    NOT NULL,                 -- JSON: what the text says beyond the leaf
    superseded  INTEGER                           -- a waiting one: the receipt that came after
) STRICT;
CREATE UNIQUE INDEX receipt_name ON receipt (branch, date, name, outcome);
CREATE INDEX receipt_accession ON receipt (accession, leaf_index);

-- Every event by what it is about, for timelines.
CREATE TABLE event (
    leaf_index  INTEGER PRIMARY KEY,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,                 -- evidence, accession, person, branch, request, grant or event id
    actor       TEXT    NOT NULL,
    time_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX event_subject ON event (subject, leaf_index);

-- Files that a commit promised and the placer has still to make durable under their final names.
CREATE TABLE placement (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, so the placer can go by it
    leaf_index  INTEGER NOT NULL,
    target      TEXT    NOT NULL,                 -- path below the vault
    staged      TEXT,                             -- accession whose staged body is moved there, or NULL
    size_bytes  INTEGER,                          -- of that body
    bytes       BLOB,                             -- or the bytes to write there
    CHECK ((staged IS NULL) <> (bytes IS NULL)),
    CHECK ((staged IS NULL) = (size_bytes IS NULL))
) STRICT;

-- Records and headers as they were placed, so that damage shows without the identity. Bodies have theirs in the log.
CREATE TABLE stored_file (
    target      TEXT    PRIMARY KEY,              -- path below the vault
    leaf_index  INTEGER NOT NULL,                 -- the event it belongs to
    size_bytes  INTEGER NOT NULL,
    blake3      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE anchor (
    leaf_index  INTEGER PRIMARY KEY,
    witness     TEXT    NOT NULL,                 -- key name
    size        INTEGER NOT NULL,
    cosignature TEXT    NOT NULL                  -- base64 of the note signature (key hash, time, Ed25519)
) STRICT;

-- Tables of document types as head office published them; the newest judges.
CREATE TABLE document_types (
    version     INTEGER PRIMARY KEY,
    leaf_index  INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,                 -- of the text
    text        TEXT                              -- TOML, normalised; NULL when its record was lost
) STRICT;

-- What inspections came to: one row a sealed, inspected or rejected event that has one.
CREATE TABLE inspection (
    leaf_index    INTEGER PRIMARY KEY,
    subject       TEXT    NOT NULL,               -- evidence id, or accession id of a rejected upload
    version       INTEGER NOT NULL,               -- 0 for a rejected upload
    tier          TEXT    NOT NULL CHECK (tier IN ('gate', 'deep')),
    verdict       TEXT    NOT NULL CHECK (verdict IN ('accepted', 'needs_review', 'rejected')),
    types_version INTEGER NOT NULL,
    findings      TEXT    NOT NULL,               -- JSON list of codes
    whole         TEXT    NOT NULL                -- JSON: report and findings
) STRICT;
CREATE INDEX inspection_subject ON inspection (subject, version, leaf_index);

-- Versions whose deep inspection is still to come, in the order of `since`.
CREATE TABLE inspection_due (
    receipt     INTEGER PRIMARY KEY,              -- leaf index of the sealed event
    since       INTEGER NOT NULL,                 -- leaf index of the event that made it due: sealed, or asked for again
    evidence    TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    accession   TEXT    NOT NULL                  -- names the sidecar that still opens it
) STRICT;
CREATE UNIQUE INDEX inspection_due_since ON inspection_due (since);

-- Copies made from originals: contact sheets, playback copies. Never instead of an original.
CREATE TABLE derived (
    leaf_index        INTEGER PRIMARY KEY,        -- the derived.made event
    id                TEXT    NOT NULL UNIQUE,    -- that event's id, part of the path
    evidence          TEXT    NOT NULL,
    version           INTEGER NOT NULL,
    form              TEXT    NOT NULL CHECK (form IN ('contact_sheet', 'playback')),
    media_type        TEXT    NOT NULL,
    size_bytes        INTEGER NOT NULL,
    sha256            BLOB    NOT NULL,
    stored_size_bytes INTEGER NOT NULL,
    stored_blake3     BLOB    NOT NULL
) STRICT;
CREATE INDEX derived_of ON derived (evidence, version, form, leaf_index);
