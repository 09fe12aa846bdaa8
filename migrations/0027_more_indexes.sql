-- Readiness and each PIN ask whether anybody has one: one look-up, and not a walk over all users.
CREATE INDEX users_with_pin ON users (id) WHERE pin_hash IS NOT NULL;
-- The list beside the database is brought up to what was erased lately.
CREATE INDEX erased_by_time ON erased (at);
