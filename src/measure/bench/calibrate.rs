//! A calibration fitted on a protocol, by the product's own path from recordings to scores.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::logistic::{FitError, Observation, logistic};
use super::super::protocol::Protocol;
use super::benchmark::{Benchmark, Progress};
use super::check::{Checked, check_heard};
use super::error::BenchError;
use super::everybody::hear_under;
use super::fitting::{Fitting, Part, SIMILARITY, rounded};
use super::heard_protocol::HeardProtocol;
use super::observe::{Observed, Seen, TrialKey, observe};
use super::operating_points::{Measured, operating_points};
use super::turns::{FittedVoices, voice_test};
use crate::decision::{Calibration, Curve, Origin};
use crate::verdict::CHECKPOINTS;

/// What a fit comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fitted {
    /// What was fitted.
    pub calibration: Calibration,
    /// How it fits the trials it was fitted on; none where no protocol has trials of both kinds between those who count.
    pub figures: Option<Checked>,
    /// Whether the two-voices test was fitted too, and is not [`Fitting::voices`].
    pub voices_fitted: bool,
    /// The one that was fitted and is not used: it tells much less than [`Fitting::voices`].
    pub voices_refused: Option<RefusedVoices>,
}

/// A two-voices test that would tell much less than the one in use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedVoices {
    /// Share of pairs of voices that it takes for one.
    pub miss: f64,
    /// Share of the same pairs that the one in use takes for one.
    pub miss_in_use: f64,
    /// The recording without which it would not tell less, by its path, where it is one alone: there may be two voices in it.
    pub recording: Option<String>,
}

/// Fits a calibration on the trials of protocols, each test checked on its way as a call is; with it, how it fits
/// the trials of the first protocol that has both kinds of those who count. The curve is fitted on all of them, each protocol counting the same, and in it each
/// checkpoint of each condition, and in that each speaker. The voices are `first`'s, where it has calls that are
/// long enough and they tell not much less than those in use; the operating points are the worst of any protocol.
///
/// # Errors
/// [`BenchError`]: what stopped the hearing, or why there is no fit.
pub fn calibrate(
    bench: &Benchmark<'_>,
    first: &Part,
    more: &[Part],
    fitting: &Fitting,
    progress: &dyn Progress,
) -> Result<Fitted, BenchError> {
    let hear = |part| heard(bench, part, fitting, progress);
    let of_first = hear(first)?;
    let others = more.iter().map(hear).collect::<Result<Vec<_>, _>>()?;
    let all = std::iter::once((first, &of_first)).chain(more.iter().zip(&others));
    let curve = curve(fitting, &seen(all, fitting)?)?;
    let fitted = voice_test(&of_first, fitting.voices.as_ref());
    let own = fitted.filter(|fitted| fitted.weaker.is_none());
    let mut calibration = Calibration {
        id: fitting.id.clone(),
        model: bench.models.card.id().clone(),
        model_sha256: bench.models.card.sha256().to_owned(),
        fitted_on: fitting.fitted_on.clone(),
        origin: None,
        curve,
        voices: own.map(|own| own.test).or(fitting.voices),
        operating_points: Vec::new(),
    };
    let measured = operating_points(&of_first, &calibration)?;
    let of_others = others.iter().map(|other| operating_points(other, &calibration));
    let measured = measured.worst(&of_others.collect::<Result<Vec<_>, _>>()?);
    calibration.origin = Some(origin(&of_first, more, fitting, &measured));
    calibration.operating_points = measured.points;
    // Those whom it is fitted on may all be of a later one.
    let mut heard = std::iter::once(&of_first).chain(&others);
    let checked = heard.find(|heard| heard.has_both_kinds());
    Ok(Fitted {
        figures: checked.map(|on| check_heard(on, &calibration)).transpose()?,
        calibration,
        voices_fitted: own.is_some(),
        voices_refused: fitted.and_then(|fitted| refused(&fitted, first)),
    })
}

fn refused(fitted: &FittedVoices, first: &Part) -> Option<RefusedVoices> {
    let weaker = fitted.weaker?;
    let path = |test: usize| first.protocol.tables.tests[test].clone();
    Some(RefusedVoices {
        miss: fitted.test.miss,
        miss_in_use: weaker.miss_in_use,
        recording: weaker.but_for.map(path),
    })
}

