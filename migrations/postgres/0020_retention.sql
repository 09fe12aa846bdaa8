-- When a user was last recognised by voice, to the day, so that voices nobody needs can go. For those who are here already
-- it begins to count now.
ALTER TABLE users ADD COLUMN identified_on TEXT COLLATE "C";
UPDATE users SET identified_on = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T00:00:00.000000Z"');
