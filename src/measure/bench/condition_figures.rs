//! What is said of one condition, and of the searches and trials in it.

use serde::Serialize;

use super::super::figures::Figures;
use super::super::identification::AtThreshold;

/// The figures of a condition.
#[derive(Debug, Clone, Serialize)]
pub struct Condition {
    /// Error rates and costs; null when it has only targets or only non-targets.
    #[serde(flatten)]
    pub figures: Option<Figures>,
    /// Share of the tests of its trials of which no voiceprint could be made.
    pub failure_to_acquire: f64,
}

/// The false-positive identification rates that are reported.
pub(super) const FPIRS: [f64; 7] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0];

/// Rates of rosters of one size.
#[derive(Debug, Clone, Serialize)]
pub struct RosterSize {
    /// Models on a roster.
    pub size: usize,
    /// Searches by enrolled people, and by others.
    pub searches: (usize, usize),
    /// Share of enrolled people who came first.
    pub top1: Option<f64>,
    /// The rates at each FPIR.
    pub at_fpir: Vec<AtThreshold>,
}

/// A trial worth looking at.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Id of the speaker model.
    pub model: String,
    /// The test recording's name.
    pub test: String,
    /// Name of the condition.
    pub condition: String,
    /// The score it was decided on.
    pub score: f64,
    /// Cosine similarity of the two voices, -1 to 1.
    pub cosine: f64,
}
