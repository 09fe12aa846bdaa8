//! The voice of each window of a stream's speech: by them one voice is told from several, also long after the
//! speech itself is no longer kept.

use zeroize::Zeroizing;

use crate::decision::{MOST_WINDOWS, VOICE_WINDOW};
use crate::engine::Analyst;
use crate::samples::{RATE, telephone, voice_band};
use crate::units::Seconds;
use crate::voiceprint::{Bandwidth, Embedding, ExtractError, ModelId, Voiceprint};

use super::listener::levelled;

/// The windows of one stream.
pub(super) struct Windows {
    narrow_source: bool,
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
    /// No windows yet; `narrow_source` says that all there will be came over a telephone.
    pub fn new(narrow_source: bool) -> Self {
        Self {
            narrow_source,
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
            let voice = self.voice(analyst, piece)?;
            self.add(voice);
        }
        while self.past.len() >= window {
            let piece: Zeroizing<Vec<f32>> = Zeroizing::new(self.past.drain(..window).collect());
            let voice = self.voice(analyst, &piece)?;
            self.add(voice);
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

    /// The voice of all of them, as a telephone carries it; `None` where they cancel out.
    pub fn together(&self) -> Option<Voiceprint> {
        let voices = self.voices.iter().map(|voice| (voice, 1.0));
        Some(Voiceprint {
            embedding: Embedding::mean(voices).ok()?,
            model: self.model.clone()?,
            bandwidth: Bandwidth::Narrow,
            net_speech: Seconds::checked(VOICE_WINDOW.get() * self.voices.len() as f64)?,
        })
    }

    fn voice(&self, analyst: &mut Analyst, piece: &[f32]) -> Result<Embedding, ExtractError> {
        let heard = if self.narrow_source {
            Zeroizing::new(voice_band(piece))
        } else {
            Zeroizing::new(voice_band(&Zeroizing::new(telephone(piece))))
        };
        analyst.extractor.embed(&levelled(&heard))
    }

    fn add(&mut self, voice: Embedding) {
        if self.voices.len() == MOST_WINDOWS {
            self.voices.remove(0);
            self.dropped += 1;
        }
        self.voices.push(voice);
    }
}
