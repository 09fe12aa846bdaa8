//! How sure a figure is: intervals by drawing speakers, not trials, again and again.

use std::num::NonZero;

use serde::Serialize;

use super::cost::Cost;
use super::error::MetricError;
use super::hull::{Hull, softplus};
use super::rng::Rng;
use super::trials::Step;

/// A trial with the speakers on its two sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The trial's score: a similarity or a log-likelihood ratio.
    pub score: f64,
    /// The enrolled speaker.
    pub enrolled: u32,
    /// The speaker of the test.
    pub tested: u32,
    /// Whether they are the same.
    pub target: bool,
}

/// How often to draw, and how to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// How often all speakers are drawn again.
    pub replicates: usize,
    /// The order in which random numbers are drawn.
    pub seed: u64,
}

/// The middle 95 % of each figure over all draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// Equal error rate on the hull.
    pub eer: [f64; 2],
    /// Least detection cost.
    pub min_dcf: [f64; 2],
    /// Cost of the ratios, when the scores are ratios (otherwise without meaning).
    pub cllr: [f64; 2],
    /// What is left of it after the best calibration.
    pub min_cllr: [f64; 2],
    /// Miss rate on the hull at each false-alarm rate of `BAND`: the band around a detection-error curve.
    pub miss: [[f64; 2]; BAND.len()],
    /// How many draws held both targets and non-targets; the others count for nothing.
    pub replicates: usize,
}

/// The false-alarm rates at which [`Intervals::miss`] is known.
pub(crate) const BAND: [f64; 10] = [0.000_1, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4];

/// The figures of one draw: EER, least cost, Cllr, least Cllr, and the misses of the band.
type Drawn = [f64; 4 + BAND.len()];

/// Tallies of a trial while weights change: 16 bytes, in rising order of the scores.
struct Row {
    /// What the trial adds to the cost of ratios.
    cost: f64,
    enrolled: u32,
    /// The speaker, and [`TARGET`] and [`LAST_OF_STEP`].
    tested: u32,
}

const TARGET: u32 = 1 << 31;
const LAST_OF_STEP: u32 = 1 << 30;
const SPEAKER: u32 = LAST_OF_STEP - 1;

/// Draws as many speakers as there are, with replacement, again and again. A target trial counts as often as
/// its speaker was drawn, a non-target trial as often as the one times the other (the vertex bootstrap of
/// Snijders and Borgatti 1999): trials that share a speaker are not independent, and drawing trials would
/// make intervals too narrow. `None` when no draw held both kinds.
///
/// # Errors
/// [`MetricError`] when a score is NaN, a kind is missing, or a speaker's index is `speakers` or more.
pub fn bootstrap(
    trials: &[Paired],
    speakers: usize,
    cost: Cost,
    draws: Draws,
) -> Result<Option<Intervals>, MetricError> {
    let rows = rows(trials, speakers)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = |from: usize| {
        let mine = (from..draws.replicates).step_by(threads);
        mine.filter_map(|task| replicate(&rows, speakers, cost, &mut Rng::for_task(draws.seed, task as u64)))
            .collect::<Vec<_>>()
    };
    let share = &share;
    let drawn: Vec<Drawn> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads)
            .map(|from| scope.spawn(move || share(from)))
            .collect();
        // A thread that died has nothing to add; arithmetic does not die.
        working
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    });
    if drawn.is_empty() {
        return Ok(None);
    }
    let middle = |figure| middle(&drawn, figure);
    Ok(Some(Intervals {
        eer: middle(0),
        min_dcf: middle(1),
        cllr: middle(2),
        min_cllr: middle(3),
        miss: std::array::from_fn(|at| middle(4 + at)),
        replicates: drawn.len(),
    }))
}

/// The middle 95 % of one figure over all draws.
pub(super) fn middle<const N: usize>(drawn: &[[f64; N]], figure: usize) -> [f64; 2] {
    let mut values: Vec<f64> = drawn.iter().map(|one| one[figure]).collect();
    values.sort_unstable_by(f64::total_cmp);
    [quantile(&values, 0.025), quantile(&values, 0.975)]
}

/// How often each speaker was drawn, when as many are drawn as there are.
pub(super) fn times_drawn(speakers: usize, rng: &mut Rng) -> Vec<u32> {
    let mut times = vec![0; speakers];
    (0..speakers).for_each(|_| times[rng.below(speakers)] += 1);
    times
}

/// The value below which `share` of the rising `values` lie, straight lines between them (numpy's and R's
/// default, type 7 of Hyndman and Fan 1996). NaN when there are none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (values[at.floor() as usize], values[at.ceil() as usize]);
    if below == above {
        return below;
    }
    below + (above - below) * at.fract()
}

