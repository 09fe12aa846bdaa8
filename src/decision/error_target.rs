//! The acceptance that keeps an error target of strangers and of users.

use super::calibration::{Calibration, OperatingPoint};
use super::policy::{ErrorTarget, Policy};

impl Policy {
    /// This policy with the acceptance that keeps its error target under a calibration.
    ///
    /// Shares that the calibration's own callers could show (three of them and more: the rule of three; three of its users
    /// where it is users who are given another's name) are read off its operating points. Smaller ones nobody has measured: there the calibration is taken at its
    /// word, by which a ratio of `k` comes to at most one stranger in `k` (Markov's inequality, and Ville's
    /// over all checkpoints of a call), whatever the roster's size; but no operating point is taken that refutes it. However
    /// few the callers were, they can show that a share is larger, and never that it is so small.
    #[must_use]
    pub fn meeting_its_target(&self, calibration: &Calibration) -> Self {
        let ErrorTarget {
            max_false_accept,
            max_wrong_name,
        } = self.error_target;
        if !self.error_target.is_made() {
            return *self;
        }
        let origin = calibration.origin.as_ref();
        let callers = origin.map_or(0, |origin| origin.callers);
        let users = origin.and_then(|origin| origin.users).unwrap_or(callers);
        let strangers = max_false_accept.map(|most| {
            let claimed = 1.0 / (1.0 + most * odds(self.unknown_share));
            self.keeping(calibration, (most, claimed), callers, |point| point.false_accept)
        });
        let others = max_wrong_name
            .map(|most| self.keeping(calibration, (most, 1.0 - most), users, |point| point.wrong_name));
        let accept = strangers.into_iter().chain(others).fold(0.5, f64::max);
        Self { accept, ..*self }
    }

    /// The lowest acceptance from which on no operating point errs more often than `most`, where so many `witnesses` can
    /// measure it; else the one that is `claimed`, and none up to which an operating point refutes it.
    fn keeping(
        &self,
        calibration: &Calibration,
        (most, claimed): (f64, f64),
        witnesses: u64,
        error: impl Fn(&OperatingPoint) -> f64,
    ) -> f64 {
        let points = &calibration.operating_points;
        let witnesses = witnesses as f64;
        let is_measured = most * witnesses >= 3.0;
        let errs = |point: &OperatingPoint| {
            let share = error(point);
            share > most && (is_measured || is_refuted(most, share, witnesses))
        };
        let kept = points.iter().rposition(errs).map_or(0, |last| last + 1);
        match points.get(kept) {
            Some(point) if is_measured => self.as_here(calibration, point),
            _ if kept == 0 => claimed,
            point => point
                .or(points.last())
                .map_or(claimed, |point| claimed.max(self.as_here(calibration, point))),
        }
    }

    /// The acceptance of an operating point as it is under this policy: a name takes the same ratio, whatever share of calls
    /// is of nobody on the roster.
    fn as_here(&self, calibration: &Calibration, point: &OperatingPoint) -> f64 {
        let there = calibration
            .origin
            .as_ref()
            .and_then(|origin| origin.unknown_share);
        let there = there.unwrap_or(Self::default().unknown_share);
        if there == self.unknown_share {
            return point.accept;
        }
        let odds = odds(point.accept) * odds(there) / odds(self.unknown_share);
        odds / (1.0 + odds)
    }
}

fn odds(probability: f64) -> f64 {
    probability / (1.0 - probability)
}

/// Whether `share` of so many people is more than chance makes of `most`, at 95 %: it makes that with a probability of
/// `exp(-n D)` at most, where `D` is the relative entropy of the two (Chernoff 1952). `ln 20` is 3, as in the rule of three.
fn is_refuted(most: f64, share: f64, people: f64) -> bool {
    let part = |of: f64, than: f64| {
        if of > 0.0 { of * (of / than).ln() } else { 0.0 }
    };
    people * (part(share, most) + part(1.0 - share, 1.0 - most)) > 3.0
}

