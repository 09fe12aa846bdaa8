//! The convex hull of the ROC, which is also what the pool-adjacent-violators algorithm finds.

use std::f64::consts::LN_2;

use super::trials::{Rates, Step, Trials, equal_error};

/// The convex hull of a ROC, by pooling adjacent violators (PAV): blocks of neighbouring scores, pooled
/// until the share of targets rises from block to block. The blocks' corners are the hull's (Fawcett and
/// Niculescu-Mizil 2007), and the blocks' shares of targets are the best calibration that keeps the order
/// (Brümmer and du Preez 2006). Everything that asks for the best threshold or the best calibration on a
/// set of trials is read off it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hull {
    blocks: Vec<Block>,
    targets: u64,
    nontargets: u64,
}

/// Neighbouring scores that no calibration would tell apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// The lowest score in it.
    pub lowest: f64,
    /// The highest score in it.
    pub highest: f64,
    /// How many targets it holds.
    pub targets: u64,
    /// How many non-targets it holds.
    pub nontargets: u64,
}

impl Hull {
    /// The hull of some trials.
    pub fn of(trials: &Trials) -> Self {
        Self::from_steps(trials.steps())
    }

    /// The hull of steps in rising order, whose counts may be weights. Weights of nothing are passed over.
    pub(crate) fn from_steps(steps: impl Iterator<Item = Step>) -> Self {
        let mut hull = Self {
            blocks: Vec::new(),
            targets: 0,
            nontargets: 0,
        };
        for step in steps.filter(|step| step.targets + step.nontargets > 0) {
            hull.targets += step.targets;
            hull.nontargets += step.nontargets;
            let mut block = Block {
                lowest: step.score,
                highest: step.score,
                targets: step.targets,
                nontargets: step.nontargets,
            };
            while let Some(before) = hull.blocks.last()
                && !before.is_below(&block)
            {
                block = before.with(&block);
                hull.blocks.pop();
            }
            hull.blocks.push(block);
        }
        hull
    }

    /// Whether it holds both targets and non-targets; only then does any rate exist.
    pub(crate) fn has_both(&self) -> bool {
        self.targets > 0 && self.nontargets > 0
    }

    /// How many targets and non-targets it holds (or their weights).
    pub fn weights(&self) -> (u64, u64) {
        (self.targets, self.nontargets)
    }

    /// Its blocks, from low scores to high.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Its corners, from no misses to no false alarms.
    pub(crate) fn corners(&self) -> impl Iterator<Item = Rates> + '_ {
        let (mut missed, mut rejected) = (0, 0);
        let first = Rates {
            miss: 0.0,
            false_alarm: 1.0,
        };
        let after = self.blocks.iter().map(move |block| {
            missed += block.targets;
            rejected += block.nontargets;
            Rates {
                miss: missed as f64 / self.targets as f64,
                false_alarm: 1.0 - rejected as f64 / self.nontargets as f64,
            }
        });
        std::iter::once(first).chain(after)
    }

    /// The equal error rate on the hull: what is reached by mixing two thresholds (Brümmer 2010,
    /// "Measuring, refining and calibrating speaker and language information extracted from speech").
    pub fn equal_error(&self) -> f64 {
        equal_error(self.corners())
    }

    /// The miss rate at each of some rising false-alarm rates, on the straight lines between the corners.
    pub fn misses<const N: usize>(&self, false_alarms: &[f64; N]) -> [f64; N] {
        let mut misses = [0.0; N];
        let mut corners = self.corners();
        // From no misses on: the highest false-alarm rates come first.
        let mut before = Rates {
            miss: 0.0,
            false_alarm: 1.0,
        };
        let mut after = before;
        for (miss, wanted) in misses.iter_mut().zip(false_alarms).rev() {
            while after.false_alarm > *wanted
                && let Some(next) = corners.next()
            {
                (before, after) = (after, next);
            }
            let width = before.false_alarm - after.false_alarm;
            let share = if width > 0.0 {
                ((before.false_alarm - wanted) / width).clamp(0.0, 1.0)
            } else {
                1.0
            };
            *miss = before.miss + share * (after.miss - before.miss);
        }
        misses
    }

    /// The log-likelihood ratio that the trials themselves give a block: the odds of its counts, less the
    /// odds of all. Infinite where a block holds one kind only.
    pub fn llr(&self, block: &Block) -> f64 {
        let prior = (self.targets as f64 / self.nontargets as f64).ln();
        (block.targets as f64).ln() - (block.nontargets as f64).ln() - prior
    }

    /// The Cllr, in bits, that is left after the best calibration that keeps the order of the scores
    /// (Brümmer and du Preez 2006): what calibration cannot win back.
    pub fn min_cllr(&self) -> f64 {
        let (mut targets, mut nontargets) = (0.0, 0.0);
        for block in &self.blocks {
            let llr = self.llr(block);
            // A block without targets costs its targets nothing, not nothing times infinity.
            if block.targets > 0 {
                targets += block.targets as f64 * softplus(-llr);
            }
            if block.nontargets > 0 {
                nontargets += block.nontargets as f64 * softplus(llr);
            }
        }
        (targets / self.targets as f64 + nontargets / self.nontargets as f64) / (2.0 * LN_2)
    }
}

impl Block {
    /// Whether the share of targets is lower than in `next`.
    fn is_below(&self, next: &Self) -> bool {
        u128::from(self.targets) * u128::from(next.nontargets)
            < u128::from(next.targets) * u128::from(self.nontargets)
    }

    fn with(&self, next: &Self) -> Self {
        Self {
            lowest: self.lowest,
            highest: next.highest,
            targets: self.targets + next.targets,
            nontargets: self.nontargets + next.nontargets,
        }
    }
}

/// `ln(1 + e^x)` without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_lie_on_the_lines_between_the_corners() {
        let trials = Trials::new(vec![0.0, 2.0, 3.0, 4.0], vec![-1.0, 1.0, 1.0, 2.5]).unwrap();
        let hull = Hull::of(&trials);
        let corners: Vec<(f64, f64)> = hull
            .corners()
            .map(|rates| (rates.false_alarm, rates.miss))
            .collect();
        // All accepted, -1 rejected, then a quarter of the targets and half of the others, and so on.
        assert_eq!(
            corners,
            [(1.0, 0.0), (0.75, 0.0), (0.25, 0.25), (0.0, 0.5), (0.0, 1.0)]
        );
        assert_eq!(
            hull.misses(&[0.0, 0.125, 0.25, 0.5, 0.9]),
            [0.5, 0.375, 0.25, 0.125, 0.0]
        );
    }
}
