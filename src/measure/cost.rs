//! What errors cost: detection costs and the cost of log-likelihood ratios.

use std::f64::consts::LN_2;

use super::error::MetricError;
use super::hull::{Hull, softplus};
use super::trials::{Rates, Trials};

/// An operating point: how likely a target is before anything is heard. A miss and a false alarm cost the same; where they
/// do not, that is another prior (`p c_miss` to `(1 - p) c_fa`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    p_target: f64,
}

impl Cost {
    /// The point of the contract's `min_dcf` and `act_dcf`: a target in a hundred.
    pub const USUAL: Self = Self { p_target: 0.01 };

    /// An operating point at this prior of a target.
    ///
    /// # Errors
    /// [`MetricError::Prior`] when it is not between 0 and 1.
    pub fn at(p_target: f64) -> Result<Self, MetricError> {
        if p_target > 0.0 && p_target < 1.0 {
            Ok(Self { p_target })
        } else {
            Err(MetricError::Prior { p_target })
        }
    }

    /// The prior of a target.
    pub const fn p_target(self) -> f64 {
        self.p_target
    }

    /// The threshold on a log-likelihood ratio that costs least when the ratios are right (Bayes):
    /// `ln((1 - p) / p)`.
    pub(crate) fn bayes_threshold(self) -> f64 {
        (1.0 - self.p_target).ln() - self.p_target.ln()
    }

    /// The detection cost of these rates over that of deciding without listening (NIST SRE evaluation
    /// plans, `C_norm`).
    pub fn of(self, rates: Rates) -> f64 {
        let (misses, alarms) = (self.p_target, 1.0 - self.p_target);
        (misses * rates.miss + alarms * rates.false_alarm) / misses.min(alarms)
    }

    /// The cost at the best threshold on these trials themselves.
    pub fn least(self, hull: &Hull) -> f64 {
        // The cost is linear in the rates, so no point of the curve is better than the best corner.
        hull.corners()
            .map(|rates| self.of(rates))
            .fold(f64::INFINITY, f64::min)
    }

    /// The cost of deciding by the scores as log-likelihood ratios.
    pub fn actual(self, llrs: &Trials) -> f64 {
        self.of(llrs.rates_at(self.bayes_threshold()))
    }
}

/// The cost of log-likelihood ratios, in bits (Brümmer and du Preez 2006, "Application-independent
/// evaluation of speaker detection"): 0 for perfect ones, 1 for ratios that always say nothing, infinite
/// when one is infinitely wrong.
pub fn cllr(llrs: &Trials) -> f64 {
    let mean = |scores: &[f64], sign: f64| {
        scores.iter().map(|score| softplus(sign * score)).sum::<f64>() / scores.len() as f64
    };
    (mean(llrs.targets(), -1.0) + mean(llrs.nontargets(), 1.0)) / (2.0 * LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operating_point_needs_a_prior_between_nought_and_one() {
        assert_eq!(Cost::at(0.01), Ok(Cost::USUAL));
        for prior in [0.0, 1.0, f64::NAN] {
            assert!(Cost::at(prior).is_err());
        }
        assert!((Cost::USUAL.bayes_threshold() - 99f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn llrs_of_nought_cost_one_bit_and_infinitely_wrong_ones_everything() {
        let silent = Trials::new(vec![0.0; 3], vec![0.0; 7]).unwrap();
        assert!((cllr(&silent) - 1.0).abs() < 1e-12);
        let sure = Trials::new(vec![f64::INFINITY], vec![f64::NEG_INFINITY]).unwrap();
        assert_eq!(cllr(&sure), 0.0);
        let wrong = Trials::new(vec![f64::NEG_INFINITY, 3.0], vec![0.0]).unwrap();
        assert_eq!(cllr(&wrong), f64::INFINITY);
        assert!(Hull::of(&wrong).min_cllr() <= 1.0);
    }
}
