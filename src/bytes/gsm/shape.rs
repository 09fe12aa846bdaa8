//! The short-term part of the codec: the shape of the vocal tract as eight log-area ratios (06.10 sections
//! 5.2.1 to 5.2.10 and 5.3.4 to 5.3.7).

use super::arithmetic::{headroom, loudest, product, quotient, rounded};
use super::{FRAME, Frame};

/// Coefficients of the lattice, and log-area ratios.
pub(super) const ORDER: usize = 8;

/// How one log-area ratio is put into bits: table 5.1 and, for the way back, table 5.2.
struct Scale {
    slope: i16,
    offset: i16,
    lowest: i16,
    highest: i16,
    inverse: i16,
}

const fn scale(slope: i16, offset: i16, lowest: i16, highest: i16, inverse: i16) -> Scale {
    Scale {
        slope,
        offset,
        lowest,
        highest,
        inverse,
    }
}

const SCALES: [Scale; ORDER] = [
    scale(20_480, 0, -32, 31, 13_107),
    scale(20_480, 0, -32, 31, 13_107),
    scale(20_480, 2_048, -16, 15, 13_107),
    scale(20_480, -2_560, -16, 15, 13_107),
    scale(13_964, 94, -8, 7, 19_223),
    scale(15_360, -1_792, -8, 7, 17_476),
    scale(8_534, -341, -4, 3, 31_454),
    scale(9_036, -1_144, -4, 3, 29_708),
];

/// Removes the offset and lifts the high notes, over a whole recording (sections 5.2.1 to 5.2.3).
#[derive(Default)]
pub(super) struct Lift {
    before: i16,
    offset: i32,
    high: i16,
}

impl Lift {
    pub(super) fn lift(&mut self, frame: &mut Frame) {
        for sample in frame {
            // The codec hears 13 bits; they stand one place below the top.
            let heard = (*sample >> 3) << 2;
            let step = heard.wrapping_sub(self.before);
            self.before = heard;
            let (high, low) = ((self.offset >> 15) as i16, (self.offset & 0x7fff) as i16);
            let fresh = (i32::from(step) << 15) + i32::from(rounded(low, 32_735));
            self.offset = (i32::from(high) * 32_735).saturating_add(fresh);
            let lifted = rounded(self.high, -28_180);
            self.high = (self.offset.saturating_add(16_384) >> 15) as i16;
            *sample = self.high.saturating_add(lifted);
        }
    }
}

/// The way back of [`Lift`]'s high notes, and to 13 bits (sections 5.3.5 to 5.3.7).
#[derive(Default)]
pub(super) struct Lower(i16);

impl Lower {
    pub(super) fn lower(&mut self, frame: &mut Frame) {
        for sample in frame {
            self.0 = sample.saturating_add(rounded(self.0, 28_180));
            *sample = self.0.saturating_add(self.0) & !7;
        }
    }
}

/// The log-area ratios of a frame, as their numbers in the bit stream (sections 5.2.4 to 5.2.7). The frame
/// loses bits where it is loud, as the standard wants.
pub(super) fn analysed(frame: &mut Frame) -> [i16; ORDER] {
    let mut ratios = reflections(&autocorrelation(frame));
    for (ratio, scale) in ratios.iter_mut().zip(&SCALES) {
        let bent = match ratio.saturating_abs() {
            small @ ..22_118 => small >> 1,
            middle @ ..31_130 => middle - 11_059,
            large => (large - 26_112) << 2,
        };
        let bent = if *ratio < 0 { -bent } else { bent };
        let value = product(scale.slope, bent)
            .saturating_add(scale.offset)
            .saturating_add(256)
            >> 9;
        *ratio = value.clamp(scale.lowest, scale.highest) - scale.lowest;
    }
    ratios
}

fn autocorrelation(frame: &mut Frame) -> [i32; ORDER + 1] {
    let peak = loudest(frame);
    let shift = if peak == 0 {
        0
    } else {
        4u32.saturating_sub(headroom(i32::from(peak) << 16))
    };
    if shift > 0 {
        let gain = 16_384 >> (shift - 1);
        for sample in frame.iter_mut() {
            *sample = rounded(*sample, gain);
        }
    }
    let at = |lag: usize| {
        let pairs = frame[lag..].iter().zip(frame.iter());
        2 * pairs.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>()
    };
    let sums = std::array::from_fn(at);
    for sample in frame.iter_mut() {
        *sample <<= shift;
    }
    sums
}

