//! What a benchmark says: `metrics.json` by the contract, and `details.json` with everything else.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::bootstrap::Intervals;
use super::super::extrapolation::Extrapolated;
use super::super::figures::Figures;
use super::super::identification::{AtThreshold, OpenSet};
use super::super::search_bootstrap::SearchIntervals;
use super::super::wait::Wait;
use super::condition_figures::{Condition, FPIRS, Listed, RosterSize};
use super::durations::Cell;
use super::handover::Handover;
use super::leakage::Leakage;
use super::picks::Pick;
use super::searches::{Decided, Sequential};
use super::waiting::Waiting;

/// `metrics.json`: the contract's fields, no others; what is not known is null. Rates are fractions.
#[derive(Debug, Clone, Serialize)]
pub struct Metrics {
    /// Number of trials.
    pub trials: usize,
    /// Number of target trials.
    pub targets: usize,
    /// Number of non-target trials.
    pub nontargets: usize,
    /// Equal error rate on the convex hull of the ROC.
    pub eer: f64,
    /// Its middle 95 % when speakers are drawn again.
    pub eer_ci95: Option<[f64; 2]>,
    /// Least detection cost at a target prior of 0.01.
    pub min_dcf: f64,
    /// Detection cost of the ratios there; null without a calibration.
    pub act_dcf: Option<f64>,
    /// Cost of the ratios in bits; null without a calibration.
    pub cllr: Option<f64>,
    /// What the best calibration would leave of it.
    pub min_cllr: f64,
    /// Share of tests of which no voiceprint could be made; their trials count all the same.
    pub failure_to_acquire: f64,
    /// Open-set identification; null without searches.
    pub identification: Option<Identification>,
    /// Net speech to a decision; null without searches or calibration.
    pub wait: Option<Wait>,
    /// The figures of each condition.
    pub by_condition: BTreeMap<String, Condition>,
    /// Seconds of work for each second of audio, one thread.
    pub rtf: f64,
    /// The speaker model.
    pub model: String,
    /// The calibration; null when the scores are cosines.
    pub calibration: Option<String>,
    /// The machine it ran on.
    pub machine: String,
}

/// Open-set identification, as the contract has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identification {
    /// How many rosters were searched.
    pub rosters: usize,
    /// Share of enrolled callers who came first on their roster, whatever the score.
    pub top1: Option<f64>,
    /// Pairs of FPIR and DIR.
    pub dir_at_fpir: Vec<[f64; 2]>,
    /// FNIR at an FPIR of 0.001.
    pub fnir_at_fpir_0_001: Option<f64>,
    /// FNIR at an FPIR of 0.01.
    pub fnir_at_fpir_0_01: Option<f64>,
    /// Share of enrolled callers given another's name at an FPIR of 0.01.
    pub misidentification: Option<f64>,
}

impl Identification {
    /// The contract's figures of some searches.
    pub(super) fn of(set: &OpenSet, rosters: usize) -> Self {
        let dir = |fpir| set.at_fpir(fpir).map(|found| [fpir, found.dir]);
        let usual = set.at_fpir(0.01);
        Self {
            rosters,
            top1: set.within(1),
            dir_at_fpir: FPIRS.into_iter().filter_map(dir).collect(),
            fnir_at_fpir_0_001: set.at_fpir(0.001).map(|found| found.fnir),
            fnir_at_fpir_0_01: usual.map(|found| found.fnir),
            misidentification: usual.map(|found| found.misidentification),
        }
    }
}

/// `details.json`: everything that the contract has no field for.
#[derive(Debug, Clone, Serialize)]
pub struct Details {
    /// What was run, so that it can be run again.
    pub run: RunCard,
    /// All figures of the scores that are decided on.
    pub figures: Figures,
    /// The same of the plain cosines.
    pub cosine_figures: Figures,
    /// Middle 95 % of each figure when speakers are drawn again; null when speakers are too few.
    pub intervals: Option<Intervals>,
    /// Searches by callers who are on no roster that they dialed.
    pub strangers_searched: usize,
    /// The same for searches, when callers are drawn again; null without callers of both kinds.
    pub search_intervals: Option<SearchIntervals>,
    /// The figures of each condition after some net speech.
    pub by_duration: Vec<Cell>,
    /// The figures of each value of each group in `speakers.tsv`, both sides within it.
    pub by_group: BTreeMap<String, BTreeMap<String, Figures>>,
    /// The highest equal error rate of a group's values over the lowest.
    pub group_ratio: BTreeMap<String, Option<f64>>,
    /// What the parts without speech give away, by condition; null where there is too little of them.
    pub leakage: BTreeMap<String, Option<Leakage>>,
    /// Models of which no voiceprint could be made, as a share.
    pub failure_to_enroll: f64,
    /// How searches end under the product's policy.
    pub decided: Option<Decided>,
    /// What it costs and gains to decide as calls go.
    pub sequential: Option<Sequential>,
    /// How many calls were decided within some net speech; null where none was.
    pub waiting: Option<Waiting>,
    /// Calls composed of several voices, by condition; empty unless they were asked for.
    pub handover: Vec<Handover>,
    /// Rates of rosters of each size, drawn at random among the protocol's models.
    pub by_roster_size: Vec<RosterSize>,
    /// What rosters of some sizes would do, by the scores of single comparisons; of sizes that were tried too, so that
    /// the two can be compared.
    pub extrapolated: Vec<Extrapolated>,
    /// What each false-accept rate per call costs, over the protocol's own searches.
    pub operating_points: Vec<AtThreshold>,
    /// How calls would end under each error target to strangers; empty without searches or a calibration.
    pub picks: Vec<Pick>,
    /// The non-target trials with the highest scores.
    pub most_alike: Vec<Listed>,
    /// The target trials with the lowest.
    pub least_alike: Vec<Listed>,
}

/// What was run.
#[derive(Debug, Clone, Serialize)]
pub struct RunCard {
    /// The protocol's name.
    pub protocol: String,
    /// What it tests.
    pub description: String,
    /// SHA-256 of its files.
    pub protocol_sha256: String,
    /// Conditions of the enrolments and of the tests.
    pub enroll_condition: String,
    /// Conditions of the tests.
    pub test_conditions: Vec<String>,
    /// SHA-256 of the model's weights.
    pub model_sha256: String,
    /// The release that measured.
    pub voxline: &'static str,
    /// The seed of conditions, rosters and intervals.
    pub seed: u64,
    /// Seconds from start to end.
    pub seconds: f64,
}

/// The machine, in words.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name
        .and_then(|rest| rest.split_once(':'))
        .map_or("", |(_, name)| name.trim());
    let (system, kind) = (std::env::consts::OS, std::env::consts::ARCH);
    format!(
        "{system} {kind}, {cores} cores{}{name}",
        if name.is_empty() { "" } else { ", " }
    )
}
