//! One voice or several: whether some of a call's speech was said by somebody else.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::units::Seconds;
use crate::voiceprint::Embedding;

/// How much speech one window holds. Long enough for a voice to be told by, short enough to lie within one
/// turn of a conversation.
pub const VOICE_WINDOW: Seconds = Seconds::new(1.6);

/// The most windows that are looked at together: two minutes.
pub const MOST_WINDOWS: usize = 75;

/// The fewest windows that count as another voice: 3.2 s. Of one window, what was said tells as much as who
/// said it.
const FEWEST: usize = 2;

/// How many of the last windows are held against a name that stands.
const RECENT: usize = FEWEST;

/// Gains that differ by less are one gain, rounded in two ways.
const EQUAL: f64 = 1e-9;

/// The windows at which the bound is `gain` itself.
const USUAL: f64 = 6.0;

/// The largest share of pairs of voices that a test may take for one and still tell people apart.
const MOST_MISSED: f64 = 0.2;

/// The bound of the two-voices test, fitted with a model's calibration: what the best split of one voice's
/// windows gains by chance.
///
/// Directions of one voice spread around one mean, those of two around two. With `|s|` for the length of the
/// sum of some unit vectors, `|s_in| + |s_out| - |s_all|` is the logarithm of the likelihood ratio of two means
/// against one, up to the concentration, for the von Mises-Fisher distribution (Mardia and Jupp,
/// "Directional Statistics", 2000, section 10.3). It is maximised over all stretches of neighbouring windows
/// against all others: somebody who takes over, somebody who was there before, somebody in between (the
/// *epidemic* alternative of Levin and Kline 1985). The more windows, the more a chance split gains, by
/// about the logarithm of their number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoiceTest {
    /// The gain of six windows from which they are of two voices.
    pub gain: f64,
    /// What is added for each unit of the natural logarithm of the number of windows.
    pub gain_per_log: f64,
    /// Share of single voices that were taken for two where it was fitted.
    pub false_alarm: f64,
    /// Share of pairs of voices that were taken for one.
    pub miss: f64,
}

/// How many voices some windows are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voices {
    /// Too few windows to tell.
    TooFew,
    /// All windows are one voice's.
    One,
    /// More than one.
    Several(Split),
}

/// The windows of a call in two groups, each nearer to one voice than all are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The windows of the voice that spoke without interruption.
    pub stretch: Range<usize>,
    windows: usize,
}

impl VoiceTest {
    /// Says what is wrong with the numbers, if anything.
    pub(super) fn fault(&self) -> Option<&'static str> {
        // The fewest windows have the lowest bound, when it rises at all.
        let sound = self.gain_per_log >= 0.0 && self.bound(2 * FEWEST) > 0.0 && self.gain.is_finite();
        let shares = [self.false_alarm, self.miss];
        let fractions = shares.iter().all(|share| (0.0..=1.0).contains(share));
        match (sound, fractions) {
            (false, _) => Some("the bound must be above zero for four windows and rise with their number"),
            (true, false) => Some("false_alarm and miss are fractions"),
            (true, true) => None,
        }
    }

    /// Whether it takes so many pairs of voices for one (more than one in five) that it says little of a phone that is
    /// handed on.
    pub fn misses_much(&self) -> bool {
        self.miss > MOST_MISSED
    }

    /// Whether it would tell much less in the place of one that misses this share of the same pairs: five in a hundred more
    /// and then much, or twice as often. A bound of more calls is the higher of two, and misses a little more.
    pub fn weakens(&self, miss_of_other: f64) -> bool {
        const MUCH_MORE: f64 = 0.05;
        self.miss - miss_of_other > MUCH_MORE && (self.misses_much() || self.miss > 2.0 * miss_of_other)
    }

    /// How many voices these windows, in the order in which they were spoken, are of.
    pub fn hear(&self, windows: &[Embedding]) -> Voices {
        match best_split(windows) {
            None => Voices::TooFew,
            Some((gain, _)) if gain <= self.bound(windows.len()) => Voices::One,
            Some((_, stretch)) => Voices::Several(Split {
                stretch,
                windows: windows.len(),
            }),
        }
    }

    /// The most that one voice's windows gain by chance.
    fn bound(&self, windows: usize) -> f64 {
        self.gain + self.gain_per_log * (windows as f64 / USUAL).ln()
    }
}

