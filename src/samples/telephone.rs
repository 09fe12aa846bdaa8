//! The `phone` condition of measurements: what a telephone leaves of a voice.

use std::f64::consts::PI;

use super::RATE;
use super::resample::Converter;
use crate::bytes::g711::{alaw_decode, alaw_encode, mulaw_decode, mulaw_encode};
use crate::units::Hertz;

/// The rate of the telephone network.
const NETWORK_RATE: Hertz = Hertz(8_000);

/// Puts 16 kHz samples through a simulated telephone: to 8 kHz, the voice band of 300 to 3400 Hz,
/// mu-law there and back, to 16 kHz. As many samples come out as went in, at the same times, and the
/// same ones every time.
///
/// The band is that of ITU-T G.712 (300 to 3400 Hz between four-wire ports), made steeper than its
/// template asks for: flat within 0.05 dB inside it. Levels are kept, and what is louder than mu-law can say clips.
pub fn telephone(samples: &[f32]) -> Vec<f32> {
    over_the_network(samples, through_mulaw)
}

/// As [`telephone()`], over a line that speaks A-law, as most of the world's do.
pub fn telephone_alaw(samples: &[f32]) -> Vec<f32> {
    over_the_network(samples, through_alaw)
}

fn over_the_network(samples: &[f32], coded: fn(f32) -> f32) -> Vec<f32> {
    let mut line = to_the_network(samples);
    for sample in &mut line {
        *sample = coded(*sample);
    }
    from_the_network(&line, samples.len())
}

/// The first half of every telephone: 16 kHz samples at the 8 kHz of the network, in its voice band.
pub fn to_the_network(samples: &[f32]) -> Vec<f32> {
    convolve_centred(&convert(samples, RATE, NETWORK_RATE), &band_pass())
}

/// The second half: what the network brings, at 16 kHz again, and of it the first `length` samples (an odd
/// number is rounded up on its way through half the rate).
pub fn from_the_network(line: &[f32], length: usize) -> Vec<f32> {
    let mut heard = convert(line, NETWORK_RATE, RATE);
    heard.truncate(length);
    heard
}

fn convert(samples: &[f32], from: Hertz, to: Hertz) -> Vec<f32> {
    let mut converter = Converter::new(from, to).expect("16 kHz and 8 kHz convert into each other");
    let mut out = Vec::with_capacity(samples.len() * to.0 as usize / from.0 as usize + 1);
    converter.push(samples, &mut out);
    converter.finish(&mut out);
    out
}

fn through_mulaw(sample: f32) -> f32 {
    // `as` saturates, which is the clipping of a line.
    let linear = (sample * 32_768.0).round() as i16;
    f32::from(mulaw_decode(mulaw_encode(linear))) / 32_768.0
}

fn through_alaw(sample: f32) -> f32 {
    let linear = (sample * 32_768.0).round() as i16;
    f32::from(alaw_decode(alaw_encode(linear))) / 32_768.0
}

/// The voice band at 8 kHz: a linear-phase band-pass of 19.5 ms (157 taps), the difference of
/// two ideal low-passes at 3475 and 225 Hz under a Kaiser window of beta 4.55 (Oppenheim and Schafer,
/// "Discrete-Time Signal Processing", section 7.6: 50 dB, transitions of 150 Hz). Flat within 0.05 dB
/// from 300 to 3400 Hz, 49 dB down below 150 and above 3550 Hz.
fn band_pass() -> Vec<f32> {
    const BETA: f64 = 4.55;
    let low_pass = |hertz: f64, n: f64| {
        let cycles = 2.0 * hertz / f64::from(NETWORK_RATE.0);
        if n == 0.0 {
            cycles
        } else {
            (PI * cycles * n).sin() / (PI * n)
        }
    };
    // Taps on either side of the middle one.
    let reach = 78.0f64;
    (0..=2 * reach as usize)
        .map(|tap| {
            let n = tap as f64 - reach;
            let window = bessel_i0(BETA * (1.0 - (n / reach).powi(2)).sqrt()) / bessel_i0(BETA);
            (window * (low_pass(3_475.0, n) - low_pass(225.0, n))) as f32
        })
        .collect()
}

