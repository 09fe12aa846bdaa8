//! What charts are drawn from: curves and counts, never single people's scores.

use serde::Serialize;

use super::super::hull::Hull;
use super::super::identification::{AtThreshold, OpenSet};
use super::super::trials::{Rates, Trials, roc};

/// The curves of a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Curves {
    /// The receiver operating characteristic, thinned to what a chart can show.
    pub roc: Vec<Rates>,
    /// Its convex hull.
    pub hull: Vec<Rates>,
    /// How the scores are spread.
    pub spread: Spread,
    /// What ratios claim and what they are worth: the score of a block of trials and the ratio that the
    /// trials themselves give it; without a calibration, empty.
    pub reliability: Vec<[f64; 2]>,
    /// The normalised cost of decisions at a prior's log odds: by the ratios, at the best threshold, and
    /// without listening (always 1); without a calibration, empty.
    pub bayes_error: Vec<[f64; 3]>,
    /// Open-set rates at every threshold; thinned.
    pub open_set: Vec<AtThreshold>,
}

/// Counts of scores in bins of one width.
#[derive(Debug, Clone, Serialize)]
pub struct Spread {
    /// Where the first bin begins.
    pub from: f64,
    /// The width of a bin.
    pub width: f64,
    /// Trials of the same speaker.
    pub targets: Vec<usize>,
    /// Trials of another speaker who is enrolled.
    pub impostors: Vec<usize>,
    /// Trials of a speaker who was never enrolled.
    pub strangers: Vec<usize>,
}

/// The most points of a curve that a chart can show.
const POINTS: usize = 600;

/// The bins of a spread.
const BINS: usize = 60;

/// The curves of some trials: error rates and detection costs as they are `ranked`, with those last of which nothing was
/// heard, and of the scores what they `said`. `strangers` are those of the non-target scores whose speaker was never enrolled.
pub(super) fn curves(
    ranked: &Trials,
    said: &Trials,
    strangers: &[f64],
    of_llrs: bool,
    set: &OpenSet,
) -> Curves {
    let hull = Hull::of(ranked);
    let cost = |log_odds: f64| {
        let p_target = 1.0 / (1.0 + (-log_odds).exp());
        let cost = super::super::cost::Cost::at(p_target).ok()?;
        Some([log_odds, cost.actual(ranked), cost.least(&hull)])
    };
    Curves {
        roc: thinned(roc(ranked)),
        hull: hull.corners().collect(),
        spread: spread(said, strangers),
        reliability: if of_llrs {
            reliability(&Hull::of(said))
        } else {
            Vec::new()
        },
        bayes_error: if of_llrs {
            (-16..=16)
                .filter_map(|half| cost(f64::from(half) / 2.0))
                .collect()
        } else {
            Vec::new()
        },
        open_set: thinned(set.curve()),
    }
}

/// Each block of the best calibration that holds both kinds: its middle, and its own ratio.
fn reliability(hull: &Hull) -> Vec<[f64; 2]> {
    let mixed = hull
        .blocks()
        .iter()
        .filter(|block| block.targets > 0 && block.nontargets > 0);
    mixed
        .map(|block| [f64::midpoint(block.lowest, block.highest), hull.llr(block)])
        .collect()
}

fn spread(trials: &Trials, strangers: &[f64]) -> Spread {
    let finite = || {
        trials
            .targets()
            .iter()
            .chain(trials.nontargets())
            .filter(|score| score.is_finite())
    };
    let from = finite().copied().fold(f64::INFINITY, f64::min);
    let to = finite().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = ((to - from) / BINS as f64).max(1e-9);
    let count = |scores: &[f64]| {
        let mut bins = vec![0; BINS];
        for score in scores {
            let bin = ((score - from) / width).clamp(0.0, (BINS - 1) as f64);
            bins[bin as usize] += 1;
        }
        bins
    };
    let strangers = count(strangers);
    let mut impostors = count(trials.nontargets());
    impostors
        .iter_mut()
        .zip(&strangers)
        .for_each(|(all, of_strangers)| *all -= (*of_strangers).min(*all));
    Spread {
        from,
        width,
        targets: count(trials.targets()),
        impostors,
        strangers,
    }
}

/// At most [`POINTS`] of the points, evenly picked, with the first and the last.
fn thinned<T: Copy>(points: Vec<T>) -> Vec<T> {
    if points.len() <= POINTS {
        return points;
    }
    let last = points.len() - 1;
    (0..POINTS).map(|at| points[at * last / (POINTS - 1)]).collect()
}
