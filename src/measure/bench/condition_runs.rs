//! Scores under each condition, and what is counted over them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::bootstrap::Draws;
use super::super::extrapolation::{Extrapolated, Tail, extrapolated};
use super::super::figures::{Figures, Kind};
use super::super::identification::{OpenSet, random_rosters};
use super::super::protocol::{Protocol, Trial};
use super::super::search_bootstrap::{Called, SearchIntervals, bootstrap_searches};
use super::super::trials::Trials;
use super::benchmark::Benchmark;
use super::condition_figures::{Condition, FPIRS, Listed, RosterSize};
use super::error::BenchError;
use super::heard::{HeardRecording, Print, Prints};
use super::score::{Scored, Scorer};
use super::searches::{Decided, Searched, Sequential};
use super::trial_figures::figures;

/// Roster sizes that are tried, as far as the protocol has models.
const ROSTER_SIZES: [usize; 11] = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000];

/// Roster sizes that are said whether or not the protocol has models for them.
const SAID_SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Searches times draws that intervals may cost: a second or two.
const DRAWN_SEARCHES: usize = 200_000_000;

/// How many of the worst trials are listed.
const LISTED: usize = 20;

/// Everything that was heard under one condition, with its scores.
pub(super) struct ConditionRun<'a> {
    pub name: String,
    pub tests: &'a [HeardRecording],
    /// Everybody who is enrolled.
    pub models: &'a [Option<Print>],
    pub scores: Vec<Scored>,
    pub searched: Searched,
}

impl ConditionRun<'_> {
    /// How many tests gave no voiceprint.
    pub fn missing(&self) -> usize {
        self.tests.iter().filter(|heard| heard.print().is_none()).count()
    }
}

/// A trial under a condition, with its score.
pub(super) struct Judged<'a> {
    pub trial: &'a Trial,
    pub condition_run: &'a ConditionRun<'a>,
    pub scored: Scored,
}

/// The scores of some trials, by kind.
pub(super) fn trials<'a>(
    judged: impl Iterator<Item = &'a Judged<'a>>,
    score: impl Fn(&Scored) -> f64,
) -> Result<Trials, BenchError> {
    let (mut targets, mut nontargets) = (Vec::new(), Vec::new());
    for one in judged {
        let scores = if one.trial.target {
            &mut targets
        } else {
            &mut nontargets
        };
        scores.push(score(&one.scored));
    }
    Ok(Trials::new(targets, nontargets)?)
}

pub(super) fn judged<'a>(
    protocol: &'a Protocol,
    condition_run: &'a ConditionRun<'a>,
) -> impl Iterator<Item = Judged<'a>> {
    let pairs = protocol.tables.trials.iter().zip(&condition_run.scores);
    pairs.map(move |(trial, scored)| Judged {
        trial,
        condition_run,
        scored: *scored,
    })
}

