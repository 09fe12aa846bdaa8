//! Voiceprints to scores, by the product's own core.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZero;

use uuid::Uuid;

use super::super::protocol::Protocol;
use super::error::BenchError;
use super::heard::{HeardRecording, Print, Prints, seconds};
use crate::decision::{Calibration, Curve, RosterReach};
use crate::units::{Cosine, NotFinite, Seconds, UserId};
use crate::verdict::scoring::{self, Likeness};
use crate::voiceprint::{Bandwidth, Embedding};

/// A trial's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// What is decided on: the log-likelihood ratio, or the cosine where there is no calibration.
    pub score: f64,
    /// Cosine similarity of the two voices, -1 to 1.
    pub cosine: f64,
}

impl Scored {
    /// Whether both sides were heard.
    pub fn is_heard(&self) -> bool {
        self.cosine > NOTHING_HEARD
    }

    /// Its place among other trials: that of its score, or below all where nothing was heard. A user who could not be heard
    /// is missed and a stranger is not accepted (ISO/IEC 19795-1, where failures to acquire are part of both error rates).
    pub fn rank(&self) -> f64 {
        if self.is_heard() {
            self.score
        } else {
            f64::NEG_INFINITY
        }
    }
}

/// Turns pairs of voices into scores.
pub(super) struct Scorer {
    /// None when the model has none.
    pub calibration: Option<Calibration>,
}

/// The lowest a cosine can be: what a trial has of which nothing was heard.
const NOTHING_HEARD: f64 = -1.0;

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

/// The curve for calls to a roster of models. How far they reach is not looked for where the curve has no regard to it.
pub(super) fn curve_on(curve: Curve, roster: &[u32], models: &[Option<Print>]) -> Result<Curve, NotFinite> {
    if curve.roster_reach.is_none() {
        return Ok(curve);
    }
    Ok(curve.on(reach_of(roster, models)?))
}

/// How far up the likenesses of a roster's models to each other reach.
pub(super) fn reach_of(roster: &[u32], models: &[Option<Print>]) -> Result<RosterReach, NotFinite> {
    let voices = roster.iter().filter_map(|model| models[*model as usize].as_ref());
    RosterReach::of(&voices.map(|print| &print.voice).collect::<Vec<_>>())
}

/// The cosine of two voices; `None` when one of them was not heard.
pub(super) fn cosine(model: Option<&Print>, test: Option<&Print>) -> Result<Option<f64>, NotFinite> {
    match (model, test) {
        (Some(model), Some(test)) => Ok(Some(f64::from(model.voice.cosine(&test.voice)?.get()))),
        _ => Ok(None),
    }
}

/// A side of which nothing was heard.
const UNHEARD: Scored = Scored {
    score: 0.0,
    cosine: NOTHING_HEARD,
};

impl Scorer {
    /// The score of each model of a roster and what was heard of a test, as the service holds them against each other.
    /// Nobody is left out: a side of which nothing was heard gives the lowest cosine there is, and a ratio of one (0),
    /// since nothing heard is evidence for nothing. That is what it costs as a ratio; among other trials it comes last
    /// ([`Scored::rank`]).
    pub fn on_roster(
        &self,
        roster: &[u32],
        models: &[Option<Print>],
        test: &Prints,
    ) -> Result<Vec<Scored>, NotFinite> {
        let Some(print) = &test.print else {
            return Ok(vec![self.unheard(); roster.len()]);
        };
        let known = roster
            .iter()
            .filter_map(|model| Some((*model, models[*model as usize].as_ref()?)));
        let found: Vec<Likeness> = known
            .map(|(model, enrolled)| likeness(user_id(model), enrolled, &print.voice))
            .collect::<Result<_, _>>()?;
        let calibration = self.calibration.as_ref();
        let curve = calibration.map(|calibration| curve_on(calibration.curve, roster, models));
        let mut scores = scores(print, test, &found, curve.transpose()?)?.into_iter();
        let scored = |model: &u32| match models[*model as usize] {
            Some(_) => scores.next().unwrap_or(UNHEARD),
            None => self.unheard(),
        };
        Ok(roster.iter().map(scored).collect())
    }

    fn unheard(&self) -> Scored {
        let score = self.calibration.as_ref().map_or(NOTHING_HEARD, |_| 0.0);
        Scored { score, ..UNHEARD }
    }

    /// The scores of a search of a roster. Where nothing was heard there is no candidate: the lowest score of all, so that
    /// nobody is ever named for it. A caller on the roster is missed, not misnamed.
    pub fn candidates(
        &self,
        roster: &[u32],
        models: &[Option<Print>],
        test: &Prints,
    ) -> Result<Vec<Scored>, NotFinite> {
        let mut scores = self.on_roster(roster, models, test)?;
        for (scored, model) in scores.iter_mut().zip(roster) {
            if test.print.is_none() || models[*model as usize].is_none() {
                scored.score = f64::NEG_INFINITY;
            }
        }
        Ok(scores)
    }

    /// The score of each trial, in order.
    pub fn trials(
        &self,
        protocol: &Protocol,
        models: &[Option<Print>],
        tests: &[HeardRecording],
    ) -> Result<Vec<Scored>, BenchError> {
        let nothing = Prints::default();
        let whole = |test: usize| Some(tests[test].whole().unwrap_or(&nothing));
        Ok(self
            .trials_of(protocol, models, whole)?
            .into_iter()
            .flatten()
            .collect())
    }

