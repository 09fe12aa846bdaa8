//! What rosters larger than the data would do, from the scores of single comparisons.

use serde::Serialize;

use super::bootstrap::quantile;
use super::identification::AtThreshold;

/// The share of non-target scores that count as the tail.
const TAIL: f64 = 0.05;

/// The fewest scores that a tail can be read off.
const FEWEST: usize = 30;

/// How often a stranger's voice passes a threshold, also where too few were heard to count it: the share counted
/// up to the 95th percentile of the non-target scores, and beyond it a generalised Pareto tail (Pickands 1975) by
/// probability-weighted moments (Hosking and Wallis 1987). A tail that ends somewhere or falls as an exponential:
/// one heavier than that is no tail of scores that have an upper end.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    nontargets: Vec<f64>,
    from: f64,
    /// Share of the non-targets beyond `from`.
    share: f64,
    /// What the excesses are measured in; their mean when the shape is 0.
    scale: f64,
    /// Hosking's and Wallis's k: 0 for an exponential tail, above it for one that ends at `scale` / `shape`.
    shape: f64,
    mean: f64,
}

/// What a roster of a size that need not have been tried would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extrapolated {
    /// Models on the roster.
    pub size: usize,
    /// The rates at each FPIR by the tail that fits the scores.
    pub at_fpir: Vec<AtThreshold>,
    /// The same by an exponential tail of the same mean: far out, scores with an upper end fall faster than that.
    pub exponential: Vec<AtThreshold>,
}

impl Tail {
    /// The tail of some scores of strangers, in any order; `None` when they are too few, have no spread, or one is
    /// not finite.
    pub fn of(mut nontargets: Vec<f64>) -> Option<Self> {
        if nontargets.iter().any(|score| !score.is_finite()) {
            return None;
        }
        nontargets.sort_unstable_by(f64::total_cmp);
        let from = quantile(&nontargets, 1.0 - TAIL);
        let beyond = &nontargets[nontargets.partition_point(|score| *score <= from)..];
        if beyond.len() < FEWEST {
            return None;
        }
        let count = beyond.len() as f64;
        let (mut mean, mut weighted) = (0.0, 0.0);
        for (at, score) in beyond.iter().enumerate() {
            let excess = score - from;
            mean += excess / count;
            weighted += excess * (1.0 - (at as f64 + 0.65) / count) / count;
        }
        let shape = (mean / (mean - 2.0 * weighted) - 2.0).max(0.0);
        let share = count / nontargets.len() as f64;
        Some(Self {
            from,
            share,
            scale: mean * (1.0 + shape),
            shape,
            mean,
            nontargets,
        })
    }

    /// The same scores with an exponential tail of the same mean.
    #[must_use]
    pub fn exponential(&self) -> Self {
        Self {
            scale: self.mean,
            shape: 0.0,
            ..self.clone()
        }
    }

    /// Share of single comparisons with a stranger that pass `threshold`.
    pub(crate) fn false_match(&self, threshold: f64) -> f64 {
        if threshold <= self.from {
            let below = self.nontargets.partition_point(|score| *score <= threshold);
            return 1.0 - below as f64 / self.nontargets.len() as f64;
        }
        let excess = (threshold - self.from) / self.scale;
        let left = if self.shape > 0.0 {
            (1.0 - self.shape * excess).max(0.0).powf(1.0 / self.shape)
        } else {
            (-excess).exp()
        };
        self.share * left
    }

    /// The lowest threshold that at most this share of single comparisons with strangers pass.
    pub fn threshold(&self, false_match: f64) -> f64 {
        if false_match < self.share {
            let left = false_match / self.share;
            let excess = if self.shape > 0.0 {
                (1.0 - left.powf(self.shape)) / self.shape
            } else {
                -left.ln()
            };
            return self.from + self.scale * excess;
        }
        let count = self.nontargets.len();
        let allowed = (false_match * count as f64).floor() as usize;
        let lowest = count.checked_sub(allowed + 1);
        lowest.map_or(f64::NEG_INFINITY, |at| self.nontargets[at])
    }
}

