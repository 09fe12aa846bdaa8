//! What a recording made by a machine gives away: sound that comes again exactly, silence that is nothing.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::RATE;

/// One sample in so many is compared: what is left after [`band`] needs no more.
const DECIMATION: usize = 2;

/// Samples of a piece that is looked for: a second.
const PIECE: usize = RATE.0 as usize / DECIMATION;

/// The most samples that are looked through: 15 s.
const MOST: usize = 15 * PIECE;

/// The correlation from which two seconds of sound are the same. Among 251 read utterances (LibriSpeech) no two
/// seconds of one come to more than 0.64; a sound against itself half a sample later keeps 0.84 at least.
const SAME: f32 = 0.75;

/// Pieces with less than this share of the mean energy are pauses: they are alike in all recordings.
const LOUD: f64 = 0.25;

/// Whether a second of this speech (16 kHz) comes again in its first quarter of a minute, sample for sample:
/// nobody says anything twice alike, a loop does nothing else.
pub fn comes_again(speech: &[f32]) -> bool {
    // Half a sample more than is kept, for the averages at its edges.
    let heard = &speech[..speech.len().min(MOST * DECIMATION + WIDE)];
    let coarse = band(heard);
    coarse.len() >= 2 * PIECE && repeats(&coarse).unwrap_or(false)
}

/// Samples of the shorter and of the longer moving average.
const NARROW: usize = 8;
const WIDE: usize = 64;

/// The band of about 250 Hz to 1 kHz, at 8 kHz: the difference of two moving averages. Hum is below it, and
/// above it sound changes so fast that a loop of an odd number of samples would not be known again.
fn band(samples: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0f64];
    for sample in samples {
        sums.push(sums[sums.len() - 1] + f64::from(*sample));
    }
    let mean = |from: usize, width: usize| (sums[from + width] - sums[from]) / width as f64;
    let inner = (WIDE - NARROW) / 2;
    (0..(samples.len() + 1).saturating_sub(WIDE))
        .step_by(DECIMATION)
        .map(|from| (mean(from + inner, NARROW) - mean(from, WIDE)) as f32)
        .take(MOST)
        .collect()
}

/// `None` when a transform fails, which it does for wrong lengths alone.
fn repeats(coarse: &[f32]) -> Option<bool> {
    let length = (coarse.len() + PIECE).next_power_of_two();
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, backward) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let spectrum = |samples: &[f32]| -> Option<Vec<Complex<f32>>> {
        let (mut input, mut output) = (forward.make_input_vec(), forward.make_output_vec());
        input[..samples.len()].copy_from_slice(samples);
        forward.process(&mut input, &mut output).ok()?;
        Some(output)
    };
    let whole = spectrum(coarse)?;
    let energies = energies(coarse);
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    let loud = |at: usize| energies[at] > 0.0 && energies[at] >= LOUD * mean;
    let starts = (0..energies.len().saturating_sub(PIECE)).step_by(PIECE);
    for start in starts.filter(|start| loud(*start)) {
        let piece = spectrum(&coarse[start..start + PIECE])?;
        let mut product: Vec<Complex<f32>> = whole.iter().zip(&piece).map(|(a, b)| a * b.conj()).collect();
        // Both ends of the spectrum of a real signal are real; rounding leaves a little beside them.
        let last = product.len() - 1;
        for end in [0, last] {
            product[end].im = 0.0;
        }
        let mut found = backward.make_output_vec();
        backward.process(&mut product, &mut found).ok()?;
        let alike = |at: usize| {
            let scale = (energies[start] * energies[at]).sqrt() as f32 * length as f32;
            loud(at) && found[at] > SAME * scale
        };
        // Later ones that do not overlap it: every pair is met once.
        if (start + PIECE..energies.len()).any(alike) {
            return Some(true);
        }
    }
    Some(false)
}

/// The energy of each piece, by where it begins.
fn energies(samples: &[f32]) -> Vec<f64> {
    let square = |sample: &f32| f64::from(*sample).powi(2);
    let mut energy: f64 = samples[..PIECE].iter().map(square).sum();
    let mut energies = vec![energy];
    for (left, joined) in samples.iter().zip(&samples[PIECE..]) {
        energy = (energy + square(joined) - square(left)).max(0.0);
        energies.push(energy);
    }
    energies
}

/// Counts how much of a stream is nothing at all: zeros for 20 ms and more, as no microphone gives them.
#[derive(Debug, Clone, Copy, Default)]
pub struct DigitalSilence {
    heard: usize,
    silent: usize,
    run: usize,
}

impl DigitalSilence {
    /// Takes the next samples at 16 kHz.
    pub fn push(&mut self, samples: &[f32]) {
        const SHORTEST: usize = 320;
        self.heard += samples.len();
        for sample in samples {
            if *sample == 0.0 {
                self.run += 1;
                self.silent += match self.run {
                    SHORTEST => SHORTEST,
                    run if run > SHORTEST => 1,
                    _ => 0,
                };
            } else {
                self.run = 0;
            }
        }
    }

    /// Its share of what was pushed, 0 to 1.
    pub fn share(&self) -> f64 {
        self.silent as f64 / self.heard.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that never comes again, the same each time.
    fn noise(samples: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut before = 0.0;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Smoothed, so that decimation leaves something of it.
            before = 0.8 * before + 0.2 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0);
            before
        };
        (0..samples).map(next).collect()
    }

    #[test]
    fn a_loop_is_found_and_sound_that_goes_on_is_not() {
        assert!(!comes_again(&noise(10 * 16_000)));
        let once = noise(3 * 16_000 + 1_234);
        let looped = [&once[..], &once[..], &once[..]].concat();
        assert!(comes_again(&looped));
        let quieter: Vec<f32> = once.iter().map(|sample| 0.6 * sample).collect();
        assert!(
            comes_again(&[&once[..], &quieter[..]].concat()),
            "whatever its level"
        );
        for short in [0, 100, 16_000, 31_999] {
            assert!(!comes_again(&looped[..short]));
        }
        assert!(!comes_again(&[0.0; 64_000]), "silence is not a loop");
    }

    #[test]
    fn only_long_runs_of_zeros_are_digital_silence_however_they_are_cut() {
        let mut counted = DigitalSilence::default();
        let stream = [
            vec![0.1; 1_000],
            vec![0.0; 1_000],
            vec![0.1],
            vec![0.0; 319],
            vec![0.1; 680],
        ]
        .concat();
        for piece in stream.chunks(77) {
            counted.push(piece);
        }
        assert_eq!(counted.share(), 1_000.0 / 3_000.0);
        assert_eq!(DigitalSilence::default().share(), 0.0);
    }
}
