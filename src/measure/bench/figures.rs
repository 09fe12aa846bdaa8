//! Scores to documents.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::bootstrap::{Draws, Intervals, Paired, bootstrap};
use super::super::cost::Cost;
use super::super::figures::{Figures, Kind};
use super::super::identification::{OpenSet, random_rosters};
use super::super::protocol::{Protocol, Trial};
use super::super::trials::Trials;
use super::super::wait::Wait;
use super::document::{
    Condition, Details, FPIRS, Identification, Listed, Metrics, RosterSize, RunCard, machine,
};
use super::error::BenchError;
use super::hear::{Heard, Practice, Prints, View};
use super::leakage::{Sides, leakage};
use super::score::{Scored, Scorer, enrol};
use super::searches::{Decided, Ends, Searched, search};
use super::{Bench, ConditionScores, Outcome, Voices};

/// Roster sizes that are tried, as far as the protocol has models.
const ROSTER_SIZES: [usize; 11] = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000];

/// Trials times draws that intervals may cost: some seconds.
const DRAWN_TRIALS: usize = 1_000_000_000;

/// How many of the worst trials are listed.
const LISTED: usize = 20;

/// Everything that was heard under one condition, with its scores.
struct Heat<'a> {
    name: String,
    tests: &'a [Heard],
    scores: Vec<Scored>,
    searched: Searched,
}

/// A trial under a condition: its label, score and cosine.
struct Judged<'a> {
    trial: &'a Trial,
    heat: &'a Heat<'a>,
    scored: Scored,
}

pub(super) fn judge(
    bench: &Bench<'_>,
    protocol: &Protocol,
    voices: &Voices,
    started: Instant,
) -> Result<Outcome, BenchError> {
    let calibrated = bench.practice == Practice::Product;
    let scorer = Scorer {
        practice: bench.practice,
        calibration: bench.calibration.clone().filter(|_| calibrated),
    };
    let clips: Vec<Vec<&Heard>> = voices.clips.iter().map(|clips| clips.iter().collect()).collect();
    let models = enrol(protocol, &clips, Heard::views)?;
    let silent_models = enrol(protocol, &clips, |heard| &heard.silence)?;
    let mut heats = Vec::with_capacity(voices.tests.len());
    for (condition, tests) in bench.tests.iter().zip(&voices.tests) {
        heats.push(Heat {
            name: condition.condition().to_string(),
            tests,
            scores: scorer.trials(protocol, &models, tests)?,
            searched: search(&scorer, &bench.policy, protocol, &models, tests)?,
        });
    }
    let kind = if scorer.calibration.is_some() {
        Kind::Ratios
    } else {
        Kind::Similarities
    };
    let judged: Vec<Judged<'_>> = heats.iter().flat_map(|heat| judged(protocol, heat)).collect();
    let figures = of(&judged, kind, |_| true, |scored| scored.score)?;
    let intervals = intervals(bench, protocol, &judged)?;
    let missing = |tests: &[Heard]| tests.iter().filter(|heard| heard.views().is_empty()).count();
    let all_tests = heats.iter().map(|heat| heat.tests.len()).sum::<usize>();
    let mut leaks = BTreeMap::new();
    for heat in heats.iter().filter(|_| bench.leakage) {
        let sides = Sides {
            models: &models,
            silent_models: &silent_models,
            tests: heat.tests,
        };
        leaks.insert(heat.name.clone(), leakage(&scorer, protocol, &sides)?);
    }
    let searches: Vec<_> = heats
        .iter()
        .flat_map(|heat| heat.searched.searches.iter().copied())
        .collect();
    let set = OpenSet::new(&searches)?;
    let waits: Vec<_> = heats
        .iter()
        .flat_map(|heat| heat.searched.waits.iter().copied())
        .collect();
    let heard = heats
        .iter()
        .flat_map(|heat| heat.tests)
        .chain(voices.clips.iter().flatten());
    let (work, audio) = heard.fold((0.0, 0.0), |(work, audio), one| {
        (work + one.work_s, audio + one.audio_s)
    });
    let metrics = Metrics {
        trials: figures.trials,
        targets: figures.targets,
        nontargets: figures.nontargets,
        eer: figures.eer,
        eer_ci95: intervals.map(|found| found.eer),
        min_dcf: figures.min_dcf,
        act_dcf: figures.act_dcf,
        cllr: figures.cllr,
        min_cllr: figures.min_cllr,
        failure_to_acquire: heats.iter().map(|heat| missing(heat.tests)).sum::<usize>() as f64
            / all_tests.max(1) as f64,
        identification: (!searches.is_empty())
            .then(|| Identification::of(&set, protocol.tables.rosters.len())),
        wait: Wait::of(&waits),
        by_condition: by_condition(protocol, &heats, &judged, kind),
        rtf: if audio > 0.0 { work / audio } else { 0.0 },
        model: bench.models.card.id().to_string(),
        calibration: scorer
            .calibration
            .as_ref()
            .map(|calibration| calibration.id.clone()),
        machine: machine(),
    };
    let by_group = by_group(protocol, &judged, kind);
    let details = Details {
        run: run_card(bench, protocol, started),
        figures,
        cosine_figures: of(&judged, Kind::Similarities, |_| true, |scored| scored.cosine)?,
        intervals,
        group_ratio: by_group
            .iter()
            .map(|(group, values)| (group.clone(), ratio(values)))
            .collect(),
        by_group,
        leakage: leaks,
        failure_to_enroll: models.iter().filter(|model| model.is_empty()).count() as f64
            / models.len() as f64,
        decided: decided(&heats),
        by_roster_size: by_roster_size(bench, protocol, &scorer, &models, &heats)?,
        operating_points: FPIRS.into_iter().filter_map(|fpir| set.at_fpir(fpir)).collect(),
        most_alike: worst(protocol, &judged, false),
        least_alike: worst(protocol, &judged, true),
    };
    let scores = heats.iter().map(|heat| ConditionScores {
        condition: heat.name.clone(),
        scores: heat
            .scores
            .iter()
            .map(|one| (scorer.calibration.is_some().then_some(one.score), one.cosine))
            .collect(),
    });
    Ok(Outcome {
        metrics,
        details,
        scores: scores.collect(),
    })
}

