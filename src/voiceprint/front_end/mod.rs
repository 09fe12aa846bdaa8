//! Front ends: what each model wants to be shown of the speech.
//!
//! Two families. GE2E looks through windows of a fixed length, laid over the utterance by the front end
//! itself; every other kind is shown whole utterances, or [segments](super::segment::Segment) of one, of
//! any length. [`FrontEnd`] is either; who embeds need not know which.

mod ge2e_mel;
mod kaldi_fbank;
mod nemo_mel;
mod normalise;
mod raw_waveform;
mod settings;
mod spectrum;
mod speechbrain_fbank;

use ndarray::{ArrayD, IxDyn};

use super::segment::Segment;

pub use ge2e_mel::{Ge2eMel, LastWindow, MelSettings};
pub use kaldi_fbank::{KaldiFbank, KaldiSettings, KaldiWindow};
pub use nemo_mel::{NemoMel, NemoNormalisation, NemoSettings, NemoWindow, Slaney};
pub use normalise::MeanNormalisation;
pub use raw_waveform::RawSettings;
pub use speechbrain_fbank::{SpeechbrainFbank, SpeechbrainSettings, SpeechbrainWindow};

/// The constants of a model's front end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FrontEndSettings {
    /// GE2E's mel power.
    Ge2eMel(MelSettings),
    /// Kaldi's filter bank: WeSpeaker, 3D-Speaker.
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
    /// Fixed windows of the front end's own.
    Windowed(Ge2eMel),
    /// Whole utterances, or segments of one.
    Whole(Whole),
}

/// A front end that takes utterances of any length.
pub(super) enum Whole {
    KaldiFbank(KaldiFbank),
    SpeechbrainFbank(SpeechbrainFbank),
    NemoMel(NemoMel),
    RawWaveform(RawSettings),
}

impl FrontEnd {
    pub(super) fn new(settings: FrontEndSettings) -> Self {
        Self::Whole(match settings {
            FrontEndSettings::Ge2eMel(settings) => return Self::Windowed(Ge2eMel::new(settings)),
            FrontEndSettings::KaldiFbank(settings) => Whole::KaldiFbank(KaldiFbank::new(settings)),
            FrontEndSettings::SpeechbrainFbank(settings) => {
                Whole::SpeechbrainFbank(SpeechbrainFbank::new(settings))
            }
            FrontEndSettings::NemoMel(settings) => Whole::NemoMel(NemoMel::new(settings)),
            FrontEndSettings::RawWaveform(settings) => Whole::RawWaveform(settings),
        })
    }

    /// The pieces of the speech that the model is shown, all of one length: [pieces, frames, bins], or
    /// [pieces, samples] of a raw waveform. `None` when the speech is too short for a single frame.
    pub(super) fn pieces(&mut self, speech: &[f32], segment: Segment) -> Option<ArrayD<f32>> {
        match self {
            Self::Windowed(front_end) => {
                let windows = front_end.windows(speech.len());
                Some(front_end.mel(speech, &windows).into_dyn())
            }
            Self::Whole(front_end) => {
                let cuts = segment.cuts(speech.len());
                let mut features = Vec::new();
                let mut length = 0;
                for cut in &cuts {
                    length = front_end.append(&speech[cut.clone()], &mut features);
                }
                let mut shape = vec![cuts.len(), length];
                shape.extend(front_end.bins());
                let pieces = ArrayD::from_shape_vec(IxDyn(&shape), features).ok();
                pieces.filter(|_| length > 0)
            }
        }
    }
}

impl Whole {
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

    /// Values in a frame; a raw waveform has no frames.
    fn bins(&self) -> Option<usize> {
        match self {
            Self::KaldiFbank(front_end) => Some(front_end.bins()),
            Self::SpeechbrainFbank(front_end) => Some(front_end.bins()),
            Self::NemoMel(front_end) => Some(front_end.bins()),
            Self::RawWaveform(_) => None,
        }
    }
}

impl FrontEndSettings {
    /// Values in a frame; a raw waveform has no frames.
    pub fn bins(&self) -> Option<usize> {
        match self {
            Self::Ge2eMel(settings) => Some(settings.n_mels),
            Self::KaldiFbank(settings) => Some(settings.n_mels),
            Self::SpeechbrainFbank(settings) => Some(settings.n_mels),
            Self::NemoMel(settings) => Some(settings.n_mels),
            Self::RawWaveform(_) => None,
        }
    }

    /// Frames in a piece, where the front end fixes it.
    pub fn window_frames(&self) -> Option<usize> {
        match self {
            Self::Ge2eMel(settings) => Some(settings.window_frames),
            _ => None,
        }
    }
}
