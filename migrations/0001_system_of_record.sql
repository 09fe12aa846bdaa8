-- The system of record. Written so that only the column types BLOB and REAL need another spelling on
-- PostgreSQL. Ids are UUIDs as text, times RFC 3339 in UTC with six decimals (so text order is time
-- order), sums and keys are raw bytes.

-- A dialed number: the unit of isolation. roster_version rises with everything that changes who can
-- be found on the number.
CREATE TABLE numbers (
    number         TEXT    NOT NULL PRIMARY KEY,
    region         TEXT,
    name           TEXT,
    roster_version BIGINT  NOT NULL DEFAULT 1,
    created_at     TEXT    NOT NULL
);

CREATE TABLE users (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    pin_hash   TEXT,
    created_at TEXT NOT NULL
);

-- Who is on which number. An exclusive row is the only one of its number (the store's rule; the index
-- below is the last line of defence).
CREATE TABLE memberships (
    number    TEXT    NOT NULL REFERENCES numbers (number),
    user_id   TEXT    NOT NULL REFERENCES users (id),
    exclusive BOOLEAN NOT NULL,
    PRIMARY KEY (number, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE UNIQUE INDEX one_exclusive_user_a_number ON memberships (number) WHERE exclusive;

CREATE TABLE phones (
    user_id  TEXT    NOT NULL REFERENCES users (id),
    phone    TEXT    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_id, phone)
);
CREATE INDEX phones_by_phone ON phones (phone);

-- user_id is no reference: when the user is erased, the sum and the times stay as proof that there was
-- a consent, and the text goes.
CREATE TABLE consents (
    id        TEXT NOT NULL PRIMARY KEY,
    user_id   TEXT NOT NULL,
    text      TEXT,
    sha256    BLOB NOT NULL,
    given_at  TEXT NOT NULL,
    erased_at TEXT
);
CREATE INDEX consents_by_user ON consents (user_id);

CREATE TABLE enrollments (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    consent_id TEXT NOT NULL REFERENCES consents (id),
    created_at TEXT NOT NULL
);
CREATE INDEX enrollments_by_user ON enrollments (user_id);

CREATE TABLE clips (
    id             TEXT NOT NULL PRIMARY KEY,
    enrollment_id  TEXT NOT NULL REFERENCES enrollments (id),
    user_id        TEXT NOT NULL REFERENCES users (id),
    content_sha256 BLOB NOT NULL,
    net_speech_s   REAL NOT NULL,
    snr_db         REAL,
    source         TEXT NOT NULL,
    UNIQUE (user_id, content_sha256)
);
CREATE INDEX clips_by_enrollment ON clips (enrollment_id);

-- One embedding of one clip: little-endian 32-bit floats of unit length.
CREATE TABLE prints (
    id           TEXT NOT NULL PRIMARY KEY,
    clip_id      TEXT NOT NULL REFERENCES clips (id),
    user_id      TEXT NOT NULL REFERENCES users (id),
    model        TEXT NOT NULL,
    bandwidth    TEXT NOT NULL,
    net_speech_s REAL NOT NULL,
    embedding    BLOB NOT NULL
);
CREATE INDEX prints_by_clip ON prints (clip_id);
CREATE INDEX prints_by_user ON prints (user_id, model);

CREATE TABLE api_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT,
    scopes     TEXT NOT NULL,
    sha256     BLOB NOT NULL UNIQUE,
    last4      TEXT NOT NULL,
    created_at TEXT NOT NULL,
    revoked_at TEXT
);

-- A verdict outlives the roster it was made with, so nothing here is a reference.
CREATE TABLE calls (
    call_id    TEXT    NOT NULL PRIMARY KEY,
    number     TEXT    NOT NULL,
    started_at TEXT    NOT NULL,
    updated_at TEXT    NOT NULL,
    version    BIGINT  NOT NULL,
    final      BOOLEAN NOT NULL,
    verdict    TEXT    NOT NULL
);
CREATE INDEX calls_by_start ON calls (started_at, call_id);

-- Facts about this store itself, such as the fingerprint of the pepper its PINs were hashed with.
CREATE TABLE facts (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
