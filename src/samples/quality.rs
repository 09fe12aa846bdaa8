//! What can be said of a recording before anybody is recognised in it.
//!
//! All measures take 16 kHz mono samples with full scale at 1.

use std::f32::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::RATE;

/// The root mean square, 0 to 1: a full-scale sine has 0.707. Nothing has 0.
pub fn rms(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let power = samples
        .iter()
        .map(|&sample| f64::from(sample).powi(2))
        .sum::<f64>();
    (power / samples.len() as f64).sqrt() as f32
}

/// An amplitude in dB relative to full scale, never below -120: 1 is 0 dB, 0.1 is -20 dB.
pub fn dbfs(amplitude: f32) -> f32 {
    20.0 * amplitude.max(1e-6).log10()
}

/// The samples brought to a level in dB relative to full scale; silence stays silence.
pub fn levelled(samples: &[f32], level_dbfs: f32) -> Vec<f32> {
    let now = rms(samples);
    let gain = if now > 0.0 {
        10f32.powf(level_dbfs / 20.0) / now
    } else {
        1.0
    };
    samples.iter().map(|sample| sample * gain).collect()
}

/// The share of samples at the end of the scale, 0 to 1. A thousandth is audible, a hundredth harms
/// recognition.
///
/// The end of the scale is 0.975: mu-law ends at 32124 / 32768 = 0.980, A-law at 0.984, PCM at 1, and
/// resampling blurs all of them a little.
pub fn clipping(samples: &[f32]) -> f32 {
    share(clipped(samples), samples.len())
}

fn clipped(samples: &[f32]) -> usize {
    const END_OF_SCALE: f32 = 0.975;
    samples
        .iter()
        .filter(|sample| sample.abs() >= END_OF_SCALE)
        .count()
}

fn share(part: usize, all: usize) -> f32 {
    if all == 0 { 0.0 } else { part as f32 / all as f32 }
}

/// What lies above 4 kHz: what tells a wide-band recording from a telephone call, however that was brought to 16 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HighBand {
    /// Its share of the energy, 0 to 1. What a good resampler leaves there of a telephone call is under 1e-5. Silence
    /// has 0.
    pub share: f32,
    /// How much of it is a mirror image of what lies below, 0 to 1: the magnitude-squared coherence of each frequency f
    /// and 8 kHz - f, weighed by the energy above. Interpolating by straight lines or repeating samples leaves such
    /// an image, of 0.3 with noise or 8 bits on top and of 1 without; 176 wide-band readers have at most 0.07.
    pub mirrored: f32,
}

/// What lies above 4 kHz in a recording, by 32-ms Hann windows, half overlapped; fewer samples than one window have
/// nothing.
pub fn high_band(samples: &[f32]) -> HighBand {
    let mut meter = QualityMeter::default();
    meter.push(samples);
    meter.high_band()
}

/// Samples of a window of the measurement, and from one to the next.
const WINDOW: usize = 512;
const STEP: usize = WINDOW / 2;
/// The bin of 4 kHz, and the first above it: two bins of a Hann window's main lobe belong to the band below.
const MIDDLE: usize = WINDOW * 4_000 / RATE.0 as usize;
const FIRST_HIGH: usize = MIDDLE + 2;

/// [`high_band`] and [`clipping`] of samples that become more: each is looked at once.
pub struct QualityMeter {
    transform: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// The samples that the next window begins with.
    begun: Vec<f32>,
    whole: f64,
    pairs: Vec<MirrorPair>,
    samples: usize,
    clipped: usize,
}

impl Default for QualityMeter {
    fn default() -> Self {
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
        Self {
            hann: (0..WINDOW)
                .map(|n| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos())
                .collect(),
            frame: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
            begun: Vec::with_capacity(WINDOW),
            whole: 0.0,
            pairs: vec![MirrorPair::default(); WINDOW / 2 - FIRST_HIGH],
            samples: 0,
            clipped: 0,
        }
    }
}

impl QualityMeter {
    /// Takes the next samples.
    pub fn push(&mut self, mut samples: &[f32]) {
        self.samples += samples.len();
        self.clipped += clipped(samples);
        while !samples.is_empty() {
            let (taken, rest) = samples.split_at(samples.len().min(WINDOW - self.begun.len()));
            self.begun.extend_from_slice(taken);
            samples = rest;
            if self.begun.len() == WINDOW {
                self.window();
                self.begun.drain(..STEP);
            }
        }
    }

    fn window(&mut self) {
        for ((value, sample), weight) in self.frame.iter_mut().zip(&self.begun).zip(&self.hann) {
            *value = sample * weight;
        }
        let (frame, spectrum) = (&mut self.frame, &mut self.spectrum);
        let done = self
            .transform
            .process_with_scratch(frame, spectrum, &mut self.scratch);
        if done.is_err() {
            return;
        }
        self.whole += spectrum.iter().map(|bin| f64::from(bin.norm_sqr())).sum::<f64>();
        let below = spectrum[..=(2 * MIDDLE - FIRST_HIGH)].iter().rev();
        for ((pair, above), below) in self.pairs.iter_mut().zip(&spectrum[FIRST_HIGH..]).zip(below) {
            pair.add(*above, *below);
        }
    }

