-- What is promised of a number's calls where it is not what the configuration says: the largest share of callers
-- on no roster who may be given a name, and of those on the roster who may be given another's.
ALTER TABLE numbers ADD COLUMN max_false_accept REAL CHECK (max_false_accept BETWEEN 0.000001 AND 0.5);
ALTER TABLE numbers ADD COLUMN max_wrong_name REAL CHECK (max_wrong_name BETWEEN 0.000001 AND 0.5);
