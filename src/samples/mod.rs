//! PCM frames to 16 kHz mono samples.
