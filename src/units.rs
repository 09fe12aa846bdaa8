//! Units are types: a number never travels alone.
//!
//! A rate cannot be passed where a duration is meant, a cosine cannot be compared with a
//! log-likelihood ratio, and the score types cannot hold NaN: acceptance is always a true comparison
//! of finite numbers. Phone numbers and identifiers live here too, because every room speaks of them
//! and none of them may print a whole number into a log.

mod named;
mod hex;
mod scores;
mod language;
mod renumbering;
pub(crate) mod plan;
mod spelling;
mod phone;
mod ids;

pub use hex::{hex, unhex};
pub use ids::{CallId, EnrolmentId, InvalidCallId, InviteId, KeyId, PrintId, TenantId, UserId};
pub use language::{Language, UnknownLanguage};
pub(crate) use named::{read_words, words};
pub use phone::{DialedNumber, InvalidPhone, PhoneNumber};
pub use scores::{Cosine, Llr, NotFinite, Posterior};

use std::fmt;

use serde::{Deserialize, Serialize};

/// A sampling rate in samples per second.
///
/// ```
/// use voxline::units::{Hertz, Seconds};
///
/// let telephone = Hertz(8_000);
/// assert_eq!(telephone.samples(Seconds::new(0.02)), 160);
/// assert_eq!(telephone.seconds(160).get(), 0.02);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hertz(pub u32);

impl Hertz {
    /// How many seconds `samples` last at this rate (0 at a rate of 0).
    pub fn seconds(self, samples: usize) -> Seconds {
        if self.0 == 0 {
            return Seconds::ZERO;
        }
        Seconds(samples as f64 / f64::from(self.0))
    }

    /// How many whole samples fit in `duration` at this rate, rounded to the nearest.
    pub fn samples(self, duration: Seconds) -> usize {
        (duration.0 * f64::from(self.0)).round() as usize
    }
}

impl fmt::Display for Hertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A span of time in seconds: finite and never negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(f64);

impl Seconds {
    /// No time at all.
    pub const ZERO: Self = Self(0.0);

    /// A span known at compile time: for constants, and [`Seconds::checked`] for everything that was read from outside.
    ///
    /// # Panics
    /// When evaluated, on a negative or non-finite value.
    pub const fn new(value: f64) -> Self {
        assert!(
            value >= 0.0 && value < f64::INFINITY,
            "a span of time is finite and not negative"
        );
        Self(value)
    }

    /// A span from an outside number; `None` when it is negative, infinite or not a number.
    pub fn checked(value: f64) -> Option<Self> {
        (value.is_finite() && value >= 0.0).then_some(Self(value))
    }

    /// The plain number of seconds.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The two spans, one after the other.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// What is left of this span when `other` is taken away, never below zero.
    pub fn saturating_minus(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0.0))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_turns_samples_into_seconds_and_back() {
        let rate = Hertz(8_000);
        assert_eq!(rate.seconds(4_000), Seconds::new(0.5));
        assert_eq!(rate.samples(Seconds::new(0.5)), 4_000);
    }

    #[test]
    fn a_span_of_time_is_never_negative_infinite_or_nan() {
        assert!(Seconds::checked(-0.1).is_none());
        assert!(Seconds::checked(f64::NAN).is_none());
        assert!(Seconds::checked(f64::INFINITY).is_none());
        assert_eq!(
            Seconds::new(1.0).saturating_minus(Seconds::new(2.0)),
            Seconds::ZERO
        );
    }
}
