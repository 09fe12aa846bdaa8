//! PCM frames to 16 kHz mono samples.
pub const RATE: crate::units::Hertz = crate::units::Hertz(16_000);
