-- Several companies on one server. Numbers, users, keys and calls belong to one each; a user's numbers are all of the
-- user's tenant (the store's rule). What was here before is the default tenant's, which is the operator's own.
CREATE TABLE tenants (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at TEXT COLLATE "C" NOT NULL
);
INSERT INTO tenants (id, name, created_at)
VALUES ('00000000-0000-0000-0000-000000000000', 'default', to_char(now() AT TIME ZONE 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));

-- No references, as in SQLite. A tenant goes only with everything that is its.
ALTER TABLE numbers ADD COLUMN tenant_id TEXT COLLATE "C" NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE users ADD COLUMN tenant_id TEXT COLLATE "C" NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE api_keys ADD COLUMN tenant_id TEXT COLLATE "C" NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE calls ADD COLUMN tenant_id TEXT COLLATE "C" NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
CREATE INDEX numbers_by_tenant ON numbers (tenant_id, number);
CREATE INDEX users_by_tenant ON users (tenant_id, id);
CREATE INDEX calls_by_tenant ON calls (tenant_id, started_at, call_id);

-- The numbers that a key is for, where it is not for all of its tenant's. `narrowed` says whether it is: a narrowed key
-- without a number sees none.
ALTER TABLE api_keys ADD COLUMN narrowed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE key_numbers (
    key_id TEXT COLLATE "C" NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    number TEXT COLLATE "C" NOT NULL REFERENCES numbers (number) ON DELETE CASCADE,
    PRIMARY KEY (key_id, number)
);
CREATE INDEX key_numbers_by_number ON key_numbers (number);

-- When a key last let somebody in, to the minute.
ALTER TABLE api_keys ADD COLUMN last_used_at TEXT COLLATE "C";
