//! Front ends: what each model wants to be shown of the speech: whole utterances, or
//! [segments](super::Segment) of one, of any length.

mod normalise;
mod raw_waveform;
mod settings;
mod spectrum;
mod kaldi_fbank;
mod nemo_mel;
mod speechbrain_fbank;

use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

pub use kaldi_fbank::{KaldiFbank, KaldiSettings, KaldiWindow};
pub use nemo_mel::{NemoMel, NemoNormalisation, NemoSettings, NemoWindow, Slaney};
pub use normalise::MeanNormalisation;
pub use raw_waveform::RawSettings;
pub use speechbrain_fbank::{SpeechbrainFbank, SpeechbrainSettings, SpeechbrainWindow};

/// The front end that a model wants, with every constant: `[front_end]` of its card.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FrontEndSettings {
    /// Kaldi's filter bank: CAM++, WeSpeaker, 3D-Speaker.
    KaldiFbank(KaldiSettings),
    /// SpeechBrain's filter bank.
    SpeechbrainFbank(SpeechbrainSettings),
    /// NeMo's mel spectrogram.
    NemoMel(NemoSettings),
    /// The samples themselves.
    RawWaveform(RawSettings),
}

/// A front end with its tables and scratch space, for use by one thread.
pub(super) enum FrontEnd {
    KaldiFbank(KaldiFbank),
    SpeechbrainFbank(SpeechbrainFbank),
    NemoMel(NemoMel),
    RawWaveform(RawSettings),
}

impl FrontEnd {
    pub(super) fn new(settings: FrontEndSettings) -> Self {
        match settings {
            FrontEndSettings::KaldiFbank(settings) => Self::KaldiFbank(KaldiFbank::new(settings)),
            FrontEndSettings::SpeechbrainFbank(settings) => {
                Self::SpeechbrainFbank(SpeechbrainFbank::new(settings))
            }
            FrontEndSettings::NemoMel(settings) => Self::NemoMel(NemoMel::new(settings)),
            FrontEndSettings::RawWaveform(settings) => Self::RawWaveform(settings),
        }
    }

    /// What the model is shown of a piece of speech: [1, frames, bins], or [1, samples] of a raw waveform. `None` when it
    /// is too short for a single frame.
    pub(super) fn piece(&mut self, speech: &[f32]) -> Option<ArrayD<f32>> {
        let mut features = Vec::new();
        let length = self.append(speech, &mut features);
        let mut shape = vec![1, length];
        if !matches!(self, Self::RawWaveform(_)) {
            // Every frame has as many values.
            shape.push(features.len() / length.max(1));
        }
        let piece = ArrayD::from_shape_vec(IxDyn(&shape), features).ok();
        piece.filter(|_| length > 0)
    }

    /// Writes an utterance's features to the end of `features` and gives its length in frames (samples, of
    /// a raw waveform).
    fn append(&mut self, samples: &[f32], features: &mut Vec<f32>) -> usize {
        match self {
            Self::KaldiFbank(front_end) => front_end.append(samples, features),
            Self::SpeechbrainFbank(front_end) => front_end.append(samples, features),
            Self::NemoMel(front_end) => front_end.append(samples, features),
            Self::RawWaveform(settings) => settings.append(samples, features),
        }
    }
}

impl FrontEndSettings {
    /// Values in a frame; a raw waveform has no frames.
    pub fn bins(&self) -> Option<usize> {
        match self {
            Self::KaldiFbank(settings) => Some(settings.n_mels),
            Self::SpeechbrainFbank(settings) => Some(settings.n_mels),
            Self::NemoMel(settings) => Some(settings.n_mels),
            Self::RawWaveform(_) => None,
        }
    }
}
