//! The mel front end of GE2E (Wan et al. 2018, arXiv 1710.10467) as Resemblyzer 0.1.4 computes it.
//!
//! Mel *power*, not log: librosa's `melspectrogram` with its defaults (0.10 and later), periodic Hann
//! window, centred frames with zero padding, Slaney's mel scale and area normalisation.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Array3, Axis};
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

/// Every constant of the front end, as a model's card gives them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelSettings {
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples in a frame, window and FFT alike.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Mel bands.
    pub n_mels: usize,
    /// Lower edge of the first band in Hz.
    pub f_min: f64,
    /// Upper edge of the last band in Hz.
    pub f_max: f64,
    /// Speech quieter than this (dB relative to full scale, RMS) is raised to it; never lowered.
    pub target_dbfs: f64,
    /// Frames in one window of the model.
    pub window_frames: usize,
    /// Frames from one window to the next.
    pub window_hop_frames: usize,
    /// A last window with a smaller share of real samples than this is left out, unless it is the only one.
    pub min_coverage: f64,
}

/// A band's triangle: the FFT bins it covers, with their weights.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

/// The front end with its tables and scratch space, for use by one thread.
pub struct Ge2eMel {
    settings: MelSettings,
    window: Vec<f32>,
    bands: Vec<Band>,
    fft: Arc<dyn RealToComplex<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    power: Vec<f32>,
}

impl Ge2eMel {
    /// Plans the FFT and lays out the filters.
    pub fn new(settings: MelSettings) -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(settings.n_fft);
        Self {
            settings,
            window: hann(settings.n_fft),
            bands: slaney_bands(&settings),
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; settings.n_fft / 2 + 1],
            fft,
        }
    }

    /// The constants in use.
    pub fn settings(&self) -> &MelSettings {
        &self.settings
    }

    /// The model's windows over `speech`, in samples. The last may reach beyond the end: what is missing
    /// there is silence. The rule is Resemblyzer's `compute_partial_slices`. Never empty.
    pub fn windows(&self, speech: usize) -> Vec<Range<usize>> {
        let s = &self.settings;
        let frames = (speech + 1).div_ceil(s.hop);
        let starts = (frames + s.window_hop_frames + 1)
            .saturating_sub(s.window_frames)
            .max(1);
        let length = s.window_frames * s.hop;
        let mut windows: Vec<Range<usize>> = (0..starts)
            .step_by(s.window_hop_frames)
            .map(|frame| frame * s.hop..frame * s.hop + length)
            .collect();
        if windows.len() > 1
            && let Some(last) = windows.last()
        {
            let covered = speech.saturating_sub(last.start) as f64 / length as f64;
            if covered < s.min_coverage {
                windows.pop();
            }
        }
        windows
    }

    /// The mel frames of each of `windows` over `speech`: shape [windows, window_frames, n_mels].
    ///
    /// Frames are those of the whole utterance, cut afterwards, so a window's first frame sees the
    /// samples before it, as in the original.
    pub fn mel(&mut self, speech: &[f32], windows: &[Range<usize>]) -> Array3<f32> {
        let (frames, mels, hop) = (
            self.settings.window_frames,
            self.settings.n_mels,
            self.settings.hop,
        );
        let total = windows.last().map_or(0, |last| last.start / hop + frames);
        let utterance = self.utterance(speech, total);
        let mut out = Array3::zeros((windows.len(), frames, mels));
        for (mut cut, window) in out.outer_iter_mut().zip(windows) {
            let start = window.start / hop;
            cut.assign(&utterance.slice_axis(Axis(0), (start..start + frames).into()));
        }
        out
    }

    /// The first `total` mel frames of the utterance, level raised: shape [total, n_mels].
    fn utterance(&mut self, speech: &[f32], total: usize) -> Array2<f32> {
        let gain = self.gain(speech);
        let mut frames = Array2::zeros((total, self.settings.n_mels));
        for (at, mut row) in frames.outer_iter_mut().enumerate() {
            self.frame_power(speech, at * self.settings.hop, gain);
            for (band, value) in self.bands.iter().zip(&mut row) {
                let bins = &self.power[band.first..band.first + band.weights.len()];
                *value = bins
                    .iter()
                    .zip(&band.weights)
                    .map(|(power, weight)| power * weight)
                    .sum();
            }
        }
        frames
    }

    /// What the samples are multiplied by to reach the target level; 1 when they are loud enough.
    fn gain(&self, speech: &[f32]) -> f32 {
        let mean = speech
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum::<f64>()
            / speech.len().max(1) as f64;
        let rms = mean.sqrt();
        let target = 10f64.powf(self.settings.target_dbfs / 20.0);
        if rms > 0.0 && rms < target {
            (target / rms) as f32
        } else {
            1.0
        }
    }

    fn frame_power(&mut self, speech: &[f32], centre: usize, gain: f32) {
        let half = self.settings.n_fft / 2;
        for (at, (sample, weight)) in self.frame.iter_mut().zip(&self.window).enumerate() {
            // Before the first sample and after the last there is silence.
            let source = (centre + at)
                .checked_sub(half)
                .and_then(|index| speech.get(index));
            *sample = source.map_or(0.0, |value| value * gain * weight);
        }
        let done = self
            .fft
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
        debug_assert!(
            done.is_ok(),
            "the buffers come from the plan itself. This is a bug."
        );
        for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *power = bin.norm_sqr();
        }
    }
}

