//! Scores to documents.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::bootstrap::{Draws, Intervals, Paired, bootstrap};
use super::super::cost::Cost;
use super::super::figures::{Figures, Kind};
use super::super::identification::OpenSet;
use super::super::protocol::Protocol;
use super::super::wait::Wait;
use super::benchmark::Benchmark;
use super::calls::Follower;
use super::condition_figures::FPIRS;
use super::condition_runs::{
    ConditionRun, Judged, by_condition, by_group, by_roster_size, by_size_extrapolated, decided, judged,
    ratio, search_intervals, sequential, trials, worst,
};
use super::curves::{Curves, curves};
use super::document::{Details, Identification, Metrics, RunCard, machine};
use super::durations::by_duration;
use super::error::BenchError;
use super::everybody::Voices;
use super::heard::{HeardRecording, Print};
use super::leakage::{Leakage, Sides, leakage};
use super::outcome::{ConditionScores, Outcome};
use super::picks::picks;
use super::score::{Scored, Scorer, enrol};
use super::searches::search;
use super::trial_figures::figures;
use super::waiting::waiting;
use super::words::{Words, words};

/// Trials times draws that intervals may cost: some seconds.
const DRAWN_TRIALS: usize = 1_000_000_000;

/// A benchmark on its way to its documents.
struct Judge<'a> {
    bench: &'a Benchmark<'a>,
    protocol: &'a Protocol,
    voices: &'a Voices,
    scorer: Scorer,
    models: Vec<Option<Print>>,
}

/// Scores and searches everything that was heard, and puts down what came of it.
pub(super) fn judge(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    voices: &Voices,
    started: Instant,
) -> Result<Outcome, BenchError> {
    let models = enrol(protocol, &voices.clips, HeardRecording::print)?;
    let judge = Judge {
        bench,
        protocol,
        voices,
        scorer: Scorer {
            calibration: bench.calibration.clone(),
        },
        models,
    };
    let condition_runs = judge.condition_runs()?;
    let judged: Vec<Judged<'_>> = condition_runs
        .iter()
        .flat_map(|condition_run| judged(protocol, condition_run))
        .collect();
    let searches: Vec<_> = condition_runs
        .iter()
        .flat_map(|condition_run| condition_run.searched.searches.iter().copied())
        .collect();
    let set = OpenSet::new(&searches)?;
    let details = judge.details(&condition_runs, &judged, &set, started)?;
    Ok(Outcome {
        metrics: judge.metrics(&condition_runs, &judged, &set, &details),
        details,
        curves: judge.curves(&judged, &set)?,
        scores: condition_runs
            .iter()
            .map(|condition_run| judge.scores(condition_run))
            .collect(),
        words: judge.words(&condition_runs)?,
    })
}

