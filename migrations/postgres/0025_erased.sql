-- What was erased or revoked for good, by its id alone, so that a backup that is older can be brought up to it.
CREATE TABLE erased (
    kind TEXT COLLATE "C" NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    at   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, id)
);