fn heard<'a>(
    bench: &'a Benchmark<'a>,
    part: &'a Part,
    fitting: &Fitting,
    progress: &dyn Progress,
) -> Result<HeardProtocol<'a>, BenchError> {
    let own = part.own_condition()?;
    let conditions = own.as_ref().map_or(&bench.tests[..], std::slice::from_ref);
    let voices = hear_under(bench, &part.protocol, conditions, true, progress)?;
    HeardProtocol::of(bench, &part.protocol, own, voices, |speaker| {
        fitting.counts(speaker)
    })
}

/// What the curve is fitted on.
fn seen<'a>(
    all: impl Iterator<Item = (&'a Part, &'a HeardProtocol<'a>)> + Clone,
    fitting: &Fitting,
) -> Result<Seen<'a>, BenchError> {
    let mut parts = all.clone().map(|(part, _)| part);
    let has_real = parts.any(|part| part.is_recorded && !part.is_same_call);
    let simulated = if has_real { SIMULATED_TARGETS } else { 1.0 };
    let mut seen = Seen {
        trials: Vec::new(),
        known: BTreeSet::new(),
    };
    for (nth, (part, heard)) in all.enumerate() {
        let targets = match (part.is_same_call, part.is_recorded) {
            (true, _) => 0.0,
            (_, true) => 1.0,
            _ => simulated,
        };
        let (voices, models) = (&heard.voices, &heard.models);
        let more = observe(&part.protocol, voices, models, fitting, (nth, targets))?;
        seen.trials.extend(more.trials);
        seen.known.extend(more.known);
    }
    Ok(seen)
}

fn origin(
    first: &HeardProtocol<'_>,
    more: &[Part],
    fitting: &Fitting,
    Measured { callers, users, .. }: &Measured,
) -> Origin {
    let all = || std::iter::once(first.protocol).chain(more.iter().map(|part| &part.protocol));
    let joined = |part: fn(&Protocol) -> &str| all().map(part).collect::<Vec<_>>().join(" + ");
    let speakers: BTreeSet<&str> = all()
        .flat_map(|protocol| &protocol.tables.speakers)
        .map(|speaker| speaker.name.as_str())
        .filter(|speaker| fitting.counts(speaker))
        .collect();
    let conditions = first.conditions().iter();
    Origin {
        model_identity: Some(first.bench.models.card.identity().to_owned()),
        date: fitting.date.clone(),
        protocol: joined(|protocol| &protocol.name),
        protocol_sha256: joined(|protocol| &protocol.sha256),
        conditions: conditions.map(|one| one.condition().to_string()).collect(),
        speakers: speakers.len() as u64,
        prior: fitting.prior,
        callers: *callers,
        users: Some(*users),
        unknown_share: Some(first.bench.policy.unknown_share),
    }
}

/// What a target trial of a simulated call counts beside one of a real call of another day, when there are such: its
/// enrolment and its call are of one sitting, and only the line between them is another.
const SIMULATED_TARGETS: f64 = 0.25;

fn curve(fitting: &Fitting, seen: &Seen<'_>) -> Result<Curve, BenchError> {
    let fitted = &seen.trials;
    let [shortest, longest] = net_range(fitted)?;
    let weights = weights(fitted);
    let reach = if fitting.roster_reach {
        Some(usual_reach(fitted, &weights).ok_or(BenchError::NoReach)?)
    } else {
        None
    };
    let has_signups = fitted.iter().any(|one| one.is_signup_to_call);
    let usual = usual(fitted, &weights);
    let observation = |(one, weight): (&Observed, f64)| {
        let quality = one.net_s.clamp(shortest, longest).ln();
        let similarity = SIMILARITY.of(one.cosine);
        Observation {
            terms: terms(one, similarity, quality, (has_signups, usual, reach)),
            target: one.target,
            weight,
        }
    };
    let observations: Vec<Observation> = fitted.iter().zip(weights).map(observation).collect();
    let beta = logistic(&observations, fitting.prior).map_err(|cause| BenchError::Fit { cause })?;
    let bound = highest_ratio(seen.known.len());
    let targets = fitted.iter().filter(|one| one.target).count();
    // In the order of `terms`; what it was told nothing of is nought.
    let mut coefficients = beta.into_iter().map(rounded);
    let mut next = |is_there: bool| {
        let next = is_there.then(|| coefficients.next());
        next.flatten().unwrap_or(0.0)
    };
    Ok(Curve {
        similarity: SIMILARITY,
        scale: next(true),
        scale_per_log: next(true),
        offset: next(true),
        offset_per_log: next(true),
        cohort_scale: next(usual.is_some()),
        signup_scale: next(has_signups),
        signup_offset: next(has_signups),
        cohort_mean: usual.map_or(0.0, rounded),
        cohort_range: usual.map(|usual| range(fitted, usual)),
        roster_reach: reach,
        net_seconds: [shortest, longest],
        llr_bounds: [-rounded(bound), rounded(bound)],
        target_trials: targets as u64,
        nontarget_trials: (fitted.len() - targets) as u64,
    })
}