impl Judge<'_> {
    /// What the scores are.
    fn kind(&self) -> Kind {
        match self.scorer.calibration {
            Some(_) => Kind::Ratios,
            None => Kind::Similarities,
        }
    }

    fn condition_runs(&self) -> Result<Vec<ConditionRun<'_>>, BenchError> {
        let mut condition_runs = Vec::with_capacity(self.voices.tests.len());
        let models = self.models.as_slice();
        for (condition, tests) in self.bench.tests.iter().zip(&self.voices.tests) {
            condition_runs.push(ConditionRun {
                name: condition.condition().to_string(),
                tests,
                models,
                scores: self.scorer.trials(self.protocol, models, tests)?,
                searched: search(&self.scorer, &self.bench.policy, self.protocol, models, tests)?,
            });
        }
        Ok(condition_runs)
    }

    fn metrics(
        &self,
        condition_runs: &[ConditionRun<'_>],
        judged: &[Judged<'_>],
        set: &OpenSet,
        details: &Details,
    ) -> Metrics {
        let figures = details.figures;
        let tests = condition_runs
            .iter()
            .map(|condition_run| condition_run.tests.len())
            .sum::<usize>();
        let missing = condition_runs.iter().map(ConditionRun::missing).sum::<usize>();
        let waits: Vec<_> = condition_runs
            .iter()
            .flat_map(|condition_run| condition_run.searched.waits.iter().copied())
            .collect();
        let heard = condition_runs
            .iter()
            .flat_map(|condition_run| condition_run.tests)
            .chain(self.voices.clips.iter().flatten());
        let (work, audio) = heard.fold((0.0, 0.0), |(work, audio), one| {
            (work + one.work_s, audio + one.audio_s)
        });
        let searched = set.counts() != (0, 0);
        Metrics {
            trials: figures.trials,
            targets: figures.targets,
            nontargets: figures.nontargets,
            eer: figures.eer,
            eer_ci95: details.intervals.map(|found| found.eer),
            min_dcf: figures.min_dcf,
            act_dcf: figures.act_dcf,
            cllr: figures.cllr,
            min_cllr: figures.min_cllr,
            failure_to_acquire: missing as f64 / tests.max(1) as f64,
            identification: searched.then(|| Identification::of(set, self.protocol.tables.rosters.len())),
            wait: Wait::of(&waits),
            by_condition: by_condition(self.protocol, condition_runs, judged, self.kind()),
            rtf: if audio > 0.0 { work / audio } else { 0.0 },
            model: self.bench.models.card.id().to_string(),
            calibration: self
                .scorer
                .calibration
                .as_ref()
                .map(|calibration| calibration.id.clone()),
            machine: machine(),
        }
    }

    fn details(
        &self,
        condition_runs: &[ConditionRun<'_>],
        judged: &[Judged<'_>],
        set: &OpenSet,
        started: Instant,
    ) -> Result<Details, BenchError> {
        let decided_on = judged.iter().map(|one| (one.trial.target, one.scored));
        let cosines = trials(judged.iter(), |scored| scored.cosine)?;
        let by_group = by_group(self.protocol, judged, self.kind());
        let unheard = self.models.iter().filter(|model| model.is_none()).count();
        Ok(Details {
            figures: figures(decided_on, self.kind())?,
            cosine_figures: Figures::of(&cosines, Kind::Similarities, Cost::USUAL),
            intervals: self.intervals(judged)?,
            strangers_searched: set.counts().1,
            search_intervals: search_intervals(self.bench, self.protocol, condition_runs)?,
            by_duration: by_duration(self.protocol, &self.scorer, condition_runs)?,
            waiting: waiting(condition_runs),
            handover: Vec::new(),
            extrapolated: by_size_extrapolated(judged),
            group_ratio: by_group
                .iter()
                .map(|(group, values)| (group.clone(), ratio(values)))
                .collect(),
            by_group,
            leakage: self.leakage(condition_runs)?,
            failure_to_enroll: unheard as f64 / self.models.len() as f64,
            decided: decided(condition_runs),
            sequential: sequential(condition_runs),
            by_roster_size: by_roster_size(self.bench, self.protocol, &self.scorer, condition_runs)?,
            operating_points: FPIRS.into_iter().filter_map(|fpir| set.at_fpir(fpir)).collect(),
            picks: picks(
                self.bench,
                self.protocol,
                self.scorer.calibration.as_ref(),
                &self.models,
                condition_runs,
            )?,
            most_alike: worst(self.protocol, judged, false),
            least_alike: worst(self.protocol, judged, true),
            run: run_card(self.bench, self.protocol, started),
        })
    }

    fn leakage(
        &self,
        condition_runs: &[ConditionRun<'_>],
    ) -> Result<BTreeMap<String, Option<Leakage>>, BenchError> {
        let mut found = BTreeMap::new();
        if self.bench.leakage {
            let silent_models = enrol(self.protocol, &self.voices.clips, |heard| heard.silence.as_ref())?;
            for (condition_run, tests) in condition_runs.iter().zip(&self.voices.tests) {
                let sides = Sides {
                    models: &self.models,
                    silent_models: &silent_models,
                    tests,
                };
                found.insert(condition_run.name.clone(), leakage(self.protocol, &sides)?);
            }
        }
        Ok(found)
    }

    fn words(&self, condition_runs: &[ConditionRun<'_>]) -> Result<Vec<Words>, BenchError> {
        let calibration = self.scorer.calibration.as_ref();
        let Some(calibration) = calibration.filter(|_| self.bench.words) else {
            return Ok(Vec::new());
        };
        let follower = Follower {
            calibration,
            policy: &self.bench.policy,
            models: &self.models,
        };
        let mut all = Vec::new();
        for condition_run in condition_runs {
            all.extend(words(
                follower,
                self.protocol,
                &condition_run.name,
                condition_run.tests,
            )?);
        }
        Ok(all)
    }

    fn scores(&self, condition_run: &ConditionRun<'_>) -> ConditionScores {
        let of_llrs = self.kind() == Kind::Ratios;
        let both = condition_run
            .scores
            .iter()
            .map(|one| (of_llrs.then_some(one.score), one.cosine));
        ConditionScores {
            condition: condition_run.name.clone(),
            scores: both.collect(),
        }
    }

    /// The curves of all trials; a test's speaker without any model was never enrolled.
    fn curves(&self, judged: &[Judged<'_>], set: &OpenSet) -> Result<Curves, BenchError> {
        let tables = &self.protocol.tables;
        let mut is_enrolled = vec![false; tables.speakers.len()];
        tables
            .model_speakers
            .iter()
            .for_each(|speaker| is_enrolled[*speaker as usize] = true);
        let stranger =
            |one: &&Judged<'_>| !is_enrolled[tables.test_speakers[one.trial.test as usize] as usize];
        let strangers: Vec<f64> = judged
            .iter()
            .filter(stranger)
            .map(|one| one.scored.score)
            .collect();
        let ranked = trials(judged.iter(), Scored::rank)?;
        let said = trials(judged.iter(), |scored| scored.score)?;
        Ok(curves(
            &ranked,
            &said,
            &strangers,
            self.kind() == Kind::Ratios,
            set,
        ))
    }

    /// How sure the figures are: error rates and detection costs by how trials rank, costs of ratios by what they say.
    fn intervals(&self, judged: &[Judged<'_>]) -> Result<Option<Intervals>, BenchError> {
        let ranked = self.drawn(judged, Scored::rank)?;
        let (Some(mut ranked), false) = (ranked, judged.iter().all(|one| one.scored.is_heard())) else {
            return Ok(ranked);
        };
        // The same speakers are drawn again.
        let said = self.drawn(judged, |scored| scored.score)?;
        Ok(said.map(|said| {
            ranked.cllr = said.cllr;
            ranked.min_cllr = said.min_cllr;
            ranked
        }))
    }

    fn drawn(
        &self,
        judged: &[Judged<'_>],
        score: impl Fn(&Scored) -> f64,
    ) -> Result<Option<Intervals>, BenchError> {
        let tables = &self.protocol.tables;
        let pair = |one: &Judged<'_>| Paired {
            score: score(&one.scored),
            enrolled: tables.model_speakers[one.trial.model as usize],
            tested: tables.test_speakers[one.trial.test as usize],
            target: one.trial.target,
        };
        let paired: Vec<Paired> = judged.iter().map(pair).collect();
        let affordable = (DRAWN_TRIALS / paired.len().max(1)).max(100);
        let draws = Draws {
            replicates: self.bench.replicates.min(affordable),
            seed: self.bench.seed,
        };
        Ok(bootstrap(&paired, tables.speakers.len(), Cost::USUAL, draws)?)
    }
}

fn run_card(bench: &Benchmark<'_>, protocol: &Protocol, started: Instant) -> RunCard {
    RunCard {
        protocol: protocol.name.clone(),
        description: protocol.description.clone(),
        protocol_sha256: protocol.sha256.clone(),
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
