-- What an existing `users` table of yours needs so that Voxline can tell whose line a call came through
-- (SQLite 3.35 or newer; `migrations/operator/postgres.sql` is the same for PostgreSQL). It changes nothing that
-- is there. Afterwards `voxline user import your.db` reads the table; Voxline never writes to it.

BEGIN;

-- The dialed number that is this user's alone, in E.164; NULL for who shares one.
ALTER TABLE users ADD COLUMN assigned_vapi_number TEXT
    CHECK (assigned_vapi_number IS NULL
           OR (assigned_vapi_number GLOB '+[1-9]*'
               AND substr(assigned_vapi_number, 2) NOT GLOB '*[^0-9]*'
               AND length(assigned_vapi_number) BETWEEN 8 AND 16));

-- The region of the assigned number: two letters of ISO 3166-1, as in US, by which numbers without a country
-- code are read. NULL for that of the number's country code.
ALTER TABLE users ADD COLUMN vapi_region TEXT
    CHECK (vapi_region IS NULL OR vapi_region GLOB '[A-Z][A-Z]');

-- A number belongs to one user; users without one do not collide.
CREATE UNIQUE INDEX users_assigned_vapi_number ON users (assigned_vapi_number)
    WHERE assigned_vapi_number IS NOT NULL;

-- The caller's and the forwarder's numbers are looked up by this column.
CREATE INDEX IF NOT EXISTS users_phone_number ON users (phone_number);

COMMIT;
