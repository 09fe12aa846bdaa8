//! How good it is, measured: the figures, the lists they are made from, and the benchmark.
//!
//! The figures are pure arithmetic over scores. [`Trials`] holds the scores of a verification test in
//! order, [`Hull`] the convex hull of its error rates, [`Figures`] everything that is said of them;
//! [`bootstrap()`] says how sure that is, [`OpenSet`] does the same for searches of rosters, [`Wait`] for
//! calls that are decided as they go.
//!
//! Architecture invariants: a score that is NaN never enters a figure; a trial that could not be scored is
//! counted, as a miss or as nobody accepted; nothing depends on the order of the trials or on the number of
//! threads.

// In order: a file uses only those above it, and none of its own group.
mod error;
mod rng;
mod stored;

mod condition;
mod identification;
mod trials;

mod hull;

mod cost;
mod logistic;

mod bootstrap;
mod figures;

mod drift;
mod extrapolation;
mod lists;
mod search_bootstrap;
mod wait;

mod protocol;

mod bench;

mod load;
mod report;

pub use bench::{
    Alone, BenchError, Benchmark, Cell, Checked, ConditionFigures, ConditionScores, Curves, Decided, Details,
    Ends, Fit, Fitted, Fitting, Handed, Handover, Identification, Leakage, Listed, Looking, Metrics, Outcome,
    Part, Pick, Progress, Rate, RosterSize, RunCard, Said, Sequential, Share, Spread, Stood, Told, Waiting,
    Words, calibrate, check, run, score_pairs, write_trial_table,
};
pub use bootstrap::{Draws, Intervals, Paired, bootstrap};
pub use condition::{Condition, ConditionError, Prepared};
pub use cost::{Cost, cllr};
pub use drift::{CallWord, Drift, DriftSpan, DriftTest, FIRST, OutcomeCounts};
pub use error::MetricError;
pub use extrapolation::{Extrapolated, Tail, extrapolated};
pub use figures::{Figures, Kind};
pub use hull::{Block, Hull};
pub use identification::{AtThreshold, Mate, OpenSet, Search, random_rosters};
pub use lists::{
    Format, ListError, ListedScore, ListedTrial, join, read_scores, read_trials, write_scores, write_trials,
};
pub use load::{
    LoadFault, LoadOutcome, LoadSettings, LoadStep, MemorySample, Names, Quantiles, Target, run_load,
};
pub use logistic::{FitError, Observation, logistic};
pub use protocol::{Clip, Init, Made, Protocol, ProtocolError, Searched, Side, Speaker, Tables, Trial, init};
pub use report::{Place, report};
pub use rng::Rng;
pub use search_bootstrap::{Called, RateIntervals, SearchIntervals, bootstrap_searches};
pub use stored::{ReportPlace, StoredFault, StoredReport, stored_reports};
pub use trials::{Rates, Step, Trials, equal_error, roc};
pub use wait::Wait;
