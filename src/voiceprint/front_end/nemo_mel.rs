//! NeMo's log mel spectrogram (`AudioToMelSpectrogramPreprocessor`) as TitaNet and SpeakerNet use it
//! (Koluguri et al. 2021, arXiv 2110.04410).
//!
//! The whole signal is pre-emphasised; power in Slaney's mel bands, plus a guard, logarithm; then each
//! band is standardised over the utterance. As in NeMo, the one frame centred beyond the last whole hop
//! is not counted.

use serde::{Deserialize, Serialize};

use crate::samples::RATE;

use super::normalise::Means;
use super::settings::{band_fault, framing_fault};
use super::spectrum::{Bands, PowerSpectrum, centred_frame, raised_cosine, slaney_edges};

/// The shape of the window; symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NemoWindow {
    /// Hann.
    Hann,
    /// Hamming.
    Hamming,
}

/// The mel scale and the normalisation of its triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slaney {
    /// That of the Auditory Toolbox (Slaney 1998).
    Slaney,
}

/// What is done to the features of an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NemoNormalisation {
    /// Features stay as they are.
    None,
    /// Each band is brought to mean 0 and standard deviation 1.
    PerFeature,
}

/// Every constant of the front end, as a model's card gives them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NemoSettings {
    /// Samples of the FFT; the window lies in the middle of it.
    pub n_fft: usize,
    /// The window's shape.
    pub window: NemoWindow,
    /// Samples in a frame. Frame t is centred on sample t `hop_length`, with silence beyond the ends.
    pub window_length: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Coefficient of the pre-emphasis, over the whole signal.
    pub preemphasis: f64,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the first band in Hz.
    pub f_min: f64,
    /// Upper edge of the last band in Hz.
    pub f_max: f64,
    /// The mel scale.
    pub mel_scale: Slaney,
    /// How the triangles are scaled.
    pub mel_norm: Slaney,
    /// Added to the power before the logarithm.
    pub log_guard: f64,
    /// What is done to the features of an utterance.
    pub normalisation: NemoNormalisation,
    /// Added to a band's standard deviation before it is divided by.
    pub std_guard: f64,
}

impl NemoSettings {
    /// What makes these constants impossible, if anything does.
    pub(crate) fn fault(&self) -> Option<String> {
        framing_fault(self.window_length, self.hop_length, self.n_fft)
            .or_else(|| band_fault(self.n_mels, self.f_min, self.f_max))
            .or_else(|| {
                let guarded = self.log_guard > 0.0 && self.std_guard > 0.0;
                (!guarded || !(0.0..=1.0).contains(&self.preemphasis))
                    .then(|| "log_guard and std_guard must be positive, preemphasis from 0 to 1".to_owned())
            })
    }
}

/// The front end with its tables and scratch space, for use by one thread.
pub struct NemoMel {
    settings: NemoSettings,
    window: Vec<f32>,
    bands: Bands,
    spectrum: PowerSpectrum,
    means: Means,
    emphasised: Vec<f32>,
}

impl NemoMel {
    /// Plans the FFT and lays out window and filters.
    pub fn new(settings: NemoSettings) -> Self {
        let length = settings.window_length;
        let a = match settings.window {
            NemoWindow::Hann => 0.5,
            NemoWindow::Hamming => 0.54,
        };
        let points = slaney_edges(settings.n_mels, settings.f_min, settings.f_max);
        let bin_hz = f64::from(RATE.0) / settings.n_fft as f64;
        Self {
            settings,
            window: raised_cosine(a, length, length - 1)
                .map(|weight| weight as f32)
                .collect(),
            bands: Bands::slaney(&points, settings.n_fft / 2 + 1, bin_hz),
            spectrum: PowerSpectrum::new(settings.n_fft),
            means: Means::default(),
            emphasised: Vec::new(),
        }
    }

    /// How many frames that many samples have.
    pub fn frames(&self, samples: usize) -> usize {
        samples / self.settings.hop_length
    }

    /// Writes the frames of one utterance (16 kHz, -1 to 1) to the end of `features`, one after another,
    /// and gives their number.
    pub fn append(&mut self, samples: &[f32], features: &mut Vec<f32>) -> usize {
        let s = self.settings;
        let (emphasis, guard) = (s.preemphasis as f32, s.log_guard as f32);
        let frames = self.frames(samples.len());
        let begin = features.len();
        features.reserve(frames * s.n_mels);
        self.emphasised.clear();
        self.emphasised.extend(samples.first());
        let emphasised = samples.windows(2).map(|pair| pair[1] - emphasis * pair[0]);
        self.emphasised.extend(emphasised);
        for frame in 0..frames {
            // Where in the FFT the window lies does not change the power, so it may as well come first.
            let start = (frame * s.hop_length) as isize - (s.window_length / 2) as isize;
            let (window, signal) = (&self.window, &self.emphasised);
            let power = self.spectrum.of(|input| {
                let (head, tail) = input.split_at_mut(window.len());
                centred_frame(signal, start, head);
                for (sample, weight) in head.iter_mut().zip(window) {
                    *sample *= weight;
                }
                tail.fill(0.0);
            });
            let logarithms = self.bands.energies(power).map(|energy| (energy + guard).ln());
            features.extend(logarithms);
        }
        if s.normalisation == NemoNormalisation::PerFeature {
            self.means
                .standardise(&mut features[begin..], s.n_mels, s.std_guard);
        }
        frames
    }
}
