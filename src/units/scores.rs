//! Scores: three kinds that cannot be compared with one another, and none of which can be NaN.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A computation gave something that is not a finite number, so no score was made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a score came out as NaN or infinite")]
pub struct NotFinite;

macro_rules! score {
    ($(#[$doc:meta])* $name:ident($float:ty), $clamp:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($float);

        impl $name {
            /// The score with this value.
            ///
            /// # Errors
            /// [`NotFinite`] when `value` is NaN or infinite.
            pub fn new(value: $float) -> Result<Self, NotFinite> {
                let clamp: fn($float) -> $float = $clamp;
                if value.is_finite() { Ok(Self(clamp(value))) } else { Err(NotFinite) }
            }

            /// The plain number.
            pub const fn get(self) -> $float {
                self.0
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                // Total because the constructor lets no NaN in; -0.0 and 0.0 are made one there.
                self.0.total_cmp(&other.0)
            }
        }
    };
}

score! {
    /// A raw cosine similarity of two unit vectors, -1 to 1. Says nothing by itself: only a
    /// calibrated [`Llr`] may be decided on.
    Cosine(f32), |value| value.clamp(-1.0, 1.0) + 0.0
}
score! {
    /// A natural-log likelihood ratio: how many times likelier the evidence is when the speaker is
    /// this user than when it is somebody else. 0 says nothing, +4.6 says a hundred times likelier.
    ///
    /// ```
    /// use voxline::units::{Llr, NotFinite};
    ///
    /// assert!(Llr::new(4.6)? > Llr::new(0.0)?);
    /// assert_eq!(Llr::new(f64::NAN), Err(NotFinite));
    /// # Ok::<(), NotFinite>(())
    /// ```
    Llr(f64), |value| value + 0.0
}
score! {
    /// A probability, 0 to 1, after the evidence and the prior have been put together.
    Posterior(f64), |value| value.clamp(0.0, 1.0) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_score_holds_nan_or_infinity() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Llr::new(bad), Err(NotFinite));
            assert_eq!(Posterior::new(bad), Err(NotFinite));
            assert_eq!(Cosine::new(bad as f32), Err(NotFinite));
        }
    }

    #[test]
    fn order_and_equality_agree_even_at_zero() {
        let (minus, plus) = (Llr::new(-0.0).unwrap(), Llr::new(0.0).unwrap());
        assert_eq!(minus, plus);
        assert_eq!(minus.cmp(&plus), std::cmp::Ordering::Equal);
        assert!(Llr::new(1.0).unwrap() > plus);
    }

    #[test]
    fn rounding_noise_cannot_push_a_cosine_or_a_probability_out_of_range() {
        assert_eq!(Cosine::new(1.000_000_1).unwrap().get(), 1.0);
        assert_eq!(Posterior::new(-1e-12).unwrap().get(), 0.0);
    }
}
