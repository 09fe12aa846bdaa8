//! A recording's voice, of all its speech in one piece, made in turns so that whoever is on the line waits for none of them
//! long.

use zeroize::Zeroizing;

use crate::engine::Analyst;
use crate::voiceprint::{Embedding, ExtractError, SegmentSum};

use super::level::levelled;

/// All of a recording's speech, of which so much was embedded.
pub(super) struct WholeSpeech {
    speech: Zeroizing<Vec<f32>>,
    heard: SegmentSum,
}

impl WholeSpeech {
    /// None of it yet; `speech` has 16 kHz.
    pub fn new(speech: &[f32]) -> Self {
        Self {
            speech: levelled(speech),
            heard: SegmentSum::default(),
        }
    }

    /// Embeds the next segment, and gives the voice once that was the last.
    ///
    /// # Errors
    /// [`ExtractError`] when the speaker model fails.
    pub fn next(&mut self, analyst: &mut Analyst) -> Result<Option<Embedding>, ExtractError> {
        analyst.extractor.embed_segment(&self.speech, &mut self.heard)
    }
}