/// The modified Bessel function of the first kind and order 0, by its power series (DLMF 10.25.2):
/// 20 terms are exact to double precision for the arguments of a Kaiser window.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let terms = (1..=20).scan(1.0, |term, k| {
        *term *= quarter / f64::from(k * k);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

/// Convolution without delay: the middle tap falls on the sample, silence lies beyond the ends.
fn convolve_centred(samples: &[f32], taps: &[f32]) -> Vec<f32> {
    /// Outputs worked on at a time: few enough to stay in the processor's nearest cache.
    const BLOCK: usize = 2_048;
    let reach = taps.len() / 2;
    let mut padded = vec![0.0; samples.len() + 2 * reach];
    padded[reach..reach + samples.len()].copy_from_slice(samples);
    let mut out = vec![0.0; samples.len()];
    for (block, outputs) in out.chunks_mut(BLOCK).enumerate() {
        let inputs = &padded[block * BLOCK..];
        // Tap by tap over many outputs, which a processor does several at a time; the taps are symmetric,
        // so running over them forwards is convolution.
        for (delay, tap) in taps.iter().enumerate() {
            for (output, input) in outputs.iter_mut().zip(&inputs[delay..]) {
                *output += input * tap;
            }
        }
    }
    zeroize::Zeroize::zeroize(&mut padded);
    out
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::samples::quality::{high_band_share, rms};

    fn tone(hertz: f64, level: f64, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| (level * (TAU * hertz * n as f64 / 16_000.0).sin()) as f32)
            .collect()
    }

    /// The gain in dB at a frequency, away from the ends.
    fn gain(hertz: f64) -> f64 {
        let sent = tone(hertz, 0.5, 16_000);
        let heard = telephone(&sent);
        20.0 * f64::from(rms(&heard[2_000..14_000]) / rms(&sent[2_000..14_000])).log10()
    }

    #[test]
    fn the_voice_band_passes_and_the_rest_does_not() {
        for hertz in [300.0, 503.7, 1_013.3, 2_011.9, 3_017.1, 3_400.0] {
            assert!(gain(hertz).abs() < 0.1, "{hertz} Hz: {} dB", gain(hertz));
        }
        for hertz in [50.0, 100.0, 150.0, 3_560.0, 4_500.0, 6_000.0] {
            assert!(gain(hertz) < -45.0, "{hertz} Hz: {} dB", gain(hertz));
        }
    }

    #[test]
    fn a_tone_is_heard_when_it_was_sent_with_no_more_noise_than_mu_law_makes() {
        let sent = tone(1_013.3, 0.5, 16_000);
        let heard = telephone(&sent);
        let noise: Vec<f32> = sent.iter().zip(&heard).map(|(a, b)| a - b).collect();
        let snr = 20.0 * f64::from(rms(&sent[2_000..14_000]) / rms(&noise[2_000..14_000])).log10();
        // Mu-law gives about 38 dB; a delay of one sample would leave 8 dB.
        assert!((35.0..45.0).contains(&snr), "{snr} dB");
    }

    #[test]
    fn the_two_laws_of_the_telephone_differ_by_their_noise_alone() {
        let sent = tone(1_013.3, 0.5, 16_000);
        let (mu, a) = (telephone(&sent), telephone_alaw(&sent));
        let apart: Vec<f32> = mu.iter().zip(&a).map(|(mu, a)| mu - a).collect();
        assert!((0.001..0.02).contains(&rms(&apart[2_000..14_000])));
    }

    #[test]
    fn the_length_is_kept_and_nothing_is_added_above_four_kilohertz() {
        for samples in [0, 1, 2, 3, 999, 16_001] {
            assert_eq!(telephone(&tone(700.0, 0.3, samples)).len(), samples);
        }
        assert!(high_band_share(&telephone(&tone(3_300.0, 0.9, 16_000))) < 1e-4);
    }

    #[test]
    fn silence_stays_silence_and_loudness_clips() {
        assert!(telephone(&[0.0; 4_000]).iter().all(|&sample| sample == 0.0));
        let loud = telephone(&tone(1_000.0, 4.0, 16_000));
        assert!(loud.iter().all(|sample| sample.abs() < 1.4));
    }
}
