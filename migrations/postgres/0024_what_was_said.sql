-- What was said of calls is sealed from here on by the deployment's key. What calls are searched by stands beside it: a
-- status, and users' ids, as in verdict_users. What older rows hold is sealed when the store is next opened.
ALTER TABLE calls ALTER COLUMN verdict TYPE BYTEA USING convert_to(verdict, 'UTF8');
ALTER TABLE calls ALTER COLUMN evidence TYPE BYTEA USING convert_to(evidence, 'UTF8');
ALTER TABLE verdicts ALTER COLUMN verdict TYPE BYTEA USING convert_to(verdict, 'UTF8');
ALTER TABLE webhooks ALTER COLUMN answer TYPE BYTEA USING convert_to(answer, 'UTF8');
ALTER TABLE calls ADD COLUMN speaker_status TEXT COLLATE "C";
ALTER TABLE calls ADD COLUMN speaker_id TEXT COLLATE "C";
ALTER TABLE calls ADD COLUMN owner_id TEXT COLLATE "C";
