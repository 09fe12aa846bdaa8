//! What a recording is, as far as its frames go, and what of that is accepted.

use serde::{Deserialize, Serialize};

use super::{Container, DecodeError, HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS};
use crate::units::{Hertz, Seconds};

/// What a recording is, as far as its frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The kind of file.
    pub container: Container,
    /// Frames per second: 8 to 48 kHz. Opus is always decoded at 48 kHz.
    pub rate: Hertz,
    /// Interleaved channels: one or two.
    pub channels: u16,
}

/// How far the length in a compressed file's header may be out, by a packet and a codec's delay:
/// within it, the count while decoding decides.
pub(super) const HEADER_SLACK: Seconds = Seconds::new(0.25);

/// Whether such a format is accepted.
pub(super) fn check_format(format: Format) -> Result<(), DecodeError> {
    if !(1..=MOST_CHANNELS).contains(&format.channels) {
        return Err(DecodeError::Channels {
            channels: u32::from(format.channels),
        });
    }
    if !(LOWEST_RATE..=HIGHEST_RATE).contains(&format.rate) {
        return Err(DecodeError::Rate { rate: format.rate });
    }
    Ok(())
}
