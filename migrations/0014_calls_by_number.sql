-- A number's latest calls, for whoever asks how often its callers' numbers were heard with their user's voice.
CREATE INDEX calls_by_number ON calls (number, started_at);
