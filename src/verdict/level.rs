//! How loud speech is embedded.

use zeroize::Zeroizing;

use crate::samples::quality;

/// Active speech level (ITU-T P.56: the level of the speech alone, pauses left out) that every voice is
/// brought to before it is embedded. How loud somebody was recorded says nothing about who they are, but
/// features with a floor under their logarithm, and raw waveforms, change with it.
const SPEECH_LEVEL_DBFS: f32 = -30.0;

/// Samples at the level that every voice is embedded at.
pub(super) fn levelled(samples: &[f32]) -> Zeroizing<Vec<f32>> {
    Zeroizing::new(quality::levelled(samples, SPEECH_LEVEL_DBFS))
}
