-- What the verdict of a call that goes on rests on: users, strengths, sources and times, so that a process that takes
-- the call up after a restart weighs on instead of beginning anew. No telephone number; NULL once the call is over.
ALTER TABLE calls ADD COLUMN evidence TEXT;
