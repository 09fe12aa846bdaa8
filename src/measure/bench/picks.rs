//! What each error target to strangers would come to on the protocol's own calls: the points of an operating-point picker.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::bootstrap::{quantile, times_drawn};
use super::super::protocol::Protocol;
use super::super::rng::Rng;
use super::benchmark::Benchmark;
use super::calls::Follower;
use super::condition_runs::ConditionRun;
use super::error::BenchError;
use super::heard::Print;
use super::score::user_id;
use super::searches::Ends;
use crate::decision::{Calibration, ErrorTarget, Outcome, Policy, Reason};

/// The error targets that are tried: the largest share of callers on no roster who may be given a name.
const ERROR_TARGETS: [f64; 13] = [
    0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001, 0.000_3, 0.000_1,
];

/// The most draws of the intervals: beyond, they no longer change in what is shown.
const MOST_DRAWS: usize = 1_000;

/// How calls end under one error target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pick {
    /// The error target: `decision.max_false_accept`.
    pub max_false_accept: f64,
    /// The posterior that a name needs then, by the calibration.
    pub accept: f64,
    /// Calls by people on the roster they dialed.
    pub enrolled: Ends,
    /// Calls by people who are not.
    pub others: Ends,
    /// Shares of the calls by people on the roster.
    pub right_name: Rate,
    /// Those that ended with another's name.
    pub wrong_name: Rate,
    /// Those that ended as *unknown*.
    pub unknown: Rate,
    /// Nothing was decided.
    pub inconclusive: Rate,
    /// Share of the calls by the others who were given a name.
    pub stranger_named: Rate,
}

/// A share of calls with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// The share; null where there were no such calls.
    pub share: Option<f64>,
    /// Its middle 95 % when callers are drawn again. Where none of the calls was of the kind, or all were, drawing shows
    /// nothing: there it is the exact interval of so many callers (Clopper and Pearson 1934).
    pub ci95: Option<[f64; 2]>,
}

/// How one caller's calls ended.
#[derive(Clone, Copy, Default)]
struct OfCaller {
    enrolled: Ends,
    others: Ends,
}

/// The picks of a protocol with searches; none without a calibration.
pub(super) fn picks(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    calibration: Option<&Calibration>,
    models: &[Option<Print>],
    condition_runs: &[ConditionRun<'_>],
) -> Result<Vec<Pick>, BenchError> {
    let Some(calibration) = calibration.filter(|_| !protocol.tables.searches.is_empty()) else {
        return Ok(Vec::new());
    };
    let speakers = protocol.tables.speakers.len();
    let draws = drawn(speakers, bench.replicates.min(MOST_DRAWS), bench.seed);
    // Several targets can come to one acceptance.
    let mut known: BTreeMap<u64, Vec<OfCaller>> = BTreeMap::new();
    let mut picks = Vec::with_capacity(ERROR_TARGETS.len());
    for promised in ERROR_TARGETS {
        let error_target = ErrorTarget {
            max_false_accept: Some(promised),
            ..bench.policy.error_target
        };
        let policy = Policy {
            error_target,
            ..bench.policy
        }
        .meeting_its_target(calibration);
        let ends = match known.entry(policy.accept.to_bits()) {
            std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let follower = Follower {
                    calibration,
                    policy: &policy,
                    models,
                };
                place.insert(followed(protocol, follower, condition_runs)?)
            }
        };
        picks.push(pick(promised, policy.accept, ends, &draws));
    }
    Ok(picks)
}

