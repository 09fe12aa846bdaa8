-- Whom the verdicts of a call name, in any stored version, so that an erasure finds them by an index. Who is erased goes
-- out of the verdicts and out of here. The evidence of calls that go on names whole rosters and is read by itself.
CREATE TABLE verdict_users (
    user_id TEXT NOT NULL,
    call_id TEXT NOT NULL REFERENCES calls (call_id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, call_id)
) WITHOUT ROWID;
CREATE INDEX verdict_users_by_call ON verdict_users (call_id);
CREATE INDEX calls_with_evidence ON calls (updated_at) WHERE evidence IS NOT NULL;

-- Those that are here already, wherever an id of somebody stands in a verdict. One that is no JSON is searched as text.
INSERT OR IGNORE INTO verdict_users (user_id, call_id)
SELECT part.atom, said.call_id
FROM (SELECT call_id, verdict FROM calls UNION ALL SELECT call_id, verdict FROM verdicts) AS said
JOIN json_tree(CASE WHEN json_valid(said.verdict) THEN said.verdict ELSE 'null' END) AS part
WHERE part.type = 'text' AND part.atom IN (SELECT id FROM users);

INSERT OR IGNORE INTO verdict_users (user_id, call_id)
SELECT users.id, said.call_id
FROM (SELECT call_id, verdict FROM calls UNION ALL SELECT call_id, verdict FROM verdicts) AS said
JOIN users ON instr(said.verdict, users.id) > 0
WHERE NOT json_valid(said.verdict);