/// The least and the most speech that target trials were fitted on (s).
///
/// # Errors
/// [`BenchError::Fit`] where there is none: nothing is known of users.
fn net_range(trials: &[Observed]) -> Result<[f64; 2], BenchError> {
    let targets = trials.iter().filter(|one| one.target);
    let nets = targets.map(|one| CHECKPOINTS[one.case.1]);
    let range = nets.fold(None::<[f64; 2]>, |range, net| {
        let [shortest, longest] = range.unwrap_or([net; 2]);
        Some([net.min(shortest), net.max(longest)])
    });
    range.ok_or(BenchError::Fit {
        cause: FitError::OneClass,
    })
}

/// The mean similarity of calls and models of somebody else, as trials weigh; none where no trial had others beside it.
fn usual(trials: &[Observed], weights: &[f64]) -> Option<f64> {
    let has_cohorts = trials.iter().any(|one| one.cohort.size > 0);
    let similarity = |one: &Observed| Some(SIMILARITY.of(one.cosine));
    mean_of_others(trials, weights, similarity).filter(|_| has_cohorts)
}

/// How far strangers reach on the rosters that the trials are on, as trials of others weigh; none where no roster says.
fn usual_reach(trials: &[Observed], weights: &[f64]) -> Option<f64> {
    mean_of_others(trials, weights, |one| one.reach.z()).filter(|usual| *usual > 0.0)
}

/// The mean of what trials of somebody else say, as they weigh; none where none says anything.
fn mean_of_others(
    trials: &[Observed],
    weights: &[f64],
    says: impl Fn(&Observed) -> Option<f64>,
) -> Option<f64> {
    let others = trials.iter().zip(weights).filter(|(one, _)| !one.target);
    let said = others.filter_map(|(one, weight)| Some((says(one)?, weight)));
    let (sum, total) = said.fold((0.0, 0.0), |(sum, total), (value, weight)| {
        (sum + weight * value, total + weight)
    });
    (total > 0.0).then(|| rounded(sum / total))
}

/// The least and the largest excess of any trial over the usual, and nought.
fn range(trials: &[Observed], usual: f64) -> [f64; 2] {
    let excesses = trials.iter().map(|one| one.cohort.excess(usual));
    excesses.fold([0.0, 0.0], |[least, largest], excess| {
        [rounded(excess).min(least), rounded(excess).max(largest)]
    })
}

/// What the regression is told of a trial; nothing of cohorts and signups where none was met, or they would have no one
/// answer.
fn terms(
    one: &Observed,
    similarity: f64,
    quality: f64,
    (has_signups, usual, reach): (bool, Option<f64>, Option<f64>),
) -> Vec<f64> {
    let signup = f64::from(u8::from(one.is_signup_to_call));
    // As `Curve::on` multiplies what these are multiplied by.
    let factor = reach.map_or(1.0, |usual| one.reach.factor(usual));
    let similarity = similarity * factor;
    let mut terms = vec![similarity, quality * similarity, 1.0, quality];
    terms.extend(usual.map(|usual| one.cohort.excess(usual) * factor));
    if has_signups {
        terms.extend([signup * similarity, signup]);
    }
    terms
}

