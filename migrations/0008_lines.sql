-- What the calls of a number have in common, by which voiceprints are aligned where decision.adapt is on: one mean of
-- very many callers' narrow-band embeddings, nobody's voice. Of one model and exactly its weights; another model
-- begins anew. `weight` is how many callers it counts as, the older ones less; `mean` is little-endian 32-bit floats.
CREATE TABLE lines (
    number       TEXT   NOT NULL PRIMARY KEY REFERENCES numbers (number) ON DELETE CASCADE,
    model        TEXT   NOT NULL,
    model_sha256 TEXT   NOT NULL,
    callers      BIGINT NOT NULL,
    weight       REAL   NOT NULL,
    mean         BLOB   NOT NULL,
    since        TEXT   NOT NULL,
    updated_at   TEXT   NOT NULL
);
