-- Whether the caller's number of calls to this number may be the forwarder's, as some carriers and PBXs rewrite it:
-- `never`, `always`, or `auto`, where the call's own forwarding evidence says so.
ALTER TABLE numbers ADD COLUMN caller_is_forwarder TEXT NOT NULL DEFAULT 'auto'
    CHECK (caller_is_forwarder IN ('never', 'always', 'auto'));
