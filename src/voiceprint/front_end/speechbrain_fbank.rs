//! SpeechBrain's filter bank (Ravanelli et al. 2021, arXiv 2106.04624; `speechbrain.processing.features`)
//! as its ECAPA speaker models use it.
//!
//! Decibels of triangles around centres on the mel scale 2595 log10(1 + f / 700); each triangle falls as
//! steeply above its centre as it rises below. Nothing lies more than `top_db` below the loudest value of
//! the utterance.

use serde::{Deserialize, Serialize};

use crate::samples::RATE;

use super::normalise::{MeanNormalisation, Means};
use super::settings::{band_fault, framing_fault};
use super::spectrum::{Bands, PowerSpectrum, at_least, centred_frame, edges, raised_cosine};

/// The shape of the window; periodic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechbrainWindow {
    /// Hamming.
    Hamming,
}

/// Every constant of the front end, as a model's card gives them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SpeechbrainSettings {
    /// Samples of the FFT.
    pub n_fft: usize,
    /// The window's shape.
    pub window: SpeechbrainWindow,
    /// Samples in a frame. Frame t is centred on sample t `hop_length`, with silence beyond the ends.
    pub window_length: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the first band in Hz.
    pub f_min: f64,
    /// Upper edge of the last band in Hz.
    pub f_max: f64,
    /// Floor under the logarithm, in power.
    pub amin: f64,
    /// How far below the loudest value of the utterance the quietest may lie, in dB.
    pub top_db: f64,
    /// What is done to the features of an utterance.
    pub normalisation: MeanNormalisation,
}

impl SpeechbrainSettings {
    /// What makes these constants impossible, if anything does.
    pub(crate) fn fault(&self) -> Option<String> {
        framing_fault(self.window_length, self.hop_length, self.n_fft)
            .or_else(|| band_fault(self.n_mels, self.f_min, self.f_max))
            .or_else(|| {
                let sane = (self.amin as f32).is_normal() && self.amin > 0.0 && self.top_db.is_finite();
                (!sane || self.top_db <= 0.0).then(|| "amin and top_db must be positive".to_owned())
            })
    }
}

/// The front end with its tables and scratch space, for use by one thread.
pub struct SpeechbrainFbank {
    settings: SpeechbrainSettings,
    window: Vec<f32>,
    bands: Bands,
    spectrum: PowerSpectrum,
    means: Means,
}

impl SpeechbrainFbank {
    /// Plans the FFT and lays out window and filters.
    pub fn new(settings: SpeechbrainSettings) -> Self {
        let length = settings.window_length;
        Self {
            settings,
            window: raised_cosine(0.54, length, length)
                .map(|weight| weight as f32)
                .collect(),
            bands: bands(&settings),
            spectrum: PowerSpectrum::new(settings.n_fft),
            means: Means::default(),
        }
    }

    /// How many frames that many samples have.
    pub fn frames(&self, samples: usize) -> usize {
        samples / self.settings.hop_length + 1
    }

    /// Writes the frames of one utterance (16 kHz, -1 to 1) to the end of `features`, one after another,
    /// and gives their number.
    pub fn append(&mut self, samples: &[f32], features: &mut Vec<f32>) -> usize {
        let s = self.settings;
        let (floor, depth) = (s.amin as f32, s.top_db as f32);
        let frames = self.frames(samples.len());
        let begin = features.len();
        features.reserve(frames * s.n_mels);
        for frame in 0..frames {
            let start = (frame * s.hop_length) as isize - (s.window_length / 2) as isize;
            let window = &self.window;
            let power = self.spectrum.of(|input| {
                let (head, tail) = input.split_at_mut(window.len());
                centred_frame(samples, start, head);
                for (sample, weight) in head.iter_mut().zip(window) {
                    *sample *= weight;
                }
                tail.fill(0.0);
            });
            let decibels = |energy: f32| 10.0 * at_least(floor, energy).log10();
            features.extend(self.bands.energies(power).map(decibels));
        }
        let written = &mut features[begin..];
        let loudest = written.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for value in written.iter_mut() {
            *value = at_least(loudest - depth, *value);
        }
        if s.normalisation == MeanNormalisation::UtteranceMean {
            self.means.subtract(written, s.n_mels);
        }
        frames
    }
}

fn bands(settings: &SpeechbrainSettings) -> Bands {
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let hz = |mel: f64| 700.0 * (10f64.powf(mel / 2595.0) - 1.0);
    let points = edges(settings.n_mels, mel(settings.f_min), mel(settings.f_max), hz);
    let bin_hz = f64::from(RATE.0) / settings.n_fft as f64;
    Bands::new(settings.n_mels, settings.n_fft / 2 + 1, |band, bin| {
        let (left, centre) = (points[band], points[band + 1]);
        let away = (bin as f64 * bin_hz - centre).abs() / (centre - left);
        (1.0 - away).max(0.0)
    })
}
