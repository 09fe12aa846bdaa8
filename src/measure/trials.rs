//! Scores in order, and the curve of error rates they make.

use serde::Serialize;

use super::error::MetricError;

/// The scores of target and non-target trials: both kinds there, no NaN among them, in rising order.
/// Higher means more alike. Infinite scores are allowed: they come first or last.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    targets: Vec<f64>,
    nontargets: Vec<f64>,
}

impl Trials {
    /// Takes the scores in any order.
    ///
    /// # Errors
    /// [`MetricError::NotANumber`] when one is NaN, [`MetricError::OneClass`] when a kind is missing.
    pub fn new(targets: Vec<f64>, nontargets: Vec<f64>) -> Result<Self, MetricError> {
        Ok(Self {
            targets: in_order(targets, "target")?,
            nontargets: in_order(nontargets, "non-target")?,
        })
    }

    /// The target scores, rising.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// The non-target scores, rising.
    pub fn nontargets(&self) -> &[f64] {
        &self.nontargets
    }

    /// Miss and false-alarm rate when scores of `threshold` and above are accepted.
    pub(crate) fn rates_at(&self, threshold: f64) -> Rates {
        let below = |scores: &[f64]| scores.partition_point(|score| *score < threshold) as f64;
        Rates {
            miss: below(&self.targets) / self.targets.len() as f64,
            false_alarm: 1.0 - below(&self.nontargets) / self.nontargets.len() as f64,
        }
    }

    /// Each distinct score, rising, with how many trials of either kind have it.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let (mut target, mut nontarget) = (0, 0);
        std::iter::from_fn(move || {
            let next = [self.targets.get(target), self.nontargets.get(nontarget)];
            let score = next.into_iter().flatten().copied().reduce(f64::min)?;
            let run = |scores: &[f64], from: usize| {
                scores[from..].iter().take_while(|other| **other == score).count()
            };
            let (targets, nontargets) = (run(&self.targets, target), run(&self.nontargets, nontarget));
            target += targets;
            nontarget += nontargets;
            Some(Step {
                score,
                targets: targets as u64,
                nontargets: nontargets as u64,
            })
        })
    }
}

fn in_order(mut scores: Vec<f64>, class: &'static str) -> Result<Vec<f64>, MetricError> {
    if scores.is_empty() {
        return Err(MetricError::OneClass { missing: class });
    }
    for (at, score) in scores.iter_mut().enumerate() {
        if score.is_nan() {
            return Err(MetricError::NotANumber { class, at });
        }
        // -0.0 and 0.0 are one score.
        *score += 0.0;
    }
    scores.sort_unstable_by(f64::total_cmp);
    Ok(scores)
}

/// All trials with one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The trial's score: a similarity or a log-likelihood ratio.
    pub score: f64,
    /// Target trials that have it (or their weight).
    pub targets: u64,
    /// Non-target trials that have it (or their weight).
    pub nontargets: u64,
}

/// The two error rates at some threshold, as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Share of target trials rejected.
    pub miss: f64,
    /// Share of non-target trials accepted.
    pub false_alarm: f64,
}

/// The receiver operating characteristic as it is: every distinct score is a threshold, straight lines
/// between. From no misses to no false alarms.
pub fn roc(trials: &Trials) -> Vec<Rates> {
    let (all_targets, all_nontargets) = (trials.targets.len() as f64, trials.nontargets.len() as f64);
    let (mut missed, mut rejected) = (0, 0);
    let mut points = vec![Rates {
        miss: 0.0,
        false_alarm: 1.0,
    }];
    points.extend(trials.steps().map(|step| {
        missed += step.targets;
        rejected += step.nontargets;
        Rates {
            miss: missed as f64 / all_targets,
            false_alarm: 1.0 - rejected as f64 / all_nontargets,
        }
    }));
    points
}

/// The equal error rate of a curve that runs from no misses to no false alarms: where its straight lines
/// meet miss = false alarm. On [`roc`] this is the usual interpolated figure, on a [`super::Hull`] the one
/// that mixtures of thresholds reach.
pub fn equal_error(points: impl IntoIterator<Item = Rates>) -> f64 {
    let mut before = Rates {
        miss: 0.0,
        false_alarm: 1.0,
    };
    for after in points {
        let (ahead, behind) = (before.false_alarm - before.miss, after.miss - after.false_alarm);
        if behind >= 0.0 {
            let share = if ahead + behind > 0.0 {
                ahead / (ahead + behind)
            } else {
                0.0
            };
            return before.miss + share * (after.miss - before.miss);
        }
        before = after;
    }
    before.miss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_single_classes_are_refused_by_name() {
        let nan = Trials::new(vec![1.0, f64::NAN], vec![0.0]).unwrap_err();
        assert!(
            nan.to_string().contains("target trial 1 is not a number"),
            "{nan}"
        );
        let nan = Trials::new(vec![1.0], vec![f64::NAN]).unwrap_err();
        assert!(nan.to_string().contains("non-target trial 0"), "{nan}");
        let single = Trials::new(vec![1.0], vec![]).unwrap_err();
        assert_eq!(
            single,
            MetricError::OneClass {
                missing: "non-target"
            }
        );
        assert!(Trials::new(vec![], vec![1.0]).is_err());
    }

    #[test]
    fn equal_scores_are_one_step_whatever_their_sign_of_zero_or_size() {
        let infinite = f64::INFINITY;
        let trials = Trials::new(vec![0.0, infinite], vec![-0.0, -infinite, infinite]).unwrap();
        let steps: Vec<_> = trials
            .steps()
            .map(|step| (step.score, step.targets, step.nontargets))
            .collect();
        assert_eq!(steps, [(-infinite, 0, 1), (0.0, 1, 1), (infinite, 1, 1)]);
    }
}
