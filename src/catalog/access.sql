-- Access to content: requests, grants and readings. Part of the catalogue's schema since version 3.

CREATE TABLE access_request (
    id              TEXT    PRIMARY KEY,          -- the access.requested event's id
    leaf_index      INTEGER NOT NULL,
    person          TEXT    NOT NULL REFERENCES person (id),
    branch          TEXT,                         -- the branch of all its records, or NULL when they are of several
    purpose         TEXT    NOT NULL CHECK (purpose IN ('view', 'export')),
    basis           TEXT    NOT NULL,
    reason          TEXT    NOT NULL,             -- in the requester's words
    duration_s      INTEGER NOT NULL,             -- how long access is wanted for
    emergency       INTEGER NOT NULL,             -- 1: beyond the requester's scope, needs two approvers
    form_name       TEXT,                         -- scan of the signed form, kept in the event's record
    form_media_type TEXT,
    form_size_bytes INTEGER,
    requested_ms    INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'declined', 'withdrawn')),
    endorser        TEXT,                         -- the first of two approvers of an emergency
    decided_index   INTEGER,                      -- the event that ended 'pending'
    decided_by      TEXT,
    decided_ms      INTEGER,
    decided_reason  TEXT                          -- why it was declined
) STRICT, WITHOUT ROWID;
CREATE INDEX access_request_open ON access_request (leaf_index) WHERE state = 'pending';
CREATE INDEX access_request_person ON access_request (person, leaf_index);
CREATE INDEX access_request_order ON access_request (leaf_index);
CREATE TABLE access_request_item (
    request     TEXT    NOT NULL REFERENCES access_request (id),
    evidence    TEXT    NOT NULL,
    PRIMARY KEY (request, evidence)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_grant (
    id              TEXT    PRIMARY KEY,          -- the access.approved event's id
    leaf_index      INTEGER NOT NULL,
    request         TEXT    NOT NULL REFERENCES access_request (id),
    person          TEXT    NOT NULL REFERENCES person (id),
    branch          TEXT,                         -- as in the request
    approver        TEXT    NOT NULL,
    endorser        TEXT,                         -- the other approver of an emergency
    purpose         TEXT    NOT NULL CHECK (purpose IN ('view', 'export')),
    basis           TEXT    NOT NULL,
    emergency       INTEGER NOT NULL,
    granted_ms      INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    revoked_index   INTEGER,                      -- the event that ended it early, or NULL
    revoked_by      TEXT,
    revoked_ms      INTEGER,
    revoked_reason  TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX access_grant_person ON access_grant (person, expires_ms);
CREATE INDEX access_grant_order ON access_grant (leaf_index);
CREATE UNIQUE INDEX access_grant_request ON access_grant (request);
CREATE TABLE access_grant_item (
    grant_id    TEXT    NOT NULL REFERENCES access_grant (id),
    evidence    TEXT    NOT NULL,
    PRIMARY KEY (grant_id, evidence)
) STRICT, WITHOUT ROWID;
CREATE INDEX access_grant_item_evidence ON access_grant_item (evidence, grant_id);

-- Readings under a grant. An operator's export on the host has no grant and stands among the events only.
CREATE TABLE access_read (
    leaf_index      INTEGER PRIMARY KEY,          -- the access.read event
    id              TEXT    NOT NULL UNIQUE,      -- that event's id
    grant_id        TEXT    NOT NULL REFERENCES access_grant (id),
    person          TEXT    NOT NULL,
    evidence        TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    part            TEXT    NOT NULL,             -- original, contact_sheet or playback
    purpose         TEXT    NOT NULL,
    channel         TEXT    NOT NULL,             -- sftp, console or api
    started_ms      INTEGER NOT NULL,
    ended_index     INTEGER,                      -- the access.read_ended event; NULL while open, or after a crash
    ended_ms        INTEGER,
    bytes           INTEGER,                      -- plaintext bytes that left
    ranges          INTEGER,                      -- separate stretches that they make
    watched_s       INTEGER                       -- seconds that a player said it played
) STRICT;
CREATE INDEX access_read_evidence ON access_read (evidence, leaf_index);
CREATE INDEX access_read_person ON access_read (person, leaf_index);
CREATE INDEX access_read_grant ON access_read (grant_id, leaf_index);
-- Refusals, for reports: what was refused stands in the leaf.
CREATE INDEX event_refused ON event (leaf_index) WHERE kind = 'access.refused';
-- The same for checks of the store, and for what an operator read on the host without a grant.
CREATE INDEX event_fixity ON event (leaf_index) WHERE kind = 'fixity.checked';
CREATE INDEX event_host_read ON event (leaf_index) WHERE kind = 'access.read' AND actor = 'operator';
