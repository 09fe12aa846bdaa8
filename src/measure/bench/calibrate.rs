//! A calibration fitted on a protocol, by the product's own path from recordings to scores.

use std::collections::{BTreeMap, BTreeSet};

use super::super::condition::{Condition, Prepared};
use super::super::dice::Dice;
use super::super::logistic::{Observation, logistic};
use super::super::protocol::Protocol;
use super::calls::Follower;
use super::check::{Checked, check_heard};
use super::error::BenchError;
use super::hear::{Heard, Print};
use super::score::{cosine, enrol, user_id};
use super::turns::voice_test;
use super::{Bench, Progress, Voices, hear_under};
use crate::decision::{Calibration, Curve, OperatingPoint, Origin, Outcome, Policy, Similarity};
use crate::verdict::CHECKPOINTS;

/// How a calibration is fitted.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// Its name.
    pub id: String,
    /// What it is fitted on, in words.
    pub fitted_on: String,
    /// The day.
    pub date: String,
    /// The effective prior of a target: where the lines have to be right.
    pub prior: f64,
    /// Fit the lines on trials among these speakers alone, by name; the bounds count all.
    pub speakers: Option<BTreeSet<String>>,
    /// What the lines are lines of.
    pub similarity: Similarity,
}

/// The sizes of roster that operating points are measured on.
const ROSTERS: [usize; 3] = [5, 20, 50];

/// Rosters of each size that each caller meets.
const DRAWS: usize = 4;

/// The acceptances that are tried.
const ACCEPTS: [f64; 10] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];

/// A protocol to fit on.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its trials.
    pub protocol: Protocol,
    /// Whether its calls are heard as they were recorded, under the protocol's own condition, and not through each of
    /// the benchmark's: real calls have had their line.
    pub is_recorded: bool,
}

/// Fits a calibration on the trials of protocols, each test checked on its way as a call is; with it, how it fits
/// the trials of `first`. The curve is fitted on all of them, each protocol counting the same, and in it each
/// checkpoint of each condition, and in that each speaker. The voices are `first`'s; the operating points are the
/// worst of any protocol.
///
/// # Errors
/// [`BenchError`]: what stopped the hearing, or why there is no fit.
pub fn calibrate(
    bench: &Bench<'_>,
    first: &Protocol,
    more: &[Part],
    fitting: &Fitting,
    progress: &dyn Progress,
) -> Result<(Calibration, Checked), BenchError> {
    let (voices, models) = heard(bench, first, &bench.tests, progress)?;
    let mut seen = observe(first, &voices, &models, fitting, 0)?;
    let mut others = Vec::with_capacity(more.len());
    for (nth, part) in more.iter().enumerate() {
        let own;
        let conditions = if part.is_recorded {
            own = [part.protocol.test.condition.parse::<Condition>()?.prepare()?];
            &own[..]
        } else {
            &bench.tests
        };
        let (voices, models) = heard(bench, &part.protocol, conditions, progress)?;
        let other = observe(&part.protocol, &voices, &models, fitting, nth + 1)?;
        seen.trials.extend(other.trials);
        seen.known.extend(other.known);
        others.push((&part.protocol, voices, models));
    }
    let mut calibration = Calibration {
        id: fitting.id.clone(),
        model: bench.models.card.id().clone(),
        model_sha256: bench.models.card.sha256().to_owned(),
        fitted_on: fitting.fitted_on.clone(),
        origin: Some(origin(bench, first, more, fitting)),
        curve: curve(fitting, &seen)?,
        voices: voice_test(bench, first, &voices),
        operating_points: Vec::new(),
    };
    calibration.operating_points = operating_points(bench, first, &voices, &models, &calibration)?;
    for (protocol, voices, models) in &others {
        let points = operating_points(bench, protocol, voices, models, &calibration)?;
        for (worst, here) in calibration.operating_points.iter_mut().zip(points) {
            worst.false_accept = worst.false_accept.max(here.false_accept);
            worst.wrong_name = worst.wrong_name.max(here.wrong_name);
            worst.right_name = worst.right_name.min(here.right_name);
        }
    }
    let checked = check_heard(bench, first, &voices, &calibration)?;
    Ok((calibration, checked))
}

fn heard(
    bench: &Bench<'_>,
    protocol: &Protocol,
    conditions: &[Prepared],
    progress: &dyn Progress,
) -> Result<(Voices, Vec<Option<Print>>), BenchError> {
    let voices = hear_under(bench, protocol, conditions, true, progress)?;
    let models = enrol(protocol, &voices.clips, Heard::print)?;
    Ok((voices, models))
}

