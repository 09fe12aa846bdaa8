//! Machine tones: what a telephone exchange and a keypad send is not speech.
//!
//! Call-progress tones (ITU-T E.180) and DTMF (ITU-T Q.23) are one or two pure sinusoids. Silero rejects
//! most of them; after companding and with noise, a burst now and then looks voiced to it. A voice has
//! moments like that too (a sung vowel on a narrow line), but never a whole stretch of them.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

use super::feed::WINDOW;
use crate::samples::RATE;

/// Share of a window's energy in its two strongest peaks from which it counts as tones. Of the voiced windows of
/// 161 callers and readers at most 19 % reach it, and 42 % of one high voice (at 0.97 it was 56 %, so she was never
/// heard); of DTMF, ring-back, busy, dial and special information tones, over mu-law and 25 dB above the noise, at
/// least 78 % do.
const TONAL_SHARE: f32 = 0.99;

/// Where exchanges and keypads send: the telephone's band (ITU-T G.712). Below it there is mains hum,
/// which is one pure sinusoid under many a voice recorded at home.
const BAND_HZ: std::ops::Range<usize> = 300..3_900;

/// Bins on either side of a peak that belong to it: the main lobe of a Hann window.
const LOBE: usize = 2;

/// Tells windows of tones from windows of anything else.
pub(super) struct ToneGate {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl ToneGate {
    pub(super) fn new() -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
        let step = std::f32::consts::TAU / WINDOW as f32;
        Self {
            hann: (0..WINDOW)
                .map(|at| 0.5 - 0.5 * (step * at as f32).cos())
                .collect(),
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Whether nearly all of the window's energy is in two sinusoids.
    pub(super) fn is_tonal(&mut self, window: &[f32; WINDOW]) -> bool {
        for ((value, sample), weight) in self.frame.iter_mut().zip(window).zip(&self.hann) {
            *value = sample * weight;
        }
        let done = self
            .fft
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
        debug_assert!(
            done.is_ok(),
            "the buffers come from the plan itself. This is a bug."
        );
        let bin_of = |hertz: usize| hertz * WINDOW / RATE.0 as usize;
        let band = &self.spectrum[bin_of(BAND_HZ.start)..bin_of(BAND_HZ.end)];
        let mut power: Vec<f32> = band.iter().map(|bin| bin.norm_sqr()).collect();
        let whole: f32 = power.iter().sum();
        let peaks = take_peak(&mut power) + take_peak(&mut power);
        whole > 0.0 && peaks >= TONAL_SHARE * whole
    }
}

/// The energy of the strongest peak, which is taken out.
fn take_peak(power: &mut [f32]) -> f32 {
    let strongest = power.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let Some(at) = strongest.map(|(at, _)| at) else {
        return 0.0;
    };
    let lobe = at.saturating_sub(LOBE)..(at + LOBE + 1).min(power.len());
    power[lobe].iter_mut().map(std::mem::take).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(sample: impl Fn(f32) -> f32) -> [f32; WINDOW] {
        std::array::from_fn(|at| sample(at as f32 / 16_000.0))
    }

    fn sine(hertz: f32, at: f32) -> f32 {
        0.3 * (std::f32::consts::TAU * hertz * at).sin()
    }

    #[test]
    fn every_key_of_the_pad_is_tones() {
        let mut gate = ToneGate::new();
        for low in [697.0, 770.0, 852.0, 941.0] {
            for high in [1209.0, 1336.0, 1477.0, 1633.0] {
                assert!(
                    gate.is_tonal(&window(|at| sine(low, at) + sine(high, at))),
                    "{low} + {high} Hz"
                );
            }
        }
    }

    #[test]
    fn mains_hum_under_a_voice_does_not_make_it_tones() {
        let mut gate = ToneGate::new();
        let voice = |at| {
            (1..12)
                .map(|harmonic| sine(130.0 * harmonic as f32, at))
                .sum::<f32>()
        };
        assert!(!gate.is_tonal(&window(|at| 0.05 * voice(at) + 2.0 * sine(60.0, at))));
    }

    #[test]
    fn a_high_voice_of_hardly_more_than_two_harmonics_is_not_tones() {
        let mut gate = ToneGate::new();
        let high = |at| sine(400.0, at) + 0.3 * sine(800.0, at) + 0.12 * sine(1_200.0, at);
        assert!(!gate.is_tonal(&window(high)));
        assert!(gate.is_tonal(&window(|at| sine(400.0, at) + 0.3 * sine(800.0, at))));
    }

    #[test]
    fn a_voice_with_harmonics_and_silence_are_not_tones() {
        let mut gate = ToneGate::new();
        let voice = window(|at| (1..12).map(|harmonic| sine(130.0 * harmonic as f32, at)).sum());
        assert!(!gate.is_tonal(&voice));
        assert!(!gate.is_tonal(&[0.0; WINDOW]));
    }
}
