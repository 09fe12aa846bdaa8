-- What was erased or revoked for good, by its id alone, so that a backup that is older can be brought up to it.
CREATE TABLE erased (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    at   TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
