-- Fingerprints of users' speech, by which a recording that is played is known: of the clips of their enrolments, and of
-- the latest calls that they were recognised on. No sound and no voice can be made of one. Each is sealed by its user's key
-- for their voice, and goes with its user, its clip and its call.
CREATE TABLE fingerprints (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    clip_id TEXT COLLATE "C" REFERENCES clips (id) ON DELETE CASCADE,
    call_id TEXT COLLATE "C" REFERENCES calls (call_id) ON DELETE CASCADE,
    frames  BYTEA NOT NULL,
    CHECK ((clip_id IS NULL) <> (call_id IS NULL))
);
CREATE INDEX fingerprints_by_user ON fingerprints (user_id, id);
CREATE INDEX fingerprints_by_clip ON fingerprints (clip_id) WHERE clip_id IS NOT NULL;
CREATE INDEX fingerprints_by_call ON fingerprints (call_id) WHERE call_id IS NOT NULL;