fn judged<'a>(protocol: &'a Protocol, heat: &'a Heat<'a>) -> impl Iterator<Item = Judged<'a>> {
    let pairs = protocol.tables.trials.iter().zip(&heat.scores);
    pairs.map(move |(trial, scored)| Judged {
        trial,
        heat,
        scored: *scored,
    })
}

/// The figures of those trials that are `wanted`.
fn of(
    judged: &[Judged<'_>],
    kind: Kind,
    wanted: impl Fn(&Judged<'_>) -> bool,
    score: impl Fn(&Scored) -> f64,
) -> Result<Figures, BenchError> {
    let (mut targets, mut nontargets) = (Vec::new(), Vec::new());
    for one in judged.iter().filter(|one| wanted(one)) {
        let scores = if one.trial.target {
            &mut targets
        } else {
            &mut nontargets
        };
        scores.push(score(&one.scored));
    }
    Ok(Figures::of(
        &Trials::new(targets, nontargets)?,
        kind,
        &Cost::USUAL,
    ))
}

fn intervals(
    bench: &Bench<'_>,
    protocol: &Protocol,
    judged: &[Judged<'_>],
) -> Result<Option<Intervals>, BenchError> {
    let tables = &protocol.tables;
    let paired: Vec<Paired> = judged
        .iter()
        .map(|one| Paired {
            score: one.scored.score,
            enrolled: tables.model_speakers[one.trial.model as usize],
            tested: tables.test_speakers[one.trial.test as usize],
            target: one.trial.target,
        })
        .collect();
    let affordable = (DRAWN_TRIALS / paired.len().max(1)).max(100);
    let draws = Draws {
        replicates: bench.replicates.min(affordable),
        seed: bench.seed,
    };
    Ok(bootstrap(&paired, tables.speakers.len(), &Cost::USUAL, draws)?)
}

/// The figures of each condition: what was applied, and what the list says of the trial.
fn by_condition(
    protocol: &Protocol,
    heats: &[Heat<'_>],
    judged: &[Judged<'_>],
    kind: Kind,
) -> BTreeMap<String, Condition> {
    let names = &protocol.tables.conditions;
    let mut conditions = BTreeMap::new();
    for heat in heats {
        let missing = heat.tests.iter().filter(|heard| heard.views().is_empty());
        let failure_to_acquire = missing.count() as f64 / heat.tests.len().max(1) as f64;
        for (at, name) in names.iter().enumerate() {
            let mine =
                |one: &Judged<'_>| one.heat.name == heat.name && usize::from(one.trial.condition) == at;
            let name = match (name.as_str(), heats.len()) {
                ("", _) => heat.name.clone(),
                (name, 1) => name.to_owned(),
                (name, _) => format!("{}/{name}", heat.name),
            };
            let figures = of(judged, kind, mine, |scored| scored.score).ok();
            conditions.insert(
                name,
                Condition {
                    figures,
                    failure_to_acquire,
                },
            );
        }
    }
    conditions
}

fn by_group(
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
            if let Ok(figures) = of(judged, kind, mine, |scored| scored.score) {
                groups
                    .entry(group.to_owned())
                    .or_default()
                    .insert((*value).to_owned(), figures);
            }
        }
    }
    groups
}

fn ratio(values: &BTreeMap<String, Figures>) -> Option<f64> {
    let rates = || values.values().map(|figures| figures.eer);
    let (lowest, highest) = (rates().reduce(f64::min)?, rates().reduce(f64::max)?);
    (lowest > 0.0 && values.len() > 1).then(|| highest / lowest)
}

fn decided(heats: &[Heat<'_>]) -> Option<Decided> {
    let add = |sum: Ends, more: Ends| Ends {
        right_name: sum.right_name + more.right_name,
        wrong_name: sum.wrong_name + more.wrong_name,
        unknown: sum.unknown + more.unknown,
        inconclusive: sum.inconclusive + more.inconclusive,
    };
    heats
        .iter()
        .filter(|heat| !heat.searched.searches.is_empty())
        .filter_map(|heat| heat.searched.decided)
        .reduce(|sum, more| Decided {
            enrolled: add(sum.enrolled, more.enrolled),
            others: add(sum.others, more.others),
        })
}

fn by_roster_size(
    bench: &Bench<'_>,
    protocol: &Protocol,
    scorer: &Scorer,
    models: &[Vec<View>],
    heats: &[Heat<'_>],
) -> Result<Vec<RosterSize>, BenchError> {
    let tables = &protocol.tables;
    let own = |speaker: &u32| tables.model_speakers.iter().position(|other| other == speaker);
    let mates: Vec<Option<usize>> = tables.test_speakers.iter().map(own).collect();
    let nothing = Prints {
        net_s: 0.0,
        views: Vec::new(),
    };
    let mut sizes = Vec::new();
    for size in ROSTER_SIZES.into_iter().filter(|size| *size <= models.len()) {
        let mut searches = Vec::new();
        for heat in heats {
            let score = |test: usize, model: usize| {
                let prints = heat.tests[test].whole().unwrap_or(&nothing);
                // Every pair was scored or could be: what cannot is as unlike as can be.
                scorer
                    .score(&models[model], prints)
                    .map_or(f64::NEG_INFINITY, |scored| scored.score)
            };
            searches.extend(random_rosters(&mates, models.len(), size, bench.seed, score));
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

/// The trials that come nearest to an error, or are one: targets with low scores, others with high ones.
fn worst(protocol: &Protocol, judged: &[Judged<'_>], targets: bool) -> Vec<Listed> {
    let mut of_kind: Vec<&Judged<'_>> = judged.iter().filter(|one| one.trial.target == targets).collect();
    let sign = if targets { 1.0 } else { -1.0 };
    let order =
        |a: &&Judged<'_>, b: &&Judged<'_>| (sign * a.scored.score).total_cmp(&(sign * b.scored.score));
    if of_kind.len() > LISTED {
        of_kind.select_nth_unstable_by(LISTED, order);
        of_kind.truncate(LISTED);
    }
    of_kind.sort_by(order);
    let listed = of_kind.into_iter().map(|one| Listed {
        model: protocol.tables.models[one.trial.model as usize].clone(),
        test: protocol.tables.tests[one.trial.test as usize].clone(),
        condition: one.heat.name.clone(),
        score: one.scored.score,
        cosine: one.scored.cosine,
    });
    listed.collect()
}

fn run_card(bench: &Bench<'_>, protocol: &Protocol, started: Instant) -> RunCard {
    RunCard {
        protocol: protocol.name.clone(),
        description: protocol.description.clone(),
        protocol_sha256: protocol.sha256.clone(),
        practice: bench.practice.as_str(),
        enroll_condition: bench.enroll.condition().to_string(),
        test_conditions: bench
            .tests
            .iter()
            .map(|test| test.condition().to_string())
            .collect(),
        model_sha256: bench.models.card.sha256().to_owned(),
        voxline: env!("CARGO_PKG_VERSION"),
        seed: bench.seed,
        seconds: started.elapsed().as_secs_f64(),
    }
}
