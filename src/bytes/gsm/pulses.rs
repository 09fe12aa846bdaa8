//! The long-term part of the codec: the pitch, and what is left of it as thirteen pulses (06.10 sections 5.2.11
//! to 5.2.18 and 5.3.1 to 5.3.3).

use super::arithmetic::{headroom, loudest, product, rounded, saturated};

/// Samples of a sub-frame, 5 ms.
pub(super) const PART: usize = 40;

/// How far back the pitch is looked for: 15 ms.
const FARTHEST: usize = 120;

/// Pulses of a sub-frame.
pub(super) const PULSES: usize = 13;

/// Where one gain of the pitch ends and the next begins (table 5.3a), and the gains (table 5.3b).
const GAIN_EDGES: [i16; 3] = [6_554, 16_384, 26_214];
const GAINS: [i16; 4] = [3_277, 11_469, 21_299, 32_767];

/// The weighting filter's answer to a click (table 5.4).
const WEIGHTS: [i32; 11] = [-134, -374, 0, 2_054, 5_741, 8_192, 5_741, 2_054, 0, -374, -134];

/// One over a mantissa (table 5.5), and a mantissa (table 5.6).
const INVERSES: [i16; 8] = [29_128, 26_215, 23_832, 21_846, 20_165, 18_725, 17_476, 16_384];
const MANTISSAS: [i16; 8] = [18_431, 20_479, 22_527, 24_575, 26_623, 28_671, 30_719, 32_767];

type Part = [i16; PART];

/// What the bit stream says of a sub-frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pulses {
    /// Samples from a sub-frame back to what it resembles.
    pub(super) lag: usize,
    /// Which of [`GAINS`].
    pub(super) gain: usize,
    /// Where the first pulse stands, 0 to 3; the others follow in every third place.
    pub(super) grid: usize,
    /// The loudest pulse, in steps of a logarithmic kind.
    pub(super) peak: i16,
    /// Each pulse in three bits.
    pub(super) pulses: [i16; PULSES],
}

/// The excitation of the past 15 ms, as a decoder knows it: both sides keep the same.
pub(super) struct Past {
    samples: [i16; FARTHEST],
    lag: usize,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            samples: [0; FARTHEST],
            lag: PART,
        }
    }
}

impl Past {
    /// The sub-frame so many samples ago; a lag is at least as long as a sub-frame.
    fn ago(&self, lag: usize) -> &[i16] {
        &self.samples[FARTHEST - lag..][..PART]
    }

    /// Puts a residual into pulses, and remembers what a decoder will make of them.
    pub(super) fn coded(&mut self, residual: &Part) -> Pulses {
        let (lag, gain) = self.pitch(residual);
        let echo = self.echo(lag, gain);
        let rest: Part = std::array::from_fn(|at| residual[at].saturating_sub(echo[at]));
        let (grid, mut chosen) = thinned(&weighted(&rest));
        let peak = peak_of(loudest(&chosen));
        let (exponent, mantissa) = floating(peak);
        for pulse in &mut chosen {
            let scaled = ((i32::from(*pulse)) << (6 - exponent)) as i16;
            *pulse = (product(scaled, INVERSES[mantissa]) >> 12) + 4;
        }
        let coded = Pulses {
            lag,
            gain,
            grid,
            peak,
            pulses: chosen,
        };
        self.excited(&coded);
        coded
    }

    /// The excitation that some pulses stand for.
    pub(super) fn excited(&mut self, coded: &Pulses) -> Part {
        // A lag that no encoder sends was damaged on its way: the last one stands (section 5.3.2).
        if (PART..=FARTHEST).contains(&coded.lag) {
            self.lag = coded.lag;
        }
        let mut excitation = self.echo(self.lag, coded.gain);
        let (exponent, mantissa) = floating(coded.peak);
        let shift = 6 - exponent;
        let half = if shift > 0 { 1 << (shift - 1) } else { 0 };
        for (at, pulse) in coded.pulses.iter().enumerate() {
            let level = rounded(MANTISSAS[mantissa], (2 * pulse - 7) << 12).saturating_add(half) >> shift;
            let place = &mut excitation[coded.grid + 3 * at];
            *place = place.saturating_add(level);
        }
        self.samples.copy_within(PART.., 0);
        self.samples[FARTHEST - PART..].copy_from_slice(&excitation);
        excitation
    }

    fn echo(&self, lag: usize, gain: usize) -> Part {
        let ago = self.ago(lag);
        std::array::from_fn(|at| rounded(GAINS[gain], ago[at]))
    }

    /// The lag at which a residual is most like the past, and how much of it (section 5.2.11).
    fn pitch(&self, residual: &Part) -> (usize, usize) {
        let peak = loudest(residual);
        let room = if peak == 0 {
            6
        } else {
            headroom(i32::from(peak) << 16)
        };
        let shift = 6u32.saturating_sub(room);
        let (mut lag, mut most) = (PART, 0);
        for tried in PART..=FARTHEST {
            let pairs = residual.iter().zip(self.ago(tried));
            let alike: i32 = pairs.map(|(a, b)| i32::from(a >> shift) * i32::from(*b)).sum();
            if alike > most {
                (lag, most) = (tried, alike);
            }
        }
        let most = (most << 1) >> (6 - shift);
        let power = 2 * self
            .ago(lag)
            .iter()
            .map(|b| i32::from(b >> 3).pow(2))
            .sum::<i32>();
        if most <= 0 {
            return (lag, 0);
        }
        if most >= power {
            return (lag, GAINS.len() - 1);
        }
        let room = headroom(power);
        let (most, power) = (((most << room) >> 16) as i16, ((power << room) >> 16) as i16);
        let within = |edge: &i16| most <= product(power, *edge);
        let gain = GAIN_EDGES.iter().position(within);
        (lag, gain.unwrap_or(GAINS.len() - 1))
    }
}

/// The rest through the weighting filter (section 5.2.13).
fn weighted(rest: &Part) -> Part {
    std::array::from_fn(|at| {
        let taps = WEIGHTS.iter().enumerate();
        let sum: i32 = taps
            .filter_map(|(tap, weight)| {
                let from = (at + tap).checked_sub(WEIGHTS.len() / 2)?;
                Some(weight * i32::from(*rest.get(from)?))
            })
            .sum();
        saturated((sum + 4_096) >> 13)
    })
}

/// The grid of every third sample that holds most, and its samples (section 5.2.14).
fn thinned(weighted: &Part) -> (usize, [i16; PULSES]) {
    let energy = |grid: usize| -> i32 {
        let pulses = (0..PULSES).map(|at| i32::from(weighted[grid + 3 * at] >> 2));
        pulses.map(|pulse| pulse * pulse).sum()
    };
    let mut grid = 0;
    for other in 1..4 {
        if energy(other) > energy(grid) {
            grid = other;
        }
    }
    (grid, std::array::from_fn(|at| weighted[grid + 3 * at]))
}

/// The number of the step that a peak lies in (section 5.2.15).
fn peak_of(loudest: i16) -> i16 {
    let exponent = (i16::BITS - (loudest >> 9).leading_zeros()).min(6) as i16;
    (loudest >> (exponent + 5)).saturating_add(exponent << 3)
}

/// A peak's exponent and mantissa.
fn floating(peak: i16) -> (i16, usize) {
    let exponent = if peak > 15 { (peak >> 3) - 1 } else { 0 };
    let mut mantissa = peak - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    let mut exponent = exponent;
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, (mantissa - 8) as usize)
}