/// The figures of those trials that are `wanted`.
fn of(
    judged: &[Judged<'_>],
    kind: Kind,
    wanted: impl Fn(&Judged<'_>) -> bool,
) -> Result<Figures, BenchError> {
    let wanted = judged.iter().filter(|one| wanted(one));
    Ok(figures(wanted.map(|one| (one.trial.target, one.scored)), kind)?)
}

/// The figures of each condition: what was applied, and what the list says of the trial.
pub(super) fn by_condition(
    protocol: &Protocol,
    condition_runs: &[ConditionRun<'_>],
    judged: &[Judged<'_>],
    kind: Kind,
) -> BTreeMap<String, Condition> {
    let names = &protocol.tables.conditions;
    // Trials that are listed under the very name of a run are not those that are listed under none.
    let is_ambiguous = |run: &str| names.iter().any(String::is_empty) && names.iter().any(|name| name == run);
    let mut conditions = BTreeMap::new();
    for condition_run in condition_runs {
        let is_plain = condition_runs.len() == 1 && !is_ambiguous(&condition_run.name);
        for (at, name) in names.iter().enumerate() {
            let mine = |one: &Judged<'_>| {
                one.condition_run.name == condition_run.name && usize::from(one.trial.condition) == at
            };
            let name = match name.as_str() {
                "" => condition_run.name.clone(),
                name if is_plain => name.to_owned(),
                name => format!("{}/{name}", condition_run.name),
            };
            let tests: BTreeSet<u32> = judged
                .iter()
                .filter(|one| mine(one))
                .map(|one| one.trial.test)
                .collect();
            let missing = tests
                .iter()
                .filter(|test| condition_run.tests[**test as usize].print().is_none());
            let figures = of(judged, kind, mine).ok();
            conditions.insert(
                name,
                Condition {
                    figures,
                    failure_to_acquire: missing.count() as f64 / tests.len().max(1) as f64,
                },
            );
        }
    }
    conditions
}

pub(super) fn by_group(
    protocol: &Protocol,
    judged: &[Judged<'_>],
    kind: Kind,
) -> BTreeMap<String, BTreeMap<String, Figures>> {
    let tables = &protocol.tables;
    let mut groups: BTreeMap<String, BTreeMap<String, Figures>> = BTreeMap::new();
    for (group, values) in protocol.groups() {
        for value in values.keys() {
            let belongs = |speaker: u32| {
                let own = &tables.speakers[speaker as usize].groups;
                own.iter()
                    .any(|(name, belongs)| name == group && belongs == value)
            };
            let mine = |one: &Judged<'_>| {
                belongs(tables.model_speakers[one.trial.model as usize])
                    && belongs(tables.test_speakers[one.trial.test as usize])
            };
            // A value of which only targets or only others were tested has no rates.
            if let Ok(figures) = of(judged, kind, mine) {
                groups
                    .entry(group.to_owned())
                    .or_default()
                    .insert((*value).to_owned(), figures);
            }
        }
    }
    groups
}

pub(super) fn ratio(values: &BTreeMap<String, Figures>) -> Option<f64> {
    let rates = || values.values().map(|figures| figures.eer);
    let (lowest, highest) = (rates().reduce(f64::min)?, rates().reduce(f64::max)?);
    (lowest > 0.0 && values.len() > 1).then(|| highest / lowest)
}

pub(super) fn decided(condition_runs: &[ConditionRun<'_>]) -> Option<Decided> {
    let searched = condition_runs
        .iter()
        .filter(|condition_run| !condition_run.searched.searches.is_empty());
    searched
        .filter_map(|condition_run| condition_run.searched.decided)
        .reduce(Decided::and)
}

/// What deciding as calls go costs and gains; `None` where nothing was decided.
pub(super) fn sequential(condition_runs: &[ConditionRun<'_>]) -> Option<Sequential> {
    decided(condition_runs)?;
    let each = condition_runs
        .iter()
        .map(|condition_run| &condition_run.searched.sequential);
    Some(each.fold(Sequential::default(), Sequential::and))
}

pub(super) fn by_roster_size(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    scorer: &Scorer,
    condition_runs: &[ConditionRun<'_>],
) -> Result<Vec<RosterSize>, BenchError> {
    let tables = &protocol.tables;
    let nothing = Prints::default();
    let mut sizes = Vec::new();
    for size in ROSTER_SIZES
        .into_iter()
        .filter(|size| *size <= tables.models.len())
    {
        let mut searches = Vec::new();
        for condition_run in condition_runs {
            let score = |test: usize, roster: &[usize]| {
                let prints = condition_run.tests[test].whole().unwrap_or(&nothing);
                let roster: Vec<u32> = roster.iter().map(|model| *model as u32).collect();
                // Every pair was scored or could be: what cannot is as unlike as can be.
                let scores = scorer.candidates(&roster, condition_run.models, prints);
                scores.map_or_else(
                    |_| vec![f64::NEG_INFINITY; roster.len()],
                    |scores| scores.into_iter().map(|scored| scored.score).collect(),
                )
            };
            let (tests, models) = (&tables.test_speakers, &tables.model_speakers);
            searches.extend(random_rosters(tests, models, size, bench.seed, score));
        }
        let set = OpenSet::new(&searches)?;
        sizes.push(RosterSize {
            size,
            searches: set.counts(),
            top1: set.within(1),
            at_fpir: FPIRS.into_iter().filter_map(|fpir| set.at_fpir(fpir)).collect(),
        });
    }
    Ok(sizes)
}

/// What rosters of the usual sizes would do; empty where too few comparisons show the tail. A trial of which
/// nothing was heard is a miss, and no comparison with a stranger.
pub(super) fn by_size_extrapolated(judged: &[Judged<'_>]) -> Vec<Extrapolated> {
    let (mut targets, mut nontargets) = (Vec::new(), Vec::new());
    for one in judged {
        match (one.trial.target, one.scored.is_heard()) {
            (true, _) => targets.push(one.scored.rank()),
            (false, true) => nontargets.push(one.scored.score),
            (false, false) => {}
        }
    }
    let Some(tail) = Tail::of(nontargets) else {
        return Vec::new();
    };
    let of = |size| extrapolated(&tail, &targets, size, &FPIRS);
    SAID_SIZES.into_iter().map(of).collect()
}

/// How sure the figures of the protocol's own searches are.
pub(super) fn search_intervals(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    condition_runs: &[ConditionRun<'_>],
) -> Result<Option<SearchIntervals>, BenchError> {
    let tables = &protocol.tables;
    let called = |condition_run: &ConditionRun<'_>| {
        let pairs = tables.searches.iter().zip(&condition_run.searched.searches);
        let called = pairs.map(|(listed, search)| Called {
            search: *search,
            caller: tables.test_speakers[listed.test as usize],
        });
        called.collect::<Vec<_>>()
    };
    let all: Vec<Called> = condition_runs.iter().flat_map(called).collect();
    let affordable = (DRAWN_SEARCHES / all.len().max(1)).max(100);
    let draws = Draws {
        replicates: bench.replicates.min(affordable),
        seed: bench.seed,
    };
    Ok(bootstrap_searches(&all, tables.speakers.len(), draws)?)
}

/// The trials that come nearest to an error, or are one: targets that were not heard or have low scores, others with high
/// ones.
pub(super) fn worst(protocol: &Protocol, judged: &[Judged<'_>], targets: bool) -> Vec<Listed> {
    let mut of_kind: Vec<&Judged<'_>> = judged.iter().filter(|one| one.trial.target == targets).collect();
    let sign = if targets { 1.0 } else { -1.0 };
    let order =
        |a: &&Judged<'_>, b: &&Judged<'_>| (sign * a.scored.rank()).total_cmp(&(sign * b.scored.rank()));
    if of_kind.len() > LISTED {
        of_kind.select_nth_unstable_by(LISTED, order);
        of_kind.truncate(LISTED);
    }
    of_kind.sort_by(order);
    let listed = of_kind.into_iter().map(|one| Listed {
        model: protocol.tables.models[one.trial.model as usize].clone(),
        test: protocol.tables.tests[one.trial.test as usize].clone(),
        condition: one.condition_run.name.clone(),
        score: one.scored.score,
        cosine: one.scored.cosine,
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::protocol::Tables;
    use super::super::heard_protocol::tests::{protocol, recording};
    use super::*;
    use crate::voiceprint::{Bandwidth, Embedding};

    /// A protocol of one model, of whom every second of so many tests is; the condition of a test by its place.
    fn calls(conditions: &[&str], tests: usize, condition: impl Fn(usize) -> u16) -> Protocol {
        let trial = |test: usize| Trial {
            model: 0,
            test: test as u32,
            condition: condition(test),
            target: test.is_multiple_of(2),
        };
        protocol(Tables {
            trials: (0..tests).map(trial).collect(),
            conditions: conditions.iter().map(|name| (*name).to_owned()).collect(),
            ..Tables::default()
        })
    }

    fn heard(is_heard: bool) -> HeardRecording {
        let print = is_heard.then(|| Print {
            voice: Embedding::at_degrees(0.0),
            net_s: 3.0,
            over: Bandwidth::Narrow,
        });
        let prints = Prints {
            print,
            ..Prints::default()
        };
        recording(vec![prints], Vec::new())
    }

    /// The conditions of a run over `phone` in which some of the tests were not heard.
    fn conditions(protocol: &Protocol, is_heard: impl Fn(usize) -> bool) -> BTreeMap<String, Condition> {
        let trials = &protocol.tables.trials;
        let tests: Vec<HeardRecording> = (0..trials.len()).map(|test| heard(is_heard(test))).collect();
        let scored = Scored {
            score: 0.0,
            cosine: 0.0,
        };
        let run = ConditionRun {
            name: "phone".to_owned(),
            tests: &tests,
            models: &[],
            scores: vec![scored; trials.len()],
            searched: Searched {
                searches: Vec::new(),
                decided: None,
                sequential: Sequential::default(),
                waits: Vec::new(),
            },
        };
        let runs = [run];
        let judged: Vec<Judged<'_>> = judged(protocol, &runs[0]).collect();
        by_condition(protocol, &runs, &judged, Kind::Similarities)
    }

    #[test]
    fn a_condition_counts_its_own_tests_that_gave_no_voice() {
        let protocol = calls(&["landline", "street"], 200, |test| u16::from(test >= 100));
        let found = conditions(&protocol, |test| test < 160);
        assert_eq!(found["landline"].failure_to_acquire, 0.0);
        assert_eq!(found["street"].failure_to_acquire, 0.4);
    }

    #[test]
    fn a_condition_with_the_name_of_the_run_is_not_the_run() {
        let protocol = calls(&["", "phone"], 6, |test| u16::from(test >= 4));
        let found = conditions(&protocol, |test| test < 4);
        let trials = |name: &str| found[name].figures.map(|figures| figures.trials);
        assert_eq!((trials("phone"), trials("phone/phone")), (Some(4), Some(2)));
        assert_eq!(found["phone"].failure_to_acquire, 0.0);
        assert_eq!(found["phone/phone"].failure_to_acquire, 1.0);
    }
}
