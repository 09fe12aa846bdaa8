-- What was said of calls, version by version, each with the evidence it rested on, for audit; `calls` has the latest
-- word only. Whoever is erased goes out of these rows too.
CREATE TABLE verdicts (
    call_id TEXT   NOT NULL REFERENCES calls (call_id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    at      TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    PRIMARY KEY (call_id, version)
);
