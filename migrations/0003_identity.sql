-- How often a PIN was tried in vain lately, by what the tries have in common: the dialed number, the caller
-- (a keyed hash of the number, or `withheld` on a dialed number), the user a try was for. Times as elsewhere.
CREATE TABLE pin_locks (
    scope        TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    failures     BIGINT NOT NULL,
    since        TEXT   NOT NULL,
    locked_until TEXT,
    PRIMARY KEY (scope, subject)
);