/// The periodic Hann window of `length` samples (as used for spectra: one sample short of symmetric).
fn hann(length: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / length as f64;
    (0..length)
        .map(|at| (0.5 - 0.5 * (step * at as f64).cos()) as f32)
        .collect()
}

/// Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
fn hz_to_mel(hz: f64) -> f64 {
    let linear = hz / (200.0 / 3.0);
    if hz < 1000.0 {
        linear
    } else {
        15.0 + (hz / 1000.0).ln() / (6.4f64.ln() / 27.0)
    }
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * (200.0 / 3.0)
    } else {
        1000.0 * ((mel - 15.0) * (6.4f64.ln() / 27.0)).exp()
    }
}

/// Triangles between neighbouring mel points, each scaled to the same area (Slaney's normalisation).
fn slaney_bands(settings: &MelSettings) -> Vec<Band> {
    let (low, high) = (hz_to_mel(settings.f_min), hz_to_mel(settings.f_max));
    let steps = (settings.n_mels + 1) as f64;
    let edges: Vec<f64> = (0..settings.n_mels + 2)
        .map(|at| mel_to_hz(low + (high - low) * at as f64 / steps))
        .collect();
    let bin_hz = f64::from(settings.sample_rate) / settings.n_fft as f64;
    edges
        .windows(3)
        .map(|edge| {
            let (left, centre, right) = (edge[0], edge[1], edge[2]);
            let weight = |bin: usize| {
                let hz = bin as f64 * bin_hz;
                let slope = ((hz - left) / (centre - left)).min((right - hz) / (right - centre));
                slope.max(0.0) * 2.0 / (right - left)
            };
            let bins: Vec<usize> = (0..=settings.n_fft / 2)
                .filter(|bin| weight(*bin) > 0.0)
                .collect();
            let first = bins.first().copied().unwrap_or(0);
            Band {
                first,
                weights: bins.into_iter().map(|bin| weight(bin) as f32).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESEMBLYZER: MelSettings = MelSettings {
        sample_rate: 16_000,
        n_fft: 400,
        hop: 160,
        n_mels: 40,
        f_min: 0.0,
        f_max: 8_000.0,
        target_dbfs: -30.0,
        window_frames: 160,
        window_hop_frames: 77,
        min_coverage: 0.75,
    };

    #[test]
    fn there_is_always_a_window_and_no_sample_before_the_last_one_is_skipped() {
        let front_end = Ge2eMel::new(RESEMBLYZER);
        for speech in [0, 1, 100, 16_000, 25_600, 30_000, 48_000, 160_000, 163_841] {
            let windows = front_end.windows(speech);
            assert!(!windows.is_empty());
            assert_eq!(windows[0].start, 0);
            for pair in windows.windows(2) {
                assert_eq!(pair[1].start - pair[0].start, 77 * 160);
                assert!(pair[1].start < pair[0].end, "windows overlap");
            }
        }
    }

    #[test]
    fn quiet_speech_is_raised_and_loud_speech_is_left_alone() {
        let front_end = Ge2eMel::new(RESEMBLYZER);
        assert!((front_end.gain(&[0.001; 1000]) - 31.622_776).abs() < 1e-3);
        assert_eq!(front_end.gain(&[0.5; 1000]), 1.0);
        assert_eq!(front_end.gain(&[0.0; 1000]), 1.0);
        assert_eq!(front_end.gain(&[]), 1.0);
    }
}