fn origin(bench: &Bench<'_>, first: &Protocol, more: &[Part], fitting: &Fitting) -> Origin {
    let all = || std::iter::once(first).chain(more.iter().map(|part| &part.protocol));
    let joined = |part: fn(&Protocol) -> &str| all().map(part).collect::<Vec<_>>().join(" + ");
    let speakers: BTreeSet<&str> = all()
        .flat_map(|protocol| &protocol.tables.speakers)
        .map(|speaker| speaker.name.as_str())
        .filter(|speaker| fitting.counts(speaker))
        .collect();
    let conditions = bench.tests.iter();
    Origin {
        date: fitting.date.clone(),
        protocol: joined(|protocol| &protocol.name),
        protocol_sha256: joined(|protocol| &protocol.sha256),
        conditions: conditions.map(|one| one.condition().to_string()).collect(),
        speakers: speakers.len() as u64,
        prior: fitting.prior,
        callers: first.tables.test_speakers.iter().collect::<BTreeSet<_>>().len() as u64,
    }
}

impl Fitting {
    fn counts(&self, speaker: &str) -> bool {
        self.speakers.as_ref().is_none_or(|own| own.contains(speaker))
    }
}

/// The protocol, the checkpoint and the condition of a trial.
type Case = (usize, usize, usize);

/// A checkpoint of a test, against a model.
struct Trial {
    /// Where it was seen.
    case: Case,
    /// Who called: in a case each of them counts the same.
    caller: u32,
    cosine: f64,
    net_s: f64,
    /// Whether a telephone call met a wide-band enrolment.
    is_signup_to_call: bool,
    target: bool,
}

/// What the lines are fitted on.
struct Seen<'a> {
    trials: Vec<Trial>,
    /// Everybody who was heard, whether or not the line is fitted on them.
    known: BTreeSet<&'a str>,
}

/// The trials at every look. The last look of a recording is left out: it ends where the recording does and not
/// at a mark.
fn observe<'a>(
    protocol: &'a Protocol,
    voices: &Voices,
    models: &[Option<Print>],
    fitting: &Fitting,
    nth: usize,
) -> Result<Seen<'a>, BenchError> {
    let tables = &protocol.tables;
    let name = |speaker: u32| tables.speakers[speaker as usize].name.as_str();
    let (mut trials, mut known) = (Vec::new(), BTreeSet::new());
    for (condition, tests) in voices.tests.iter().enumerate() {
        for trial in &tables.trials {
            let (model, test) = (trial.model as usize, trial.test as usize);
            let both = [tables.model_speakers[model], tables.test_speakers[test]].map(name);
            for look in tests[test].looks.split_last().map_or(&[][..], |(_, rest)| rest) {
                let found = cosine(models[model].as_ref(), look.print.as_ref());
                let fault = |cause| BenchError::Score {
                    model: tables.models[model].clone(),
                    test: tables.tests[test].clone(),
                    cause,
                };
                let (Some(cosine), Some(print)) = (found.map_err(fault)?, &look.print) else {
                    continue;
                };
                known.extend(both);
                if both.iter().all(|speaker| fitting.counts(speaker)) {
                    trials.push(Trial {
                        case: (nth, nearest_mark(print.net_s), condition),
                        caller: tables.test_speakers[test],
                        cosine,
                        net_s: print.net_s,
                        is_signup_to_call: models[model]
                            .as_ref()
                            .is_some_and(|model| print.over.is_call_to_signup(model.over)),
                        target: trial.target,
                    });
                }
            }
        }
    }
    Ok(Seen { trials, known })
}

fn curve(fitting: &Fitting, seen: &Seen<'_>) -> Result<Curve, BenchError> {
    let fitted = &seen.trials;
    let nets = || {
        fitted
            .iter()
            .filter(|one| one.target)
            .map(|one| CHECKPOINTS[one.case.1])
    };
    let shortest = nets().fold(f64::INFINITY, f64::min);
    let longest = nets().fold(0.0, f64::max);
    let weights = weights(fitted);
    let has_signups = fitted.iter().any(|one| one.is_signup_to_call);
    let observation = |(one, weight): (&Trial, f64)| {
        let quality = one.net_s.clamp(shortest, longest).ln();
        let similarity = fitting.similarity.of(one.cosine);
        Observation {
            terms: terms(one, similarity, quality, has_signups),
            target: one.target,
            weight,
        }
    };
    let observations: Vec<Observation> = fitted.iter().zip(weights).map(observation).collect();
    let beta = logistic(&observations, fitting.prior).map_err(|cause| BenchError::Fit { cause })?;
    let bound = highest_ratio(seen.known.len());
    let targets = fitted.iter().filter(|one| one.target).count();
    Ok(Curve {
        similarity: fitting.similarity,
        scale: rounded(beta[0]),
        scale_per_log: rounded(beta[1]),
        offset: rounded(beta[2]),
        offset_per_log: rounded(beta[3]),
        signup_scale: beta.get(4).copied().map_or(0.0, rounded),
        signup_offset: beta.get(5).copied().map_or(0.0, rounded),
        net_seconds: [shortest, longest],
        llr_bounds: [-rounded(bound), rounded(bound)],
        target_trials: targets as u64,
        nontarget_trials: (fitted.len() - targets) as u64,
    })
}

