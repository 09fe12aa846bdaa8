//! Voiceprints of a dialed number, and the search over them.
