-- Messages of Vapi's on their way to the customer's own backend, until it has taken them, at most until they expire.
-- They hold what people said. `id` is what the backend is told in `x-voxline-delivery`.
CREATE TABLE relays (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    upstream   TEXT NOT NULL,
    call_id    TEXT,
    headers    TEXT NOT NULL,
    body       BLOB NOT NULL,
    bytes      INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX relays_due ON relays (upstream, next_at, seq);
CREATE INDEX relays_by_expiry ON relays (expires_at);
CREATE INDEX relays_by_call ON relays (call_id);
CREATE INDEX relays_by_size ON relays (bytes);

-- What was delivered or given up, so that the same message coming again is not delivered again. Bounded by age and number.
CREATE TABLE relayed (
    seq INTEGER PRIMARY KEY,
    id  TEXT NOT NULL UNIQUE,
    at  TEXT NOT NULL
);
CREATE INDEX relayed_by_age ON relayed (at);
