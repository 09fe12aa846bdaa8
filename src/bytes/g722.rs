//! G.722, the wide-band codec of the fixed network: 64 kbit/s to samples at 16 kHz.
//!
//! After ITU-T G.722 (09/2012), the decoder of clause 4 in mode 1 (64 kbit/s), in the whole-number arithmetic of
//! the standard's block diagrams.

/// Where a scale factor of the lower band moves by its four bits (table 9), and those of the upper (table 12).
const LOWER_STEPS: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1_198, 3_042];
const UPPER_STEPS: [i32; 3] = [0, -214, 798];

/// Which of the steps a code takes.
const LOWER_STEP_OF: [u8; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const UPPER_STEP_OF: [u8; 4] = [2, 1, 2, 1];

/// Powers of two in steps of a thirty-second (table 11).
const POWERS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];

/// What two, four and six bits stand for before they are scaled (tables 7, 8 and 10).
const TWO_BITS: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
const FOUR_BITS: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];
const SIX_BITS: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];

/// Half of the quadrature mirror filter; the other half is its mirror image (table 4).
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// A decoder with its memory: a stream of octets in, pieces of any size, two samples of 16 bits out for each.
///
/// Law: the samples are the same however the octets were cut.
#[derive(Clone)]
pub struct G722 {
    lower: Band,
    upper: Band,
    history: [i32; 24],
}

impl Default for G722 {
    fn default() -> Self {
        Self::new()
    }
}

impl G722 {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self {
            lower: Band::new(32),
            upper: Band::new(8),
            history: [0; 24],
        }
    }

    /// The samples of `octets` at 16 kHz, two for each.
    pub fn push(&mut self, octets: &[u8]) -> Vec<i16> {
        octets.iter().flat_map(|&octet| self.two(octet)).collect()
    }

    fn two(&mut self, octet: u8) -> [i16; 2] {
        let (low, high) = (usize::from(octet & 0x3F), usize::from(octet >> 6));
        let six = (self.lower.scale * SIX_BITS[low]) >> 15;
        let below = (self.lower.guess + six).clamp(-16_384, 16_383);
        let four = low >> 2;
        let change = (self.lower.scale * FOUR_BITS[four]) >> 15;
        let step = LOWER_STEPS[usize::from(LOWER_STEP_OF[four])];
        self.lower.rescale(step, 18_432, 8);
        self.lower.adapt(change);

        let change = (self.upper.scale * TWO_BITS[high]) >> 15;
        let above = (self.upper.guess + change).clamp(-16_384, 16_383);
        let step = UPPER_STEPS[usize::from(UPPER_STEP_OF[high])];
        self.upper.rescale(step, 22_528, 10);
        self.upper.adapt(change);
        self.joined(below, above)
    }

    /// The two bands through the receiving quadrature mirror filter (clause 4.4).
    fn joined(&mut self, below: i32, above: i32) -> [i16; 2] {
        self.history.copy_within(2.., 0);
        self.history[22] = below + above;
        self.history[23] = below - above;
        let (mut first, mut second) = (0, 0);
        for (at, pair) in self.history.as_chunks::<2>().0.iter().enumerate() {
            second += pair[0] * MIRROR[at];
            first += pair[1] * MIRROR[11 - at];
        }
        [saturated(first >> 11) as i16, saturated(second >> 11) as i16]
    }
}

/// Progress only: what a decoder remembers is somebody's voice.
impl std::fmt::Debug for G722 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("G722").finish_non_exhaustive()
    }
}

/// One band's adaptive predictor, two poles and six zeros (clause 3.6), and its scale factor (clause 3.5).
#[derive(Clone)]
struct Band {
    scale: i32,
    logarithm: i32,
    guess: i32,
    zero_guess: i32,
    /// Newest first, as all that follows.
    rebuilt: [i32; 2],
    partial: [i32; 2],
    poles: [i32; 2],
    changes: [i32; 6],
    zeros: [i32; 6],
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            scale,
            logarithm: 0,
            guess: 0,
            zero_guess: 0,
            rebuilt: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            changes: [0; 6],
            zeros: [0; 6],
        }
    }

    fn rescale(&mut self, step: i32, most: i32, top: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + step).clamp(0, most);
        let power = POWERS[(self.logarithm >> 6 & 31) as usize];
        let shift = top - (self.logarithm >> 11);
        let scale = if shift < 0 {
            power << -shift
        } else {
            power >> shift
        };
        self.scale = scale << 2;
    }

    fn adapt(&mut self, change: i32) {
        let rebuilt = saturated(self.guess + change);
        let partial = saturated(self.zero_guess + change);
        self.move_poles(partial);
        self.move_zeros(change);
        self.changes.copy_within(..5, 1);
        self.changes[0] = change;
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partial = [partial, self.partial[0]];
        let weighed = |weight: i32, value: i32| (weight * saturated(2 * value)) >> 15;
        let poles = weighed(self.poles[0], self.rebuilt[0]) + weighed(self.poles[1], self.rebuilt[1]);
        let zeros = self.zeros.iter().zip(&self.changes);
        self.zero_guess = saturated(zeros.map(|(zero, change)| weighed(*zero, *change)).sum());
        self.guess = saturated(saturated(poles) + self.zero_guess);
    }

    fn move_poles(&mut self, partial: i32) {
        let alike = |other: i32| (partial < 0) == (other < 0);
        let [first, second] = self.poles;
        let quadruple = saturated(4 * first);
        let towards = if alike(self.partial[0]) {
            (-quadruple).min(32_767)
        } else {
            quadruple
        };
        let nudge = if alike(self.partial[1]) { 128 } else { -128 };
        let moved = (nudge + (towards >> 7) + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let nudge = if alike(self.partial[0]) { 192 } else { -192 };
        let bound = saturated(15_360 - moved);
        let nudged = saturated(nudge + ((first * 32_640) >> 15));
        self.poles = [nudged.clamp(-bound, bound), moved];
    }

    fn move_zeros(&mut self, change: i32) {
        let step = if change == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(&self.changes) {
            let nudge = if (change < 0) == (*before < 0) {
                step
            } else {
                -step
            };
            *zero = saturated(nudge + ((*zero * 32_640) >> 15));
        }
    }
}

fn saturated(wide: i32) -> i32 {
    wide.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_samples_are_the_same_however_the_octets_were_cut(
            octets in prop::collection::vec(any::<u8>(), 0..2_000),
            cut in 0usize..2_000,
        ) {
            let whole = G722::new().push(&octets);
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            let mut torn = G722::new();
            let mut pieces = torn.push(head);
            pieces.extend(torn.push(tail));
            prop_assert_eq!(whole.len(), 2 * octets.len());
            prop_assert_eq!(pieces, whole);
        }
    }
}
