//! The voice of each window of a stream's speech: by them one voice is told from several, also long after the
//! speech itself is no longer kept.

use zeroize::Zeroizing;

use crate::decision::{MOST_WINDOWS, VOICE_WINDOW};
use crate::engine::Analyst;
use crate::samples::RATE;
use crate::units::Seconds;
use crate::voiceprint::{Bandwidth, Embedding, ExtractError, ModelId, Voiceprint};

use super::level::levelled;

/// The windows of one stream.
pub(super) struct Windows {
    /// Of which model the voices are.
    model: Option<ModelId>,
    /// The last [`MOST_WINDOWS`].
    voices: Vec<Embedding>,
    /// How many there were before those.
    dropped: usize,
    /// Speech that came when the finder kept no more, as far as it fills no window yet.
    past: Zeroizing<Vec<f32>>,
}

impl Windows {
    /// No windows yet.
    pub fn new() -> Self {
        Self {
            model: None,
            voices: Vec::new(),
            dropped: 0,
            past: Zeroizing::new(Vec::new()),
        }
    }

    /// Takes speech past what is kept; [`Windows::hear`] uses it up.
    pub fn take(&mut self, past: &[f32]) {
        self.past.extend_from_slice(past);
    }

    /// Whether a window is whole that was not heard yet; `kept` is the speech that is kept.
    pub fn are_due(&self, kept: &[f32]) -> bool {
        let window = RATE.samples(VOICE_WINDOW);
        kept.len() / window > self.dropped + self.voices.len() || self.past.len() >= window
    }

    /// Whether the speech they are of has begun to be other speech than what is kept.
    pub fn have_moved_on(&self) -> bool {
        self.dropped > 0
    }

    /// Hears what is due. If the model is another than the last time, what is kept is heard again, and what is not
    /// is forgotten.
    ///
    /// # Errors
    /// [`ExtractError`] when the speaker model fails.
    pub fn hear(&mut self, analyst: &mut Analyst, kept: &[f32]) -> Result<(), ExtractError> {
        let model = analyst.extractor.card().id();
        if self.model.as_ref() != Some(model) {
            self.model = Some(model.clone());
            self.voices.clear();
            self.dropped = 0;
        }
        let window = RATE.samples(VOICE_WINDOW);
        for piece in kept.chunks_exact(window).skip(self.dropped + self.voices.len()) {
            self.add(analyst.extractor.embed(&levelled(piece))?);
        }
        while self.past.len() >= window {
            let piece: Zeroizing<Vec<f32>> = Zeroizing::new(self.past.drain(..window).collect());
            self.add(analyst.extractor.embed(&levelled(&piece))?);
        }
        Ok(())
    }

    /// The voices, in order.
    pub fn voices(&self) -> &[Embedding] {
        &self.voices
    }

    /// How many windows were heard in all.
    pub fn heard(&self) -> usize {
        self.dropped + self.voices.len()
    }

    /// The voice of all of them, heard in this bandwidth; `None` where they cancel out.
    pub fn together(&self, bandwidth: Bandwidth) -> Option<Voiceprint> {
        let voices = self.voices.iter().map(|voice| (voice, 1.0));
        Some(Voiceprint {
            embedding: Embedding::mean(voices).ok()?,
            model: self.model.clone()?,
            bandwidth,
            net_speech: Seconds::checked(VOICE_WINDOW.get() * self.voices.len() as f64)?,
        })
    }

    fn add(&mut self, voice: Embedding) {
        if self.voices.len() == MOST_WINDOWS {
            self.voices.remove(0);
            self.dropped += 1;
        }
        self.voices.push(voice);
    }
}
