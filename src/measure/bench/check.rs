//! Whether a calibration still fits: the calls of a protocol held against it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::figures::Kind;
use super::super::protocol::Protocol;
use super::benchmark::{Benchmark, Progress};
use super::error::BenchError;
use super::everybody::hear_all;
use super::heard::HeardRecording;
use super::heard_protocol::HeardProtocol;
use super::score::{Scored, Scorer};
use super::trial_figures::figures;
use super::turns::{Gains, voice_gains};
use crate::decision::Calibration;
use crate::voiceprint::ModelId;

/// The most that a calibration may cost, in bits, over what the best one on the same trials would.
const MOST_LOSS: f64 = 0.05;

/// How a calibration fits the trials of one condition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// Cost of the ratios, bits.
    pub cllr: f64,
    /// What the best calibration on these very trials would leave of it.
    pub min_cllr: f64,
    /// The difference: what the calibration costs. Beyond 0.05 it does not fit.
    pub loss: f64,
    /// Detection cost at a target prior of 0.01 by the ratios.
    pub act_dcf: f64,
    /// And at the best threshold on these very trials.
    pub min_dcf: f64,
    /// Equal error rate of the cosines.
    pub eer: f64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Id of the calibration.
    pub calibration: String,
    /// The model it is of.
    pub model: ModelId,
    /// Name of the protocol.
    pub protocol: String,
    /// Whether it fits under every condition.
    pub fits: bool,
    /// How it fits each.
    pub by_condition: BTreeMap<String, Fit>,
    /// Share of single voices taken for several; null where nothing was long enough.
    pub voices_false_alarm: Option<f64>,
    /// Share of pairs of voices, in turn, taken for one.
    pub voices_miss: Option<f64>,
}

/// Checks the calibration of a benchmark.
///
/// # Errors
/// [`BenchError::NoCalibration`] when it has none; others as in a benchmark.
pub fn check(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Checked, BenchError> {
    let calibration = bench.calibration.as_ref().ok_or(BenchError::NoCalibration)?;
    let voices = hear_all(bench, protocol, false, progress)?;
    let heard = HeardProtocol::of(bench, protocol, None, voices, |_| true)?;
    check_heard(&heard, calibration)
}

/// Holds a calibration against what was heard of those who count.
pub(super) fn check_heard(
    heard: &HeardProtocol<'_>,
    calibration: &Calibration,
) -> Result<Checked, BenchError> {
    let scorer = Scorer {
        calibration: Some(calibration.clone()),
    };
    let mut by_condition = BTreeMap::new();
    for (condition, tests) in heard.conditions().iter().zip(&heard.voices.tests) {
        by_condition.insert(condition.condition().to_string(), fit(&scorer, heard, tests)?);
    }
    let (one, two) = voices_by(calibration, heard);
    Ok(Checked {
        calibration: calibration.id.clone(),
        model: calibration.model.clone(),
        protocol: heard.protocol.name.clone(),
        fits: by_condition.values().all(|found: &Fit| found.loss <= MOST_LOSS),
        by_condition,
        voices_false_alarm: one,
        voices_miss: two,
    })
}

/// How the calibration fits the calls to the models.
fn fit(scorer: &Scorer, heard: &HeardProtocol<'_>, tests: &[HeardRecording]) -> Result<Fit, BenchError> {
    let scores = scorer.trials(heard.protocol, &heard.models, tests)?;
    let trials = heard.protocol.tables.trials.iter().zip(&scores);
    let counted = trials.filter(|(trial, _)| heard.counts_trial(trial));
    let scored = counted.map(|(trial, scored)| (trial.target, *scored));
    let llrs = figures(scored.clone(), Kind::Ratios)?;
    let of_cosine = |(target, one): (bool, Scored)| {
        let score = one.cosine;
        (target, Scored { score, ..one })
    };
    let cosines = figures(scored.map(of_cosine), Kind::Similarities)?;
    let cllr = llrs.cllr.unwrap_or(f64::INFINITY);
    Ok(Fit {
        cllr,
        min_cllr: llrs.min_cllr,
        loss: cllr - llrs.min_cllr,
        act_dcf: llrs.act_dcf.unwrap_or(f64::INFINITY),
        min_dcf: llrs.min_dcf,
        eer: cosines.eer,
    })
}

/// Shares of the recordings that the two-voices test gets wrong: single voices, and pairs in turn.
fn voices_by(calibration: &Calibration, heard: &HeardProtocol<'_>) -> (Option<f64>, Option<f64>) {
    let Some(test) = calibration.voices else {
        return (None, None);
    };
    let Gains { one, two } = voice_gains(heard);
    let one: Vec<f64> = one.into_iter().map(|(_, gain)| gain).collect();
    let share = |gains: &[f64], wrong: fn(f64, f64) -> bool| {
        let found = gains.iter().filter(|gain| wrong(**gain, test.gain)).count();
        (!gains.is_empty()).then(|| found as f64 / gains.len() as f64)
    };
    (
        share(&one, |gain, bound| gain > bound),
        share(&two, |gain, bound| gain <= bound),
    )
}
