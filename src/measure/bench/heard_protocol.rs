//! A protocol that was heard, and who of it counts.

use super::super::condition::Prepared;
use super::super::protocol::{Protocol, Trial};
use super::benchmark::Benchmark;
use super::error::BenchError;
use super::everybody::Voices;
use super::heard::{HeardRecording, Print};
use super::score::enrol;

/// A protocol that was heard.
pub(super) struct HeardProtocol<'a> {
    pub bench: &'a Benchmark<'a>,
    pub protocol: &'a Protocol,
    /// What its tests were heard under where that is not the benchmark's.
    pub own: Option<Prepared>,
    pub voices: Voices,
    pub models: Vec<Option<Print>>,
    /// Whether each speaker counts, by their place.
    pub counted: Vec<bool>,
}

impl<'a> HeardProtocol<'a> {
    /// What was heard of a protocol, `own` as the field says; `counts` says who does, by name.
    pub fn of(
        bench: &'a Benchmark<'a>,
        protocol: &'a Protocol,
        own: Option<Prepared>,
        voices: Voices,
        counts: impl Fn(&str) -> bool,
    ) -> Result<Self, BenchError> {
        let models = enrol(protocol, &voices.clips, HeardRecording::print)?;
        let speakers = protocol.tables.speakers.iter();
        Ok(Self {
            bench,
            protocol,
            own,
            voices,
            models,
            counted: speakers.map(|speaker| counts(&speaker.name)).collect(),
        })
    }

    /// The conditions that its tests were heard under, in the order of [`Voices::tests`].
    pub fn conditions(&self) -> &[Prepared] {
        self.own
            .as_ref()
            .map_or(&self.bench.tests[..], std::slice::from_ref)
    }

    /// Whether a speaker counts, by their place.
    pub fn counts(&self, speaker: u32) -> bool {
        self.counted[speaker as usize]
    }

    /// Whether both of a trial count.
    pub fn counts_trial(&self, trial: &Trial) -> bool {
        let tables = &self.protocol.tables;
        self.counts(tables.model_speakers[trial.model as usize])
            && self.counts(tables.test_speakers[trial.test as usize])
    }

    /// Whether the trials that count are of both kinds: error rates need both.
    pub fn has_both_kinds(&self) -> bool {
        let is_there = |target: bool| {
            let mut trials = self.protocol.tables.trials.iter();
            trials.any(|trial| trial.target == target && self.counts_trial(trial))
        };
        is_there(true) && is_there(false)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::protocol::{Side, Tables};
    use super::super::heard::Prints;
    use super::*;
    use crate::voiceprint::Embedding;

    pub(in super::super) fn protocol(tables: Tables) -> Protocol {
        Protocol {
            name: "p".to_owned(),
            description: String::new(),
            audio: std::path::PathBuf::new(),
            enroll: Side::default(),
            test: Side::default(),
            tables,
            sha256: String::new(),
        }
    }

    /// These tests under the benchmark's one condition, everybody counting and nobody enrolled.
    pub(in super::super) fn heard<'a>(
        bench: &'a Benchmark<'a>,
        protocol: &'a Protocol,
        tests: Vec<HeardRecording>,
    ) -> HeardProtocol<'a> {
        HeardProtocol {
            bench,
            protocol,
            own: None,
            voices: Voices {
                clips: Vec::new(),
                tests: vec![tests],
            },
            models: Vec::new(),
            counted: vec![true; protocol.tables.speakers.len()],
        }
    }

    pub(in super::super) fn recording(checkpoints: Vec<Prints>, windows: Vec<Embedding>) -> HeardRecording {
        HeardRecording {
            checkpoints,
            checks: Vec::new(),
            windows,
            silence: None,
            spans: Vec::new(),
            audio_s: 12.0,
            work_s: 0.0,
        }
    }
}