impl Calibration {
    /// What was measured at a policy's acceptance or at the next lower one that was tried: at least as many errors.
    pub fn at(&self, policy: &Policy) -> Option<&OperatingPoint> {
        self.operating_points
            .iter()
            .rfind(|point| policy.as_here(self, point) <= policy.accept + 1e-9)
    }

    /// Whether more errors were measured there than the policy's target allows.
    pub fn belies(&self, policy: &Policy) -> bool {
        let target = policy.error_target;
        let exceeds = |share: f64, most: Option<f64>| most.is_some_and(|most| share > most);
        self.at(policy).is_some_and(|point| {
            exceeds(point.false_accept, target.max_false_accept)
                || exceeds(point.wrong_name, target.max_wrong_name)
        })
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
    fn strangers_are_no_witnesses_of_how_often_users_are_confused() {
        let mut calibration = calibration(300);
        if let Some(origin) = &mut calibration.origin {
            origin.users = Some(10);
        }
        let accept = |max_false_accept, max_wrong_name| {
            let policy = Policy {
                error_target: ErrorTarget {
                    max_false_accept,
                    max_wrong_name,
                },
                ..Policy::default()
            };
            policy.meeting_its_target(&calibration).accept
        };
        // Ten users can show no share below three in ten; the 300 callers show what strangers do.
        assert_eq!(accept(None, Some(0.05)), 0.95);
        assert_eq!(accept(None, Some(0.3)), 0.9);
        assert_eq!(accept(Some(0.05), None), 0.9);
    }

    #[test]
    fn a_measure_that_refutes_a_promise_is_believed_however_few_callers() {
        let asked = Policy {
            error_target: ErrorTarget {
                max_false_accept: Some(0.01),
                max_wrong_name: None,
            },
            ..Policy::default()
        };
        let with = |share| {
            let mut calibration = calibration(48);
            calibration.operating_points[2].false_accept = share;
            calibration.operating_points.push(OperatingPoint {
                accept: 0.999,
                false_accept: 0.003,
                wrong_name: 0.0,
                right_name: 0.5,
            });
            let policy = asked.meeting_its_target(&calibration);
            (policy.accept, calibration.belies(&policy))
        };
        // Ten of 48 where half of one was promised; one or two may be chance: it is said, and the promise left as it is.
        assert_eq!(with(0.2), (0.999, false));
        let (accept, is_belied) = with(0.026);
        assert!((accept - 1.0 / 1.01).abs() < 1e-12 && is_belied);
        assert!(!with(0.009).1);
    }

    #[test]
    fn where_every_point_errs_too_often_none_of_them_is_taken() {
        assert!(accept(1_000, Some(0.004), Some(0.004)) >= 0.99);
        let mut calibration = calibration(1_000);
        for point in &mut calibration.operating_points {
            point.false_accept = 0.04;
        }
        let policy = Policy {
            error_target: ErrorTarget {
                max_false_accept: Some(0.03),
                max_wrong_name: None,
            },
            ..Policy::default()
        };
        // The calibration's word alone would be 0.97.
        assert_eq!(policy.meeting_its_target(&calibration).accept, 0.99);
    }

    #[test]
    fn a_measure_holds_for_the_ratio_that_a_name_took_there() {
        let mut calibration = calibration(1_000);
        if let Some(origin) = &mut calibration.origin {
            origin.unknown_share = Some(0.2);
        }
        let policy = Policy {
            error_target: ErrorTarget {
                max_false_accept: Some(0.03),
                max_wrong_name: None,
            },
            ..Policy::default()
        };
        // 0.95 where one call in five is of nobody takes a ratio of 4.75; as 0.826 does where one in two is.
        let found = policy.meeting_its_target(&calibration);
        assert!((found.accept - 4.75 / 5.75).abs() < 1e-12, "{}", found.accept);
        assert_eq!(calibration.at(&found).map(|point| point.accept), Some(0.95));
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
        let at = |accept| {
            let policy = Policy {
                accept,
                ..Policy::default()
            };
            calibration.at(&policy).map(|point| point.accept)
        };
        assert_eq!([0.97, 0.99, 0.6].map(at), [Some(0.95), Some(0.99), None]);
    }
}
