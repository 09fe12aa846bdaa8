-- Whether the words agreed to also allow keeping the recordings themselves.
ALTER TABLE consents ADD COLUMN keep_audio BOOLEAN NOT NULL DEFAULT FALSE;

-- A clip's recording, where deployment and consent both said that it may be kept. Its bytes lie in a file
-- of their own, sealed with a key that is made of the store's audio key and `salt`: once this row is
-- erased, nobody can read that file again, wherever a copy of it may be. `channel` is the one of two that
-- holds the user.
CREATE TABLE recordings (
    clip_id TEXT NOT NULL PRIMARY KEY REFERENCES clips (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    salt    BLOB NOT NULL,
    channel INTEGER
);
CREATE INDEX recordings_by_user ON recordings (user_id);
