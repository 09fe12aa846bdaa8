-- Names and phones are sealed from here on, each under its user's key: the column users.name holds bytes, whatever type it
-- was declared with. A phone is found by a keyed hash, `lookup`. What older rows hold is sealed when the store is next
-- opened, and the table plain_phones goes.
DROP INDEX phones_by_phone;
ALTER TABLE phones RENAME TO plain_phones;
CREATE TABLE phones (
    user_id  TEXT    NOT NULL REFERENCES users (id),
    lookup   BLOB    NOT NULL,
    phone    BLOB    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_id, lookup)
);
CREATE INDEX phones_by_lookup ON phones (lookup);
