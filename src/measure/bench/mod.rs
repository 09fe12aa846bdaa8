//! The benchmark: a protocol folder heard, scored and judged by the product's own path.
//!
//! [`run()`] hears every recording of a [`Protocol`](super::protocol::Protocol) under one or more conditions, scores every
//! trial, does every search, and gives [`Outcome`]: the documents of `metrics.json` and `details.json` and the scores
//! themselves. [`calibrate()`] fits a calibration on the same, [`check()`] holds one against it.

// In order: a file uses only those above it, and none of its own group.
mod error;
mod kept;

mod heard;

mod cache;
mod score;
mod work;

mod benchmark;
mod calls;
mod hear;
mod leakage;
mod trial_figures;

mod everybody;
mod handover;
mod searches;
mod words;

mod condition_figures;
mod curves;

mod condition_runs;

mod durations;
mod picks;
mod waiting;

mod document;

mod outcome;

mod judge;

mod run;

mod fitting;
mod heard_protocol;

mod observe;
mod operating_points;
mod turns;

mod check;

mod calibrate;
mod table;

pub use benchmark::{Benchmark, Progress};
pub use calibrate::{Fitted, calibrate};
pub use check::{Checked, Fit, check};
pub use condition_figures::{Condition as ConditionFigures, Listed, RosterSize};
pub use curves::{Curves, Spread};
pub use document::{Details, Identification, Metrics, RunCard};
pub use durations::Cell;
pub use error::BenchError;
pub use fitting::{Fitting, Part};
pub use handover::{Alone, Handed, Handover, Looking, Share, Stood, Told};
pub use leakage::Leakage;
pub use outcome::{ConditionScores, Outcome};
pub use picks::{Pick, Rate};
pub use run::run;
pub use score::score_pairs;
pub use searches::{Decided, Ends, Sequential};
pub use table::write_trial_table;
pub use waiting::Waiting;
pub use words::{Said, Words};
