//! Bytes to PCM frames.
