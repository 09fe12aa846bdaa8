-- Names and phones are sealed from here on, each under its user's key. A phone is found by a keyed hash, `lookup`. What
-- older rows hold is sealed when the store is next opened, and the table plain_phones goes.
ALTER TABLE users ALTER COLUMN name TYPE BYTEA USING convert_to(name, 'UTF8');
DROP INDEX phones_by_phone;
ALTER TABLE phones RENAME TO plain_phones;
CREATE TABLE phones (
    user_id  TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    lookup   BYTEA NOT NULL,
    phone    BYTEA NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (user_id, lookup)
);
CREATE INDEX phones_by_lookup ON phones (lookup);
