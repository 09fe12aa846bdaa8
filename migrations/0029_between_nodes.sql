-- Tokens of calls that wait for their streams, by their hash. On PostgreSQL whichever node a stream comes to takes its
-- row; on SQLite they are here from one run of the service to the next. Bounded by time and number.
CREATE TABLE call_tokens (
    seq        INTEGER PRIMARY KEY,
    sha256     BLOB NOT NULL UNIQUE,
    carrier    TEXT NOT NULL,
    call_id    TEXT NOT NULL,
    number     TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX call_tokens_by_expiry ON call_tokens (expires_at);

-- Keys that come by webhooks, each of which may come to another node: what is being typed on a call's keypad, sealed by
-- the deployment's key, for an hour at most. On SQLite it is in the service's memory.
CREATE TABLE keypads (
    call_id    TEXT NOT NULL PRIMARY KEY,
    typed      BLOB NOT NULL,
    changed_at TEXT NOT NULL
);
CREATE INDEX keypads_by_age ON keypads (changed_at);
