//! What the speech detector is fed: the line at 8 kHz, and a soft voice as loud as the loud one before it.

use crate::samples::quality::rms;

/// Samples in one window at 16 kHz: 32 ms.
pub const WINDOW: usize = 512;

/// Samples in one window as the model hears it, at 8 kHz.
pub(super) const FED: usize = WINDOW / 2;

/// Taps of the filter before every other sample is left out: 2.5 ms, of which the ends are zero.
const TAPS: usize = 41;

/// How loud the loudest window of late is made (RMS, -20 dB re full scale). Louder ones are left as they are.
const LOUD: f32 = 0.1;

/// The softest that is raised to it (-56 dB re full scale): 36 dB of gain at most, which the last bit of
/// mu-law does not reach.
const SOFT: f32 = 0.001_584_9;

/// What of the loudest level is left from one window to the next: it falls by 10 dB a second.
const DECAY: f32 = 0.963_829;

/// One stream's samples on their way to the model.
#[derive(Clone)]
pub(super) struct Feed {
    filter: [f32; TAPS],
    before: [f32; TAPS - 1],
    /// The RMS of the loudest window of late, falling.
    level: f32,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            filter: half_band(),
            before: [0.0; TAPS - 1],
            level: LOUD,
        }
    }

    /// The next window (16 kHz) as the model hears it, 1.25 ms late.
    ///
    /// The model remembers how loud a stream was: somebody at -65 dBFS whom it hears alone is not heard for
    /// half a minute after somebody at -20 dBFS.
    pub(super) fn next(&mut self, window: &[f32; WINDOW]) -> [f32; FED] {
        self.level = rms(window).max(self.level * DECAY).max(SOFT);
        let gain = (LOUD / self.level).max(1.0);
        let mut line = [0.0; TAPS - 1 + WINDOW];
        line[..TAPS - 1].copy_from_slice(&self.before);
        line[TAPS - 1..].copy_from_slice(window);
        self.before.copy_from_slice(&line[WINDOW..]);
        self.every_other(&line).map(|heard| gain * heard)
    }

    /// The filtered line, without every other sample. Tap by tap, over even and odd samples apart, so that each step is the same of
    /// many samples in a row, which processors do at once.
    fn every_other(&self, line: &[f32; TAPS - 1 + WINDOW]) -> [f32; FED] {
        let halves =
            [0, 1].map(|first| -> [f32; TAPS / 2 + FED] { std::array::from_fn(|at| line[2 * at + first]) });
        let mut heard = [0.0; FED];
        for (place, tap) in self.filter.iter().enumerate() {
            let samples = &halves[place % 2][place / 2..];
            for (sum, sample) in heard.iter_mut().zip(samples) {
                *sum += sample * tap;
            }
        }
        heard
    }
}

/// A low-pass at 4 kHz: a sinc under a Hann window, and 1 at 0 Hz.
fn half_band() -> [f32; TAPS] {
    let middle = (TAPS / 2) as f32;
    let taps: [f32; TAPS] = std::array::from_fn(|at| {
        let from = at as f32 - middle;
        let angle = std::f32::consts::FRAC_PI_2 * from;
        let sinc = if from == 0.0 { 1.0 } else { angle.sin() / angle };
        sinc * (0.5 + 0.5 * (std::f32::consts::PI * from / middle).cos())
    });
    let sum: f32 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32, level: f32, windows: usize) -> Vec<[f32; WINDOW]> {
        let sine = |at: usize| level * (std::f32::consts::TAU * hertz * at as f32 / 16_000.0).sin();
        (0..windows)
            .map(|window| std::array::from_fn(|at| sine(window * WINDOW + at)))
            .collect()
    }

    fn last_level(windows: &[[f32; WINDOW]]) -> f32 {
        let mut feed = Feed::new();
        windows
            .iter()
            .map(|window| rms(&feed.next(window)))
            .last()
            .unwrap()
    }

    #[test]
    fn what_8_khz_cannot_carry_is_not_folded_into_speech() {
        let (kept, folded) = (
            last_level(&tone(3_000.0, 0.5, 9)),
            last_level(&tone(5_500.0, 0.5, 9)),
        );
        assert!((kept / 0.353_55 - 1.0).abs() < 0.02, "{kept}");
        assert!(folded < 0.002 * kept, "{folded} of {kept}");
    }

    #[test]
    fn a_soft_voice_is_raised_within_seconds_and_a_loud_one_is_left_alone() {
        let loud = tone(1_000.0, 0.4, 60);
        let soft = tone(1_000.0, 0.004, 150);
        assert!((last_level(&loud) / 0.282_84 - 1.0).abs() < 0.02);
        let after = last_level(&[loud, soft].concat());
        assert!((after / LOUD - 1.0).abs() < 0.02, "{after}");
        let mut feed = Feed::new();
        let first = tone(1_000.0, 0.4, 1);
        assert!(
            rms(&feed.next(&first[0])) > 0.25,
            "nothing is raised before it is heard to be soft"
        );
    }

    #[test]
    fn silence_stays_silence() {
        assert_eq!(last_level(&vec![[0.0; WINDOW]; 300]), 0.0);
    }
}
