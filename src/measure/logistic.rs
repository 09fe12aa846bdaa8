//! Weighted logistic regression: what a calibration is fitted by.

use thiserror::Error;

use super::hull::softplus;

/// Why a regression gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum FitError {
    /// There is nothing to tell apart.
    #[error("a fit needs target and non-target trials that weigh something")]
    OneClass,
    /// A number that is none, or observations of different sizes.
    #[error("observation {at} has a term or weight that is not a finite number, or too few or many terms")]
    Observation {
        /// Position of the observation, from 0.
        at: usize,
    },
    /// Newton's method found no end: the terms say the same thing twice, or one of them is out of scale.
    #[error("the fit did not converge: two terms may say the same, or one is out of scale")]
    Endless,
}

/// A trial as a regression sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What the log-likelihood ratio is a weighted sum of.
    pub terms: Vec<f64>,
    /// Whether it is a target trial.
    pub target: bool,
    /// How much it counts.
    pub weight: f64,
}

/// Keeps coefficients finite where the classes can be told apart without error.
const RIDGE: f64 = 1e-8;

/// A step of this size is no step.
const ENOUGH: f64 = 1e-10;

/// Newton's method takes ten steps or so.
const MOST_STEPS: usize = 200;

/// The coefficients under which the terms' sum is the log-likelihood ratio that costs least at an effective
/// prior of `prior` (prior-weighted logistic regression: Brümmer and du Preez 2006, section 3). The weights of
/// each class are scaled to `prior` and `1 - prior` in all; their proportions within it are kept.
///
/// # Errors
/// [`FitError`].
pub fn logistic(observations: &[Observation], prior: f64) -> Result<Vec<f64>, FitError> {
    let size = observations.first().map_or(0, |one| one.terms.len());
    for (at, one) in observations.iter().enumerate() {
        let finite = one
            .terms
            .iter()
            .chain([&one.weight])
            .all(|value| value.is_finite());
        if one.terms.len() != size || !finite || one.weight < 0.0 {
            return Err(FitError::Observation { at });
        }
    }
    let total = |target| {
        let class = observations.iter().filter(|one| one.target == target);
        class.map(|one| one.weight).sum::<f64>()
    };
    let (targets, nontargets) = (total(true), total(false));
    if !(targets > 0.0 && nontargets > 0.0) {
        return Err(FitError::OneClass);
    }
    let problem = Problem {
        observations,
        scale: [(1.0 - prior) / nontargets, prior / targets],
        log_odds: (prior / (1.0 - prior)).ln(),
    };
    problem.solve(size)
}

struct Problem<'a> {
    observations: &'a [Observation],
    /// What weights are multiplied by: of non-targets, of targets.
    scale: [f64; 2],
    log_odds: f64,
}

impl Problem<'_> {
    fn solve(&self, size: usize) -> Result<Vec<f64>, FitError> {
        let mut beta = vec![0.0; size];
        let mut loss = self.loss(&beta);
        for _ in 0..MOST_STEPS {
            let (gradient, hessian) = self.slopes(&beta);
            let mut step = solved(hessian, gradient).ok_or(FitError::Endless)?;
            loop {
                let next: Vec<f64> = beta.iter().zip(&step).map(|(value, step)| value - step).collect();
                let cost = self.loss(&next);
                let largest = step.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
                if largest < ENOUGH {
                    return Ok(beta);
                }
                if cost <= loss {
                    (beta, loss) = (next, cost);
                    break;
                }
                for value in &mut step {
                    *value /= 2.0;
                }
            }
        }
        Err(FitError::Endless)
    }

    fn log_odds(&self, beta: &[f64], one: &Observation) -> f64 {
        let sum: f64 = one.terms.iter().zip(beta).map(|(term, beta)| term * beta).sum();
        sum + self.log_odds
    }

    fn loss(&self, beta: &[f64]) -> f64 {
        let cost = |one: &Observation| {
            let sign = if one.target { -1.0 } else { 1.0 };
            self.scale[usize::from(one.target)] * one.weight * softplus(sign * self.log_odds(beta, one))
        };
        let ridge = beta.iter().map(|value| value * value).sum::<f64>() * RIDGE / 2.0;
        self.observations.iter().map(cost).sum::<f64>() + ridge
    }

    fn slopes(&self, beta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let size = beta.len();
        let mut gradient: Vec<f64> = beta.iter().map(|value| RIDGE * value).collect();
        let mut hessian = vec![vec![0.0; size]; size];
        for (at, row) in hessian.iter_mut().enumerate() {
            row[at] = RIDGE;
        }
        for one in self.observations {
            let weight = self.scale[usize::from(one.target)] * one.weight;
            let probability = 1.0 / (1.0 + (-self.log_odds(beta, one)).exp());
            let (slope, bend) = (
                weight * (probability - f64::from(u8::from(one.target))),
                weight * probability * (1.0 - probability),
            );
            for (at, term) in one.terms.iter().enumerate() {
                gradient[at] += slope * term;
                for (other, value) in one.terms.iter().enumerate() {
                    hessian[at][other] += bend * term * value;
                }
            }
        }
        (gradient, hessian)
    }
}

/// The solution of a small system of linear equations, by Gaussian elimination with partial pivoting; `None`
/// when it has none, or many.
fn solved(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for at in 0..size {
        let pivot = (at..size).max_by(|a, b| matrix[*a][at].abs().total_cmp(&matrix[*b][at].abs()))?;
        matrix.swap(at, pivot);
        right.swap(at, pivot);
        let top = matrix[at].clone();
        if top[at].abs() < f64::MIN_POSITIVE {
            return None;
        }
        for row in at + 1..size {
            let factor = matrix[row][at] / top[at];
            for (value, above) in matrix[row].iter_mut().zip(&top).skip(at) {
                *value -= factor * above;
            }
            right[row] -= factor * right[at];
        }
    }
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size).map(|other| matrix[at][other] * right[other]).sum();
        right[at] = (right[at] - known) / matrix[at][at];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(score: f64, target: bool) -> Observation {
        Observation {
            terms: vec![score, 1.0],
            target,
            weight: 1.0,
        }
    }

    #[test]
    fn ratios_of_two_gaussians_are_found_again() {
        // Scores at the quantiles of N(±1, 1): the log-likelihood ratio is twice the score.
        let mut all = Vec::new();
        for step in -400..=400 {
            let x = f64::from(step) / 100.0;
            for (mean, target) in [(1.0, true), (-1.0, false)] {
                let density = (-(x - mean).powi(2) / 2.0).exp();
                all.push(Observation {
                    weight: density,
                    ..observed(x, target)
                });
            }
        }
        for prior in [0.5, 0.01] {
            let beta = logistic(&all, prior).unwrap();
            assert!((beta[0] - 2.0).abs() < 0.01 && beta[1].abs() < 0.01, "{beta:?}");
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_refused_by_name() {
        assert_eq!(logistic(&[], 0.5), Err(FitError::OneClass));
        let one = [observed(1.0, true), observed(2.0, true)];
        assert_eq!(logistic(&one, 0.5), Err(FitError::OneClass));
        let nan = [observed(1.0, true), observed(f64::NAN, false)];
        assert_eq!(logistic(&nan, 0.5), Err(FitError::Observation { at: 1 }));
    }

    #[test]
    fn classes_without_an_error_still_have_an_end() {
        let apart = [observed(1.0, true), observed(-1.0, false)];
        let beta = logistic(&apart, 0.5).unwrap();
        assert!(beta.iter().all(|value| value.is_finite()) && beta[0] > 0.0);
    }
}