    /// How many samples there were.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The share of them at the end of the scale, as [`clipping`] has it.
    pub fn clipping(&self) -> f32 {
        share(self.clipped, self.samples)
    }

    /// What lies above 4 kHz in all of them.
    pub fn high_band(&self) -> HighBand {
        let high: f64 = self.pairs.iter().map(|pair| pair.above).sum();
        if self.whole <= 0.0 || high <= 0.0 {
            return HighBand::default();
        }
        let mirrored: f64 = self.pairs.iter().map(|pair| pair.above * pair.coherence()).sum();
        HighBand {
            share: (high / self.whole) as f32,
            mirrored: (mirrored / high) as f32,
        }
    }
}

/// A frequency above 4 kHz and its mirror below, over a recording.
#[derive(Debug, Clone, Copy, Default)]
struct MirrorPair {
    above: f64,
    below: f64,
    cross: Complex<f64>,
}

impl MirrorPair {
    /// An image by repetition has the conjugate phase of what it mirrors, so the plain product of the two keeps still.
    fn add(&mut self, above: Complex<f32>, below: Complex<f32>) {
        self.above += f64::from(above.norm_sqr());
        self.below += f64::from(below.norm_sqr());
        let product = above * below;
        self.cross += Complex::new(f64::from(product.re), f64::from(product.im));
    }

    fn coherence(&self) -> f64 {
        let both = self.above * self.below;
        if both > 0.0 {
            self.cross.norm_sqr() / both
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32, level: f32) -> Vec<f32> {
        (0..16_000)
            .map(|n| level * (TAU * hertz * n as f32 / 16_000.0).sin())
            .collect()
    }

    #[test]
    fn a_full_scale_sine_has_minus_three_decibels() {
        assert!((dbfs(rms(&tone(1_000.0, 1.0))) + 3.01).abs() < 0.01);
        assert_eq!((rms(&[]), dbfs(0.0)), (0.0, -120.0));
    }

    #[test]
    fn levelling_makes_loud_and_quiet_alike_and_leaves_silence_alone() {
        for level in [0.001, 0.1, 0.9] {
            assert!((dbfs(rms(&levelled(&tone(440.0, level), -30.0))) + 30.0).abs() < 0.01);
        }
        assert_eq!(levelled(&[0.0; 4], -30.0), [0.0; 4]);
    }

    #[test]
    fn clipping_counts_the_samples_at_the_end_of_the_scale() {
        assert_eq!(clipping(&[0.0, 0.98, -1.0, 0.5]), 0.5);
        assert_eq!(clipping(&tone(440.0, 0.9)), 0.0);
        assert_eq!(clipping(&[]), 0.0);
    }

    #[test]
    fn the_high_band_share_splits_at_four_kilohertz() {
        assert!(high_band(&tone(3_300.0, 0.5)).share < 1e-6);
        assert!(high_band(&tone(5_000.0, 0.5)).share > 0.999);
        let both: Vec<f32> = tone(1_000.0, 0.5)
            .iter()
            .zip(tone(6_000.0, 0.5))
            .map(|(a, b)| a + b)
            .collect();
        assert!((high_band(&both).share - 0.5).abs() < 0.01);
        assert_eq!(high_band(&[0.0; 4_000]), HighBand::default());
        assert_eq!(high_band(&[0.3; 10]), HighBand::default());
    }

    #[test]
    fn samples_that_become_more_have_the_high_band_of_all_of_them() {
        let samples = [tone(900.0, 0.5), tone(5_000.0, 0.1)].concat();
        let (mut meter, mut before) = (QualityMeter::default(), 0);
        for heard in [0, 300, 511, 512, 5_000, 5_001, 30_000, samples.len()] {
            meter.push(&samples[before..heard]);
            before = heard;
            assert_eq!(meter.high_band(), high_band(&samples[..heard]), "{heard} samples");
            assert_eq!(meter.clipping(), clipping(&samples[..heard]), "{heard} samples");
            assert_eq!(meter.samples(), heard);
        }
    }

    #[test]
    fn what_cheap_upsampling_leaves_above_is_known_for_a_mirror_image() {
        // A generator of noise without a seed to agree on: Numerical Recipes' linear congruence.
        let mut state = 1u32;
        let mut noise = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let line: Vec<f32> = (0..8_000).map(|_| 0.3 * noise()).collect();
        let repeated: Vec<f32> = line.iter().flat_map(|sample| [*sample, *sample]).collect();
        let straight: Vec<f32> = line
            .windows(2)
            .flat_map(|pair| [pair[0], f32::midpoint(pair[0], pair[1])])
            .collect();
        for upsampled in [repeated, straight] {
            let band = high_band(&upsampled);
            assert!(band.share > 1e-2 && band.mirrored > 0.99, "{band:?}");
        }
        let wide: Vec<f32> = (0..16_000).map(|_| 0.3 * noise()).collect();
        assert!(high_band(&wide).mirrored < 0.05);
    }
}
