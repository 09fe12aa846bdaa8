//! How much of a result the channel explains: the same trials, scored on the parts without speech.

use serde::Serialize;

use super::super::cost::Cost;
use super::super::figures::{Figures, Kind};
use super::super::protocol::Protocol;
use super::super::trials::Trials;
use super::error::BenchError;
use super::heard::{HeardRecording, Print};
use super::score::cosine;
use crate::units::NotFinite;

/// The same trials by what is not speech, beside those by speech. A figure near chance says that the recordings
/// give nothing away but voices; one far below it says that rooms, microphones and sessions are recognised too,
/// and that the result with speech is flattered by as much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Leakage {
    /// Trials with enough on both sides that is not speech, of all.
    pub share_of_trials: f64,
    /// Equal error rate of those trials by what is not speech (0.5 is chance).
    pub eer_without_speech: f64,
    /// Equal error rate of the very same trials by speech.
    pub eer_with_speech: f64,
    /// Share of tests whose speaker comes first among all models, by what is not speech.
    pub top1_without_speech: f64,
    /// The same by speech.
    pub top1_with_speech: f64,
    /// What guessing would give: one in the number of models.
    pub top1_chance: f64,
    /// Tests these shares are of.
    pub tests: usize,
}

/// A side's voices and what is not its voice.
pub(super) struct Sides<'a> {
    pub models: &'a [Option<Print>],
    pub silent_models: &'a [Option<Print>],
    pub tests: &'a [HeardRecording],
}

/// Scores the trials both ways by cosines; `None` when too few trials have enough that is not speech.
pub(super) fn leakage(protocol: &Protocol, sides: &Sides<'_>) -> Result<Option<Leakage>, BenchError> {
    let tables = &protocol.tables;
    let (mut spoken, mut silent) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for trial in &tables.trials {
        let (model, test) = (trial.model as usize, trial.test as usize);
        let heard = &sides.tests[test];
        let fault = |cause| BenchError::score(tables, model, test, cause);
        let without = cosine(sides.silent_models[model].as_ref(), heard.silence.as_ref()).map_err(fault)?;
        let with = cosine(sides.models[model].as_ref(), heard.print()).map_err(fault)?;
        if let (Some(without), Some(with)) = (without, with) {
            silent[usize::from(trial.target)].push(without);
            spoken[usize::from(trial.target)].push(with);
        }
    }
    let compared = spoken.iter().map(Vec::len).sum::<usize>();
    let eer = |[nontargets, targets]: [Vec<f64>; 2]| {
        let trials = Trials::new(targets, nontargets).ok()?;
        Some(Figures::of(&trials, Kind::Similarities, Cost::USUAL).eer)
    };
    let (Some(without), Some(with)) = (eer(silent), eer(spoken)) else {
        return Ok(None);
    };
    let named = named(protocol, sides).map_err(|cause| BenchError::Score {
        model: "all models".to_owned(),
        test: "a test".to_owned(),
        cause,
    })?;
    let share = |count: usize| count as f64 / named.tests.max(1) as f64;
    Ok(Some(Leakage {
        share_of_trials: compared as f64 / tables.trials.len() as f64,
        eer_without_speech: without,
        eer_with_speech: with,
        top1_without_speech: share(named.silent),
        top1_with_speech: share(named.spoken),
        top1_chance: 1.0 / tables.models.len() as f64,
        tests: named.tests,
    }))
}

struct Named {
    tests: usize,
    silent: usize,
    spoken: usize,
}

/// How many tests find their own speaker first among all models, both ways.
fn named(protocol: &Protocol, sides: &Sides<'_>) -> Result<Named, NotFinite> {
    let tables = &protocol.tables;
    let mut named = Named {
        tests: 0,
        silent: 0,
        spoken: 0,
    };
    let first = |models: &[Option<Print>], print: Option<&Print>| -> Result<Option<usize>, NotFinite> {
        let mut best: Option<(f64, usize)> = None;
        for (at, model) in models.iter().enumerate() {
            if let Some(cosine) = cosine(model.as_ref(), print)?
                && best.is_none_or(|(highest, _)| cosine > highest)
            {
                best = Some((cosine, at));
            }
        }
        Ok(best.map(|(_, at)| at))
    };
    for (test, heard) in sides.tests.iter().enumerate() {
        let speaker = tables.test_speakers[test];
        if heard.silence.is_none() || !tables.model_speakers.contains(&speaker) {
            continue;
        }
        let is_own = |found: Option<usize>| found.is_some_and(|at| tables.model_speakers[at] == speaker);
        named.tests += 1;
        named.silent += usize::from(is_own(first(sides.silent_models, heard.silence.as_ref())?));
        named.spoken += usize::from(is_own(first(sides.models, heard.print())?));
    }
    Ok(named)
}
