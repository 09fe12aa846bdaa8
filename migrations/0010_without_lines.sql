-- Calls are no longer adapted to their number's line: what was kept for it goes.
DROP TABLE lines;
