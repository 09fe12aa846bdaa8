-- What was done, by whom, on whom, and what came of it: ids only, never a name, a telephone number, a PIN or audio.
-- Entries are only added. `hash` is SHA-256 of the hash before it and the entry, so that one that is changed, removed or
-- inserted afterwards no longer fits. What is old is cut off from the beginning: the head keeps where, and with which hash.
CREATE TABLE audit (
    seq      BIGINT           NOT NULL PRIMARY KEY,
    at       TEXT COLLATE "C" NOT NULL,
    actor    TEXT COLLATE "C" NOT NULL,
    actor_id TEXT COLLATE "C",
    address  TEXT COLLATE "C",
    act      TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C",
    object   TEXT COLLATE "C",
    outcome  TEXT COLLATE "C" NOT NULL,
    detail   TEXT COLLATE "C",
    hash     BYTEA            NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_user ON audit (user_id, seq) WHERE user_id IS NOT NULL;
CREATE INDEX audit_by_object ON audit (object) WHERE object IS NOT NULL;

CREATE TABLE audit_head (
    one      BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq      BIGINT NOT NULL,
    hash     BYTEA  NOT NULL,
    cut_seq  BIGINT NOT NULL,
    cut_hash BYTEA  NOT NULL
);
INSERT INTO audit_head (one, seq, hash, cut_seq, cut_hash)
VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END
$$;
CREATE FUNCTION audit_is_cut_from_the_beginning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seq > (SELECT cut_seq FROM audit_head) THEN
        RAISE EXCEPTION 'the audit log is only added to';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_only_added_to();
CREATE TRIGGER audit_is_cut_from_the_beginning BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_cut_from_the_beginning();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added_to();
CREATE TRIGGER audit_head_goes_forward BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (NEW.seq < OLD.seq OR NEW.cut_seq < OLD.cut_seq OR NEW.cut_seq > NEW.seq)
    EXECUTE FUNCTION audit_is_only_added_to();
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_is_only_added_to();
CREATE TRIGGER audit_head_is_not_emptied BEFORE TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added_to();
