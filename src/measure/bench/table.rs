//! Every checkpoint of every trial as a line, with all that might say how far its cosine is to be believed.

use std::collections::{BTreeSet, HashMap};
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

/// How many of the cohort a side is normalised by: those that it is most like.
const NEAREST: usize = 40;

/// The columns.
const HEADER: &str = "protocol\tcondition\tcheckpoint\tmodel\ttest\tmodel_speaker\ttest_speaker\ttarget\tbandwidth\tcosine\t\
                      call_s\tenrolled_s\tclips\tsnr_db\tclipping\tenrolled_mean\tenrolled_sd\tcall_mean\tcall_sd";

/// Mean and standard deviation of a side's cosines with the cohort's most similar.
type Likeness = Option<(f64, f64)>;

/// Writes a table of every checkpoint of every trial of some protocols, heard as they are to be fitted on: real calls under
/// their own condition, others under each of the benchmark's, and of enrolments of the very calls no target trial; `cohort` is a protocol whose
/// enrolments are what both sides are held against (adaptive symmetric normalisation; Matejka et al. 2017). With
/// `speakers`, trials among them alone, by name. A checkpoint's
/// name is its number on the way, `end` for the last. Nobody's voice is in the table: similarities only. Gives the
/// number of lines.
///
/// # Errors
/// [`BenchError`]: what stopped the hearing or the writing.
pub fn write_trial_table(
    bench: &Benchmark<'_>,
    parts: &[Part],
    cohort: Option<&Protocol>,
    speakers: Option<&BTreeSet<String>>,
    path: &Path,
    progress: &dyn Progress,
) -> Result<usize, BenchError> {
    let cohort = match cohort {
        Some(cohort) => {
            let heard = hear_under(bench, cohort, &[], false, progress)?;
            enrol(cohort, &heard.clips, HeardRecording::print)?
        }
        None => Vec::new(),
    };
    let mut tables = Vec::with_capacity(parts.len());
    for part in parts {
        tables.push(lines(bench, part, &cohort, speakers, progress)?);
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
    cohort: &[Option<Print>],
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
        cohort,
        enrolled: HashMap::new(),
        lines: Vec::new(),
    };
    let name = |speaker: u32| &protocol.tables.speakers[speaker as usize].name;
    let counts = |speaker: u32| speakers.is_none_or(|own| own.contains(name(speaker)));
    for (at, condition) in conditions.iter().enumerate() {
        let condition = condition.condition().to_string();
        // The trials of a test together: what the cohort says of a checkpoint is asked once.
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
    cohort: &'a [Option<Print>],
    /// What the cohort says of each model.
    enrolled: HashMap<u32, Likeness>,
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
            let of_call = likeness(self.cohort, checkpoint.print.as_ref());
            for trial in trials {
                let line = self.line(condition, &name, checkpoint, trial, of_call)?;
                self.lines.extend(line);
            }
        }
        Ok(())
    }

    /// `None` where one of the sides could not be heard.
    fn line(
        &mut self,
        condition: &str,
        name: &str,
        checkpoint: &Prints,
        trial: &Trial,
        call: Likeness,
    ) -> Result<Option<String>, BenchError> {
        let (tables, model) = (&self.protocol.tables, trial.model as usize);
        let test = trial.test as usize;
        let fault = |cause| BenchError::score(tables, model, test, cause);
        let (enrolled, print) = (self.models[model].as_ref(), checkpoint.print.as_ref());
        let Some(cosine) = cosine(enrolled, print).map_err(fault)? else {
            return Ok(None);
        };
        let (net_s, enrolled_s) = (print.map(|print| print.net_s), enrolled.map(|print| print.net_s));
        let of_model = self.enrolled.entry(trial.model);
        let enrolled = *of_model.or_insert_with(|| likeness(self.cohort, self.models[model].as_ref()));
        let speaker = |speaker: u32| tables.speakers[speaker as usize].name.as_str();
        let clips = &self.voices.clips[model];
        let quality = checkpoint.quality;
        let line: [&dyn Display; 19] = [
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
            &rounded(enrolled.map(|(mean, _)| mean)),
            &rounded(enrolled.map(|(_, spread)| spread)),
            &rounded(call.map(|(mean, _)| mean)),
            &rounded(call.map(|(_, spread)| spread)),
        ];
        Ok(Some(line.map(ToString::to_string).join("\t")))
    }
}

/// Six decimals, or a dash for what is not known.
fn rounded(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.6}"))
}

/// How like the cohort a voice is; `None` where fewer of them were heard than are asked for.
fn likeness(cohort: &[Option<Print>], print: Option<&Print>) -> Likeness {
    let cosine = |other: &Option<Print>| cosine(other.as_ref(), print).ok().flatten();
    let mut cosines: Vec<f64> = cohort.iter().filter_map(cosine).collect();
    if cosines.len() < NEAREST {
        return None;
    }
    cosines.sort_unstable_by(|a, b| b.total_cmp(a));
    cosines.truncate(NEAREST);
    let count = cosines.len() as f64;
    let mean = cosines.iter().sum::<f64>() / count;
    let variance = cosines.iter().map(|cosine| (cosine - mean).powi(2)).sum::<f64>() / count;
    Some((mean, variance.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voiceprint::Embedding;

    #[test]
    fn a_voice_is_held_against_those_of_the_cohort_that_it_is_most_like() {
        let at = |degrees: f32| {
            Some(Print {
                voice: Embedding::at_degrees(degrees),
                net_s: 3.0,
                over: crate::voiceprint::Bandwidth::Wide,
            })
        };
        // Half of the nearest at 0 and half at 60 degrees; those behind say nothing.
        let mut cohort: Vec<_> = (0..NEAREST)
            .map(|nth| at(if nth % 2 == 0 { 0.0 } else { 60.0 }))
            .collect();
        let near = |cohort: &[Option<Print>]| likeness(cohort, at(0.0).as_ref());
        let (mean, spread) = near(&cohort).unwrap();
        assert!(
            (mean - 0.75).abs() < 1e-6 && (spread - 0.25).abs() < 1e-6,
            "{mean} {spread}"
        );
        cohort.extend((0..20).map(|_| at(180.0)));
        assert_eq!(near(&cohort), Some((mean, spread)));
        assert_eq!(near(&cohort[..NEAREST - 1]), None);
        assert_eq!(likeness(&cohort, None), None);
    }
}
