//! The acceptance that keeps an error target of strangers and of users.

use super::calibration::{Calibration, OperatingPoint};
use super::policy::{ErrorTarget, Policy};

impl Policy {
    /// This policy with the acceptance that keeps its error target under a calibration.
    ///
    /// Shares that the calibration's own callers could show (three of them and more: the rule of three) are
    /// read off its operating points. Smaller ones nobody has measured: there the calibration is taken at its
    /// word, by which a ratio of `k` comes to at most one stranger in `k` (Markov's inequality, and Ville's
    /// over all checkpoints of a call), whatever the roster's size.
    #[must_use]
    pub fn meeting_its_target(&self, calibration: &Calibration) -> Self {
        let ErrorTarget {
            max_false_accept,
            max_wrong_name,
        } = self.error_target;
        if !self.error_target.is_made() {
            return *self;
        }
        let strangers = max_false_accept.map(|most| {
            let claimed = 1.0 / (1.0 + most * self.unknown_share / (1.0 - self.unknown_share));
            measured(calibration, most, |point| point.false_accept).unwrap_or(claimed)
        });
        let others = max_wrong_name
            .map(|most| measured(calibration, most, |point| point.wrong_name).unwrap_or(1.0 - most));
        let accept = strangers.into_iter().chain(others).fold(0.5, f64::max);
        Self { accept, ..*self }
    }
}

/// The lowest acceptance from which on no operating point errs more often than `most`; `None` when that
/// cannot be told from them.
fn measured(calibration: &Calibration, most: f64, error: impl Fn(&OperatingPoint) -> f64) -> Option<f64> {
    let callers = calibration.origin.as_ref()?.callers as f64;
    if most * callers < 3.0 {
        return None;
    }
    let points = &calibration.operating_points;
    let kept = points.iter().rev().take_while(|point| error(point) <= most);
    kept.last().map(|point| point.accept)
}

impl Calibration {
    /// What was measured at this acceptance or at the next lower one that was tried: at least as many errors.
    pub fn at(&self, accept: f64) -> Option<&OperatingPoint> {
        self.operating_points
            .iter()
            .rfind(|point| point.accept <= accept + 1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::super::calibration::Origin;
    use super::super::curve::tests::curve;
    use super::*;
    use crate::voiceprint::ModelId;

    fn calibration(callers: u64) -> Calibration {
        let point = |accept, false_accept, wrong_name| OperatingPoint {
            accept,
            false_accept,
            wrong_name,
            right_name: 0.5,
        };
        Calibration {
            id: "c".to_owned(),
            model: ModelId::new("m"),
            model_sha256: String::new(),
            fitted_on: String::new(),
            origin: Some(Origin {
                callers,
                ..Origin::default()
            }),
            curve: curve(),
            voices: None,
            operating_points: vec![
                point(0.9, 0.05, 0.01),
                point(0.95, 0.02, 0.0),
                point(0.99, 0.005, 0.0),
            ],
        }
    }

    fn accept(callers: u64, false_accept: Option<f64>, wrong_name: Option<f64>) -> f64 {
        let policy = Policy {
            error_target: ErrorTarget {
                max_false_accept: false_accept,
                max_wrong_name: wrong_name,
            },
            ..Policy::default()
        };
        policy.meeting_its_target(&calibration(callers)).accept
    }

    #[test]
    fn without_a_promise_the_acceptance_stands() {
        assert_eq!(accept(1_000, None, None), Policy::default().accept);
    }

    #[test]
    fn what_was_measured_is_promised_by_the_measure() {
        assert_eq!(accept(1_000, Some(0.03), None), 0.95);
        assert_eq!(accept(1_000, Some(0.05), Some(0.005)), 0.95);
        assert_eq!(accept(1_000, Some(0.05), None), 0.9);
    }

    #[test]
    fn what_nobody_measured_is_promised_by_the_calibrations_word() {
        // Three errors among 100 callers are the least that could be seen.
        assert!((accept(100, Some(0.001), None) - 1.0 / 1.001).abs() < 1e-12);
        assert!((accept(100, None, Some(0.01)) - 0.99).abs() < 1e-12);
        // Measured, but at no acceptance that was tried.
        assert!((accept(1_000, Some(0.004), None) - 1.0 / 1.004).abs() < 1e-12);
    }

    #[test]
    fn what_one_number_promises_takes_the_place_of_the_same_promise_alone() {
        let policy = |max_false_accept, max_wrong_name| Policy {
            error_target: ErrorTarget {
                max_false_accept,
                max_wrong_name,
            },
            ..Policy::default()
        };
        let (usual, own) = (policy(Some(0.05), Some(0.01)), policy(Some(0.001), None));
        let both = own.error_target.instead_in(&usual);
        assert_eq!(both, policy(Some(0.001), Some(0.01)));
        assert_eq!(ErrorTarget::default().instead_in(&usual), usual);
        let calibration = calibration(1_000);
        assert!(both.meeting_its_target(&calibration).accept > usual.meeting_its_target(&calibration).accept);
    }

    #[test]
    fn a_smaller_promise_never_accepts_sooner() {
        let error_targets = [0.2, 0.05, 0.03, 0.01, 0.004, 0.001, 1e-4];
        let accepts = error_targets.map(|most| accept(1_000, Some(most), None));
        assert!(accepts.is_sorted(), "{accepts:?}");
    }

    #[test]
    fn what_is_told_of_an_acceptance_was_measured_at_no_higher_one() {
        let calibration = calibration(100);
        assert_eq!(calibration.at(0.97).map(|point| point.accept), Some(0.95));
        assert_eq!(calibration.at(0.99).map(|point| point.accept), Some(0.99));
        assert_eq!(calibration.at(0.6), None);
    }
}
