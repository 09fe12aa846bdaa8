//! What came of a benchmark.

use std::io::Write;
use std::path::Path;

use super::super::lists::ListError;
use super::super::lists::write::to_file;
use super::super::protocol::Protocol;
use super::curves::Curves;
use super::document::{Details, Metrics};
use super::words::Words;

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
    /// Name of the condition.
    pub condition: String,
    /// The log-likelihood ratio of each trial, where there is a calibration, and its cosine.
    pub scores: Vec<(Option<f64>, f64)>,
}

impl Outcome {
    /// Writes the contract's `scores.tsv`: model, path, log-likelihood ratio (`-` without a calibration) and
    /// cosine of every trial, in order; again for each further condition. A trial of which nothing was heard has a ratio of
    /// 0 and a cosine of -1.
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