    /// The score of each trial by what was `heard` of its test, in order, on all processors; none where there is nothing to
    /// score. Each is judged as on the first roster that has its model, since a ratio says how much more a call is like one
    /// user than like the others there.
    pub fn trials_of<'a>(
        &self,
        protocol: &Protocol,
        models: &[Option<Print>],
        heard: impl Fn(usize) -> Option<&'a Prints> + Sync,
    ) -> Result<Vec<Option<Scored>>, BenchError> {
        let tables = &protocol.tables;
        let homes = Homes::of(protocol);
        let mut of_test: Vec<Vec<usize>> = vec![Vec::new(); tables.tests.len()];
        for (at, trial) in tables.trials.iter().enumerate() {
            of_test[trial.test as usize].push(at);
        }
        let tests: Vec<(usize, Vec<usize>)> = of_test.into_iter().enumerate().collect();
        let one = |(test, trials): &(usize, Vec<usize>)| {
            let Some(prints) = heard(*test) else {
                return Ok(Vec::new());
            };
            let mut on_home: HashMap<usize, Vec<Scored>> = HashMap::new();
            let mut scores = Vec::with_capacity(trials.len());
            for at in trials {
                let model = tables.trials[*at].model;
                let scored = self.at_home(&homes, model, models, prints, &mut on_home);
                let scored =
                    scored.map_err(|cause| BenchError::score(tables, model as usize, *test, cause))?;
                scores.push((*at, scored));
            }
            Ok(scores)
        };
        let found = on_all_processors(&tests, one).unwrap_or(Err(BenchError::Crashed))?;
        let mut scores = vec![None; tables.trials.len()];
        for (at, scored) in found.into_iter().flatten() {
            scores[at] = scored;
        }
        Ok(scores)
    }

    /// The score of a model among those of its roster; `scored` are the rosters that the test was already held against.
    fn at_home(
        &self,
        homes: &Homes<'_>,
        model: u32,
        models: &[Option<Print>],
        prints: &Prints,
        scored: &mut HashMap<usize, Vec<Scored>>,
    ) -> Result<Option<Scored>, NotFinite> {
        let Some((roster, place)) = homes.of[model as usize] else {
            return Ok(self.on_roster(&[model], models, prints)?.pop());
        };
        let scores = match scored.entry(roster) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(missing) => {
                missing.insert(self.on_roster(&homes.rosters[roster].1, models, prints)?)
            }
        };
        Ok(scores.get(place).copied())
    }
}

/// The scores of a test against `found`: ratios by the roster's curve, or cosines without one.
fn scores(
    print: &Print,
    test: &Prints,
    found: &[Likeness],
    curve: Option<Curve>,
) -> Result<Vec<Scored>, NotFinite> {
    let cosine = |likeness: &Likeness| f64::from(Cosine::get(likeness.cosine));
    let Some(curve) = curve else {
        let plain = |likeness: &Likeness| Scored {
            score: cosine(likeness),
            cosine: cosine(likeness),
        };
        return Ok(found.iter().map(plain).collect());
    };
    let llrs = scoring::llrs(&test.moment(&[], true), seconds(print.net_s), found, &curve)?;
    let both = found.iter().zip(llrs).map(|(likeness, (_, llr))| Scored {
        score: llr.get(),
        cosine: cosine(likeness),
    });
    Ok(both.collect())
}

/// Whom a trial is judged among.
pub(super) struct Homes<'a> {
    /// The protocol's rosters.
    pub rosters: &'a [(String, Vec<u32>)],
    /// The first roster of each model, and the model's place there; none for a model that is on none.
    pub of: Vec<Option<(usize, usize)>>,
}

impl<'a> Homes<'a> {
    /// The rosters of a protocol's models.
    pub fn of(protocol: &'a Protocol) -> Self {
        let rosters = &protocol.tables.rosters;
        let mut of = vec![None; protocol.tables.models.len()];
        for (roster, (_, models)) in rosters.iter().enumerate() {
            for (place, model) in models.iter().enumerate() {
                of[*model as usize].get_or_insert((roster, place));
            }
        }
        Self { rosters, of }
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

/// The scores of pairs of a model and a test, by their places, as a benchmark scores trials outside of any roster:
/// log-likelihood ratios by the calibration, or cosines without one. Each side is its net speech and its voice. `None`
/// when a thread died.
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
    let models: Vec<Option<Print>> = models.iter().map(|side| Some(print(side))).collect();
    let whole = |side: &(Seconds, Embedding)| Prints {
        at_s: side.0.get(),
        print: Some(print(side)),
        ..Prints::default()
    };
    let tests: Vec<Prints> = tests.iter().map(whole).collect();
    on_all_processors(pairs, |(model, test)| {
        let scored = scorer.on_roster(&[*model], &models, &tests[*test as usize])?;
        Ok(scored.first().map_or(0.0, |scored| scored.score))
    })
}

/// The voice of each model: the mean of its clips, and all the speech in them; none where nothing was heard. `pick`
/// says which voice of a clip.
pub(super) fn enrol<'a>(
    protocol: &Protocol,
    clips: &'a [Vec<HeardRecording>],
    pick: impl Fn(&'a HeardRecording) -> Option<&'a Print>,
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