/// What the regression is told of a trial; nothing of signups where none was met, or they would have no one answer.
fn terms(one: &Trial, similarity: f64, quality: f64, has_signups: bool) -> Vec<f64> {
    let signup = f64::from(u8::from(one.is_signup_to_call));
    let mut terms = vec![similarity, quality * similarity, 1.0, quality];
    if has_signups {
        terms.extend([signup * similarity, signup]);
    }
    terms
}

/// What each trial counts: protocols the same, in one the cases the same, in a case the callers, targets and the others
/// apart. A caller who called thirty times is one caller.
fn weights(trials: &[Trial]) -> Vec<f64> {
    let mut of_caller: BTreeMap<(Case, bool, u32), f64> = BTreeMap::new();
    for one in trials {
        *of_caller.entry((one.case, one.target, one.caller)).or_default() += 1.0;
    }
    let mut callers: BTreeMap<(Case, bool), f64> = BTreeMap::new();
    for (case, target, _) in of_caller.keys() {
        *callers.entry((*case, *target)).or_default() += 1.0;
    }
    let mut cases: BTreeMap<(usize, bool), f64> = BTreeMap::new();
    for (case, target) in callers.keys() {
        *cases.entry((case.0, *target)).or_default() += 1.0;
    }
    let weight = |one: &Trial| {
        let (case, target) = (one.case, one.target);
        1.0 / (of_caller[&(case, target, one.caller)] * callers[&(case, target)] * cases[&(case.0, target)])
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

/// Six decimals: a file that people read, and far below what any fit is worth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn nearest_mark(net_s: f64) -> usize {
    let distance = |mark: &f64| (net_s.ln() - mark.ln()).abs();
    let nearest = CHECKPOINTS
        .iter()
        .enumerate()
        .min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    nearest.map_or(0, |(at, _)| at)
}

/// How calls end at each acceptance, on rosters drawn at random: each caller with their own enrolment among
/// others', and on a roster without it.
fn operating_points(
    bench: &Bench<'_>,
    protocol: &Protocol,
    voices: &Voices,
    models: &[Option<Print>],
    calibration: &Calibration,
) -> Result<Vec<OperatingPoint>, BenchError> {
    let mut points = Vec::new();
    for accept in ACCEPTS {
        let policy = Policy {
            accept,
            ..bench.policy
        };
        let mut worst = OperatingPoint {
            accept,
            false_accept: 0.0,
            wrong_name: 0.0,
            right_name: 1.0,
        };
        for size in ROSTERS.into_iter().filter(|size| *size < models.len()) {
            let follower = Follower {
                calibration,
                policy: &policy,
                models,
            };
            let ends = rostered(bench, protocol, voices, follower, size)?;
            let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
            worst.false_accept = worst.false_accept.max(share(ends.stranger_named, ends.strangers));
            worst.wrong_name = worst.wrong_name.max(share(ends.wrong, ends.enrolled));
            worst.right_name = worst.right_name.min(share(ends.right, ends.enrolled));
        }
        points.push(OperatingPoint {
            accept,
            false_accept: rounded(worst.false_accept),
            wrong_name: rounded(worst.wrong_name),
            right_name: rounded(worst.right_name),
        });
    }
    Ok(points)
}

#[derive(Default)]
struct Ends {
    strangers: usize,
    stranger_named: usize,
    enrolled: usize,
    right: usize,
    wrong: usize,
}

fn rostered(
    bench: &Bench<'_>,
    protocol: &Protocol,
    voices: &Voices,
    follower: Follower<'_>,
    size: usize,
) -> Result<Ends, BenchError> {
    let tables = &protocol.tables;
    let mut ends = Ends::default();
    for tests in &voices.tests {
        for (test, heard) in tests.iter().enumerate() {
            let speaker = tables.test_speakers[test];
            let of_speaker = |model: &u32| tables.model_speakers[*model as usize] == speaker;
            let (own, mut others): (Vec<u32>, Vec<u32>) =
                (0..follower.models.len() as u32).partition(of_speaker);
            let mut dice = Dice::for_task(bench.seed, test as u64);
            for _ in 0..DRAWS {
                dice.draw(&mut others, size);
                let named = |roster: &[u32]| {
                    let followed = follower.follow(roster, heard);
                    followed
                        .map(|call| call.ended)
                        .map_err(|cause| BenchError::Score {
                            model: "a roster drawn at random".to_owned(),
                            test: tables.tests[test].clone(),
                            cause,
                        })
                };
                let roster = &mut others[..size];
                ends.strangers += 1;
                ends.stranger_named += usize::from(matches!(named(roster)?, Outcome::Identified(_)));
                if let Some(own) = own.first() {
                    let kept = std::mem::replace(&mut roster[0], *own);
                    let ended = named(roster)?;
                    roster[0] = kept;
                    ends.enrolled += 1;
                    ends.right += usize::from(ended == Outcome::Identified(user_id(*own)));
                    ends.wrong +=
                        usize::from(matches!(ended, Outcome::Identified(user) if user != user_id(*own)));
                }
            }
        }
    }
    Ok(ends)
}
