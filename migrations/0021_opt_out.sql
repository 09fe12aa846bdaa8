-- When a user said that calls are not to be compared with their voice. Their voiceprints stay, out of every gallery, until
-- they take it back or are erased.
ALTER TABLE users ADD COLUMN opted_out_at TEXT;
