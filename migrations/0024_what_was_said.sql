-- What was said of calls is sealed from here on by the deployment's key: the columns verdict and evidence hold bytes,
-- whatever type they were declared with. What calls are searched by stands beside them: a status, and users' ids, as in
-- verdict_users. What older rows hold is sealed when the store is next opened.
ALTER TABLE calls ADD COLUMN speaker_status TEXT;
ALTER TABLE calls ADD COLUMN speaker_id TEXT;
ALTER TABLE calls ADD COLUMN owner_id TEXT;
