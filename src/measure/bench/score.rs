//! Voiceprints to scores.

use std::borrow::Borrow;
use std::num::NonZero;

use super::super::protocol::{Protocol, Trial};
use super::enrolled::Galleries;
use super::error::BenchError;
use super::hear::{Heard, Practice, Prints, View};
use crate::decision::Calibration;
use crate::units::{NotFinite, Seconds};
use crate::voiceprint::{Bandwidth, Embedding};

/// A trial's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// What is decided on: the log-likelihood ratio, or the cosine where there is no calibration.
    pub score: f64,
    /// The cosine.
    pub cosine: f64,
}

/// Turns pairs of voices into scores.
pub(super) struct Scorer {
    pub practice: Practice,
    /// None when the practice is not the one that was calibrated, or the model has none.
    pub calibration: Option<Calibration>,
}

/// The lowest a cosine can be: what a trial scores of which nothing was heard.
pub(super) const NOTHING_HEARD: f64 = -1.0;

impl Scorer {
    /// The cosine of two voices in the bandwidth they have in common, the test's own first.
    pub fn cosine(&self, model: &[View], test: &[View]) -> Result<Option<(f64, Bandwidth)>, NotFinite> {
        for (bandwidth, probe) in test {
            let fits = |view: &&View| self.practice != Practice::Product || view.0 == *bandwidth;
            if let Some((_, print)) = model.iter().find(fits) {
                return Ok(Some((f64::from(print.cosine(probe)?.get()), *bandwidth)));
            }
        }
        Ok(None)
    }

    /// The score of a model and what was heard of a test. No trial is left out: a side of which nothing was
    /// heard gives the lowest cosine there is, and a ratio of one (0), since nothing heard is evidence for
    /// nothing. That is a miss wherever a name needs any evidence at all.
    pub fn score(&self, model: &[View], test: &Prints) -> Result<Scored, NotFinite> {
        self.rated(self.cosine(model, &test.views)?, test)
    }

    /// The score of a model in a search of a roster. Where nothing was heard there is no candidate: the lowest
    /// score of all, so that nobody is ever named for it. A caller on the roster is missed, not misnamed.
    pub fn candidate(&self, model: &[View], test: &Prints) -> Result<Scored, NotFinite> {
        let found = self.cosine(model, &test.views)?;
        let mut scored = self.rated(found, test)?;
        if found.is_none() {
            scored.score = f64::NEG_INFINITY;
        }
        Ok(scored)
    }

    fn rated(&self, found: Option<(f64, Bandwidth)>, test: &Prints) -> Result<Scored, NotFinite> {
        let cosine = found.map_or(NOTHING_HEARD, |(cosine, _)| cosine);
        let score = match (&self.calibration, found) {
            (None, _) => cosine,
            (Some(_), None) => 0.0,
            (Some(calibration), Some((cosine, bandwidth))) => {
                let net = Seconds::checked(test.net_s).unwrap_or_default();
                let cosine = crate::units::Cosine::new(cosine as f32)?;
                calibration.curve(bandwidth).llr(cosine, net)?.get()
            }
        };
        Ok(Scored { score, cosine })
    }

    /// The score of each trial, in order, on all processors.
    pub fn trials(
        &self,
        protocol: &Protocol,
        galleries: &Galleries,
        tests: &[Heard],
    ) -> Result<Vec<Scored>, BenchError> {
        let nothing = Prints::default();
        let one = |trial: &Trial| {
            let (model, test) = (trial.model as usize, trial.test as usize);
            let prints = tests[test].whole().unwrap_or(&nothing);
            self.score(&galleries.at(test).models[model], prints)
                .map_err(|cause| BenchError::Score {
                    model: protocol.tables.models[model].clone(),
                    test: protocol.tables.tests[test].clone(),
                    cause,
                })
        };
        on_all_processors(&protocol.tables.trials, one).unwrap_or(Err(BenchError::Crashed))
    }
}

/// Does `one` to each item on all processors, in order; the first fault ends it. `None` when a thread died.
fn on_all_processors<T: Sync, R: Send, E: Send>(
    items: &[T],
    one: impl Fn(&T) -> Result<R, E> + Sync,
) -> Option<Result<Vec<R>, E>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (share, one) = (items.len().div_ceil(threads).max(1), &one);
    let parts: Vec<_> = std::thread::scope(|scope| {
        let working: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(one).collect::<Result<Vec<R>, E>>()))
            .collect();
        working.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let mut done = Vec::with_capacity(items.len());
    for part in parts {
        match part? {
            Ok(part) => done.extend(part),
            Err(fault) => return Some(Err(fault)),
        }
    }
    Some(Ok(done))
}

/// The scores of pairs of a model and a test, by their places, as a benchmark scores its trials: log-likelihood
/// ratios by the calibration, or cosines without one. A test is its net speech and its voice. `None` when a thread
/// died.
///
/// # Errors
/// [`NotFinite`] when a score leaves the finite numbers.
///
/// # Panics
/// When a pair names a model or a test that is not there.
pub fn score_pairs(
    calibration: Option<Calibration>,
    models: &[Vec<(Bandwidth, Embedding)>],
    tests: &[(Seconds, Vec<(Bandwidth, Embedding)>)],
    pairs: &[(u32, u32)],
) -> Option<Result<Vec<f64>, NotFinite>> {
    let scorer = Scorer {
        practice: Practice::Product,
        calibration,
    };
    let prints: Vec<Prints> = tests
        .iter()
        .map(|(net, views)| Prints {
            net_s: net.get(),
            views: views.clone(),
            ..Prints::default()
        })
        .collect();
    on_all_processors(pairs, |(model, test)| {
        let scored = scorer.score(&models[*model as usize], &prints[*test as usize])?;
        Ok(scored.score)
    })
}

/// The voice of each model: the mean of its clips, for each bandwidth. `pick` says which voice of a clip.
pub(super) fn enrol<'a>(
    protocol: &Protocol,
    clips: &'a [Vec<Heard>],
    pick: impl Fn(&'a Heard) -> &'a [View],
) -> Result<Vec<Vec<View>>, BenchError> {
    let views: Vec<Vec<&[View]>> = clips
        .iter()
        .map(|heard| heard.iter().map(&pick).collect())
        .collect();
    means(protocol, &views)
}

/// The voice of each model, from the views of its clips.
pub(super) fn means<V: Borrow<[View]>>(
    protocol: &Protocol,
    clips: &[Vec<V>],
) -> Result<Vec<Vec<View>>, BenchError> {
    let mut models = Vec::with_capacity(clips.len());
    for (model, heard) in clips.iter().enumerate() {
        let views: Vec<&View> = heard.iter().flat_map(Borrow::borrow).collect();
        let mut voice = Vec::new();
        for kind in [Bandwidth::Narrow, Bandwidth::Wide] {
            let parts: Vec<&Embedding> = views
                .iter()
                .filter(|(bandwidth, _)| *bandwidth == kind)
                .map(|(_, view)| view)
                .collect();
            if !parts.is_empty() {
                let mean = Embedding::mean(parts.into_iter().map(|part| (part, 1.0)));
                let model = || protocol.tables.models[model].clone();
                voice.push((
                    kind,
                    mean.map_err(|cause| BenchError::Enrolment {
                        model: model(),
                        cause,
                    })?,
                ));
            }
        }
        models.push(voice);
    }
    Ok(models)
}
