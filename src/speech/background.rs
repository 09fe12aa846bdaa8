//! How loud the line is where nobody speaks: what a voice stands above.
//!
//! Of steady noise it is the mean power. A moment that is much louder than the rest (a door, a cough, a word's end that was taken
//! for none) is not the line; nor is what a machine sends, a key or a tone, nor silence that somebody put in, as over an
//! assistant's words.

/// Windows are counted by their level: this many steps of 1 dB, from this level (dB re full scale) on.
const STEPS: usize = 104;
const SOFTEST_DB: f64 = -100.0;

/// Below this power there is nothing: -100 dB re full scale, 10 dB below the last bit of 16.
const NOTHING: f64 = 1e-10;

/// What is louder than the median window by more than so many dB is a moment. Of rain, the sea, an engine and a saw (ESC-10, under
/// three real calls at 0, 3 and 10 dB) the middle ratio is the same as by the mean of all, and that of rain always.
const MOMENT_DB: usize = 15;

/// Windows of about one level.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    windows: u64,
    power: f64,
}

/// The background of one stream, taken window by window.
pub(super) struct Background {
    steps: [Step; STEPS],
    /// The last window's power, where it counts if the next one is the line's as well.
    waiting: Option<f64>,
    /// Whether the last window was a machine's.
    was_machine: bool,
}

impl Background {
    pub(super) fn new() -> Self {
        Self {
            steps: [Step::default(); STEPS],
            waiting: None,
            was_machine: false,
        }
    }

    /// Takes the next window's mean power: whether nobody speaks in it, and whether it is nothing but tones. Beside what a machine
    /// made there are windows that hold a part of it, which do not count either.
    pub(super) fn take(&mut self, power: f64, is_quiet: bool, is_tonal: bool) {
        let is_machine = is_tonal || power < NOTHING;
        if let Some(before) = self.waiting.take()
            && !is_machine
        {
            self.count(before);
        }
        if is_quiet && !is_machine && !self.was_machine {
            self.waiting = Some(power);
        }
        self.was_machine = is_machine;
    }

    /// Ends the stream.
    pub(super) fn finish(&mut self) {
        if let Some(last) = self.waiting.take() {
            self.count(last);
        }
    }

    fn count(&mut self, power: f64) {
        let above = (10.0 * power.log10() - SOFTEST_DB).max(0.0);
        let step = &mut self.steps[(above as usize).min(STEPS - 1)];
        step.windows += 1;
        step.power += power;
    }

    /// The mean power (full scale is 1) of all that counts but loud moments; `None` while there is nothing.
    pub(super) fn power(&self) -> Option<f64> {
        let all: u64 = self.steps.iter().map(|step| step.windows).sum();
        let mut softer = 0;
        let median = self.steps.iter().position(|step| {
            softer += step.windows;
            softer * 2 >= all && softer > 0
        })?;
        let line = &self.steps[..=(median + MOMENT_DB).min(STEPS - 1)];
        let windows: u64 = line.iter().map(|step| step.windows).sum();
        let power: f64 = line.iter().map(|step| step.power).sum();
        Some(power / windows as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: bool = true;

    /// The background of these windows: power, and whether they are tones.
    fn of(windows: &[(f64, bool)]) -> Option<f64> {
        let mut background = Background::new();
        for (power, is_tonal) in windows {
            background.take(*power, QUIET, *is_tonal);
        }
        background.finish();
        background.power()
    }

    /// Steady noise: windows that differ by some tenths of a dB.
    fn noise(windows: usize) -> Vec<(f64, bool)> {
        let window = |at: usize| (1e-5 * (0.9 + 0.2 * (at % 11) as f64 / 10.0), false);
        (0..windows).map(window).collect()
    }

    fn is_about(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found / wanted - 1.0).abs() < 1e-9)
    }

    #[test]
    fn of_steady_noise_it_is_the_mean() {
        let windows = noise(100);
        let mean = windows.iter().map(|(power, _)| power).sum::<f64>() / 100.0;
        assert!(is_about(of(&windows), mean));
        assert_eq!(of(&[]), None);
        assert!(is_about(of(&[(1.9, false)]), 1.9), "louder than full scale");
    }

    #[test]
    fn loud_moments_are_not_the_line_and_noise_of_some_decibels_is() {
        let mean = of(&noise(110)).unwrap();
        let moments = [noise(55), vec![(1e-2, false); 40], noise(55)].concat();
        assert!(is_about(of(&moments), mean));
        let uneven = [noise(55), vec![(10.0 * mean, false); 30], noise(55)].concat();
        assert!(is_about(of(&uneven), mean * 410.0 / 140.0), "a crowd");
    }

    #[test]
    fn what_a_machine_made_does_not_count_nor_do_the_windows_beside_it() {
        let mean = of(&noise(110)).unwrap();
        let edge = [(4e-3, false)];
        for machine in [vec![(1e-2, true); 400], vec![(0.0, false); 400]] {
            let call = [&noise(110)[..], &edge, &machine, &edge, &noise(110)].concat();
            assert!(is_about(of(&call), mean));
            assert_eq!(of(&machine), None);
        }
        // The last window of a stream that ends in one.
        assert_eq!(of(&[(1e-2, false), (1e-2, true)]), None);
    }

    #[test]
    fn windows_in_which_somebody_may_speak_do_not_count() {
        let mut background = Background::new();
        for _ in 0..9 {
            background.take(1e-2, !QUIET, false);
            background.take(1e-5, QUIET, false);
        }
        background.finish();
        assert!(is_about(background.power(), 1e-5));
    }
}
