//! Every checkpoint of every trial as a line, with all that might say how far its cosine is to be believed.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use super::super::lists::write::to_file;
use super::super::protocol::{Protocol, Trial};
use super::benchmark::{Benchmark, Progress};
use super::error::BenchError;
use super::everybody::{Voices, hear_under};
use super::fitting::Part;
use super::heard::{HeardRecording, Print, Prints};
use super::score::{cosine, enrol};
use crate::verdict::Quality;

/// The columns.
const HEADER: &str = "protocol\tcondition\tcheckpoint\tmodel\ttest\tmodel_speaker\ttest_speaker\ttarget\tbandwidth\tcosine\t\
                      call_s\tenrolled_s\tclips\tsnr_db\tclipping";

/// Writes a table of every checkpoint of every trial of some protocols, heard as they are to be fitted on: real calls under
/// their own condition, others under each of the benchmark's, and of enrolments of the very calls no target trial. With
/// `speakers`, trials among them alone, by name. A checkpoint's name is its number on the way, `end` for the last. Nobody's
/// voice is in the table: similarities only. Gives the number of lines.
///
/// # Errors
/// [`BenchError`]: what stopped the hearing or the writing.
pub fn write_trial_table(
    bench: &Benchmark<'_>,
    parts: &[Part],
    speakers: Option<&BTreeSet<String>>,
    path: &Path,
    progress: &dyn Progress,
) -> Result<usize, BenchError> {
    let mut tables = Vec::with_capacity(parts.len());
    for part in parts {
        tables.push(lines(bench, part, speakers, progress)?);
    }
    to_file(path, |file| {
        writeln!(file, "{HEADER}")?;
        tables
            .iter()
            .flatten()
            .try_for_each(|line| writeln!(file, "{line}"))
    })?;
    Ok(tables.iter().map(Vec::len).sum())
}

/// The lines of one protocol.
fn lines(
    bench: &Benchmark<'_>,
    part: &Part,
    speakers: Option<&BTreeSet<String>>,
    progress: &dyn Progress,
) -> Result<Vec<String>, BenchError> {
    let protocol = &part.protocol;
    let own = part.own_condition()?;
    let conditions = own.as_ref().map_or(&bench.tests[..], std::slice::from_ref);
    let voices = hear_under(bench, protocol, conditions, true, progress)?;
    let models = enrol(protocol, &voices.clips, HeardRecording::print)?;
    let mut table = Table {
        protocol,
        voices: &voices,
        models: &models,
        lines: Vec::new(),
    };
    let name = |speaker: u32| &protocol.tables.speakers[speaker as usize].name;
    let counts = |speaker: u32| speakers.is_none_or(|own| own.contains(name(speaker)));
    for (at, condition) in conditions.iter().enumerate() {
        let condition = condition.condition().to_string();
        // The lines of a test stand together, checkpoint by checkpoint.
        let mut by_test: Vec<Vec<&Trial>> = vec![Vec::new(); protocol.tables.tests.len()];
        for trial in &protocol.tables.trials {
            let both = [
                protocol.tables.model_speakers[trial.model as usize],
                protocol.tables.test_speakers[trial.test as usize],
            ];
            let is_of_one_call = part.is_same_call && trial.target;
            if !is_of_one_call && both.into_iter().all(counts) {
                by_test[trial.test as usize].push(trial);
            }
        }
        for (test, trials) in by_test.iter().enumerate() {
            table.test(&condition, &voices.tests[at][test], trials)?;
        }
    }
    Ok(table.lines)
}

/// A protocol's lines in the making.
struct Table<'a> {
    protocol: &'a Protocol,
    voices: &'a Voices,
    models: &'a [Option<Print>],
    lines: Vec<String>,
}

impl Table<'_> {
    fn test(&mut self, condition: &str, heard: &HeardRecording, trials: &[&Trial]) -> Result<(), BenchError> {
        let last = heard.checkpoints.len().saturating_sub(1);
        for (at, checkpoint) in heard.checkpoints.iter().enumerate() {
            let name = if at == last {
                "end".to_owned()
            } else {
                at.to_string()
            };
            for trial in trials {
                let line = self.line(condition, &name, checkpoint, trial)?;
                self.lines.extend(line);
            }
        }
        Ok(())
    }

    /// `None` where one of the sides could not be heard.
    fn line(
        &self,
        condition: &str,
        name: &str,
        checkpoint: &Prints,
        trial: &Trial,
    ) -> Result<Option<String>, BenchError> {
        let (tables, model) = (&self.protocol.tables, trial.model as usize);
        let test = trial.test as usize;
        let fault = |cause| BenchError::score(tables, model, test, cause);
        let (enrolled, print) = (self.models[model].as_ref(), checkpoint.print.as_ref());
        let Some(cosine) = cosine(enrolled, print).map_err(fault)? else {
            return Ok(None);
        };
        let (net_s, enrolled_s) = (print.map(|print| print.net_s), enrolled.map(|print| print.net_s));
        let speaker = |speaker: u32| tables.speakers[speaker as usize].name.as_str();
        let clips = &self.voices.clips[model];
        let quality = checkpoint.quality;
        let line: [&dyn Display; 15] = [
            &self.protocol.name,
            &condition,
            &name,
            &tables.models[model],
            &tables.tests[test],
            &speaker(tables.model_speakers[model]),
            &speaker(tables.test_speakers[test]),
            &u8::from(trial.target),
            &quality.map_or("-", |quality| quality.bandwidth.name()),
            &rounded(Some(cosine)),
            &rounded(net_s),
            &rounded(enrolled_s),
            &clips.len(),
            &rounded(quality.and_then(|quality| quality.snr_db)),
            &rounded(quality.map(|Quality { clipping, .. }| clipping)),
        ];
        Ok(Some(line.map(ToString::to_string).join("\t")))
    }
}

/// Six decimals, or a dash for what is not known.
fn rounded(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.6}"))
}
