-- What keeps questions as cheap as their answers however much is sealed. Part of the catalogue's schema since version 4.

-- An inbox: what stands at a path or below one, without what is out of sight for good. The condition is the queries' own, word for word.
CREATE INDEX accession_inbox ON accession (person, path, leaf_index)
    WHERE hidden = 0 AND state NOT IN ('withdrawn', 'replaced');
CREATE INDEX accession_waiting_person ON accession (person, path) WHERE state = 'received';

-- Inspections that somebody has to know of: nearly everything is accepted, which this leaves out.
CREATE INDEX inspection_questioned ON inspection (leaf_index) WHERE verdict <> 'accepted';

-- Whoever logs in is looked up with all their keys.
CREATE INDEX person_key_person ON person_key (person, fingerprint);

CREATE INDEX anchor_size ON anchor (size, leaf_index);

-- How much is sealed, by branch and, under the empty code, in all. Kept by the fold, so that nobody counts millions of rows for a page.
CREATE TABLE sealed_total (
    branch       TEXT    PRIMARY KEY,
    pieces       INTEGER NOT NULL,                -- pieces of evidence with a version of that branch
    versions     INTEGER NOT NULL,
    size_bytes   INTEGER NOT NULL,                -- of the originals
    stored_bytes INTEGER NOT NULL,                -- of their encrypted bodies
    derived_bytes INTEGER NOT NULL,               -- of the encrypted bodies of copies made from them
    declared     INTEGER NOT NULL,                -- versions that agree with a declaration
    first_ms     INTEGER NOT NULL,                -- when the first and the last version were sealed
    last_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