/// The split that gains most, and its gain; `None` when there are too few windows for one, or their
/// dimensions differ. Quadratic in the windows, of which [`MOST_WINDOWS`] are kept.
pub fn best_split(windows: &[Embedding]) -> Option<(f64, Range<usize>)> {
    let (count, dim) = (windows.len(), windows.first()?.dim());
    if count < 2 * FEWEST || windows.iter().any(|window| window.dim() != dim) {
        return None;
    }
    // Sums of the first so many windows: those of a stretch are a difference.
    let mut sums = vec![vec![0.0f64; dim]];
    for window in windows {
        let before = &sums[sums.len() - 1];
        let values = before.iter().zip(window.as_slice());
        sums.push(values.map(|(sum, value)| sum + f64::from(*value)).collect());
    }
    // The length of a stretch's sum, and of the sum of all the others, are told by products of these: each of them once.
    let products: Vec<Vec<f64>> = sums
        .iter()
        .enumerate()
        .map(|(at, sum)| sums[..=at].iter().map(|other| product(sum, other)).collect())
        .collect();
    let (all, squared) = (&products[count], |at: usize| products[at][at]);
    let together = squared(count).sqrt();
    let mut best: Option<(f64, Range<usize>)> = None;
    for start in 0..count {
        let longest = (start + count - FEWEST).min(count);
        for end in start + FEWEST..=longest {
            let inside = squared(end) + squared(start) - 2.0 * products[end][start];
            let outside = squared(count) - 2.0 * (all[end] - all[start]) + inside;
            let gain = inside.max(0.0).sqrt() + outside.max(0.0).sqrt() - together;
            // The first of equals, so that mirrored stretches always come to the same answer.
            if best.as_ref().is_none_or(|(most, _)| gain > *most + EQUAL) {
                best = Some((gain, start..end));
            }
        }
    }
    best
}

impl Split {
    /// The windows of the voice that spoke last.
    pub fn latest(&self) -> impl Iterator<Item = usize> + '_ {
        let took_over = self.stretch.end == self.windows;
        (0..self.windows).filter(move |window| self.stretch.contains(window) == took_over)
    }
}

/// Whether a window is unlike the windows before it: less like their mean than four fifths of what they are like one
/// another. No verdict, but a reason to listen closely: one window in twelve of one voice is (`models/README.md`). It needs no
/// calibration, for it holds windows of one call and one model against each other.
pub fn is_unlike(window: &Embedding, before: &[Embedding]) -> bool {
    const SHARE: f64 = 0.8;
    let (count, dim) = (before.len(), window.dim());
    if count < 2 || before.iter().any(|other| other.dim() != dim) {
        return false;
    }
    let mut sum = vec![0.0f64; dim];
    for other in before {
        for (sum, value) in sum.iter_mut().zip(other.as_slice()) {
            *sum += f64::from(*value);
        }
    }
    let own = window.as_slice().iter().map(|value| f64::from(*value));
    let to_the_sum: f64 = own.zip(&sum).map(|(value, sum)| value * sum).sum();
    // The squared length of a sum of unit vectors is their number and the cosines of all pairs: count - 1 times what one
    // more of them would have with the sum.
    let of_one_another = (product(&sum, &sum) - count as f64) / (count - 1) as f64;
    to_the_sum < SHARE * of_one_another
}

/// The last windows of a call, when there are enough for a voice; on their own, whatever came before.
pub fn recent(windows: &[Embedding]) -> Option<&[Embedding]> {
    let from = windows.len().checked_sub(RECENT)?;
    Some(&windows[from..])
}

