//! What a room does: noise and reverberation.

use realfft::RealFftPlanner;

use super::super::rng::Rng;
use crate::samples::quality::rms;

/// Samples a second of everything here.
const RATE: f64 = 16_000.0;

/// Adds noise `snr_db` below the samples: a random stretch of a random recording, repeated when it is
/// short, or white Gaussian noise when there are no recordings. Silence stays silence.
pub(super) fn noisy(samples: &[f32], recordings: &[Vec<f32>], snr_db: f32, rng: &mut Rng) -> Vec<f32> {
    let noise: Vec<f32> = match recordings.get(rng.below(recordings.len())) {
        Some(recording) => {
            let from = rng.below(recording.len());
            recording
                .iter()
                .cycle()
                .skip(from)
                .take(samples.len())
                .copied()
                .collect()
        }
        None => samples.iter().map(|_| rng.normal() as f32).collect(),
    };
    let level = rms(&noise);
    let gain = if level > 0.0 {
        rms(samples) / level * 10f32.powf(-snr_db / 20.0)
    } else {
        0.0
    };
    samples
        .iter()
        .zip(&noise)
        .map(|(sample, noise)| sample + gain * noise)
        .collect()
}

/// Puts samples into a room: the direct sound, and after 5 ms an exponentially fading tail of noise (Polack's
/// model of late reverberation, 1988). It takes 0.2 to 0.8 s to fade by 60 dB and holds -6 to +3 dB of the
/// direct sound's energy; the level stays as it was.
pub(super) fn reverberant(samples: &[f32], rng: &mut Rng) -> Vec<f32> {
    let fading = 0.2 + 0.6 * rng.unit();
    let energy_db = -6.0 + 9.0 * rng.unit();
    let gap = (0.005 * RATE) as usize;
    let length = (fading * RATE) as usize;
    let mut tail: Vec<f64> = (0..length)
        .map(|at| rng.normal() * 10f64.powf(-3.0 * at as f64 / length as f64))
        .collect();
    let energy: f64 = tail.iter().map(|value| value * value).sum();
    let gain = (10f64.powf(energy_db / 10.0) / energy.max(f64::MIN_POSITIVE)).sqrt();
    for value in &mut tail {
        *value *= gain;
    }
    let mut response = vec![0.0f32; gap + length];
    response[0] = 1.0;
    for (place, value) in response[gap..].iter_mut().zip(&tail) {
        *place = *value as f32;
    }
    let mut heard = convolved(samples, &response);
    let (before, after) = (rms(samples), rms(&heard));
    if after > 0.0 {
        for sample in &mut heard {
            *sample *= before / after;
        }
    }
    heard
}

/// The first `samples.len()` samples of the convolution with `response`, in blocks (overlap-add).
fn convolved(samples: &[f32], response: &[f32]) -> Vec<f32> {
    let size = (2 * response.len()).next_power_of_two();
    let step = size - response.len() + 1;
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum_of = |part: &[f32]| {
        let (mut input, mut output) = (forward.make_input_vec(), forward.make_output_vec());
        input[..part.len()].copy_from_slice(part);
        // The sizes are the transform's own: it cannot refuse them.
        let done = forward.process(&mut input, &mut output);
        done.map_or_else(|_| forward.make_output_vec(), |()| output)
    };
    let filter = spectrum_of(response);
    let mut out = vec![0.0f32; samples.len() + size];
    let mut sound = inverse.make_output_vec();
    for (block, part) in samples.chunks(step).enumerate() {
        let mut spectrum = spectrum_of(part);
        spectrum
            .iter_mut()
            .zip(&filter)
            .for_each(|(bin, gain)| *bin *= gain);
        // Both ends of a real signal's spectrum are real; rounding must not say otherwise.
        let last = spectrum.len() - 1;
        (spectrum[0].im, spectrum[last].im) = (0.0, 0.0);
        if inverse.process(&mut spectrum, &mut sound).is_ok() {
            let place = &mut out[block * step..];
            place
                .iter_mut()
                .zip(&sound)
                .for_each(|(total, value)| *total += value / size as f32);
        }
    }
    out.truncate(samples.len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_convolution_is_convolution() {
        let mut rng = Rng::new(8);
        let samples: Vec<f32> = (0..700).map(|_| rng.normal() as f32).collect();
        let response: Vec<f32> = (0..90).map(|_| rng.normal() as f32).collect();
        let fast = convolved(&samples, &response);
        for at in [0, 1, 50, 89, 90, 300, 699] {
            let slow: f32 = (0..=at.min(89))
                .map(|tap| response[tap] * samples[at - tap])
                .sum();
            assert!((fast[at] - slow).abs() < 1e-3, "{at}: {} {slow}", fast[at]);
        }
    }

    #[test]
    fn a_room_keeps_the_level_and_rings_after_the_sound() {
        let mut click = vec![0.0f32; 16_000];
        click[100] = 0.5;
        let heard = reverberant(&click, &mut Rng::new(5));
        assert!((rms(&heard) / rms(&click) - 1.0).abs() < 1e-3);
        assert!(rms(&heard[200..1_000]) > 10.0 * rms(&heard[14_000..]));
        assert!(heard[..100].iter().all(|sample| sample.abs() < 1e-4));
    }

    #[test]
    fn recorded_noise_is_repeated_when_it_is_short_and_silence_gets_none() {
        let recording = vec![vec![0.1, -0.1]];
        let noisy_voice = noisy(&[0.5; 100], &recording, 0.0, &mut Rng::new(1));
        assert!(noisy_voice.iter().all(|sample| (sample.abs() - 0.5).abs() > 0.4));
        assert_eq!(noisy(&[0.0; 8], &recording, 0.0, &mut Rng::new(1)), [0.0; 8]);
    }
}
