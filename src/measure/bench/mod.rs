//! The benchmark: a protocol folder heard, scored and judged by the product's own path.
//!
//! [`run`] hears every recording of a [`Protocol`] under one or more conditions, scores every trial, does every
//! search, and gives [`Outcome`]: the documents of `metrics.json` and `details.json` and the scores themselves.

mod cache;
mod calibrate;
mod calls;
mod check;
mod condition_runs;
mod curves;
mod document;
mod durations;
mod error;
mod handover;
mod hear;
mod judge;
mod leakage;
mod observe;
mod operating_points;
mod picks;
mod score;
mod searches;
mod table;
mod turns;
mod waiting;
mod words;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::condition::Prepared;
use super::lists::ListError;
use super::lists::write::to_file;
use super::protocol::{Clip, Protocol};
use crate::bytes::Limits;
use crate::decision::{Calibration, Policy};
use crate::engine::Models;

use cache::Cache;
use hear::{BenchListener, Heard, Item};

pub use calibrate::{Fitting, Part, calibrate};
pub use check::{Checked, Fit, check};
pub use curves::{Curves, Spread};
pub use document::{
    Condition as ConditionFigures, Details, Identification, Listed, Metrics, RosterSize, RunCard,
};
pub use durations::Cell;
pub use error::BenchError;
pub use handover::{Alone, Handed, Handover, Looking, Share, Stood};
pub use hear::Pipeline;
pub use leakage::Leakage;
pub use picks::{Pick, Rate};
pub use score::score_pairs;
pub use searches::{Decided, Ends, Sequential};
pub use table::write_trial_table;
pub use waiting::Waiting;
pub use words::{Said, Words};

/// How a benchmark is run.
pub struct Benchmark<'a> {
    /// The files it runs on.
    pub models: &'a Models,
    /// The model's calibration, where it has one.
    pub calibration: Option<Calibration>,
    /// What the product decides by.
    pub policy: Policy,
    /// What is done to recordings.
    pub pipeline: Pipeline,
    /// The enrolments' condition.
    pub enroll: Prepared,
    /// The tests' conditions: every trial is done under each.
    pub tests: Vec<Prepared>,
    /// Threads, each with its own models.
    pub threads: usize,
    /// The seed of conditions, rosters and intervals.
    pub seed: u64,
    /// How often speakers are drawn for the intervals; fewer when there are very many trials.
    pub replicates: usize,
    /// Whether the parts without speech are scored too.
    pub leakage: bool,
    /// Whether every word on every call is put down.
    pub words: bool,
    /// How many calls of each kind are composed of several voices; 0 for none.
    pub handover: usize,
    /// The bounds on recordings.
    pub limits: Limits,
    /// Where embeddings are kept between runs; none to keep nothing.
    pub cache: Option<PathBuf>,
}

impl Benchmark<'_> {
    fn open_cache(&self) -> Result<Option<Cache>, BenchError> {
        let folder = self.cache.as_deref();
        folder.map(|folder| Cache::open(folder, self.models)).transpose()
    }
}

/// Where a benchmark is: called with what is heard and how much of it there is, and after each recording.
pub trait Progress: Sync {
    /// So many recordings of a kind come now.
    fn begin(&self, what: &str, recordings: usize);
    /// One of them is done.
    fn step(&self);
}

/// What came of a benchmark.
pub struct Outcome {
    /// `metrics.json`.
    pub metrics: Metrics,
    /// `details.json`.
    pub details: Details,
    /// What charts are drawn from.
    pub curves: Curves,
    /// The scores of each condition, in the order of the trials.
    pub scores: Vec<ConditionScores>,
    /// Every word on every call, where they were to be put down.
    pub words: Vec<Words>,
}

/// The scores of one condition.
pub struct ConditionScores {
    /// The condition.
    pub condition: String,
    /// The log-likelihood ratio of each trial, where there is a calibration, and its cosine.
    pub scores: Vec<(Option<f64>, f64)>,
}

impl Outcome {
    /// Writes the contract's `scores.tsv`: model, path, log-likelihood ratio (`-` without a calibration) and
    /// cosine of every trial, in order; again for each further condition.
    ///
    /// # Errors
    /// [`ListError::Unwritable`].
    pub fn write_scores(&self, protocol: &Protocol, path: &Path) -> Result<(), ListError> {
        let tables = &protocol.tables;
        to_file(path, |file| {
            for condition in &self.scores {
                for (trial, (llr, cosine)) in tables.trials.iter().zip(&condition.scores) {
                    let (model, test) = (
                        &tables.models[trial.model as usize],
                        &tables.tests[trial.test as usize],
                    );
                    match llr {
                        Some(llr) => writeln!(file, "{model}\t{test}\t{llr:.6}\t{cosine:.6}")?,
                        None => writeln!(file, "{model}\t{test}\t-\t{cosine:.6}")?,
                    }
                }
            }
            Ok(())
        })
    }
}

