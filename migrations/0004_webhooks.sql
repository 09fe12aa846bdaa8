-- Webhooks that were seen, so that one that is sent again, also after a restart, is not done twice. Bounded
-- by age and number. `answer` is what it was answered, where an answer was due; never a PIN.
CREATE TABLE webhooks (
    seq         INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    seen_at     TEXT NOT NULL,
    answer      TEXT
);
CREATE INDEX webhooks_by_age ON webhooks (seen_at);

-- Tokens of the token endpoint, by their hash.
CREATE TABLE webhook_tokens (
    sha256     BLOB NOT NULL PRIMARY KEY,
    expires_at TEXT NOT NULL
);
