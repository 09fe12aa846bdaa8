//! Kaldi's log mel filter bank, as WeSpeaker, 3D-Speaker and sherpa-onnx use it, each with constants of
//! its own.
//!
//! The definition is that of Kaldi's `feature-window.cc`, `feature-fbank.cc` and `mel-computations.cc`
//! without dither and without an energy term: per frame the mean is taken off, the signal pre-emphasised
//! and windowed, the power spectrum folded into triangles that are straight on the mel scale
//! 1127 ln(1 + f / 700), and the natural logarithm taken.

use serde::{Deserialize, Serialize};

use crate::samples::RATE;

use super::normalise::{MeanNormalisation, Means};
use super::settings::{band_fault, framing_fault};
use super::spectrum::{Bands, PowerSpectrum, at_least, edges, raised_cosine};

/// The shape of Kaldi's windows; all are symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KaldiWindow {
    /// Hann to the power of 0.85, which reaches zero at the ends: Kaldi's own.
    Povey,
    /// Hamming, 0.54 - 0.46 cos.
    Hamming,
    /// Hann, 0.5 - 0.5 cos, zero at the ends.
    Hann,
}

/// Every constant of the front end, as a model's card gives them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KaldiSettings {
    /// What samples from -1 to 1 are multiplied by: 32768 where a model was trained on 16-bit numbers.
    pub sample_scale: f64,
    /// The window's shape.
    pub window: KaldiWindow,
    /// Samples in a frame.
    pub window_length: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Samples of the FFT; a frame is filled up with zeros.
    pub n_fft: usize,
    /// Whether only whole frames count. Otherwise frame t is centred on sample (t + 1/2) `hop_length`, and
    /// the signal is mirrored at its ends.
    pub snip_edges: bool,
    /// Whether a frame's mean is taken off it.
    pub remove_dc_offset: bool,
    /// Coefficient of the pre-emphasis, within each frame.
    pub preemphasis: f64,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the first band in Hz.
    pub f_min: f64,
    /// Upper edge of the last band in Hz; zero or less counts from half the sample rate.
    pub f_max: f64,
    /// What is done to the features of an utterance.
    pub normalisation: MeanNormalisation,
}

impl KaldiSettings {
    /// What makes these constants impossible, if anything does.
    pub(crate) fn fault(&self) -> Option<String> {
        framing_fault(self.window_length, self.hop_length, self.n_fft)
            .or_else(|| band_fault(self.n_mels, self.f_min, self.highest()))
            .or_else(|| {
                let sane = self.sample_scale.is_finite() && self.sample_scale > 0.0;
                (!sane || !(0.0..=1.0).contains(&self.preemphasis))
                    .then(|| "sample_scale must be positive and preemphasis from 0 to 1".to_owned())
            })
    }

    /// The upper edge of the last band in Hz.
    fn highest(&self) -> f64 {
        if self.f_max > 0.0 {
            self.f_max
        } else {
            f64::from(RATE.0) / 2.0 + self.f_max
        }
    }
}

/// The front end with its tables and scratch space, for use by one thread.
pub struct KaldiFbank {
    settings: KaldiSettings,
    window: Vec<f32>,
    bands: Bands,
    spectrum: PowerSpectrum,
    means: Means,
    scale: f32,
    emphasis: f32,
    /// A frame that reaches beyond an end of the signal.
    mirrored: Vec<f32>,
    /// The scaled frame with one sample before it, which the pre-emphasis looks back at.
    centred: Vec<f32>,
}

impl KaldiFbank {
    /// Plans the FFT and lays out window and filters.
    pub fn new(settings: KaldiSettings) -> Self {
        let length = settings.window_length;
        Self {
            settings,
            window: window(settings.window, length),
            bands: bands(&settings),
            spectrum: PowerSpectrum::new(settings.n_fft),
            means: Means::default(),
            scale: settings.sample_scale as f32,
            emphasis: settings.preemphasis as f32,
            mirrored: vec![0.0; length],
            centred: vec![0.0; length + 1],
        }
    }

    /// How many frames that many samples have.
    pub fn frames(&self, samples: usize) -> usize {
        let s = &self.settings;
        if s.snip_edges {
            (samples + s.hop_length)
                .checked_sub(s.window_length)
                .map_or(0, |room| room / s.hop_length)
        } else {
            (samples + s.hop_length / 2) / s.hop_length
        }
    }

