//! What a calibration is fitted on: every checkpoint of every trial, with all that its line is told of it.

use std::collections::BTreeSet;

use super::super::protocol::{Protocol, Trial};
use super::error::BenchError;
use super::everybody::Voices;
use super::fitting::{Fitting, SIMILARITY};
use super::heard::Print;
use super::score::{Homes, cosine, reach_of};
use crate::decision::{Cohort, RosterReach};
use crate::verdict::CHECKPOINTS;

/// The protocol, the checkpoint and the condition of a trial.
pub(super) type TrialKey = (usize, usize, usize);

/// A checkpoint of a test, against a model.
pub(super) struct Observed {
    /// Where it was seen.
    pub case: TrialKey,
    /// Who called: in a case each of them counts the same.
    pub caller: u32,
    pub cosine: f64,
    pub net_s: f64,
    /// Whether a telephone call met a wide-band enrolment.
    pub is_signup_to_call: bool,
    pub cohort: Cohort,
    /// How far up the likenesses of those on the model's first roster to each other reach.
    pub reach: RosterReach,
    pub target: bool,
    /// What it counts beside a trial of a call of another day; others' trials count 1.
    pub counts: f64,
}

/// What the lines are fitted on.
pub(super) struct Seen<'a> {
    pub trials: Vec<Observed>,
    /// Everybody who was heard, whether or not the line is fitted on them.
    pub known: BTreeSet<&'a str>,
}

/// The trials at every checkpoint of the `nth` protocol, of which target trials count `targets`; of no worth, they are left
/// out. The last checkpoint of a recording is left out: it ends where the recording does and not at a mark.
pub(super) fn observe<'a>(
    protocol: &'a Protocol,
    voices: &Voices,
    models: &[Option<Print>],
    fitting: &Fitting,
    (nth, targets): (usize, f64),
) -> Result<Seen<'a>, BenchError> {
    let tables = &protocol.tables;
    let name = |speaker: u32| tables.speakers[speaker as usize].name.as_str();
    let homes = Homes::of(protocol);
    let reaches = reaches(protocol, &homes, models)?;
    let mut of_test: Vec<Vec<&Trial>> = vec![Vec::new(); tables.tests.len()];
    for trial in &tables.trials {
        of_test[trial.test as usize].push(trial);
    }
    let (mut observed, mut known) = (Vec::new(), BTreeSet::new());
    for (condition, tests) in voices.tests.iter().enumerate() {
        for (test, heard) in tests.iter().enumerate() {
            let caller = tables.test_speakers[test];
            for checkpoint in heard.checkpoints.split_last().map_or(&[][..], |(_, rest)| rest) {
                let Some(print) = &checkpoint.print else { continue };
                let alike = similarities(protocol, models, print, test)?;
                for trial in &of_test[test] {
                    let model = trial.model as usize;
                    let (Some((cosine, _)), Some(enrolled)) = (alike[model], &models[model]) else {
                        continue;
                    };
                    let both = [tables.model_speakers[model], caller].map(name);
                    known.extend(both);
                    let counts = if trial.target { targets } else { 1.0 };
                    if counts <= 0.0 || !both.iter().all(|speaker| fitting.counts(speaker)) {
                        continue;
                    }
                    observed.push(Observed {
                        case: (nth, nearest_mark(print.net_s), condition),
                        caller,
                        cosine,
                        net_s: print.net_s,
                        is_signup_to_call: print.over.is_call_to_signup(enrolled.over),
                        cohort: cohort(protocol, &homes, trial.model, caller, &alike),
                        reach: homes.of[model]
                            .map_or_else(RosterReach::default, |(roster, _)| reaches[roster]),
                        target: trial.target,
                        counts,
                    });
                }
            }
        }
    }
    Ok(Seen {
        trials: observed,
        known,
    })
}

/// The cosine and the similarity of a voice and each model; none where nothing was heard of the model.
fn similarities(
    protocol: &Protocol,
    models: &[Option<Print>],
    print: &Print,
    test: usize,
) -> Result<Vec<Option<(f64, f64)>>, BenchError> {
    let one = |(model, enrolled): (usize, &Option<Print>)| {
        let found = cosine(enrolled.as_ref(), Some(print));
        let found = found.map_err(|cause| BenchError::score(&protocol.tables, model, test, cause));
        Ok(found?.map(|cosine| (cosine, SIMILARITY.of(cosine))))
    };
    models.iter().enumerate().map(one).collect()
}

/// The others on a model's first roster. The caller is left out of them: the line has to hold for calls from people who are
/// on no roster, and who is like one of the others because that is who they are, tells nothing of such calls.
fn cohort(
    protocol: &Protocol,
    homes: &Homes<'_>,
    model: u32,
    caller: u32,
    alike: &[Option<(f64, f64)>],
) -> Cohort {
    let Some((roster, _)) = homes.of[model as usize] else {
        return Cohort::default();
    };
    let others = homes.rosters[roster]
        .1
        .iter()
        .filter(|other| **other != model && protocol.tables.model_speakers[**other as usize] != caller);
    let found: Vec<f64> = others
        .filter_map(|other| Some(alike[*other as usize]?.1))
        .collect();
    Cohort {
        size: found.len(),
        mean: found.iter().sum::<f64>() / found.len().max(1) as f64,
    }
}

/// How far the likenesses of each roster's models to each other reach.
fn reaches(
    protocol: &Protocol,
    homes: &Homes<'_>,
    models: &[Option<Print>],
) -> Result<Vec<RosterReach>, BenchError> {
    let of_roster = |(_, roster): &(String, Vec<u32>)| {
        let first = roster.first().map_or(0, |model| *model as usize);
        reach_of(roster, models).map_err(|cause| BenchError::score(&protocol.tables, first, 0, cause))
    };
    homes.rosters.iter().map(of_roster).collect()
}

fn nearest_mark(net_s: f64) -> usize {
    let distance = |mark: &f64| (net_s.ln() - mark.ln()).abs();
    let nearest = CHECKPOINTS
        .iter()
        .enumerate()
        .min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    nearest.map_or(0, |(at, _)| at)
}