/// All that was heard.
struct Voices {
    /// The clips of each model.
    clips: Vec<Vec<Heard>>,
    /// The tests, under each condition.
    tests: Vec<Vec<Heard>>,
}

/// Runs a protocol.
///
/// # Errors
/// [`BenchError`] with the file, line or recording that stopped it.
pub fn run(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Outcome, BenchError> {
    let started = Instant::now();
    let voices = hear_all(bench, protocol, false, progress)?;
    let mut outcome = judge::judge(bench, protocol, &voices, started)?;
    if bench.handover > 0 {
        let models = score::enrol(protocol, &voices.clips, Heard::print)?;
        outcome.details.handover = handover::handover(bench, protocol, &models, progress)?;
        outcome.details.run.seconds = started.elapsed().as_secs_f64();
    }
    Ok(outcome)
}

/// Hears everything; `all_on_the_way` looks at every test on the way, and not only at those that are searched.
fn hear_all(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    all_on_the_way: bool,
    progress: &dyn Progress,
) -> Result<Voices, BenchError> {
    hear_under(bench, protocol, &bench.tests, all_on_the_way, progress)
}

/// The same with tests under these conditions; under none, only the enrolments are heard.
fn hear_under(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    conditions: &[Prepared],
    all_on_the_way: bool,
    progress: &dyn Progress,
) -> Result<Voices, BenchError> {
    let cache = bench.open_cache()?;
    let bench_listener = BenchListener {
        pipeline: bench.pipeline,
        silence: bench.leakage && bench.pipeline != Pipeline::Whole,
        limits: &bench.limits,
        cache: cache.as_ref(),
    };
    let hear = |what: &str, items: &[Item<'_>]| {
        progress.begin(what, items.len());
        work::each(
            bench.models,
            bench.threads,
            items,
            |analyst, item| bench_listener.hear(analyst, item),
            &|| progress.step(),
        )
    };
    let clips = hear_clips(bench, protocol, hear)?;
    let searched: BTreeSet<u32> = protocol
        .tables
        .searches
        .iter()
        .map(|search| search.test)
        .collect();
    let mut tests = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let item = |(at, path): (usize, &String)| Item {
            path: protocol.audio.join(path),
            seed: seed_of(bench.seed, path),
            span: None,
            max_seconds: protocol.test.max_seconds,
            condition,
            on_the_way: (all_on_the_way || searched.contains(&(at as u32)))
                && bench.pipeline == Pipeline::Product,
        };
        let items: Vec<Item<'_>> = protocol.tables.tests.iter().enumerate().map(item).collect();
        tests.push(hear(&format!("tests, {}", condition.condition()), &items)?);
    }
    Ok(Voices { clips, tests })
}

/// Hears each clip once, however many models are enrolled with it.
fn hear_clips(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    hear: impl Fn(&str, &[Item<'_>]) -> Result<Vec<Heard>, BenchError>,
) -> Result<Vec<Vec<Heard>>, BenchError> {
    let name = |clip: &Clip| format!("{} {:?}", clip.path, clip.span);
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut items = Vec::new();
    for clip in protocol.tables.enrolments.iter().flatten() {
        places.entry(name(clip)).or_insert_with(|| {
            items.push(Item {
                path: protocol.audio.join(&clip.path),
                seed: seed_of(bench.seed, &clip.path),
                span: clip.span,
                max_seconds: protocol.enroll.max_seconds,
                condition: &bench.enroll,
                on_the_way: false,
            });
            items.len() - 1
        });
    }
    let heard = hear("enrolments", &items)?;
    let of_model = |clips: &Vec<Clip>| {
        clips
            .iter()
            .map(|clip| heard[places[&name(clip)]].clone())
            .collect()
    };
    Ok(protocol.tables.enrolments.iter().map(of_model).collect())
}

/// The random numbers of a recording: by its name, so that a list in another order meets the same noise.
fn seed_of(seed: u64, path: &str) -> u64 {
    let hash = Sha256::digest(path.as_bytes());
    let name = hash
        .iter()
        .take(8)
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    seed ^ name
}
