//! A whole recording at once.

use std::fmt;

use thiserror::Error;

use super::{Intake, RATE, SamplesError};
use crate::bytes::{DecodeError, Decoder, Format, Limits, Unheard};
use crate::units::Seconds;

/// A recording, decoded and brought to 16 kHz mono.
#[derive(Clone, PartialEq)]
pub struct Clip {
    /// The samples at 16 kHz, nominally -1 to 1.
    pub samples: Vec<f32>,
    /// What the file held before.
    pub source: Format,
    /// Whether the file was cut; what is here is good.
    pub truncated: bool,
    /// What of the file was not heard.
    pub unheard: Option<Unheard>,
}

impl Clip {
    /// How long the recording lasts.
    pub fn duration(&self) -> Seconds {
        RATE.seconds(self.samples.len())
    }
}

/// Sizes only: the samples are somebody's voice.
impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clip")
            .field("duration", &self.duration())
            .field("source", &self.source)
            .field("truncated", &self.truncated)
            .finish_non_exhaustive()
    }
}

/// A file of which no clip can be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LoadError {
    /// The bytes could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The frames are not what can be listened to.
    #[error(transparent)]
    Samples(#[from] SamplesError),
}

/// Decodes a whole file and brings the caller's `channel` to 16 kHz, otherwise as it is. Two channels that are the same
/// count as one. The samples take at most
/// 64 kB a second of the duration limit, beside the input.
///
/// # Errors
/// [`LoadError`]: the file is not accepted or damaged, or the channel is missing or not there.
pub fn load(bytes: Vec<u8>, channel: Option<u16>, limits: &Limits) -> Result<Clip, LoadError> {
    let mut decoder = Decoder::for_channel(bytes, channel, limits)?;
    let source = decoder.format();
    // Whatever is heard of it goes through a listener's own intake.
    let mut intake = Intake::new(source.rate, source.channels, channel)?.unfiltered();
    let mut samples = Vec::new();
    while let Some(block) = decoder.next_block()? {
        intake.push(block, &mut samples);
    }
    intake.finish(&mut samples);
    Ok(Clip {
        samples,
        source,
        truncated: decoder.truncated(),
        unheard: decoder.unheard(),
    })
}
