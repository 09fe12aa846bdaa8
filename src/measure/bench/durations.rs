//! How good it is after how much speech, under each condition.

use serde::Serialize;

use super::super::figures::Kind;
use super::super::protocol::Protocol;
use super::condition_runs::ConditionRun;
use super::error::BenchError;
use super::heard::HeardRecording;
use super::score::Scorer;
use super::trial_figures::figures;

/// Where one span of net speech ends and the next begins, in seconds.
const EDGES: [f64; 8] = [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0];

/// The figures of a condition after some net speech.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Name of the condition.
    pub condition: String,
    /// From so many seconds of net speech.
    pub from_s: f64,
    /// To so many, without them; none for the last span, which has no end.
    pub to_s: Option<f64>,
    /// Number of target trials.
    pub targets: usize,
    /// Number of non-target trials.
    pub nontargets: usize,
    /// Equal error rate.
    pub eer: f64,
    /// Cllr above the least that these very trials allow, bits: what calibration loses here; none for cosines.
    pub calibration_loss: Option<f64>,
}

/// The figures of every condition and span of net speech with trials of both kinds. A test counts once in each
/// span that it was looked at in, with the last checkpoint there; tests that are not searched are looked at when they
/// end and nowhere else.
pub(super) fn by_duration(
    protocol: &Protocol,
    scorer: &Scorer,
    condition_runs: &[ConditionRun<'_>],
) -> Result<Vec<Cell>, BenchError> {
    let kind = match scorer.calibration {
        Some(_) => Kind::Ratios,
        None => Kind::Similarities,
    };
    let tables = &protocol.tables;
    let mut cells = Vec::new();
    for condition_run in condition_runs {
        let spans: Vec<[Option<usize>; EDGES.len()]> =
            condition_run.tests.iter().map(checkpoints_by_span).collect();
        for (span, from_s) in EDGES.into_iter().enumerate() {
            let checkpoint = |test: usize| Some(&condition_run.tests[test].checkpoints[spans[test][span]?]);
            let scores = scorer.trials_of(protocol, condition_run.models, checkpoint)?;
            let pairs = tables.trials.iter().zip(&scores);
            let scored = pairs.filter_map(|(trial, scored)| Some((trial.target, (*scored)?)));
            // A span that holds only one kind of trial has no rates.
            let Ok(figures) = figures(scored, kind) else {
                continue;
            };
            cells.push(Cell {
                condition: condition_run.name.clone(),
                from_s,
                to_s: EDGES.get(span + 1).copied(),
                targets: figures.targets,
                nontargets: figures.nontargets,
                eer: figures.eer,
                calibration_loss: figures.cllr.map(|cllr| cllr - figures.min_cllr),
            });
        }
    }
    Ok(cells)
}

/// The last checkpoint in each span that gave a voice.
fn checkpoints_by_span(heard: &HeardRecording) -> [Option<usize>; EDGES.len()] {
    let mut spans = [None; EDGES.len()];
    for (at, checkpoint) in heard.checkpoints.iter().enumerate() {
        let span = EDGES.partition_point(|edge| *edge <= checkpoint.at_s);
        if let (true, Some(span)) = (checkpoint.print.is_some(), span.checked_sub(1)) {
            spans[span] = Some(at);
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::super::heard::{Print, Prints};
    use super::super::heard_protocol::tests::recording;
    use super::*;
    use crate::voiceprint::{Bandwidth, Embedding};

    #[test]
    fn a_test_counts_once_a_span_by_its_last_look_with_a_voice() {
        let print = Print {
            voice: Embedding::at_degrees(0.0),
            net_s: 1.0,
            over: Bandwidth::Wide,
        };
        let checkpoint = |at_s: f64, heard: bool| Prints {
            at_s,
            print: heard.then(|| print.clone()),
            ..Prints::default()
        };
        let checkpoints = vec![
            checkpoint(0.5, true),
            checkpoint(1.2, false),
            checkpoint(2.0, true),
            checkpoint(2.5, true),
            checkpoint(40.0, true),
        ];
        let spans = checkpoints_by_span(&recording(checkpoints, Vec::new()));
        assert_eq!(spans[..3], [None, Some(3), None]);
        assert_eq!(spans[7], Some(4));
    }
}