/// How the calls of each speaker end.
fn followed(
    protocol: &Protocol,
    follower: Follower<'_>,
    condition_runs: &[ConditionRun<'_>],
) -> Result<Vec<OfCaller>, BenchError> {
    let tables = &protocol.tables;
    let mut ends = vec![OfCaller::default(); tables.speakers.len()];
    for condition_run in condition_runs {
        for search in &tables.searches {
            let roster = &tables.rosters[search.roster as usize].1;
            let mut ended = Outcome::Inconclusive(Reason::TooLittleSpeech);
            let said = follower.each_word(roster, &condition_run.tests[search.test as usize], |word| {
                ended = word.outcome();
                Ok(())
            });
            said.map_err(|cause| BenchError::Score {
                model: format!("the roster of {}", tables.rosters[search.roster as usize].0),
                test: tables.tests[search.test as usize].clone(),
                cause,
            })?;
            let caller = &mut ends[tables.test_speakers[search.test as usize] as usize];
            match search.caller.filter(|caller| roster.contains(caller)) {
                Some(own) => caller.enrolled.count(ended, Some(user_id(own))),
                None => caller.others.count(ended, None),
            }
        }
    }
    Ok(ends)
}

/// How often each speaker is drawn, draw by draw.
fn drawn(speakers: usize, replicates: usize, seed: u64) -> Vec<Vec<u32>> {
    let draw = |task: usize| times_drawn(speakers, &mut Rng::for_task(seed, task as u64));
    (0..replicates).map(draw).collect()
}

fn pick(max_false_accept: f64, accept: f64, ends: &[OfCaller], draws: &[Vec<u32>]) -> Pick {
    let enrolled = |of: &OfCaller| of.enrolled;
    let others = |of: &OfCaller| of.others;
    let all = |kind: fn(&OfCaller) -> Ends| ends.iter().map(kind).fold(Ends::default(), Ends::and);
    let rate = |kind: &dyn Fn(&OfCaller) -> Ends, count: fn(Ends) -> usize| {
        let tallies: Vec<(usize, usize)> = ends
            .iter()
            .map(kind)
            .map(|ends| (count(ends), ends.calls()))
            .collect();
        Rate::of(&tallies, draws)
    };
    Pick {
        max_false_accept,
        accept,
        enrolled: all(enrolled),
        others: all(others),
        right_name: rate(&enrolled, |ends| ends.right_name),
        wrong_name: rate(&enrolled, |ends| ends.wrong_name),
        unknown: rate(&enrolled, |ends| ends.unknown),
        inconclusive: rate(&enrolled, |ends| ends.inconclusive),
        stranger_named: rate(&others, |ends| ends.wrong_name),
    }
}

impl Rate {
    /// The share of `tallies`, each caller's calls of the kind and all of theirs.
    fn of(tallies: &[(usize, usize)], draws: &[Vec<u32>]) -> Self {
        let callers = tallies.iter().filter(|(_, calls)| *calls > 0).count();
        let sum = |times: &dyn Fn(usize) -> u32| {
            let each = tallies.iter().enumerate();
            each.fold((0.0, 0.0), |(of_kind, calls), (speaker, tally)| {
                let times = f64::from(times(speaker));
                (of_kind + times * tally.0 as f64, calls + times * tally.1 as f64)
            })
        };
        let (of_kind, calls) = sum(&|_| 1);
        if callers == 0 {
            return Self {
                share: None,
                ci95: None,
            };
        }
        // One caller in forty on each side, to the power of so many independent callers.
        let edge = 0.025_f64.powf(1.0 / callers as f64);
        let ci95 = if of_kind == 0.0 {
            Some([0.0, 1.0 - edge])
        } else if of_kind == calls {
            Some([edge, 1.0])
        } else {
            let mut shares: Vec<f64> = draws
                .iter()
                .map(|times| sum(&|speaker| times[speaker]))
                .filter(|(_, calls)| *calls > 0.0)
                .map(|(of_kind, calls)| of_kind / calls)
                .collect();
            shares.sort_unstable_by(f64::total_cmp);
            (!shares.is_empty()).then(|| [quantile(&shares, 0.025), quantile(&shares, 0.975)])
        };
        Self {
            share: Some(of_kind / calls),
            ci95,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_none_of_ten_callers_may_still_be_a_third() {
        let none = Rate::of(&[(0, 4); 10], &[]);
        let [low, high] = none.ci95.unwrap();
        // Clopper-Pearson of 0 in 10 at 95 %: 0 to 0.3085.
        assert_eq!((none.share, low), (Some(0.0), 0.0));
        assert!((high - 0.308_5).abs() < 1e-4, "{high}");
        let all = Rate::of(&[(4, 4); 10], &[]);
        assert_eq!(all.ci95.map(|[low, high]| (1.0 - low, high)), Some((high, 1.0)));
        let nobody = Rate::of(&[(0, 0); 3], &[]);
        assert_eq!((nobody.share, nobody.ci95), (None, None));
    }

    #[test]
    fn an_interval_holds_its_share_and_calls_of_one_caller_are_one_witness() {
        let width = |tallies: &[(usize, usize)]| {
            let rate = Rate::of(tallies, &drawn(tallies.len(), 500, 3));
            let [low, high] = rate.ci95.unwrap();
            assert!(
                low <= rate.share.unwrap() && rate.share.unwrap() <= high,
                "{rate:?}"
            );
            high - low
        };
        let many: Vec<_> = (0..100).map(|at| (usize::from(at % 2 == 0), 1)).collect();
        let few: Vec<_> = (0..10)
            .map(|at| if at % 2 == 0 { (10, 10) } else { (0, 10) })
            .collect();
        assert!(width(&many) < 0.5 * width(&few));
    }
}