/// The Schur recursion (section 5.2.5).
fn reflections(sums: &[i32; ORDER + 1]) -> [i16; ORDER] {
    let mut found = [0; ORDER];
    if sums[0] == 0 {
        return found;
    }
    let shift = headroom(sums[0]);
    let mut forward = sums.map(|sum| ((sum << shift) >> 16) as i16);
    let mut backward = forward;
    for n in 0..ORDER {
        let size = forward[1].saturating_abs();
        if forward[0] < size {
            return found;
        }
        let share = quotient(size, forward[0]);
        found[n] = if forward[1] > 0 { -share } else { share };
        forward[0] = forward[0].saturating_add(rounded(forward[1], found[n]));
        for m in 1..ORDER - n {
            let next = forward[m + 1];
            forward[m] = next.saturating_add(rounded(backward[m], found[n]));
            backward[m] = backward[m].saturating_add(rounded(next, found[n]));
        }
    }
    found
}

/// The lattice's coefficients over a frame: they glide from the last frame's to its own in four steps
/// (section 5.2.9).
#[derive(Default)]
pub(super) struct Glide([i16; ORDER]);

/// Where each step ends.
const STEPS: [usize; 4] = [13, 27, 40, FRAME];

impl Glide {
    /// The coefficients of each step of a frame with these numbers.
    pub(super) fn to(&mut self, numbers: &[i16; ORDER]) -> [(std::ops::Range<usize>, [i16; ORDER]); 4] {
        let mut own = [0; ORDER];
        for ((ratio, number), scale) in own.iter_mut().zip(numbers).zip(&SCALES) {
            let value = ((number + scale.lowest) << 10).saturating_sub(scale.offset << 1);
            let value = rounded(scale.inverse, value);
            *ratio = value.saturating_add(value);
        }
        let last = std::mem::replace(&mut self.0, own);
        std::array::from_fn(|step| {
            let ratio = |at: usize| {
                let (last, own) = (last[at], own[at]);
                match step {
                    0 => (last >> 2).saturating_add(own >> 2).saturating_add(last >> 1),
                    1 => (last >> 1).saturating_add(own >> 1),
                    2 => (last >> 2).saturating_add(own >> 2).saturating_add(own >> 1),
                    _ => own,
                }
            };
            let from = if step == 0 { 0 } else { STEPS[step - 1] };
            (from..STEPS[step], std::array::from_fn(|at| reflection(ratio(at))))
        })
    }
}

/// From a log-area ratio back to a reflection coefficient (section 5.2.9.2).
fn reflection(ratio: i16) -> i16 {
    let straight = match ratio.saturating_abs() {
        small @ ..11_059 => small << 1,
        middle @ ..20_070 => middle + 11_059,
        large => (large >> 2).saturating_add(26_112),
    };
    if ratio < 0 { -straight } else { straight }
}

/// What is left of a frame when the vocal tract is taken out of it (section 5.2.10).
#[derive(Default)]
pub(super) struct Residual {
    glide: Glide,
    memory: [i16; ORDER],
}

impl Residual {
    pub(super) fn take(&mut self, numbers: &[i16; ORDER], frame: &mut Frame) {
        for (span, coefficients) in self.glide.to(numbers) {
            for sample in &mut frame[span] {
                let mut carried = *sample;
                for (memory, coefficient) in self.memory.iter_mut().zip(&coefficients) {
                    let before = std::mem::replace(memory, carried);
                    carried = before.saturating_add(rounded(*coefficient, *sample));
                    *sample = sample.saturating_add(rounded(*coefficient, before));
                }
            }
        }
    }
}

/// The way back: a frame with the vocal tract put into it again (section 5.3.4).
#[derive(Default)]
pub(super) struct Voice {
    glide: Glide,
    memory: [i16; ORDER + 1],
}

impl Voice {
    pub(super) fn give(&mut self, numbers: &[i16; ORDER], frame: &mut Frame) {
        for (span, coefficients) in self.glide.to(numbers) {
            for sample in &mut frame[span] {
                for (at, coefficient) in coefficients.iter().enumerate().rev() {
                    *sample = sample.saturating_sub(rounded(*coefficient, self.memory[at]));
                    self.memory[at + 1] = self.memory[at].saturating_add(rounded(*coefficient, *sample));
                }
                self.memory[0] = *sample;
            }
        }
    }
}
