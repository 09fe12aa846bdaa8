//! What all spectral front ends share: frames of a signal, their power spectrum, sparse mel filters.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

/// The power spectrum of one frame at a time, with its plan and buffers; nothing is allocated per frame.
pub(super) struct PowerSpectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    power: Vec<f32>,
}

impl PowerSpectrum {
    /// Plans for frames of `n_fft` samples.
    pub(super) fn new(n_fft: usize) -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(n_fft);
        Self {
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; n_fft / 2 + 1],
            fft,
        }
    }

    /// |FFT|^2, unscaled, of the samples that `fill` writes: `n_fft / 2 + 1` values. `fill` is given
    /// `n_fft` samples of leftovers and must write all of them.
    pub(super) fn of(&mut self, fill: impl FnOnce(&mut [f32])) -> &[f32] {
        fill(&mut self.frame);
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
        &self.power
    }
}

/// Overlapping filters over the bins of a spectrum, each kept only where it is not zero.
pub(super) struct Bands {
    bands: Vec<Band>,
    weights: Vec<f32>,
}

/// Where a band begins in the spectrum, and where its weights lie.
struct Band {
    first: usize,
    weights: std::ops::Range<usize>,
}

impl Bands {
    /// `count` filters over `bins` bins, where `weight(band, bin)` is not negative and is positive in one
    /// unbroken span of bins.
    pub(super) fn new(count: usize, bins: usize, weight: impl Fn(usize, usize) -> f64) -> Self {
        let mut all = Self {
            bands: Vec::with_capacity(count),
            weights: Vec::new(),
        };
        for band in 0..count {
            let begin = all.weights.len();
            let mut first = 0;
            for (bin, weight) in (0..bins).map(|bin| (bin, weight(band, bin))) {
                if weight > 0.0 {
                    if all.weights.len() == begin {
                        first = bin;
                    }
                    all.weights.push(weight as f32);
                }
            }
            all.bands.push(Band {
                first,
                weights: begin..all.weights.len(),
            });
        }
        all
    }

    /// Triangles between neighbouring `edges` (Hz; two more than there are bands) over the bins of an
    /// FFT, each scaled to the same area: Slaney's normalisation (Auditory Toolbox, 1998).
    pub(super) fn slaney(edges: &[f64], bins: usize, bin_hz: f64) -> Self {
        Self::new(edges.len().saturating_sub(2), bins, |band, bin| {
            let (left, centre, right) = (edges[band], edges[band + 1], edges[band + 2]);
            let hz = bin as f64 * bin_hz;
            let slope = ((hz - left) / (centre - left)).min((right - hz) / (right - centre));
            slope.max(0.0) * 2.0 / (right - left)
        })
    }

    /// The energy of `power` in each band, in order.
    pub(super) fn energies<'a>(&'a self, power: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.bands.iter().map(|band| {
            let weights = &self.weights[band.weights.clone()];
            let bins = &power[band.first..band.first + weights.len()];
            bins.iter()
                .zip(weights)
                .map(|(power, weight)| power * weight)
                .sum()
        })
    }
}

/// `count` + 2 points from `low` to `high` Hz, evenly spaced on Slaney's mel scale (Auditory Toolbox,
/// 1998): linear below 1 kHz, logarithmic above.
pub(super) fn slaney_edges(count: usize, low: f64, high: f64) -> Vec<f64> {
    edges(count, slaney_mel(low), slaney_mel(high), slaney_hz)
}

/// `count` + 2 points evenly spaced from `low` to `high` on a scale, taken back by `to_hz`.
pub(super) fn edges(count: usize, low: f64, high: f64, to_hz: impl Fn(f64) -> f64) -> Vec<f64> {
    let steps = (count + 1) as f64;
    (0..count + 2)
        .map(|at| to_hz(low + (high - low) * at as f64 / steps))
        .collect()
}

fn slaney_mel(hz: f64) -> f64 {
    let linear = hz / (200.0 / 3.0);
    if hz < 1000.0 {
        linear
    } else {
        15.0 + (hz / 1000.0).ln() / (6.4f64.ln() / 27.0)
    }
}

fn slaney_hz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * (200.0 / 3.0)
    } else {
        1000.0 * ((mel - 15.0) * (6.4f64.ln() / 27.0)).exp()
    }
}

/// A raised cosine, `a - (1 - a) cos(2 pi n / period)`, of `length` samples: the Hann window with
/// a = 0.5, Hamming's with 0.54. With the length as its period it is periodic, as is right for spectra;
/// with one less it is symmetric.
pub(super) fn raised_cosine(a: f64, length: usize, period: usize) -> impl Iterator<Item = f64> {
    let step = std::f64::consts::TAU / period as f64;
    (0..length).map(move |at| a - (1.0 - a) * (step * at as f64).cos())
}

/// The frame of `frame.len()` samples that begins at `start`, before the first sample and after the last
/// of `samples` silence.
pub(super) fn centred_frame(samples: &[f32], start: isize, frame: &mut [f32]) {
    let length = frame.len() as isize;
    let (from, to) = (
        start.clamp(0, samples.len() as isize),
        (start + length).clamp(0, samples.len() as isize),
    );
    let inside = (from - start).clamp(0, length) as usize..(to - start).clamp(0, length) as usize;
    frame[..inside.start].fill(0.0);
    frame[inside.end..].fill(0.0);
    frame[inside].copy_from_slice(&samples[from as usize..to as usize]);
}

/// The larger of a value and a floor. Unlike `f32::max` it lets NaN through: what is no number must not come
/// out as silence.
pub(super) fn at_least(floor: f32, value: f32) -> f32 {
    if value < floor { floor } else { value }
}
