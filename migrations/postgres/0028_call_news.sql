-- News of calls that cannot wait for the next verdict, as one node tells them to the others: who speaks, that a call ended. Of the last
-- minutes alone, so what a crash takes of it nobody misses.
CREATE UNLOGGED TABLE call_news (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node    TEXT COLLATE "C" NOT NULL,
    call_id TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    made_ms BIGINT,
    turn    BIGINT,
    told_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX call_news_by_call ON call_news (call_id, seq);
CREATE INDEX call_news_by_age ON call_news (told_at);
