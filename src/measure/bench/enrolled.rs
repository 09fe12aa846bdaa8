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

/// The tests of a condition as galleries are searched with them, and those galleries.
pub(super) type Met<'a> = (Cow<'a, [Heard]>, Galleries);

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
            let Heard { looks, glances, .. } = &mut searched[test];
            for look in looks
                .iter_mut()
                .chain(glances.iter_mut().map(|glance| &mut glance.prints))
            {
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
        Dice::new(self.seed).shuffle(&mut order);
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::decision::{CALLERS_OF_A_BATCH, MeanVoice};
    use crate::measure::bench::hear::Prints;
    use crate::voiceprint::{Embedding, ModelId};

    fn heard(direction: [f32; 3], kinds: &[Bandwidth], net_s: f64) -> Heard {
        let voice = Embedding::from_direction(direction.to_vec()).unwrap();
        Heard {
            looks: vec![Prints {
                net_s,
                views: kinds.iter().map(|kind| (*kind, voice.clone())).collect(),
                windows: 0,
                quality: None,
            }],
            glances: Vec::new(),
            windows: Vec::new(),
            spans: Vec::new(),
            silence: Vec::new(),
            audio_s: 3.0,
            work_s: 0.1,
        }
    }

    /// A protocol with a model by telephone, one wide-band, and a test of each of so many callers.
    fn protocol(callers: usize) -> Protocol {
        let folder = tempfile::tempdir().unwrap();
        let (mut trials, mut speakers) = (String::new(), String::new());
        for caller in 0..callers {
            let kind = if caller == 0 { "target" } else { "nontarget" };
            writeln!(trials, "0\ttest-{caller}.wav\t{kind}").unwrap();
            writeln!(speakers, "test-{caller}.wav\t{caller}").unwrap();
        }
        for (file, text) in [
            ("protocol.toml", "name = \"p\"\naudio = \".\"\n"),
            ("enroll.tsv", "0\tphone.wav\n1\tapp.wav\n"),
            ("trials.tsv", &trials),
            ("speakers.tsv", &speakers),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        Protocol::read(folder.path()).unwrap()
    }

    fn calibration() -> Calibration {
        let text = include_str!("../../../models/voxline-phone-1/calibration.toml");
        let calibration: Calibration = toml::from_str(text).unwrap();
        Calibration {
            model: ModelId::new("m"),
            ..calibration
        }
    }

    fn adapt(tests: &[Heard]) -> (Vec<Heard>, Galleries) {
        let (protocol, calibration) = (protocol(tests.len()), calibration());
        let clips = [
            vec![heard([1.0, 0.0, 0.0], &[Bandwidth::Narrow], 9.0)],
            vec![heard([0.0, 1.0, 0.0], &[Bandwidth::Wide, Bandwidth::Narrow], 9.0)],
        ];
        let reference = LineReference {
            calls: 1,
            mean: MeanVoice::new(vec![0.0, 0.0, 0.5]).unwrap(),
        };
        let adapting = Adapting {
            protocol: &protocol,
            clips: &clips,
            calibration: &calibration,
            reference: &reference,
            seed: 1,
        };
        adapting.adapt(tests).unwrap()
    }

    #[test]
    fn a_call_meets_what_the_calls_before_it_made_of_the_line() {
        let tests = vec![heard([0.8, 0.6, 0.1], &[Bandwidth::Narrow], 2.5); CALLERS_OF_A_BATCH + 4];
        let (searched, galleries) = adapt(&tests);
        let plain = |test: &usize| galleries.at(*test).alignment.is_none();
        let before: Vec<usize> = (0..tests.len()).filter(plain).collect();
        assert_eq!(before.len(), CALLERS_OF_A_BATCH);
        for (test, (heard, searched)) in tests.iter().zip(&searched).enumerate() {
            assert_eq!(heard == searched, before.contains(&test));
            let models = &galleries.at(test).models;
            let unmoved = Embedding::from_direction(vec![1.0, 0.0, 0.0]).unwrap();
            // The telephone's model moves with the calls, the simulated telephone's stays.
            assert_eq!(models[0][0].1 == unmoved, before.contains(&test));
            assert_eq!(models[1][0].1.as_slice(), [0.0, 1.0, 0.0]);
        }
    }

    #[test]
    fn wide_band_and_short_calls_teach_nothing() {
        for (kinds, net_s) in [
            (&[Bandwidth::Wide, Bandwidth::Narrow][..], 2.5),
            (&[Bandwidth::Narrow][..], 1.9),
        ] {
            let tests = vec![heard([0.8, 0.6, 0.1], kinds, net_s); 2 * CALLERS_OF_A_BATCH];
            let (searched, galleries) = adapt(&tests);
            assert_eq!(searched, tests);
            assert!((0..tests.len()).all(|test| galleries.at(test).alignment.is_none()));
        }
    }
}