    /// Writes the frames of one utterance (16 kHz, -1 to 1) to the end of `features`, one after another,
    /// and gives their number.
    pub fn append(&mut self, samples: &[f32], features: &mut Vec<f32>) -> usize {
        let frames = self.frames(samples.len());
        let begin = features.len();
        features.reserve(frames * self.settings.n_mels);
        for frame in 0..frames {
            self.load(samples, frame);
            let (centred, window, emphasis) = (&self.centred, &self.window, self.emphasis);
            let power = self.spectrum.of(|input| {
                let (head, tail) = input.split_at_mut(window.len());
                for ((sample, pair), weight) in head.iter_mut().zip(centred.windows(2)).zip(window) {
                    *sample = (pair[1] - emphasis * pair[0]) * weight;
                }
                tail.fill(0.0);
            });
            // Kaldi's floor under the logarithm.
            let logarithms = self
                .bands
                .energies(power)
                .map(|energy| at_least(f32::EPSILON, energy).ln());
            features.extend(logarithms);
        }
        if self.settings.normalisation == MeanNormalisation::UtteranceMean {
            self.means.subtract(&mut features[begin..], self.settings.n_mels);
        }
        frames
    }

    /// Fills `centred` with a frame, scaled, its mean taken off.
    fn load(&mut self, samples: &[f32], frame: usize) {
        let s = &self.settings;
        let length = s.window_length as isize;
        let start = if s.snip_edges {
            (frame * s.hop_length) as isize
        } else {
            (frame * s.hop_length + s.hop_length / 2) as isize - length / 2
        };
        let source = if start >= 0 && start + length <= samples.len() as isize {
            &samples[start as usize..(start + length) as usize]
        } else {
            for (at, sample) in self.mirrored.iter_mut().enumerate() {
                *sample = samples[mirror(start + at as isize, samples.len())];
            }
            &self.mirrored[..]
        };
        let offset = if s.remove_dc_offset { mean(source) } else { 0.0 };
        for (centred, sample) in self.centred[1..].iter_mut().zip(source) {
            *centred = (sample - offset) * self.scale;
        }
        // Kaldi's first sample is emphasised against itself.
        self.centred[0] = self.centred[1];
    }
}

/// The index that stands for one outside a signal of `length` (not 0) samples: mirrored at either end,
/// the end sample itself twice, as often as it takes.
fn mirror(mut at: isize, length: usize) -> usize {
    let length = length as isize;
    while at < 0 || at >= length {
        at = if at < 0 { -1 - at } else { 2 * length - 1 - at };
    }
    at as usize
}

/// The mean, summed in eight strands so that the processor can add them side by side.
fn mean(samples: &[f32]) -> f32 {
    let mut strands = [0.0f32; 8];
    let eights = samples.chunks_exact(8);
    let rest: f32 = eights.remainder().iter().sum();
    for eight in eights {
        for (strand, sample) in strands.iter_mut().zip(eight) {
            *strand += sample;
        }
    }
    (strands.iter().sum::<f32>() + rest) / samples.len() as f32
}

fn window(shape: KaldiWindow, length: usize) -> Vec<f32> {
    let period = length.saturating_sub(1).max(1);
    let (a, exponent) = match shape {
        KaldiWindow::Povey => (0.5, 0.85),
        KaldiWindow::Hamming => (0.54, 1.0),
        KaldiWindow::Hann => (0.5, 1.0),
    };
    raised_cosine(a, length, period)
        .map(|weight: f64| weight.max(0.0).powf(exponent) as f32)
        .collect()
}

/// Triangles on the mel scale itself, not on Hz; the bin at half the sample rate belongs to none.
fn bands(settings: &KaldiSettings) -> Bands {
    let mel = |hz: f64| 1127.0 * (1.0 + hz / 700.0).ln();
    let points = edges(
        settings.n_mels,
        mel(settings.f_min),
        mel(settings.highest()),
        |mel| mel,
    );
    let bin_hz = f64::from(RATE.0) / settings.n_fft as f64;
    Bands::new(settings.n_mels, settings.n_fft / 2, |band, bin| {
        let at = mel(bin as f64 * bin_hz);
        let (left, centre, right) = (points[band], points[band + 1], points[band + 2]);
        ((at - left) / (centre - left))
            .min((right - at) / (right - centre))
            .max(0.0)
    })
}
