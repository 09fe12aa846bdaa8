-- The system of record on PostgreSQL 12 or newer: the same tables as SQLite's (migrations/*.sql, where each says what
-- it is for), whole. Ids are UUIDs as text, times RFC 3339 in UTC with six decimals (so text order is time order),
-- sums and keys are raw bytes. Texts that are ordered or compared sort byte by byte, as SQLite's do.

CREATE TABLE numbers (
    number              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    region              TEXT,
    name                TEXT,
    roster_version      BIGINT NOT NULL DEFAULT 1,
    created_at          TEXT COLLATE "C" NOT NULL,
    pin_salt            BYTEA,
    max_false_accept    DOUBLE PRECISION CHECK (max_false_accept BETWEEN 0.000001 AND 0.5),
    max_wrong_name      DOUBLE PRECISION CHECK (max_wrong_name BETWEEN 0.000001 AND 0.5),
    caller_is_forwarder TEXT NOT NULL DEFAULT 'auto' CHECK (caller_is_forwarder IN ('never', 'always', 'auto'))
);

CREATE TABLE users (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    pin_hash   TEXT,
    created_at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX users_with_pin ON users (id) WHERE pin_hash IS NOT NULL;

CREATE TABLE memberships (
    number    TEXT COLLATE "C" NOT NULL REFERENCES numbers (number),
    user_id   TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    exclusive BOOLEAN NOT NULL,
    pin_tag   BYTEA,
    PRIMARY KEY (number, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE UNIQUE INDEX one_exclusive_user_a_number ON memberships (number) WHERE exclusive;

CREATE TABLE phones (
    user_id  TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    phone    TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (user_id, phone)
);
CREATE INDEX phones_by_phone ON phones (phone);

CREATE TABLE consents (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL,
    text       TEXT,
    sha256     BYTEA NOT NULL,
    given_at   TEXT COLLATE "C" NOT NULL,
    erased_at  TEXT COLLATE "C",
    keep_audio BOOLEAN NOT NULL DEFAULT FALSE,
    version    TEXT
);
CREATE INDEX consents_by_user ON consents (user_id);

CREATE TABLE enrollments (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    consent_id TEXT COLLATE "C" NOT NULL REFERENCES consents (id),
    created_at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX enrollments_by_user ON enrollments (user_id);
CREATE INDEX enrollments_by_consent ON enrollments (consent_id);

CREATE TABLE clips (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    enrollment_id  TEXT COLLATE "C" NOT NULL REFERENCES enrollments (id),
    user_id        TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    content_sha256 BYTEA NOT NULL,
    net_speech_s   DOUBLE PRECISION NOT NULL,
    snr_db         DOUBLE PRECISION,
    source         TEXT NOT NULL,
    UNIQUE (user_id, content_sha256)
);
CREATE INDEX clips_by_enrollment ON clips (enrollment_id);

CREATE TABLE prints (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    clip_id      TEXT COLLATE "C" NOT NULL REFERENCES clips (id),
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    model        TEXT COLLATE "C" NOT NULL,
    bandwidth    TEXT NOT NULL,
    net_speech_s DOUBLE PRECISION NOT NULL,
    embedding    BYTEA NOT NULL
);
-- Random bytes do not shrink.
ALTER TABLE prints ALTER COLUMN embedding SET STORAGE EXTERNAL;
CREATE INDEX prints_by_clip ON prints (clip_id);
CREATE INDEX prints_by_user ON prints (user_id, model);

CREATE TABLE recordings (
    clip_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES clips (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    salt    BYTEA NOT NULL,
    channel BIGINT
);
CREATE INDEX recordings_by_user ON recordings (user_id);

CREATE TABLE api_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT,
    scopes     TEXT NOT NULL,
    sha256     BYTEA NOT NULL UNIQUE,
    last4      TEXT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    revoked_at TEXT COLLATE "C"
);

CREATE TABLE calls (
    call_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number     TEXT COLLATE "C" NOT NULL,
    started_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    final      BOOLEAN NOT NULL,
    verdict    TEXT NOT NULL,
    evidence   TEXT
);
CREATE INDEX calls_by_start ON calls (started_at, call_id);
CREATE INDEX calls_by_number ON calls (number, started_at);
CREATE INDEX calls_with_evidence ON calls (updated_at) WHERE evidence IS NOT NULL;

CREATE TABLE verdicts (
    call_id TEXT COLLATE "C" NOT NULL REFERENCES calls (call_id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    at      TEXT COLLATE "C" NOT NULL,
    verdict TEXT NOT NULL,
    PRIMARY KEY (call_id, version)
);

CREATE TABLE verdict_users (
    user_id TEXT COLLATE "C" NOT NULL,
    call_id TEXT COLLATE "C" NOT NULL REFERENCES calls (call_id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, call_id)
);
CREATE INDEX verdict_users_by_call ON verdict_users (call_id);

CREATE TABLE facts (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE pin_locks (
    scope        TEXT COLLATE "C" NOT NULL,
    subject      TEXT COLLATE "C" NOT NULL,
    failures     BIGINT NOT NULL,
    since        TEXT COLLATE "C" NOT NULL,
    locked_until TEXT COLLATE "C",
    PRIMARY KEY (scope, subject)
);

CREATE TABLE webhooks (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint BYTEA NOT NULL UNIQUE,
    seen_at     TEXT COLLATE "C" NOT NULL,
    answer      TEXT
);
CREATE INDEX webhooks_by_age ON webhooks (seen_at);

CREATE TABLE webhook_tokens (
    sha256     BYTEA NOT NULL PRIMARY KEY,
    expires_at TEXT COLLATE "C" NOT NULL
);

CREATE TABLE invites (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    number     TEXT COLLATE "C" NOT NULL REFERENCES numbers (number),
    language   TEXT,
    sha256     BYTEA NOT NULL UNIQUE,
    created_at TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C" NOT NULL,
    used_at    TEXT COLLATE "C",
    revoked_at TEXT COLLATE "C"
);
CREATE INDEX invites_by_user ON invites (user_id);

CREATE TABLE relays (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    upstream   TEXT COLLATE "C" NOT NULL,
    call_id    TEXT COLLATE "C",
    headers    TEXT NOT NULL,
    body       BYTEA NOT NULL,
    bytes      BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C" NOT NULL,
    -- Until when a node has it to deliver it.
    held_until TEXT COLLATE "C"
);
CREATE INDEX relays_due ON relays (upstream, next_at, seq);
CREATE INDEX relays_by_expiry ON relays (expires_at);
CREATE INDEX relays_by_call ON relays (call_id);

CREATE TABLE relayed (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id  TEXT COLLATE "C" NOT NULL UNIQUE,
    at  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX relayed_by_age ON relayed (at);