/// The inner product of two sums of one dimension, in eight strands that can be added side by side.
fn product(a: &[f64], b: &[f64]) -> f64 {
    let mut strands = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for (strand, (a, b)) in strands.iter_mut().zip(a.iter().zip(b)) {
            *strand += a * b;
        }
    }
    strands.iter().sum()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEST: VoiceTest = VoiceTest {
        gain: 0.28,
        gain_per_log: 0.07,
        false_alarm: 0.01,
        miss: 0.05,
    };

    /// A window of one of two voices 50 degrees apart, a little off its middle.
    pub(in crate::decision) fn window(voice: usize, off: f32) -> Embedding {
        let (across, along) = (50f32 * voice as f32).to_radians().sin_cos();
        Embedding::from_direction(vec![along, across, off]).unwrap()
    }

    fn call(voices: &[usize]) -> Vec<Embedding> {
        let off = |at: usize| if at.is_multiple_of(2) { 0.2 } else { -0.2 };
        voices
            .iter()
            .enumerate()
            .map(|(at, voice)| window(*voice, off(at)))
            .collect()
    }

    fn two_of(voices: &[usize]) -> Split {
        match TEST.hear(&call(voices)) {
            Voices::Several(split) => split,
            other => panic!("{other:?} of {voices:?}"),
        }
    }

    #[test]
    fn a_test_that_misses_much_more_weakens_one_that_misses_less() {
        let missing = |miss| VoiceTest { miss, ..TEST };
        assert!(missing(0.12).weakens(0.05) && !missing(0.08).weakens(0.05));
        assert!(missing(0.25).weakens(0.15) && !missing(0.25).weakens(0.3));
        // One pair of 780, where the thirty calls of before had none.
        assert!(!missing(0.0013).weakens(0.0) && !missing(0.021).weakens(0.01));
        assert!(missing(0.21).misses_much() && !missing(0.2).misses_much());
    }

    #[test]
    fn one_voice_is_one_voice_however_long_it_speaks() {
        for windows in 0..70 {
            let told = if windows < 4 { Voices::TooFew } else { Voices::One };
            assert_eq!(TEST.hear(&call(&vec![0; windows])), told, "{windows} windows");
        }
    }

    #[test]
    fn somebody_who_takes_over_spoke_last() {
        let split = two_of(&[0, 0, 0, 0, 1, 1]);
        assert_eq!(split.latest().collect::<Vec<_>>(), [4, 5]);
        let split = two_of(&[0, 0, 1, 1, 1, 1, 1]);
        assert_eq!(split.latest().collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    }

    #[test]
    fn who_was_interrupted_spoke_first_and_last() {
        let split = two_of(&[0, 0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(split.stretch, 3..6);
        assert_eq!(split.latest().collect::<Vec<_>>(), [0, 1, 2, 6, 7]);
    }

    #[test]
    fn a_single_window_is_not_another_voice() {
        assert_eq!(TEST.hear(&call(&[0, 1])), Voices::TooFew);
        assert_eq!(TEST.hear(&call(&[0, 0, 0, 1])), Voices::One);
        let latest: Vec<_> = recent(&call(&[0, 0, 1, 1])).unwrap().to_vec();
        assert_eq!(latest, call(&[0, 0, 1, 1])[2..]);
        assert!(recent(&call(&[0])).is_none());
    }

    #[test]
    fn a_window_of_another_voice_is_unlike_those_before_it() {
        let before = call(&[0, 0, 0, 0]);
        assert!(is_unlike(&window(1, 0.2), &before));
        assert!(!is_unlike(&window(0, 0.2), &before));
        // Of one window nobody knows how alike its voice's windows are.
        assert!(!is_unlike(&window(1, 0.2), &before[..1]));
    }

    proptest! {
        #[test]
        fn no_split_ever_loses_against_one_mean(voices in prop::collection::vec(0..2usize, 4..20)) {
            // The triangle inequality.
            let (gain, stretch) = best_split(&call(&voices)).unwrap();
            prop_assert!(gain >= -1e-9);
            prop_assert!(stretch.len() >= FEWEST && voices.len() - stretch.len() >= FEWEST);
        }
    }
}
