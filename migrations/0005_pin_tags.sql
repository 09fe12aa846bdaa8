-- What finds a PIN by one Argon2id, however many users a dialed number has. pin_salt: 16 random bytes of the
-- number, made when a PIN there first needs them, and never changed. pin_tag: Argon2id of the user's PIN under that
-- salt and the pepper; NULL for who has no PIN, and for who came here with one that was not seen (a move, or the
-- time before this table had tags) until it is first given right.
ALTER TABLE numbers ADD COLUMN pin_salt BLOB;
ALTER TABLE memberships ADD COLUMN pin_tag BLOB;
