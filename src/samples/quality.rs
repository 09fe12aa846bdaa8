//! What can be said of a recording before anybody is recognised in it.
//!
//! All measures take 16 kHz mono samples with full scale at 1.

use std::f32::consts::TAU;

use realfft::RealFftPlanner;

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
    const END_OF_SCALE: f32 = 0.975;
    if samples.is_empty() {
        return 0.0;
    }
    let clipped = samples
        .iter()
        .filter(|sample| sample.abs() >= END_OF_SCALE)
        .count();
    clipped as f32 / samples.len() as f32
}

/// The share of the energy that lies above 4 kHz, 0 to 1: what tells a wide-band recording from a
/// telephone call, whose share is nought but for leakage (under 1e-5). Silence has 0.
///
/// By the periodogram of 32-ms Hann windows, half overlapped, summed over the recording; fewer
/// samples than one window have 0.
pub fn high_band_share(samples: &[f32]) -> f32 {
    const WINDOW: usize = 512;
    // Two bins of a Hann window's main lobe belong to the band below.
    const FIRST_HIGH: usize = WINDOW * 4_000 / RATE.0 as usize + 2;
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let hann: Vec<f32> = (0..WINDOW)
        .map(|n| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos())
        .collect();
    let (mut frame, mut spectrum) = (transform.make_input_vec(), transform.make_output_vec());
    let (mut high, mut whole) = (0.0f64, 0.0f64);
    for window in samples.windows(WINDOW).step_by(WINDOW / 2) {
        for ((value, sample), weight) in frame.iter_mut().zip(window).zip(&hann) {
            *value = sample * weight;
        }
        if transform.process(&mut frame, &mut spectrum).is_err() {
            continue;
        }
        let power = |bins: &[realfft::num_complex::Complex<f32>]| {
            bins.iter().map(|bin| f64::from(bin.norm_sqr())).sum::<f64>()
        };
        high += power(&spectrum[FIRST_HIGH..]);
        whole += power(&spectrum);
    }
    if whole > 0.0 { (high / whole) as f32 } else { 0.0 }
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
        assert!(high_band_share(&tone(3_300.0, 0.5)) < 1e-6);
        assert!(high_band_share(&tone(5_000.0, 0.5)) > 0.999);
        let both: Vec<f32> = tone(1_000.0, 0.5)
            .iter()
            .zip(tone(6_000.0, 0.5))
            .map(|(a, b)| a + b)
            .collect();
        assert!((high_band_share(&both) - 0.5).abs() < 0.01);
        assert_eq!(high_band_share(&[0.0; 4_000]), 0.0);
        assert_eq!(high_band_share(&[0.3; 10]), 0.0);
    }
}