/// What a roster of `size` would do at each FPIR below 1, by the tail that fits and by the exponential one.
pub fn extrapolated(tail: &Tail, targets: &[f64], size: usize, fpirs: &[f64]) -> Extrapolated {
    let exponential = tail.exponential();
    let by = |tail: &Tail| {
        let wanted = fpirs.iter().filter(|fpir| **fpir < 1.0);
        wanted.map(|fpir| rates(tail, targets, size, *fpir)).collect()
    };
    Extrapolated {
        size,
        at_fpir: by(tail),
        exponential: by(&exponential),
    }
}

/// The rates if every comparison with a stranger were independent of every other: a stranger is named unless all
/// `size` comparisons fail, and an enrolled caller is found when their own score passes and the other `size - 1` lie
/// below it.
fn rates(tail: &Tail, targets: &[f64], size: usize, fpir: f64) -> AtThreshold {
    let others = size.saturating_sub(1) as f64;
    // Beside one, a share of 10^-9 vanishes: the logarithm of 1 + x keeps it.
    let nobody = |threshold: f64| (others * (-tail.false_match(threshold)).ln_1p()).exp();
    let false_match = -((-fpir).ln_1p() / size as f64).exp_m1();
    let threshold = tail.threshold(false_match);
    let (mut found, mut misnamed) = (0.0, 0.0);
    for own in targets {
        if *own > threshold {
            found += nobody(*own);
        }
        misnamed += 1.0 - nobody(own.max(threshold));
    }
    let count = targets.len() as f64;
    AtThreshold {
        threshold,
        fpir,
        fnir: 1.0 - found / count,
        dir: found / count,
        misidentification: misnamed / count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{OpenSet, Rng, random_rosters};

    fn scores() -> (Vec<f64>, Vec<f64>) {
        let mut rng = Rng::new(4);
        let mut some = |mean: f64, count: usize| (0..count).map(|_| mean + rng.normal()).collect();
        (some(5.0, 400), some(0.0, 40_000))
    }

    #[test]
    fn where_rosters_can_be_tried_the_extrapolation_agrees_with_them() {
        let (targets, nontargets) = scores();
        let tail = Tail::of(nontargets.clone()).unwrap();
        let speakers: Vec<u32> = (0..400).collect();
        let score = |test: usize, roster: &[usize]| {
            let of = |&model: &usize| {
                if model == test {
                    targets[test]
                } else {
                    nontargets[(test * 401 + model) % nontargets.len()]
                }
            };
            roster.iter().map(of).collect::<Vec<f64>>()
        };
        let searches = random_rosters(&speakers, &speakers, 50, 1, score);
        let tried = OpenSet::new(&searches).unwrap().at_fpir(0.1).unwrap();
        let said = &extrapolated(&tail, &targets, 50, &[0.1]).at_fpir[0];
        assert!((said.dir - tried.dir).abs() < 0.05, "{said:?} {tried:?}");
        assert!((said.fnir + said.dir - 1.0).abs() < 1e-12);
    }

    #[test]
    fn larger_rosters_are_never_easier_nor_the_tail_kinder() {
        let (targets, nontargets) = scores();
        let tail = Tail::of(nontargets).unwrap();
        let sizes = [1, 10, 100, 1_000, 10_000].map(|size| extrapolated(&tail, &targets, size, &[0.01]));
        for pair in sizes.windows(2) {
            assert!(pair[1].at_fpir[0].dir <= pair[0].at_fpir[0].dir);
        }
        for size in &sizes[1..] {
            assert!(size.exponential[0].dir <= size.at_fpir[0].dir + 1e-12, "{size:?}");
        }
    }

    #[test]
    fn a_threshold_lets_through_what_it_was_asked_to() {
        let tail = Tail::of(scores().1).unwrap();
        for tail in [tail.exponential(), tail] {
            for share in [1e-9, 1e-4, 0.02, 0.3] {
                let passed = tail.false_match(tail.threshold(share));
                assert!((passed / share - 1.0).abs() < 1e-3, "{share}: {passed}");
            }
        }
    }

    #[test]
    fn a_tail_of_too_few_or_equal_or_endless_scores_is_none() {
        assert_eq!(Tail::of((0..100).map(f64::from).collect()), None);
        assert_eq!(Tail::of(vec![0.5; 5_000]), None);
        let mut endless = scores().1;
        endless[7] = f64::NEG_INFINITY;
        assert_eq!(Tail::of(endless), None);
        assert_eq!(Tail::of(Vec::new()), None);
    }
}
