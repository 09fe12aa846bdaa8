//! How loud speech is embedded.

use zeroize::Zeroizing;

use crate::engine::Analyst;
use crate::samples::quality;
use crate::units::Seconds;
use crate::voiceprint::{Bandwidth, ExtractError, Voiceprint};

/// Active speech level (ITU-T P.56: the level of the speech alone, pauses left out) that every voice is
/// brought to before it is embedded. How loud somebody was recorded says nothing about who they are, but
/// features with a floor under their logarithm, and raw waveforms, change with it.
const SPEECH_LEVEL_DBFS: f32 = -30.0;

/// Samples at the level that every voice is embedded at.
pub(super) fn levelled(samples: &[f32]) -> Zeroizing<Vec<f32>> {
    Zeroizing::new(quality::levelled(samples, SPEECH_LEVEL_DBFS))
}

/// The voiceprint of some speech (16 kHz), whatever it came over; `bandwidth` is its label.
///
/// # Errors
/// [`ExtractError`] when the speaker model fails.
pub fn embed_speech(
    analyst: &mut Analyst,
    speech: &[f32],
    net_speech: Seconds,
    bandwidth: Bandwidth,
) -> Result<Voiceprint, ExtractError> {
    Ok(Voiceprint {
        embedding: analyst.extractor.embed(&levelled(speech))?,
        model: analyst.extractor.card().id().clone(),
        bandwidth,
        net_speech,
    })
}
