-- What an existing `users` table of yours needs so that Voxline can tell whose line a call came through
-- (PostgreSQL 12 or newer; `migrations/operator/sqlite.sql` is the same for SQLite). It changes nothing that is
-- there. Afterwards export it for Voxline, which never writes to it:
--   \copy (SELECT name, phone_number, assigned_vapi_number FROM users) TO 'users.csv' WITH (FORMAT csv, HEADER)
--   voxline user import users.csv

BEGIN;

-- The dialed number that is this user's alone, in E.164; NULL for who shares one.
ALTER TABLE users ADD COLUMN assigned_vapi_number TEXT;
ALTER TABLE users ADD CONSTRAINT users_assigned_vapi_number_is_e164
    CHECK (assigned_vapi_number ~ '^\+[1-9][0-9]{6,14}$');

-- The region of the assigned number: two letters of ISO 3166-1, as in US, by which numbers without a country
-- code are read. NULL for that of the number's country code.
ALTER TABLE users ADD COLUMN vapi_region TEXT;
ALTER TABLE users ADD CONSTRAINT users_vapi_region_is_a_region
    CHECK (vapi_region ~ '^[A-Z]{2}$');

-- A number belongs to one user; users without one do not collide.
CREATE UNIQUE INDEX users_assigned_vapi_number ON users (assigned_vapi_number)
    WHERE assigned_vapi_number IS NOT NULL;

-- The caller's and the forwarder's numbers are looked up by this column.
CREATE INDEX IF NOT EXISTS users_phone_number ON users (phone_number);

COMMIT;
