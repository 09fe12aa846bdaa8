//! The mel front end of GE2E (Wan et al. 2018, arXiv 1710.10467) as Resemblyzer 0.1.4 computes it.
//!
//! Mel *power*, not log: librosa's `melspectrogram` with its defaults (0.10 and later), periodic Hann
//! window, centred frames with zero padding, Slaney's mel scale and area normalisation.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis};

use super::spectrum::{Bands, PowerSpectrum, centred_frame, raised_cosine, slaney_edges};

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
    /// What becomes of the speech after the last whole window.
    pub last_window: LastWindow,
}

/// What becomes of the speech after the last whole window. Speech shorter than one window is always one
/// window, filled up with silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LastWindow {
    /// One more window that begins where the next would and is filled up with silence, unless less than
    /// `min_coverage` of it would be speech (Resemblyzer's `compute_partial_slices`).
    Pad {
        /// Share of the window that must be speech, 0 to 1.
        min_coverage: f64,
    },
    /// One more window that ends where the speech ends, unless fewer frames than this are left over:
    /// nothing is heard that was not said, and nothing that was said is left out.
    AlignEnd {
        /// Frames after the last whole window that are worth one more.
        min_frames: usize,
    },
}

/// The front end with its tables and scratch space, for use by one thread.
pub struct Ge2eMel {
    settings: MelSettings,
    window: Vec<f32>,
    bands: Bands,
    spectrum: PowerSpectrum,
}

impl Ge2eMel {
    /// Plans the FFT and lays out the filters.
    pub fn new(settings: MelSettings) -> Self {
        let edges = slaney_edges(settings.n_mels, settings.f_min, settings.f_max);
        let bin_hz = f64::from(settings.sample_rate) / settings.n_fft as f64;
        Self {
            settings,
            // Periodic, as is right for spectra: one sample short of symmetric.
            window: raised_cosine(0.5, settings.n_fft, settings.n_fft)
                .map(|weight| weight as f32)
                .collect(),
            bands: Bands::slaney(&edges, settings.n_fft / 2 + 1, bin_hz),
            spectrum: PowerSpectrum::new(settings.n_fft),
        }
    }

    /// The model's windows over `speech` samples, each given in samples; one that reaches beyond the end
    /// hears silence there. Never empty.
    pub fn windows(&self, speech: usize) -> Vec<Range<usize>> {
        let s = &self.settings;
        let starts = match s.last_window {
            LastWindow::Pad { min_coverage } => self.padded_starts(speech, min_coverage),
            LastWindow::AlignEnd { min_frames } => self.aligned_starts(speech, min_frames),
        };
        let window = |frame: usize| frame * s.hop..(frame + s.window_frames) * s.hop;
        starts.into_iter().map(window).collect()
    }

    fn padded_starts(&self, speech: usize, min_coverage: f64) -> Vec<usize> {
        let s = &self.settings;
        let frames = (speech + 1).div_ceil(s.hop);
        let count = (frames + s.window_hop_frames + 1)
            .saturating_sub(s.window_frames)
            .max(1);
        let mut starts: Vec<usize> = (0..count).step_by(s.window_hop_frames).collect();
        if let [_, .., last] = starts[..] {
            let covered = speech.saturating_sub(last * s.hop) as f64 / (s.window_frames * s.hop) as f64;
            if covered < min_coverage {
                starts.pop();
            }
        }
        starts
    }

    fn aligned_starts(&self, speech: usize, min_frames: usize) -> Vec<usize> {
        let s = &self.settings;
        // Centred frames: one at the first sample and one after every whole hop.
        let frames = speech / s.hop + 1;
        let last = frames.saturating_sub(s.window_frames);
        let mut starts: Vec<usize> = (0..=last).step_by(s.window_hop_frames).collect();
        let left_over = last - starts.last().copied().unwrap_or(0);
        if left_over >= min_frames.max(1) {
            starts.push(last);
        }
        starts
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
            let start = (at * self.settings.hop) as isize - (self.settings.n_fft / 2) as isize;
            let window = &self.window;
            let power = self.spectrum.of(|frame| {
                centred_frame(speech, start, frame);
                for (sample, weight) in frame.iter_mut().zip(window) {
                    *sample = *sample * gain * weight;
                }
            });
            for (value, energy) in row.iter_mut().zip(self.bands.energies(power)) {
                *value = energy;
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
        last_window: LastWindow::Pad { min_coverage: 0.75 },
    };

    #[test]
    fn there_is_always_a_window_and_neighbours_overlap() {
        let aligned = MelSettings {
            last_window: LastWindow::AlignEnd { min_frames: 20 },
            ..RESEMBLYZER
        };
        for front_end in [Ge2eMel::new(RESEMBLYZER), Ge2eMel::new(aligned)] {
            for speech in [0, 1, 100, 16_000, 25_600, 30_000, 48_000, 160_000, 163_841] {
                let windows = front_end.windows(speech);
                assert_eq!(windows[0].start, 0, "{speech} samples");
                for pair in windows.windows(2) {
                    assert!(
                        pair[0].start < pair[1].start && pair[1].start < pair[0].end,
                        "{speech} samples"
                    );
                }
            }
        }
    }

    #[test]
    fn aligned_windows_hear_all_of_the_speech_and_no_silence_after_it() {
        let settings = MelSettings {
            last_window: LastWindow::AlignEnd { min_frames: 20 },
            ..RESEMBLYZER
        };
        let front_end = Ge2eMel::new(settings);
        for speech in (25_600..200_000).step_by(1_777) {
            let end = front_end.windows(speech).last().map_or(0, |last| last.end);
            // The last frame is centred on the last whole hop: a window ends at most one hop beyond it.
            assert!(
                end <= speech + 160,
                "{speech} samples, the last window ends at {end}"
            );
            assert!(
                end + 20 * 160 > speech,
                "{speech} samples, the last window ends at {end}"
            );
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
