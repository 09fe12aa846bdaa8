-- Links by which a user enrols in a browser, each once. The token is kept as its SHA-256 alone; a row goes with its
-- user, and some weeks after the link has run out.
CREATE TABLE invites (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    number     TEXT NOT NULL REFERENCES numbers (number),
    language   TEXT,
    sha256     BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT,
    revoked_at TEXT
);
CREATE INDEX invites_by_user ON invites (user_id);

-- Which version of a text was agreed to, where the text has one.
ALTER TABLE consents ADD COLUMN version TEXT;