fn rows(trials: &[Paired], speakers: usize) -> Result<Vec<Row>, MetricError> {
    for (class, wanted) in [("target", true), ("non-target", false)] {
        if !trials.iter().any(|trial| trial.target == wanted) {
            return Err(MetricError::OneClass { missing: class });
        }
    }
    for (at, trial) in trials.iter().enumerate() {
        let class = if trial.target { "target" } else { "non-target" };
        if trial.score.is_nan() {
            return Err(MetricError::NotANumber { class, at });
        }
        let speaker = trial.enrolled.max(trial.tested);
        if speaker as usize >= speakers || speaker > SPEAKER {
            return Err(MetricError::NoSuchSpeaker {
                at,
                speaker,
                speakers,
            });
        }
    }
    let mut order: Vec<Paired> = trials.to_vec();
    order.sort_unstable_by(|a, b| (a.score + 0.0).total_cmp(&(b.score + 0.0)));
    let last_of_step = |at: usize| order.get(at + 1).is_none_or(|next| next.score != order[at].score);
    Ok((0..order.len())
        .map(|at| {
            let trial = &order[at];
            let flags =
                if trial.target { TARGET } else { 0 } | if last_of_step(at) { LAST_OF_STEP } else { 0 };
            Row {
                cost: softplus(if trial.target { -trial.score } else { trial.score }),
                enrolled: trial.enrolled,
                tested: trial.tested | flags,
            }
        })
        .collect())
}

/// The figures of one draw; `None` when it holds only one kind of trial.
fn replicate(rows: &[Row], speakers: usize, cost: Cost, rng: &mut Rng) -> Option<Drawn> {
    let drawn = times_drawn(speakers, rng);
    let (mut of_targets, mut of_nontargets) = (0.0, 0.0);
    let mut open = Step {
        score: 0.0,
        targets: 0,
        nontargets: 0,
    };
    let steps = rows.iter().filter_map(|row| {
        let tested = drawn[(row.tested & SPEAKER) as usize];
        if row.tested & TARGET != 0 {
            open.targets += u64::from(tested);
            if tested > 0 {
                of_targets += f64::from(tested) * row.cost;
            }
        } else {
            let weight = u64::from(tested) * u64::from(drawn[row.enrolled as usize]);
            open.nontargets += weight;
            if weight > 0 {
                of_nontargets += weight as f64 * row.cost;
            }
        }
        let ends = row.tested & LAST_OF_STEP != 0;
        ends.then(|| {
            std::mem::replace(
                &mut open,
                Step {
                    score: 0.0,
                    targets: 0,
                    nontargets: 0,
                },
            )
        })
    });
    let hull = Hull::from_steps(steps);
    if !hull.has_both() {
        return None;
    }
    let (targets, nontargets) = hull.weights();
    let cllr =
        (of_targets / targets as f64 + of_nontargets / nontargets as f64) / (2.0 * std::f64::consts::LN_2);
    let mut drawn = [0.0; 4 + BAND.len()];
    let (figures, misses) = drawn.split_at_mut(4);
    figures.copy_from_slice(&[hull.equal_error(), cost.least(&hull), cllr, hull.min_cllr()]);
    misses.copy_from_slice(&hull.misses(&BAND));
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(speakers: u32, noise: f64) -> Vec<Paired> {
        let mut rng = Rng::new(9);
        let mut trials = Vec::new();
        for enrolled in 0..speakers {
            for tested in 0..speakers {
                let target = enrolled == tested;
                let mean = if target { 2.0 } else { -2.0 };
                trials.push(Paired {
                    score: mean + noise * rng.normal(),
                    enrolled,
                    tested,
                    target,
                });
            }
        }
        trials
    }

    const DRAWS: Draws = Draws {
        replicates: 200,
        seed: 5,
    };

    #[test]
    fn the_same_seed_gives_the_same_interval_and_it_holds_the_figure() {
        let trials = pairs(40, 1.5);
        let one = bootstrap(&trials, 40, Cost::USUAL, DRAWS).unwrap().unwrap();
        let two = bootstrap(&trials, 40, Cost::USUAL, DRAWS).unwrap().unwrap();
        assert_eq!(one, two);
        let scores = |target| {
            trials
                .iter()
                .filter(|t| t.target == target)
                .map(|t| t.score)
                .collect()
        };
        let whole = crate::measure::Trials::new(scores(true), scores(false)).unwrap();
        let eer = Hull::of(&whole).equal_error();
        assert!(
            one.eer[0] <= eer && eer <= one.eer[1] && one.eer[0] < one.eer[1],
            "{eer} {one:?}"
        );
    }

    #[test]
    fn the_order_of_the_trials_changes_nothing() {
        let trials = pairs(12, 2.0);
        let backward: Vec<_> = trials.iter().rev().copied().collect();
        assert_eq!(
            bootstrap(&trials, 12, Cost::USUAL, DRAWS)
                .unwrap()
                .map(|found| found.eer),
            bootstrap(&backward, 12, Cost::USUAL, DRAWS)
                .unwrap()
                .map(|found| found.eer)
        );
    }

    #[test]
    fn what_cannot_be_drawn_from_is_refused_with_the_reason() {
        let mut trials = pairs(3, 1.0);
        let fault = bootstrap(&trials, 2, Cost::USUAL, DRAWS).unwrap_err();
        assert!(fault.to_string().contains("speaker 2 of 2"), "{fault}");
        trials[4].score = f64::NAN;
        assert!(bootstrap(&trials, 3, Cost::USUAL, DRAWS).is_err());
        assert!(bootstrap(&trials[..1], 3, Cost::USUAL, DRAWS).is_err());
    }

    #[test]
    fn quantiles_lie_on_straight_lines_between_the_values() {
        let values = [1.0, 2.0, 4.0];
        assert_eq!(
            [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&values, share)),
            [1.0, 1.5, 2.0, 3.0, 4.0]
        );
        assert!(quantile(&[], 0.5).is_nan());
    }
}
