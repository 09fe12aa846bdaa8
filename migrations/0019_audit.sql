-- What was done, by whom, on whom, and what came of it: ids only, never a name, a telephone number, a PIN or audio.
-- Entries are only added. `hash` is SHA-256 of the hash before it and the entry, so that one that is changed, removed or
-- inserted afterwards no longer fits. What is old is cut off from the beginning: the head keeps where, and with which hash.
CREATE TABLE audit (
    seq      INTEGER NOT NULL PRIMARY KEY,
    at       TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    actor_id TEXT,
    address  TEXT,
    act      TEXT    NOT NULL,
    user_id  TEXT,
    object   TEXT,
    outcome  TEXT    NOT NULL,
    detail   TEXT,
    hash     BLOB    NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_user ON audit (user_id, seq) WHERE user_id IS NOT NULL;
CREATE INDEX audit_by_object ON audit (object) WHERE object IS NOT NULL;

CREATE TABLE audit_head (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq      INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    cut_seq  INTEGER NOT NULL,
    cut_hash BLOB    NOT NULL
);
INSERT INTO audit_head (one, seq, hash, cut_seq, cut_hash) VALUES (1, 0, zeroblob(32), 0, zeroblob(32));

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_is_cut_from_the_beginning BEFORE DELETE ON audit
WHEN OLD.seq > (SELECT cut_seq FROM audit_head)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_head_goes_forward BEFORE UPDATE ON audit_head
WHEN NEW.seq < OLD.seq OR NEW.cut_seq < OLD.cut_seq OR NEW.cut_seq > NEW.seq
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
