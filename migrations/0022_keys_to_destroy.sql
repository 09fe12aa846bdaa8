-- Voiceprints are sealed from here on, each under its user's key; the keys lie in a keyring of their own (SQLite: the file
-- keyring.db). What older rows hold is sealed when the store is next opened. Here is noted which of a user's keys are to
-- be destroyed: those before a generation, or all, from a moment on.
CREATE TABLE condemned_keys (
    user_id           TEXT   NOT NULL,
    purpose           TEXT   NOT NULL,
    before_generation BIGINT NOT NULL,
    not_before        TEXT   NOT NULL,
    PRIMARY KEY (user_id, purpose)
);