/// What each trial counts: protocols the same, in one the cases the same, in a case the callers, targets and the others
/// apart. A caller who called thirty times is one caller.
fn weights(trials: &[Observed]) -> Vec<f64> {
    let mut of_caller: BTreeMap<(TrialKey, bool, u32), f64> = BTreeMap::new();
    for one in trials {
        *of_caller.entry((one.case, one.target, one.caller)).or_default() += 1.0;
    }
    let mut callers: BTreeMap<(TrialKey, bool), f64> = BTreeMap::new();
    for (case, target, _) in of_caller.keys() {
        *callers.entry((*case, *target)).or_default() += 1.0;
    }
    let mut cases: BTreeMap<(usize, bool), f64> = BTreeMap::new();
    for (case, target) in callers.keys() {
        *cases.entry((case.0, *target)).or_default() += 1.0;
    }
    let weight = |one: &Observed| {
        let (case, target) = (one.case, one.target);
        one.counts
            / (of_caller[&(case, target, one.caller)] * callers[&(case, target)] * cases[&(case.0, target)])
    };
    trials.iter().map(weight).collect()
}

/// What so many speakers can support, by the rule of three: with no error among n independent trials, an
/// error rate of 3/n cannot be excluded at 95 %. Those of a stranger who is like a user are pairs of speakers.
/// The same bound holds below: names never rest on low ratios, and bounding them by the number of speakers,
/// who are few, ties most trials of strangers at one score (models/calibration/README.md).
fn highest_ratio(speakers: usize) -> f64 {
    let pairs = speakers as f64 * (speakers as f64 - 1.0) / 2.0;
    (pairs / 3.0).ln().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Cohort, RosterReach, TrialFacts};
    use crate::units::{Cosine, Seconds};
    use crate::voiceprint::Embedding;

    fn reach(degrees: [f32; 4]) -> RosterReach {
        let voices = degrees.map(Embedding::at_degrees);
        RosterReach::of(&voices.each_ref()).unwrap()
    }

    #[test]
    fn the_curve_of_a_roster_is_the_line_that_was_fitted() {
        let beta = [18.0, 1.3, -6.5, -1.5, -26.0, 15.0, -8.0];
        let (usual, usual_reach) = (0.19, 0.4);
        let fitted = Curve {
            similarity: SIMILARITY,
            scale: beta[0],
            scale_per_log: beta[1],
            offset: beta[2],
            offset_per_log: beta[3],
            cohort_scale: beta[4],
            signup_scale: beta[5],
            signup_offset: beta[6],
            cohort_mean: usual,
            cohort_range: None,
            roster_reach: Some(usual_reach),
            net_seconds: [1.0, 60.0],
            llr_bounds: [-99.0, 99.0],
            target_trials: 1,
            nontarget_trials: 1,
        };
        for reach in [reach([0.0, 50.0, 80.0, 120.0]), reach([0.0, 65.0, 75.0, 89.0])] {
            assert!((reach.factor(usual_reach) - 1.0).abs() > 0.05);
            for (cosine, is_signup_to_call) in [(0.62, false), (0.1, true)] {
                let one = Observed {
                    case: (0, 0, 0),
                    caller: 0,
                    cosine: f64::from(cosine),
                    net_s: 7.0,
                    is_signup_to_call,
                    cohort: Cohort { size: 9, mean: 0.3 },
                    reach,
                    target: true,
                    counts: 1.0,
                };
                let similarity = SIMILARITY.of(one.cosine);
                let terms = terms(
                    &one,
                    similarity,
                    7f64.ln(),
                    (true, Some(usual), Some(usual_reach)),
                );
                let line: f64 = terms.iter().zip(beta).map(|(term, beta)| term * beta).sum();
                let facts = TrialFacts {
                    net_speech: Seconds::new(7.0),
                    is_signup_to_call,
                    cohort: one.cohort,
                    ..TrialFacts::default()
                };
                let llr = fitted
                    .on(reach)
                    .llr(Cosine::new(cosine).unwrap(), &facts)
                    .unwrap();
                assert!((llr.get() - line).abs() < 1e-9, "{llr:?} {line}");
            }
        }
    }
}
