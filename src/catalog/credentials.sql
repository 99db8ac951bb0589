-- How people prove who they are to the console and the API. Nothing here opens evidence, and no secret stands here in the
-- clear: passwords as argon2id strings, app secrets sealed under a key that isn't in the catalogue, the rest as digests.

-- One-time codes. A person has at most one that is neither used nor replaced.
CREATE TABLE invitation (
    id              TEXT    PRIMARY KEY,          -- the user.invited event's id
    person          TEXT    NOT NULL REFERENCES person (id),
    code_sha256     BLOB    NOT NULL UNIQUE,      -- of the code as it is normalised
    issued_ms       INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    closed_index    INTEGER                       -- the event that used it up or replaced it, or NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_person ON invitation (person);

CREATE TABLE person_password (
    person          TEXT    PRIMARY KEY REFERENCES person (id),
    verifier        TEXT    NOT NULL,             -- $argon2id$v=19$m=…,t=…,p=…$salt$hash
    set_index       INTEGER NOT NULL,
    set_ms          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE person_totp (
    person          TEXT    PRIMARY KEY REFERENCES person (id),
    sealed          BLOB    NOT NULL,             -- the secret under the key derived from the staging key
    last_step       INTEGER NOT NULL,             -- the newest time step that was accepted: none up to it is again
    enrolled_index  INTEGER NOT NULL,
    enrolled_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE passkey (
    id              TEXT    PRIMARY KEY,          -- the user.passkey_added event's id
    person          TEXT    NOT NULL REFERENCES person (id),
    credential      BLOB    NOT NULL UNIQUE,      -- the authenticator's own id for it
    public_key      BLOB    NOT NULL,             -- COSE_Key as registered
    label           TEXT    NOT NULL,             -- what the person calls it
    sign_count      INTEGER NOT NULL,             -- the newest counter seen; 0 where the authenticator has none
    added_index     INTEGER NOT NULL,
    added_ms        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_person ON passkey (person, added_index);

CREATE TABLE api_token (
    id              TEXT    PRIMARY KEY,          -- the token.issued event's id, the middle part of the token
    person          TEXT    NOT NULL REFERENCES person (id),
    roles           TEXT    NOT NULL,             -- JSON list: some of the person's
    label           TEXT    NOT NULL,             -- what it is for
    secret_sha256   BLOB    NOT NULL,
    issued_ms       INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    revoked_ms      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_token_person ON api_token (person, id);
