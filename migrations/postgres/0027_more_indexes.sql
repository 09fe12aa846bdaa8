-- The list beside the database is brought up to what was erased lately.
CREATE INDEX erased_by_time ON erased (at);
