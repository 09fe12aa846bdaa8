-- The keys of what is sealed, wrapped by the master key: one for each user, some of the deployment. A backup of the data
-- leaves them out (pg_dump --exclude-table-data='keyring_*'); of them the newest copy alone is kept.
CREATE TABLE keyring_master (
    id          BYTEA NOT NULL PRIMARY KEY,
    epoch       BIGINT NOT NULL,
    fingerprint BYTEA NOT NULL
);
CREATE TABLE keyring_scopes (
    scope      TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    wrapped    BYTEA NOT NULL,
    PRIMARY KEY (scope, generation)
);
CREATE TABLE keyring_users (
    user_id      TEXT COLLATE "C" NOT NULL,
    purpose      TEXT NOT NULL,
    generation   BIGINT NOT NULL,
    wrapped      BYTEA,
    destroyed_at TEXT COLLATE "C",
    PRIMARY KEY (user_id, purpose, generation)
);

-- Which of a user's keys are to be destroyed: those before a generation, or all, from a moment on.
CREATE TABLE condemned_keys (
    user_id           TEXT COLLATE "C" NOT NULL,
    purpose           TEXT NOT NULL,
    before_generation BIGINT NOT NULL,
    not_before        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, purpose)
);
