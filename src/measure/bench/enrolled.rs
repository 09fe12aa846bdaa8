//! The models as a number's gallery holds them at each call, and the calls as they are searched with: as they are
//! or, adapted to the line, by the means of the calls before them, exactly as the service does it.

use std::borrow::Cow;

use super::super::dice::Dice;
use super::super::protocol::Protocol;
use super::error::BenchError;
use super::hear::{Heard, View};
use super::score::{enrol, means};
use super::{Bench, Voices as Heards};
use crate::decision::{
    Alignment, BadLine, Batch, Calibration, LineMean, LineReference, Voices, over_the_telephone,
};
use crate::voiceprint::Bandwidth;

/// The gallery at some moment.
pub(super) struct Enrolled {
    /// The voice of each model.
    pub models: Vec<Vec<View>>,
    /// How what comes over the telephone is moved; none while too few called.
    pub alignment: Option<Alignment>,
}

impl Enrolled {
    /// Models as they are.
    pub fn plain(models: Vec<Vec<View>>) -> Self {
        Self {
            models,
            alignment: None,
        }
    }

    /// A voice as this gallery is searched with it.
    ///
    /// # Errors
    /// [`BadLine`] when nothing is left of it.
    pub fn aligned<'a>(&self, views: &'a [View]) -> Result<Cow<'a, [View]>, BadLine> {
        let bandwidths = views.iter().map(|(bandwidth, _)| *bandwidth);
        match &self.alignment {
            Some(alignment) if over_the_telephone(bandwidths) => moved(alignment, views).map(Cow::Owned),
            _ => Ok(Cow::Borrowed(views)),
        }
    }
}

fn moved(alignment: &Alignment, views: &[View]) -> Result<Vec<View>, BadLine> {
    let one = |(bandwidth, voice): &View| -> Result<(Bandwidth, _), BadLine> {
        Ok((*bandwidth, alignment.align(voice)?))
    };
    views.iter().map(one).collect()
}

/// The galleries that the tests of one condition met.
pub(super) struct Galleries {
    states: Vec<Enrolled>,
    /// Which of them, by test; all the first where nothing is said.
    of_test: Vec<usize>,
}

impl Galleries {
    /// One and the same for all.
    pub fn plain(models: Vec<Vec<View>>) -> Self {
        Self {
            states: vec![Enrolled::plain(models)],
            of_test: Vec::new(),
        }
    }

    /// The gallery that a test met.
    pub fn at(&self, test: usize) -> &Enrolled {
        &self.states[self.of_test.get(test).copied().unwrap_or_default()]
    }
}

/// What is adapted, and to what.
pub(super) struct Adapting<'a> {
    protocol: &'a Protocol,
    clips: &'a [Vec<Heard>],
    calibration: &'a Calibration,
    reference: &'a LineReference,
    seed: u64,
}

impl<'a> Adapting<'a> {
    /// What a benchmark's calls are adapted to.
    pub fn new(
        bench: &Bench<'_>,
        protocol: &'a Protocol,
        voices: &'a Heards,
        calibration: &'a Calibration,
    ) -> Result<Self, BenchError> {
        Ok(Self {
            protocol,
            clips: &voices.clips,
            calibration,
            reference: calibration.line()?,
            seed: bench.seed,
        })
    }

    /// The tests as calls of one number in an order of the dice, each searched with what the calls before it make of
    /// the line. The callers are known by their labels here, as the service knows them by their numbers; the looks
    /// come back aligned, the windows, by which voices are told apart, as they were heard.
    pub fn adapt(&self, tests: &[Heard]) -> Result<(Vec<Heard>, Galleries), BenchError> {
        let fault = |cause| BenchError::Line { cause };
        let speakers = &self.protocol.tables.test_speakers;
        let mut states = vec![Enrolled::plain(enrol(self.protocol, self.clips, Heard::views)?)];
        let (mut batch, mut line) = (Batch::default(), None::<LineMean>);
        let mut of_test = vec![0; tests.len()];
        let mut searched = tests.to_vec();
        for test in self.order(tests.len()) {
            let now = states.len() - 1;
            of_test[test] = now;
            for look in &mut searched[test].looks {
                if let Cow::Owned(aligned) = states[now].aligned(&look.views).map_err(fault)? {
                    look.views = aligned;
                }
            }
            let Some(voice) = tests[test].of_line().filter(|_| self.is_one_voice(&tests[test])) else {
                continue;
            };
            let caller = u64::from(speakers[test]);
            if let Some(full) = batch.add(caller, voice).map_err(fault)? {
                let next = LineMean::with(line.take(), full).map_err(fault)?;
                states.push(self.gallery(&next)?);
                line = Some(next);
            }
        }
        Ok((searched, Galleries { states, of_test }))
    }

    fn order(&self, tests: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..tests).collect();
        let mut dice = Dice::new(self.seed);
        for at in (1..tests).rev() {
            order.swap(at, dice.below(at + 1));
        }
        order
    }

    fn is_one_voice(&self, heard: &Heard) -> bool {
        let test = self.calibration.voices;
        !test.is_some_and(|test| matches!(test.hear(&heard.windows), Voices::Several(_)))
    }

    /// The gallery as it is rebuilt when the line's mean has moved: clips that came over a telephone are moved too.
    fn gallery(&self, line: &LineMean) -> Result<Enrolled, BenchError> {
        let fault = |cause| BenchError::Line { cause };
        let mut state = Enrolled {
            models: Vec::new(),
            alignment: Some(Alignment::of(line, self.reference).map_err(fault)?),
        };
        let mut clips = Vec::with_capacity(self.clips.len());
        for model in self.clips {
            let views = model.iter().map(|clip| state.aligned(clip.views()));
            clips.push(views.collect::<Result<Vec<_>, _>>().map_err(fault)?);
        }
        state.models = means(self.protocol, &clips)?;
        Ok(state)
    }
}
