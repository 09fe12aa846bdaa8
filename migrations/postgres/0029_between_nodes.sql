-- Tokens of calls that wait for their streams, by their hash: whichever node a stream comes to takes its row. Bounded by
-- time and number.
CREATE TABLE call_tokens (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256     BYTEA NOT NULL UNIQUE,
    carrier    TEXT COLLATE "C" NOT NULL,
    call_id    TEXT COLLATE "C" NOT NULL,
    number     TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX call_tokens_by_expiry ON call_tokens (expires_at);

-- Keys that come by webhooks, each of which may come to another node: what is being typed on a call's keypad, sealed by
-- the deployment's key, for an hour at most.
CREATE TABLE keypads (
    call_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    typed      BYTEA NOT NULL,
    changed_at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX keypads_by_age ON keypads (changed_at);
