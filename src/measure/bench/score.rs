//! Voiceprints to scores, by the product's own core.

use std::num::NonZero;

use uuid::Uuid;

use super::super::protocol::{Protocol, Trial};
use super::error::BenchError;
use super::hear::{Heard, Print, Prints};
use crate::decision::Calibration;
use crate::units::{Cosine, NotFinite, Seconds, UserId};
use crate::verdict::scoring::{self, Likeness};
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
    /// None when the practice is not the one that was calibrated, or the model has none.
    pub calibration: Option<Calibration>,
}

/// The lowest a cosine can be: what a trial scores of which nothing was heard.
pub(super) const NOTHING_HEARD: f64 = -1.0;

/// The user that a model stands for.
pub(super) fn user_id(model: u32) -> UserId {
    UserId::from_uuid(Uuid::from_u128(u128::from(model)))
}

/// The model that a user stands for.
pub(super) fn model_of(user: UserId) -> Option<u32> {
    u32::try_from(user.as_uuid().as_u128()).ok()
}

/// How like a model a voice is.
pub(super) fn likeness(user: UserId, model: &Print, voice: &Embedding) -> Result<Likeness, NotFinite> {
    Ok(Likeness {
        user,
        cosine: model.voice.cosine(voice)?,
        enrolled_speech: seconds(model.net_s),
        enrolled_over: model.over,
    })
}

/// The cosine of two voices; `None` when one of them was not heard.
pub(super) fn cosine(model: Option<&Print>, test: Option<&Print>) -> Result<Option<f64>, NotFinite> {
    match (model, test) {
        (Some(model), Some(test)) => Ok(Some(f64::from(model.voice.cosine(&test.voice)?.get()))),
        _ => Ok(None),
    }
}

pub(super) fn seconds(net_s: f64) -> Seconds {
    Seconds::checked(net_s).unwrap_or_default()
}

impl Scorer {
    /// The score of a model and what was heard of a test. No trial is left out: a side of which nothing was
    /// heard gives the lowest cosine there is, and a ratio of one (0), since nothing heard is evidence for
    /// nothing. That is a miss wherever a name needs any evidence at all.
    pub fn score(&self, model: Option<&Print>, test: &Prints) -> Result<Scored, NotFinite> {
        let (Some(model), Some(print)) = (model, &test.print) else {
            let nothing = self.calibration.as_ref().map_or(NOTHING_HEARD, |_| 0.0);
            return Ok(Scored {
                score: nothing,
                cosine: NOTHING_HEARD,
            });
        };
        let likeness = likeness(user_id(0), model, &print.voice)?;
        let cosine = f64::from(Cosine::get(likeness.cosine));
        let Some(calibration) = &self.calibration else {
            return Ok(Scored {
                score: cosine,
                cosine,
            });
        };
        let moment = test.moment(&[], true);
        let ratios = scoring::ratios(&moment, seconds(print.net_s), &[likeness], calibration)?;
        let score = ratios.first().map_or(0.0, |(_, llr)| llr.get());
        Ok(Scored { score, cosine })
    }

    /// The score of a model in a search of a roster. Where nothing was heard there is no candidate: the lowest
    /// score of all, so that nobody is ever named for it. A caller on the roster is missed, not misnamed.
    pub fn candidate(&self, model: Option<&Print>, test: &Prints) -> Result<Scored, NotFinite> {
        let mut scored = self.score(model, test)?;
        if model.is_none() || test.print.is_none() {
            scored.score = f64::NEG_INFINITY;
        }
        Ok(scored)
    }

    /// The score of each trial, in order, on all processors.
    pub fn trials(
        &self,
        protocol: &Protocol,
        models: &[Option<Print>],
        tests: &[Heard],
    ) -> Result<Vec<Scored>, BenchError> {
        let nothing = Prints::default();
        let one = |trial: &Trial| {
            let (model, test) = (trial.model as usize, trial.test as usize);
            let prints = tests[test].whole().unwrap_or(&nothing);
            self.score(models[model].as_ref(), prints)
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
/// ratios by the calibration, or cosines without one. Each side is its net speech and its voice. `None` when a
/// thread died.
///
/// # Errors
/// [`NotFinite`] when a score leaves the finite numbers.
///
/// # Panics
/// When a pair names a model or a test that is not there.
pub fn score_pairs(
    calibration: Option<Calibration>,
    models: &[(Seconds, Embedding)],
    tests: &[(Seconds, Embedding)],
    pairs: &[(u32, u32)],
) -> Option<Result<Vec<f64>, NotFinite>> {
    let scorer = Scorer { calibration };
    let print = |(net, voice): &(Seconds, Embedding)| Print {
        net_s: net.get(),
        over: Bandwidth::Wide,
        voice: voice.clone(),
    };
    let models: Vec<Print> = models.iter().map(print).collect();
    let whole = |side: &(Seconds, Embedding)| Prints {
        at_s: side.0.get(),
        print: Some(print(side)),
        ..Prints::default()
    };
    let tests: Vec<Prints> = tests.iter().map(whole).collect();
    on_all_processors(pairs, |(model, test)| {
        let scored = scorer.score(models.get(*model as usize), &tests[*test as usize])?;
        Ok(scored.score)
    })
}

/// The voice of each model: the mean of its clips, and all the speech in them; none where nothing was heard. `pick`
/// says which voice of a clip.
pub(super) fn enrol<'a>(
    protocol: &Protocol,
    clips: &'a [Vec<Heard>],
    pick: impl Fn(&'a Heard) -> Option<&'a Print>,
) -> Result<Vec<Option<Print>>, BenchError> {
    let mut models = Vec::with_capacity(clips.len());
    for (model, heard) in clips.iter().enumerate() {
        let prints: Vec<&Print> = heard.iter().filter_map(&pick).collect();
        if prints.is_empty() {
            models.push(None);
            continue;
        }
        let mean = Embedding::mean(prints.iter().map(|print| (&print.voice, 1.0)));
        models.push(Some(Print {
            voice: mean.map_err(|cause| BenchError::Enrolment {
                model: protocol.tables.models[model].clone(),
                cause,
            })?,
            net_s: prints.iter().map(|print| print.net_s).sum(),
            over: Bandwidth::of_all(prints.iter().map(|print| print.over)),
        }));
    }
    Ok(models)
}
