//! Whether two channels are one microphone's.

use crate::units::Hertz;

/// What is over this share of a stretch's energy, and over [`LOUD`], is somebody else.
const PLAIN: f64 = 0.05;

/// The root mean square from which a difference is plain, relative to full scale: -50 dB.
const LOUD: f64 = 3.2e-3;

/// How much of a recording's energy a codec may leave between two equal channels: -30 dB.
const CODING: f64 = 1e-3;

/// Stretches in which the channels are compared, a second.
const STRETCHES: u32 = 10;

/// A comparison of the two channels of a recording, block by block.
pub(super) struct Comparison {
    /// Pairs of samples in a stretch.
    longest: usize,
    /// Energy of the stretches before, and of the channels' difference in them.
    all: f64,
    apart: f64,
    stretch: f64,
    stretch_apart: f64,
    pairs: usize,
}

impl Comparison {
    /// Nothing compared yet, of audio at `rate` samples a second and channel.
    pub fn new(rate: Hertz) -> Self {
        Self {
            longest: (rate.0 / STRETCHES) as usize,
            all: 0.0,
            apart: 0.0,
            stretch: 0.0,
            stretch_apart: 0.0,
            pairs: 0,
        }
    }

    /// Takes interleaved samples of both; `false` from the first stretch on that plainly differs.
    pub fn take(&mut self, block: &[f32]) -> bool {
        for &[left, right] in block.as_chunks::<2>().0 {
            let (left, right) = (f64::from(left), f64::from(right));
            self.stretch += left * left + right * right;
            self.stretch_apart += (left - right) * (left - right);
            self.pairs += 1;
            if self.pairs == self.longest {
                let loud = (self.stretch_apart / self.pairs as f64).sqrt() > LOUD;
                if loud && self.stretch_apart > PLAIN * self.stretch {
                    return false;
                }
                self.all += self.stretch;
                self.apart += self.stretch_apart;
                (self.stretch, self.stretch_apart, self.pairs) = (0.0, 0.0, 0);
            }
        }
        true
    }

    /// Whether what was taken is the same sound in both.
    pub fn is_same(&self) -> bool {
        self.apart + self.stretch_apart <= CODING * (self.all + self.stretch)
    }
}
